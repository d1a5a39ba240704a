import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../../src/broker.ts';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { Child, type Ended, execute } from '../../support/child.ts';
import { findTool, requireTool, type ToolName } from '../../support/tools.ts';
import { PAHO, STOMP } from './python.ts';

/** Milliseconds a client may take for what it is to do. */
const PATIENCE = 15_000;

/**
 * A broker for the tests of a suite, and the clients that Debian has: those of mosquitto, and Python's for MQTT and STOMP. Each is
 * a process of its own, which ends with its test.
 */
export class Debian {
  readonly #test: Test;
  readonly #children: Child[] = [];
  #server: TestBroker | undefined;

  constructor(test: Test) {
    this.#test = test;
    test.before(async () => {
      this.#server = await startBroker();
    });
    test.after(() => this.#server?.broker.stop());
    test.after.each(async () => {
      for (const each of this.#children) each.kill('SIGKILL');
      await Promise.all(this.#children.splice(0).map((each) => each.ended.catch(() => {})));
    });
  }

  get server(): TestBroker {
    if (this.#server === undefined) throw new Error('the broker is not started');
    return this.#server;
  }

  /** A test that needs several tools, with the path of each. */
  test<const Names extends readonly [ToolName, ...ToolName[]]>(
    names: Names,
    title: string,
    body: (path: (name: Names[number]) => string) => Promise<void>,
  ): void {
    const paths = new Map<ToolName, string | undefined>(names.map((name) => [name, findTool(name)]));
    const missing = names.find((name) => paths.get(name) === undefined);
    requireTool(this.#test, missing ?? names[0], title, () => body((name) => paths.get(name) ?? name));
  }

  start(command: string, args: readonly string[]): Child {
    const child = new Child(command, args);
    this.#children.push(child);
    return child;
  }

  /** Runs one of mosquitto's clients to its end, and returns what it wrote. */
  async mosquitto(command: string, args: readonly string[], input?: string): Promise<string> {
    const options = input === undefined ? {} : { input };
    return succeeded(command, await execute(command, [...at(this.server.mqtt), ...args], options, PATIENCE));
  }

  /** mosquitto_sub, when the broker has answered: each message is a line `<topic qos retained payload>`. */
  async mosquittoSub(command: string, args: readonly string[]): Promise<Child> {
    // Into a pipe it would write its lines only when many have come together.
    const child = this.start('stdbuf', ['-oL', command, ...at(this.server.mqtt), '-d', '-F', LINE, ...args]);
    await child.line(/^Subscribed \(mid/);
    return child;
  }

  paho(command: string, version: string, name: string, transport = 'tcp'): Promise<Child> {
    const { host, port } = transport === 'tcp' ? this.server.mqtt : this.server.http;
    return this.#python(command, PAHO, [host, String(port), version, transport, name]);
  }

  stompPy(command: string, version: string, name: string): Promise<Child> {
    const { host, port } = this.server.stomp;
    return this.#python(command, STOMP, [host, String(port), version, name, String(PATIENCE / 1000)]);
  }

  /** When it is ready to receive. */
  async #python(command: string, script: string, args: readonly string[]): Promise<Child> {
    const child = this.start(command, ['-c', script, ...args]);
    await child.line(/^"ready"$/, PATIENCE);
    return child;
  }
}

export const at = ({ host, port }: Address): string[] => ['-h', host, '-p', String(port)];

/** How mosquitto_sub is to write a message: topic, QoS, whether retained, payload. */
export const LINE = '<%t %q %r %p>';

/** What is between `<` and `>` in lines of mosquitto_sub. */
export const messages = (output: string): string[] => [...output.matchAll(/^<(.*)>$/gm)].map(([, line = '']) => line);

export function succeeded(what: string, { code, signal, stdout, stderr }: Ended): string {
  assert.is(code, 0, `${what} ended with ${code ?? signal}\n${stdout}\n${stderr}`);
  return stdout;
}

/** What a Python program said, after its end. */
export async function told(what: string, child: Child): Promise<unknown[]> {
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  try {
    return succeeded(what, await child.ended)
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line));
  } finally {
    clearTimeout(timer);
  }
}

/** Without an order between messages of different topics and protocols. */
export function sorted(items: readonly unknown[]): string[] {
  return items.map((item) => JSON.stringify(ordered(item))).sort();
}

function ordered(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
  return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
}
