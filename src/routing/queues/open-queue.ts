import type { Counters } from '../../core/counters.ts';
import { BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import { contradiction, type PartialSettings, type QueueSettings } from '../../core/queue-settings.ts';
import { parseSelector } from '../../core/selector.ts';
import type { AppendReceiver } from '../../ports/backbone.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Limits } from '../../ports/limits.ts';
import type { QueueEntry, QueueStore } from '../../ports/queue-store.ts';
import type { BrowsedPortion, Consumer, ConsumerOptions, Consumption, QueueStatus } from '../../ports/queues.ts';
import type { Logger } from '../../ports/routing.ts';
import { Dispatcher } from '../dispatch/dispatcher.ts';
import type { DeadReason, DispatcherHandlers } from '../dispatch/rules.ts';
import { altered } from './altered.ts';
import { WatchedConsumption } from './auto-delete.ts';
import {
  DEAD_LETTER_ID,
  DeadLetters,
  hopsOf,
  isDeadLetter,
  type PublishDeadLetter,
  type PushDeadLetter,
  toQueue,
  toTopic,
  withoutHistory,
} from './dead-letters.ts';

/** A queue that drops its oldest may have so many too many for a while; then new ones are refused. */
const SLACK = 1024;
/** Sweeps until what the consumers that went have passed over is as any other message. */
const AWAY = 10;
/** Milliseconds that a queue which goes with its last consumer is kept for one of another node that is out of reach. */
const OUT_OF_REACH = 30_000;
/** Milliseconds until a dead letter is tried again for which there was no room. */
const CROWDED = 10_000;

export interface QueueContext {
  readonly node: string;
  readonly limits: Limits;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deadLetter: PushDeadLetter;
  readonly publish: PublishDeadLetter;
  /** How many queues are bound to a topic. */
  readonly bound: (topic: string) => number;
  /** It is not to be kept any longer: its last consumer has gone. */
  readonly abandoned: (queue: OpenQueue) => void;
}

/** A queue whose store is open: what comes in, what goes out, and what is given up. */
export class OpenQueue implements DispatcherHandlers {
  readonly name: string;
  readonly settings: QueueSettings;
  readonly store: QueueStore;
  readonly dispatcher: Dispatcher;
  readonly #context: QueueContext;
  readonly #letters: DeadLetters | undefined;
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  /** When it had a consumer or a new message last, milliseconds since 1970; at most a second late. */
  #usedAt: number;
  #pushed = false;
  /** Sweeps without consumers. */
  #idle = 0;
  /** It has had a consumer, on this node. */
  #consumed = false;
  /** Its last consumer may be back until then, milliseconds since 1970. */
  #keptUntil = 0;

  constructor(name: string, settings: QueueSettings, store: QueueStore, context: QueueContext) {
    this.name = name;
    this.settings = settings;
    this.store = store;
    this.#context = context;
    const { limits, clock, logger } = context;
    const { deadLetterQueue, deadLetterTopic, maxMessages, maxBytes } = settings;
    this.#maxMessages = Math.min(maxMessages || Number.POSITIVE_INFINITY, limits.queueMessages);
    this.#maxBytes = Math.min(maxBytes || Number.POSITIVE_INFINITY, limits.queueBytes);
    this.#usedAt = clock.now();
    const { queueMemoryBytes: memoryBytes, consumerBytes, heldMessages } = limits;
    const options = { ...settings, keys: 'one', memoryBytes, consumerBytes, heldMessages } as const;
    const selecting = { source: store, most: limits.passedMessages, full: () => this.#tooManyPassed() };
    this.dispatcher = new Dispatcher(store, options, clock, logger, this, selecting);
    if (deadLetterQueue !== '' || deadLetterTopic !== '') {
      const { counters, deadLetter, publish, bound } = context;
      const target =
        deadLetterTopic === '' ? toQueue(deadLetterQueue, deadLetter) : toTopic(deadLetterTopic, publish, bound);
      const letters = { clock, counters, logger, mostBytes: memoryBytes, mostHops: limits.deadLetterHops };
      this.#letters = new DeadLetters(name, target, letters, (id) => store.remove(id));
    }
  }

  push(pushed: Message, receiver: AppendReceiver, token: number): void {
    const message = this.#admitted(withoutHistory(pushed));
    const { messageId, priority } = message.properties ?? {};
    if (messageId !== undefined && !message.dedupId?.startsWith(DEAD_LETTER_ID))
      message.dedupId = `${this.name}\0${messageId}`;
    const refusal = this.full(1, message.size);
    if (refusal !== undefined) {
      // Nothing is lost of a dead letter, which is tried again; one of QoS 0 is counted where it came in.
      const told = message.qos > 0 || receiver.hearsAll === true;
      if (told && !message.dedupId?.startsWith(DEAD_LETTER_ID)) this.#context.counters.droppedQueue++;
      this.#context.clock.defer(() => receiver.refused(token, refusal));
      return;
    }
    this.#pushed = true;
    // It may be the first, or come before it.
    if (priority !== undefined || this.store.messages === 0) this.dispatcher.forgetHead();
    if (priority !== undefined) this.dispatcher.announce(priority);
    this.store.push(message, receiver, token);
    if (this.settings.overflow !== 'refuse') this.#shed();
  }

  /** A priority that is too high counts as the highest there is. */
  #admitted(message: Message): Message {
    const { maxPriority } = this.settings;
    return (message.properties?.priority ?? 0) > maxPriority
      ? altered(message, { ...message.properties, priority: maxPriority })
      : message;
  }

  /** Throws a BrokerError when the queue is set otherwise, or the consumer is not taken. */
  attach(consumer: Consumer, options: ConsumerOptions, given: PartialSettings): Consumption {
    this.check(given);
    const { selector } = options;
    const selects = selector === undefined ? undefined : parseSelector(selector, this.#context.limits);
    const consumption = this.dispatcher.attach(consumer, options, selects);
    this.#consumed = true;
    if (!this.settings.autoDelete) return consumption;
    this.#keptUntil = 0;
    return new WatchedConsumption(consumption, (forGood) => {
      if (this.dispatcher.consumers > 0) return;
      if (forGood) this.#context.abandoned(this);
      else this.#keptUntil = this.#context.clock.now() + OUT_OF_REACH;
    });
  }

  /** Throws a BrokerError when it is set otherwise. */
  check(given: PartialSettings): void {
    const fault = contradiction(this.settings, given);
    if (fault !== undefined) throw new BrokerError('fieldInvalid', fault);
  }

  status(): QueueStatus {
    const { messages, bytes } = this.store;
    const { unsettled, consumers } = this.dispatcher;
    return {
      name: this.name,
      settings: this.settings,
      messages,
      bytes,
      unsettled,
      consumers,
      node: this.#context.node,
    };
  }

  async browse(after: number, count: number): Promise<BrowsedPortion> {
    const { entries, next } = await this.store.browse(after, count);
    return { messages: entries.map(({ message, id, deliveries }) => ({ message, id, deliveries })), next };
  }

  async purge(): Promise<number> {
    const here = this.dispatcher.purge();
    return here + (await this.store.purge());
  }

  // --- DispatcherHandlers -------------------------------------------------------------------------------------------

  dead(entry: QueueEntry, reason: DeadReason, deliveries: number): void {
    const { counters, clock } = this.#context;
    if (this.#letters !== undefined && this.#goesOn(entry, reason)) {
      const sent = this.#letters.send(entry, reason, deliveries);
      if (!sent) this.store.release(entry.id, clock.now() + CROWDED, deliveries);
      return;
    }
    this.store.remove(entry.id);
    if (reason === 'expired') counters.droppedExpired++;
    else counters.droppedQueue++;
  }

  /**
   * What two full queues would hand to each other for ever stays away after the first time, and what goes round in a circle
   * of queues in which it expires, after some.
   */
  #goesOn({ message }: QueueEntry, reason: DeadReason): boolean {
    if (reason === 'expired') return hopsOf(message) < this.#context.limits.deadLetterHops;
    return reason !== 'overflow' || (this.settings.overflow === 'deadLetterOldest' && !isDeadLetter(message));
  }

  excess(): boolean {
    return this.settings.overflow !== 'refuse' && this.#excess > 0;
  }

  /** How many messages are too many; 1 when it is their bytes. Those on their way to the dead-letter queue are not counted. */
  get #excess(): number {
    const messages = this.store.messages - (this.#letters?.size ?? 0) - this.#maxMessages;
    if (messages > 0) return messages;
    return this.store.bytes - (this.#letters?.bytes ?? 0) > this.#maxBytes ? 1 : 0;
  }

  #tooManyPassed(): void {
    const { counters, limits, logger } = this.#context;
    counters.passedFull++;
    const fields = { queue: this.name, 'limits.passedMessages': limits.passedMessages };
    logger.warn(fields, 'consumers pass over so many messages of a queue that those behind them are not looked at');
  }

  #shed(): void {
    const excess = this.#excess;
    if (excess > 0) this.dispatcher.probe(excess);
  }

  /** Why so many messages more, of this size together, are not taken. */
  full(count: number, size: number): BrokerError | undefined {
    const { messages, bytes } = this.store;
    const slack = this.settings.overflow === 'refuse' ? 0 : SLACK;
    const limits = this.#context.limits;
    if (messages + count > this.#maxMessages + slack) {
      const name = this.#maxMessages === this.settings.maxMessages ? 'maxMessages' : 'limits.queueMessages';
      const many = count > 1 ? ` and ${count} more are too many` : '';
      return this.#full(`${messages} messages are in it${many}, ${name} is ${this.#maxMessages}`);
    }
    if (bytes + size <= this.#maxBytes || (slack > 0 && size <= this.#maxBytes && bytes <= 2 * this.#maxBytes))
      return undefined;
    const name = this.#maxBytes < limits.queueBytes ? 'maxBytes' : 'limits.queueBytes';
    return this.#full(`${bytes} bytes are in it and ${size} more are too many, ${name} is ${this.#maxBytes}`);
  }

  #full(detail: string): BrokerError {
    return new BrokerError('quota', `the queue ${JSON.stringify(this.name)} is full: ${detail}`);
  }

  // --- time ---------------------------------------------------------------------------------------------------------

  /** To be called every second or so. */
  sweep(now: number): void {
    const { dispatcher, store } = this;
    if (this.#pushed || dispatcher.consumers > 0) this.#usedAt = now;
    this.#pushed = false;
    this.#letters?.retry(now);
    this.#idle = dispatcher.consumers > 0 ? 0 : this.#idle + 1;
    // One who is away for a moment comes back to where it was.
    if (this.#idle > AWAY) dispatcher.forgetSelectors();
    if (dispatcher.consumers > 0) {
      if (dispatcher.waiting + dispatcher.passed > 0) dispatcher.sweep();
    } else if (store.messages > (this.#letters?.size ?? 0) && dispatcher.headExpiresAt <= now) {
      dispatcher.probe(1);
    }
    if (this.settings.overflow !== 'refuse') this.#shed();
  }

  unused(now: number): boolean {
    if (this.dispatcher.consumers > 0) return false;
    const { autoDelete, expiryMilliseconds } = this.settings;
    return (
      (autoDelete && this.#consumed && this.#keptUntil <= now) ||
      (expiryMilliseconds > 0 && this.#usedAt + expiryMilliseconds <= now)
    );
  }
}
