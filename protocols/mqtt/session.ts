import { type BrokerError, FAULTS } from '../../src/core/errors.ts';
import type { Message, Publisher } from '../../src/core/message.ts';
import { REPLY_PREFIX } from '../../src/core/topic.ts';
import type { Principal } from '../../src/ports/authorizer.ts';
import type { Place, Services, SessionOwner } from '../../src/ports/routing.ts';
import { type Capabilities, granted, notOffered } from './capabilities.ts';
import { type ConsumptionContext, Consumptions } from './consumptions.ts';
import { extrasOf } from './delivery.ts';
import type { FeedContext } from './feed.ts';
import { kindOf } from './filters.ts';
import { Inbound } from './inbound.ts';
import type { Sent } from './inflight.ts';
import type { Link } from './link.ts';
import type { Login } from './login.ts';
import { Outgoing, type OutgoingOwner } from './outgoing.ts';
import type { Extras } from './publish-encoder.ts';
import { mayResume } from './rights.ts';
import { decodeState, encodeState, type SessionState } from './session-state.ts';
import { type NewSubscription, TopicSubscriptions } from './topics.ts';
import type { Wishes } from './wishes.ts';
import { WriteAhead } from './write-ahead.ts';

/** What holds a session: a connection's channel, as far as another one must reach it. */
export interface Holder {
  /** Another connection has the client: gives the session up before it returns. */
  takenOver(): void;
  /** The connection cannot go on. */
  failed(error: BrokerError): void;
}

/**
 * A client's session (MQTT 5.0, 4.1) while it has a connection: subscriptions, what is in flight both ways, and its place
 * in the log. Without a connection it is an entry in the store, from which the next connection makes it again.
 */
export class MqttSession implements SessionOwner, OutgoingOwner, ConsumptionContext, FeedContext {
  readonly clientId: string;
  /** The session outlives its connection: what must not be forgotten is durable before it is said. */
  readonly durable: boolean;
  /** Seconds. */
  readonly keptFor: number;
  readonly window: number;
  readonly services: Services;
  readonly outgoing: Outgoing;
  readonly #capabilities: Capabilities;
  readonly #holder: Holder;
  readonly #writeAhead: WriteAhead | undefined;
  #uid: string;
  #reply = '';
  #inbound: Inbound | undefined;
  #publisher: Publisher | undefined;
  #place: Place | undefined;
  // Like most here made when needed: there are many clients that never do.
  #topics: TopicSubscriptions | undefined;
  #consumptions: Consumptions | undefined;
  /** Who comes first when there is room. */
  #turn = 0;
  /** Seconds the state is kept, once the connection is gone. */
  #leaving: number | undefined;

  constructor(
    login: Pick<Login, 'clientId' | 'sessionExpiry' | 'window'>,
    services: Services,
    capabilities: Capabilities,
    holder: Holder,
  ) {
    const durable = login.sessionExpiry > 0;
    this.clientId = login.clientId;
    this.durable = durable;
    this.keptFor = login.sessionExpiry;
    this.window = login.window;
    this.services = services;
    this.#capabilities = capabilities;
    this.#holder = holder;
    this.#writeAhead = durable ? new WriteAhead() : undefined;
    this.outgoing = new Outgoing(this, services, this.#writeAhead);
    this.#uid = durable ? random(services, 9) : '';
  }

  /** Of this client's messages. Not the session itself: a retained message would hold it for good. */
  get publisher(): Publisher {
    this.#publisher ??= { clientId: this.clientId, protocol: 'mqtt' };
    return this.#publisher;
  }

  get inbound(): Inbound {
    this.#inbound ??= new Inbound();
    return this.#inbound;
  }

  get subscriptionCount(): number {
    return (this.#topics?.size ?? 0) + (this.#consumptions?.size ?? 0);
  }

  /** The topic for answers that is its own; empty when it never asked for one. */
  get reply(): string {
    return this.#reply;
  }

  /** As long as the session is there, it is the same one. */
  assignReply(): string {
    if (this.#reply === '') {
      this.#reply = REPLY_PREFIX + random(this.services, 16);
      this.#writeAhead?.changed();
    }
    return this.#reply;
  }

  // --- the connection and the store ---------------------------------------------------------------------------------

  /**
   * Takes up what is kept of the session; what the client has no right to any more has ended. Throws RangeError when it
   * cannot be read.
   */
  restore(place: Place, principal: Principal): void {
    this.#place = place;
    this.#writeAhead?.open(place);
    const { kept } = place;
    place.kept = undefined;
    try {
      if (kept !== undefined) this.#resume(decodeState(kept), place.atomic, principal);
    } finally {
      place.listens(true);
    }
  }

  #resume(state: SessionState, atomic: boolean, principal: Principal): void {
    this.#uid = state.uid;
    this.#reply = state.reply;
    const topics = new TopicSubscriptions(this, state.cursor);
    this.#topics = topics;
    const { authorizer, logger } = this.services;
    for (const options of state.subscriptions) {
      const { filter } = options;
      if (!mayResume(authorizer, principal, options) || notOffered(filter, this.#capabilities) !== undefined) {
        logger.warn(
          { clientId: this.clientId, filter },
          'a session had a subscription that its client has no right to, or that is not offered any more; it has ended',
        );
        continue;
      }
      (kindOf(filter) === 'topic' ? topics : this.#consuming).resume(granted(options, this.#capabilities));
    }
    for (const [packetId, sent] of state.inflight) this.outgoing.restore(packetId, sent);
    // Where a message is written as one with the state, it is stored.
    this.inbound.restore(
      state.lastNumber,
      [...state.inbound].map(([packetId, received, number]) => [
        packetId,
        received === 'storing' ? (atomic ? 'stored' : 'unsure') : received,
        number,
      ]),
    );
  }

  /** The client is connected: what was in flight is sent again, then what it missed. */
  attach(link: Link): void {
    this.outgoing.attach(link);
  }

  resumed(): void {
    this.#topics?.begin();
    this.drained();
  }

  takenOver(): void {
    this.#holder.takenOver();
  }

  encode(): Uint8Array {
    this.#writeAhead?.encoded();
    const consumed = this.#consumptions?.options() ?? [];
    return encodeState({
      uid: this.#uid,
      reply: this.#reply,
      cursor: this.#topics?.cursor() ?? [],
      subscriptions: [
        ...(this.#topics?.options() ?? []),
        ...Array.from(consumed, (each) => ({ ...each, cursor: undefined })),
      ],
      inflight: this.outgoing.entries(),
      lastNumber: this.#inbound?.lastNumber ?? 0,
      inbound: [...(this.#inbound?.entries() ?? [])].map(([packetId, { state, number, apart }]) => [
        packetId,
        state === 'storing' && apart ? 'unsure' : state,
        number,
      ]),
    });
  }

  /** The connection is gone; the state is kept for `seconds`. */
  leave(seconds: number): void {
    this.#place?.listens(false);
    this.#topics?.leave();
    this.outgoing.detach();
    this.#consumptions?.leave(seconds === 0);
    this.#leaving = seconds;
    this.stored();
  }

  /** What becomes of messages from the client is known: with the last of them, a session that is to be left is. */
  stored(): void {
    if (this.#leaving === undefined || (this.durable && (this.#inbound?.storing ?? 0) > 0)) return;
    this.#place?.leave(this.#leaving);
    this.#leaving = undefined;
    this.#topics?.close();
    this.outgoing.stop();
  }

  /** The connection has room again. */
  drained(): void {
    const { outgoing } = this;
    outgoing.pump();
    if (outgoing.resending) return;
    // What is first may fill the window: neither always is.
    this.#turn = (this.#turn + 1) & 3;
    if ((this.#turn & 1) === 0) this.#consumptions?.pump();
    this.#topics?.pump((this.#turn & 2) === 0);
    if ((this.#turn & 1) === 1) this.#consumptions?.pump();
  }

  /** Runs `action` once what has happened so far is durable, if the session is; in the order of the calls. */
  saved(action: () => void): void {
    if (this.#writeAhead === undefined) action();
    else this.#writeAhead.add(action);
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

  /**
   * Adds or replaces a subscription. Where a promise is returned, it is there once that resolves; it rejects with a
   * BrokerError when there is none.
   */
  subscribe(options: NewSubscription, wishes: Wishes): Promise<void> | undefined {
    const { filter } = options;
    if (kindOf(filter) !== 'topic') return this.#consuming.add({ ...options, since: [] });
    this.#topics ??= new TopicSubscriptions(this, undefined);
    return this.#topics.add(options, wishes);
  }

  hasSubscription(filter: string): boolean {
    return this.#topics?.get(filter) !== undefined || (this.#consumptions?.has(filter) ?? false);
  }

  /** Retained messages for a subscription just made. */
  replayRetained(filter: string): void {
    this.#topics?.replayRetained(filter);
  }

  unsubscribe(filter: string): boolean {
    if (kindOf(filter) !== 'topic') return this.#consumptions?.remove(filter) ?? false;
    return this.#topics?.remove(filter) ?? false;
  }

  /** A queue or group has nothing more for it, for which MQTT has no message. */
  ended(filter: string, error: BrokerError): void {
    this.services.logger.warn({ clientId: this.clientId, filter, reason: error.message }, 'a subscription ended');
    this.#writeAhead?.changed();
    if (FAULTS[error.code].closes) this.#holder.failed(error);
  }

  // --- to the client ------------------------------------------------------------------------------------------------

  extrasOf(sent: Sent, message: Message): Extras | undefined {
    const consumed = this.#consumptions?.get(sent.source);
    return consumed === undefined ? this.#topics?.extrasOf(sent, message) : extrasOf([consumed]);
  }

  lost(count: number): void {
    this.services.counters.droppedOvertaken += count;
    this.services.logger.warn(
      { clientId: this.clientId, count },
      'the log no longer has messages this session had not seen; at most this many are lost to it',
    );
  }

  // --- details ------------------------------------------------------------------------------------------------------

  get #consuming(): Consumptions {
    this.#consumptions ??= new Consumptions(this);
    return this.#consumptions;
  }
}

function random(services: Services, bytes: number): string {
  return Buffer.from(services.clock.random(bytes)).toString('base64url');
}
