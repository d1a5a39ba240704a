import type { Message } from '../../src/core/message.ts';
import type { Selector } from '../../src/core/selector.ts';
import { TopicTree } from '../../src/core/topic-tree.ts';
import type { Subscriber, Subscription } from '../../src/ports/routing.ts';
import { messagePrefix } from './encoder.ts';

/** One `subscribe` of a client to topics. */
export class JsonSubscription implements Subscription {
  readonly subscriber: Subscriber;
  readonly id: string;
  readonly filter: string;
  readonly noLocal: boolean;
  readonly selector: Selector | undefined;
  readonly positions: boolean;
  readonly since: readonly number[];
  /** Durable messages come once to a connection; in a session the client settles them by position. */
  readonly qos = 1;
  readonly retainAsPublished = false;
  readonly identifier = 0;
  /** How each of its messages begins, and each that was retained. */
  readonly prefix: Buffer;
  readonly retainedPrefix: Buffer;

  constructor(subscriber: Subscriber, options: TopicOptions, since: readonly number[]) {
    this.subscriber = subscriber;
    this.id = options.name;
    this.filter = options.filter;
    this.noLocal = options.noLocal;
    this.selector = options.selector;
    this.positions = options.positions;
    this.since = since;
    this.prefix = messagePrefix(options.name, false);
    this.retainedPrefix = messagePrefix(options.name, true);
  }

  selects(message: Message): boolean {
    return this.selector === undefined || this.selector.matches(message);
  }
}

export interface TopicOptions {
  readonly name: string;
  readonly filter: string;
  readonly noLocal: boolean;
  /** Which messages it wants; undefined: all. */
  readonly selector: Selector | undefined;
  /** Its messages say where in the log they are. */
  readonly positions: boolean;
}

/** Subscriptions of one client, by name. */
export class SubscriptionTable {
  readonly #byName = new Map<string, JsonSubscription>();
  /** Made when messages read from the log must be told apart, forgotten when the subscriptions change. */
  #tree: TopicTree<JsonSubscription> | undefined;
  /** How many have a selector. */
  #selecting = 0;

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): JsonSubscription | undefined {
    return this.#byName.get(name);
  }

  values(): Iterable<JsonSubscription> {
    return this.#byName.values();
  }

  add(subscription: JsonSubscription): void {
    this.#byName.set(subscription.id, subscription);
    if (subscription.selector !== undefined) this.#selecting++;
    this.#tree = undefined;
  }

  remove(subscription: JsonSubscription): void {
    this.#byName.delete(subscription.id);
    if (subscription.selector !== undefined) this.#selecting--;
    this.#tree = undefined;
  }

  /** Of those whose filters match a message, the ones that select it. */
  selected(message: Message, subscriptions: readonly Subscription[]): readonly Subscription[] {
    if (this.#selecting === 0) return subscriptions;
    return subscriptions.filter((each) => this.#byName.get(each.id)?.selects(message) === true);
  }

  /** Those that a logged message is for. */
  match(message: Message, clientId: string): readonly JsonSubscription[] {
    this.#tree ??= this.#grow();
    const own = message.publisher.clientId === clientId;
    const found: JsonSubscription[] = [];
    this.#tree.match(message.topic, (each) => {
      if (message.sequence < (each.since[message.shard] ?? 0) || (own && each.noLocal)) return;
      if (each.selects(message)) found.push(each);
    });
    return found;
  }

  #grow(): TopicTree<JsonSubscription> {
    const tree = new TopicTree<JsonSubscription>();
    for (const each of this.#byName.values()) tree.add(each.filter, each);
    return tree;
  }
}
