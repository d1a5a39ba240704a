import type { Message, Publisher } from '../../src/core/message.ts';
import type {
  Outbox,
  OutboxSink,
  Place,
  Services,
  SessionOwner,
  Subscriber,
  Subscription,
} from '../../src/ports/routing.ts';
import { effectiveQos, identifiersOf, keepsRetain, liveDelivery } from './delivery.ts';
import { Inbound } from './inbound.ts';
import { Inflight, type Sent } from './inflight.ts';
import type { Link } from './link.ts';
import type { Delivery } from './publish-encoder.ts';
import { Resender, type ResenderOwner } from './resender.ts';
import { decodeState, encodeState, type SubscriptionOptions } from './session-state.ts';
import { isShared, type Share, SharedSubscriptions, type Taker } from './shared.ts';
import { Subscriptions } from './subscriptions.ts';
import { WriteAhead } from './write-ahead.ts';

/** What holds a session: a connection's channel, as far as another one must reach it. */
export interface Holder {
  /** Another connection has the client: gives the session up before it returns. */
  takenOver(): void;
}

const NO_SUBSCRIPTIONS: readonly Subscription[] = [];
/**
 * A client's session (MQTT 5.0, 4.1) while it has a connection: subscriptions, what is in flight both ways, and its place
 * in the log. Without a connection it is an entry in the store, from which the next connection makes it again.
 */
export class MqttSession implements SessionOwner, Subscriber, OutboxSink, ResenderOwner, Taker {
  readonly clientId: string;
  /** The session outlives its connection: what must not be forgotten is durable before it is said. */
  readonly durable: boolean;
  /** Seconds. */
  readonly #keptFor: number;
  readonly #services: Services;
  readonly #holder: Holder;
  #uid: string;
  #inbound: Inbound | undefined;
  #publisher: Publisher | undefined;
  #place: Place | undefined;
  #link: Link | undefined;
  #subscriptions: Subscriptions | undefined;
  #outbox: Outbox | undefined;
  #inflight: Inflight | undefined;
  #shared: SharedSubscriptions | undefined;
  /** Per shard, where to go on in the log: behind the last message sent, and not before what was kept. */
  #cursor: number[] | undefined;
  /** While what is in flight from an earlier connection is being sent again; only then the rest follows. */
  #resender: Resender | undefined;
  /** Seconds the state is kept, once the connection is gone. */
  #leaving: number | undefined;
  readonly #writeAhead: WriteAhead | undefined;

  /** `keptFor`: seconds the session outlives its connection. */
  constructor(clientId: string, keptFor: number, services: Services, holder: Holder) {
    const durable = keptFor > 0;
    this.clientId = clientId;
    this.durable = durable;
    this.#keptFor = keptFor;
    this.#services = services;
    this.#holder = holder;
    this.#writeAhead = durable ? new WriteAhead() : undefined;
    this.#uid = durable ? Buffer.from(services.clock.random(9)).toString('base64url') : '';
  }

  /** Of this client's messages. Not the session itself: a retained message would hold it for good. */
  get publisher(): Publisher {
    this.#publisher ??= { clientId: this.clientId, protocol: 'mqtt' };
    return this.#publisher;
  }

  /** Like most here made when needed: there are many clients that never do. */
  get inbound(): Inbound {
    this.#inbound ??= new Inbound();
    return this.#inbound;
  }

  get subscriptionCount(): number {
    return (this.#subscriptions?.size ?? 0) + (this.#shared?.size ?? 0);
  }

  // --- the connection and the store ---------------------------------------------------------------------------------

  /** Takes up what is kept of the session. Throws RangeError when that cannot be read. */
  restore(place: Place): void {
    this.#place = place;
    if (place.kept === undefined) return;
    const state = decodeState(place.kept);
    place.kept = undefined;
    this.#uid = state.uid;
    this.#cursor = state.cursor.length === 0 ? undefined : [...state.cursor];
    for (const options of state.subscriptions) {
      if (isShared(options.filter)) this.#share(options);
      else this.#own.set(options);
    }
    for (const [packetId, sent] of state.inflight) this.#sent.restore(packetId, sent);
    const { atomic } = place;
    this.inbound.restore(
      state.lastNumber,
      [...state.inbound].map(([packetId, received, number]) => [packetId, atomic ? 'stored' : received, number]),
    );
  }

  /** The client is connected: what was in flight is sent again, then what it missed. */
  attach(link: Link): void {
    this.#link = link;
    if (this.#inflight === undefined) {
      this.#begin();
      return;
    }
    this.#resender = new Resender(link, this.#inflight, this);
    this.#resender.start(this.#services);
  }

  identifiers(message: Message): readonly number[] {
    return identifiersOf(this.select(message));
  }

  resent(): void {
    this.#resender = undefined;
    this.#begin();
  }

  /** The log goes on where the session stands. */
  #begin(): void {
    if (this.#link === undefined) return;
    if (this.#subscriptions !== undefined) this.#outbox ??= this.#services.outbox(this, this.#cursor);
    this.drained();
  }

  takenOver(): void {
    this.#holder.takenOver();
  }

  encode(): Uint8Array {
    this.#writeAhead?.encoded();
    for (const [shard, position] of this.#outbox?.positions().entries() ?? []) {
      // In the middle of a batch the outbox still says where that began.
      this.#cursor ??= [];
      this.#cursor[shard] = Math.max(this.#cursor[shard] ?? 0, position);
    }
    return encodeState({
      uid: this.#uid,
      cursor: this.#cursor ?? [],
      subscriptions: [...(this.#subscriptions?.values() ?? []), ...(this.#shared?.options() ?? [])],
      inflight: this.#inflight?.entries() ?? [],
      lastNumber: this.#inbound?.lastNumber ?? 0,
      inbound: [...(this.#inbound?.entries() ?? [])].map(([packetId, { state, number }]) => [packetId, state, number]),
    });
  }

  /** The connection is gone; the state is kept for `seconds`. */
  leave(seconds: number): void {
    this.#link = undefined;
    this.#subscriptions?.leave();
    this.#shared?.leave(this.#inflight?.values() ?? [], seconds === 0);
    this.#leaving = seconds;
    this.stored();
  }

  /** What becomes of messages from the client is known: with the last of them, a session that is to be left is. */
  stored(): void {
    if (this.#leaving === undefined || (this.durable && (this.#inbound?.storing ?? 0) > 0)) return;
    this.#place?.leave(this.#leaving);
    this.#leaving = undefined;
    this.#outbox?.close();
    this.#resender?.stop();
  }

  /** The connection has room again. */
  drained(): void {
    this.#resender?.pump();
    if (this.#resender !== undefined) return;
    this.#outbox?.pump();
    this.#shared?.pump();
  }

  /** Runs `action` once what has happened so far is durable, if the session is; in the order of the calls. */
  saved(action: () => void): void {
    if (this.#writeAhead === undefined || this.#place === undefined) action();
    else this.#writeAhead.add(this.#place, action);
  }

  /** What was taken from the client is durable no later than what is published after this. */
  put(): Promise<void> {
    return this.#place?.put() ?? Promise.resolve();
  }

  /** Names a QoS 2 message from the client among all messages. */
  dedupId(packetId: number): string {
    return `${this.#uid} ${this.inbound.number(packetId)}`;
  }

  get atomic(): boolean {
    return this.#place?.atomic ?? true;
  }

  // --- subscriptions ------------------------------------------------------------------------------------------------

  /** Adds or replaces a subscription; true when there was none with this filter. */
  subscribe(options: Omit<SubscriptionOptions, 'since'>): boolean {
    if (isShared(options.filter)) return this.#share({ ...options, since: [] });
    const previous = this.#subscriptions?.get(options.filter);
    // Replaced without a gap: its place in the log stays [MQTT-3.8.4-3].
    const since = previous?.since ?? this.#services.router.positions();
    // What the log had before the first subscription is not for it.
    if (this.subscriptionCount === 0 && this.#outbox === undefined) this.#cursor = undefined;
    this.#own.set({ ...options, since });
    if (this.#resender === undefined) this.#begin();
    return previous === undefined;
  }

  #share(options: SubscriptionOptions): boolean {
    this.#shared ??= new SharedSubscriptions(this.#services.groups, this, this.#keptFor);
    return this.#shared.add(options);
  }

  hasSubscription(filter: string): boolean {
    return (isShared(filter) ? this.#shared?.has(filter) : this.#subscriptions?.get(filter) !== undefined) ?? false;
  }

  /** Retained messages for a subscription just made. */
  replayRetained(filter: string): void {
    const subscription = this.#subscriptions?.get(filter);
    const outbox = this.#outbox;
    if (subscription === undefined || outbox === undefined) return;
    this.#services.retained.match(filter, (message) => outbox.replay(message, subscription));
  }

  unsubscribe(filter: string): boolean {
    if (isShared(filter)) return this.#shared?.remove(filter, this.#inflight?.values() ?? []) ?? false;
    return this.#subscriptions?.delete(filter) ?? false;
  }

  // --- to the client ------------------------------------------------------------------------------------------------

  deliver(message: Message, subscriptions: readonly Subscription[]): void {
    if (effectiveQos(message, subscriptions) > 0) {
      this.#outbox?.deliver(message, subscriptions);
      return;
    }
    const link = this.#link;
    if (link === undefined) return;
    if (link.full()) this.#services.counters.droppedSlow++;
    else this.#sendLive(link, message, liveDelivery(message, subscriptions));
  }

  #sendLive(link: Link, message: Message, delivery: Delivery): void {
    if (link.fits(message, delivery)) link.publish(message, delivery);
  }

  ready(): boolean {
    return this.#resender === undefined && this.#open();
  }

  #open(): boolean {
    const link = this.#link;
    if (link === undefined || link.full()) return false;
    return this.#inflight === undefined || this.#inflight.outstanding < link.window;
  }

  filters(): readonly string[] {
    return this.#subscriptions?.filters() ?? [];
  }

  send(message: Message, subscriptions: readonly Subscription[], replayed: boolean): void {
    const link = this.#link;
    if (link === undefined) return;
    const qos = effectiveQos(message, subscriptions);
    const retain = replayed || keepsRetain(message, subscriptions);
    const identifiers = identifiersOf(subscriptions);
    if (qos === 0) {
      this.#sendLive(link, message, { qos, retain, dup: false, packetId: 0, identifiers });
      return;
    }
    const { shard } = message;
    const sequence = replayed ? 0 : message.sequence;
    if (sequence > 0) {
      this.#cursor ??= [];
      this.#cursor[shard] = sequence + 1;
    }
    if (!link.fits(message, { qos, retain, dup: false, packetId: 1, identifiers })) return;
    const kept = sequence === 0 ? message : undefined;
    const sent = { qos, shard, sequence, message: kept, retain, released: false, share: undefined };
    this.#dispatch(link, message, sent, identifiers);
  }

  #dispatch(link: Link, message: Message, sent: Sent, identifiers: readonly number[]): void {
    const { qos, retain, share } = sent;
    const packetId = this.#sent.add(sent);
    const delivery = { qos, retain, dup: false, packetId, identifiers };
    // The client will know a QoS 2 message by its identifier: that must not be forgotten. What follows keeps its place.
    if (this.#writeAhead !== undefined && (qos === 2 || this.#writeAhead.pending)) {
      message.keep();
      this.saved(() => {
        // From here on it is in the session's hands [MQTT-4.8.2-4].
        if (qos === 2) share?.membership.settle(share.delivery, 'accept');
        if (this.#link === link) link.publish(message, delivery);
      });
      return;
    }
    if (this.durable) this.#place?.changed();
    link.publish(message, delivery);
  }

  takeShared(message: Message, share: Share, options: SubscriptionOptions): void {
    const link = this.#link;
    const qos = effectiveQos(message, [{ ...options, subscriber: this, id: '' }]);
    const identifiers = options.identifier === 0 ? [] : [options.identifier];
    const retain = message.retain && options.retainAsPublished;
    const fits = link?.fits(message, { qos, retain, dup: false, packetId: 1, identifiers }) ?? false;
    if (link === undefined) share.membership.settle(share.delivery, 'requeue');
    else if (qos === 0 || !fits) {
      share.membership.settle(share.delivery, 'accept');
      if (fits) link.publish(message, { qos, retain, dup: false, packetId: 0, identifiers });
    } else {
      const { shard, sequence } = message;
      const sent = { qos, shard, sequence, message: undefined, retain, released: false, share };
      this.#dispatch(link, message, sent, identifiers);
    }
  }

  takeLive(message: Message, options: SubscriptionOptions): boolean {
    const link = this.#link;
    if (link === undefined || link.full()) return false;
    this.#sendLive(link, message, liveDelivery(message, [{ ...options, subscriber: this, id: '' }]));
    return true;
  }

  select(message: Message): readonly Subscription[] {
    return this.#subscriptions?.select(message) ?? NO_SUBSCRIPTIONS;
  }

  lost(count: number): void {
    this.#services.counters.droppedOvertaken += count;
    this.#services.logger.warn(
      { clientId: this.clientId, count },
      'the log no longer has messages this session had not seen; at most this many are lost to it',
    );
  }

  // --- acknowledgements of the client -------------------------------------------------------------------------------

  puback(packetId: number): void {
    if (this.#inflight?.get(packetId)?.qos === 1) this.#settle(packetId);
  }

  /** Answers with PUBREL; false when nothing with this identifier is in flight. */
  pubrec(packetId: number, reason: number): boolean {
    const link = this.#link;
    if (link === undefined || this.#inflight?.get(packetId)?.qos !== 2) return false;
    // The client refuses the message: it is settled (4.3.3).
    if (reason >= 0x80) {
      this.#settle(packetId);
      return true;
    }
    this.#inflight.release(packetId);
    this.saved(() => {
      if (this.#link === link) link.pubrel(packetId);
    });
    return true;
  }

  pubcomp(packetId: number): void {
    if (this.#inflight?.get(packetId)?.released) this.#settle(packetId);
  }

  #settle(packetId: number): void {
    const share = this.#inflight?.get(packetId)?.share;
    this.#inflight?.settle(packetId);
    share?.membership.settle(share.delivery, 'accept');
    if (this.durable) this.#place?.changed();
    this.drained();
  }

  // --- details ------------------------------------------------------------------------------------------------------

  get #own(): Subscriptions {
    this.#subscriptions ??= new Subscriptions(this.#services.router, this);
    return this.#subscriptions;
  }

  get #sent(): Inflight {
    this.#inflight ??= new Inflight();
    return this.#inflight;
  }
}
