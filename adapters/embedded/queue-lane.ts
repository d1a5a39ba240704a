import type { Message } from '../../src/core/message.ts';
import type { QueueEntry } from '../../src/ports/queue-store.ts';
import type { Past, QueueBlock } from './queue-block.ts';
import { releasedLane } from './queue-keys.ts';

/** Bytes that a lane keeps of what nobody wants yet; what comes after that is read when it is wanted. */
const WINDOW_BYTES = 256 * 1024;
/** Blocks gone that a lane still has, before it looks for them. */
const GONE = 32;
/** Of a block, when fewer of its messages are given out at once than one in so many, they are copied out of it. */
const SPARSE = 4;
/** Blocks that are read together at most, where each is given out again. */
const MOST_LACKING = 256;

/** A message that was given out. */
export class TakenEntry implements QueueEntry {
  readonly id: number;
  readonly message: Message;
  readonly deliveries: number;
  readonly redelivered: boolean;
  block: QueueBlock;
  index: number;

  constructor(id: number, message: Message, redelivered: boolean, block: QueueBlock, index: number) {
    this.id = id;
    this.message = message;
    this.deliveries = block.past.deliveries;
    this.redelivered = redelivered;
    this.block = block;
    this.index = index;
  }
}

/** Why a lane gives no more: nothing waits in it; it has to be read; or its mark is not in the store. */
export type Stop = 'empty' | 'unread' | 'unmarked';

/** Counts the bytes of blocks in memory. */
export interface Held {
  bytes: number;
}

/**
 * Messages of one priority, either those that were taken before or the others, by their ids: the first ones in memory,
 * with those that were given out, and the rest in the store.
 */
export class Lane {
  readonly number: number;
  /**
   * Messages with ids up to this may be given out; it is in the store before they are, so that after a crash they are
   * known as such. And the same as the store has it, and as it was when the queue was opened.
   */
  mark = 0;
  stored = 0;
  readonly #before: number;
  /** Blocks that were removed and may still be in the store. */
  readonly gone = new Map<number, QueueBlock>();
  /** By ascending id. Waiting blocks that begin before `#known` are all here. */
  #blocks: QueueBlock[] = [];
  #known: number;
  /** Nothing waits in blocks in front of it. */
  #at = 0;
  #goneCount = 0;
  #bytes = 0;
  /** What became durable while the lane is being read, and first ids of what is gone since. */
  #late: QueueBlock[] | undefined;
  #hidden: Set<number> | undefined;
  /** What is on its way to the store, and belongs behind what is known, by first id. */
  #coming: Map<number, QueueBlock> | undefined;
  readonly #held: Held;

  /** `first`: where blocks in the store begin, Infinity if there are none. `before`: ids up to which they may have been given out. */
  constructor(number: number, first: number, before: number, held: Held) {
    this.number = number;
    this.#known = first;
    this.#before = before;
    this.mark = before;
    this.stored = before;
    this.#held = held;
  }

  /** Where its blocks in the store begin; undefined when it has none. */
  get head(): number | undefined {
    const first = this.#blocks.find(({ left }) => left > 0)?.first ?? Infinity;
    const head = Math.min(first, this.#known);
    return head === Infinity ? undefined : head;
  }

  /** From where on it has to be read; undefined when it has all in memory. */
  get unread(): number | undefined {
    return this.#known === Infinity ? undefined : this.#known;
  }

  /** Where the block to be given out next has no bytes in memory: that one, and others of which it is the same, up to so many bytes. */
  lacking(most: number): QueueBlock[] {
    const lacking: QueueBlock[] = [];
    let bytes = 0;
    for (let at = this.#at; at < this.#blocks.length && lacking.length < MOST_LACKING; at++) {
      const block = this.#blocks[at];
      if (block === undefined || block.given) continue;
      bytes += block.size;
      if (block.value !== undefined || (lacking.length > 0 && bytes > most)) break;
      lacking.push(block);
    }
    return lacking;
  }

  /** Takes up to `count` messages that wait, and says why not more. */
  take(count: number, taken: TakenEntry[]): Stop | undefined {
    for (let wanted = count; wanted > 0; ) {
      const block = this.#blocks[this.#at];
      if (block === undefined) return this.#known === Infinity ? 'empty' : 'unread';
      if (block.given) {
        this.#at++;
        continue;
      }
      const value = block.value;
      if (value === undefined) return 'unread';
      const before = taken.length;
      const free = block.past.redelivered ? Infinity : this.stored;
      this.#takeFrom(block, value, wanted, free, taken);
      if (block.given) this.#drop(block);
      wanted -= taken.length - before;
      if (wanted > 0 && !block.given) return 'unmarked';
    }
    return undefined;
  }

  /** Lets the mark include all that is in memory. */
  raise(): void {
    const last = this.#blocks[this.#blocks.length - 1];
    if (last !== undefined) this.mark = Math.max(this.mark, last.last);
  }

  /**
   * A block is in the store, or on its way there; it is kept where it is known what comes before it, and there is room.
   * What has arrived may arrive again.
   */
  arrive(block: QueueBlock): void {
    if (block.left === 0) return;
    // One that was given out before it was in the store.
    if (block.given) this.#drop(block);
    this.#coming?.delete(block.first);
    if (this.#late !== undefined) {
      this.#late.push(block);
    } else {
      this.#keep(block);
      this.#shrink(WINDOW_BYTES);
    }
  }

  /** It is about to be read from `unread` on. */
  reading(): void {
    this.#late = [];
    this.#hidden = new Set();
  }

  /** What was read; `next`: where to go on, Infinity at the end. Without: it could not be read. */
  read(blocks: readonly QueueBlock[], next = this.#known): void {
    const late = this.#late ?? [];
    this.#known = next;
    for (const block of blocks)
      if (!this.gone.has(block.first) && this.#hidden?.has(block.first) !== true) this.#insert(block);
    for (const block of [...late, ...(this.#coming?.values() ?? [])]) this.#keep(block);
    this.#late = undefined;
    this.#hidden = undefined;
  }

  /** A block that was removed is no longer in the store. */
  forgotten(block: QueueBlock): void {
    if (this.gone.get(block.first) === block) this.gone.delete(block.first);
    this.#hidden?.add(block.first);
  }

  /** The bytes of a block that it lacked. */
  found(block: QueueBlock, value: Buffer): void {
    if (block.value !== undefined || block.given || block.left === 0) return;
    block.value = value;
    this.#hold(block);
  }

  /** What was passed over, or the one with this id, waits again. False when that is none. */
  revisit(id?: number): boolean {
    if (id === undefined) {
      let found = false;
      for (let at = this.#blocks.length - 1; at >= 0; at--) {
        if (this.#blocks[at]?.revisit() !== true) continue;
        this.#at = Math.min(this.#at, at);
        found = true;
      }
      return found;
    }
    const at = this.#from(id + 1) - 1;
    const block = this.#blocks[at];
    if (block === undefined || block.last < id || !block.revisit(id)) return false;
    this.#at = Math.min(this.#at, at);
    return true;
  }

  /** The last message of one of its blocks was removed. */
  removed(block: QueueBlock): void {
    block.stored = true;
    this.#drop(block);
    this.gone.set(block.first, block);
    if (++this.#goneCount < GONE || this.#goneCount * 2 < this.#blocks.length) return;
    const waiting = this.#blocks[this.#at];
    this.#blocks = this.#blocks.filter(({ left }) => left > 0);
    const at = waiting === undefined || waiting.left === 0 ? 0 : this.#blocks.indexOf(waiting);
    this.#at = Math.max(0, at);
    this.#goneCount = 0;
  }

  /** Whether it may have been given out before the queue was opened. */
  wasGiven(id: number): boolean {
    return id <= this.#before;
  }

  /** What was given out and is not removed has been put elsewhere: the mark is what it was. */
  unmark(): void {
    this.mark = this.#before;
  }

  /** Gives back the memory of what waits. */
  evict(): void {
    this.#shrink(0);
    for (const block of this.#blocks) this.#drop(block);
  }

  #takeFrom(block: QueueBlock, value: Buffer, wanted: number, free: number, taken: TakenEntry[]): void {
    const apart = wanted * SPARSE < block.count || block.picked;
    const messages = block.messages;
    for (let left = wanted; ; left--) {
      // Those behind the last one may all have been removed.
      block.advance(value);
      if (left === 0 || block.given) return;
      const index = block.next;
      const id = block.id(value, index);
      if (id > free) return;
      const message = unlogged(messages?.[index]) ?? block.message(value, index, apart);
      const redelivered = block.redelivered || id <= this.#before;
      taken.push(new TakenEntry(id, message, redelivered, block, index));
      block.give();
    }
  }

  /** What is not in the store yet may not be found by reading. */
  #keep(block: QueueBlock): void {
    if (block.first < this.#known) {
      this.#coming?.delete(block.first);
      this.#insert(block);
    } else if (!block.stored) {
      this.#coming ??= new Map();
      this.#coming.set(block.first, block);
    }
  }

  #insert(block: QueueBlock): void {
    const at = this.#from(block.first);
    const there = this.#blocks[at];
    if (there?.first === block.first) {
      // One that was given out, and is read again; or one that was removed, and came back as a block of its own.
      if (there.left > 0) return;
      this.#blocks[at] = block;
      this.#goneCount--;
    } else if (at === this.#blocks.length) this.#blocks.push(block);
    else this.#blocks.splice(at, 0, block);
    this.#at = Math.min(this.#at, at);
    if (block.given) this.#drop(block);
    else this.#hold(block);
  }

  /** The last ones are left to be read again. */
  #shrink(bytes: number): void {
    while (this.#bytes > bytes && this.#blocks.length > 1 && this.#late === undefined) {
      const last = this.#blocks[this.#blocks.length - 1];
      if (last === undefined || last.touched || !last.stored) return;
      this.#drop(last);
      this.#blocks.pop();
      this.#known = last.first;
      this.#at = Math.min(this.#at, this.#blocks.length);
    }
  }

  /** The index of the first block from here on. */
  #from(first: number): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle]?.first ?? 0) < first) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #hold(block: QueueBlock): void {
    block.held = true;
    this.#bytes += block.size;
    this.#held.bytes += block.size;
  }

  /** What is not in the store yet is needed to write it. */
  #drop(block: QueueBlock): void {
    if (!block.stored) return;
    block.value = undefined;
    if (!block.held) return;
    block.held = false;
    this.#bytes -= block.size;
    this.#held.bytes -= block.size;
  }
}

/** The same may be a message of the log, too, which has a position there. */
function unlogged(message: Message | undefined): Message | undefined {
  if (message === undefined || message.sequence === 0) return message;
  const copy = message.with(message.qos, message.retain);
  copy.shard = 0;
  copy.sequence = 0;
  return copy;
}

/** Of what was given out, when it is to be so no more. */
export function pastOf({ block, deliveries }: TakenEntry): Past {
  return { deliveries, redelivered: true, lane: releasedLane(block.lane), dueAt: 0 };
}
