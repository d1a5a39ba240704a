import type { Message } from '../../src/core/message.ts';
import type { QueueConsumer } from '../../src/ports/routing.ts';
import { Feed, type Link } from './feed.ts';
import type { SubscribeRequest } from './subscribe.ts';
import type { Outcome, StompSubscription } from './subscription.ts';

/** A consumer of a queue. What it has not acknowledged when it goes is given to others. */
export class QueueSubscription implements StompSubscription, QueueConsumer {
  readonly name: string | undefined;
  readonly destination: string;
  readonly durable = undefined;
  readonly #queue: string;
  readonly #link: Link;
  readonly #feed: Feed;
  /** Several messages are being given back: none is taken until all are, so that their order stays. */
  #settling = false;

  constructor(link: Link, number: number, request: SubscribeRequest, queue: string) {
    this.#link = link;
    this.#feed = new Feed(link, number, request.rawId, request.ack, request.prefetch);
    this.name = request.id;
    this.destination = request.destination;
    this.#queue = queue;
  }

  start(): undefined {
    this.#link.services.queues.consume(this.#queue, this);
  }

  ready(): boolean {
    return this.#feed.open && !this.#settling && !this.#link.over && !this.#link.connection.full();
  }

  take(message: Message, delivery: number, redelivered: boolean): void {
    this.#feed.send(message, delivery, redelivered, false);
    if (!this.#feed.acknowledged) this.#link.services.queues.settle(this.#queue, delivery, 'accept');
  }

  issued(number: number): boolean {
    return this.#feed.issued(number);
  }

  unsettled(number: number): boolean {
    return this.#feed.unsettled(number);
  }

  settle(number: number, outcome: Outcome): void {
    const { queues } = this.#link.services;
    const deliveries = this.#feed.settle(number);
    if (deliveries.length === 1) {
      queues.settle(this.#queue, deliveries[0] ?? 0, outcome);
      return;
    }
    this.#settling = true;
    // Each goes to the front of the queue: the last one first.
    for (let i = deliveries.length - 1; i >= 0; i--) queues.settle(this.#queue, deliveries[i] ?? 0, outcome);
    this.#settling = false;
    queues.pump(this.#queue);
  }

  pump(): void {
    this.#link.services.queues.pump(this.#queue);
  }

  stored(): undefined {}

  unsubscribe(): undefined {
    this.close();
  }

  close(): void {
    this.#feed.close();
    this.#link.services.queues.cancel(this.#queue, this);
  }
}
