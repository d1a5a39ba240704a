import type { Message } from '../../src/core/message.ts';
import { readRecord } from '../../src/core/record.ts';
import { sign, verify } from './checksum.ts';

/**
 * Messages of consecutive sequences as one value of the store:
 *
 *     record … | end of each record u32 … | count u32 | checksum u32
 */

/** Bytes of a block, unless one record is larger. As much is read for one message. */
export const BLOCK_BYTES = 64 * 1024;
const FOOTER = 4 + 4;
/** Bytes at a chunk's end that are not worth beginning a block in. */
const REST = 2048;

/**
 * The block being filled. Blocks lie one behind the other in chunks of memory, to which their messages hold on: with
 * few messages in each write, a chunk each would pin far more than the messages have.
 */
export class BlockWriter {
  buffer: Buffer = Buffer.alloc(0);
  first = 0;
  count = 0;
  #start = 0;
  #used = 0;
  #ends = new Uint32Array(1024);

  fits(bytes: number): boolean {
    return this.count > 0 && this.#used + bytes + (this.count + 1) * 4 + FOOTER <= this.buffer.length;
  }

  /** Begins a block with this sequence and room for a record of so many bytes; the one before has been sealed. */
  begin(first: number, bytes: number): void {
    const needed = Math.max(bytes + 4 + FOOTER, REST);
    if (this.#used + needed > this.buffer.length) {
      this.buffer = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, needed));
      this.#used = 0;
    }
    this.#start = this.#used;
    this.first = first;
  }

  /** Room for the next record, which `fits`; returns where it begins in `buffer`. */
  take(bytes: number): number {
    const at = this.#used;
    this.#used += bytes;
    if (this.count === this.#ends.length) {
      const grown = new Uint32Array(this.#ends.length * 2);
      grown.set(this.#ends);
      this.#ends = grown;
    }
    this.#ends[this.count++] = this.#used - this.#start;
    return at;
  }

  /** The block as a value. The memory goes on with the next one. */
  seal(): Buffer {
    const { buffer, count } = this;
    let at = this.#used;
    for (let i = 0; i < count; i++) at = buffer.writeUInt32LE(this.#ends[i] ?? 0, at);
    at = buffer.writeUInt32LE(count, at);
    const value = buffer.subarray(this.#start, at + 4);
    sign(value, this.first);
    this.#used = at + 4;
    this.count = 0;
    return value;
  }

  /** Forgets what is not sealed. */
  discard(): void {
    this.#used = this.#start;
    this.count = 0;
  }
}

/** A block read back. */
export class Block {
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
  readonly #value: Buffer;
  /** Where the records end and the table of their ends begins. */
  readonly #table: number;

  /** Throws RangeError on bytes that are no block. */
  constructor(first: number, value: Buffer) {
    verify(value, first);
    this.first = first;
    this.bytes = value.length;
    this.count = value.readUInt32LE(value.length - FOOTER);
    this.#value = value;
    this.#table = value.length - FOOTER - this.count * 4;
    if (this.count === 0 || this.#table < 0 || this.#end(this.count - 1) !== this.#table) {
      throw new RangeError('a block whose table does not fit it');
    }
  }

  /** `apart`: with memory of its own, so that a message that is kept does not pin its block. */
  read(sequence: number, apart: boolean): Message {
    const index = sequence - this.first;
    const start = index === 0 ? 0 : this.#end(index - 1);
    const end = this.#end(index);
    if (index < 0 || index >= this.count || end < start || end > this.#table) {
      throw new RangeError('a block with a record outside it');
    }
    const message = apart
      ? readRecord(Buffer.from(this.#value.subarray(start, end)), 0, end - start)
      : readRecord(this.#value, start, end);
    message.sequence = sequence;
    return message;
  }

  #end(index: number): number {
    return this.#value.readUInt32LE(this.#table + index * 4);
  }
}
