import { textBytes, writeText } from '../../src/core/bytes.ts';
import { type BrokerError, FAULTS } from '../../src/core/errors.ts';
import type { Message, Publisher } from '../../src/core/message.ts';
import type { Principal } from '../../src/ports/authorizer.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Channel } from '../../src/ports/protocol.ts';
import type { Outbox, OutboxSink, Services, Subscriber, Subscription } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { type ErrorCode, type JsonObject, parseRequest, quote, RequestError, readId, shown } from './codec.ts';
import { type MessageEncoder, messagePrefix, readPublish } from './mapping.ts';
import { readHello, readType, welcome } from './requests.ts';
import { JsonSubscription, readName, readSubscribe, SubscriptionTable } from './subscriptions.ts';

/** One connection: from `hello` to `goodbye`. It is one subscriber, whose messages name the subscription they are for. */
export class JsonSession implements Channel, Subscriber, OutboxSink, AppendReceiver {
  clientId = '';
  readonly #services: Services;
  readonly #connection: Connection;
  readonly #encoder: MessageEncoder;
  readonly #openedAt: number;
  /** Set by `hello`. */
  #principal: Principal | undefined;
  #publisher: Publisher = { clientId: '', protocol: 'websocket' };
  #ended = false;
  /** With the first subscription: many clients only publish. */
  #subscriptions: SubscriptionTable | undefined;
  #outbox: Outbox | undefined;
  /** Durable publishes that are not yet: token to the id to acknowledge, as JSON text. */
  #pending: Map<number, string | undefined> | undefined;
  #token = 0;
  #paused = false;
  /** The id of the request at hand, as JSON text. */
  #id: string | undefined;

  constructor(services: Services, connection: Connection, encoder: MessageEncoder) {
    this.#services = services;
    this.#connection = connection;
    this.#encoder = encoder;
    this.#openedAt = services.clock.now();
  }

  // --- Channel: from the peer and the transport -------------------------------------------------------------------------

  receive(chunk: Buffer, now: number): void {
    if (this.#ended) return;
    this.#id = undefined;
    try {
      this.#handle(chunk, now);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#refuse(error.code, error.message, this.#id, error.field);
      if (error.closes) this.#end(error.code, error.message);
    }
  }

  drained(): void {
    this.#outbox?.pump();
  }

  tick(now: number): void {
    const seconds = this.#services.limits.loginSeconds;
    if (this.#principal !== undefined || this.#ended || now - this.#openedAt < seconds * 1000) return;
    this.#end('timeout', `no hello was accepted within ${seconds} seconds (limits.loginSeconds)`);
  }

  closed(): void {
    this.#release();
  }

  shutdown(code: 'shutdown' | 'slowReader' | 'tooLarge' | 'malformed' | 'internal'): void {
    this.#end(code, FAULTS[code].text);
  }

  // --- requests ---------------------------------------------------------------------------------------------------------

  #handle(chunk: Buffer, now: number): void {
    const { loginPacketBytes, packetBytes } = this.#services.limits;
    const principal = this.#principal;
    const request = parseRequest(chunk, principal === undefined ? loginPacketBytes : packetBytes);
    if (principal === undefined && request.type !== 'hello') {
      throw new RequestError('protocol', 'type', 'the first message must be a hello', true);
    }
    this.#id = readId(request);
    const type = readType(request);
    if (type === 'hello') this.#hello(request);
    else if (principal === undefined) return;
    else if (type === 'publish') this.#publish(request, principal, now);
    else if (type === 'subscribe') this.#subscribe(request, principal);
    else if (type === 'unsubscribe') this.#unsubscribe(request);
    else this.#answer('pong');
  }

  #hello(request: JsonObject): void {
    const { authorizer, clock, limits } = this.#services;
    if (this.#principal !== undefined) {
      throw new RequestError('protocol', 'type', 'hello came twice; a connection has one client', true);
    }
    const hello = readHello(request, limits);
    const clientId = hello.clientId ?? `websocket-${Buffer.from(clock.random(9)).toString('hex')}`;
    const { userName, password } = hello;
    const { peer } = this.#connection;
    const principal = authorizer.authenticate({ peer, protocol: 'websocket', clientId, userName, password });
    if (typeof principal === 'string') throw new RequestError(principal, undefined, FAULTS[principal].text, true);
    this.#principal = principal;
    this.clientId = clientId;
    this.#publisher = { clientId, protocol: 'websocket' };
    this.#answer('hello', welcome(clientId, limits));
  }

  #publish(request: JsonObject, principal: Principal, now: number): void {
    const { authorizer, limits, router } = this.#services;
    const message = readPublish(request, this.#publisher, limits, now);
    if (!authorizer.mayPublish(principal, message.topic)) {
      throw new RequestError('notAuthorized', 'topic', 'not authorized to publish to this topic');
    }
    // Who answers does so with rights of their own: a topic out of the asker's reach must not be reached through them.
    const replyTo = message.properties?.responseTopic;
    if (
      replyTo !== undefined &&
      !authorizer.maySubscribe(principal, replyTo) &&
      !authorizer.mayPublish(principal, replyTo)
    ) {
      throw new RequestError('notAuthorized', 'replyTo', 'not authorized to have answers sent to this topic');
    }
    if (message.qos === 0) {
      router.publish(message, this, 0);
      if (this.#id !== undefined) this.#answer('ack');
      return;
    }
    this.#pending ??= new Map();
    this.#pending.set(++this.#token, this.#id);
    if (this.#pending.size >= limits.publishBacklog && !this.#paused) {
      this.#paused = true;
      this.#connection.pause();
    }
    router.publish(message, this, this.#token);
  }

  #subscribe(request: JsonObject, principal: Principal): void {
    const { authorizer, limits, retained, router } = this.#services;
    const wanted = readSubscribe(request, limits);
    this.#subscriptions ??= new SubscriptionTable();
    if (this.#subscriptions.get(wanted.name) !== undefined) {
      throw new RequestError('fieldInvalid', 'subscription', `there is a subscription ${shown(wanted.name)} already`);
    }
    if (this.#subscriptions.size >= limits.subscriptionsPerSession) {
      const text = `at most ${limits.subscriptionsPerSession} subscriptions are taken (limits.subscriptionsPerSession)`;
      throw new RequestError('quota', undefined, text);
    }
    if (!authorizer.maySubscribe(principal, wanted.filter)) {
      throw new RequestError('notAuthorized', 'filter', 'not authorized to subscribe to this filter');
    }
    const outbox = this.#outbox ?? this.#services.outbox(this);
    this.#outbox = outbox;
    const subscription = new JsonSubscription(this, wanted, router.positions());
    this.#subscriptions.add(subscription);
    this.#answer('ack');
    router.subscribe(subscription);
    retained.match(subscription.filter, (message) => {
      const own = subscription.noLocal && message.publisher.clientId === this.clientId;
      if (!own) outbox.replay(message, subscription);
    });
  }

  #unsubscribe(request: JsonObject): void {
    const name = readName(request, this.#services.limits);
    const subscription = name === undefined ? undefined : this.#subscriptions?.get(name);
    if (subscription === undefined) {
      const found = name === undefined ? 'subscription is missing' : `there is no subscription ${shown(name)}`;
      throw new RequestError('fieldInvalid', 'subscription', `${found}; the name of one is expected`);
    }
    this.#subscriptions?.remove(subscription);
    this.#services.router.unsubscribe(subscription);
    this.#answer('ack');
  }

  // --- Subscriber and OutboxSink: to the peer ---------------------------------------------------------------------------

  deliver(message: Message, subscriptions: readonly Subscription[]): void {
    const { clock, counters } = this.#services;
    if (this.#ended) return;
    if (message.qos > 0) this.#outbox?.deliver(message, subscriptions);
    else if (message.properties !== undefined && message.expired(clock.now())) counters.droppedExpired++;
    else if (this.#connection.full()) counters.droppedSlow++;
    else this.send(message, subscriptions, false);
  }

  ready(): boolean {
    return !this.#ended && !this.#connection.full();
  }

  send(message: Message, subscriptions: readonly Subscription[], replayed: boolean): void {
    const shared = message.fanout > 1 || subscriptions.length > 1;
    for (let i = 0; i < subscriptions.length; i++) {
      const each = subscriptions[i];
      // What the outbox held may be for a subscription that is gone.
      const own = each === undefined ? undefined : this.#subscriptions?.get(each.id);
      if (own === undefined || own !== each) continue;
      const prefix = replayed ? messagePrefix(own.id, true) : own.prefix;
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
    this.#refuse(
      'overtaken',
      `up to ${count} durable messages were removed from the log before they were read`,
      undefined,
    );
  }

  // --- AppendReceiver: what became of durable publishes -----------------------------------------------------------------

  appended(token: number): void {
    const id = this.#settle(token);
    if (id !== undefined) this.#write(`{"type":"ack","id":${id}}`);
  }

  refused(token: number, error: BrokerError): void {
    this.#refuse(error.code, error.message, this.#settle(token));
  }

  #settle(token: number): string | undefined {
    const pending = this.#pending;
    if (pending === undefined) return undefined;
    const id = pending.get(token);
    pending.delete(token);
    if (this.#paused && pending.size <= this.#services.limits.publishBacklog / 2) {
      this.#paused = false;
      this.#connection.resume();
    }
    return id;
  }

  // --- answers and the end ----------------------------------------------------------------------------------------------

  /** Answers the request at hand; an `ack` that no one asked for is not sent. `fields`: JSON text, from the comma on. */
  #answer(type: 'hello' | 'ack' | 'pong', fields = ''): void {
    if (type === 'ack' && this.#id === undefined) return;
    this.#write(`{"type":"${type}"${this.#id === undefined ? '' : `,"id":${this.#id}`}${fields}}`);
  }

  #refuse(code: ErrorCode, text: string, id: string | undefined, field?: string): void {
    const named = field === undefined ? '' : `,"field":${quote(field)}`;
    const asked = id === undefined ? '' : `,"id":${id}`;
    this.#write(`{"type":"error"${asked},"code":"${code}"${named},"message":${quote(text)}}`);
  }

  #write(text: string): void {
    if (this.#ended) return;
    const bytes = textBytes(text);
    this.#connection.begin(bytes, true);
    const at = this.#connection.reserve(bytes);
    writeText(this.#connection.buffer, at, text, bytes);
  }

  #end(code: ErrorCode, text: string): void {
    if (this.#ended) return;
    // A drain lets clients have what waits for them; after an error of ours nothing of it is touched again.
    if (code === 'shutdown') this.#outbox?.pump();
    this.#write(`{"type":"goodbye","code":"${code}","message":${quote(text)}}`);
    this.#release();
    this.#connection.end(code === 'shutdown' ? '' : text);
  }

  #release(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const each of this.#subscriptions?.values() ?? []) this.#services.router.unsubscribe(each);
    this.#outbox?.close();
    this.#subscriptions = undefined;
    this.#outbox = undefined;
    this.#pending = undefined;
  }
}
