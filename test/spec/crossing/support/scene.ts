import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite, type Test } from 'uvu';
import type { Address } from '../../../../src/broker.ts';
import { startBroker, type TestBroker } from '../../../support/broker.ts';
import { eventually } from '../../../support/eventually.ts';
import { NatsServer } from '../../../support/nats-server.ts';
import { findTool, requireTool } from '../../../support/tools.ts';
import { JsonParticipant } from './json.ts';
import { MqttParticipant } from './mqtt.ts';
import { NatsParticipant } from './nats.ts';
import { type Participant, type Protocol, Refused } from './participant.ts';
import { StompParticipant } from './stomp.ts';

/** What the clients of a suite connect to. */
export interface Nodes {
  /** The clients of a test go to one after the other: the sender is with the first, the receiver with the next. */
  readonly nodes: readonly TestBroker[];
  /** Milliseconds until all nodes know what one of them retains or is interested in. */
  readonly settleMilliseconds: number;
  /** The NATS server behind them. */
  readonly url?: string;
  stop(): Promise<void>;
}

export async function oneInMemory(): Promise<Nodes> {
  const node = await startBroker();
  return { nodes: [node], settleMilliseconds: 0, stop: () => node.broker.stop() };
}

async function oneEmbedded(): Promise<Nodes> {
  const directory = mkdtempSync(join(tmpdir(), 'trimaran-crossing-'));
  const node = await startBroker({ backbone: { type: 'embedded', embedded: { directory } } });
  const stop = async (): Promise<void> => {
    await node.broker.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { nodes: [node], settleMilliseconds: 0, stop };
}

/** Two gateways of one NATS server. */
export async function twoOnNats(program: string): Promise<Nodes> {
  const nats = await NatsServer.start(program);
  const config = { backbone: { type: 'nats', nats: { servers: [nats.url] } } } as const;
  const nodes = [await startBroker(config), await startBroker(config)];
  const stop = async (): Promise<void> => {
    for (const { broker } of nodes) await broker.stop();
    await nats.remove();
  };
  return { nodes, settleMilliseconds: 100, url: nats.url, stop };
}

const CLIENTS: readonly Protocol[] = ['mqtt4', 'mqtt5', 'stomp', 'json'];

/** The nodes of a suite, and who is connected to them. */
export class Scene {
  /** Who can take part. */
  readonly protocols: readonly Protocol[];
  readonly #start: () => Promise<Nodes>;
  #nodes: Nodes | undefined;
  readonly #participants = new Set<Participant>();
  #made = 0;

  constructor(protocols: readonly Protocol[], start: () => Promise<Nodes>) {
    this.protocols = protocols;
    this.#start = start;
  }

  async begin(): Promise<void> {
    this.#nodes = await this.#start();
  }

  end(): Promise<void> | undefined {
    return this.#nodes?.stop();
  }

  disconnect(): void {
    for (const each of this.#participants) each.close();
    this.#participants.clear();
  }

  /** With the protocols that are among these, in this order. */
  those(...protocols: Protocol[]): Protocol[] {
    return protocols.filter((each) => this.protocols.includes(each));
  }

  /** A name that no other test has. */
  name(what: string): string {
    return `${what}-${++this.#made}`;
  }

  /** Node 0 is where messages come from, node 1 where they go to, if there are two. */
  async connect(protocol: Protocol, node: 0 | 1): Promise<Participant> {
    const participant = await this.#connect(protocol, node);
    this.#participants.add(participant);
    return participant;
  }

  async #connect(protocol: Protocol, index: number): Promise<Participant> {
    const { nodes, url } = this.#running;
    const node = nodes[index % nodes.length];
    if (node === undefined) throw new Error('there is no node');
    switch (protocol) {
      case 'mqtt4':
        return MqttParticipant.connect(4, node.mqtt, this.name('client'));
      case 'mqtt5':
        return MqttParticipant.connect(5, node.mqtt, this.name('client'));
      case 'stomp':
        return StompParticipant.connect(node.stomp);
      case 'json':
        return JsonParticipant.connect(node.http);
      case 'nats':
        return NatsParticipant.connect(url ?? '');
    }
  }

  async #operate<T>(node: number, what: (json: JsonParticipant) => Promise<T>): Promise<T> {
    const { nodes } = this.#running;
    const address = nodes[node % nodes.length]?.http;
    if (address === undefined) throw new Error('there is no node');
    const json = await JsonParticipant.connect(address);
    try {
      return await what(json);
    } finally {
      json.close();
    }
  }

  get #running(): Nodes {
    if (this.#nodes === undefined) throw new Error('nothing runs');
    return this.#nodes;
  }

  /** Where a node listens for STOMP. */
  stomp(index: number): Address {
    const { nodes } = this.#running;
    const address = nodes[index % nodes.length]?.stomp;
    if (address === undefined) throw new Error('there is no node');
    return address;
  }

  /** Every node knows what the others are interested in. */
  settled(): Promise<void> {
    return sleep(this.#running.settleMilliseconds);
  }

  /** Makes a queue. */
  declare(queue: string, settings: Record<string, string | number>): Promise<unknown> {
    return this.#operate(0, (json) => json.request({ type: 'declare', queue, settings }));
  }

  /** Until nothing is left in it. */
  emptied(queue: string): Promise<unknown> {
    return eventually(`${queue} is empty`, async () => (await this.status(queue))?.messages === 0);
  }

  /** undefined when there is no such queue. */
  status(queue: string): Promise<{ readonly messages?: unknown; readonly consumers?: unknown } | undefined> {
    return this.#operate(0, async (json) => {
      const { status } = await json.request({ type: 'queueStatus', queue }).catch((error: unknown) => {
        if (error instanceof Refused && error.code === 'notFound') return { status: undefined };
        throw error;
      });
      return typeof status === 'object' && status !== null ? status : undefined;
    });
  }
}

/** The same suite on one node in memory, on one with its own store, and between two on NATS. */
export function onEveryBackbone(title: string, define: (test: Test, scene: Scene) => void): void {
  const run = (name: string, scene: Scene): void => {
    const test = suite(name);
    test.before(() => scene.begin());
    test.after(() => scene.end());
    test.after.each(() => scene.disconnect());
    define(test, scene);
    test.run();
  };
  run(`${title}, memory`, new Scene(CLIENTS, oneInMemory));
  run(`${title}, embedded`, new Scene(CLIENTS, oneEmbedded));
  const program = findTool('nats-server');
  if (program !== undefined) {
    run(`${title}, two nodes`, new Scene([...CLIENTS, 'nats'], () => twoOnNats(program)));
    return;
  }
  const test = suite(`${title}, two nodes`);
  requireTool(test, 'nats-server', title, () => {});
  test.run();
}
