import { matches } from '../../src/core/filter.ts';
import type { Message, Publisher, Qos } from '../../src/core/message.ts';
import type { Outbox, OutboxSink, Services, Session, Subscriber, Subscription } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { writeAcknowledgement } from './encoder.ts';
import { TYPE, type Version } from './packets.ts';
import { type Delivery, publishBytes, writePublish } from './publish-encoder.ts';

/** What holds a session: a connection's channel, as far as another one must reach it. */
export interface Holder {
  takenOver(): void;
}

/** A connection as its session sees it. */
export interface Link {
  readonly connection: Connection;
  readonly version: Version;
  /** Receive Maximum of the client, or the server's own bound: messages it may have unacknowledged. */
  readonly window: number;
  /** Maximum Packet Size of the client, bytes. */
  readonly maximumPacketSize: number;
}

/** A message sent at QoS 1 or 2 and not settled. */
interface Inflight {
  readonly qos: Qos;
  readonly shard: number;
  /** Position in the log, from which it is read if it must be sent again; 0: `message` is kept for that. */
  readonly sequence: number;
  readonly message: Message | undefined;
  readonly retain: boolean;
  /** QoS 2: PUBREC has come, PUBREL was sent; the message is no longer needed. */
  released: boolean;
}

/** What may arrive between PUBLISH at QoS 2 and its PUBREL: being made durable, or that has been said (PUBREC). */
export type Inbound = 'storing' | 'stored';

const NO_IDENTIFIERS: readonly number[] = [];
const NO_SUBSCRIPTIONS: readonly Subscription[] = [];
const LIVE: Delivery = { qos: 0, retain: false, dup: false, packetId: 0, identifiers: NO_IDENTIFIERS };

/**
 * A client's session state (MQTT 5.0, 4.1): subscriptions, what is in flight both ways, and its place in the log. It
 * exists with or without a connection.
 */
export class MqttSession implements Session, Subscriber, OutboxSink {
  readonly clientId: string;
  readonly principal: string;
  /** Packet identifiers of QoS 2 messages from the client that it has not released. */
  inbound: Map<number, Inbound> | undefined;
  /** The connection that holds it. */
  holder: Holder | undefined;
  readonly #services: Services;
  #publisher: Publisher | undefined;
  #link: Link | undefined;
  #subscriptions: Map<string, Subscription> | undefined;
  #outbox: Outbox | undefined;
  /** By packet identifier, in the order sent. */
  #inflight: Map<number, Inflight> | undefined;
  #lastId = 0;
  /** Per shard, the last sequence sent: what the log brings again up to there is either in flight or settled. */
  #sent: number[] | undefined;
  /** After a return: packet identifiers, by position, of what must be sent again. */
  #resend: Map<string, number> | undefined;

  constructor(clientId: string, principal: string, services: Services) {
    this.clientId = clientId;
    this.principal = principal;
    this.#services = services;
  }

  /** Of this client's messages. Not the session itself: a retained message would hold it for good. */
  get publisher(): Publisher {
    this.#publisher ??= { clientId: this.clientId, protocol: 'mqtt' };
    return this.#publisher;
  }

  get subscriptionCount(): number {
    return this.#subscriptions?.size ?? 0;
  }

  // --- connections --------------------------------------------------------------------------------------------------

  /** The client is connected, for the first time or again: what was in flight is sent again [MQTT-4.4.0-1], in order. */
  attach(link: Link): void {
    this.#link = link;
    if (this.#outbox === undefined) return;
    const from: (number | undefined)[] = [];
    for (const [packetId, sent] of this.#inflight ?? []) {
      if (sent.released) {
        writeAcknowledgement(link.connection, TYPE.pubrel, link.version, packetId, 0);
      } else if (sent.message !== undefined) {
        const { qos, retain, message } = sent;
        const delivery = { qos, retain, dup: true, packetId, identifiers: NO_IDENTIFIERS };
        writePublish(link.connection, message, link.version, delivery, this.#services.clock.now());
      } else {
        this.#resend ??= new Map();
        this.#resend.set(`${sent.shard}:${sent.sequence}`, packetId);
        from[sent.shard] = Math.min(from[sent.shard] ?? sent.sequence, sent.sequence);
      }
    }
    this.#outbox.attach(from);
  }

  /** The connection is gone. */
  detach(): void {
    this.#link = undefined;
    this.#resend = undefined;
    this.#outbox?.detach();
  }

  /** The session is over. */
  end(): void {
    this.#link = undefined;
    for (const subscription of this.#subscriptions?.values() ?? []) this.#services.router.unsubscribe(subscription);
    this.#subscriptions = undefined;
    this.#outbox?.close();
    this.#outbox = undefined;
    this.#inflight = undefined;
  }

  /** The connection has room again. */
  drained(): void {
    this.#outbox?.pump();
  }

  // --- subscriptions ------------------------------------------------------------------------------------------------

  /** Adds or replaces a subscription; true when there was none with this filter. */
  subscribe(options: Omit<Subscription, 'subscriber' | 'id' | 'since'>): boolean {
    this.#subscriptions ??= new Map();
    this.#outbox ??= this.#services.outbox(this);
    const previous = this.#subscriptions.get(options.filter);
    const router = this.#services.router;
    // Replaced without a gap: its place in the log stays [MQTT-3.8.4-3].
    const since = previous?.since ?? router.positions();
    const subscription: Subscription = { ...options, subscriber: this, id: '', since };
    router.subscribe(subscription);
    if (previous !== undefined) router.unsubscribe(previous);
    this.#subscriptions.set(options.filter, subscription);
    return previous === undefined;
  }

  hasSubscription(filter: string): boolean {
    return this.#subscriptions?.has(filter) ?? false;
  }

  /** Retained messages for a subscription just made. */
  replayRetained(filter: string): void {
    const subscription = this.#subscriptions?.get(filter);
    const outbox = this.#outbox;
    if (subscription === undefined || outbox === undefined) return;
    this.#services.retained.match(filter, (message) => outbox.replay(message, subscription));
  }

  unsubscribe(filter: string): boolean {
    const subscription = this.#subscriptions?.get(filter);
    if (subscription === undefined) return false;
    this.#services.router.unsubscribe(subscription);
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
    if (link.connection.full()) this.#services.counters.droppedSlow++;
    else this.#write(link, message, this.#liveDelivery(message, subscriptions));
  }

  ready(): boolean {
    const link = this.#link;
    if (link === undefined || link.connection.full()) return false;
    // What is sent again has its place in the window already.
    return this.#resend !== undefined || (this.#inflight?.size ?? 0) < link.window;
  }

  send(message: Message, subscriptions: readonly Subscription[], replayed: boolean): void {
    const link = this.#link;
    if (link === undefined) return;
    const qos = effectiveQos(message, subscriptions);
    const retain = replayed || (message.retain && subscriptions.some((each) => each.retainAsPublished));
    const identifiers = identifiersOf(subscriptions);
    if (qos === 0) {
      this.#write(link, message, { qos, retain, dup: false, packetId: 0, identifiers });
      return;
    }
    // A retained message is not where its position says: it is kept, not read again.
    const sequence = replayed ? 0 : message.sequence;
    if (sequence > 0 && sequence <= (this.#sent?.[message.shard] ?? 0)) {
      this.#sendAgain(link, message, retain, identifiers);
      return;
    }
    const packetId = this.#nextId();
    const written = this.#write(link, message, { qos, retain, dup: false, packetId, identifiers });
    if (sequence > 0) {
      this.#sent ??= [];
      this.#sent[message.shard] = sequence;
    }
    if (!written) return;
    this.#inflight ??= new Map();
    const kept = sequence === 0 ? message : undefined;
    this.#inflight.set(packetId, { qos, shard: message.shard, sequence, message: kept, retain, released: false });
  }

  select(message: Message): readonly Subscription[] {
    let selected: Subscription[] | undefined;
    for (const subscription of this.#subscriptions?.values() ?? []) {
      if (subscription.qos === 0 || message.sequence < (subscription.since[message.shard] ?? 0)) continue;
      if (subscription.noLocal && message.publisher.clientId === this.clientId) continue;
      if (matches(subscription.filter, message.topic)) {
        selected ??= [];
        selected.push(subscription);
      }
    }
    if (selected === undefined && this.#resend !== undefined) this.#forgetResend(message.shard, message.sequence);
    return selected ?? NO_SUBSCRIPTIONS;
  }

  lost(count: number, shard: number, first: number): void {
    this.#services.counters.droppedOvertaken += count;
    this.#services.logger.warn(
      { clientId: this.clientId, count },
      'the log no longer has messages this session had not seen; at most this many are lost to it',
    );
    for (const [packetId, sent] of this.#inflight ?? []) {
      if (sent.sequence === 0 || sent.shard !== shard || sent.sequence >= first || sent.released) continue;
      this.#forgetResend(shard, sent.sequence);
      this.#inflight?.delete(packetId);
    }
  }

  // --- acknowledgements of the client -------------------------------------------------------------------------------

  puback(packetId: number): void {
    const sent = this.#inflight?.get(packetId);
    if (sent?.qos !== 1) return;
    this.#settle(packetId);
  }

  /** Answers with PUBREL; false when nothing with this identifier is in flight. */
  pubrec(packetId: number, reason: number): boolean {
    const sent = this.#inflight?.get(packetId);
    if (sent === undefined || sent.qos !== 2) return false;
    // The client refuses the message: it is settled [MQTT-4.3.3].
    if (reason >= 0x80) {
      this.#settle(packetId);
      return true;
    }
    this.#inflight?.set(packetId, { ...sent, message: undefined, released: true });
    return true;
  }

  pubcomp(packetId: number): void {
    const sent = this.#inflight?.get(packetId);
    if (sent?.released) this.#settle(packetId);
  }

  #settle(packetId: number): void {
    this.#inflight?.delete(packetId);
    this.#outbox?.pump();
  }

  // --- details ------------------------------------------------------------------------------------------------------

  /** The log brought a message of before the last return: it is in flight, and sent again, or it was settled. */
  #sendAgain(link: Link, message: Message, retain: boolean, identifiers: readonly number[]): void {
    const packetId = this.#forgetResend(message.shard, message.sequence);
    const sent = packetId === undefined ? undefined : this.#inflight?.get(packetId);
    if (packetId === undefined || sent === undefined) return;
    const delivery = { qos: sent.qos, retain, dup: true, packetId, identifiers };
    if (!this.#write(link, message, delivery)) this.#inflight?.delete(packetId);
  }

  #forgetResend(shard: number, sequence: number): number | undefined {
    const key = `${shard}:${sequence}`;
    const packetId = this.#resend?.get(key);
    if (this.#resend?.delete(key) && this.#resend.size === 0) this.#resend = undefined;
    return packetId;
  }

  /** False when the client does not take packets of this size [MQTT-3.1.2-24]: it counts as settled. */
  #write(link: Link, message: Message, delivery: Delivery): boolean {
    const now = message.properties === undefined ? 0 : this.#services.clock.now();
    if (
      link.maximumPacketSize !== NO_MAXIMUM &&
      publishBytes(message, link.version, delivery) > link.maximumPacketSize
    ) {
      this.#services.counters.droppedTooLarge++;
      return false;
    }
    this.#services.counters.delivered++;
    writePublish(link.connection, message, link.version, delivery, now);
    return true;
  }

  #liveDelivery(message: Message, subscriptions: readonly Subscription[]): Delivery {
    const first = subscriptions[0];
    if (subscriptions.length === 1 && first?.identifier === 0 && !(message.retain && first.retainAsPublished))
      return LIVE;
    const retain = message.retain && subscriptions.some((each) => each.retainAsPublished);
    return { qos: 0, retain, dup: false, packetId: 0, identifiers: identifiersOf(subscriptions) };
  }

  /** Never one in flight: the window is smaller than the number of identifiers. */
  #nextId(): number {
    do {
      this.#lastId = this.#lastId === 0xffff ? 1 : this.#lastId + 1;
    } while (this.#inflight?.has(this.#lastId));
    return this.#lastId;
  }
}

/** `Link.maximumPacketSize` of a client that names none. */
export const NO_MAXIMUM = Number.POSITIVE_INFINITY;

/** Overlapping subscriptions deliver once, at the highest of their QoS [MQTT-3.3.4-2], and not above the message's. */
function effectiveQos(message: Message, subscriptions: readonly Subscription[]): Qos {
  if (message.qos === 0) return 0;
  let highest: Qos = 0;
  for (let i = 0; i < subscriptions.length; i++) {
    const qos = subscriptions[i]?.qos ?? 0;
    if (qos > highest) highest = qos;
  }
  return highest < message.qos ? highest : message.qos;
}

function identifiersOf(subscriptions: readonly Subscription[]): readonly number[] {
  let identifiers: number[] | undefined;
  for (let i = 0; i < subscriptions.length; i++) {
    const identifier = subscriptions[i]?.identifier ?? 0;
    if (identifier === 0) continue;
    identifiers ??= [];
    identifiers.push(identifier);
  }
  return identifiers ?? NO_IDENTIFIERS;
}
