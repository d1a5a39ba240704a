import type { Counters } from '../core/counters.ts';
import type { Message, Qos } from '../core/message.ts';
import type { Authorizer } from './authorizer.ts';
import type { AppendReceiver } from './backbone.ts';
import type { Clock } from './clock.ts';
import type { Limits } from './limits.ts';

/** What routing offers to the protocols. */
export interface Services {
  readonly router: Router;
  readonly queues: Queues;
  readonly retained: Retained;
  readonly clock: Clock;
  readonly authorizer: Authorizer;
  readonly counters: Counters;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly wills: Wills;
  outbox(sink: OutboxSink): Outbox;
  /** Sessions that may outlive their connection, of one protocol. */
  sessions<T extends Session>(): Sessions<T>;
}

/** A client's state between connections, found again by client id. */
export interface Session {
  readonly clientId: string;
  /** Name of the principal it belongs to. */
  readonly principal: string;
  /** Its time is over, or there is no room for it: it gives up its subscriptions. */
  end(): void;
}

export interface Sessions<T extends Session> {
  find(clientId: string): T | undefined;
  /** Registers a session that has a connection; one with this client id must have been removed. */
  add(session: T): void;
  /** Its connection is gone, and it is kept for `seconds`, if there is room. */
  detach(session: T, seconds: number): void;
  /** It has a connection again. */
  attach(session: T): void;
  remove(session: T): void;
}

/** Wills wait under a key, one each. */
export interface Wills {
  /** `delay` in milliseconds. The will's payload is its own. */
  publish(key: string, will: Message, delay: number): void;
  /** The client is back in time. */
  cancel(key: string): void;
  /** Its session ended: what waits is published now [MQTT-3.1.2-8]. */
  release(key: string): void;
}

/** Gets messages of topics it is subscribed to. */
export interface Subscriber {
  /** The client, so that `noLocal` can be honoured. */
  readonly clientId: string;
  /**
   * A message that matches these of its subscriptions (at least one). The message and its payload are borrowed:
   * `keep()` what is held beyond the call.
   */
  deliver(message: Message, subscriptions: readonly Subscription[]): void;
}

export interface Subscription {
  readonly subscriber: Subscriber;
  /** The internal form (`core/filter.ts`). */
  readonly filter: string;
  /** Messages arrive at the lower of their own and this. */
  readonly qos: Qos;
  /** Not the messages that this client published. */
  readonly noLocal: boolean;
  /** Messages keep their retain flag; otherwise it is cleared on live ones. */
  readonly retainAsPublished: boolean;
  /** MQTT 5 Subscription Identifier; 0 for none. */
  readonly identifier: number;
  /** Name the client gave it (STOMP, JSON); empty for none. */
  readonly id: string;
  /** Where each shard of the log stood when it was made: earlier messages are not for it. */
  readonly since: readonly number[];
}

export interface Router {
  /**
   * A message from a client. QoS 0 is routed during the call and `receiver` hears nothing; QoS 1 and 2 are logged, then
   * `receiver.appended` or `refused` is called, never during the call. A topic `$queue/NAME` goes to that queue.
   * The topic is valid and the client may publish to it.
   */
  publish(message: Message, receiver: AppendReceiver, token: number): void;
  subscribe(subscription: Subscription): void;
  unsubscribe(subscription: Subscription): void;
  /** Positions for `Subscription.since`. */
  positions(): readonly number[];
}

export interface Retained {
  /** Gives every retained message that matches, unexpired, to `visit`. The messages own their payload. */
  match(filter: string, visit: (message: Message) => void): void;
}

/**
 * The way of logged messages, retained messages and other deliveries that must not be lost from the router to one
 * client. Holds back what the sink is not ready for, bounded: what does not fit is read from the log again later.
 */
export interface Outbox {
  /** A message from the router, in log order. */
  deliver(message: Message, subscriptions: readonly Subscription[]): void;
  /** A retained message for one new subscription, before anything later. */
  replay(message: Message, subscription: Subscription): void;
  /** The sink may be ready again. */
  pump(): void;
  /** The client is gone but returns: holds nothing from now on, and goes on where it stood after `attach`. */
  detach(): void;
  /** The client is back: delivers from `from` on (per shard; where undefined, from where it stood), then live. */
  attach(from: readonly (number | undefined)[] | undefined): void;
  /** The client is gone for good. */
  close(): void;
}

export interface OutboxSink {
  /** Whether `send` may be called: the window is open and the connection has room. */
  ready(): boolean;
  /** `replayed`: a retained message, sent because of a new subscription. */
  send(message: Message, subscriptions: readonly Subscription[], replayed: boolean): void;
  /** The client's own subscriptions that match a message read from the log; none if it is not for this client. */
  select(message: Message): readonly Subscription[];
  /**
   * Retention removed messages before they could be read: at most `count`, all those of `shard` below `first`. They may
   * or may not have been for this client.
   */
  lost(count: number, shard: number, first: number): void;
}

/** Work queues: each message to one consumer. */
export interface Queues {
  /** Begins to offer messages of a queue (made on first use) to a consumer. */
  consume(queue: string, consumer: QueueConsumer): void;
  /** The consumer goes; what it has not settled goes to others, marked as redelivered. */
  cancel(queue: string, consumer: QueueConsumer): void;
  /** `delivery` as given to `take`: done with (`accept`), back to the queue, or thrown away. */
  settle(queue: string, delivery: number, outcome: 'accept' | 'requeue' | 'reject'): void;
  /** The consumer may be ready for more. */
  pump(queue: string): void;
}

export interface QueueConsumer {
  ready(): boolean;
  /** `delivery` numbers it within the queue. `redelivered`: it was with another consumer, or with this one, before. */
  take(message: Message, delivery: number, redelivered: boolean): void;
}

/** Structured log lines: an object of fields and a sentence. */
export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}
