import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from './child.ts';

/** Real nats-server processes on loopback, on free ports, each with a store in a temporary folder. */

const folders = new Set<string>();
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

/** Milliseconds it may take to start, on a busy machine. */
const START = 20_000;
const HOST = '127.0.0.1';

export interface NatsOptions {
  readonly jetstream?: boolean;
  readonly args?: readonly string[];
}

/** One server, that can be ended, held and started again on its store. */
export class NatsServer {
  readonly #program: string;
  readonly #args: readonly string[];
  readonly #folder: string;
  readonly port: number;
  #child: Child | undefined;

  private constructor(program: string, port: number, args: readonly string[], { jetstream = true }: NatsOptions) {
    this.#program = program;
    this.#folder = mkdtempSync(join(tmpdir(), 'trimaran-nats-'));
    folders.add(this.#folder);
    mkdirSync(join(this.#folder, 'store'));
    this.port = port;
    const store = jetstream ? ['-js', '-sd', join(this.#folder, 'store')] : [];
    this.#args = ['-a', HOST, '-p', String(port), ...store, ...args];
  }

  static async start(program: string, options: NatsOptions = {}): Promise<NatsServer> {
    const [port = 0] = await freePorts(1);
    const server = new NatsServer(program, port, options.args ?? [], options);
    await server.start();
    return server;
  }

  /** Three of them that are one cluster. */
  static async cluster(program: string): Promise<NatsServer[]> {
    const ports = await freePorts(6);
    const routes = ports.slice(3);
    const servers = routes.map((route, i) => {
      const args = ['-n', `s${i}`, '--cluster_name', 'test', '--cluster', `nats://${HOST}:${route}`];
      const others = routes.filter((other) => other !== route).map((other) => `nats://${HOST}:${other}`);
      return new NatsServer(program, ports[i] ?? 0, [...args, '--routes', others.join(',')], {});
    });
    await Promise.all(servers.map((server) => server.start()));
    return servers;
  }

  get url(): string {
    return `nats://${HOST}:${this.port}`;
  }

  get #running(): Child {
    if (this.#child === undefined) throw new Error('the server does not run');
    return this.#child;
  }

  get pid(): number {
    return this.#running.pid;
  }

  async start(): Promise<void> {
    this.#child = new Child(this.#program, this.#args);
    await this.#child.line(/Server is ready/, START);
  }

  /** Ends it, in order or by SIGKILL. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#running;
    this.#child = undefined;
    child.kill('SIGCONT');
    if (signal === 'SIGTERM') await child.stop();
    child.kill(signal);
    await child.ended;
  }

  hold(): void {
    this.#running.kill('SIGSTOP');
  }

  goOn(): void {
    this.#running.kill('SIGCONT');
  }

  /** Ends it, and its store goes too. */
  async remove(): Promise<void> {
    if (this.#child !== undefined) await this.end('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
    folders.delete(this.#folder);
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.on('error', reject);
          server.listen(0, HOST, () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
