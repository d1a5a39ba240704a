import { sign, verify } from './checksum.ts';
import type { Span, Wanted } from './wanted.ts';

/**
 * The directory of a span, as a value of the store:
 *
 *     messages u32 | blocks u32 | topics u32
 *     per block: first offset u32, bytes u32
 *     per topic, by ascending name: where its entry begins u32
 *     per topic an entry: name u16+bytes | messages varint | distance of each offset from the one before varint …
 *     checksum u32
 *
 * A topic, and the topics that begin alike, are found by bisection; nothing else is parsed. (Names ascend as bytes.)
 */

const HEADER = 12;
const BLOCK = 8;
const TOPIC = 4;
/** Results for wildcards that a directory remembers: a client reads a span in many portions with the same filters. */
const REMEMBERED = 2;
/** When fewer offsets than one in so many are found, they are sorted; otherwise they are marked in an array. */
const SPARSE = 16;

const NOTHING = Buffer.alloc(0);

export interface DirectoryContent {
  readonly first: number;
  readonly topics: readonly string[];
  /** The number of the topic of each message. */
  readonly which: Uint16Array;
  readonly blockFirsts: readonly number[];
  readonly blockBytes: readonly number[];
}

export function encodeDirectory({ first, topics, which, blockFirsts, blockBytes }: DirectoryContent): Buffer {
  const names = topics.map((topic) => Buffer.from(topic));
  const order = Array.from(topics.keys()).sort((a, b) => Buffer.compare(names[a] ?? NOTHING, names[b] ?? NOTHING));
  const offsets = byTopic(topics.length, which);
  // A varint here has at most 3 bytes: a span has some 20,000 messages at most.
  const bound = names.reduce((sum, name) => sum + 2 + name.length + 3, 0) + which.length * 3;
  const tables = HEADER + BLOCK * blockFirsts.length + TOPIC * topics.length;
  const buffer = Buffer.allocUnsafe(tables + bound + 4);
  let at = buffer.writeUInt32LE(which.length, 0);
  at = buffer.writeUInt32LE(blockFirsts.length, at);
  at = buffer.writeUInt32LE(topics.length, at);
  for (const [i, offset] of blockFirsts.entries()) {
    at = buffer.writeUInt32LE(offset, at);
    at = buffer.writeUInt32LE(blockBytes[i] ?? 0, at);
  }
  let entry = tables;
  for (const number of order) {
    at = buffer.writeUInt32LE(entry, at);
    const name = names[number] ?? NOTHING;
    const start = offsets.starts[number] ?? 0;
    const end = offsets.starts[number + 1] ?? 0;
    entry = buffer.writeUInt16LE(name.length, entry);
    entry += name.copy(buffer, entry);
    entry = writeVarint(buffer, entry, end - start);
    let before = 0;
    for (let i = start; i < end; i++) {
      const offset = offsets.sorted[i] ?? 0;
      entry = writeVarint(buffer, entry, offset - before);
      before = offset;
    }
  }
  const value = buffer.subarray(0, entry + 4);
  sign(value, first);
  return value;
}

/** Offsets of the messages, those of each topic together: topic `n` has `sorted[starts[n], starts[n + 1])`. */
function byTopic(topics: number, which: Uint16Array): { starts: Uint32Array; sorted: Uint16Array } {
  const starts = new Uint32Array(topics + 1);
  for (const number of which) starts[number + 1] = (starts[number + 1] ?? 0) + 1;
  for (let i = 1; i <= topics; i++) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
  const next = starts.slice();
  const sorted = new Uint16Array(which.length);
  for (let offset = 0; offset < which.length; offset++) {
    const number = which[offset] ?? 0;
    const at = next[number] ?? 0;
    sorted[at] = offset;
    next[number] = at + 1;
  }
  return { starts, sorted };
}

/** A directory read back. */
export class Directory implements Span {
  readonly first: number;
  readonly count: number;
  readonly blocks: number;
  /** Memory it takes, but for the results that a few remember. */
  readonly bytes: number;
  readonly #value: Buffer;
  readonly #topics: number;
  readonly #results = new Map<string, Uint16Array>();

  /** Throws RangeError on bytes that are no directory. */
  constructor(first: number, value: Buffer) {
    verify(value, first);
    this.first = first;
    this.count = value.readUInt32LE(0);
    this.blocks = value.readUInt32LE(4);
    this.#topics = value.readUInt32LE(8);
    this.bytes = value.length;
    this.#value = value;
    if (HEADER + BLOCK * this.blocks + TOPIC * this.#topics > value.length) throw new RangeError('a directory cut off');
  }

  offsets(wanted: Wanted, from: number, to: number, max: number): Uint16Array {
    const all = this.#all(wanted);
    const start = from === 0 ? 0 : lowerBound(all, from);
    let end = Math.min(all.length, start + max);
    if (end > start && (all[end - 1] ?? 0) >= to) end = lowerBound(all, to);
    return all.subarray(start, end);
  }

  blockFirst(block: number): number {
    return this.#value.readUInt32LE(HEADER + block * BLOCK);
  }

  blockBytes(block: number): number {
    return this.#value.readUInt32LE(HEADER + block * BLOCK + 4);
  }

  #all(wanted: Wanted): Uint16Array {
    if (wanted.filters.every(({ exact }) => exact)) return this.#merged(this.#entries(wanted));
    const remembered = this.#results.get(wanted.key);
    if (remembered !== undefined) return remembered;
    const result = this.#merged(this.#entries(wanted));
    for (const oldest of this.#results.keys()) {
      if (this.#results.size < REMEMBERED) break;
      this.#results.delete(oldest);
    }
    this.#results.set(wanted.key, result);
    return result;
  }

  /** Where the entries of the topics wanted are. */
  #entries(wanted: Wanted): Set<number> {
    const found = new Set<number>();
    for (const { filter, exact, prefix } of wanted.filters) {
      for (let i = this.#firstFrom(prefix); i < this.#topics; i++) {
        const entry = this.#entry(i);
        const name = this.#name(entry);
        if (exact) {
          if (name.toString() === filter) found.add(entry);
          break;
        }
        if (prefix.compare(name, 0, Math.min(prefix.length, name.length)) !== 0) break;
        if (wanted.has(name.toString())) found.add(entry);
      }
    }
    return found;
  }

  /** The offsets of several entries in ascending order. */
  #merged(entries: ReadonlySet<number>): Uint16Array {
    let total = 0;
    for (const entry of entries) total += this.#length(entry);
    const result = new Uint16Array(total);
    let at = 0;
    if (entries.size <= 1 || total * SPARSE < this.count) {
      for (const entry of entries) at = this.#decode(entry, result, at);
      return entries.size > 1 ? result.sort() : result;
    }
    const marks = new Uint8Array(this.count);
    const offsets = new Uint16Array(this.count);
    for (const entry of entries) {
      const length = this.#decode(entry, offsets, 0);
      for (let i = 0; i < length; i++) marks[offsets[i] ?? 0] = 1;
    }
    for (let offset = 0; at < total && offset < marks.length; offset++) if (marks[offset] === 1) result[at++] = offset;
    return result;
  }

  /** How many offsets an entry has. */
  #length(entry: number): number {
    return readVarint(this.#value, entry + 2 + this.#value.readUInt16LE(entry)).number;
  }

  /** Writes an entry's offsets into `target[at…)` and returns the index behind them. */
  #decode(entry: number, target: Uint16Array, at: number): number {
    const value = this.#value;
    const { number: count, next } = readVarint(value, entry + 2 + value.readUInt16LE(entry));
    let from = next;
    let offset = 0;
    for (let i = at; i < at + count; i++) {
      // As readVarint, without an object for each.
      let shift = 0;
      let byte = value[from++] ?? 0;
      for (; byte >= 0x80; byte = value[from++] ?? 0, shift += 7) offset += (byte & 0x7f) << shift;
      offset += byte << shift;
      target[i] = offset;
    }
    return at + count;
  }

  /** Of the topics in their order, the first that is `name` or behind it. */
  #firstFrom(name: Buffer): number {
    let low = 0;
    let high = this.#topics;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Buffer.compare(this.#name(this.#entry(middle)), name) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #entry(topic: number): number {
    return this.#value.readUInt32LE(HEADER + BLOCK * this.blocks + TOPIC * topic);
  }

  #name(entry: number): Buffer {
    return this.#value.subarray(entry + 2, entry + 2 + this.#value.readUInt16LE(entry));
  }
}

/** The first index with `value` or more. */
function lowerBound(sorted: Uint16Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function writeVarint(buffer: Buffer, at: number, number: number): number {
  let rest = number;
  let offset = at;
  for (; rest >= 0x80; rest >>>= 7) buffer[offset++] = (rest & 0x7f) | 0x80;
  buffer[offset++] = rest;
  return offset;
}

function readVarint(buffer: Buffer, at: number): { number: number; next: number } {
  let number = 0;
  let next = at;
  let shift = 0;
  let byte = buffer[next++] ?? 0;
  for (; byte >= 0x80; byte = buffer[next++] ?? 0, shift += 7) number |= (byte & 0x7f) << shift;
  return { number: number | (byte << shift), next };
}
