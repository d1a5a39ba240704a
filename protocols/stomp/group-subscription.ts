import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { GroupMember, Membership } from '../../src/ports/queues.ts';
import { ConsumerSubscription } from './consumer-subscription.ts';
import type { DurableName } from './durable.ts';
import type { Link } from './feed.ts';
import type { GroupRequest } from './subscribe.ts';
import type { Effect } from './subscription.ts';

/** A member of a group. A durable one's group keeps its place in the log when all are gone. */
export class GroupSubscription extends ConsumerSubscription<Membership> implements GroupMember {
  readonly durable: DurableName | undefined;
  readonly joins = false;
  readonly #request: GroupRequest;

  constructor(link: Link, number: number, request: GroupRequest, failed: (error: BrokerError) => void) {
    super(link, number, request, failed);
    this.#request = request;
    this.durable = request.durable;
  }

  protected consume(): Membership {
    const { group, filter, prefetch, ordered, selector, start } = this.#request;
    const { groups, limits } = this.link.services;
    const keptFor = this.durable === undefined ? 0 : limits.sessionExpirySeconds;
    const options = {
      clientId: this.link.clientId,
      prefetch,
      keptFor,
      ordered,
      selector: selector?.text,
      start: start ?? { from: 'new' },
    };
    return groups.join(group, filter, this, options);
  }

  protected leave(membership: Membership, forever: boolean): void {
    const forget = forever || this.durable === undefined;
    const leave = (): void => membership.leave(forget);
    // One that was asked for is kept from then on, also when its client leaves before it is there.
    if (forget || this.opened) leave();
    else membership.opened.then(leave, leave);
  }

  override unsubscribe(forever: boolean): Effect {
    const settled = super.unsubscribe(forever);
    const shared = this.durable?.shared;
    if (!forever || shared === undefined) return settled;
    // Whoever else has it begins anew, as with a queue of RabbitMQ's that is deleted.
    const deleted = this.link.services.groups.delete(shared.group, shared.filter);
    return Promise.all([settled, deleted]).then(() => {});
  }

  takeLive(message: Message): boolean {
    if (!this.ready()) return false;
    if (message.expired(this.link.services.clock.now())) this.link.counters.droppedExpired++;
    else this.feed.deliver(message, 0, 1, false);
    return true;
  }
}
