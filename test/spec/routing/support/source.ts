import { Counters } from '../../../../src/core/counters.ts';
import type { Properties } from '../../../../src/core/message.ts';
import type { QueueEntry, QueueSource } from '../../../../src/ports/queue-store.ts';
import type { ConsumerOptions } from '../../../../src/ports/queues.ts';
import { Dispatcher } from '../../../../src/routing/dispatch/dispatcher.ts';
import type { DispatcherOptions } from '../../../../src/routing/dispatch/rules.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { bodyOf, messageOf, Recorder } from './queues.ts';

const OPTIONS: DispatcherOptions = {
  keys: 'one',
  ackMilliseconds: 0,
  retryMilliseconds: 0,
  retryMaxMilliseconds: 60_000,
  maxDeliveries: 0,
  messageMilliseconds: 0,
  singleActiveConsumer: false,
  memoryBytes: 64 * 1024 * 1024,
  consumerBytes: 16 * 1024 * 1024,
  heldMessages: 4096,
};

/** A dispatcher on a source that the test looks into: it gives what is wanted when the test says so. */
export class Bench implements QueueSource {
  readonly clock = new ManualClock();
  readonly counters = new Counters();
  readonly logged: string[] = [];
  readonly dispatcher: Dispatcher;
  readonly waiting: QueueEntry[] = [];
  readonly removed: number[] = [];
  /** `ID DUE DELIVERIES`, the time from now. */
  readonly released: string[] = [];
  readonly dead: string[] = [];
  wanted = 0;
  #last = 0;

  constructor(options: Partial<DispatcherOptions> = {}) {
    const log = (_: object, text: string): void => {
      this.logged.push(text);
    };
    const logger = { debug() {}, info: log, warn: log, error: log };
    this.dispatcher = new Dispatcher(this, { ...OPTIONS, ...options }, this.clock, logger, {
      dead: ({ message }, reason, deliveries) => this.dead.push(`${bodyOf(message)} ${reason} ${deliveries}`),
    });
  }

  want(count: number): void {
    this.wanted += count;
  }

  remove(id: number): void {
    this.removed.push(id);
  }

  release(id: number, dueAt: number, deliveries: number): void {
    this.released.push(`${id} ${dueAt === 0 ? 0 : dueAt - this.clock.now()} ${deliveries}`);
  }

  async flushed(): Promise<void> {}

  /** A message in the source; ids count from 1. */
  add(body: string, properties?: Properties): void {
    const message = messageOf(body, properties, 't', 1, this.clock.now());
    this.waiting.push({ id: ++this.#last, message, deliveries: 0, redelivered: false });
  }

  /** Gives what is wanted, until there is no more, or no more is wanted. */
  give(): void {
    while (this.wanted > 0 && this.waiting.length > 0) {
      const entries = this.waiting.splice(0, this.wanted);
      this.wanted -= entries.length;
      this.dispatcher.take(entries);
    }
  }

  attach(options: Partial<ConsumerOptions> = {}): Recorder {
    const consumer = new Recorder(options);
    consumer.consumption = this.dispatcher.attach(consumer, consumer.options);
    return consumer;
  }
}
