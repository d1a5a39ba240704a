import { BrokerError } from '../../src/core/errors.ts';
import type { UserProperty } from '../../src/core/message.ts';
import type { Start } from '../../src/core/start.ts';
import type { Subscription } from '../../src/ports/routing.ts';
import { Feed, type FeedContext } from './feed.ts';
import type { SubscriptionOptions } from './session-state.ts';
import type { TopicOptions } from './subscriptions.ts';

const WITH_POSITIONS: readonly UserProperty[] = [['positions', 'true']];
const NO_WISHES: readonly UserProperty[] = [];

/**
 * Subscriptions of one session that began elsewhere in the log than the others, or whose messages carry positions, by
 * filter. Each has a way of its own through the log, which ends where all others are.
 */
export class Replays {
  readonly #context: FeedContext;
  readonly #feeds = new Map<string, Feed>();
  /** Where they begin is being found out; the last one asked for counts. */
  readonly #starting = new Map<string, object>();

  constructor(context: FeedContext) {
    this.#context = context;
  }

  get size(): number {
    return this.#feeds.size;
  }

  get(filter: string): Feed | undefined {
    return this.#feeds.get(filter);
  }

  subscription(filter: string): Subscription | undefined {
    return this.#feeds.get(filter)?.subscriptions.get(filter);
  }

  *options(): Generator<SubscriptionOptions> {
    for (const [filter, feed] of this.#feeds) {
      const subscription = feed.subscriptions.get(filter);
      const wishes = feed.positions ? WITH_POSITIONS : NO_WISHES;
      if (subscription !== undefined) yield { ...subscription, wishes, cursor: feed.cursor() ?? [] };
    }
  }

  /** Begins, or begins anew, at `start`. Resolves when it has; with false when it was unsubscribed before. */
  async start(options: Omit<TopicOptions, 'since'>, start: Start, positions: boolean): Promise<boolean> {
    const { filter } = options;
    const fault = this.fault(filter);
    if (fault !== undefined) throw fault;
    const token = {};
    this.#starting.set(filter, token);
    try {
      const since = await this.#context.services.startOf(start, filter);
      if (this.#starting.get(filter) !== token || !this.#context.outgoing.connected) return false;
      this.add({ ...options, since }, since, positions);
      return true;
    } finally {
      if (this.#starting.get(filter) === token) this.#starting.delete(filter);
    }
  }

  /** Why there can be no more of them. */
  fault(filter: string): BrokerError | undefined {
    if (this.#feeds.has(filter) || this.#starting.has(filter)) return undefined;
    const { replays } = this.#context.services.limits;
    return this.#feeds.size + this.#starting.size < replays
      ? undefined
      : new BrokerError('quota', `there are ${replays} subscriptions with start or positions already (limits.replays)`);
  }

  /** In place of one with the same filter. `cursor`: where it goes on. */
  add(options: TopicOptions, cursor: readonly number[] | undefined, positions: boolean): void {
    const previous = this.#feeds.get(options.filter);
    const feed = new Feed(this.#context, options.filter, cursor);
    feed.positions = positions;
    this.#feeds.set(options.filter, feed);
    feed.subscriptions.set(options);
    previous?.leave();
    previous?.close();
    if (this.#context.outgoing.connected && !this.#context.outgoing.resending) feed.begin();
  }

  /** Other terms for one that goes on as it is. */
  change(options: Omit<TopicOptions, 'since'>, positions: boolean): void {
    const feed = this.#feeds.get(options.filter);
    const since = feed?.subscriptions.get(options.filter)?.since ?? [];
    if (feed === undefined) return;
    feed.positions = positions;
    feed.subscriptions.set({ ...options, since });
  }

  remove(filter: string): boolean {
    const feed = this.#feeds.get(filter);
    feed?.leave();
    feed?.close();
    const starting = this.#starting.delete(filter);
    return this.#feeds.delete(filter) || starting;
  }

  begin(): void {
    for (const feed of this.#feeds.values()) feed.begin();
  }

  pump(): void {
    for (const feed of this.#feeds.values()) feed.pump();
  }

  leave(): void {
    for (const feed of this.#feeds.values()) feed.leave();
  }

  close(): void {
    for (const feed of this.#feeds.values()) feed.close();
  }
}
