import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { Unit } from '../../src/ports/routing.ts';
import { Refusal } from './refusal.ts';
import type { Effect, StompSubscription } from './subscription.ts';
import type { Actions, HeldAck } from './transactions.ts';

export interface CommitOwner {
  /** It has begun, and what it settles is settled: frames behind it may be looked at. */
  through(commit: Commit): void;
  /** All is durable, but what it has settled is so only with these. */
  committed(commit: Commit, settled: readonly Effect[], repeated: boolean): void;
  refused(commit: Commit, error: BrokerError): void;
}

const NOTHING_DONE = 'Nothing of the transaction was done.';
/** RabbitMQ's words, of late. */
const SETTLED = 'Message not found';

/**
 * A COMMIT: "any messages sent or acknowledged during a transaction will be handled atomically" (STOMP 1.2, BEGIN). What queues
 * have settled is durable with the messages where the store can do that; the rest is settled when the messages are durable, so
 * that nothing is lost between.
 */
export class Commit implements Unit {
  readonly messages: readonly Message[];
  readonly receipt: string | undefined;
  /** Of its frames. */
  readonly receipts: readonly string[];
  readonly #acks: readonly HeldAck[];
  readonly #owner: CommitOwner;
  #begun = false;
  /** Settled so far: those that can be with the messages, all. */
  #settled: 'none' | 'joined' | 'all';
  /** When that is durable: asked for at once, as the subscription may have ended when the messages are. */
  readonly #stored: Effect[] = [];

  constructor({ messages, acks, receipts }: Actions, receipt: string | undefined, owner: CommitOwner) {
    this.messages = messages;
    this.receipt = receipt;
    this.receipts = receipts;
    this.#acks = acks;
    this.#owner = owner;
    this.#settled = acks.length === 0 ? 'all' : 'none';
  }

  /** A receipt is only given for durable messages, and an ACK is for what came of a message. */
  get durable(): boolean {
    return this.receipt !== undefined || this.receipts.length > 0 || this.#acks.length > 0;
  }

  get through(): boolean {
    return this.#begun && this.#settled === 'all';
  }

  /** Its messages are on their way, in front of all that come later. */
  begin(): void {
    this.#begun = true;
    if (this.through) this.#owner.through(this);
  }

  fault(): BrokerError | undefined {
    if (!this.#acks.every(canBeSettled)) return settledOtherwise('COMMIT');
    return contradict(this.#acks) ? contradiction() : undefined;
  }

  join(): void {
    for (const [subscription, acks] of this.#joining()) {
      if (subscription.join === undefined) acks.forEach(settle);
      else subscription.join(acks.map(({ number }) => number));
      this.#awaits(subscription);
    }
    if (this.#settled === 'none') this.#settled = this.#acks.every((ack) => ack.subscription.joins) ? 'all' : 'joined';
  }

  /** What can be settled with the messages, by subscription. */
  #joining(): Map<StompSubscription, HeldAck[]> {
    const joining = new Map<StompSubscription, HeldAck[]>();
    for (const ack of this.#acks) {
      if (!ack.subscription.joins) continue;
      const acks = joining.get(ack.subscription);
      if (acks === undefined) joining.set(ack.subscription, [ack]);
      else acks.push(ack);
    }
    return joining;
  }

  done(repeated: boolean): void {
    for (const subscription of this.#joining().keys()) subscription.joined?.(true);
    const others = this.#acks.filter((ack) => !ack.subscription.joins);
    others.forEach(settle);
    for (const subscription of new Set(others.map((ack) => ack.subscription))) this.#awaits(subscription);
    this.#settled = 'all';
    this.#begun = true;
    this.#owner.committed(this, this.#stored, repeated);
    this.#owner.through(this);
  }

  #awaits(subscription: StompSubscription): void {
    const stored = subscription.stored();
    // Where the messages are refused, nobody asks.
    stored?.catch(() => {});
    this.#stored.push(stored);
  }

  refused(error: BrokerError): void {
    if (this.#settled !== 'none') for (const subscription of this.#joining().keys()) subscription.joined?.(false);
    this.#begun = true;
    this.#settled = 'all';
    this.#owner.refused(this, error);
  }
}

/** By a transaction. */
export function canBeSettled({ subscription, number }: Pick<HeldAck, 'subscription' | 'number'>): boolean {
  return subscription.unsettled(number) && subscription.holds(number);
}

function settle({ subscription, number, outcome, delay }: HeldAck): void {
  subscription.settle(number, outcome, delay);
}

/** Whether a message is named twice, as with an ACK and with a NACK: one of them would have no effect. */
function contradict(acks: readonly HeldAck[]): boolean {
  if (acks.length < 2) return false;
  const outcomes = new Map<StompSubscription, Map<number, HeldAck['outcome']>>();
  for (const { subscription, number, outcome } of acks) {
    const before = outcomes.get(subscription) ?? new Map<number, HeldAck['outcome']>();
    if ((before.get(number) ?? outcome) !== outcome) return true;
    outcomes.set(subscription, before.set(number, outcome));
  }
  return false;
}

function contradiction(): Refusal {
  const detail = 'COMMIT: a message of the transaction is settled in two ways';
  return new Refusal('protocol', detail, NOTHING_DONE, SETTLED);
}

/** Whole or not at all: a transaction cannot settle what is settled. */
export function settledOtherwise(command: string): Refusal {
  const detail = `${command}: a message of the transaction was settled otherwise before, or its subscription has ended`;
  return new Refusal('protocol', detail, NOTHING_DONE, SETTLED);
}
