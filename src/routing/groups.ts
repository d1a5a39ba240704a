import type { Counters } from '../core/counters.ts';
import { BrokerError } from '../core/errors.ts';
import type { GroupReceiver, GroupSource } from '../ports/backbone.ts';
import type { GroupMember, GroupOptions, Groups, Membership } from '../ports/queues.ts';
import type { Router } from '../ports/routing.ts';
import { Group } from './group.ts';

/** Opens a group's source of logged messages. `keptFor`: seconds its place is kept without members. */
export type OpenSource = (name: string, filter: string, receiver: GroupReceiver, keptFor: () => number) => GroupSource;

/** The shared subscriptions that have a member on this node, by name and filter. */
export class GroupTable implements Groups {
  readonly #groups = new Map<string, { readonly group: Group; keptFor: number }>();
  readonly #router: Router;
  readonly #counters: Counters;
  readonly #open: OpenSource;

  constructor(router: Router, counters: Counters, open: OpenSource) {
    this.#router = router;
    this.#counters = counters;
    this.#open = open;
  }

  join(name: string, filter: string, member: GroupMember, { keptFor }: GroupOptions): Membership {
    // A group's name has no slash [MQTT-4.8.2-1].
    const key = `${name}/${filter}`;
    let entry = this.#groups.get(key);
    if (entry === undefined) {
      const kept = (): number => this.#groups.get(key)?.keptFor ?? 0;
      const open = (receiver: GroupReceiver): GroupSource => this.#open(name, filter, receiver, kept);
      const group = new Group(name, filter, this.#router, this.#counters, open, () => this.#groups.delete(key));
      entry = { group, keptFor };
      this.#groups.set(key, entry);
    }
    entry.keptFor = Math.max(entry.keptFor, keptFor);
    return entry.group.join(member);
  }

  async status(): Promise<undefined> {}

  async move(): Promise<void> {
    throw new BrokerError('notFound');
  }
}
