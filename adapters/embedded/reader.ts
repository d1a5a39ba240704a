import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { ReadReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { Block } from './block.ts';
import { Cache } from './cache.ts';
import { KIND, logKey } from './keys.ts';
import type { Spans } from './spans.ts';
import type { Store } from './store.ts';
import { type Span, Wanted } from './wanted.ts';

/** Spans that one read looks at, so that a filter that matches little gets on and does not keep others waiting. */
const MAX_SPANS = 64;
/** After so many spans, or so many topics tried, what else there is has its turn: a millisecond at most. */
const MANY_SPANS = 8;
const MANY_TOPICS = 500;
/** Blocks that one read fetches: 4 MiB, as a rule. */
const MAX_BLOCKS = 64;
/** Bytes fetched at once, when blocks are not large. */
const FETCH_BYTES = 512 * 1024;
/** Of a block, when fewer of its messages are taken than one in so many, they are copied out of it. */
const SPARSE = 4;
/** Milliseconds between lines about reads that fail: callers try again at once. */
const WARN_INTERVAL = 10_000;

interface Request {
  readonly sequence: number;
  readonly filters: readonly string[] | undefined;
  readonly count: number;
  readonly bytes: number;
  readonly receiver: ReadReceiver;
}

/** What a read has found so far. */
interface Progress {
  readonly messages: Message[];
  size: number;
  blocks: number;
  next: number;
}

export interface ReadLimits {
  /** Reads at the same time. */
  readonly reads: number;
  readonly cacheBytes: number;
}

/** Reads of the log: a few at a time, the others in the order in which they came. */
export class Reader {
  readonly #spans: Spans;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #blocks: Cache<Block>;
  /** The log's `next`. */
  readonly #end: () => number;
  readonly #warn: (error: BrokerError) => void;
  #store: Store | undefined;
  #waiting: Request[] = [];
  /** Those in front of it have been begun. */
  #head = 0;
  #running = 0;
  #warned = -Infinity;

  constructor(limits: ReadLimits, spans: Spans, end: () => number, clock: Clock, warn: (error: BrokerError) => void) {
    this.#limit = limits.reads;
    this.#blocks = new Cache(limits.cacheBytes);
    this.#spans = spans;
    this.#end = end;
    this.#clock = clock;
    this.#warn = warn;
  }

  open(store: Store): void {
    this.#blocks.clear();
    this.#store = store;
  }

  /** From now on reads fail. */
  close(): void {
    this.#store = undefined;
  }

  read(request: Request): void {
    this.#waiting.push(request);
    // A read that waits is begun when another one ends.
    if (this.#running < this.#limit) {
      this.#running++;
      this.#clock.defer(this.#next);
    }
  }

  readonly #next = (): void => {
    const request = this.#waiting[this.#head];
    if (request === undefined) {
      this.#running--;
      return;
    }
    this.#head++;
    if (this.#head >= 1024 && this.#head * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    void this.#run(request);
  };

  async #run({ sequence, filters, count, bytes, receiver }: Request): Promise<void> {
    const found: Progress = { messages: [], size: 0, blocks: 0, next: sequence };
    let failure: BrokerError | undefined;
    try {
      const wanted = filters === undefined ? undefined : new Wanted(filters);
      await this.#walk(wanted, count, bytes, found);
    } catch (error) {
      failure = this.#failureOf(error);
    }
    // Behind everything that is at hand, so that reads for many clients do not hold up live messages.
    this.#clock.defer(this.#next);
    if (failure === undefined) receiver.batch(0, found.messages, found.next);
    else receiver.failed(failure);
  }

  async #walk(wanted: Wanted | undefined, count: number, bytes: number, found: Progress): Promise<void> {
    const end = this.#end();
    found.next = Math.max(found.next, this.#spans.first);
    let tried = 0;
    for (let looked = 0; looked < MAX_SPANS && found.next < end; looked++) {
      const store = this.#opened();
      const from = found.next;
      const span = await this.#spans.find(from, store);
      if (from < this.#spans.first) {
        // Retention was faster.
        found.next = this.#spans.first;
        continue;
      }
      const to = Math.min(end, span.first + span.count);
      const most = count - found.messages.length;
      const offsets =
        wanted === undefined
          ? consecutive(from - span.first, Math.min(to - from, most))
          : span.offsets(wanted, from - span.first, to - span.first, most);
      const all = await this.#take(span, offsets, wanted !== undefined, bytes, found, store);
      if (!all || found.messages.length >= count) return;
      found.next = to;
      if (looked % MANY_SPANS === MANY_SPANS - 1 || (wanted !== undefined && wanted.tried - tried > MANY_TOPICS)) {
        tried = wanted?.tried ?? 0;
        await new Promise<void>((resolve) => this.#clock.defer(resolve));
      }
    }
  }

  /** Reads the messages at these offsets. False when it stopped before the last: there is enough of them. */
  async #take(
    span: Span,
    offsets: ArrayLike<number>,
    filtered: boolean,
    bytes: number,
    found: Progress,
    store: Store,
  ): Promise<boolean> {
    for (let i = 0; i < offsets.length; ) {
      if (found.blocks >= MAX_BLOCKS) return false;
      const numbers = blocksFor(span, offsets, i, Math.max(1, Math.min(FETCH_BYTES, bytes - found.size)));
      const blocks = await this.#fetch(span, numbers, store);
      found.blocks += blocks.length;
      for (const block of blocks) {
        const end = endOf(offsets, i, block.first + block.count - span.first);
        const apart = filtered && (end - i) * SPARSE < block.count;
        for (; i < end; i++) {
          const message = block.read(span.first + (offsets[i] ?? 0), apart);
          found.messages.push(message);
          found.size += message.size;
          found.next = message.sequence + 1;
          if (found.size >= bytes) return false;
        }
      }
    }
    return true;
  }

  async #fetch(span: Span, numbers: readonly number[], store: Store): Promise<Block[]> {
    const firsts = numbers.map((number) => span.first + span.blockFirst(number));
    const blocks = firsts.map((first) => this.#blocks.get(first));
    const missing = firsts.filter((_, i) => blocks[i] === undefined);
    if (missing.length > 0) {
      const values = await store.getMany(missing.map((first) => logKey(KIND.block, first)));
      let at = 0;
      for (const [i, first] of firsts.entries()) {
        if (blocks[i] !== undefined) continue;
        const value = values[at++];
        if (value === undefined) throw new Gone(first);
        const block = new Block(first, value);
        this.#blocks.set(first, block);
        blocks[i] = block;
      }
    }
    return blocks.filter((block) => block !== undefined);
  }

  #opened(): Store {
    if (this.#store === undefined) throw new BrokerError('unavailable', 'the store is not open');
    return this.#store;
  }

  #failureOf(error: unknown): BrokerError {
    const store = this.#store;
    if (store === undefined) return new BrokerError('unavailable', 'the store is not open');
    if (error instanceof Gone && error.sequence < this.#spans.first) {
      return new BrokerError('unavailable', 'messages have just been removed by retention');
    }
    const text = error instanceof Error ? error.message : String(error);
    const failure = error instanceof BrokerError ? error : store.damaged(text);
    const now = this.#clock.now();
    if (now - this.#warned >= WARN_INTERVAL) {
      this.#warned = now;
      this.#warn(failure);
    }
    return failure;
  }
}

/** A block that should be there is not. */
class Gone extends RangeError {
  readonly sequence: number;

  constructor(sequence: number) {
    super(`the messages from ${sequence} on are missing`);
    this.sequence = sequence;
  }
}

function consecutive(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** The blocks of `offsets[i…]`, as many as have `bytes` together, at least one. */
function blocksFor(span: Span, offsets: ArrayLike<number>, i: number, bytes: number): number[] {
  const numbers: number[] = [];
  let size = 0;
  let last = -1;
  for (let at = i; at < offsets.length; at++) {
    const number = blockAt(span, offsets[at] ?? 0);
    if (number === last) continue;
    size += span.blockBytes(number);
    if (numbers.length > 0 && size > bytes) break;
    numbers.push(number);
    last = number;
  }
  return numbers;
}

/** The number of the block that an offset is in. */
function blockAt(span: Span, offset: number): number {
  let low = 0;
  let high = span.blocks - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (span.blockFirst(middle) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The first index from `i` on with an offset of `bound` or more. */
function endOf(offsets: ArrayLike<number>, i: number, bound: number): number {
  let at = i;
  while (at < offsets.length && (offsets[at] ?? bound) < bound) at++;
  return at;
}
