import type { DurableName } from './durable.ts';

/** How a client settles a message it got; `requeue` gives it back, `reject` throws it away. */
export type Outcome = 'accept' | 'requeue' | 'reject';

/** Resolves when something is durable; undefined where nothing is to be waited for. */
export type Effect = Promise<void> | undefined;

/** A subscription of a connection, to a topic or a queue, as the connection sees it. */
export interface StompSubscription {
  /** Its header `id`; undefined where 1.0 clients give none. */
  readonly name: string | undefined;
  readonly destination: string;
  /** What it is kept as after the connection; undefined when it is not. */
  readonly durable: DurableName | undefined;
  /** Begins: messages may come from now on, also during the call. Rejects with a BrokerError when it cannot. */
  start(): Effect;
  /** Whether it sent a message with this number, and whether that is unacknowledged. */
  issued(number: number): boolean;
  unsettled(number: number): boolean;
  /** ACK or NACK; nothing happens where the message was settled before. */
  settle(number: number, outcome: Outcome): void;
  /** What has been settled so far is kept. */
  stored(): Effect;
  /** The connection may have room again. */
  pump(): void;
  /** The client ends it; `forever`: nothing is kept of a durable one. */
  unsubscribe(forever: boolean): Effect;
  /** The connection is gone. */
  close(): void;
}

/** The subscriptions of a connection. */
export class Subscriptions {
  readonly #byKey = new Map<string, StompSubscription>();
  readonly #byNumber = new Map<number, StompSubscription>();
  #lastNumber = 0;

  get size(): number {
    return this.#byKey.size;
  }

  /** The number of the next subscription, by which messages name it. */
  get nextNumber(): number {
    return this.#lastNumber + 1;
  }

  find(name: string | undefined, destination: string): StompSubscription | undefined {
    return this.#byKey.get(key(name, destination));
  }

  /** By destination, whatever its id: 1.0 clients may unsubscribe so. */
  findByDestination(destination: string): StompSubscription | undefined {
    for (const each of this.#byKey.values()) if (each.destination === destination) return each;
    return undefined;
  }

  /** The durable one that is kept under this key. */
  findDurable(key: string): StompSubscription | undefined {
    for (const each of this.#byKey.values()) if (each.durable?.key === key) return each;
    return undefined;
  }

  /** What has been settled in any of them is kept. */
  stored(): Effect[] {
    return [...this.#byKey.values()].map((each) => each.stored());
  }

  add(subscription: StompSubscription): void {
    this.#byKey.set(key(subscription.name, subscription.destination), subscription);
    this.#byNumber.set(++this.#lastNumber, subscription);
  }

  remove(subscription: StompSubscription): void {
    this.#byKey.delete(key(subscription.name, subscription.destination));
    for (const [number, each] of this.#byNumber) if (each === subscription) this.#byNumber.delete(number);
  }

  /** The subscription with this number; `gone` when there was one. */
  numbered(number: number): StompSubscription | 'gone' | undefined {
    return this.#byNumber.get(number) ?? (number >= 1 && number <= this.#lastNumber ? 'gone' : undefined);
  }

  pump(): void {
    for (const each of this.#byKey.values()) each.pump();
  }

  close(): void {
    for (const each of this.#byKey.values()) each.close();
    this.#byKey.clear();
    this.#byNumber.clear();
  }
}

function key(name: string | undefined, destination: string): string {
  return name === undefined ? `destination ${destination}` : `id ${name}`;
}
