import type { Counters } from '../core/counters.ts';
import type { Message } from '../core/message.ts';
import type { GroupReceiver, GroupSource } from '../ports/backbone.ts';
import type { GroupMember, Membership, Outcome } from '../ports/queues.ts';
import type { Router, Subscriber, Subscription } from '../ports/routing.ts';

/** Of a member that has no bound of its own: messages asked for at once. */
const ROOM = 256;

/**
 * One shared subscription on this node: its members, one after the other. Live messages come from the router, logged ones
 * from a source that all nodes share.
 */
export class Group implements Subscriber, GroupReceiver {
  /** None: `noLocal` is not allowed here [MQTT-3.8.3-4]. */
  readonly clientId = '';
  readonly #members: Member[] = [];
  readonly #counters: Counters;
  readonly #router: Router;
  readonly #subscription: Subscription;
  readonly #emptied: (forget: boolean) => void;
  readonly #source: GroupSource;
  /** Whose turn it is. */
  #turn = 0;
  #forget = true;

  constructor(
    name: string,
    filter: string,
    router: Router,
    counters: Counters,
    open: (receiver: GroupReceiver) => GroupSource,
    emptied: (forget: boolean) => void,
  ) {
    this.#router = router;
    this.#counters = counters;
    this.#emptied = emptied;
    this.#source = open(this);
    const flags = { qos: 0, noLocal: false, retainAsPublished: true, identifier: 0 } as const;
    this.#subscription = { ...flags, subscriber: this, filter, id: '', since: [], share: `${name}/${filter}` };
    router.subscribe(this.#subscription);
  }

  join(member: GroupMember): Membership {
    const joined = new Member(member, this.#source, (forget) => this.#leave(joined, forget));
    this.#members.push(joined);
    this.#source.pump();
    return joined;
  }

  #leave(member: Member, forget: boolean): void {
    const index = this.#members.indexOf(member);
    if (index === -1) return;
    this.#members.splice(index, 1);
    this.#forget &&= forget;
    if (this.#members.length > 0) {
      this.#source.pump();
      return;
    }
    this.#router.unsubscribe(this.#subscription);
    this.#source.close(this.#forget);
    this.#emptied(this.#forget);
  }

  /** Logged messages come from the source alone. */
  deliver(message: Message): void {
    if (message.qos > 0) return;
    for (let tries = this.#members.length; tries > 0; tries--) {
      const member = this.#next();
      if (member?.member.takeLive(message)) return;
    }
    this.#counters.droppedSlow++;
  }

  room(): number {
    return this.#members.some(({ member }) => member.ready()) ? ROOM : 0;
  }

  take(message: Message, delivery: number): void {
    for (let tries = this.#members.length; tries > 0; tries--) {
      const member = this.#next();
      if (member?.member.ready()) {
        member.member.take(message, { number: delivery, count: 1, redelivered: false });
        return;
      }
    }
    this.#source.giveBack(delivery);
  }

  #next(): Member | undefined {
    this.#turn = (this.#turn + 1) % Math.max(1, this.#members.length);
    return this.#members[this.#turn];
  }
}

class Member implements Membership {
  readonly member: GroupMember;
  readonly #source: GroupSource;
  readonly leave: (forget: boolean) => void;

  constructor(member: GroupMember, source: GroupSource, leave: (forget: boolean) => void) {
    this.member = member;
    this.#source = source;
    this.leave = leave;
  }

  readonly opened = Promise.resolve();

  settle(delivery: number, outcome: Outcome): void {
    if (outcome === 'requeue') this.#source.giveBack(delivery);
    else this.#source.settle(delivery);
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  cancel(): void {
    this.leave(false);
  }

  pump(): void {
    this.#source.pump();
  }
}
