import type { QueueEntry } from '../../ports/queue-store.ts';
import type { Demand } from './demand.ts';
import { type EntryList, idOf, Returned, rankOf } from './entries.ts';
import type { Member } from './member.ts';
import type { Selecting } from './rules.ts';
import { Ready, SelectorLane } from './selector-lane.ts';

/** Selectors whose consumers are gone that are still tried, so that one who comes back need not have everything looked at. */
const REMEMBERED = 8;
/** Milliseconds per message passed over, until all are looked at again because some may have expired. */
const LOOK = 0.1;
const LOOK_LEAST = 1000;
/** Sweeps until what was asked for again and did not come is given up. */
const LOST = 10;

interface SelectionHost extends Selecting {
  readonly demand: Demand;
  readonly window: EntryList;
  expiryOf(entry: QueueEntry): number;
}

/**
 * Which message is for whom, where consumers select; `Placement` asks it, and each selector has its `SelectorLane`. A message is
 * either still to come from the source, or was looked at: then every selector here was tried on it, and it is known for whom it
 * waits. What is not held ready for them is passed over: the source keeps it, and here is its rank.
 */
export class Selection {
  readonly #host: SelectionHost;
  /** By the selector's text; those without members were tried on everything that was passed over, too. */
  readonly #lanes = new Map<string, SelectorLane>();
  readonly #passed = new Set<number>();
  /** Asked for again, and not come: for whom, if they are not to be dropped. */
  readonly #recalled = new Map<number, SelectorLane | undefined>();
  /** Sweeps since one of them came. */
  #silent = 0;
  #selective = 0;
  #ready = 0;
  #expiresAt = Infinity;
  #lookedAt = 0;
  #full = false;

  constructor(host: SelectionHost) {
    this.#host = host;
  }

  /** Some member does not take everything. */
  get active(): boolean {
    return this.#selective > 0;
  }

  /** Someone selects, or did so not long ago. */
  get used(): boolean {
    return this.#lanes.size > 0;
  }

  /** Held ready in memory; and passed over. */
  get ready(): number {
    return this.#ready;
  }

  get passed(): number {
    return this.#passed.size;
  }

  // --- members ------------------------------------------------------------------------------------------------------

  /** `others`: who was there before. */
  join(member: Member, others: Iterable<Member>): void {
    if (member.selector !== undefined && this.#selective++ === 0) for (const each of others) this.#enter(each);
    if (this.active) this.#enter(member);
    else this.forget();
  }

  #enter(member: Member): void {
    const text = member.selector?.text ?? '';
    let lane = this.#lanes.get(text);
    if (lane === undefined) {
      lane = new SelectorLane(member.selector, (rank) => this.#passed.has(rank));
      // Nothing of what was passed over was tried on it.
      this.#startOver();
    } else if (lane.members.size === 0) {
      // Nor was it asked for what is held ready for others.
      this.bringBackAll();
    }
    // The latest is the last to be forgotten.
    this.#lanes.delete(text);
    this.#lanes.set(text, lane);
    lane.members.add(member);
    member.lane = lane;
  }

  leave(member: Member, lonely: boolean): void {
    const { lane } = member;
    if (member.selector !== undefined) this.#selective--;
    member.lane = undefined;
    if (lane === undefined) return;
    lane.members.delete(member);
    if (lane.members.size === 0) for (const ready of lane.takeReady()) this.#bringBack(ready);
    if (!this.active && !lonely) this.forget();
    const gone = [...this.#lanes.values()].filter(({ members }) => members.size === 0);
    for (const { text } of gone.slice(0, Math.max(0, gone.length - REMEMBERED))) this.#lanes.delete(text);
  }

  /** All is as if nobody had ever selected. */
  forget(): void {
    if (this.#lanes.size === 0) return;
    this.#startOver();
    for (const [text, { members }] of this.#lanes) {
      if (this.active && members.size > 0) continue;
      for (const member of members) member.lane = undefined;
      this.#lanes.delete(text);
    }
  }

  /** Everything comes again, in order. */
  #startOver(): void {
    const { source, window, demand } = this.#host;
    this.bringBackAll();
    const kept = window.take((entry) => !(entry instanceof Returned));
    for (const entry of kept) {
      demand.went(entry);
      source.pass(entry.id);
    }
    if (this.#passed.size > 0 || kept.length > 0) source.revisit();
    this.clear();
  }

  /** What was passed over is gone, or comes by itself. */
  clear(): void {
    this.#passed.clear();
    this.#giveUp();
    for (const lane of this.#lanes.values()) lane.clearPassed();
    this.#expiresAt = Infinity;
    this.#full = false;
  }

  /** What was asked for again is not waited for. */
  #giveUp(): void {
    for (const lane of this.#recalled.values()) if (lane !== undefined) lane.coming = 0;
    this.#recalled.clear();
  }

  // --- messages -----------------------------------------------------------------------------------------------------

  /** They came, again or for the first time. */
  came(entries: readonly QueueEntry[]): void {
    if (this.#passed.size === 0 && this.#recalled.size === 0) return;
    for (const entry of entries) {
      const rank = rankOf(entry);
      this.#passed.delete(rank);
      const lane = this.#recalled.get(rank);
      if (lane !== undefined) lane.coming--;
      if (this.#recalled.delete(rank)) this.#silent = 0;
    }
  }

  /** Whether this member takes it, and has nothing to take before it. What was released goes before what was never taken. */
  admits({ lane }: Member, entry: QueueEntry): boolean {
    if (lane === undefined) return true;
    if (!lane.matches(entry.message)) return false;
    return !lane.backlogged || entry instanceof Returned || lane.follows(rankOf(entry));
  }

  /** Someone here selects it. */
  wants({ message }: QueueEntry): boolean {
    for (const lane of this.#lanes.values()) if (lane.members.size > 0 && lane.matches(message)) return true;
    return false;
  }

  /** Nobody has room for it, or nobody selects it. */
  keep(entry: QueueEntry): void {
    const rank = rankOf(entry);
    const present = this.#matching(entry).filter(({ members }) => members.size > 0);
    if (present.length > 0 && this.#fits(entry, rank, present)) {
      const ready = new Ready(entry, rank, present);
      this.#ready++;
      for (const lane of present) lane.hold(ready);
      return;
    }
    this.#host.demand.went(entry);
    this.putBack(entry);
  }

  /** To the source, which it came from. */
  putBack(entry: QueueEntry): void {
    const { source } = this.#host;
    if (entry instanceof Returned) {
      // It comes once more as the source knows it then.
      source.release(entry.id, 0, entry.deliveries);
      return;
    }
    const rank = rankOf(entry);
    source.pass(entry.id);
    this.#passed.add(rank);
    this.#expiresAt = Math.min(this.#expiresAt, this.#host.expiryOf(entry));
    for (const lane of this.#matching(entry)) lane.pass(rank, this.#passed.size);
  }

  #matching({ message }: QueueEntry): SelectorLane[] {
    return [...this.#lanes.values()].filter((lane) => lane.matches(message));
  }

  #fits(entry: QueueEntry, rank: number, lanes: readonly SelectorLane[]): boolean {
    const { demand } = this.#host;
    // What is held ready would be in the way of higher priorities.
    if (demand.prioritised || demand.crowded) return false;
    if (entry instanceof Returned) return true;
    return lanes.every((lane) => lane.live < lane.ahead && !lane.skipped(rank));
  }

  #bringBack(ready: Ready): void {
    if (ready.gone) return;
    ready.gone = true;
    this.#ready--;
    for (const lane of ready.lanes) lane.live--;
    this.#host.window.add(ready.entry);
  }

  bringBackAll(): void {
    if (this.#ready === 0) return;
    for (const lane of this.#lanes.values()) for (const ready of lane.takeReady()) this.#bringBack(ready);
  }

  /** What waits for those that have room now is looked at again. False when that is nothing that is here. */
  serve(): boolean {
    const before = this.#ready;
    if (this.#ready > 0 && this.#host.demand.prioritised) this.bringBackAll();
    for (const lane of this.#lanes.values()) {
      if (!lane.backlogged) continue;
      let { room } = lane;
      for (let ready = lane.firstReady; room > 0 && ready !== undefined; ready = lane.firstReady) {
        this.#bringBack(ready);
        room--;
      }
      if (room > 0) this.#recall(lane, room);
    }
    return this.#ready < before;
  }

  #recall(lane: SelectorLane, room: number): void {
    const count = (this.#host.demand.prioritised ? room : Math.max(room, lane.ahead)) - lane.coming;
    // Many small portions cost more than a few large ones.
    if (lane.coming > 0 && count < lane.coming) return;
    const ids: number[] = [];
    while (ids.length < count) {
      const rank = lane.nextPassed();
      if (rank === undefined) break;
      if (this.#again(rank, lane)) ids.push(idOf(rank));
    }
    lane.coming += ids.length;
    if (ids.length > 0) this.#host.source.revisit(ids);
  }

  #again(rank: number, lane?: SelectorLane): boolean {
    if (!this.#passed.delete(rank)) return false;
    this.#recalled.set(rank, lane);
    return true;
  }

  /** So many of the oldest come again, to be dropped. */
  recallOldest(count: number): void {
    const ids: number[] = [];
    for (const rank of this.#passed) {
      if (ids.length >= count) break;
      if (this.#again(rank)) ids.push(idOf(rank));
    }
    if (ids.length > 0) this.#host.source.revisit(ids);
    // What is held ready may be older than what is still to come.
    else this.bringBackAll();
  }

  /** What is asked of the source: only what comes again when too much is passed over. */
  most(): number {
    if (this.#passed.size < this.#host.most) {
      if (this.#passed.size * 2 < this.#host.most) this.#full = false;
      return Infinity;
    }
    if (!this.#full) this.#host.full();
    this.#full = true;
    return this.#recalled.size;
  }

  /** Some of what is passed over may have expired: everything is looked at, not too often. */
  sweep(now: number): void {
    // Someone else may have removed what was asked for.
    if (this.#recalled.size > 0 && ++this.#silent > LOST) this.#giveUp();
    if (this.#expiresAt > now || now - this.#lookedAt < Math.max(LOOK_LEAST, this.#passed.size * LOOK)) return;
    this.#lookedAt = now;
    this.#startOver();
  }
}
