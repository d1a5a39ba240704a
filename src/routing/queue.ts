import type { Counters } from '../core/counters.ts';
import { BrokerError } from '../core/errors.ts';
import type { Message } from '../core/message.ts';
import type { Clock } from '../ports/clock.ts';
import type { Consumer } from '../ports/queues.ts';
import { Fifo } from './fifo.ts';

interface Entry {
  readonly message: Message;
  readonly redelivered: boolean;
}

interface Delivery {
  readonly message: Message;
  readonly consumer: Consumer;
}

/** One queue, in memory: what waits, who consumes, and what is with whom unsettled. */
export class Queue {
  readonly #waiting = new Fifo<Entry>();
  readonly #consumers: Consumer[] = [];
  /** By delivery number, which ascends: in the order of delivery. */
  readonly #unsettled = new Map<number, Delivery>();
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #clock: Clock;
  readonly #counters: Counters;
  #bytes = 0;
  #lastDelivery = 0;
  /** Whose turn it is. */
  #turn = 0;
  #dispatching = false;

  constructor(maxMessages: number, maxBytes: number, clock: Clock, counters: Counters) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
    this.#clock = clock;
    this.#counters = counters;
  }

  get unused(): boolean {
    return this.#consumers.length === 0 && this.#waiting.size === 0 && this.#unsettled.size === 0;
  }

  push(message: Message): BrokerError | undefined {
    const count = this.#waiting.size + this.#unsettled.size;
    if (count >= this.#maxMessages || this.#bytes + message.size > this.#maxBytes) {
      return new BrokerError(
        'quota',
        `the queue is full: ${count} messages, ${this.#bytes} bytes (limits.queueMessages, limits.queueBytes)`,
      );
    }
    this.#bytes += message.size;
    this.#waiting.push({ message: message.keep(), redelivered: false });
    this.dispatch();
    return undefined;
  }

  add(consumer: Consumer): void {
    this.#consumers.push(consumer);
    this.dispatch();
  }

  remove(consumer: Consumer): void {
    const index = this.#consumers.indexOf(consumer);
    if (index !== -1) this.#consumers.splice(index, 1);
    const returned: Entry[] = [];
    for (const [delivery, { message, consumer: holder }] of this.#unsettled) {
      if (holder !== consumer) continue;
      this.#unsettled.delete(delivery);
      returned.push({ message, redelivered: true });
    }
    this.#waiting.unshift(returned);
    this.dispatch();
  }

  /** False when the delivery is not unsettled (any more). */
  settle(delivery: number, outcome: 'accept' | 'requeue' | 'reject'): boolean {
    const settled = this.#unsettled.get(delivery);
    if (settled === undefined) return false;
    this.#unsettled.delete(delivery);
    if (outcome === 'requeue') this.#waiting.unshift([{ message: settled.message, redelivered: true }]);
    else this.#bytes -= settled.message.size;
    this.dispatch();
    return true;
  }

  /** Gives what waits to the consumers that are ready, one message each in turn. */
  dispatch(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    while (this.#waiting.size > 0) {
      const entry = this.#waiting.peek();
      if (entry === undefined) break;
      if (entry.message.expired(this.#clock.now())) {
        this.#waiting.shift();
        this.#bytes -= entry.message.size;
        this.#counters.droppedExpired++;
        continue;
      }
      const consumer = this.#nextReady();
      if (consumer === undefined) break;
      this.#waiting.shift();
      const delivery = ++this.#lastDelivery;
      this.#unsettled.set(delivery, { message: entry.message, consumer });
      consumer.take(entry.message, {
        number: delivery,
        count: entry.redelivered ? 2 : 1,
        redelivered: entry.redelivered,
      });
    }
    this.#dispatching = false;
  }

  #nextReady(): Consumer | undefined {
    for (let i = 0; i < this.#consumers.length; i++) {
      const index = (this.#turn + i) % this.#consumers.length;
      const consumer = this.#consumers[index];
      if (consumer?.ready()) {
        this.#turn = index + 1;
        return consumer;
      }
    }
    return undefined;
  }
}
