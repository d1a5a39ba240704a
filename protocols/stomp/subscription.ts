/** How a client settles a message it got; `requeue` gives it back, `reject` throws it away. */
export type Outcome = 'accept' | 'requeue' | 'reject';

/** A subscription of a connection, to a topic or a queue, as the connection sees it. */
export interface StompSubscription {
  /** Its header `id`; undefined where 1.0 clients give none. */
  readonly name: string | undefined;
  readonly destination: string;
  /** Begins: messages may come from now on, also during the call. */
  start(): void;
  /** Whether it sent a message with this number, and whether that is unacknowledged. */
  issued(number: number): boolean;
  unsettled(number: number): boolean;
  /** ACK or NACK; nothing happens where the message was settled before. */
  settle(number: number, outcome: Outcome): void;
  /** The connection may have room again. */
  pump(): void;
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
