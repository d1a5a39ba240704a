import type { Message } from '../../src/core/message.ts';
import type { Subscription } from '../../src/ports/routing.ts';
import { extrasOf } from './delivery.ts';
import { Feed, type FeedContext } from './feed.ts';
import type { Sent } from './inflight.ts';
import type { Extras } from './publish-encoder.ts';
import { Replays } from './replays.ts';
import type { SubscriptionOptions } from './session-state.ts';
import type { Wishes } from './wishes.ts';

/** Of a subscription that is asked for. */
export type NewSubscription = Omit<SubscriptionOptions, 'since' | 'cursor'>;

/** Subscriptions of one session to topics: the usual ones, which share one way through the log, and replays. */
export class TopicSubscriptions {
  readonly #context: FeedContext;
  readonly #usual: Feed;
  #replays: Replays | undefined;

  /** `cursor`: where the usual ones go on in the log. */
  constructor(context: FeedContext, cursor: readonly number[] | undefined) {
    this.#context = context;
    this.#usual = new Feed(context, '', cursor);
  }

  get size(): number {
    return this.#usual.subscriptions.size + (this.#replays?.size ?? 0);
  }

  /** Of the usual ones. */
  cursor(): readonly number[] | undefined {
    return this.#usual.cursor();
  }

  *options(): Generator<SubscriptionOptions> {
    for (const each of this.#usual.subscriptions.values()) yield { ...each, wishes: [], cursor: undefined };
    if (this.#replays !== undefined) yield* this.#replays.options();
  }

  /** One that was there before this connection. */
  resume(options: SubscriptionOptions): void {
    if (options.cursor === undefined) this.#usual.subscriptions.set(options);
    else this.#replaying.add(options, options.cursor, options.wishes.length > 0);
  }

  /** A promise where it is there only once that resolves, and is not if it rejects with a BrokerError. */
  add(options: NewSubscription, wishes: Wishes): Promise<void> | undefined {
    if (wishes.start !== undefined) return this.#startOver(options, wishes);
    if (this.#replays?.get(options.filter) !== undefined) this.#replays.change(options, wishes.positions);
    else if (wishes.positions) return this.#mark(options);
    else this.#subscribe(options);
    return undefined;
  }

  #subscribe(options: NewSubscription): void {
    const { services, outgoing } = this.#context;
    const { subscriptions } = this.#usual;
    // Replaced without a gap: its place in the log stays [MQTT-3.8.4-3].
    const since = subscriptions.get(options.filter)?.since ?? services.router.positions();
    this.#usual.forgetIfUnused();
    subscriptions.set({ ...options, since });
    if (outgoing.resending) {
      this.#usual.beginAt(since);
      return;
    }
    this.#usual.begin();
    this.#usual.pump();
  }

  /** Its messages are to carry positions: it goes its own way from where it is. */
  #mark(options: NewSubscription): Promise<never> | undefined {
    const { filter } = options;
    const fault = this.#replaying.fault(filter);
    if (fault !== undefined) return Promise.reject(fault);
    const here = this.#context.services.router.positions();
    const since = this.#usual.subscriptions.get(filter)?.since;
    const cursor = since === undefined ? here : (this.#usual.cursor() ?? here);
    this.#replaying.add({ ...options, since: since ?? here }, cursor, true);
    this.#usual.handOver(filter);
    return undefined;
  }

  async #startOver(options: NewSubscription, { start, positions }: Wishes): Promise<void> {
    if (start === undefined || !(await this.#replaying.start(options, start, positions))) return;
    this.#usual.handOver(options.filter);
  }

  get(filter: string): Subscription | undefined {
    return this.#replays?.subscription(filter) ?? this.#usual.subscriptions.get(filter);
  }

  remove(filter: string): boolean {
    const replay = this.#replays?.remove(filter) ?? false;
    return this.#usual.remove(filter) || replay;
  }

  /** Retained messages for a subscription just made. */
  replayRetained(filter: string): void {
    const subscription = this.get(filter);
    if (subscription !== undefined) (this.#replays?.get(filter) ?? this.#usual).replayRetained(subscription);
  }

  /** What else a message that is sent again goes with. */
  extrasOf({ source, shard, sequence, message: kept }: Sent, message: Message): Extras | undefined {
    if (source === '') return kept === undefined ? extrasOf(this.#usual.select(message)) : undefined;
    const subscription = this.#replays?.subscription(source);
    return subscription && this.#replays?.get(source)?.extrasOf([subscription], shard, sequence);
  }

  /** The client is connected, and has again what was in flight. */
  begin(): void {
    if (this.#usual.subscriptions.size > 0) this.#usual.begin();
    this.#replays?.begin();
  }

  /** `replaysFirst`: what is first may fill the window. */
  pump(replaysFirst: boolean): void {
    if (replaysFirst) this.#replays?.pump();
    this.#usual.pump();
    if (!replaysFirst) this.#replays?.pump();
  }

  /** The connection is gone, the state is still to be written. */
  leave(): void {
    this.#usual.leave();
    this.#replays?.leave();
  }

  close(): void {
    this.#usual.close();
    this.#replays?.close();
  }

  get #replaying(): Replays {
    this.#replays ??= new Replays(this.#context);
    return this.#replays;
  }
}
