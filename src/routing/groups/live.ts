import type { Counters } from '../../core/counters.ts';
import type { BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { Selector } from '../../core/selector.ts';
import type { Consumer, Delivery, GroupMember, Membership, Outcome } from '../../ports/queues.ts';
import type { Router, Subscriber, Subscription } from '../../ports/routing.ts';

/** A group's members on this node, which get its live messages, one after the other. */
export class LiveGroup implements Subscriber {
  /** None: `noLocal` is not allowed here [MQTT-3.8.3-4]. */
  readonly clientId = '';
  readonly #members: LiveMember[] = [];
  readonly #counters: Counters;
  readonly #router: Router;
  readonly #subscription: Subscription;
  readonly #emptied: () => void;
  /** Whose turn it is. */
  #turn = 0;

  constructor(share: string, filter: string, router: Router, counters: Counters, emptied: () => void) {
    this.#router = router;
    this.#counters = counters;
    this.#emptied = emptied;
    const flags = { qos: 0, noLocal: false, retainAsPublished: true, identifier: 0 } as const;
    this.#subscription = { ...flags, subscriber: this, filter, id: '', since: [], share };
    router.subscribe(this.#subscription);
  }

  get size(): number {
    return this.#members.length;
  }

  /** `consume`: of the group's logged messages, those that are for this member. */
  join(member: GroupMember, selector: Selector | undefined, consume: (consumer: Consumer) => Membership): Membership {
    const joined = new LiveMember(member, selector, consume, () => this.#leave(joined));
    this.#members.push(joined);
    return joined;
  }

  #leave(member: LiveMember): void {
    const index = this.#members.indexOf(member);
    if (index === -1) return;
    this.#members.splice(index, 1);
    if (this.#members.length > 0) return;
    this.#router.unsubscribe(this.#subscription);
    this.#emptied();
  }

  /** Logged messages come from the group's host. */
  deliver(message: Message): void {
    if (message.qos > 0) return;
    let wanted = false;
    for (let tries = this.#members.length; tries > 0; tries--) {
      this.#turn = (this.#turn + 1) % Math.max(1, this.#members.length);
      const member = this.#members[this.#turn];
      if (member === undefined || !member.selects(message)) continue;
      if (member.takeLive(message)) return;
      wanted = true;
    }
    // What is not selected is not missed, and costs nobody his turn.
    if (wanted) this.#counters.droppedSlow++;
  }
}

class LiveMember implements Membership, Consumer {
  readonly #member: GroupMember;
  readonly #selector: Selector | undefined;
  readonly #membership: Membership;
  readonly #left: () => void;

  constructor(
    member: GroupMember,
    selector: Selector | undefined,
    consume: (consumer: Consumer) => Membership,
    left: () => void,
  ) {
    this.#member = member;
    this.#selector = selector;
    this.#left = left;
    this.#membership = consume(this);
  }

  get opened(): Promise<void> {
    return this.#membership.opened;
  }

  selects(message: Message): boolean {
    return this.#selector === undefined || this.#selector.matches(message);
  }

  takeLive(message: Message): boolean {
    return this.#member.takeLive(message);
  }

  ready(): boolean {
    return this.#member.ready();
  }

  take(message: Message, delivery: Delivery): void {
    this.#member.take(message, delivery);
  }

  ended(error: BrokerError): void {
    this.#left();
    this.#member.ended(error);
  }

  settle(delivery: number, outcome: Outcome, delay?: number): void {
    this.#membership.settle(delivery, outcome, delay);
  }

  holds(delivery: number): boolean {
    return this.#membership.holds(delivery);
  }

  settled(): Promise<void> {
    return this.#membership.settled();
  }

  pump(): void {
    this.#membership.pump();
  }

  cancel(): void {
    this.leave(false);
  }

  leave(forget: boolean): void {
    this.#left();
    this.#membership.leave(forget);
  }
}
