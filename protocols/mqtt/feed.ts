import type { Message, UserProperty } from '../../src/core/message.ts';
import { formatPosition } from '../../src/core/start.ts';
import type { Outbox, OutboxSink, Services, Subscriber, Subscription } from '../../src/ports/routing.ts';
import { effectiveQos, extrasOf, keepsRetain, liveDelivery } from './delivery.ts';
import type { Outgoing } from './outgoing.ts';
import type { Extras } from './publish-encoder.ts';
import { Subscriptions } from './subscriptions.ts';

const NO_PROPERTIES: readonly UserProperty[] = [];

export interface FeedContext {
  readonly clientId: string;
  readonly services: Services;
  readonly outgoing: Outgoing;
  lost(count: number): void;
}

/**
 * One way of messages to a client: subscriptions, where they are in the log, and what waits for the connection. The usual
 * subscriptions of a session share one; one that began elsewhere in the log has its own (`replays.ts`).
 */
export class Feed implements Subscriber, OutboxSink {
  /** Of a way of its own, the filter; else empty. */
  readonly source: string;
  readonly subscriptions: Subscriptions;
  /** Messages carry their positions. */
  positions = false;
  readonly #context: FeedContext;
  #outbox: Outbox | undefined;
  /** A subscription went another way: what waits here may be for it alone. */
  #left = false;
  /** Subscriptions that were made before it began, and whose retained messages are due; by filter. */
  #early: Map<string, Subscription> | undefined;
  /** Per shard, where to go on in the log: behind the last message sent, and not before what was kept. */
  #cursor: number[] | undefined;

  constructor(context: FeedContext, source: string, cursor: readonly number[] | undefined) {
    this.#context = context;
    this.source = source;
    this.#cursor = cursor === undefined || cursor.length === 0 ? undefined : [...cursor];
    // On its own way, what was logged comes from the log whatever the QoS of the subscription.
    this.subscriptions = new Subscriptions(context.services.router, this, source !== '');
  }

  get clientId(): string {
    return this.#context.clientId;
  }

  /** What the log had before the first subscription is not for it. */
  forgetIfUnused(): void {
    if (this.subscriptions.size === 0 && this.#outbox === undefined) this.#cursor = undefined;
  }

  /** It is yet to begin, and misses nothing from here on. */
  beginAt(positions: readonly number[]): void {
    if (this.#outbox === undefined) this.#cursor ??= [...positions];
  }

  /** The log goes on where the client stands. */
  begin(): void {
    if (!this.#context.outgoing.connected || this.#outbox !== undefined) return;
    this.#outbox = this.#context.services.outbox(this, this.#cursor);
    const early = this.#early?.values() ?? [];
    this.#early = undefined;
    for (const subscription of early) this.replayRetained(subscription);
  }

  /** The subscription goes another way from here; what waits for it here is not sent. */
  handOver(filter: string): void {
    if (this.remove(filter)) this.#left = true;
  }

  /** False when there is none with this filter. */
  remove(filter: string): boolean {
    const subscription = this.subscriptions.get(filter);
    if (subscription === undefined) return false;
    this.#early?.delete(filter);
    this.#outbox?.forget(subscription);
    return this.subscriptions.delete(filter);
  }

  /** Where it is now; undefined as long as that is nowhere. */
  cursor(): readonly number[] | undefined {
    for (const [shard, position] of this.#outbox?.positions().entries() ?? []) {
      // In the middle of a batch the outbox still says where that began.
      this.#cursor ??= [];
      this.#cursor[shard] = Math.max(this.#cursor[shard] ?? 0, position);
    }
    return this.#cursor;
  }

  /** Retained messages for a subscription just made. */
  replayRetained(subscription: Subscription): void {
    if (this.#outbox === undefined) {
      this.#early ??= new Map();
      this.#early.set(subscription.filter, subscription);
      return;
    }
    const { filter, noLocal } = subscription;
    this.#outbox.replay(subscription, (visit) => {
      // It may have ended before its turn came [MQTT-3.10.4-2].
      if (this.subscriptions.get(filter) !== subscription) return;
      this.#context.services.retained.match(filter, (message) => {
        // [MQTT-3.8.3-3] holds for these, too.
        if (!noLocal || message.publisher.clientId !== this.clientId) visit(message);
      });
    });
  }

  pump(): void {
    this.#outbox?.pump();
  }

  /** The connection is gone, the state is still to be written. */
  leave(): void {
    this.subscriptions.leave();
  }

  close(): void {
    this.#outbox?.close();
  }

  // --- from the router and the log ----------------------------------------------------------------------------------

  deliver(message: Message, subscriptions: readonly Subscription[]): void {
    if (effectiveQos(message, subscriptions) > 0 || (this.source !== '' && message.qos > 0)) {
      this.#outbox?.deliver(message, subscriptions);
      return;
    }
    const { outgoing, services } = this.#context;
    if (outgoing.roomy()) outgoing.sendLive(message, liveDelivery(message, subscriptions));
    else if (outgoing.connected) services.counters.droppedSlow++;
  }

  ready(): boolean {
    return this.#context.outgoing.ready();
  }

  filters(): readonly string[] {
    return this.subscriptions.filters();
  }

  send(message: Message, matching: readonly Subscription[], replayed: boolean): void {
    const { outgoing } = this.#context;
    if (!outgoing.connected) return;
    const subscriptions = this.#left ? matching.filter(({ filter }) => this.subscriptions.get(filter)) : matching;
    if (subscriptions.length === 0) return;
    const qos = effectiveQos(message, subscriptions);
    const retain = replayed || keepsRetain(message, subscriptions);
    const { shard } = message;
    const sequence = replayed ? 0 : message.sequence;
    const extras = this.extrasOf(subscriptions, shard, sequence);
    if (sequence > 0 && (qos > 0 || this.source !== '')) {
      this.#cursor ??= [];
      this.#cursor[shard] = sequence + 1;
    }
    if (qos === 0) {
      outgoing.sendLive(message, { qos, retain, dup: false, packetId: 0, extras });
      return;
    }
    const sent = {
      qos,
      shard,
      sequence,
      message: sequence === 0 ? message : undefined,
      retain,
      released: false,
      source: this.source,
      holding: undefined,
      delivery: 0,
    };
    if (outgoing.fits(message, sent, extras)) outgoing.send(message, sent, extras);
  }

  extrasOf(subscriptions: readonly Subscription[], shard: number, sequence: number): Extras | undefined {
    const marked = this.positions && sequence > 0;
    return extrasOf(subscriptions, marked ? [['position', formatPosition(shard, sequence)]] : NO_PROPERTIES);
  }

  select(message: Message): readonly Subscription[] {
    return this.subscriptions.select(message);
  }

  lost(count: number): void {
    this.#context.lost(count);
  }
}
