import type { Effect, StompSubscription } from './subscription.ts';

/** The subscriptions of a connection. */
export class Subscriptions {
  readonly #byKey = new Map<string, StompSubscription>();
  readonly #byNumber = new Map<number, StompSubscription>();
  #lastNumber = 0;
  #size = 0;
  /** Of each, its number and the bytes of its selectors: a client may have thousands, and end all of them. */
  readonly #known = new Map<StompSubscription, { readonly number: number; readonly selectorBytes: number }>();
  #selectorBytes = 0;

  /** One to several destinations counts as so many. */
  get size(): number {
    return this.#size;
  }

  /** The number of the next subscription, by which messages name it. */
  get nextNumber(): number {
    return this.#lastNumber + 1;
  }

  get selectorBytes(): number {
    return this.#selectorBytes;
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

  add(subscription: StompSubscription, selectorBytes: number): void {
    this.#selectorBytes += selectorBytes;
    this.#size += subscription.parts ?? 1;
    this.#byKey.set(key(subscription.name, subscription.destination), subscription);
    this.#byNumber.set(++this.#lastNumber, subscription);
    this.#known.set(subscription, { number: this.#lastNumber, selectorBytes });
  }

  remove(subscription: StompSubscription): void {
    if (this.#byKey.delete(key(subscription.name, subscription.destination))) this.#size -= subscription.parts ?? 1;
    const known = this.#known.get(subscription);
    if (known === undefined) return;
    this.#known.delete(subscription);
    this.#selectorBytes -= known.selectorBytes;
    this.#byNumber.delete(known.number);
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
    this.#size = 0;
    this.#byNumber.clear();
    this.#known.clear();
  }
}

function key(name: string | undefined, destination: string): string {
  return name === undefined ? `destination ${destination}` : `id ${name}`;
}
