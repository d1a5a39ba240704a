import { matches } from '../../src/core/filter.ts';
import type { Message } from '../../src/core/message.ts';
import type { Outbox, OutboxSink, Subscriber, Subscription } from '../../src/ports/routing.ts';
import { Feed, type Link } from './feed.ts';
import type { Progress } from './progress.ts';
import type { SubscribeRequest } from './subscribe.ts';
import type { StompSubscription } from './subscription.ts';

const NO_SUBSCRIPTIONS: readonly Subscription[] = [];

/**
 * A subscription to topics, by itself what the router delivers to. Logged messages wait for the client in the outbox;
 * live ones (QoS 0) are dropped when the connection is full, and wait here, a bounded number of them, while only the
 * prefetch window is closed.
 */
export class TopicSubscription implements StompSubscription, Subscription, Subscriber, OutboxSink {
  readonly name: string | undefined;
  readonly destination: string;
  readonly clientId: string;
  readonly filter: string;
  readonly qos = 1;
  readonly noLocal: boolean;
  readonly retainAsPublished = false;
  readonly identifier = 0;
  readonly id: string;
  readonly since: readonly number[];
  readonly durable = undefined;
  readonly subscriber = this;
  readonly #link: Link;
  readonly #feed: Feed;
  /** Where a durable one is in the log. */
  readonly #progress: Progress | undefined;
  /** Of a durable one only made when it is known where it goes on. */
  #outbox: Outbox | undefined;
  #closedAt: readonly number[] = [];
  readonly #self: readonly Subscription[] = [this];
  /** Live messages that wait for the window, and the bytes of their bodies. */
  #held: Message[] | undefined;
  #heldBytes = 0;

  constructor(link: Link, number: number, request: SubscribeRequest, progress?: Progress) {
    this.#link = link;
    this.#feed = new Feed(link, number, request.rawId, request.ack, request.prefetch);
    this.name = request.id;
    this.id = request.id ?? '';
    this.destination = request.destination;
    this.filter = request.filter;
    this.noLocal = request.noLocal;
    this.clientId = link.clientId;
    this.since = link.services.router.positions();
    this.#progress = progress;
  }

  start(): undefined {
    this.#link.services.router.subscribe(this);
    if (this.#progress === undefined) this.begin(true);
  }

  /** Messages may be sent from now on, to a new subscription also what is retained. */
  begin(fresh: boolean): void {
    const { services } = this.#link;
    const outbox = services.outbox(this, this.#progress?.from());
    this.#outbox = outbox;
    if (fresh) {
      services.retained.match(this.filter, (message) => {
        if (!this.noLocal || message.publisher.clientId !== this.clientId) outbox.replay(message, this);
      });
    }
    this.pump();
  }

  /** Per shard, the first position in the log that was not handed on. */
  positions(): readonly number[] {
    return this.#outbox?.positions() ?? this.#closedAt;
  }

  // --- from the router ----------------------------------------------------------------------------------------------

  deliver(message: Message): void {
    const link = this.#link;
    if (message.qos > 0) this.#outbox?.deliver(message, this.#self);
    else if (message.properties !== undefined && message.expired(link.services.clock.now()))
      link.counters.droppedExpired++;
    else if (link.over || link.connection.full()) link.counters.droppedSlow++;
    else if (this.#outbox !== undefined && this.#feed.open && this.#held === undefined)
      this.#feed.send(message, 0, false, false);
    else this.#hold(message);
  }

  ready(): boolean {
    return this.#outbox !== undefined && this.#feed.open && !this.#link.over && !this.#link.connection.full();
  }

  filters(): readonly string[] {
    return [this.filter];
  }

  send(message: Message, _subscriptions: readonly Subscription[], replayed: boolean): void {
    if (replayed || this.#progress === undefined) {
      this.#feed.send(message, 0, false, replayed);
      return;
    }
    const redelivered = this.#progress.repeats(message);
    this.#feed.send(message, this.#progress.sent(message, this.#feed.acknowledged), redelivered, false);
  }

  select(message: Message): readonly Subscription[] {
    const passed = message.sequence < (this.since[message.shard] ?? 0);
    if (this.#progress === undefined ? passed : !this.#progress.wants(message)) return NO_SUBSCRIPTIONS;
    if (this.noLocal && message.publisher.clientId === this.clientId) return NO_SUBSCRIPTIONS;
    return matches(this.filter, message.topic) ? this.#self : NO_SUBSCRIPTIONS;
  }

  lost(removed: number, shard: number, first: number): void {
    const count = this.#progress?.lost(removed, shard, first) ?? removed;
    if (count === 0) return;
    this.#link.counters.droppedOvertaken += count;
    this.#link.services.logger.warn(
      { clientId: this.clientId, destination: this.destination, count },
      'the log no longer has messages this subscription had not seen; at most this many are lost to it',
    );
  }

  #hold(message: Message): void {
    const { limits } = this.#link.services;
    const held = this.#held ?? [];
    if (held.length >= limits.outboxMessages || this.#heldBytes + message.size > limits.outputBytes) {
      this.#link.counters.droppedSlow++;
      return;
    }
    held.push(message.keep());
    this.#held = held;
    this.#heldBytes += message.size;
  }

  // --- from the client ----------------------------------------------------------------------------------------------

  issued(number: number): boolean {
    return this.#feed.issued(number);
  }

  unsettled(number: number): boolean {
    return this.#feed.unsettled(number);
  }

  /** A topic has no one else to give a message to: what is not acknowledged is as done with as what is. */
  settle(number: number): void {
    const deliveries = this.#feed.settle(number);
    this.#progress?.settled(deliveries);
    if (deliveries.length > 0) this.pump();
  }

  pump(): void {
    this.#outbox?.pump();
    while (this.#held !== undefined && this.ready()) {
      const message = this.#held.shift();
      if (this.#held.length === 0) this.#held = undefined;
      if (message === undefined) continue;
      this.#heldBytes -= message.size;
      if (message.expired(this.#link.services.clock.now())) this.#link.counters.droppedExpired++;
      else this.#feed.send(message, 0, false, false);
    }
  }

  stored(): undefined {}

  unsubscribe(): undefined {
    this.close();
  }

  close(): void {
    this.#feed.close();
    this.#link.services.router.unsubscribe(this);
    this.#closedAt = this.positions();
    this.#outbox?.close();
    this.#outbox = undefined;
    this.#held = undefined;
  }
}
