import type { BrokerError } from '../../src/core/errors.ts';
import type { Message, Publisher } from '../../src/core/message.ts';
import type { Principal } from '../../src/ports/authorizer.ts';
import type { Outbox, OutboxSink, Services, Subscriber, Subscription } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import type { Answers } from './answers.ts';
import { type JsonObject, RequestError, readText, shown } from './codec.ts';
import type { KeptSession, KeptSubscription, SessionHolder } from './kept-session.ts';
import { type MessageEncoder, messagePrefix, readPublish } from './mapping.ts';
import { Publications, type PublicationsOwner } from './publications.ts';
import { JsonSubscription, readName, readSubscribe, SubscriptionTable } from './subscriptions.ts';

/** Of live messages no one hears again. */
const NOBODY = { appended() {}, refused() {} };

/**
 * A client past its hello: what its requests do. It is one subscriber, whose messages name the subscription they are for.
 * `id`: of the request at hand, as JSON text.
 */
export class JsonClient implements Subscriber, OutboxSink, PublicationsOwner, SessionHolder {
  readonly clientId: string;
  readonly principal: Principal;
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #encoder: MessageEncoder;
  readonly #answers: Answers;
  readonly #publisher: Publisher;
  #publications: Publications | undefined;
  /** With the first subscription: many clients only publish. */
  #subscriptions: SubscriptionTable | undefined;
  #outbox: Outbox | undefined;
  /** What outlives the connection, when that was asked for. */
  #kept: KeptSession | undefined;

  constructor(
    services: Services,
    connection: Connection,
    encoder: MessageEncoder,
    answers: Answers,
    clientId: string,
    principal: Principal,
  ) {
    this.#services = services;
    this.#connection = connection;
    this.#encoder = encoder;
    this.#answers = answers;
    this.clientId = clientId;
    this.principal = principal;
    this.#publisher = { clientId, protocol: 'websocket' };
  }

  pump(): void {
    this.#outbox?.pump();
  }

  /** The connection is gone. */
  close(): void {
    this.#kept?.leave();
    for (const each of this.#subscriptions?.values() ?? []) this.#services.router.unsubscribe(each);
    this.#outbox?.close();
    this.#subscriptions = undefined;
    this.#outbox = undefined;
    this.#kept = undefined;
  }

  // --- publish, subscribe, unsubscribe ------------------------------------------------------------------------------

  publish(request: JsonObject, id: string | undefined, now: number): void {
    const { authorizer, limits, router } = this.#services;
    const message = readPublish(request, this.#publisher, limits, now);
    if (!authorizer.mayPublish(this.principal, message.topic)) {
      throw new RequestError('notAuthorized', 'topic', 'not authorized to publish to this topic');
    }
    // Who answers does so with rights of their own: a topic out of the asker's reach must not be reached through them.
    const replyTo = message.properties?.responseTopic;
    if (
      replyTo !== undefined &&
      !authorizer.maySubscribe(this.principal, replyTo) &&
      !authorizer.mayPublish(this.principal, replyTo)
    ) {
      throw new RequestError('notAuthorized', 'replyTo', 'not authorized to have answers sent to this topic');
    }
    if (message.qos === 0) {
      router.publish(message, NOBODY, 0);
      this.#answers.ack(id);
      return;
    }
    this.#publications ??= new Publications(router, this.#services.backlog(this.#connection), this);
    this.#publications.publish(message, id);
  }

  published(id: string | undefined): void {
    this.#answers.ack(id);
  }

  unpublished(id: string | undefined, error: BrokerError): void {
    this.#answers.refuse(error.code, error.message, id);
  }

  subscribe(request: JsonObject, id: string | undefined): void {
    const { authorizer, limits, retained, router } = this.#services;
    const wanted = readSubscribe(request, limits);
    const table = this.#table;
    if (table.get(wanted.name) !== undefined) {
      throw new RequestError('fieldInvalid', 'subscription', `there is a subscription ${shown(wanted.name)} already`);
    }
    if (table.size >= limits.subscriptionsPerSession) {
      const text = `at most ${limits.subscriptionsPerSession} subscriptions are taken (limits.subscriptionsPerSession)`;
      throw new RequestError('quota', undefined, text);
    }
    if (!authorizer.maySubscribe(this.principal, wanted.filter)) {
      throw new RequestError('notAuthorized', 'filter', 'not authorized to subscribe to this filter');
    }
    const outbox = this.#outbox ?? this.#services.outbox(this);
    this.#outbox = outbox;
    const subscription = new JsonSubscription(this, wanted, router.positions());
    table.add(subscription);
    const replay = (): void => {
      retained.match(subscription.filter, (message) => {
        const own = subscription.noLocal && message.publisher.clientId === this.clientId;
        if (!own) outbox.replay(message, subscription);
      });
    };
    router.subscribe(subscription);
    this.#acknowledge(id, replay);
  }

  get #table(): SubscriptionTable {
    this.#subscriptions ??= new SubscriptionTable();
    return this.#subscriptions;
  }

  unsubscribe(request: JsonObject, id: string | undefined): void {
    const name = readName(request, this.#services.limits);
    const subscription = name === undefined ? undefined : this.#subscriptions?.get(name);
    if (subscription === undefined) {
      const found = name === undefined ? 'subscription is missing' : `there is no subscription ${shown(name)}`;
      throw new RequestError('fieldInvalid', 'subscription', `${found}; the name of one is expected`);
    }
    this.#subscriptions?.remove(subscription);
    this.#services.router.unsubscribe(subscription);
    this.#acknowledge(id);
  }

  // --- the session that outlives the connection ---------------------------------------------------------------------

  /** The session is this connection's, with what it was subscribed to; nothing is sent yet. */
  goOn(session: KeptSession, subscriptions: readonly KeptSubscription[]): void {
    const { authorizer, logger, outbox, router } = this.#services;
    this.#kept = session;
    if (subscriptions.length > 0) this.#outbox = outbox(this, session.from());
    for (const each of subscriptions) {
      if (!authorizer.maySubscribe(this.principal, each.filter)) {
        const which = { clientId: this.clientId, filter: each.filter };
        logger.warn(which, 'a session had a subscription that its client has no right to any more; it has ended');
        continue;
      }
      const subscription = new JsonSubscription(this, each, each.since);
      this.#table.add(subscription);
      router.subscribe(subscription);
    }
    session.begin();
  }

  subscriptions(): readonly KeptSubscription[] {
    return [...(this.#subscriptions?.values() ?? [])].map(({ id, filter, noLocal, since }) => {
      return { name: id, filter, noLocal, since };
    });
  }

  positions(): readonly number[] {
    return this.#outbox?.positions() ?? [];
  }

  received(request: JsonObject, id: string | undefined): void {
    const position = readText(request, 'position');
    if (this.#kept === undefined) {
      const text = 'received is for sessions that outlive their connection; hello asks for one with sessionSeconds';
      throw new RequestError('fieldInvalid', 'type', text);
    }
    if (position === undefined) {
      throw new RequestError('fieldInvalid', 'position', 'position is missing; that of a message is expected');
    }
    this.#kept.received(position, this.#services.router.positions());
    if (id !== undefined) this.#acknowledge(id);
    this.#outbox?.pump();
  }

  /** Says so when what a request did is kept; `then` follows in any case. */
  #acknowledge(id: string | undefined, then: () => void = () => {}): void {
    const acknowledge = (): void => {
      if (this.#answers.over) return;
      this.#answers.ack(id);
      then();
    };
    if (this.#kept === undefined) acknowledge();
    else this.#kept.saved(acknowledge);
  }

  // --- Subscriber and OutboxSink: to the peer ---------------------------------------------------------------------------

  deliver(message: Message, subscriptions: readonly Subscription[]): void {
    const { clock, counters } = this.#services;
    if (this.#answers.over) return;
    if (message.qos > 0) this.#outbox?.deliver(message, subscriptions);
    else if (message.properties !== undefined && message.expired(clock.now())) counters.droppedExpired++;
    else if (this.#connection.full()) counters.droppedSlow++;
    else this.send(message, subscriptions, false);
  }

  ready(): boolean {
    if (this.#answers.over || this.#connection.full()) return false;
    return this.#kept === undefined || this.#kept.unsettled < this.#services.limits.inflightOut;
  }

  send(message: Message, subscriptions: readonly Subscription[], replayed: boolean): void {
    const shared = message.fanout > 1 || subscriptions.length > 1;
    // What is retained, or live, is not a part of what the session has to get.
    const kept = replayed || message.qos === 0 ? undefined : this.#kept;
    if (kept?.has(message)) return;
    let placed: string | undefined;
    for (let i = 0; i < subscriptions.length; i++) {
      const each = subscriptions[i];
      // What the outbox held may be for a subscription that is gone.
      const own = each === undefined ? undefined : this.#subscriptions?.get(each.id);
      if (own === undefined || own !== each) continue;
      placed ??= kept?.sent(message);
      const prefix = replayed || placed !== undefined ? messagePrefix(own.id, replayed, placed) : own.prefix;
      this.#encoder.write(this.#connection, prefix, message, shared);
      this.#services.counters.delivered++;
    }
  }

  filters(): readonly string[] {
    return [...(this.#subscriptions?.values() ?? [])].map((each) => each.filter);
  }

  select(message: Message): readonly Subscription[] {
    return this.#subscriptions?.match(message, this.clientId) ?? [];
  }

  lost(count: number): void {
    this.#services.counters.droppedOvertaken += count;
    this.#answers.refuse(
      'overtaken',
      `up to ${count} durable messages were removed from the log before they were read`,
      undefined,
    );
  }
}
