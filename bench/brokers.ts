import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findTool } from '../test/support/tools.ts';
import { rabbitmqAbsent, rabbitmqCommand, rabbitmqPid } from './rabbitmq.ts';

/** The brokers under load, each a process of its own that ends with ours. */

/** `trimaran` is as it comes, with the embedded store; `memory` and `jetstream` are its other backbones. */
export type BrokerName = 'trimaran' | 'memory' | 'jetstream' | 'mosquitto' | 'nats' | 'rabbitmq' | 'relay';

export interface RunningBroker {
  /** Of the broker's own process first, then of what it uses. */
  readonly pids: readonly number[];
  readonly ports: Readonly<Record<'mqtt' | 'stomp', number>>;
  stop(): Promise<void>;
}

const MOSQUITTO = '/usr/sbin/mosquitto';
/** Milliseconds for a broker to listen, and to end. */
const START = 90_000;
const END = 10_000;

const children = new Set<ChildProcess>();
const folders = new Set<string>();
process.on('exit', () => {
  for (const child of children) killGroup(child, 'SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

/** Why the broker can't take part, or undefined. */
export function whyAbsent(name: BrokerName): string | undefined {
  if (name === 'mosquitto' && !existsSync(MOSQUITTO)) return `${MOSQUITTO} is not installed`;
  if ((name === 'nats' || name === 'jetstream') && findTool('nats-server') === undefined)
    return 'nats-server is not installed (scripts/install-test-tools.sh)';
  return name === 'rabbitmq' ? rabbitmqAbsent() : undefined;
}

export async function startBroker(name: BrokerName): Promise<RunningBroker> {
  const [mqtt, stomp, http, nats] = await freePorts();
  const ports = { mqtt, stomp, http, nats };
  if (name === 'rabbitmq') return startProcess(name, ports, [stomp]);
  const own = name === 'mosquitto' || name === 'nats' || name === 'relay' ? [mqtt] : [mqtt, stomp];
  if (name !== 'jetstream') return startProcess(name, ports, own);
  const store = await startProcess('nats', { ...ports, mqtt: 0 }, [nats]);
  try {
    const broker = await startProcess(name, ports, own);
    return { ...broker, pids: [...broker.pids, ...store.pids], stop: () => broker.stop().then(store.stop) };
  } catch (error) {
    await store.stop();
    throw error;
  }
}

/** The process and all it has started. */
function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

/** `awaited`: the ports on which it listens when it is ready. */
async function startProcess(name: BrokerName, ports: Ports, awaited: readonly number[]): Promise<RunningBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-bench-'));
  folders.add(folder);
  const { command, args, env = {} } = commandOf(name, ports, folder);
  // A group of its own, for what it starts itself.
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
    env: { ...process.env, ...env },
    detached: true,
  });
  children.add(child);
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      keep(Buffer.from(error.message));
      resolve();
    });
    child.once('exit', () => resolve());
  }).then(() => {
    killGroup(child, 'SIGKILL');
    children.delete(child);
    rmSync(folder, { recursive: true, force: true });
    folders.delete(folder);
  });
  const stop = async (): Promise<void> => {
    killGroup(child, 'SIGTERM');
    const timer = setTimeout(() => killGroup(child, 'SIGKILL'), END);
    await ended;
    clearTimeout(timer);
  };

  const deadline = performance.now() + START;
  while (!(await Promise.all(awaited.map(listens))).every(Boolean)) {
    const over = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
    if (over || performance.now() > deadline) {
      await stop();
      throw new Error(`${name} ${over ? 'ended' : `does not listen after ${START / 1000} s`}:\n${output}`);
    }
    await sleep(50);
  }
  if (child.pid === undefined) throw new Error(`${name} has no process`);
  return { pids: [name === 'rabbitmq' ? rabbitmqPid(folder) : child.pid], ports, stop };
}

type Ports = Readonly<Record<'mqtt' | 'stomp' | 'http' | 'nats', number>>;

interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

function commandOf(name: BrokerName, ports: Ports, folder: string): Command {
  if (name === 'mosquitto') {
    const config = join(folder, 'mosquitto.conf');
    writeFileSync(config, mosquittoConfig(ports.mqtt));
    return { command: MOSQUITTO, args: ['-c', config] };
  }
  if (name === 'relay')
    return { command: process.execPath, args: [join(import.meta.dirname, 'relay.js'), String(ports.mqtt)] };
  if (name === 'rabbitmq') return rabbitmqCommand(folder, ports.stomp, ports.http, ports.nats);
  if (name === 'nats') {
    const config = join(folder, 'nats.conf');
    writeFileSync(config, natsConfig(ports, folder));
    return { command: findTool('nats-server') ?? 'nats-server', args: ['-c', config] };
  }
  const set = [
    ...(['mqtt', 'stomp', 'http'] as const).map((listener) => `listeners.${listener}.port=${ports[listener]}`),
    ...BACKBONES[name],
    `backbone.nats.servers=nats://127.0.0.1:${ports.nats}`,
    'log.level=warn',
  ];
  const main = join(import.meta.dirname, '../src/main.js');
  return { command: process.execPath, args: [main, 'start', ...set.flatMap((pair) => ['--set', pair])] };
}

const BACKBONES = {
  trimaran: ['backbone.embedded.directory=./data'],
  memory: ['backbone.type=memory'],
  jetstream: ['backbone.type=nats'],
} as const;

/** JetStream, and with an MQTT port its own MQTT: what acknowledges at QoS 1 is the same store. */
function natsConfig({ nats, mqtt }: Ports, folder: string): string {
  const lines = [
    'server_name: bench',
    `listen: "127.0.0.1:${nats}"`,
    `jetstream { store_dir: "${folder}" }`,
    ...(mqtt === 0 ? [] : [`mqtt { listen: "127.0.0.1:${mqtt}", max_ack_pending: 65535 }`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** The defaults, except for what would make it drop or delay messages of these loads. */
function mosquittoConfig(port: number): string {
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'set_tcp_nodelay true',
    'max_queued_messages 1000000',
    'max_inflight_messages 1000',
    'log_type error',
    'log_type warning',
  ];
  // As root it would change to another user, who can't read the configuration.
  if (process.getuid?.() === 0) lines.push('user root');
  return `${lines.join('\n')}\n`;
}

/** All held at once, so that they differ. */
async function freePorts(): Promise<[number, number, number, number]> {
  const hold = async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return { server, port: typeof address === 'object' && address !== null ? address.port : 0 };
  };
  const held = [await hold(), await hold(), await hold(), await hold()] as const;
  await Promise.all(held.map(({ server }) => new Promise((resolve) => server.close(resolve))));
  return [held[0].port, held[1].port, held[2].port, held[3].port];
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}
