import type { Message } from '../../src/core/message.ts';
import type { Outbox, OutboxSink, Subscriber, Subscription } from '../../src/ports/routing.ts';
import { positionField } from './encoder.ts';
import type { Link } from './link.ts';
import type { Progress } from './progress.ts';
import { JsonSubscription, SubscriptionTable, type TopicOptions } from './subscriptions.ts';

/** Subscriptions to topics with one place in the log: one subscriber, whose messages name the subscription they are for. */
export class LogFeed implements Subscriber, OutboxSink {
  readonly clientId: string;
  readonly #link: Link;
  readonly #table = new SubscriptionTable();
  readonly #outbox: Outbox;
  /** In a session: durable messages are settled by their positions. */
  readonly #progress: Progress | undefined;

  /** `from`: where to begin in the log; else with what comes from now on. */
  constructor(link: Link, progress?: Progress, from?: readonly number[]) {
    this.clientId = link.clientId;
    this.#link = link;
    this.#progress = progress;
    this.#outbox = link.services.outbox(this, from);
  }

  get size(): number {
    return this.#table.size;
  }

  has(name: string): boolean {
    return this.#table.get(name) !== undefined;
  }

  subscriptions(): Iterable<JsonSubscription> {
    return this.#table.values();
  }

  add(options: TopicOptions, since: readonly number[]): JsonSubscription {
    const subscription = new JsonSubscription(this, options, since);
    this.#table.add(subscription);
    this.#link.services.router.subscribe(subscription);
    return subscription;
  }

  /** False when there is none of this name. */
  remove(name: string): boolean {
    const subscription = this.#table.get(name);
    if (subscription === undefined) return false;
    this.#table.remove(subscription);
    this.#link.services.router.unsubscribe(subscription);
    this.#outbox.forget(subscription);
    return true;
  }

  /** What is retained for a new subscription. */
  replayRetained(subscription: JsonSubscription): void {
    this.#outbox.replay(subscription, (visit) => {
      this.#link.services.retained.match(subscription.filter, (message) => {
        const own = subscription.noLocal && message.publisher.clientId === this.clientId;
        if (!own && subscription.selects(message)) visit(message);
      });
    });
  }

  pump(): void {
    this.#outbox.pump();
  }

  /** Per shard, the first position of the log that was not handed on. */
  positions(): readonly number[] {
    return this.#outbox.positions();
  }

  close(): void {
    for (const each of this.#table.values()) this.#link.services.router.unsubscribe(each);
    this.#outbox.close();
  }

  // --- Subscriber and OutboxSink: to the peer ---------------------------------------------------------------------------

  deliver(message: Message, matching: readonly Subscription[]): void {
    const { answers, connection, services } = this.#link;
    if (answers.over) return;
    const subscriptions = this.#table.selected(message, matching);
    if (subscriptions.length === 0) return;
    if (message.qos > 0) this.#outbox.deliver(message, subscriptions);
    else if (message.properties !== undefined && message.expired(services.clock.now()))
      services.counters.droppedExpired++;
    else if (connection.full()) services.counters.droppedSlow++;
    else this.send(message, subscriptions, false);
  }

  ready(): boolean {
    const { answers, connection, services } = this.#link;
    if (answers.over || connection.full()) return false;
    return this.#progress === undefined || this.#progress.unsettled < services.limits.inflightOut;
  }

  send(message: Message, subscriptions: readonly Subscription[], replayed: boolean): void {
    const { connection, encoder, services } = this.#link;
    const shared = message.fanout > 1 || subscriptions.length > 1;
    // What is retained, or live, is not a part of what has to be settled.
    const settled = replayed || message.qos === 0 ? undefined : this.#progress;
    if (settled?.has(message)) return;
    let placed: string | undefined;
    for (let i = 0; i < subscriptions.length; i++) {
      const each = subscriptions[i];
      // What the outbox held may be for a subscription that is gone.
      const own = each === undefined ? undefined : this.#table.get(each.id);
      if (own === undefined || own !== each) continue;
      placed ??= settled?.sent(message) ?? '';
      const told = placed === '' && own.positions && !replayed && message.sequence > 0;
      const prefix = replayed ? own.retainedPrefix : own.prefix;
      encoder.write(connection, prefix, message, shared, told ? positionField(message) : placed);
      services.counters.delivered++;
      services.counters.deliveredBytes += message.size;
    }
  }

  filters(): readonly string[] {
    return Array.from(this.#table.values(), (each) => each.filter);
  }

  select(message: Message): readonly Subscription[] {
    return this.#table.match(message, this.clientId);
  }

  lost(count: number): void {
    const { answers, services } = this.#link;
    services.counters.droppedOvertaken += count;
    const text = `up to ${count} durable messages were removed from the log before they were read`;
    answers.refuse('overtaken', text, undefined);
  }
}
