import type { Counters } from '../core/counters.ts';
import { asBrokerError } from '../core/errors.ts';
import type { Message } from '../core/message.ts';
import { QUEUE_PREFIX, REPLY_PREFIX } from '../core/topic.ts';
import type { AppendReceiver, Backbone, BackboneReceiver } from '../ports/backbone.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger, Router, Subscription, Unit } from '../ports/routing.ts';
import { All, Untold } from './append-receivers.ts';
import type { QueueInlet } from './hosts.ts';
import { copied } from './queues/altered.ts';
import type { RetainedStore } from './retained.ts';
import { Routes, type Target } from './routes.ts';
import { Units } from './units.ts';

const NONE: readonly string[] = [];
/** Where the response topics of applications on the backbone itself begin. */
const NATS_REPLY = `${REPLY_PREFIX}nats/`;
/** Milliseconds in which it is known whether other nodes listen to a request. */
const ASKED = 5_000;

/**
 * Where every message passes: from a client to the live subscribers or the log, from the log's tail to the
 * subscribers.
 */
export class TopicRouter implements Router, BackboneReceiver {
  readonly #routes: Routes;
  readonly #backbone: Backbone;
  readonly #retained: RetainedStore;
  readonly #queues: QueueInlet;
  readonly #counters: Counters;
  readonly #untold: Untold;
  readonly #units: Units;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Requests of which it is not known yet whether anyone listens, by their response topics. */
  readonly #asked = new Map<string, () => void>();

  constructor(
    backbone: Backbone,
    retained: RetainedStore,
    queues: QueueInlet,
    counters: Counters,
    clock: Clock,
    logger: Logger,
  ) {
    this.#clock = clock;
    this.#backbone = backbone;
    this.#routes = new Routes(backbone);
    this.#retained = retained;
    this.#queues = queues;
    this.#counters = counters;
    this.#untold = new Untold(counters);
    this.#units = new Units(backbone, queues, this);
    this.#logger = logger;
  }

  get subscriptions(): number {
    return this.#routes.size;
  }

  publish(message: Message, receiver: AppendReceiver, token: number): void {
    this.#counters.received++;
    this.#counters.receivedBytes += message.size;
    const { topic } = message;
    if (topic.charCodeAt(0) === 0x24 && topic.startsWith(QUEUE_PREFIX)) {
      // In a queue every message is kept, whether its publisher waits for that or not.
      const told = message.qos > 0 || receiver.hearsAll === true;
      this.#queues.push(topic.slice(QUEUE_PREFIX.length), message, told ? receiver : this.#untold, token);
      return;
    }
    const bound = this.#queues.bound(topic);
    if (bound.length === 0) this.#publish(message, receiver, token);
    else if (message.qos === 0) this.#publishBound(message, bound, this.#untold, token);
    else this.#publishBound(message, bound, new All(bound.length + 1, message, receiver), token);
  }

  /** A logged message, not to the queues that are bound to its topic. */
  append(message: Message, receiver: AppendReceiver, token: number): void {
    this.#counters.received++;
    this.#counters.receivedBytes += message.size;
    this.#publish(message, receiver, token);
  }

  #publishBound(message: Message, queues: readonly string[], receiver: AppendReceiver, token: number): void {
    const copies = queues.map(() => copied(message));
    this.#publish(message, receiver, token);
    for (const [i, copy] of copies.entries()) this.#queues.push(queues[i] ?? '', copy, receiver, token);
  }

  #publish(message: Message, receiver: AppendReceiver, token: number): void {
    const { topic } = message;
    if (message.retain) {
      this.#publishRetained(message, receiver, token);
    } else if (message.qos === 0) {
      this.#backbone.live.publish(message, this.#route(message, false));
    } else {
      // A NATS request is answered by NATS itself, which does not read the log.
      if (topic.charCodeAt(0) === 0x24 && topic.startsWith(NATS_REPLY)) this.#backbone.live.publish(message, NONE);
      this.#backbone.log.append(message, receiver, token);
    }
  }

  publishAll(unit: Unit): Promise<void> | undefined {
    return this.#units.publish(unit);
  }

  request(message: Message, nobody: () => void): void {
    this.#counters.received++;
    this.#counters.receivedBytes += message.size;
    const { topic } = message;
    const responseTopic = message.properties?.responseTopic ?? '';
    if (topic.startsWith(QUEUE_PREFIX)) {
      this.#queues.request(topic.slice(QUEUE_PREFIX.length), message, nobody);
      return;
    }
    const bound = this.#queues.bound(topic);
    if (bound.length > 0) {
      this.#publishBound(message, bound, this.#untold, 0);
      return;
    }
    const heard = this.heard(topic);
    const elsewhere = this.#backbone.live.publish(message, this.#route(message, false));
    if (heard) return;
    if (!elsewhere) this.#clock.defer(nobody);
    else this.#ask(responseTopic, nobody);
  }

  /** Until it is known whether other nodes listen. */
  #ask(responseTopic: string, nobody: () => void): void {
    this.#asked.set(responseTopic, nobody);
    this.#clock.schedule(ASKED, () => {
      if (this.#asked.get(responseTopic) === nobody) this.#asked.delete(responseTopic);
    });
  }

  unheard(responseTopic: string): void {
    const nobody = this.#asked.get(responseTopic);
    this.#asked.delete(responseTopic);
    nobody?.();
  }

  /**
   * Whether a logged message has found no subscription on this node, bound queues included, and there is no other node. Its
   * route has said so when it came by the tail; what else there is to know is asked only then.
   */
  unmatched({ fanout, topic }: Message): boolean {
    return fanout === 0 && this.#backbone.cluster.alone && this.#queues.bound(topic).length === 0;
  }

  congested(): boolean {
    return this.#backbone.log.congested();
  }

  /** What is acknowledged is durable in both places: the log and what is retained. */
  #publishRetained(message: Message, receiver: AppendReceiver, token: number): void {
    const { log, live } = this.#backbone;
    if (message.qos === 0) {
      this.#retained.set(message);
      live.publish(message, this.#route(message, false));
      this.#retained.store(message).catch((error: unknown) => {
        this.#logger.warn({ err: error, topic: message.topic }, 'a retained message could not be stored');
      });
      return;
    }
    const both = new All(2, message, receiver);
    this.#retained.store(message).then(
      () => both.appended(token, message),
      (error: unknown) => both.refused(token, asBrokerError(error)),
    );
    log.append(message, both, token);
  }

  live(message: Message): void {
    if (message.retain) this.#retained.set(message);
    this.#route(message, true);
  }

  liveShared(message: Message, share: string): void {
    const subscription = this.#routes.shared(share);
    if (subscription !== undefined) subscription.subscriber.deliver(message, [subscription]);
  }

  /** Whether a client of this node would get a live message on this topic. */
  heard(topic: string): boolean {
    return this.#routes.of(topic).targets.length > 0;
  }

  /** A live message of this node's own, to its own clients. */
  announce(message: Message): void {
    this.#route(message, false);
  }

  tail(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.retain) this.#retained.set(message);
      this.#route(message, false);
    }
  }

  subscribe(subscription: Subscription): void {
    this.#routes.add(subscription);
  }

  unsubscribe(subscription: Subscription): void {
    this.#routes.remove(subscription);
  }

  positions(): readonly number[] {
    const log = this.#backbone.log;
    return Array.from({ length: log.shards }, (_, shard) => log.next(shard));
  }

  /** Says which shared subscriptions it went to. `foreign`: another node has seen to those. */
  #route(message: Message, foreign: boolean): readonly string[] {
    const { targets, served } = this.#routes.of(message.topic);
    message.fanout = targets.length;
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i];
      if (target === undefined || (foreign && target.share !== undefined)) continue;
      try {
        if (!target.noLocal) target.subscriber.deliver(message, target.subscriptions);
        else this.#deliverForeign(message, target);
      } catch (error) {
        // An error of ours with one subscriber is neither the publisher's nor the others'.
        this.#logger.error(
          { err: error, topic: message.topic, clientId: target.subscriber.clientId },
          'internal error while delivering',
        );
      }
    }
    return served;
  }

  #deliverForeign(message: Message, target: Target): void {
    const own = message.publisher.clientId === target.subscriber.clientId;
    const subscriptions = own ? target.subscriptions.filter((each) => !each.noLocal) : target.subscriptions;
    if (subscriptions.length > 0) target.subscriber.deliver(message, subscriptions);
  }
}
