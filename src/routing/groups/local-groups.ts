import { BrokerError } from '../../core/errors.ts';
import type { Start } from '../../core/start.ts';
import type { State } from '../../ports/backbone.ts';
import type { Timer } from '../../ports/clock.ts';
import type { Consumer, GroupOptions, GroupStatus, Membership } from '../../ports/queues.ts';
import type { GroupHost } from '../hosts.ts';
import { decodeSession } from '../session-record.ts';
import { GROUPS, type GroupContext, keyOf, LogGroup } from './group.ts';
import { lagOf } from './lag.ts';
import { decodeGroup } from './record.ts';

/** Milliseconds between two looks at members that were not ready. */
const SWEEP = 1000;
const NOTHING = new Uint8Array();

export interface LocalGroupsContext extends GroupContext {
  readonly state: State;
}

/** The groups that this node has, by name and filter. Those without members are entries in the state, and nothing else. */
export class LocalGroups implements GroupHost {
  readonly #groups = new Map<string, LogGroup>();
  readonly #context: LocalGroupsContext;
  readonly #closed: (name: string, filter: string) => void;
  #timer: Timer | undefined;

  /** `closed`: a group is no longer here, for want of members or for another node. */
  constructor(context: LocalGroupsContext, closed: (name: string, filter: string) => void = () => {}) {
    this.#context = context;
    this.#closed = closed;
  }

  get size(): number {
    return this.#groups.size;
  }

  consume(name: string, filter: string, consumer: Consumer, options: GroupOptions): Membership {
    return this.#open(name, filter).join(consumer, options);
  }

  async status(name: string, filter: string): Promise<GroupStatus | undefined> {
    const group = this.#groups.get(keyOf(name, filter));
    return group === undefined ? this.#kept(name, filter) : group.status();
  }

  async move(name: string, filter: string, to: Start): Promise<void> {
    const group = this.#open(name, filter);
    try {
      await group.move(to);
    } finally {
      // It may have been opened for this alone.
      if (group.empty) group.close();
    }
  }

  async delete(name: string, filter: string): Promise<void> {
    const claim = { key: keyOf(name, filter), principal: GROUPS, clean: true, keptFor: 0 };
    // Whoever wants the place next gets it at once: it is let go of below.
    const place = await this.#context.sessions.open(claim, { takenOver() {}, encode: () => NOTHING });
    place.leave(0);
  }

  drop(name: string, filter: string): void {
    this.#groups.get(keyOf(name, filter))?.takenOver();
  }

  #open(name: string, filter: string): LogGroup {
    const key = keyOf(name, filter);
    const here = this.#groups.get(key);
    if (here !== undefined) return here;
    const group = new LogGroup(name, filter, this.#context, () => {
      if (this.#groups.get(key) !== group) return;
      this.#groups.delete(key);
      this.#closed(name, filter);
    });
    this.#groups.set(key, group);
    this.#schedule();
    return group;
  }

  #schedule(): void {
    this.#timer ??= this.#context.clock.schedule(SWEEP, () => {
      this.#timer = undefined;
      for (const group of this.#groups.values()) group.sweep();
      if (this.#groups.size > 0) this.#schedule();
    });
  }

  /** What there is to say of a group without members. */
  async #kept(name: string, filter: string): Promise<GroupStatus | undefined> {
    const { state, clock, log, router, node } = this.#context;
    const entry = await state.get('sessions', keyOf(name, filter));
    if (entry === undefined) return undefined;
    try {
      const session = decodeSession(entry.value);
      if (session.expiresAt > 0 && session.expiresAt <= clock.now()) return undefined;
      const { ordered, positions, unsettled } = decodeGroup(session.state);
      const ends = router.positions();
      const lag = unsettled.length + (await lagOf(log, filter, positions, ends));
      return { name, filter, ordered, positions, ends, lag, unsettled: 0, members: 0, node };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new BrokerError('internal', `what is kept of group ${name} of ${filter} cannot be read`);
    }
  }
}
