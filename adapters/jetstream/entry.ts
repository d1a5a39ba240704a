import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';

/** What a pending message costs beside its payload, about, bytes. */
const OVERHEAD = 256;

/** What a message counts for while it is pending, about, bytes. */
export function pendingSize({ size, properties }: Message): number {
  let all = size + OVERHEAD + (properties?.correlation?.length ?? 0);
  for (const [name, value] of properties?.user ?? []) all += name.length + value.length;
  return all;
}

/** A message on its way into the log. */
export class Entry {
  readonly message: Message;
  readonly receiver: AppendReceiver;
  readonly token: number;
  readonly subject: string;
  /** What it counts for against the limit of what is pending. */
  readonly bytes: number;
  /** The change of the state that has to be durable before. */
  readonly barrier: number;
  /** Of its last sending among all of this node; 0 before the first. */
  number = 0;
  /** Of its first sending, which names it when it is sent again. */
  firstNumber = 0;
  sentAt = 0;
  /** The server has been asked to say what became of it. */
  asked = false;
  /** Its sequence, when the server has said it. */
  stored = 0;
  /** The publisher has its answer. */
  done = false;
  /** And it was that the message is not taken in. */
  refused = false;

  constructor(
    message: Message,
    receiver: AppendReceiver,
    token: number,
    subject: string,
    bytes: number,
    barrier: number,
  ) {
    this.message = message;
    this.receiver = receiver;
    this.token = token;
    this.subject = subject;
    this.bytes = bytes;
    this.barrier = barrier;
  }
}

/** First in, first out. */
export class EntryQueue<T = Entry> {
  #entries: T[] = [];
  #head = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  push(entry: T): void {
    this.#entries.push(entry);
  }

  /** Before all others, in this order. */
  unshift(entries: readonly T[]): void {
    this.#entries = [...entries, ...this.#entries.slice(this.#head)];
    this.#head = 0;
  }

  peek(): T | undefined {
    return this.#entries[this.#head];
  }

  shift(): void {
    this.#head++;
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    } else if (this.#head >= 4096 && this.#head * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** All of them; none is left. */
  take(): T[] {
    const entries = this.#entries.slice(this.#head);
    this.#entries = [];
    this.#head = 0;
    return entries;
  }
}

/** Sent entries by number: a ring, because numbers ascend and the oldest is never far behind. */
const RING = 8192;

export class Flight<T extends { number: number } = Entry> {
  readonly #ring: (T | undefined)[] = new Array<T | undefined>(RING);
  /** Lowest number that may be there, and the last one. */
  #first = 1;
  #last = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#last + 1 - this.#first >= RING;
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
  }

  get(number: number): T | undefined {
    const entry = this.#ring[number % RING];
    return entry?.number === number ? entry : undefined;
  }

  remove(entry: T): void {
    if (this.get(entry.number) !== entry) return;
    this.#ring[entry.number % RING] = undefined;
    this.#count--;
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
