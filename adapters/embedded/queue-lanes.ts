import { type QueueBlock, readBlock } from './queue-block.ts';
import { blockKey, LATER } from './queue-keys.ts';
import { type Held, Lane, type TakenEntry } from './queue-lane.ts';
import type { QueuePart } from './queue-part.ts';
import { readLane } from './queue-reads.ts';
import type { Totals } from './queue-totals.ts';
import type { Store } from './store.ts';

/** Bytes of blocks that are read at once because they are given out again. */
const LACKING_BYTES = 256 * 1024;

/** What is to be done before more can be taken. */
export type Obstacle = { readonly what: 'unread' | 'unmarked'; readonly lane: Lane };

/** The lanes of a queue, by number: those in front go first. */
export class Lanes {
  readonly #held: Held;
  #lanes: (Lane | undefined)[] = [];

  constructor(lanes: Totals['lanes'], held: Held) {
    this.#held = held;
    for (const { number, head, mark } of lanes) this.#lanes[number] = new Lane(number, head, mark, held);
  }

  get(number: number): Lane {
    let lane = this.#lanes[number];
    if (lane === undefined) {
      lane = new Lane(number, Infinity, 0, this.#held);
      this.#lanes[number] = lane;
    }
    return lane;
  }

  /** Takes up to `count` that wait; says what is in the way of more, if there are more. */
  take(count: number, taken: TakenEntry[]): Obstacle | undefined {
    for (const lane of this.#lanes) {
      if (lane === undefined) continue;
      const what = lane.take(count - taken.length, taken);
      if (what === undefined) return undefined;
      // Those of lower priority come behind it.
      if (what !== 'empty') return { what, lane };
    }
    return undefined;
  }

  /** What was passed over, or what has one of these ids, is to be given out again. */
  revisit(ids?: readonly number[]): void {
    if (ids === undefined) for (const lane of this.#lanes) lane?.revisit();
    else for (const id of ids) this.#lanes.some((lane) => lane?.revisit(id));
  }

  /** Whether this id of a lane may have been given out before the queue was opened. */
  wasGiven(lane: number, id: number): boolean {
    return this.#lanes[lane]?.wasGiven(id) ?? false;
  }

  evict(): void {
    for (const lane of this.#lanes) lane?.evict();
  }

  unmark(): void {
    for (const lane of this.#lanes) lane?.unmark();
  }

  clear(): void {
    this.evict();
    this.#lanes = [];
  }

  /** What is wanted and has no others in front of it that have to be read can be given out as soon as it is durable. */
  markMade(made: readonly QueueBlock[]): void {
    for (const { lane: number, last } of made) {
      const lane = number === LATER ? undefined : this.get(number);
      if (lane !== undefined && lane.unread === undefined) lane.mark = Math.max(lane.mark, last);
    }
  }

  /** Lanes that have something, with what is in these parts; `marks` gets the marks as they are written. */
  places(parts: readonly QueuePart[], marks: QueuePart['marks']): Totals['lanes'] {
    const heads: number[] = [];
    const look = ({ lane, left, first }: QueueBlock): void => {
      if (lane === LATER || left === 0) return;
      this.get(lane);
      heads[lane] = Math.min(heads[lane] ?? Infinity, first);
    };
    for (const { made, singles, moved } of parts) {
      made.forEach(look);
      singles.forEach(look);
      for (const { to } of moved) look(to);
    }
    const places = [];
    for (const lane of this.#lanes) {
      if (lane === undefined) continue;
      const { number } = lane;
      const head = Math.min(lane.head ?? Infinity, heads[number] ?? Infinity);
      const mark = head === Infinity ? 0 : lane.mark;
      marks.push({ lane, mark });
      if (head !== Infinity) places.push({ number, head, mark });
    }
    return places;
  }

  /** What is in the store with this part. */
  arrive({ marks, struck, made, singles, moved }: QueuePart): void {
    for (const { lane, mark } of marks) lane.stored = mark;
    for (const block of struck) if (block.left === 0) this.get(block.lane).forgotten(block);
    for (const block of singles) block.stored = true;
    for (const blocks of [made, singles, moved.map(({ to }) => to)]) {
      for (const block of blocks) if (block.lane !== LATER) this.get(block.lane).arrive(block);
    }
  }
}

/** Reads what the lane gives out next. Rejects with a RangeError when it is not as it was written. */
export async function load(lane: Lane, number: number, store: Store): Promise<void> {
  const { unread } = lane;
  const lacking = lane.lacking(LACKING_BYTES);
  if (lacking.length > 0) {
    const values = await store.getMany(lacking.map(({ first }) => blockKey(number, lane.number, first)));
    for (const [i, block] of lacking.entries()) {
      const value = values[i];
      if (value === undefined) throw new RangeError(`the message ${block.first} of a queue is missing`);
      readBlock(number, lane.number, block.first, value, undefined);
      lane.found(block, value);
    }
  } else if (unread !== undefined) {
    lane.reading();
    try {
      const { blocks, next } = await readLane(store, number, lane.number, unread);
      lane.read(blocks, next);
    } catch (error) {
      lane.read([]);
      throw error;
    }
  }
}
