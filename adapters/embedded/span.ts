import { encodeDirectory } from './directory.ts';
import type { Span, Wanted } from './wanted.ts';

/** The span of the log that messages are being added to. Its directory is in memory, and made of the blocks on opening. */
export class GrowingSpan implements Span {
  readonly first: number;
  /** When its first message came, milliseconds since 1970. */
  readonly began: number;
  count = 0;
  /** Bytes of its blocks. */
  bytes = 0;
  readonly #numbers = new Map<string, number>();
  readonly #topics: string[] = [];
  /** The number of the topic of each message. */
  #which = new Uint16Array(1024);
  #lastTopic = '';
  #lastNumber = -1;
  readonly #blockFirsts: number[] = [];
  readonly #blockBytes: number[] = [];

  constructor(first: number, began: number) {
    this.first = first;
    this.began = began;
  }

  add(topic: string): void {
    if (topic !== this.#lastTopic || this.#lastNumber === -1) {
      this.#lastTopic = topic;
      this.#lastNumber = this.#numberOf(topic);
    }
    if (this.count === this.#which.length) {
      const grown = new Uint16Array(this.#which.length * 2);
      grown.set(this.#which);
      this.#which = grown;
    }
    this.#which[this.count++] = this.#lastNumber;
  }

  /** The messages from `first` on, added before, are a block. */
  addBlock(first: number, bytes: number): void {
    this.#blockFirsts.push(first - this.first);
    this.#blockBytes.push(bytes);
    this.bytes += bytes;
  }

  encode(): Buffer {
    return encodeDirectory({
      first: this.first,
      topics: this.#topics,
      which: this.#which.subarray(0, this.count),
      blockFirsts: this.#blockFirsts,
      blockBytes: this.#blockBytes,
    });
  }

  offsets(wanted: Wanted, from: number, to: number, max: number): number[] {
    const found: number[] = [];
    // By number of topic: 0 not known yet, 1 wanted, 2 not wanted.
    const known = new Uint8Array(this.#topics.length);
    for (let offset = from; offset < to && found.length < max; offset++) {
      const number = this.#which[offset] ?? 0;
      let verdict = known[number];
      if (verdict === 0) {
        verdict = wanted.has(this.#topics[number] ?? '') ? 1 : 2;
        known[number] = verdict;
      }
      if (verdict === 1) found.push(offset);
    }
    return found;
  }

  get blocks(): number {
    return this.#blockFirsts.length;
  }

  blockFirst(block: number): number {
    return this.#blockFirsts[block] ?? 0;
  }

  blockBytes(block: number): number {
    return this.#blockBytes[block] ?? 0;
  }

  #numberOf(topic: string): number {
    let number = this.#numbers.get(topic);
    if (number === undefined) {
      number = this.#topics.length;
      this.#numbers.set(topic, number);
      this.#topics.push(topic);
    }
    return number;
  }
}
