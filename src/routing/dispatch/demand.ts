import type { QueueEntry, QueueSource } from '../../ports/queue-store.ts';
import type { Members } from './members.ts';

/** Of what consumers have room for, the most that is asked for at once, and the most that is held ready beyond it. */
const MOST_WANTED = 4096;
const AHEAD = 256;
/** What is looked at without consumers, at most, at once. */
const MOST_PROBED = 256;
/** What a message is taken to have before any has come, bytes. */
const USUAL = 16_384;

/** What is asked of a source, and has not come yet. */
export class Demand {
  readonly #source: QueueSource;
  /** Bytes. */
  readonly #memory: number;
  #coming = 0;
  /** Of what waits to be given; and of a message, as those were that came last. */
  #held = 0;
  #average = USUAL;
  /** Without consumers: how many are looked at next, to see whether they are to be dropped; 0: none. */
  #probing = 0;
  /** Some messages have a priority: those held ready would be in the way of higher ones. */
  prioritised = false;

  constructor(source: QueueSource, memory: number) {
    this.#source = source;
    this.#memory = memory;
  }

  came(entries: readonly QueueEntry[]): void {
    this.#coming = Math.max(0, this.#coming - entries.length);
    let bytes = 0;
    for (const { message } of entries) bytes += message.weight;
    if (entries.length === 0) return;
    // Quick to believe that they are large, slow that they are small.
    const average = bytes / entries.length;
    this.#average = Math.max(average, (this.#average * 7 + average) / 8);
  }

  /** One that was given comes back, to wait here. */
  holds({ message }: QueueEntry): void {
    this.#held += message.weight;
  }

  /** It waits here no more. */
  went({ message }: QueueEntry): void {
    this.#held -= message.weight;
  }

  /** One that came is to wait here; false when so much waits, as it is larger than what came before, that it is to go back. */
  accepts(entry: QueueEntry): boolean {
    if (this.#held > 2 * this.#memory) return false;
    this.holds(entry);
    return true;
  }

  /** Nothing waits here. */
  emptied(): void {
    this.#held = 0;
  }

  /** What consumers have room for, and some that are held ready for them. `has`: how many wait to be given. */
  serve(members: Members, has: number): void {
    const ahead = this.prioritised ? 0 : Math.min(AHEAD, members.prefetch);
    const target = Math.min(members.room, MOST_WANTED) + ahead;
    const missing = Math.min(target - has - this.#coming, this.#affordable());
    const most = Math.min(target, Math.max(1, Math.floor(this.#memory / this.#average)));
    // Many small portions cost more than a few large ones.
    if (missing > 0 && missing * 4 >= most) this.#want(missing);
  }

  /**
   * The same where consumers select: what waits for those that have no room is not counted, and nothing is held ready for
   * them alone. `most`: so many are wanted at most.
   */
  serveSome(members: Members, most: number): void {
    if (members.room === 0) return;
    if (most < Number.POSITIVE_INFINITY) this.#want(Math.max(0, most - this.#coming));
    // What is held for others is not in the way of those that have room.
    else if (this.#coming === 0 && this.#affordable() < 1) this.#want(1);
    else this.serve(members, 0);
  }

  /** So much waits here that it should not be more. */
  get crowded(): boolean {
    return this.#held * 2 > this.#memory;
  }

  /** Of messages as large as those that came last. */
  #affordable(): number {
    const count = Math.floor((this.#memory - this.#held) / this.#average) - this.#coming;
    return this.#held === 0 && this.#coming === 0 ? Math.max(1, count) : count;
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
    if (count === 0) return;
    this.#coming += count;
    this.#source.want(count);
  }
}
