import type { Counters } from '../core/counters.ts';
import { BrokerError } from '../core/errors.ts';
import type { Message } from '../core/message.ts';
import { QUEUE_PREFIX } from '../core/topic.ts';
import type { AppendReceiver } from '../ports/backbone.ts';
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import type { Consumer, Consumption, Outcome, Queues } from '../ports/queues.ts';
import { Queue } from './queue.ts';

/** All queues by name; made on first use, forgotten when empty and unused. */
export class QueueBroker implements Queues {
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

  /** Puts a message with a topic `$queue/NAME` into that queue; `receiver` hears of it unless its QoS is 0. */
  push(message: Message, receiver: AppendReceiver, token: number): void {
    const name = message.topic.slice(QUEUE_PREFIX.length);
    const queue = this.#open(name);
    const error =
      queue === undefined
        ? new BrokerError('quota', `there are ${this.#queues.size} queues already (limits.queues)`)
        : queue.push(message);
    if (error !== undefined) this.#counters.droppedQueue++;
    if (message.qos === 0) return;
    this.#clock.defer(() => {
      if (error === undefined) receiver.appended(token, message);
      else receiver.refused(token, error);
    });
  }

  request(message: Message, _nobody: () => void): void {
    this.push(message, { appended() {}, refused() {} }, 0);
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
      settled: () => Promise.resolve(),
      pump: () => queue?.dispatch(),
      cancel: () => queue?.remove(consumer),
    };
  }

  async declare(): Promise<never> {
    throw new BrokerError('unsupported');
  }

  async status(): Promise<undefined> {}

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
