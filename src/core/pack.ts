import { copyOf } from './bytes.ts';

/** Small structures as bytes: what stores keep of sessions and wills. Integers are variable in length (LEB128). */

export class Packer {
  #buffer = Buffer.allocUnsafe(256);
  #used = 0;

  /** A non-negative safe integer. */
  integer(value: number): this {
    let rest = value;
    this.#room(8);
    while (rest > 0x7f) {
      this.#buffer[this.#used++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#used++] = rest;
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  bytes(value: Uint8Array): this {
    this.integer(value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#used);
    this.#used += value.length;
    return this;
  }

  integers(values: readonly number[]): this {
    this.integer(values.length);
    for (const value of values) this.integer(value);
    return this;
  }

  /** What was packed, in memory of its own. */
  done(): Uint8Array {
    return copyOf(this.#buffer, 0, this.#used);
  }

  /** Bytes packed so far. */
  get size(): number {
    return this.#used;
  }

  /** Leaves room for so many bytes, and gives the memory they are to be written to, which is good until the next call. */
  skip(bytes: number): Buffer {
    this.#room(bytes);
    this.#used += bytes;
    return this.#buffer.subarray(this.#used - bytes, this.#used);
  }

  /** What was packed, as a view that is good until the next call. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#used);
  }

  /** Begins anew, in the same memory unless that is more than `most` bytes. */
  clear(most: number): void {
    this.#used = 0;
    if (this.#buffer.length > most) this.#buffer = Buffer.allocUnsafe(256);
  }

  #room(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#used + bytes));
    grown.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = grown;
  }
}

/** Reads it back, in the same order. Throws RangeError where the bytes are not what was packed. */
export class Unpacker {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  integer(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined) throw new RangeError('a number that is cut off');
      value += (byte & 0x7f) * factor;
      if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('a number that is too large');
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
  }

  /** How many items follow, of which each has at least one byte. */
  count(): number {
    const count = this.integer();
    if (count > this.#buffer.length - this.#at) throw new RangeError('a list that is cut off');
    return count;
  }

  text(): string {
    return this.#take().toString();
  }

  /** A view of the bytes it was made of. */
  bytes(): Uint8Array {
    return this.#take();
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#buffer.length - this.#at;
  }

  /** All that was not read yet, as a view. */
  rest(): Uint8Array {
    return this.#buffer.subarray(this.#at);
  }

  integers(): number[] {
    return Array.from({ length: this.count() }, () => this.integer());
  }

  #take(): Buffer {
    const length = this.count();
    const start = this.#at;
    this.#at += length;
    return this.#buffer.subarray(start, this.#at);
  }
}
