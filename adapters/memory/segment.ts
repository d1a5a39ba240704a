import type { Message } from '../../src/core/message.ts';
import { readRecord } from '../../src/core/record.ts';

/** A run of records in one buffer, with the offset where each ends. */
export class Segment {
  readonly buffer: Buffer;
  /** Sequence of its first record. */
  readonly first: number;
  #ends = new Uint32Array(1024);
  #count = 0;
  #used = 0;

  constructor(first: number, bytes: number) {
    this.first = first;
    this.buffer = Buffer.allocUnsafeSlow(bytes);
  }

  fits(bytes: number): boolean {
    return this.#used + bytes <= this.buffer.length;
  }

  /** Room for the next record; returns where it begins. */
  take(bytes: number): number {
    const at = this.#used;
    this.#used += bytes;
    if (this.#count === this.#ends.length) {
      const grown = new Uint32Array(this.#ends.length * 2);
      grown.set(this.#ends);
      this.#ends = grown;
    }
    this.#ends[this.#count++] = this.#used;
    return at;
  }

  read(sequence: number): Message {
    const index = sequence - this.first;
    const start = index === 0 ? 0 : (this.#ends[index - 1] ?? 0);
    const message = readRecord(this.buffer, start, this.#ends[index] ?? start);
    message.sequence = sequence;
    return message;
  }
}
