import { Heap } from '../../core/heap.ts';
import type { Message } from '../../core/message.ts';
import type { Selector } from '../../core/selector.ts';
import type { QueueEntry } from '../../ports/queue-store.ts';
import type { Member } from './member.ts';

/** Of what members may have at once, the most that is held ready for them beside it. */
const AHEAD = 256;

/** A message that waits in memory for whoever has room first: in the lane of each selector that matches it. */
export class Ready {
  readonly entry: QueueEntry;
  readonly rank: number;
  readonly lanes: readonly SelectorLane[];
  gone = false;

  constructor(entry: QueueEntry, rank: number, lanes: readonly SelectorLane[]) {
    this.entry = entry;
    this.rank = rank;
    this.lanes = lanes;
  }
}

/**
 * One selector of a `Selection`: the members that have it, and what waits for them, in the order of delivery. Some of that is
 * in memory (`Ready`), the rest was passed over: the source keeps it, and here is its rank.
 */
export class SelectorLane {
  /** Empty for those that take everything. */
  readonly text: string;
  readonly #selector: Selector | undefined;
  readonly #isPassed: (rank: number) => boolean;
  readonly members = new Set<Member>();
  /** In memory. */
  #ready = new Heap<Ready>((a, b) => a.rank < b.rank);
  /** Of those, how many are still here: others may have had the rest. */
  live = 0;
  /** How many were asked for again for it, and have not come. */
  coming = 0;
  /** Ranks of what was passed over; some of it may have come again for others. */
  #passed = new Heap<number>((a, b) => a < b);

  constructor(selector: Selector | undefined, isPassed: (rank: number) => boolean) {
    this.text = selector?.text ?? '';
    this.#selector = selector;
    this.#isPassed = isPassed;
  }

  matches(message: Message): boolean {
    return this.#selector === undefined || this.#selector.matches(message);
  }

  /** How many more its members may have. */
  get room(): number {
    let room = 0;
    for (const member of this.members) if (member.ringed) room += member.room;
    return room;
  }

  /** How many are held ready for its members, and asked for again at once, at most. */
  get ahead(): number {
    let prefetch = 0;
    for (const { options } of this.members) prefetch += options.prefetch;
    return Math.min(AHEAD, prefetch);
  }

  get backlogged(): boolean {
    return this.live > 0 || this.#passed.size > 0;
  }

  /** It has nothing that should go before a message of this rank. */
  follows(rank: number): boolean {
    return (this.firstReady?.rank ?? Infinity) > rank && !this.skipped(rank);
  }

  /** Something is passed over that should go before a message of this rank. */
  skipped(rank: number): boolean {
    for (let first = this.#passed.peek(); first !== undefined; first = this.#passed.peek()) {
      if (this.#isPassed(first)) return first < rank;
      this.#passed.pop();
    }
    return false;
  }

  get firstReady(): Ready | undefined {
    for (let first = this.#ready.peek(); first !== undefined; first = this.#ready.peek()) {
      if (!first.gone) return first;
      this.#ready.pop();
    }
    return undefined;
  }

  hold(ready: Ready): void {
    this.live++;
    this.#ready.push(ready);
    // Those that others had are in the heap until they are the first.
    if (this.#ready.size > 2 * this.live + 64) this.#ready = heapOf(this.takeReady(), (a, b) => a.rank < b.rank);
  }

  takeReady(): Ready[] {
    const all: Ready[] = [];
    for (let next = this.#ready.pop(); next !== undefined; next = this.#ready.pop()) if (!next.gone) all.push(next);
    return all;
  }

  /** `passed`: how many are passed over in all. */
  pass(rank: number, passed: number): void {
    this.#passed.push(rank);
    if (this.#passed.size <= 2 * passed + 64) return;
    const left: number[] = [];
    for (let each = this.#passed.pop(); each !== undefined; each = this.#passed.pop()) {
      // It may have come for others, and been passed over again.
      if (each !== left.at(-1) && this.#isPassed(each)) left.push(each);
    }
    this.#passed = heapOf(left, (a, b) => a < b);
  }

  nextPassed(): number | undefined {
    return this.#passed.pop();
  }

  clearPassed(): void {
    this.#passed.clear();
  }
}

function heapOf<T>(items: readonly T[], before: (a: T, b: T) => boolean): Heap<T> {
  const heap = new Heap<T>(before);
  for (const item of items) heap.push(item);
  return heap;
}
