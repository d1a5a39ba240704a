import { mqttFilterFault } from '../../src/core/filter.ts';
import type { Message } from '../../src/core/message.ts';
import { TopicTree } from '../../src/core/topic-tree.ts';
import type { Limits } from '../../src/ports/limits.ts';
import type { Subscriber, Subscription } from '../../src/ports/routing.ts';
import { type JsonObject, RequestError, readBoolean, readHeaderText, readText } from './codec.ts';
import { messagePrefix } from './mapping.ts';

/** One `subscribe` of a client. */
export class JsonSubscription implements Subscription {
  readonly subscriber: Subscriber;
  readonly id: string;
  readonly filter: string;
  readonly noLocal: boolean;
  readonly since: readonly number[];
  /** Durable messages come once to a connection; in a session the client settles them by position. */
  readonly qos = 1;
  readonly retainAsPublished = false;
  readonly identifier = 0;
  /** How each of its messages begins. */
  readonly prefix: Buffer;

  constructor(subscriber: Subscriber, request: SubscribeRequest, since: readonly number[]) {
    this.subscriber = subscriber;
    this.id = request.name;
    this.filter = request.filter;
    this.noLocal = request.noLocal;
    this.since = since;
    this.prefix = messagePrefix(request.name, false);
  }
}

export interface SubscribeRequest {
  readonly name: string;
  readonly filter: string;
  readonly noLocal: boolean;
}

export function readSubscribe(request: JsonObject, limits: Limits): SubscribeRequest {
  const filter = readText(request, 'filter');
  if (filter === undefined)
    throw new RequestError('fieldInvalid', 'filter', 'filter is missing; a topic filter is expected');
  const fault = mqttFilterFault(filter, limits);
  if (fault !== undefined) throw new RequestError('filterInvalid', 'filter', `filter ${fault}`);
  checkServerNames(filter);
  return { name: readName(request, limits) ?? filter, filter, noLocal: readBoolean(request, 'noLocal') };
}

/** The name a client gave to a subscription; empty is no name. */
export function readName(request: JsonObject, limits: Limits): string | undefined {
  const name = readHeaderText(request, 'subscription', limits.topicBytes);
  if (name === '') throw new RequestError('fieldInvalid', 'subscription', 'subscription is empty; a name is expected');
  return name;
}

/** Filters within the names that are the server's own. */
function checkServerNames(filter: string): void {
  const first = filter.split('/', 1)[0] ?? '';
  if (first === '$queue' || first === '$share') {
    throw new RequestError('unsupported', 'filter', `filter begins with ${first}: trimaran.v1 does not offer that yet`);
  }
  if (first.startsWith('$') && first !== '$SYS') {
    throw new RequestError(
      'filterInvalid',
      'filter',
      "filter begins with $, which is the server's own; only $SYS may be read",
    );
  }
}

/** The subscriptions of one client, by name. */
export class SubscriptionTable {
  readonly #byName = new Map<string, JsonSubscription>();
  /** Made when messages read from the log must be told apart, forgotten when the subscriptions change. */
  #tree: TopicTree<JsonSubscription> | undefined;

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
    this.#tree = undefined;
  }

  remove(subscription: JsonSubscription): void {
    this.#byName.delete(subscription.id);
    this.#tree = undefined;
  }

  /** Those that a logged message is for. */
  match(message: Message, clientId: string): readonly JsonSubscription[] {
    this.#tree ??= this.#grow();
    const own = message.publisher.clientId === clientId;
    const found: JsonSubscription[] = [];
    this.#tree.match(message.topic, (each) => {
      if (message.sequence >= (each.since[message.shard] ?? 0) && !(own && each.noLocal)) found.push(each);
    });
    return found;
  }

  #grow(): TopicTree<JsonSubscription> {
    const tree = new TopicTree<JsonSubscription>();
    for (const each of this.#byName.values()) tree.add(each.filter, each);
    return tree;
  }
}
