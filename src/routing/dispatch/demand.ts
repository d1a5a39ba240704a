import type { QueueSource } from '../../ports/queue-store.ts';
import type { Members } from './members.ts';

/** Of what consumers have room for, the most that is asked for at once, and the most that is held ready beyond it. */
const MOST_WANTED = 4096;
const AHEAD = 256;
/** What is looked at without consumers, at most, at once. */
const MOST_PROBED = 256;

/** What is asked of a source, and has not come yet. */
export class Demand {
  readonly #source: QueueSource;
  #coming = 0;
  /** Without consumers: how many are looked at next, to see whether they are to be dropped; 0: none. */
  #probing = 0;
  /** Some messages have a priority: those held ready would be in the way of higher ones. */
  prioritised = false;

  constructor(source: QueueSource) {
    this.#source = source;
  }

  came(count: number): void {
    this.#coming = Math.max(0, this.#coming - count);
  }

  /** What consumers have room for, and some that are held ready for them. `has`: how many wait to be given. */
  serve(members: Members, has: number): void {
    const ahead = this.prioritised ? 0 : Math.min(AHEAD, members.prefetch);
    const target = Math.min(members.room, MOST_WANTED) + ahead;
    const missing = target - has - this.#coming;
    // Many small portions cost more than a few large ones.
    if (missing > 0 && (missing === target || missing * 4 >= target)) this.#want(missing);
  }

  /** So many are wanted to be dropped. `idle`: there are no consumers. */
  probe(count: number, has: number, idle: boolean): void {
    const wanted = Math.min(count, MOST_PROBED);
    if (idle) this.#probing = wanted;
    if (wanted > has + this.#coming) this.#want(wanted - has - this.#coming);
  }

  /** One of those that were looked at stays: those behind it are not looked at. */
  found(): void {
    this.#probing = 0;
  }

  /** All that were looked at have been dropped: there may be more like them. */
  probeOn(): void {
    if (this.#probing === 0) return;
    this.#probing = Math.min(this.#probing * 4, MOST_PROBED);
    if (this.#probing > this.#coming) this.#want(this.#probing - this.#coming);
  }

  #want(count: number): void {
    this.#coming += count;
    this.#source.want(count);
  }
}
