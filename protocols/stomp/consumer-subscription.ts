import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { Consumer, Consumption, Delivery, Outcome } from '../../src/ports/queues.ts';
import type { DurableName } from './durable.ts';
import { Feed, type Link } from './feed.ts';
import type { SubscribeRequest } from './subscribe.ts';
import type { Effect, StompSubscription } from './subscription.ts';

/** A subscription whose messages go to one of several: to a queue, or as a member of a group. */
export abstract class ConsumerSubscription<C extends Consumption> implements StompSubscription, Consumer {
  readonly name: string | undefined;
  readonly destination: string;
  abstract readonly durable: DurableName | undefined;
  readonly competes = true;
  abstract readonly joins: boolean;
  protected readonly link: Link;
  protected readonly feed: Feed;
  readonly #failed: (error: BrokerError) => void;
  #consumption: C | undefined;
  #beginning: Effect;
  /** The client has been told that it has begun, or will be told in this turn. */
  #opened = false;
  /** Why it ended before that. */
  #error: BrokerError | undefined;
  #closed = false;
  /** Several messages are being given back: none is taken until all are, so that their order stays. */
  #settling = false;

  /** `failed`: it has ended by itself. */
  constructor(link: Link, number: number, request: SubscribeRequest, failed: (error: BrokerError) => void) {
    this.link = link;
    // What is live is lost to a group whose members cannot take it: none of them waits for a RECEIPT.
    this.feed = new Feed(link, number, { ...request, receipted: false }, true);
    this.name = request.id;
    this.destination = request.destination;
    this.#failed = failed;
  }

  /** Messages may come. */
  protected get opened(): boolean {
    return this.#opened;
  }

  protected abstract consume(): C;
  /** `forever`: the client will not come back to it. */
  protected abstract leave(consumption: C, forever: boolean): void;

  start(): Promise<void> {
    const consumption = this.consume();
    this.#consumption = consumption;
    consumption.pump();
    this.#beginning = consumption.opened.then(
      () => {
        this.#opened = true;
        if (this.#error !== undefined && !this.#closed) throw this.#error;
      },
      (error: unknown) => {
        // Who has left meanwhile need not be told.
        if (!this.#closed) throw error;
      },
    );
    return this.#beginning;
  }

  // --- from the queue or the group ----------------------------------------------------------------------------------

  ready(): boolean {
    // What would come before the consumption is known could not be settled.
    if (this.#consumption === undefined || this.#settling || this.#closed) return false;
    return this.feed.open && !this.link.over && !this.link.connection.full();
  }

  take(message: Message, { number, count, redelivered }: Delivery): void {
    this.feed.deliver(message, number, count, redelivered);
    if (!this.feed.acknowledged) this.#consumption?.settle(number, 'accept');
  }

  ended(error: BrokerError): void {
    if (this.#closed) return;
    if (this.#opened) this.#failed(error);
    else this.#error = error;
  }

  // --- from the client ----------------------------------------------------------------------------------------------

  issued(number: number): boolean {
    return this.feed.issued(number);
  }

  unsettled(number: number): boolean {
    return this.feed.unsettled(number);
  }

  /** What was taken back after a time-out is another one's. */
  holds(number: number): boolean {
    return this.feed.deliveries(number).every((each) => each === 0 || this.#consumption?.holds(each) !== false);
  }

  settle(number: number, outcome: Outcome, delay: number | undefined): void {
    if (!this.feed.cumulative) {
      this.#settle(this.feed.settleOne(number), outcome, delay);
      return;
    }
    const deliveries = this.feed.settle(number);
    this.#settling = true;
    // Each goes to the front of the queue: the last one first.
    for (let i = deliveries.length - 1; i >= 0; i--) this.#settle(deliveries[i], outcome, delay);
    this.#settling = false;
    if (deliveries.length > 0) this.#consumption?.pump();
  }

  #settle(delivery: number | undefined, outcome: Outcome, delay: number | undefined): void {
    if (delivery === undefined) return;
    // There is room for the next one. A live message is settled by being sent.
    if (delivery === 0) this.#consumption?.pump();
    else this.#consumption?.settle(delivery, outcome, delay);
  }

  pump(): void {
    this.#consumption?.pump();
  }

  stored(): Effect {
    return this.#consumption?.settled();
  }

  unsubscribe(forever: boolean): Effect {
    // The SUBSCRIBE is answered first.
    const settled = this.#opened ? this.stored() : this.#beginning;
    this.#end(forever);
    return settled;
  }

  close(): void {
    this.#end(false);
  }

  #end(forever: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.feed.close();
    if (this.#consumption !== undefined) this.leave(this.#consumption, forever);
  }
}
