import type { QueueEntry } from '../../ports/queue-store.ts';
import { EntryList, precedes } from './entries.ts';
import type { Member } from './member.ts';

/** Messages of one key: with whom some are, which wait for their retry, and which wait behind those. */
export class KeyState {
  readonly key: string;
  /** Who has some of them unsettled. */
  holder: Member | undefined;
  unsettled = 0;
  readonly delayed: QueueEntry[] = [];
  readonly parked = new EntryList();
  /** The member that has to have room before the parked ones go on. */
  awaited: Member | undefined;

  constructor(key: string) {
    this.key = key;
  }

  /** Another one of the key has to go first. */
  blocks(entry: QueueEntry): boolean {
    for (const { id } of this.delayed) if (id < entry.id) return true;
    const first = this.parked.first;
    return first !== undefined && precedes(first, entry);
  }

  get idle(): boolean {
    return this.unsettled === 0 && this.delayed.length === 0 && this.parked.size === 0;
  }
}

export interface Delayed {
  readonly entry: QueueEntry;
  readonly dueAt: number;
  readonly state: KeyState;
}

/** The keys of which a message is with a consumer, or waits. Entries that may go on are put into `window`. */
export class KeyTable {
  readonly #states = new Map<string, KeyState>();
  readonly #window: EntryList;
  /** By the time they are due. */
  readonly #delayed: Delayed[] = [];
  #parked = 0;

  constructor(window: EntryList) {
    this.#window = window;
  }

  /** How many messages wait here. */
  get size(): number {
    return this.#parked + this.#delayed.length;
  }

  get nextDue(): number | undefined {
    return this.#delayed[0]?.dueAt;
  }

  get(key: string): KeyState | undefined {
    return this.#states.get(key);
  }

  grow(key: string): KeyState {
    let state = this.#states.get(key);
    if (state === undefined) {
      state = new KeyState(key);
      this.#states.set(key, state);
    }
    return state;
  }

  /** One of the key was given to this member. */
  gave(state: KeyState, member: Member): void {
    state.holder = member;
    state.unsettled++;
    this.unpark(state);
  }

  /** One of the key is with nobody any more. */
  tookBack(state: KeyState): void {
    state.unsettled--;
    if (state.unsettled === 0) state.holder = undefined;
    this.passed(state);
  }

  park(state: KeyState, entry: QueueEntry, awaited: Member | undefined): void {
    state.parked.add(entry);
    this.#parked++;
    if (state.awaited === awaited) return;
    state.awaited?.waiting.delete(state);
    state.awaited = awaited;
    awaited?.waiting.add(state);
  }

  /** The next one may go on. False when there is none, or one before it waits for its retry. */
  unpark(state: KeyState): boolean {
    const entry = state.parked.first;
    if (entry === undefined || state.delayed.some(({ id }) => id < entry.id)) return false;
    state.parked.shift();
    this.#parked--;
    this.#window.add(entry);
    if (state.parked.size === 0) this.#forgetAwaited(state);
    return true;
  }

  /** A member has room: for each place one of what waits for it, key by key. */
  unparkFor(member: Member): void {
    if (member.waiting.size === 0) return;
    let places = member.room;
    for (const state of [...member.waiting]) {
      while (places > 0 && this.unpark(state)) places--;
      if (places === 0) break;
    }
  }

  /** A member came or went: who waits for whom is found out anew. */
  unparkAll(): void {
    for (const state of this.#states.values()) {
      for (const entry of state.parked.take()) this.#window.add(entry);
      this.#forgetAwaited(state);
    }
    this.#parked = 0;
  }

  delay(state: KeyState, entry: QueueEntry, dueAt: number): void {
    state.delayed.push(entry);
    let at = this.#delayed.length;
    while (at > 0 && (this.#delayed[at - 1]?.dueAt ?? 0) > dueAt) at--;
    this.#delayed.splice(at, 0, { entry, dueAt, state });
  }

  /** Those that are due go on. */
  due(now: number): void {
    while ((this.#delayed[0]?.dueAt ?? Number.POSITIVE_INFINITY) <= now) {
      const delayed = this.#delayed.shift();
      if (delayed === undefined) return;
      const { state, entry } = delayed;
      state.delayed.splice(state.delayed.indexOf(entry), 1);
      this.#window.add(entry);
      // One of a higher priority goes before it.
      this.unpark(state);
    }
  }

  /** One of the key has gone on, or away: the one behind it may follow. */
  passed(state: KeyState): void {
    // Those behind it may be for someone else now: they are not to take the places of what waits for that member.
    if (state.unsettled === 0) this.#forgetAwaited(state);
    this.unpark(state);
    if (state.idle) this.#states.delete(state.key);
  }

  /** Takes out what waits behind others of its key, or those of it that are to go. */
  takeParked(goes?: (entry: QueueEntry) => boolean): QueueEntry[] {
    if (this.#parked === 0 && goes !== undefined) return [];
    const all: QueueEntry[] = [];
    for (const state of this.#states.values()) {
      if (state.parked.size > 0) all.push(...state.parked.take(goes));
      if (state.parked.size === 0) this.#forgetAwaited(state);
      if (state.idle) this.#states.delete(state.key);
    }
    this.#parked -= all.length;
    return all;
  }

  /** Takes out what waits for its retry. */
  takeDelayed(): Delayed[] {
    const all = this.#delayed.splice(0);
    for (const { state } of all) {
      state.delayed.length = 0;
      if (state.idle) this.#states.delete(state.key);
    }
    return all;
  }

  #forgetAwaited(state: KeyState): void {
    state.awaited?.waiting.delete(state);
    state.awaited = undefined;
  }
}
