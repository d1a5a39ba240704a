import type { Message } from '../../src/core/message.ts';
import type { Consumer, Consumption, Delivery } from '../../src/ports/queues.ts';
import { Feed, type Link } from './feed.ts';
import type { SubscribeRequest } from './subscribe.ts';
import type { Outcome, StompSubscription } from './subscription.ts';

/** A consumer of a queue. What it has not acknowledged when it goes is given to others. */
export class QueueSubscription implements StompSubscription, Consumer {
  readonly name: string | undefined;
  readonly destination: string;
  readonly durable = undefined;
  readonly #queue: string;
  readonly #prefetch: number;
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
    this.#prefetch = request.prefetch;
  }

  #consumption: Consumption | undefined;

  start(): Promise<void> {
    const options = { clientId: this.#link.clientId, prefetch: this.#prefetch, priority: 0, exclusive: false };
    this.#consumption = this.#link.services.queues.consume(this.#queue, this, options);
    return this.#consumption.opened;
  }

  ended(): void {}

  ready(): boolean {
    return this.#feed.open && !this.#settling && !this.#link.over && !this.#link.connection.full();
  }

  take(message: Message, { number, redelivered }: Delivery): void {
    this.#feed.send(message, number, redelivered, false);
    if (!this.#feed.acknowledged) this.#consumption?.settle(number, 'accept');
  }

  issued(number: number): boolean {
    return this.#feed.issued(number);
  }

  unsettled(number: number): boolean {
    return this.#feed.unsettled(number);
  }

  settle(number: number, outcome: Outcome): void {
    const deliveries = this.#feed.settle(number);
    if (deliveries.length === 1) {
      this.#consumption?.settle(deliveries[0] ?? 0, outcome);
      return;
    }
    this.#settling = true;
    // Each goes to the front of the queue: the last one first.
    for (let i = deliveries.length - 1; i >= 0; i--) this.#consumption?.settle(deliveries[i] ?? 0, outcome);
    this.#settling = false;
    this.#consumption?.pump();
  }

  pump(): void {
    this.#consumption?.pump();
  }

  stored(): undefined {}

  unsubscribe(): undefined {
    this.close();
  }

  close(): void {
    this.#feed.close();
    this.#consumption?.cancel();
  }
}
