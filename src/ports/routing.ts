import type { Counters } from '../core/counters.ts';
import type { BrokerError } from '../core/errors.ts';
import type { Message, Qos } from '../core/message.ts';
import type { Start } from '../core/start.ts';
import type { Authorizer } from './authorizer.ts';
import type { AppendReceiver } from './backbone.ts';
import type { Clock } from './clock.ts';
import type { Limits } from './limits.ts';
import type { Groups, Queues } from './queues.ts';
import type { Connection } from './transport.ts';

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
  /** Begins with what comes from now on, or at `from` (a position per shard) in the log. */
  outbox(sink: OutboxSink, from?: readonly number[]): Outbox;
  readonly sessions: Sessions;
  readonly groups: Groups;
  /**
   * Of a logged message that is being acknowledged: whether it is certain that it was for no one when it came: no subscription,
   * no session that is kept, no group, no queue. Where that cannot be known without looking for it, it is not certain.
   */
  unmatched(message: Message): boolean;
  /**
   * Whether a durable subscription is for messages of this topic that may be logged or not, as far as their publisher says
   * (`Claim.filter`).
   */
  logs(topic: string): boolean;
  /** Of a connection's logged messages that are not durable yet (`limits.publishBacklog`). */
  backlog(connection: Connection): Backlog;
  /** Where a subscription that wants to begin there begins: per shard of the log, for messages that match the filter. */
  startOf(start: Start, filter: string): Promise<readonly number[]>;
  /** Reads single messages of the log again. */
  recall(positions: readonly Position[], receiver: RecallReceiver): void;
}

/** Logged messages of one connection on their way to the log. When they are too many, the connection is not read from. */
export interface Backlog {
  readonly size: number;
  readonly paused: boolean;
  /** One more is about to be published. */
  add(): void;
  /** What became of one is known. */
  remove(): void;
}

/** Who asks for a place. */
export interface Claim {
  /** Of the client, or of what else there is one of in the whole cluster: begins with the protocol's name. */
  readonly key: string;
  /** Name of the principal it belongs to. */
  readonly principal: string;
  /** What is kept from before is thrown away. */
  readonly clean: boolean;
  /** Seconds its state is kept after the connection; 0: nothing is. */
  readonly keptFor: number;
  /**
   * Of a durable subscription that is for all messages of topics: as long as it is kept, publishers that leave it open have
   * theirs logged (`Services.logs`).
   */
  readonly filter?: string;
}

export interface SessionOwner {
  /** Another connection wants the key: the owner ends its connection, and calls `leave` at once or soon. */
  takenOver(): void;
  /** The session's state, to be kept. Called before each write. */
  encode(): Uint8Array;
}

/**
 * Sessions that outlive their connections, and which connection has which: one each, in the whole cluster. A session
 * without a connection is an entry in the backbone's state and nothing else.
 */
export interface Sessions {
  /**
   * Takes a place; whoever has it gives it up first. Rejects with a BrokerError (`identifierInvalid`) when what is kept
   * belongs to another principal.
   */
  open(claim: Claim, owner: SessionOwner): Promise<Place>;
}

/** A connection's hold on its session. Writes are repeated until the store takes them. */
export interface Place {
  /** State of the session that goes on here; undefined when there is none, and to be set so once it is read. */
  kept: Uint8Array | undefined;
  /** `State.atomic`: what is `put` in the turn in which a message is appended, before it, is there exactly when that is. */
  readonly atomic: boolean;
  /** The state has changed, but that may be forgotten in a crash: it is written within the checkpoint interval. */
  changed(): void;
  /** Resolves when the state, as it is at the end of this turn or later, is durable. */
  save(): Promise<void>;
  /** Puts the state as it is now, before any message that is appended afterwards. Resolves when it is durable. */
  put(): Promise<void>;
  /** The router has the session's subscriptions, or from now on has not. */
  listens(yes: boolean): void;
  /** The connection is gone. The state is kept for `seconds`; 0: it is thrown away. */
  leave(seconds: number): void;
}

/** Wills of connected clients, and those that wait for their delay, under their clients' keys. */
export interface Wills {
  /** Kept as long as the client is connected: another node publishes it if this one is lost. `delay`: milliseconds. */
  arm(key: string, will: Message, delay: number): void;
  /** The client is gone without a goodbye: published after this delay, milliseconds. */
  fire(key: string, delay: number): void;
  /** The client has said goodbye, or is back in time. */
  cancel(key: string): void;
  /** Its session ended: what waits for its delay, here or on another node, is published now [MQTT-3.1.2-8]. */
  release(key: string): void;
}

export interface Position {
  readonly shard: number;
  readonly sequence: number;
}

export interface RecallReceiver {
  message(message: Message): void;
  /** The log no longer has it. */
  missing(position: Position): void;
  /** After all of them. */
  done(): void;
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
  /** `NAME/FILTER` of a shared subscription: of those in the cluster one gets a live message. */
  readonly share?: string;
  /** It takes logged messages alone: other nodes need not send live ones for its sake. */
  readonly logged?: boolean;
}

/**
 * Messages that are published all or not at all, and what is settled with them. How far that holds is the store's affair
 * (`Backbone.together`). Before the first message everything is looked at that it could be refused for. All of its calls may
 * come during the call of `Router.publishAll`.
 */
export interface Unit {
  /** With their own bytes. All of them are logged, unless all are live and `durable` does not ask for it. */
  readonly messages: readonly Message[];
  readonly durable: boolean;
  /** Why it cannot be done any more; asked right before the first message is published. */
  fault(): BrokerError | undefined;
  /** Settles what is durable with the messages (`Backbone.together`); where there is no such thing, comes right before `done`. */
  join(): void;
  /** All is durable. `repeated`: all messages had been taken in before. */
  done(repeated: boolean): void;
  /** Instead of `done`. If `join` was not called, nothing was published, except where the store takes one without the others. */
  refused(error: BrokerError): void;
}

export interface Router {
  /**
   * A message from a client. QoS 0 is routed during the call and `receiver` hears nothing; QoS 1 and 2 are logged, then
   * `receiver.appended` or `refused` is called, never during the call. A topic `$queue/NAME` goes to that queue,
   * and what matches the bindings of queues to those as well. Of QoS 0 for a queue only a receiver that `hearsAll` hears.
   * The topic is valid and the client may publish to it.
   */
  publish(message: Message, receiver: AppendReceiver, token: number): void;
  /**
   * What is to be there all or not at all. undefined: it has begun, or was refused; else that resolves when it is so, and what
   * is to come behind it waits until then.
   */
  publishAll(unit: Unit): Promise<void> | undefined;
  /**
   * A question: a live message (QoS 0) with a `responseTopic`, or one for a queue (`$queue/NAME`). `nobody` is called, later,
   * when it is known that no one on any node listens to its topic (or consumes its queue, which then does not get it).
   */
  request(message: Message, nobody: () => void): void;
  subscribe(subscription: Subscription): void;
  unsubscribe(subscription: Subscription): void;
  /** Publishers of logged messages should not be read from until theirs are durable. */
  congested(): boolean;
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
  /**
   * The retained messages of a new subscription, before anything later. `match` gives them to `visit` when their turn has come,
   * which is at once if nothing else waits; of the same subscription, made again before that, only the last one counts.
   */
  replay(subscription: Subscription, match: (visit: (message: Message) => void) => void): void;
  /** The subscription has ended: what `replay` was told of it waits no longer. */
  forget(subscription: Subscription): void;
  /** The sink may be ready again. */
  pump(): void;
  /** Per shard, the first position that has not been handed to the sink. */
  positions(): readonly number[];
  /** The client is gone for good. */
  close(): void;
}

export interface OutboxSink {
  /** Whether `send` may be called: the window is open and the connection has room. */
  ready(): boolean;
  /** What may be of interest in the log: the client's filters. */
  filters(): readonly string[];
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

/** Structured log lines: an object of fields and a sentence. */
export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}
