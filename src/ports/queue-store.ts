import type { Message } from '../core/message.ts';
import type { AppendReceiver } from './backbone.ts';

/** The messages of queues. One contract suite (`test/contract/queues.ts`) holds every adapter to what is said here. */
export interface QueueStores {
  /**
   * The store of a queue, made when it is missing. Only the node that owns the queue (`Cluster.own`) opens it, once at a
   * time. Resolves when it is known how much is in it. Names are any text of at most 1 KiB. Rejects with a BrokerError.
   */
  open(name: string, receiver: QueueReceiver): Promise<QueueStore>;
}

export interface QueueReceiver {
  /** Messages, in the order in which they are to be delivered; this node's until they are removed or released. */
  take(entries: readonly QueueEntry[]): void;
  /**
   * The store is no longer this node's, or cannot go on: nothing more comes from it, and what was taken will come again
   * where it is opened next.
   */
  lost(): void;
}

/** A message of a queue. */
export interface QueueEntry {
  /** Names it within its queue. Ascends with the order in which messages were stored. */
  readonly id: number;
  /** Its own bytes; `sequence` is 0, for it is no message of the log. */
  readonly message: Message;
  /** How often it was given to a consumer before, as far as was recorded by `release`. */
  readonly deliveries: number;
  /** It was with a consumer before, or may have been: the node that had it may not have had the time to say so. */
  readonly redelivered: boolean;
}

/** Where messages to be dispatched come from: a queue's store, or a group's place in the log. */
export interface QueueSource {
  /**
   * So many more are wanted, beyond those wanted before that have not come. They come by `take` as soon as there are so
   * many, or fewer: later, never during the call. Of those that are due: the highest priority first; in each priority what
   * was released before what was never taken, else in order of their ids.
   */
  want(count: number): void;
  /** It is done with: it does not come again. Durable with `flushed`. */
  remove(id: number): void;
  /**
   * Not done with: it comes again by `take` when it is wanted, not before `dueAt` (milliseconds since 1970; 0: at once),
   * with this count of deliveries, `redelivered` when that is above 0. Where both are as they were when it was taken, nothing
   * need be written.
   */
  release(id: number, dueAt: number, deliveries: number): void;
  /** Resolves when all removed so far is durably so. Rejects with a BrokerError when that cannot be made so. */
  flushed(): Promise<void>;
}

/** A source whose messages can be passed over: taken, looked at, and left where they are for someone who comes later. */
export interface SelectiveSource extends QueueSource {
  /**
   * Taken, and for nobody who is here: it is as if it had never been taken, with its place in the order, its deliveries and
   * `redelivered` as they were, but it does not come again before `revisit`. Nothing is written, its payload is not held, and
   * `purge`, `browse`, `close` and `destroy` see it as one that was never taken.
   */
  pass(id: number): void;
  /**
   * Of what was passed over, these (without `ids`: all) come again by `take` when they are wanted, in the order in which they
   * would have come; others that are stored with them may, too. What is not passed over stays as it is.
   */
  revisit(ids?: readonly number[]): void;
}

export interface QueueStore extends SelectiveSource {
  /**
   * In it, with those that were taken, those that are due later, and those that are being stored: messages, and bytes of their
   * payloads.
   */
  readonly messages: number;
  readonly bytes: number;
  /**
   * Stores a message behind all others of its priority (`properties.priority`); before `properties.deliverAt` it does not
   * come. Its bytes are copied, or it is given its own, before the call returns. `receiver` hears of it when it is durable,
   * never during the call. With a `dedupId` that was stored in this queue before, not longer ago than the configured window,
   * it is not stored again: `appended` says `repeated`.
   */
  push(message: Message, receiver: AppendReceiver, token: number): void;
  /**
   * Everything in it, also what was taken and what is due later, by ascending id: at most `count` with ids above `after`.
   * `next`: to go on with as `after`; undefined at the end.
   */
  browse(
    after: number,
    count: number,
  ): Promise<{ readonly entries: readonly QueueEntry[]; readonly next: number | undefined }>;
  /** Removes what was not taken. Resolves with how many those were, when it is durable. */
  purge(): Promise<number>;
  /** Gives it up, with all that was not removed. Resolves when all that was asked for before is durable. */
  close(): Promise<void>;
  /** Removes the queue with all that is in it, and closes. */
  destroy(): Promise<void>;
}
