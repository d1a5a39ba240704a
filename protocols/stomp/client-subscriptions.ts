import type { BrokerError } from '../../src/core/errors.ts';
import type { Start } from '../../src/core/start.ts';
import { MessageId } from './acknowledgement.ts';
import { isAmqQueue, requireQueue } from './amq-queue.ts';
import { CompositeSubscription } from './composite-subscription.ts';
import { type Deletion, type DurableName, readDeletion } from './durable.ts';
import { DurableSubscription, deleteStored } from './durable-subscription.ts';
import type { Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { GroupSubscription } from './group-subscription.ts';
import { deleteNamed, readQueueName, requireNamed } from './named-queue.ts';
import { isTemporary, TEMPORARY_QUEUE } from './names.ts';
import { QueueBrowser } from './queue-browser.ts';
import { requireSettings } from './queue-fields.ts';
import { QueueSubscription } from './queue-subscription.ts';
import { Refusal, shown } from './refusal.ts';
import type { TemporaryNames } from './send.ts';
import { readSubscribe, type SingleRequest } from './subscribe.ts';
import type { Effect, StompSubscription } from './subscription.ts';
import { Subscriptions } from './subscription-table.ts';
import { Temporaries } from './temporaries.ts';
import { TopicSubscription } from './topic-subscription.ts';
import { VERSION } from './version.ts';
import { HEADER } from './words.ts';

/** What a SUBSCRIBE has begun. */
interface Begun {
  readonly subscription: StompSubscription;
  readonly effect: Effect;
  /** It makes a queue as it says: what is sent behind it must not make it otherwise before. */
  readonly declares: boolean;
}

/** What a client has subscribed to, and the destinations of its own. Throws a Refusal for frames that are not taken. */
export class ClientSubscriptions implements TemporaryNames {
  readonly #link: Link;
  readonly #failed: (error: BrokerError) => void;
  readonly #table = new Subscriptions();
  readonly #temporaries: Temporaries;
  /** Those with a place of their own in the log, also when they are over before it is found. */
  readonly #replays = new Set<StompSubscription>();
  readonly #starting = new Set<StompSubscription>();
  /** Of the ACK or NACK at hand. */
  readonly #meant = new MessageId();

  /** `failed`: a subscription has ended by itself. */
  constructor(link: Link, failed: (error: BrokerError) => void) {
    const { clock, limits } = link.services;
    this.#link = link;
    this.#failed = failed;
    this.#temporaries = new Temporaries(clock, limits.subscriptionsPerSession);
  }

  // --- SUBSCRIBE ----------------------------------------------------------------------------------------------------

  subscribe(frame: Frame): Begun {
    const request = readSubscribe(frame, this.#link, this.#temporaries);
    const { destination, id } = request;
    const table = this.#table;
    if (table.find(id, destination) !== undefined) {
      throw taken(id === undefined ? `with the destination ${shown(destination)}` : `with the id ${shown(id)}`);
    }
    if ('durable' in request && request.durable !== undefined && table.findDurable(request.durable.key) !== undefined)
      throw taken(request.durable.title);
    if (request.kind === 'composite') {
      for (const each of request.requests) this.#requireRight(each);
      const all = request.requests.map((each) => this.#subscription(each));
      const composite = new CompositeSubscription(request, all);
      const started = this.#start(composite, selectorBytes(request.requests));
      return { subscription: composite, effect: started, declares: request.requests.some(declares) };
    }
    if (isTemporary(destination)) this.#giveWay(destination);
    else this.#requireRight(request);
    const subscription = this.#subscription(request);
    const bytes = selectorBytes([request]);
    const replays = 'start' in request && readsLog(request.start);
    const effect = replays ? this.#replay(subscription, bytes) : this.#start(subscription, bytes);
    return { subscription, effect, declares: declares(request) };
  }

  #requireRight(request: SingleRequest): void {
    const { destination, filter } = request;
    const link = this.#link;
    if (!link.services.authorizer.maySubscribe(link.principal, filter))
      throw new Refusal('notAuthorized', `SUBSCRIBE: not allowed to subscribe to ${shown(destination)}`);
    const settings = request.kind === 'queue' ? request.settings : undefined;
    if ('queue' in request && isAmqQueue(destination)) requireQueue(link, request.queue, settings, 'SUBSCRIBE');
    requireSettings(settings, link);
  }

  #subscription(request: SingleRequest): StompSubscription {
    const link = this.#link;
    const number = this.#table.nextNumber;
    switch (request.kind) {
      case 'queue':
        return new QueueSubscription(link, number, request, this.#failed);
      case 'browser':
        return new QueueBrowser(link, number, request, this.#failed);
      case 'group':
        return new GroupSubscription(link, number, request, this.#failed);
      case 'topic':
        return request.durable === undefined
          ? new TopicSubscription(link, number, request)
          : new DurableSubscription(link, number, request, request.durable, this.#failed);
    }
  }

  #replay(subscription: StompSubscription, selectors: number): Effect {
    const { replays } = this.#link.services.limits;
    if (this.#replays.size >= replays || this.#starting.size >= replays) {
      const detail = `there are ${replays} subscriptions with the header start already (limits.replays)`;
      throw new Refusal('quota', detail, 'UNSUBSCRIBE from one of them first.');
    }
    const started = this.#start(subscription, selectors);
    this.#replays.add(subscription);
    this.#starting.add(subscription);
    return (started ?? Promise.resolve()).finally(() => this.#starting.delete(subscription));
  }

  /** `selectors`: bytes of those it has. */
  #start(subscription: StompSubscription, selectors: number): Effect {
    const { subscriptionsPerSession, sessionSelectorBytes } = this.#link.services.limits;
    if (this.#table.size + (subscription.parts ?? 1) > subscriptionsPerSession) {
      const detail = `${this.#table.size} subscriptions already (limits.subscriptionsPerSession)`;
      throw new Refusal('quota', detail, 'UNSUBSCRIBE from one of them first.');
    }
    if (selectors > 0 && this.#table.selectorBytes + selectors > sessionSelectorBytes) {
      const detail = `the selectors of all subscriptions have more than ${sessionSelectorBytes} bytes (limits.sessionSelectorBytes)`;
      throw new Refusal('quota', detail, 'UNSUBSCRIBE from one of them first, or choose shorter ones.');
    }
    this.#table.add(subscription, selectors);
    return subscription.start();
  }

  // --- destinations of its own --------------------------------------------------------------------------------------

  /** Of a SEND: a queue, unlike a topic, is sent to for someone to get it, and nobody but this connection can subscribe to it. */
  topicOf(destination: string): string {
    if (destination.startsWith(TEMPORARY_QUEUE) && this.#table.findByDestination(destination) === undefined) {
      const detail = `the header destination ${shown(destination)} of SEND names a queue of this connection to which it has no subscription: the message would be lost`;
      throw new Refusal('topicInvalid', detail, 'SUBSCRIBE to it before, or name it in reply-to.');
    }
    return this.#temporaries.topicOf(destination);
  }

  /** Answers come without a SUBSCRIBE, as if there were one with the destination for its id, as in RabbitMQ. */
  answersTo(destination: string, raw: string): string {
    const filter = this.#temporaries.topicOf(destination);
    if (this.#table.findByDestination(destination) !== undefined) return filter;
    const prefetch = this.#link.services.limits.stompPrefetch;
    const own = {
      kind: 'topic',
      id: destination,
      rawId: raw,
      destination,
      filter,
      ack: 'auto',
      prefetch,
      own: raw,
      receipted: false,
    } as const;
    const none = {
      positions: false,
      selector: undefined,
      together: undefined,
      noLocal: false,
      durable: undefined,
      start: undefined,
    };
    this.#start(new TopicSubscription(this.#link, this.#table.nextNumber, { ...own, ...none }), 0);
    return filter;
  }

  /** A SUBSCRIBE to a destination of its own takes the place of the subscription that there was without one. */
  #giveWay(destination: string): void {
    const own = this.#table.findByDestination(destination);
    if (own === undefined) return;
    if (own.name !== destination) throw taken(`with the destination ${shown(destination)}`);
    own.close();
    this.#table.remove(own);
  }

  // --- UNSUBSCRIBE --------------------------------------------------------------------------------------------------

  unsubscribe(frame: Frame): Effect {
    const deletion = readDeletion(frame, this.#link);
    const subscription = this.#toUnsubscribe(frame, deletion);
    if (subscription !== undefined) {
      this.#table.remove(subscription);
      this.#replays.delete(subscription);
      return subscription.unsubscribe(deletion !== undefined);
    }
    const queue = readQueueName(frame);
    if (queue !== undefined && deletion !== undefined) {
      requireNamed(queue, this.#link);
      return deleteNamed(this.#link.services.queues, queue);
    }
    if (deletion?.durable !== undefined) return this.#delete(deletion.durable);
    throw new Refusal(
      'protocol',
      'UNSUBSCRIBE: there is no such subscription',
      deletion === undefined
        ? 'The header id of a SUBSCRIBE on this connection is expected.'
        : 'One that this connection does not have is known by id and destination: send both.',
      'No subscription found',
    );
  }

  /** What is kept of one that this connection does not have. */
  #delete({ key, shared }: DurableName): Promise<void> {
    const { services, principal } = this.#link;
    return shared === undefined
      ? deleteStored(services, key, principal.name)
      : services.groups.delete(shared.group, shared.filter);
  }

  /** By what it is kept as, else by id; in 1.0 also by destination (STOMP 1.0, UNSUBSCRIBE). */
  #toUnsubscribe(frame: Frame, deletion: Deletion | undefined): StompSubscription | undefined {
    const id = frame.text(HEADER.id);
    if (deletion?.durable !== undefined) {
      const own = this.#table.findDurable(deletion.durable.key);
      const other = id === undefined ? undefined : this.#table.find(id, '');
      if (other === undefined || other === own) return own;
      if (deletion.byId && other.durable === undefined) return other;
      throw new Refusal(
        'protocol',
        `UNSUBSCRIBE: the subscription with the id ${shown(id ?? '')} is not the durable one that is to be deleted`,
        'Leave the header id out where the durable subscription is known by another name.',
      );
    }
    const destination = frame.text(HEADER.destination);
    const version10 = this.#link.version === VERSION.v10;
    if (id !== undefined) return this.#table.find(id, '');
    if (!version10 || destination === undefined) {
      const headers = version10 ? 'id and destination' : 'id';
      throw new Refusal(
        'protocol',
        `UNSUBSCRIBE without the header ${headers}`,
        'It says which subscription is meant.',
        'Missing destination or id',
      );
    }
    return this.#table.findByDestination(destination);
  }

  // --- ACK and NACK -------------------------------------------------------------------------------------------------

  /** The number of the message that `delivered` was asked for, within its subscription. */
  get number(): number {
    return this.#meant.number;
  }

  /**
   * The subscription whose message an ACK or NACK is for: by `id` since 1.2, by `message-id` before. Since ids are unique in
   * the connection, the header `subscription` of 1.1 adds nothing; clients written for RabbitMQ leave it out or mix it up.
   */
  delivered(frame: Frame, command: string): StompSubscription | 'gone' {
    const header = this.#link.version === VERSION.v12 ? HEADER.id : HEADER.messageId;
    if (!frame.has(header)) throw unnamed(command, header === HEADER.id);
    const meant = this.#meant;
    if (meant.read(frame.buffer, frame.valueStart(header), frame.valueEnd(header), this.#link.session)) {
      const subscription = this.#table.numbered(meant.subscription);
      if (subscription === 'gone' || subscription?.issued(meant.number)) return subscription;
    }
    const name = header === HEADER.id ? 'id' : 'message-id';
    throw new Refusal(
      'protocol',
      `${command}: no message with the ${name} ${shown(frame.text(header) ?? '')} was delivered on this connection`,
      'What was delivered on an earlier connection has been given back.',
      'Invalid header',
    );
  }

  // --- the connection -----------------------------------------------------------------------------------------------

  /** What has been settled in any of them is kept. */
  stored(): Effect[] {
    return this.#table.stored();
  }

  pump(): void {
    this.#table.pump();
  }

  close(): void {
    this.#table.close();
  }
}

function declares(request: SingleRequest): boolean {
  return request.kind === 'queue' && request.settings !== undefined;
}

function taken(which: string): Refusal {
  const detail = `SUBSCRIBE: there is a subscription ${which} already`;
  const advice = 'Choose another id, or UNSUBSCRIBE first.';
  return new Refusal('protocol', detail, advice, 'Duplicated subscription identifier');
}

function unnamed(command: string, byId: boolean): Refusal {
  const [header, where] = byId ? ['id', 'header ack'] : ['message-id', 'header message-id'];
  const advice = `It is the ${where} of the MESSAGE meant.`;
  return new Refusal('protocol', `${command} without the header ${header}`, advice, 'Missing header');
}

function selectorBytes(requests: readonly SingleRequest[]): number {
  return requests.reduce(
    (sum, { selector }) => sum + (selector === undefined ? 0 : Buffer.byteLength(selector.text)),
    0,
  );
}

/** Whether it is to begin elsewhere than all others. */
function readsLog(start: Start | undefined): boolean {
  return start !== undefined && start.from !== 'new';
}
