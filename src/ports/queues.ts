import type { BrokerError } from '../core/errors.ts';
import type { Message } from '../core/message.ts';
import type { PartialSettings, QueueSettings } from '../core/queue-settings.ts';
import type { Start } from '../core/start.ts';

/** What routing offers to protocols where each message goes to one of several: queues, and groups on the log. */

/** Work queues. A queue is made when it is first used; it and its messages are durable. */
export interface Queues {
  /**
   * Begins to give a consumer messages. `settings`: what the queue is to be set to; it is made so, or is checked to be so
   * (`contradiction`).
   */
  consume(queue: string, consumer: Consumer, options: ConsumerOptions, settings?: PartialSettings): Consumption;
  /** Makes a queue, or checks the settings of one that is there: rejects with a BrokerError (`fieldInvalid`) when they differ. */
  declare(queue: string, settings: PartialSettings): Promise<QueueStatus>;
  /** undefined when there is no such queue; it is not made by asking. */
  status(queue: string): Promise<QueueStatus | undefined>;
  /** Whether there is such a queue, as far as this node has been told, or one is being made from here. */
  has(queue: string): boolean;
  /** Names of all queues of the cluster, in order. */
  list(): readonly string[];
  /** What is in it, untouched. `after`: 0, or `next` of the portion before. Rejects when there is no such queue (`notFound`). */
  browse(queue: string, after: number, count: number): Promise<BrowsedPortion>;
  /** Removes all that is not with a consumer, and resolves with how many those were. */
  purge(queue: string): Promise<number>;
  /** Ends its consumers and removes it with all that is in it; resolves with how many messages those were. */
  delete(queue: string, only?: { readonly ifEmpty?: boolean; readonly ifUnused?: boolean }): Promise<number>;
}

export interface QueueStatus {
  readonly name: string;
  readonly settings: QueueSettings;
  /** In it, with those that are with consumers or due later, and bytes of their payloads. */
  readonly messages: number;
  readonly bytes: number;
  /** With consumers. */
  readonly unsettled: number;
  readonly consumers: number;
  /** Name of the node that has it. */
  readonly node: string;
}

export interface BrowsedPortion {
  readonly messages: readonly { readonly message: Message; readonly id: number; readonly deliveries: number }[];
  /** To go on with; undefined at the end. */
  readonly next: number | undefined;
}

export interface ConsumerOptions {
  readonly clientId: string;
  /** Messages it has unsettled at most, at least 1. */
  readonly prefetch: number;
  /** Consumers of lower priority get what those of higher priority have no room for. 0 is usual; may be negative. */
  readonly priority: number;
  /** It wants to be the only one: it is refused when there are others (`quota`), and others are while it is there. */
  readonly exclusive: boolean;
  /**
   * It gets only messages of which this is true (SQL-92, `core/selector.ts`); undefined: all. What nobody who is here selects
   * stays in the queue, holds up nothing, and is not delivered for being looked at.
   */
  readonly selector?: string | undefined;
  /**
   * While it is there, it alone gets messages, and others wait: the one of the highest priority that says so, of these the one
   * that came first.
   */
  readonly locksOut?: boolean;
}

/** Who consumes. Every call of it may come during a call to its `Consumption`. */
export interface Consumer {
  /** Whether it can take a message now; the prefetch is seen to by the one who gives. */
  ready(): boolean;
  /** A message, which is this consumer's until it is settled. Its payload is its own: nothing need be copied. */
  take(message: Message, delivery: Delivery): void;
  /** Nothing more comes: the queue was deleted, or cannot be served; or `opened` rejected with the same error: both say so. */
  ended(error: BrokerError): void;
}

export interface Delivery {
  /** For `settle`; ascends. */
  readonly number: number;
  /** How often it was given to a consumer, this time included. */
  readonly count: number;
  /** It was with a consumer before, or may have been. */
  readonly redelivered: boolean;
}

/** `requeue`: to another consumer, or the same; `reject`: to the dead-letter queue, or away. */
export type Outcome = 'accept' | 'requeue' | 'reject';

/** A consumer's hold on what it consumes. */
export interface Consumption {
  /** Resolves when messages may come (some may have come); rejects with a BrokerError when none will. */
  readonly opened: Promise<void>;
  /**
   * `delay`: milliseconds a requeued message waits at least; without it, what the queue is set to. Nothing happens where
   * the delivery is settled, or was taken back after a time-out.
   */
  settle(delivery: number, outcome: Outcome, delay?: number): void;
  /** Whether the delivery is the consumer's to settle, as far as is known on this node: it was not taken back. */
  holds(delivery: number): boolean;
  /** Resolves when all that is settled so far is durably so; rejects with a BrokerError when that cannot be said. */
  settled(): Promise<void>;
  /** The consumer may be ready again. */
  pump(): void;
  /** The consumer goes: what it has not settled goes to others, marked as redelivered. */
  cancel(): void;
  /** The same of one that is out of reach and may be back soon: what goes with its consumers is kept for it a while. */
  interrupted?(): void;
}

/**
 * Shared subscriptions: the members of a group, in the whole cluster, share one place in the log, and each message goes to
 * one of them.
 */
export interface Groups {
  /** Throws a BrokerError (`fieldInvalid`) for a selector that cannot be read. */
  join(name: string, filter: string, member: GroupMember, options: GroupOptions): Membership;
  /** undefined when there is no such group. */
  status(name: string, filter: string): Promise<GroupStatus | undefined>;
  /** Moves the group's place; what is with members stays with them. Rejects when there is no such group (`notFound`). */
  move(name: string, filter: string, to: Start): Promise<void>;
  /**
   * Throws away what is kept of it: members that it has begin anew, with what comes from now on. Resolves when that is durable,
   * also when there is no such group.
   */
  delete(name: string, filter: string): Promise<void>;
}

export interface GroupOptions {
  readonly clientId: string;
  readonly prefetch: number;
  /** Seconds the group's place is kept after its last member. */
  readonly keptFor: number;
  /**
   * By `properties.key`: one key goes to one member, in order, and moves when members come and go. What a group is, its
   * first member says; others that differ are refused (`fieldInvalid`).
   */
  readonly ordered: boolean;
  /**
   * The group is for messages of which this is true (SQL-92, `core/selector.ts`), and the others count as settled; undefined: all.
   * A member with another one than those who are there is refused in the same way; where none is, the group begins anew.
   */
  readonly selector?: string | undefined;
  /** Where a new group begins; one that is there goes on where it is. */
  readonly start: Start;
}

export interface GroupMember extends Consumer {
  /** A live message; false when it cannot be written now, so that another member may have it. */
  takeLive(message: Message): boolean;
}

export interface Membership extends Consumption {
  /** As `cancel`. `forget`: the group need not be kept for this member's sake. */
  leave(forget: boolean): void;
}

export interface GroupStatus {
  readonly name: string;
  readonly filter: string;
  readonly ordered: boolean;
  /** Per shard: below it everything has been given to a member; the end of the log. */
  readonly positions: readonly number[];
  readonly ends: readonly number[];
  /** Messages that match and are with no member: exact up to 100,000 of them, else an estimate from the positions. */
  readonly lag: number;
  /** With members. */
  readonly unsettled: number;
  readonly members: number;
  readonly node: string;
}
