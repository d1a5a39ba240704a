import type { Counters } from '../../src/core/counters.ts';
import { BrokerError } from '../../src/core/errors.ts';
import { Fifo } from '../../src/core/fifo.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Limits } from '../../src/ports/limits.ts';
import type { Consumer, Consumption, Outcome, Queues } from '../../src/ports/queues.ts';
import type { QueueInlet } from '../../src/routing/hosts.ts';

interface Entry {
  readonly message: Message;
  readonly redelivered: boolean;
}

interface Delivery {
  readonly message: Message;
  readonly consumer: Consumer;
}

class Queue {
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

/** Queues in memory that are there at once: for tests of protocols, where everything happens when the test says so. */
export class QueueBroker implements Queues, QueueInlet {
  readonly #queues = new Map<string, Queue>();
  readonly #limits: Limits;
  readonly #counters: Counters;
  readonly #clock: Clock;

  constructor(limits: Limits, counters: Counters, clock: Clock) {
    this.#limits = limits;
    this.#counters = counters;
    this.#clock = clock;
  }

  get size(): number {
    return this.#queues.size;
  }

  push(name: string, message: Message, receiver: AppendReceiver, token: number): void {
    const queue = this.#open(name);
    const error =
      queue === undefined
        ? new BrokerError('quota', `there are ${this.#queues.size} queues already (limits.queues)`)
        : queue.push(message);
    if (error !== undefined) this.#counters.droppedQueue++;
    this.#clock.defer(() => {
      if (error === undefined) receiver.appended(token, message);
      else receiver.refused(token, error);
    });
  }

  ready(): undefined {}

  full(): undefined {}

  request(name: string, message: Message): void {
    this.push(name, message, { appended() {}, refused() {} }, 0);
  }

  bound(): readonly string[] {
    return [];
  }

  consume(name: string, consumer: Consumer): Consumption {
    const queue = this.#open(name);
    const error = new BrokerError('quota', `there are ${this.#queues.size} queues already (limits.queues)`);
    queue?.add(consumer);
    return {
      opened: queue === undefined ? Promise.reject(error) : Promise.resolve(),
      settle: (delivery: number, outcome: Outcome) => {
        queue?.settle(delivery, outcome);
      },
      holds: () => true,
      settled: () => Promise.resolve(),
      pump: () => queue?.dispatch(),
      cancel: () => queue?.remove(consumer),
    };
  }

  async declare(): Promise<never> {
    throw new BrokerError('unsupported');
  }

  async status(): Promise<undefined> {}

  has(queue: string): boolean {
    return this.#queues.has(queue);
  }

  list(): readonly string[] {
    return [...this.#queues.keys()];
  }

  async browse(): Promise<never> {
    throw new BrokerError('unsupported');
  }

  async purge(): Promise<never> {
    throw new BrokerError('unsupported');
  }

  async delete(): Promise<never> {
    throw new BrokerError('unsupported');
  }

  #open(name: string): Queue | undefined {
    let queue = this.#queues.get(name);
    if (queue === undefined && this.#queues.size < this.#limits.queues) {
      queue = new Queue(this.#limits.queueMessages, this.#limits.queueBytes, this.#clock, this.#counters);
      this.#queues.set(name, queue);
    }
    return queue;
  }
}
