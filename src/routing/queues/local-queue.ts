import { asBrokerError, BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { PartialSettings } from '../../core/queue-settings.ts';
import type { AppendReceiver } from '../../ports/backbone.ts';
import type { Clock } from '../../ports/clock.ts';
import type { QueueEntry, QueueReceiver } from '../../ports/queue-store.ts';
import type { Consumer, ConsumerOptions, Consumption, Outcome } from '../../ports/queues.ts';
import type { OpenQueue } from './open-queue.ts';

/**
 * Messages for a queue that is being opened, at most; publishers that wait for an answer are held back by what they have under
 * way long before.
 */
const MOST_WAITING = 10_000;

interface Waiting {
  readonly message: Message;
  readonly receiver: AppendReceiver;
  readonly token: number;
}

/** A queue of this node, open or being opened: who comes early waits. */
export class LocalQueue implements QueueReceiver {
  readonly name: string;
  readonly opened: Promise<OpenQueue>;
  /** It is made when it is missing. */
  create: boolean;
  readonly #clock: Clock;
  /** To be called when it could not be opened, or is lost: the next one who needs it begins anew. */
  readonly #gone: () => void;
  #open: OpenQueue | undefined;
  #waiting: Waiting[] = [];
  /** Of those (`Message.weight`), and how much it may be. */
  #waitingBytes = 0;
  readonly #mostBytes: number;
  #ended: BrokerError | undefined;

  constructor(
    name: string,
    create: boolean,
    open: (queue: LocalQueue) => Promise<OpenQueue>,
    clock: Clock,
    mostBytes: number,
    gone: () => void,
  ) {
    this.#mostBytes = mostBytes;
    this.name = name;
    this.create = create;
    this.#clock = clock;
    this.#gone = gone;
    this.opened = this.#begin(open);
    // Whoever needs to know asks.
    this.opened.catch(() => {});
  }

  /** undefined while it is being opened. */
  get now(): OpenQueue | undefined {
    return this.#open;
  }

  async #begin(open: (queue: LocalQueue) => Promise<OpenQueue>): Promise<OpenQueue> {
    try {
      const opened = await open(this);
      if (this.#ended !== undefined) {
        await opened.store.close();
        throw this.#ended;
      }
      this.#open = opened;
      for (const { message, receiver, token } of this.#waiting.splice(0)) opened.push(message, receiver, token);
      return opened;
    } catch (error) {
      const known = asBrokerError(error);
      this.#refuse(known);
      if (this.#ended === undefined) this.#gone();
      throw known;
    }
  }

  push(message: Message, receiver: AppendReceiver, token: number): void {
    if (this.#open !== undefined) {
      this.#open.push(message, receiver, token);
    } else if (this.#waiting.length < MOST_WAITING && this.#waitingBytes < this.#mostBytes) {
      this.create = true;
      this.#waitingBytes += message.weight;
      this.#waiting.push({ message: message.keep(), receiver, token });
    } else {
      const error = new BrokerError('unavailable', 'too many messages wait for the queue to be opened');
      this.#clock.defer(() => receiver.refused(token, error));
    }
  }

  consume(consumer: Consumer, options: ConsumerOptions, given: PartialSettings): Consumption {
    if (this.#open === undefined) {
      this.create = true;
      return new LateConsumption(this.opened, consumer, options, given);
    }
    try {
      return this.#open.attach(consumer, options, given);
    } catch (error) {
      return new LateConsumption(Promise.reject(error), consumer, options, given);
    }
  }

  /** Ends its consumers; `lost`: the store is another node's, or deleted, and gets nothing back. */
  end(error: BrokerError, lost: boolean): void {
    this.#ended ??= error;
    this.#open?.dispatcher.close(error, lost);
    this.#refuse(error);
  }

  take(entries: readonly QueueEntry[]): void {
    this.#open?.dispatcher.take(entries);
  }

  lost(): void {
    this.#gone();
    this.end(new BrokerError('unavailable', 'the queue is served elsewhere, or its store has failed'), true);
  }

  #refuse(error: BrokerError): void {
    for (const { receiver, token } of this.#waiting.splice(0)) this.#clock.defer(() => receiver.refused(token, error));
  }
}

/** Of a consumer that came before the queue was open, or is not taken. */
export class LateConsumption implements Consumption {
  readonly opened: Promise<void>;
  #inner: Consumption | undefined;
  #cancelled = false;

  constructor(opened: Promise<OpenQueue>, consumer: Consumer, options: ConsumerOptions, given: PartialSettings) {
    this.opened = opened.then((queue) => {
      if (!this.#cancelled) this.#inner = queue.attach(consumer, options, given);
    });
    // Not everyone waits for it; `ended` says the same.
    this.opened.catch((error: unknown) => {
      if (!this.#cancelled) consumer.ended(asBrokerError(error));
    });
  }

  settle(delivery: number, outcome: Outcome, delay?: number): void {
    this.#inner?.settle(delivery, outcome, delay);
  }

  holds(delivery: number): boolean {
    return this.#inner?.holds(delivery) ?? false;
  }

  settled(): Promise<void> {
    return this.#inner?.settled() ?? Promise.resolve();
  }

  pump(): void {
    this.#inner?.pump();
  }

  cancel(): void {
    this.#cancelled = true;
    this.#inner?.cancel();
  }

  interrupted(): void {
    this.#cancelled = true;
    if (this.#inner?.interrupted === undefined) this.#inner?.cancel();
    else this.#inner.interrupted();
  }
}
