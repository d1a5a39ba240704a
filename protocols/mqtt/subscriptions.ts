import { matches } from '../../src/core/filter.ts';
import type { Message } from '../../src/core/message.ts';
import type { Router, Subscriber, Subscription } from '../../src/ports/routing.ts';
import type { SubscriptionOptions } from './session-state.ts';

const NONE: readonly Subscription[] = [];

export type TopicOptions = Omit<SubscriptionOptions, 'wishes' | 'cursor'>;

/** Subscriptions by filter, each known to the router. */
export class Subscriptions {
  readonly #router: Router;
  readonly #subscriber: Subscriber;
  readonly #byFilter = new Map<string, Subscription>();
  /** Those of QoS 0 get logged messages from the log, too; else they have had them live. */
  readonly #anyQos: boolean;

  constructor(router: Router, subscriber: Subscriber, anyQos: boolean) {
    this.#router = router;
    this.#subscriber = subscriber;
    this.#anyQos = anyQos;
  }

  get size(): number {
    return this.#byFilter.size;
  }

  get(filter: string): Subscription | undefined {
    return this.#byFilter.get(filter);
  }

  values(): Iterable<Subscription> {
    return this.#byFilter.values();
  }

  filters(): readonly string[] {
    return [...this.#byFilter.keys()];
  }

  /** Adds a subscription, or replaces one without a gap [MQTT-3.8.4-3]. */
  set(options: TopicOptions): void {
    const { filter, qos, noLocal, retainAsPublished, identifier, since } = options;
    const previous = this.#byFilter.get(filter);
    const terms = { filter, qos, noLocal, retainAsPublished, identifier, since };
    const subscription: Subscription = { ...terms, subscriber: this.#subscriber, id: '' };
    this.#byFilter.set(filter, subscription);
    this.#router.subscribe(subscription);
    if (previous !== undefined) this.#router.unsubscribe(previous);
  }

  delete(filter: string): boolean {
    const subscription = this.#byFilter.get(filter);
    if (subscription !== undefined) this.#router.unsubscribe(subscription);
    return this.#byFilter.delete(filter);
  }

  /** The session has no connection any more; what they are is still known. */
  leave(): void {
    for (const subscription of this.#byFilter.values()) this.#router.unsubscribe(subscription);
  }

  /** Those that a logged message is for. */
  select(message: Message): readonly Subscription[] {
    let selected: Subscription[] | undefined;
    for (const subscription of this.#byFilter.values()) {
      if (subscription.qos === 0 && !this.#anyQos) continue;
      if (message.sequence < (subscription.since[message.shard] ?? 0)) continue;
      if (subscription.noLocal && message.publisher.clientId === this.#subscriber.clientId) continue;
      if (matches(subscription.filter, message.topic)) {
        selected ??= [];
        selected.push(subscription);
      }
    }
    return selected ?? NONE;
  }
}
