import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { eventually } from './eventually.ts';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
// Without a handler these would end the process without its exit event, and leave the children behind.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

/** Milliseconds between SIGTERM and SIGKILL. */
const GRACE = 5000;
/** Milliseconds its output may stay open after its end, held by what it has started. */
const AFTERMATH = 1000;

export interface Options {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Written to its standard input, which is then closed. */
  readonly input?: string | Uint8Array;
  /** Gets each line of its standard output; its standard input stays open, for `write`. */
  readonly onLine?: (line: string) => void;
}

export interface Ended {
  /** The exit code, or null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of the test's, whose output is kept. It never outlives the test. */
export class Child {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  #failure: Error | undefined;
  /** Resolves when it has ended and all of its output is read; rejects when it could not be started. */
  readonly ended: Promise<Ended>;

  constructor(command: string, args: readonly string[] = [], { env, cwd, input, onLine }: Options = {}) {
    this.#name = command;
    this.#child = spawn(command, args, { stdio: 'pipe', cwd, env: { ...process.env, ...env } });
    running.add(this.#child);
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    // It may end without reading all.
    this.#child.stdin?.on('error', () => {});
    if (onLine === undefined) this.#child.stdin?.end(input);
    else if (this.#child.stdout !== null) createInterface({ input: this.#child.stdout }).on('line', onLine);
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', (error) => {
        running.delete(this.#child);
        this.#failure = error;
        reject(error);
      });
      let aftermath: NodeJS.Timeout | undefined;
      this.#child.on('exit', () => {
        aftermath = setTimeout(() => {
          this.#child.stdout?.destroy();
          this.#child.stderr?.destroy();
        }, AFTERMATH);
      });
      this.#child.on('close', (code, signal) => {
        clearTimeout(aftermath);
        running.delete(this.#child);
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
    // Whoever awaits it still sees it.
    this.ended.catch(() => {});
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw this.#failure ?? new Error(`${this.#name} has no process`);
    return pid;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Closes its standard input. */
  endInput(): void {
    this.#child.stdin?.end();
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  get stderr(): string {
    return Buffer.concat(this.#stderr).toString();
  }

  /** The first line of either output that matches; fails with all of the output when it ends before or in time. */
  async line(pattern: RegExp, milliseconds = 15_000): Promise<RegExpExecArray> {
    const look = (): RegExpExecArray | false => {
      for (const line of `${this.stdout}\n${this.stderr}`.split('\n')) {
        const match = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).exec(line);
        if (match !== null) return match;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw new Error('it has ended');
      return false;
    };
    try {
      return await eventually(String(pattern), look, milliseconds);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${this.#name}: no line like ${pattern}: ${why}\n${this.stdout}\n${this.stderr}`);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it by SIGTERM, after five seconds by SIGKILL. */
  async stop(): Promise<Ended> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), GRACE);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Runs a program to its end, which must come in time. */
export async function execute(
  command: string,
  args: readonly string[],
  options: Options = {},
  milliseconds = 30_000,
): Promise<Ended> {
  const child = new Child(command, args, options);
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  try {
    return await child.ended;
  } finally {
    clearTimeout(timer);
  }
}
