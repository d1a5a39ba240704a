import type { BrokerError } from '../../src/core/errors.ts';
import type { Publisher } from '../../src/core/message.ts';
import { mayBeAnswered } from '../../src/ports/rights.ts';
import type { Backlog } from '../../src/ports/routing.ts';
import { type JsonObject, RequestError, readText, shown } from './codec.ts';
import { Feeds } from './feeds.ts';
import { doGroupOperation } from './group-operations.ts';
import type { Kept, KeptSession, SessionHolder } from './kept-session.ts';
import type { Link } from './link.ts';
import { readPublish } from './mapping.ts';
import { QueueOperations } from './operations.ts';
import { Publications, type PublicationsOwner } from './publications.ts';
import { Questions } from './questions.ts';
import type { RequestType } from './requests.ts';
import { readSettlement } from './settlement.ts';
import { readName, readSubscribe, requireSettings } from './subscribe.ts';
import { Tasks } from './tasks.ts';

/** Of live messages no one hears again. */
const NOBODY = { appended() {}, refused() {} };

/** A client past its hello: what its requests do. `id`: of the request at hand, as JSON text. */
export class JsonClient implements PublicationsOwner, SessionHolder {
  readonly #link: Link;
  readonly #publisher: Publisher;
  // Each with the first request that needs it: many clients only publish, or only subscribe.
  #feeds: Feeds | undefined;
  #publications: Publications | undefined;
  #questions: Questions | undefined;
  #operations: QueueOperations | undefined;
  #tasks: Tasks | undefined;
  #backlog: Backlog | undefined;
  /** What outlives the connection, when that was asked for. */
  #kept: KeptSession | undefined;

  constructor(link: Link) {
    this.#link = link;
    this.#publisher = { clientId: link.clientId, protocol: 'websocket' };
  }

  get link(): Link {
    return this.#link;
  }

  do(type: Exclude<RequestType, 'hello' | 'ping'>, request: JsonObject, id: string | undefined, now: number): void {
    switch (type) {
      case 'publish':
        this.#publish(request, id, now);
        return;
      case 'subscribe':
        this.#subscribe(request, id);
        return;
      case 'unsubscribe':
        this.#unsubscribe(request, id);
        return;
      case 'received':
        this.#received(request, id);
        return;
      case 'accept':
      case 'reject':
        this.#settle(type, request, id);
        return;
      case 'request':
        this.#questions ??= new Questions(this.#link, this.#publisher);
        this.#questions.ask(request, id, now);
        return;
      case 'groupStatus':
      case 'moveGroup':
        doGroupOperation(type, request, id, this.#link, this.#underWay);
        return;
      default:
        this.#operations ??= new QueueOperations(this.#link, this.#underWay);
        this.#operations.do(type, request, id);
    }
  }

  pump(): void {
    this.#feeds?.pump();
  }

  /** The connection is gone. */
  close(): void {
    this.#kept?.leave();
    this.#feeds?.close(this.#kept === undefined);
    this.#questions?.close();
    this.#feeds = undefined;
    this.#questions = undefined;
    this.#kept = undefined;
  }

  get #underWay(): Tasks {
    this.#tasks ??= new Tasks(this.#link, this.#waiting);
    return this.#tasks;
  }

  get #waiting(): Backlog {
    this.#backlog ??= this.#link.services.backlog(this.#link.connection);
    return this.#backlog;
  }

  get #subscribed(): Feeds {
    this.#feeds ??= new Feeds(this.#link, this.#underWay, this.#kept);
    return this.#feeds;
  }

  // --- publish ------------------------------------------------------------------------------------------------------

  #publish(request: JsonObject, id: string | undefined, now: number): void {
    const { answers, principal, services } = this.#link;
    const { authorizer, limits, router } = services;
    const message = readPublish(request, this.#publisher, limits, now);
    if (!authorizer.mayPublish(principal, message.topic)) {
      const field = request.queue === undefined ? 'topic' : 'queue';
      throw new RequestError('notAuthorized', field, `not authorized to publish to this ${field}`);
    }
    const replyTo = message.properties?.responseTopic;
    if (replyTo !== undefined && !mayBeAnswered(authorizer, principal, replyTo)) {
      throw new RequestError('notAuthorized', 'replyTo', 'not authorized to have answers sent to this topic');
    }
    if (message.qos === 0) {
      router.publish(message, NOBODY, 0);
      answers.ack(id);
      return;
    }
    this.#publications ??= new Publications(router, this.#waiting, this);
    this.#publications.publish(message, id);
  }

  published(id: string | undefined, repeated: boolean): void {
    this.#link.answers.ack(id, repeated ? ',"duplicate":true' : '');
  }

  unpublished(id: string | undefined, error: BrokerError): void {
    this.#link.answers.refuse(error.code, error.message, id);
  }

  // --- subscribe, and what comes of it ------------------------------------------------------------------------------

  #subscribe(request: JsonObject, id: string | undefined): void {
    const { principal, services } = this.#link;
    const { authorizer, limits } = services;
    const wanted = readSubscribe(request, limits);
    const feeds = this.#subscribed;
    if (feeds.has(wanted.name)) {
      throw new RequestError('fieldInvalid', 'subscription', `there is a subscription ${shown(wanted.name)} already`);
    }
    if (feeds.size >= limits.subscriptionsPerSession) {
      const text = `at most ${limits.subscriptionsPerSession} subscriptions are taken (limits.subscriptionsPerSession)`;
      throw new RequestError('quota', undefined, text);
    }
    if (!authorizer.maySubscribe(principal, wanted.right)) {
      throw new RequestError('notAuthorized', wanted.field, `not authorized to subscribe to this ${wanted.field}`);
    }
    if (wanted.kind === 'queue') requireSettings(wanted.settings, this.#link);
    feeds.add(wanted, id, (then) => this.#acknowledge(id, then));
  }

  #unsubscribe(request: JsonObject, id: string | undefined): void {
    const name = readName(request, this.#link.services.limits);
    if (name === undefined || this.#feeds?.remove(name) !== true) throw missing(name);
    this.#acknowledge(id);
  }

  #settle(type: 'accept' | 'reject', request: JsonObject, id: string | undefined): void {
    const name = readName(request, this.#link.services.limits);
    const { deliveries, field, outcome, delay } = readSettlement(type, request);
    const consumer = name === undefined ? undefined : this.#feeds?.consumer(name);
    if (consumer === undefined) throw missing(name, 'to a queue or group ');
    consumer.settle(deliveries, field, outcome, delay);
    if (id !== undefined) this.#underWay.run(consumer.settled(), id, () => this.#link.answers.ack(id));
  }

  // --- the session that outlives the connection ---------------------------------------------------------------------

  /** The session is this connection's, with what it was subscribed to; nothing is sent yet. */
  goOn(session: KeptSession, kept: Kept | undefined): void {
    this.#kept = session;
    if (kept !== undefined) this.#subscribed.restore(kept);
    session.begin();
  }

  kept(): Kept {
    return this.#feeds?.kept() ?? { subscriptions: [], feeds: [] };
  }

  positions(): readonly number[] {
    return this.#feeds?.positions() ?? [];
  }

  #received(request: JsonObject, id: string | undefined): void {
    const position = readText(request, 'position');
    const name = readName(request, this.#link.services.limits);
    if (this.#kept === undefined) {
      const text = 'received is for sessions that outlive their connection; hello asks for one with sessionSeconds';
      throw new RequestError('fieldInvalid', 'type', text);
    }
    if (position === undefined) {
      throw new RequestError('fieldInvalid', 'position', 'position is missing; that of a message is expected');
    }
    const progress = name === undefined ? this.#kept.progress : this.#feeds?.progressOf(name);
    if (progress === undefined) throw missing(name, 'with a start of its own ');
    progress.received(position, this.#link.services.router.positions());
    if (id !== undefined) this.#acknowledge(id);
    this.pump();
  }

  /** Says so when what a request did is kept; `then` follows in any case. */
  #acknowledge(id: string | undefined, then: () => void = () => {}): void {
    const { answers } = this.#link;
    const acknowledge = (): void => {
      if (answers.over) return;
      answers.ack(id);
      then();
    };
    if (this.#kept === undefined) acknowledge();
    else this.#kept.saved(acknowledge);
  }
}

/** `kind`: of subscription, with a blank behind it. */
function missing(name: string | undefined, kind = ''): RequestError {
  const found = name === undefined ? 'subscription is missing' : `there is no subscription ${kind}${shown(name)}`;
  return new RequestError('fieldInvalid', 'subscription', `${found}; the name of one is expected`);
}
