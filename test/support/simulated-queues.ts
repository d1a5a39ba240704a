import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import { DEFAULT_SETTINGS, type PartialSettings } from '../../src/core/queue-settings.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type {
  BrowsedPortion,
  Consumer,
  ConsumerOptions,
  Membership,
  Outcome,
  QueueStatus,
} from '../../src/ports/queues.ts';
import type { QueueHost } from '../../src/routing/hosts.ts';

/** A queue engine as small as can be, over stores that all nodes of a simulated cluster share. */

/** Milliseconds until something is durable. */
const SYNC = 3;

interface Stored {
  readonly id: number;
  readonly message: Message;
  deliveries: number;
}

/** What is durable of a queue, and which host has it open: what others do to it fails. */
export interface StoredQueue {
  readonly messages: Map<number, Stored>;
  readonly dedup: Set<string>;
  opened: object | undefined;
  /** Whoever had it open hears that another one has. */
  lost: () => void;
  last: number;
}

export class SharedStores {
  readonly queues = new Map<string, StoredQueue>();
  /** Hears of each message that is stored. */
  stored: (message: Message) => void = () => {};

  get(name: string): StoredQueue {
    let queue = this.queues.get(name);
    if (queue === undefined) {
      queue = { messages: new Map(), dedup: new Set(), opened: undefined, lost: () => {}, last: 0 };
      this.queues.set(name, queue);
    }
    return queue;
  }
}

interface Held {
  readonly stored: Stored;
  readonly member: Member;
}

interface OpenQueue {
  readonly token: object;
  readonly store: StoredQueue;
  readonly members: Member[];
  /** By delivery number. */
  readonly unsettled: Map<number, Held>;
  /** What it was opened with. */
  readonly settings: PartialSettings;
}

export class SimulatedHost implements QueueHost {
  readonly node: string;
  readonly stores: SharedStores;
  readonly #clock: Clock;
  readonly #open = new Map<string, OpenQueue>();
  #numbers = 0;
  pushes = 0;
  /** How consumers went: `cancelled`, `interrupted`. */
  readonly left: string[] = [];
  /** What consumers and pushes are refused with. */
  refusal: BrokerError | undefined;

  constructor(node: string, stores: SharedStores, clock: Clock) {
    this.node = node;
    this.stores = stores;
    this.#clock = clock;
  }

  /** What the one who opened it wanted. */
  settings(name: string): PartialSettings | undefined {
    return this.#open.get(name)?.settings;
  }

  #queue(name: string, settings: PartialSettings = {}): OpenQueue {
    const queue = this.#open.get(name);
    if (queue === undefined) {
      const store = this.stores.get(name);
      const opened = { token: {}, store, members: [], unsettled: new Map(), settings };
      store.lost();
      store.opened = opened.token;
      store.lost = () => {
        this.#clock.schedule(SYNC, () => {
          if (this.#open.get(name) === opened) this.drop(name);
        });
      };
      this.#open.set(name, opened);
      return opened;
    }
    return queue;
  }

  push(name: string, message: Message, receiver: AppendReceiver, token: number): void {
    this.pushes++;
    const queue = this.#queue(name);
    this.#clock.schedule(SYNC, () => {
      const { store } = queue;
      const error =
        this.refusal ?? (store.opened === queue.token ? undefined : new BrokerError('unavailable', 'not opened here'));
      if (error !== undefined) return receiver.refused(token, error);
      const { dedupId } = message;
      const repeated = dedupId !== undefined && store.dedup.has(dedupId);
      if (dedupId !== undefined) store.dedup.add(dedupId);
      if (!repeated) {
        const id = ++store.last;
        store.messages.set(id, { id, message, deliveries: 0 });
        this.stores.stored(message);
      }
      receiver.appended(token, message, repeated);
      this.#dispatch(name);
    });
  }

  ready(): undefined {}

  full(): undefined {}

  consume(name: string, consumer: Consumer, options: ConsumerOptions, settings?: PartialSettings): Membership {
    const queue = this.#queue(name, settings);
    const exclusive = options.exclusive && queue.members.length > 0;
    const refusal = this.refusal ?? (exclusive ? new BrokerError('quota', 'it is consumed by others') : undefined);
    const member = new Member(this, name, consumer, options, this.#clock, refusal);
    if (refusal === undefined) queue.members.push(member);
    return member;
  }

  #dispatch(name: string): void {
    const queue = this.#open.get(name);
    if (queue === undefined) return;
    const held = new Set([...queue.unsettled.values()].map(({ stored }) => stored));
    for (const stored of queue.store.messages.values()) {
      if (held.has(stored)) continue;
      const at = queue.members.findIndex(
        (each) => each.open && each.unsettled < each.prefetch && each.consumer.ready(),
      );
      const member = queue.members[at];
      if (member === undefined) return;
      queue.members.push(...queue.members.splice(at, 1));
      const number = ++this.#numbers;
      queue.unsettled.set(number, { stored, member });
      member.unsettled++;
      const count = ++stored.deliveries;
      member.consumer.take(stored.message, { number, count, redelivered: count > 1 });
    }
  }

  pump(name: string): void {
    this.#dispatch(name);
  }

  settle(name: string, number: number, outcome: Outcome): void {
    const queue = this.#open.get(name);
    const held = queue?.unsettled.get(number);
    if (queue === undefined || held === undefined) return;
    held.member.unsettled--;
    if (outcome === 'requeue') queue.unsettled.delete(number);
    else {
      // Durable only after a while; until then a new owner would find it.
      this.#clock.schedule(SYNC, () => {
        if (queue.store.opened === queue.token) queue.store.messages.delete(held.stored.id);
        queue.unsettled.delete(number);
      });
    }
    this.#clock.defer(() => this.#dispatch(name));
  }

  settled(name: string): Promise<void> {
    const queue = this.#open.get(name);
    return new Promise((resolve, reject) => {
      this.#clock.schedule(SYNC, () => {
        if (queue !== undefined && queue.store.opened === queue.token) resolve();
        else reject(new BrokerError('unavailable', 'not opened here'));
      });
    });
  }

  leave(name: string, member: Member): void {
    const queue = this.#open.get(name);
    if (queue === undefined) return;
    const at = queue.members.indexOf(member);
    if (at !== -1) queue.members.splice(at, 1);
    for (const [number, held] of queue.unsettled) if (held.member === member) queue.unsettled.delete(number);
    this.#clock.defer(() => this.#dispatch(name));
  }

  drop(name: string): void {
    const queue = this.#open.get(name);
    this.#open.delete(name);
    for (const member of queue?.members ?? []) member.consumer.ended(new BrokerError('unavailable'));
  }

  consumers(name: string): number {
    return this.#open.get(name)?.members.length ?? 0;
  }

  async declare(name: string, settings: PartialSettings): Promise<QueueStatus> {
    if (settings.maxMessages === 13) throw new BrokerError('fieldInvalid', 'maxMessages of the queue is 1, not 13');
    this.#queue(name, settings);
    const status = await this.status(name);
    if (status === undefined) throw new Error('it was made');
    return { ...status, settings: { ...status.settings, ...settings } };
  }

  has(name: string): boolean {
    return this.#open.has(name);
  }

  async status(name: string): Promise<QueueStatus | undefined> {
    const store = this.stores.queues.get(name);
    if (store === undefined) return undefined;
    const queue = this.#open.get(name);
    return {
      name,
      settings: DEFAULT_SETTINGS,
      messages: store.messages.size,
      bytes: 0,
      unsettled: queue?.unsettled.size ?? 0,
      consumers: queue?.members.length ?? 0,
      node: this.node,
    };
  }

  async browse(name: string, after: number, count: number): Promise<BrowsedPortion> {
    const all = [...this.stores.get(name).messages.values()].filter(({ id }) => id > after);
    const messages = all.slice(0, count);
    return { messages, next: messages.length < all.length ? messages.at(-1)?.id : undefined };
  }

  async purge(name: string): Promise<number> {
    const { messages } = this.stores.get(name);
    const count = messages.size;
    messages.clear();
    return count;
  }

  async delete(name: string, only?: { readonly ifEmpty?: boolean }): Promise<number> {
    const count = this.stores.get(name).messages.size;
    if (only?.ifEmpty === true && count > 0) throw new BrokerError('quota', 'it is not empty');
    const members = this.#open.get(name)?.members ?? [];
    this.#open.delete(name);
    this.stores.queues.delete(name);
    for (const { consumer } of members) consumer.ended(new BrokerError('notFound', 'the queue was deleted'));
    return count;
  }
}

class Member implements Membership {
  readonly opened: Promise<void>;
  readonly consumer: Consumer;
  readonly prefetch: number;
  readonly #host: SimulatedHost;
  readonly #name: string;
  open = false;
  unsettled = 0;

  constructor(
    host: SimulatedHost,
    name: string,
    consumer: Consumer,
    options: ConsumerOptions,
    clock: Clock,
    refusal: BrokerError | undefined,
  ) {
    this.#host = host;
    this.#name = name;
    this.consumer = consumer;
    this.prefetch = options.prefetch;
    this.opened = new Promise((resolve, reject) => {
      clock.schedule(SYNC, () => {
        if (refusal !== undefined) return reject(refusal);
        this.open = true;
        resolve();
        host.pump(name);
      });
    });
  }

  settle(delivery: number, outcome: Outcome): void {
    this.#host.settle(this.#name, delivery, outcome);
  }

  holds(): boolean {
    return true;
  }

  settled(): Promise<void> {
    return this.#host.settled(this.#name);
  }

  pump(): void {
    this.#host.pump(this.#name);
  }

  cancel(): void {
    this.#host.left.push('cancelled');
    this.#host.leave(this.#name, this);
  }

  interrupted(): void {
    this.#host.left.push('interrupted');
    this.#host.leave(this.#name, this);
  }

  leave(): void {
    this.cancel();
  }
}
