import type { QueueEntry } from '../../ports/queue-store.ts';
import type { KeyState } from './keys.ts';
import type { Member } from './member.ts';
import type { Members } from './members.ts';
import type { DispatcherOptions } from './rules.ts';
import type { Selection } from './selection.ts';
import type { Waiting } from './waiting.ts';

export interface Giver {
  give(member: Member, entry: QueueEntry, state: KeyState | undefined): void;
}

/** Who gets the message that is the next one, or where it waits: by key, by turn, and where consumers select, by `Selection`. */
export class Placement {
  readonly #order: DispatcherOptions['keys'];
  readonly #waiting: Waiting;
  readonly #members: Members;
  readonly #selection: Selection | undefined;
  readonly #giver: Giver;

  constructor(
    order: DispatcherOptions['keys'],
    waiting: Waiting,
    members: Members,
    selection: Selection | undefined,
    giver: Giver,
  ) {
    this.#order = order;
    this.#waiting = waiting;
    this.#members = members;
    this.#selection = selection;
    this.#giver = giver;
  }

  /** False when it waits where it is, and those behind it do. */
  place(entry: QueueEntry): boolean {
    const key = this.#order === 'none' ? undefined : entry.message.properties?.key;
    if (this.#selection?.active) return this.#select(entry, key, this.#selection);
    const { window, keys } = this.#waiting;
    const state = key === undefined ? undefined : keys.get(key);
    if (state?.blocks(entry)) {
      window.shift();
      keys.park(state, entry, state.awaited);
      return true;
    }
    const holder = key === undefined ? undefined : this.#holder(key, state);
    const member = holder === undefined ? this.#members.next() : this.#members.free(holder) ? holder : undefined;
    // Asking it may have changed everything.
    if (window.first !== entry) return true;
    if (member === undefined && holder === undefined) return false;
    window.shift();
    if (member === undefined) keys.park(keys.grow(key ?? ''), entry, holder);
    else this.#giver.give(member, entry, key === undefined ? undefined : keys.grow(key));
    return true;
  }

  /** Where consumers select: what cannot be given waits where it holds up nobody. */
  #select(entry: QueueEntry, key: string | undefined, selection: Selection): boolean {
    const { window, keys } = this.#waiting;
    const state = key === undefined ? undefined : keys.get(key);
    const blocked = state?.blocks(entry) ?? false;
    const holder = key === undefined ? undefined : this.#holder(key, state);
    const admits = (each: Member): boolean => selection.admits(each, entry);
    const next = blocked || holder !== undefined ? undefined : this.#members.nextOf(admits);
    const mayHave = !blocked && holder !== undefined && admits(holder);
    const member = mayHave && this.#members.free(holder) ? holder : next;
    if (window.first !== entry) return true;
    window.shift();
    if (member !== undefined) {
      this.#giver.give(member, entry, key === undefined ? undefined : keys.grow(key));
      return true;
    }
    const inKey = blocked || holder !== undefined;
    // It waits for its key, and the one who has that, only where someone who is here selects it.
    if (state === undefined || !inKey || !selection.wants(entry)) selection.keep(entry);
    else keys.park(state, entry, blocked ? state.awaited : holder?.lane?.matches(entry.message) ? holder : undefined);
    return true;
  }

  /** The one who must have the next message of this key; undefined: anyone may. */
  #holder(key: string, state: KeyState | undefined): Member | undefined {
    if (state !== undefined && state.unsettled > 0) return state.holder;
    return this.#order === 'sticky' ? this.#members.of(key) : undefined;
  }
}
