import type { BrokerError } from '../../src/core/errors.ts';
import { Message } from '../../src/core/message.ts';
import { DEFAULT_SETTINGS } from '../../src/core/queue-settings.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type {
  Consumer,
  ConsumerOptions,
  Consumption,
  Delivery,
  GroupOptions,
  Membership,
} from '../../src/ports/queues.ts';
import type { GroupHost } from '../../src/routing/hosts.ts';
import { Peers } from '../../src/routing/peers/peers.ts';
import { SimulatedCluster, type SimulatedNode } from './simulated-cluster.ts';
import { SharedStores, SimulatedHost } from './simulated-queues.ts';

/** Nodes of a simulated cluster, with what makes their queues one. */

export interface Peer {
  readonly node: SimulatedNode;
  readonly host: SimulatedHost;
  readonly groups: SimulatedGroups;
  readonly peers: Peers;
  readonly errors: string[];
}

export function setUp(...names: string[]) {
  const cluster = new SimulatedCluster();
  const stores = new SharedStores();
  const add = (name: string): Peer => {
    const node = cluster.add(name);
    const host = new SimulatedHost(name, stores, node);
    const groups = new SimulatedGroups(name, host);
    const errors: string[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => errors.push(JSON.stringify(fields)) };
    const catalog = {
      list: () => [...stores.queues.keys()].sort(),
      get: (queue: string) => (stores.queues.has(queue) ? DEFAULT_SETTINGS : undefined),
      get size() {
        return stores.queues.size;
      },
      refusal: () => undefined,
      bound: (topic: string) => (topic === 'bound' ? ['q'] : []),
    };
    const peers = new Peers(node, { queues: host, catalog, groups: () => groups }, node, logger, 256 * 1024 * 1024);
    node.receiver = peers;
    return { node, host, groups, peers, errors };
  };
  return { cluster, stores, add, nodes: names.map(add) };
}

/** Each group is a queue of that name, with what the group was asked for. */
class SimulatedGroups implements GroupHost {
  readonly #node: string;
  readonly #queues: SimulatedHost;
  readonly asked: string[] = [];

  constructor(node: string, queues: SimulatedHost) {
    this.#node = node;
    this.#queues = queues;
  }

  consume(name: string, filter: string, consumer: Consumer, options: GroupOptions): Membership {
    this.asked.push(JSON.stringify(options));
    const member = this.#queues.consume(`${name}/${filter}`, consumer, { ...options, priority: 0, exclusive: false });
    const leave = (forget: boolean): void => {
      this.asked.push(`leave ${forget}`);
      member.cancel();
    };
    return {
      opened: member.opened,
      leave,
      settle: (delivery, outcome) => member.settle(delivery, outcome),
      holds: (delivery) => member.holds(delivery),
      settled: () => member.settled(),
      pump: () => member.pump(),
      cancel: () => member.cancel(),
    };
  }

  async status(name: string, filter: string) {
    if (name === 'none') return undefined;
    const numbers = { positions: [1, 2], ends: [3, 4], lag: 4, unsettled: 1, members: 2 };
    return { ...numbers, name, filter, ordered: true, node: this.#node };
  }

  async move(name: string, filter: string, to: object): Promise<void> {
    this.asked.push(`${name} ${filter} ${JSON.stringify(to)}`);
  }

  async delete(name: string, filter: string): Promise<void> {
    this.asked.push(`delete ${name} ${filter}`);
  }

  drop(name: string, filter: string): void {
    this.#queues.drop(`${name}/${filter}`);
  }
}

export function message(text: string, dedupId?: string): Message {
  const bytes = Buffer.from(text);
  const publisher = { clientId: 'p', protocol: 'stomp' as const };
  const made = new Message('$queue/q', bytes, 0, bytes.length, 1, false, undefined, publisher, 5, true);
  made.dedupId = dedupId;
  return made;
}

export function textOf(of: Message): string {
  return Buffer.from(of.payload()).toString();
}

/** What became of messages that were pushed: by their texts. */
export class Publisher implements AppendReceiver {
  readonly stored: string[] = [];
  readonly repeated: string[] = [];
  readonly refusals: string[] = [];

  appended(_token: number, of: Message, repeated?: boolean): void {
    (repeated === true ? this.repeated : this.stored).push(textOf(of));
  }

  refused(token: number, error: BrokerError): void {
    this.refusals.push(`${token} ${error.code}`);
  }
}

export const OPTIONS: ConsumerOptions = { clientId: 'c', prefetch: 10, priority: 0, exclusive: false };

/** A client's consumer. Messages are settled at once, unless `holds` is set. */
export class Worker implements Consumer {
  readonly got: string[] = [];
  readonly deliveries: Delivery[] = [];
  readonly ends: string[] = [];
  holds = false;
  open = true;
  consumption: Consumption | undefined;
  /** How the opening ended. */
  opened = '';

  begin(consumption: Consumption): this {
    this.consumption = consumption;
    consumption.opened.then(
      () => {
        this.opened = 'opened';
      },
      (error: BrokerError) => {
        this.opened = error.code;
      },
    );
    return this;
  }

  ready(): boolean {
    return this.open;
  }

  take(of: Message, delivery: Delivery): void {
    this.got.push(`${textOf(of)}${delivery.redelivered ? ' again' : ''}`);
    this.deliveries.push(delivery);
    if (!this.holds) this.consumption?.settle(delivery.number, 'accept');
  }

  ended(error: BrokerError): void {
    this.ends.push(error.code);
  }
}

export function consume(
  peer: Peer,
  queue: string,
  options: Partial<ConsumerOptions> = {},
  worker = new Worker(),
): Worker {
  return worker.begin(peer.peers.queues.consume(queue, worker, { ...OPTIONS, ...options }));
}

/** Two nodes. */
export function pair(): { a: Peer; b: Peer } & Omit<ReturnType<typeof setUp>, 'nodes'> {
  const { nodes, ...rest } = setUp('a', 'b');
  const [a, b] = nodes;
  if (a === undefined || b === undefined) throw new Error('there are two');
  return { a, b, ...rest };
}

/** Two nodes; the queue `q` is b's, with a worker there that takes nothing. */
export async function ownedByB() {
  const all = pair();
  const first = new Worker();
  first.open = false;
  consume(all.b, 'q', {}, first);
  await all.cluster.pass(50);
  if (all.cluster.owners.get('queue:q') !== 'b') throw new Error('the queue is not b’s');
  return { ...all, first };
}

export function publish(peer: Peer, ...texts: string[]): Publisher {
  const publisher = new Publisher();
  texts.forEach((text, i) => {
    peer.peers.queues.push('q', message(text), publisher, i);
  });
  return publisher;
}
