import type { Counters } from '../../core/counters.ts';
import type { Start } from '../../core/start.ts';
import type { GroupMember, GroupOptions, GroupStatus, Groups, Membership } from '../../ports/queues.ts';
import type { Router } from '../../ports/routing.ts';
import type { GroupHost } from '../hosts.ts';
import { kindOf, selectorOf } from './kind.ts';
import { LiveGroup } from './live.ts';
import { shareOf } from './share.ts';

/** Shared subscriptions of this node's clients: live messages come from its router, logged ones from the group's host. */
export class GroupTable implements Groups {
  readonly #groups = new Map<string, LiveGroup>();
  readonly #router: Router;
  readonly #counters: Counters;
  readonly #host: GroupHost;

  constructor(router: Router, counters: Counters, host: GroupHost) {
    this.#router = router;
    this.#counters = counters;
    this.#host = host;
  }

  /** Members on this node. */
  get members(): number {
    let members = 0;
    for (const group of this.#groups.values()) members += group.size;
    return members;
  }

  join(name: string, filter: string, member: GroupMember, options: GroupOptions): Membership {
    const share = shareOf(name, filter);
    const selector = selectorOf(kindOf(options));
    let group = this.#groups.get(share);
    if (group === undefined) {
      group = new LiveGroup(share, filter, this.#router, this.#counters, () => this.#groups.delete(share));
      this.#groups.set(share, group);
    }
    return group.join(member, selector, (consumer) => this.#host.consume(name, filter, consumer, options));
  }

  status(name: string, filter: string): Promise<GroupStatus | undefined> {
    return this.#host.status(name, filter);
  }

  move(name: string, filter: string, to: Start): Promise<void> {
    return this.#host.move(name, filter, to);
  }

  delete(name: string, filter: string): Promise<void> {
    return this.#host.delete(name, filter);
  }
}
