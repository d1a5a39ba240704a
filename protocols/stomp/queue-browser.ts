import { BrokerError } from '../../src/core/errors.ts';
import { Message } from '../../src/core/message.ts';
import type { Selector } from '../../src/core/selector.ts';
import type { BrowsedPortion } from '../../src/ports/queues.ts';
import { Feed, type Link } from './feed.ts';
import type { BrowserRequest } from './subscribe.ts';
import type { StompSubscription } from './subscription.ts';

/** Messages that are asked for at once. */
const PORTION = 64;
const NOTHING: BrowsedPortion = { messages: [], next: undefined };

/** Shows what is in a queue, untouched, and then says that this is the end. */
export class QueueBrowser implements StompSubscription {
  readonly name: string | undefined;
  readonly destination: string;
  readonly durable = undefined;
  readonly competes = false;
  readonly joins = false;
  readonly #link: Link;
  readonly #queue: string;
  readonly #filter: string;
  readonly #feed: Feed;
  readonly #selector: Selector | undefined;
  readonly #failed: (error: BrokerError) => void;
  #portion: BrowsedPortion = { messages: [], next: 0 };
  /** How much of the portion was sent. */
  #sent = 0;
  /**
   * - `reading`: the next portion is on its way.
   * - `sending`: this one is, as far as the connection has room.
   * - `over`: all was sent, or no more is wanted.
   */
  #state: 'reading' | 'sending' | 'over' = 'reading';

  /** `failed`: it cannot go on. */
  constructor(link: Link, number: number, request: BrowserRequest, failed: (error: BrokerError) => void) {
    this.#link = link;
    // No one else waits for these messages: there is nothing to acknowledge.
    this.#feed = new Feed(link, number, { ...request, ack: 'auto' }, false);
    this.name = request.id;
    this.destination = request.destination;
    this.#selector = request.selector;
    this.#queue = request.queue;
    this.#filter = request.filter;
    this.#failed = failed;
  }

  start(): Promise<void> {
    return this.#read(0);
  }

  async #read(after: number): Promise<void> {
    this.#state = 'reading';
    const portion = await this.#portionAfter(after);
    if (this.#over()) return;
    this.#portion = portion;
    this.#sent = 0;
    this.#state = 'sending';
    this.pump();
  }

  async #portionAfter(after: number): Promise<BrowsedPortion> {
    try {
      return await this.#link.services.queues.browse(this.#queue, after, PORTION);
    } catch (error) {
      // A queue is made by its first message or consumer: until then there is nothing in it to be shown.
      if (after === 0 && error instanceof BrokerError && error.code === 'notFound') return NOTHING;
      throw error;
    }
  }

  answered(): void {
    this.#feed.answered();
    this.pump();
  }

  pump(): void {
    if (this.#state !== 'sending' || !this.#feed.open) return;
    const { connection } = this.#link;
    const { messages, next } = this.#portion;
    while (this.#sent < messages.length && !this.#link.over && !connection.full()) {
      const browsed = messages[this.#sent++];
      if (browsed === undefined) continue;
      const { message, deliveries } = browsed;
      if (this.#selector?.matches(message) === false) continue;
      this.#feed.deliver(message, 0, deliveries, deliveries > 0);
    }
    if (this.#sent < messages.length || this.#link.over || connection.full()) return;
    if (next !== undefined) {
      this.#read(next).catch((error: unknown) => this.#fail(error));
      return;
    }
    this.#state = 'over';
    const { clock } = this.#link.services;
    const nothing = Buffer.alloc(0);
    this.#feed.end(
      new Message(this.#filter, nothing, 0, 0, 0, false, undefined, this.#link.publisher, clock.now(), true),
    );
  }

  #fail(error: unknown): void {
    if (this.#over()) return;
    this.#state = 'over';
    this.#failed(error instanceof BrokerError ? error : new BrokerError('internal'));
  }

  #over(): boolean {
    return this.#state === 'over';
  }

  issued(number: number): boolean {
    return this.#feed.issued(number);
  }

  holds(): boolean {
    return false;
  }

  unsettled(): boolean {
    return false;
  }

  settle(): void {}

  stored(): undefined {}

  unsubscribe(): undefined {
    this.close();
  }

  close(): void {
    this.#state = 'over';
    this.#feed.close();
  }
}
