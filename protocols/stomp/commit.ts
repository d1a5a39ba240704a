import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { Unit } from '../../src/ports/routing.ts';
import { Refusal } from './refusal.ts';
import type { StompSubscription } from './subscription.ts';
import type { Actions, HeldAck } from './transactions.ts';

export interface CommitOwner {
  /** It has begun, and what it settles is settled: frames behind it may be looked at. */
  through(commit: Commit): void;
  /** All is durable, but what `subscriptions` have settled is so only when they say so. */
  committed(commit: Commit, subscriptions: readonly StompSubscription[], repeated: boolean): void;
  refused(commit: Commit, error: BrokerError): void;
}

/**
 * A COMMIT: "any messages sent or acknowledged during a transaction will be handled atomically" (STOMP 1.2, BEGIN). What queues
 * have settled is durable with the messages where the store can do that; the rest is settled when the messages are durable, so
 * that nothing is lost between.
 */
export class Commit implements Unit {
  readonly messages: readonly Message[];
  readonly receipt: string | undefined;
  readonly #acks: readonly HeldAck[];
  readonly #owner: CommitOwner;
  #begun = false;
  /** Settled so far: those that can be with the messages, all. */
  #settled: 'none' | 'joined' | 'all';

  constructor({ messages, acks }: Actions, receipt: string | undefined, owner: CommitOwner) {
    this.messages = messages;
    this.receipt = receipt;
    this.#acks = acks;
    this.#owner = owner;
    this.#settled = acks.length === 0 ? 'all' : 'none';
  }

  /** A receipt is only given for durable messages, and an ACK is for what came of a message. */
  get durable(): boolean {
    return this.receipt !== undefined || this.#acks.length > 0;
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
    const settled = this.#acks.some(({ subscription, number }) => !subscription.unsettled(number));
    return settled ? settledOtherwise('COMMIT') : undefined;
  }

  join(): void {
    for (const ack of this.#acks) if (ack.subscription.joins) settle(ack);
    if (this.#settled === 'none') this.#settled = this.#acks.every((ack) => ack.subscription.joins) ? 'all' : 'joined';
  }

  done(repeated: boolean): void {
    for (const ack of this.#acks) if (!ack.subscription.joins) settle(ack);
    this.#settled = 'all';
    this.#begun = true;
    this.#owner.committed(this, [...new Set(this.#acks.map(({ subscription }) => subscription))], repeated);
    this.#owner.through(this);
  }

  refused(error: BrokerError): void {
    this.#begun = true;
    this.#settled = 'all';
    this.#owner.refused(this, error);
  }
}

function settle({ subscription, number, outcome, delay }: HeldAck): void {
  subscription.settle(number, outcome, delay);
}

/** Whole or not at all: a transaction cannot settle what is settled. */
export function settledOtherwise(command: string): Refusal {
  const detail = `${command}: a message of the transaction was settled otherwise before, or its subscription has ended`;
  return new Refusal('protocol', detail, 'Nothing of the transaction was done.');
}
