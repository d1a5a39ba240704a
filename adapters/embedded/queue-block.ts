import type { Message } from '../../src/core/message.ts';
import { readRecord, recordBytes, writeRecord } from '../../src/core/record.ts';
import { sign, verify } from './checksum.ts';

/**
 * Messages of a queue that came one after the other in one write and one lane, or a single one that was released, or is
 * due later, as one value of the store:
 *
 *     deliveries u32 | redelivered u8 | lane it goes to when due u8 | due at f64 | record … |
 *     end of each record u32 … | id of each, less the first, u32 … | count u32 | checksum u32
 */

const HEADER = 4 + 1 + 1 + 8;
const FOOTER = 4 + 4;
const TABLE = 4 + 4;
/** Bytes of records after which a block ends. As much is read for one message, and is on the disk until the last is removed. */
const BLOCK_BYTES = 64 * 1024;
/** Messages after which it ends: a removal writes one bit of each. */
const BLOCK_MESSAGES = 512;
const CHUNK_BYTES = 64 * 1024;

/** What a block's messages went through. */
export interface Past {
  readonly deliveries: number;
  readonly redelivered: boolean;
  /** Where it goes when it is due. */
  readonly lane: number;
  /** Milliseconds since 1970. */
  readonly dueAt: number;
}

/** Where records are written as messages come; of any number of queues, so that a queue has no memory for them. */
export class RecordChunk {
  buffer: Buffer = Buffer.alloc(0);
  /** The last record. */
  start = 0;
  end = 0;

  /** Writes a message, which is given its bytes here. */
  write(message: Message): void {
    const bytes = recordBytes(message);
    if (this.end + bytes > this.buffer.length) {
      this.buffer = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes));
      this.end = 0;
    }
    this.start = this.end;
    this.end += bytes;
    message.adopt(this.buffer, writeRecord(this.buffer, this.start, message), this.end);
  }
}

/** A block that messages are added to. */
export class BlockBuilder {
  readonly lane: number;
  readonly messages: Message[] = [];
  readonly #ids: number[] = [];
  readonly #ends: number[] = [];
  /** Where the records are; those that lie one behind the other are one piece. */
  readonly #pieces: { readonly buffer: Buffer; readonly start: number; end: number }[] = [];
  #bytes = 0;

  constructor(lane: number) {
    this.lane = lane;
  }

  get full(): boolean {
    return this.#bytes >= BLOCK_BYTES || this.#ids.length >= BLOCK_MESSAGES;
  }

  /** The record that was written last. */
  add(id: number, { buffer, start, end }: RecordChunk, message: Message): void {
    const last = this.#pieces[this.#pieces.length - 1];
    if (last !== undefined && last.buffer === buffer && last.end === start) last.end = end;
    else this.#pieces.push({ buffer, start, end });
    this.#bytes += end - start;
    this.#ids.push(id);
    this.#ends.push(HEADER + this.#bytes);
    this.messages.push(message);
  }

  build(number: number, past: Past): QueueBlock {
    const count = this.#ids.length;
    const first = this.#ids[0] ?? 0;
    const value = Buffer.allocUnsafeSlow(HEADER + this.#bytes + count * TABLE + FOOTER);
    let at = HEADER;
    for (const { buffer, start, end } of this.#pieces) at += buffer.copy(value, at, start, end);
    for (const end of this.#ends) at = value.writeUInt32LE(end, at);
    for (const id of this.#ids) at = value.writeUInt32LE(id - first, at);
    value.writeUInt32LE(count, at);
    writePast(value, past);
    sign(value, seed(number, this.lane, first));
    const block = new QueueBlock(this.lane, first, value, undefined);
    block.messages = this.messages;
    return block;
  }
}

/** A block of one message. */
export function singleBlock(number: number, lane: number, id: number, message: Message, past: Past): QueueBlock {
  const end = HEADER + recordBytes(message);
  const value = Buffer.allocUnsafeSlow(end + TABLE + FOOTER);
  writeRecord(value, HEADER, message);
  value.writeUInt32LE(end, end);
  value.writeUInt32LE(0, end + 4);
  value.writeUInt32LE(1, end + TABLE);
  writePast(value, past);
  sign(value, seed(number, lane, id));
  return new QueueBlock(lane, id, value, undefined);
}

/** A block read from the store. `removed`: which of its messages are no longer there. Throws RangeError on other bytes. */
export function readBlock(
  number: number,
  lane: number,
  first: number,
  value: Buffer,
  removed: Buffer | undefined,
): QueueBlock {
  verify(value, seed(number, lane, first));
  return new QueueBlock(lane, first, value, removed);
}

/** A block of the queue's, whose bytes are in memory only while some of it waits to be given out. */
export class QueueBlock {
  readonly lane: number;
  /** Ids of its first message and of its last. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly past: Past;
  /** Bytes of `value`. */
  readonly size: number;
  value: Buffer | undefined;
  /** As they were pushed, while that is the present. */
  messages: readonly Message[] | undefined;
  /**
   * Messages in front of it were given out, or removed before; and in front of the furthest it ever was, but for those that
   * were passed over and wait again.
   */
  next = 0;
  #furthest = 0;
  /** Messages that are not removed. */
  left: number;
  /** It is in the store: its bytes can be read again. */
  stored = true;
  /** Its bytes are counted among those that wait. */
  held = false;
  /** Something of it was given out since the queue was opened. */
  touched = false;
  #removed: Uint8Array | undefined;
  /** A bit for each message that was passed over, 31 in each number: most blocks have one message, or none of them. */
  #passed: number[] | undefined;
  /** As in the past; of one that was moved here while it was given out, it is what is known after a crash. */
  redelivered: boolean;
  /** Ids of those that wait again. */
  #again: Set<number> | 'all' | undefined;

  constructor(lane: number, first: number, value: Buffer, removed: Buffer | undefined) {
    this.lane = lane;
    this.first = first;
    this.value = value;
    this.size = value.length;
    this.count = value.readUInt32LE(value.length - FOOTER);
    if (this.#table(value) < HEADER) throw new RangeError('a block whose table does not fit it');
    this.last = this.id(value, this.count - 1);
    this.past = readPast(value);
    this.redelivered = this.past.redelivered;
    this.left = this.count;
    if (removed === undefined) return;
    this.#removed = Uint8Array.from(removed);
    for (let i = 0; i < this.count; i++) if (this.isRemoved(i)) this.left--;
  }

  /** Nothing of it waits. */
  get given(): boolean {
    return this.next >= this.count;
  }

  /** One bit of each message; undefined when none is removed. */
  get removed(): Buffer | undefined {
    return this.#removed && Buffer.from(this.#removed);
  }

  /** Whether a message is to be given out. */
  #waits(value: Buffer, index: number): boolean {
    if (this.isRemoved(index)) return false;
    if (index >= this.#furthest) return true;
    if (this.#again === undefined || !this.#isPassed(index)) return false;
    return this.#again === 'all' || this.#again.has(this.id(value, index));
  }

  /** The next message is given out. */
  give(): void {
    this.touched = true;
    const word = Math.floor(this.next / 31);
    if (this.#passed !== undefined && this.#isPassed(this.next)) {
      this.#passed[word] = (this.#passed[word] ?? 0) & ~(1 << (this.next % 31));
    }
    this.next++;
    this.#furthest = Math.max(this.#furthest, this.next);
  }

  giveAll(): void {
    this.touched = true;
    this.next = this.count;
    this.#furthest = this.count;
  }

  /** Goes on to the next message that waits. */
  advance(value: Buffer): void {
    while (this.next < this.count && !this.#waits(value, this.next)) this.next++;
    if (this.given) this.#again = undefined;
  }

  /** One that was given out waits as before, but not to be given out. `fresh`: it was with nobody before. */
  pass(index: number, fresh: boolean): void {
    if (fresh) this.redelivered = false;
    const word = Math.floor(index / 31);
    this.#passed ??= new Array<number>(Math.ceil(this.count / 31)).fill(0);
    this.#passed[word] = (this.#passed[word] ?? 0) | (1 << (index % 31));
  }

  /** What was passed over, or the one with this id, is to be given out again. False when there is nothing. */
  revisit(id?: number): boolean {
    if (this.#passed?.some((word) => word !== 0) !== true) return false;
    if (id === undefined) this.#again = 'all';
    else if (this.#again !== 'all') this.#again = (this.#again ?? new Set()).add(id);
    this.next = 0;
    return true;
  }

  /** Only some of what was passed over is given out again. */
  get picked(): boolean {
    return this.#again instanceof Set;
  }

  #isPassed(index: number): boolean {
    return ((this.#passed?.[Math.floor(index / 31)] ?? 0) & (1 << (index % 31))) !== 0;
  }

  isRemoved(index: number): boolean {
    return ((this.#removed?.[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  remove(index: number): void {
    this.#removed ??= new Uint8Array((this.count + 7) >>> 3);
    this.#removed[index >>> 3] = (this.#removed[index >>> 3] ?? 0) | (1 << (index & 7));
    this.left--;
  }

  id(value: Buffer, index: number): number {
    return this.first + value.readUInt32LE(this.#table(value) + (this.count + index) * 4);
  }

  /** `apart`: with memory of its own, so that a message that is kept does not pin the block. */
  message(value: Buffer, index: number, apart: boolean): Message {
    const table = this.#table(value);
    const start = index === 0 ? HEADER : value.readUInt32LE(table + (index - 1) * 4);
    const end = value.readUInt32LE(table + index * 4);
    if (start < HEADER || end < start || end > table) throw new RangeError('a block with a record outside it');
    if (!apart) return readRecord(value, start, end);
    return readRecord(Buffer.from(value.subarray(start, end)), 0, end - start);
  }

  #table(value: Buffer): number {
    return value.length - FOOTER - this.count * TABLE;
  }
}

/** Binds a block to its place. */
function seed(number: number, lane: number, first: number): number {
  return (Math.imul(number, 31) + lane) ^ first;
}

function writePast(value: Buffer, { deliveries, redelivered, lane, dueAt }: Past): void {
  value.writeUInt32LE(deliveries, 0);
  value[4] = redelivered ? 1 : 0;
  value[5] = lane;
  value.writeDoubleLE(dueAt, 6);
}

function readPast(value: Buffer): Past {
  return {
    deliveries: value.readUInt32LE(0),
    redelivered: value[4] === 1,
    lane: value[5] ?? 0,
    dueAt: value.readDoubleLE(6),
  };
}
