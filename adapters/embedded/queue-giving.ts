import type { TakenEntry } from './queue-lane.ts';
import { type Lanes, load, type Obstacle } from './queue-lanes.ts';
import type { Holder } from './queue-windows.ts';
import type { QueueParts } from './queues.ts';
import type { Store } from './store.ts';

type Lane = Obstacle['lane'];

/** Whose messages are given out. */
export interface GivingOwner extends Holder {
  readonly name: string;
  readonly number: number;
  readonly closed: boolean;
  given(entries: readonly TakenEntry[]): void;
  /** A mark has to be in the store first; `higher`: it was raised just now. */
  marked(higher: boolean): void;
  unreadable(error: unknown, store: Store): void;
  lose(): Promise<void>;
}

/** Gives out what is wanted of a queue, and sees to it that it can be: that it is read, and marked as given before. */
export class Giving {
  wanted = 0;
  readonly #owner: GivingOwner;
  readonly #lanes: Lanes;
  readonly #parts: QueueParts;
  #scheduled = false;
  #reading = false;
  readonly #turn = (): void => {
    this.#scheduled = false;
    this.now();
  };

  constructor(owner: GivingOwner, lanes: Lanes, parts: QueueParts) {
    this.#owner = owner;
    this.#lanes = lanes;
    this.#parts = parts;
  }

  want(count: number): void {
    this.wanted += count;
    this.soon();
  }

  /** There may be something to give. */
  soon(): void {
    if (this.#scheduled || this.#owner.closed || this.wanted === 0) return;
    this.#scheduled = true;
    this.#parts.clock.defer(this.#turn);
  }

  now(): void {
    const owner = this.#owner;
    if (this.wanted === 0 || owner.closed || this.#reading) return;
    const entries: TakenEntry[] = [];
    let obstacle: Obstacle | undefined;
    try {
      obstacle = this.#lanes.take(this.wanted, entries);
    } catch (error) {
      // A record that this version does not know.
      this.#parts.warn(error, owner.name);
      void owner.lose();
      return;
    }
    if (obstacle?.what === 'unread') void this.#read(obstacle.lane);
    else if (obstacle !== undefined) this.#mark(obstacle.lane);
    if (entries.length === 0) return;
    this.wanted -= entries.length;
    owner.given(entries);
  }

  #mark(lane: Lane): void {
    const before = lane.mark;
    lane.raise();
    this.#owner.marked(lane.mark > before);
  }

  async #read(lane: Lane): Promise<void> {
    const { store } = this.#parts;
    if (store === undefined) return;
    const owner = this.#owner;
    const { number } = owner;
    this.#reading = true;
    try {
      await load(lane, number, store);
    } catch (error) {
      // What is purged meanwhile is missing.
      if (number === owner.number) owner.unreadable(error, store);
    } finally {
      this.#reading = false;
    }
    // It may be another one's by now.
    if (number !== owner.number || owner.closed) lane.evict();
    this.#parts.windows.use(owner);
    this.now();
  }
}
