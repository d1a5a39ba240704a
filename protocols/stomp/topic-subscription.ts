import { matches } from '../../src/core/filter.ts';
import type { Message } from '../../src/core/message.ts';
import type { Selector } from '../../src/core/selector.ts';
import type { Start } from '../../src/core/start.ts';
import type { Outbox, OutboxSink, Position, Subscriber, Subscription } from '../../src/ports/routing.ts';
import { Feed, type Link } from './feed.ts';
import type { Progress } from './progress.ts';
import type { TopicRequest } from './subscribe.ts';
import type { Effect, StompSubscription } from './subscription.ts';

const NO_SUBSCRIPTIONS: readonly Subscription[] = [];
const NOWHERE: readonly Position[] = [];

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
  readonly competes = false;
  /** There is nothing to be kept of it. */
  readonly joins = true;
  readonly subscriber = this;
  readonly #link: Link;
  readonly #feed: Feed;
  /** Where a durable one is in the log. */
  readonly #progress: Progress | undefined;
  readonly #start: Start | undefined;
  readonly #selector: Selector | undefined;
  /** Per shard, the first position in the log that is for it. */
  #from: readonly number[];
  /** Only made when it is known where it begins, or a durable one goes on. */
  #outbox: Outbox | undefined;
  #closed = false;
  #closedAt: readonly number[] = [];
  readonly #self: readonly Subscription[] = [this];
  /** Live messages that wait for the window, and the bytes of their bodies. */
  #held: Message[] | undefined;
  /** Of the same subscription, and before this one: what they match is not this one's. */
  readonly #before: readonly string[] | undefined;
  #heldBytes = 0;

  constructor(link: Link, number: number, request: TopicRequest, progress?: Progress) {
    this.#link = link;
    this.#feed = new Feed(link, number, request, progress !== undefined);
    this.name = request.id;
    this.id = request.id ?? '';
    this.destination = request.destination;
    this.filter = request.filter;
    this.noLocal = request.noLocal;
    this.#selector = request.selector;
    this.clientId = link.clientId;
    this.since = link.services.router.positions();
    this.#start = request.start;
    this.#from = this.since;
    this.#progress = progress;
    this.#before = request.together && [...request.together.filters];
    request.together?.filters.push(request.filter);
  }

  start(): Effect {
    const { router, startOf } = this.#link.services;
    router.subscribe(this);
    if (this.#progress !== undefined) return undefined;
    if (this.#start === undefined || this.#start.from === 'new') {
      this.begin(true);
      return undefined;
    }
    return startOf(this.#start, this.filter).then((from) => {
      if (!this.#closed) this.begin(false, from);
    });
  }

  /**
   * Messages may be sent from now on: with `retained`, also what is retained; with `from`, from these positions in the log
   * on.
   */
  begin(retained: boolean, from?: readonly number[]): void {
    const { services } = this.#link;
    if (from !== undefined) this.#from = from;
    const outbox = services.outbox(this, from);
    this.#outbox = outbox;
    if (retained) {
      outbox.replay(this, (visit) => {
        services.retained.match(this.filter, (message) => {
          if (this.noLocal && message.publisher.clientId === this.clientId) return;
          if (this.#wants(message)) visit(message);
        });
      });
    }
    this.pump();
  }

  answered(): void {
    this.#feed.answered();
    this.pump();
  }

  /** Per shard, the first position in the log that was not handed on. */
  positions(): readonly number[] {
    return this.#outbox?.positions() ?? this.#closedAt;
  }

  // --- from the router ----------------------------------------------------------------------------------------------

  deliver(message: Message): void {
    if (!this.#wants(message)) return;
    const link = this.#link;
    if (message.qos > 0) this.#deliverLogged(message);
    else if (message.properties !== undefined && message.expired(link.services.clock.now()))
      link.counters.droppedExpired++;
    else if (link.over || link.connection.full()) link.counters.droppedSlow++;
    else if (this.#outbox !== undefined && this.#feed.open && this.#held === undefined)
      this.#feed.send(message, 0, false, false);
    else this.#hold(message);
  }

  #deliverLogged(message: Message): void {
    // It may be told to begin at a position that is still to come.
    if (message.sequence >= (this.#from[message.shard] ?? 0)) this.#outbox?.deliver(message, this.#self);
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
    const passed = message.sequence < (this.#from[message.shard] ?? 0);
    if (this.#progress === undefined ? passed : !this.#progress.wants(message)) return NO_SUBSCRIPTIONS;
    if (this.noLocal && message.publisher.clientId === this.clientId) return NO_SUBSCRIPTIONS;
    return matches(this.filter, message.topic) && this.#wants(message) ? this.#self : NO_SUBSCRIPTIONS;
  }

  /** Whether a message of its topics is for it: selected, and not another's of the same SUBSCRIBE. */
  #wants(message: Message): boolean {
    if (this.#before !== undefined && this.#comesBefore(message, this.#before)) return false;
    return this.#selector === undefined || this.#selector.matches(message);
  }

  #comesBefore(message: Message, filters: readonly string[]): boolean {
    return filters.some((each) => matches(each, message.topic));
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

  holds(): boolean {
    return true;
  }

  /**
   * A topic has no one else to give a message to: what is not acknowledged is as done with as what is. Says where a durable one
   * has settled something.
   */
  settle(number: number): readonly Position[] {
    const deliveries = this.#feed.settle(number);
    const positions = this.#progress?.settled(deliveries) ?? NOWHERE;
    if (deliveries.length > 0) this.pump();
    return positions;
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
    this.#closed = true;
    this.#feed.close();
    this.#link.services.router.unsubscribe(this);
    this.#closedAt = this.positions();
    this.#outbox?.close();
    this.#outbox = undefined;
    this.#held = undefined;
  }
}
