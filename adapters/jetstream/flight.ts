import type { Message } from '../../src/core/message.ts';

/** A message that is sent, until it is known what became of it. */
export interface Sendable {
  readonly message: Message;
  /** What it counts for against the limits of what is pending and under way. */
  readonly bytes: number;
  /** Of its last sending among all of this sender; 0 before the first. */
  number: number;
  sentAt: number;
}

/** Messages and bytes that are on their way to the server at a time. A stream of nats-server takes in 10,000 at most. */
const WINDOW = 4096;
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Of the ring of numbers: they ascend, and the oldest is never far behind. */
const RING = 8192;

/** Messages on their way to the server, by number. */
export class Flight<T extends Sendable> {
  readonly #ring: (T | undefined)[] = new Array<T | undefined>(RING);
  /** Lowest number that may be there, and the last one. */
  #first = 1;
  #last = 0;
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** One more may be sent. */
  get room(): boolean {
    return this.#last + 1 - this.#first < RING && this.#count < WINDOW && this.#bytes < WINDOW_BYTES;
  }

  get oldest(): T | undefined {
    this.#advance();
    return this.#ring[this.#first % RING];
  }

  /** Gives it the next number. */
  add(entry: T): void {
    entry.number = ++this.#last;
    this.#ring[this.#last % RING] = entry;
    this.#count++;
    this.#bytes += entry.bytes;
  }

  get(number: number): T | undefined {
    const entry = this.#ring[number % RING];
    return entry?.number === number ? entry : undefined;
  }

  remove(entry: T): void {
    if (this.get(entry.number) !== entry) return;
    this.#ring[entry.number % RING] = undefined;
    this.#count--;
    this.#bytes -= entry.bytes;
    this.#advance();
  }

  /** Those with a lower number. */
  before(number: number): T[] {
    if (this.#first >= number) return [];
    return this.all().filter((entry) => entry.number < number);
  }

  all(): T[] {
    const entries: T[] = [];
    for (let number = this.#first; number <= this.#last; number++) {
      const entry = this.get(number);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  #advance(): void {
    while (this.#first <= this.#last && this.#ring[this.#first % RING] === undefined) this.#first++;
  }
}
