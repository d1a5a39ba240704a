import type { Clock } from '../../src/ports/clock.ts';
import { BLOCK_BYTES, Block } from './block.ts';
import { Cache } from './cache.ts';
import type { Write } from './commit.ts';
import { Directory } from './directory.ts';
import { FIRST_KEY, KIND, kindEnd, logKey, sequenceOf } from './keys.ts';
import { GrowingSpan } from './span.ts';
import type { Store } from './store.ts';
import type { Span } from './wanted.ts';

/** Messages after which a span ends. Its directory takes some 1 to 3 bytes for each. */
export const SPAN_MESSAGES = 16_384;
/** The most bytes of a span: retention goes by spans. */
const SPAN_BYTES = 64 * 1024 * 1024;
/** Parts of what is kept, by bytes and by time, that a span is at most. */
const PARTS = 8;

export interface Retention {
  readonly bytes: number;
  readonly seconds: number;
}

export interface Summary {
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
  /** When the last message came, milliseconds since 1970. */
  readonly until: number;
}

/**
 * The log in spans of consecutive messages: closed ones, of which a summary is in memory and the directory in the
 * store, and the one that grows.
 */
export class Spans {
  readonly closed: Summary[] = [];
  growing = new GrowingSpan(1, 0);
  /** Bytes of all blocks. */
  bytes = 0;
  readonly #messages: number;
  readonly #spanBytes: number;
  readonly #spanAge: number;
  readonly #clock: Clock;
  /** Directories of spans whose last write is under way. */
  readonly #fresh = new Map<number, Directory>();
  readonly #cache: Cache<Directory>;

  constructor(retention: Retention, messages: number, cacheBytes: number, clock: Clock) {
    this.#messages = messages;
    this.#spanBytes = Math.max(BLOCK_BYTES, Math.min(SPAN_BYTES, retention.bytes / PARTS));
    this.#spanAge = (retention.seconds * 1000) / PARTS;
    this.#cache = new Cache(cacheBytes);
    this.#clock = clock;
  }

  get first(): number {
    return this.closed[0]?.first ?? this.growing.first;
  }

  /** Behind the last message. */
  get end(): number {
    return this.growing.first + this.growing.count;
  }

  async load(store: Store): Promise<void> {
    const stored = await store.get(FIRST_KEY);
    const first = stored === undefined ? 1 : sequenceOf(stored);
    this.closed.length = 0;
    this.bytes = 0;
    this.#fresh.clear();
    this.#cache.clear();
    let next = first;
    await store.each({ gte: logKey(KIND.summary, first), lt: kindEnd(KIND.summary) }, (key, value) => {
      const summary = summaryOf(key, value);
      if (summary.first !== next) throw new RangeError(`messages ${next} to ${summary.first - 1} are missing`);
      next = summary.first + summary.count;
      this.closed.push(summary);
      this.bytes += summary.bytes;
      return true;
    });
    await this.#loadGrowing(store, next);
  }

  /** Those of its messages that no directory has yet are few enough to be read. */
  async #loadGrowing(store: Store, first: number): Promise<void> {
    let growing: GrowingSpan | undefined;
    await store.each({ gte: logKey(KIND.block, first), lt: kindEnd(KIND.block) }, (key, value) => {
      const block = new Block(sequenceOf(key), value);
      const next = growing === undefined ? first : growing.first + growing.count;
      if (block.first !== next) throw new RangeError(`messages ${next} to ${block.first - 1} are missing`);
      for (let i = 0; i < block.count; i++) {
        const { topic, timestamp } = block.read(block.first + i, false);
        growing ??= new GrowingSpan(first, timestamp);
        growing.add(topic);
      }
      growing?.addBlock(block.first, value.length);
      return true;
    });
    this.growing = growing ?? new GrowingSpan(first, this.#clock.now());
    this.bytes += this.growing.bytes;
  }

  /** Adds a block of messages that have been added to the growing span, which may end with it. */
  addBlock(first: number, block: Buffer, write: Write): void {
    const growing = this.growing;
    growing.addBlock(first, block.length);
    this.bytes += block.length;
    const now = this.#clock.now();
    if (growing.count < this.#messages && growing.bytes < this.#spanBytes && now - growing.began < this.#spanAge)
      return;
    const summary = { first: growing.first, count: growing.count, bytes: growing.bytes, until: now };
    const directory = growing.encode();
    write.puts.push([logKey(KIND.directory, summary.first), directory]);
    write.puts.push([logKey(KIND.summary, summary.first), summaryValue(summary)]);
    write.spans.push(summary.first);
    this.#fresh.set(summary.first, new Directory(summary.first, directory));
    this.closed.push(summary);
    this.growing = new GrowingSpan(this.end, now);
  }

  durable(write: Write): void {
    for (const first of write.spans) {
      const directory = this.#fresh.get(first);
      if (directory !== undefined) this.#cache.set(first, directory);
      this.#fresh.delete(first);
    }
  }

  /** The span with this sequence, which is one that is kept. */
  async find(sequence: number, store: Store): Promise<Span> {
    const summary = sequence >= this.growing.first ? undefined : this.#summaryOf(sequence);
    if (summary === undefined) return this.growing;
    const known = this.#fresh.get(summary.first) ?? this.#cache.get(summary.first);
    if (known !== undefined) return known;
    const directory = await this.directory(summary, store);
    this.#cache.set(summary.first, directory);
    return directory;
  }

  async directory(summary: Summary, store: Store): Promise<Directory> {
    const value = await store.get(logKey(KIND.directory, summary.first), false);
    if (value === undefined) throw new RangeError(`the directory of message ${summary.first} is missing`);
    const directory = new Directory(summary.first, value);
    if (directory.count !== summary.count)
      throw new RangeError(`the directory of message ${summary.first} is another's`);
    return directory;
  }

  /** Binary search by first sequence. */
  #summaryOf(sequence: number): Summary | undefined {
    let low = 0;
    let high = this.closed.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.closed[middle]?.first ?? 0) <= sequence) low = middle;
      else high = middle - 1;
    }
    return this.closed[low];
  }
}

function summaryValue({ count, bytes, until }: Summary): Buffer {
  const value = Buffer.allocUnsafe(20);
  value.writeUInt32LE(count, 0);
  value.writeDoubleLE(bytes, 4);
  value.writeDoubleLE(until, 12);
  return value;
}

function summaryOf(key: Buffer, value: Buffer): Summary {
  return {
    first: sequenceOf(key),
    count: value.readUInt32LE(0),
    bytes: value.readDoubleLE(4),
    until: value.readDoubleLE(12),
  };
}
