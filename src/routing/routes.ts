import { hasWildcard } from '../core/filter.ts';
import { isSystem } from '../core/topic.ts';
import { TopicTree } from '../core/topic-tree.ts';
import type { Backbone } from '../ports/backbone.ts';
import type { Subscriber, Subscription } from '../ports/routing.ts';

/** One client to which a topic's messages go, with those of its subscriptions that match. */
export interface Target {
  readonly subscriber: Subscriber;
  readonly subscriptions: Subscription[];
  /** One of them leaves out the client's own messages. */
  noLocal: boolean;
  /** It is a shared subscription. */
  readonly share: string | undefined;
}

/** Where the messages of a topic go on this node. */
export interface Route {
  readonly targets: readonly Target[];
  /** The shared subscriptions among them. */
  readonly served: readonly string[];
}

const NONE: readonly string[] = [];
/** Topics whose targets are remembered; past it all are forgotten, which costs one walk of the tree each. */
const CACHED_TOPICS = 16_384;

/** The subscriptions of this node's clients, as routes by topic; other nodes are told which filters are wanted here. */
export class Routes {
  readonly #tree = new TopicTree<Subscription>();
  readonly #cache = new Map<string, Route>();
  /** Shared subscriptions with members on this node, by `NAME/FILTER`. */
  readonly #shares = new Map<string, Subscription>();
  /** Subscriptions of this node per filter, to tell other nodes when the first comes and the last goes. */
  readonly #filters = new Map<string, number>();
  #size = 0;
  readonly #backbone: Backbone;

  constructor(backbone: Backbone) {
    this.#backbone = backbone;
  }

  /** Subscriptions to topics, shared ones not counted. */
  get size(): number {
    return this.#size;
  }

  of(topic: string): Route {
    return this.#cache.get(topic) ?? this.#resolve(topic);
  }

  shared(share: string): Subscription | undefined {
    return this.#shares.get(share);
  }

  add(subscription: Subscription): void {
    const { filter } = subscription;
    this.#tree.add(filter, subscription);
    this.#forget(filter);
    if (subscription.logged) return;
    if (subscription.share !== undefined) {
      this.#shares.set(subscription.share, subscription);
      this.#interest(filter, true, subscription.share);
      return;
    }
    this.#size++;
    const count = this.#filters.get(filter) ?? 0;
    this.#filters.set(filter, count + 1);
    if (count === 0) this.#interest(filter, true);
  }

  remove(subscription: Subscription): void {
    const { filter } = subscription;
    if (!this.#tree.remove(filter, subscription)) return;
    this.#forget(filter);
    if (subscription.logged) return;
    if (subscription.share !== undefined) {
      this.#shares.delete(subscription.share);
      this.#interest(filter, false, subscription.share);
      return;
    }
    this.#size--;
    const count = this.#filters.get(filter) ?? 1;
    if (count > 1) {
      this.#filters.set(filter, count - 1);
    } else {
      this.#filters.delete(filter);
      this.#interest(filter, false);
    }
  }

  /** What a node says of itself it says to its own clients. */
  #interest(filter: string, wanted: boolean, share?: string): void {
    if (!isSystem(filter)) this.#backbone.live.interest(filter, wanted, share);
  }

  #resolve(topic: string): Route {
    const bySubscriber = new Map<Subscriber, Target>();
    this.#tree.match(topic, (subscription) => {
      const target = bySubscriber.get(subscription.subscriber);
      if (target === undefined) {
        const { subscriber, noLocal, share } = subscription;
        bySubscriber.set(subscriber, { subscriber, subscriptions: [subscription], noLocal, share });
      } else {
        target.subscriptions.push(subscription);
        target.noLocal ||= subscription.noLocal;
      }
    });
    const targets = [...bySubscriber.values()];
    if (this.#cache.size >= CACHED_TOPICS) this.#cache.clear();
    const shares = targets.flatMap(({ share }) => (share === undefined ? [] : [share]));
    const route = { targets, served: shares.length === 0 ? NONE : shares };
    this.#cache.set(topic, route);
    return route;
  }

  /** Drops what is remembered of the topics that this filter matches. */
  #forget(filter: string): void {
    if (hasWildcard(filter)) this.#cache.clear();
    else this.#cache.delete(filter);
  }
}
