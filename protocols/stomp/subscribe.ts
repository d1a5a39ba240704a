import type { PartialSettings } from '../../src/core/queue-settings.ts';
import type { Selector } from '../../src/core/selector.ts';
import type { Start } from '../../src/core/start.ts';
import { QUEUE_PREFIX } from '../../src/core/topic.ts';
import type { Limits } from '../../src/ports/limits.ts';
import { checkActiveMq, readConsumerPriority } from './activemq.ts';
import { isAmqQueue } from './amq-queue.ts';
import { splitDestinations } from './composite.ts';
import { type DurableName, readDurable } from './durable.ts';
import { type AckMode, type Link, Together } from './feed.ts';
import type { Frame } from './frame.ts';
import { readNamedQueue } from './named-queue.ts';
import { COMMA, filterOf, isPath, isTemporary } from './names.ts';
import { queueOf, readSettings } from './queue-fields.ts';
import { Refusal, shown } from './refusal.ts';
import { readSelector } from './selector.ts';
import { groupFault, readAck, readOrder, readPrefetch, readStart } from './subscribe-fields.ts';
import type { Temporaries } from './temporaries.ts';
import { findFirst, readFlag, refuseAll } from './values.ts';
import { VERSION } from './version.ts';
import { HEADER, NAMES } from './words.ts';

/** To several destinations: each is a subscription as it would be alone, but they share id, window and numbers. */
export interface CompositeRequest {
  readonly kind: 'composite';
  readonly id: string | undefined;
  readonly destination: string;
  readonly requests: readonly SingleRequest[];
  readonly together: Together;
}

/** What every SUBSCRIBE says. */
export interface SubscribeRequest {
  readonly id: string | undefined;
  /** The same as it stands in the frame, a character per byte. */
  readonly rawId: string | undefined;
  readonly destination: string;
  /** In the internal form; a queue's begins with `$queue/`. */
  readonly filter: string;
  readonly ack: AckMode;
  /** Messages it may have unacknowledged. */
  readonly prefetch: number;
  /** Messages are to say where in the log they are. */
  readonly positions: boolean;
  /** What it wants of the destination's messages; undefined: all. */
  readonly selector: Selector | undefined;
  /** The destination as it stands in the frame, where its messages say it so, as in ActiveMQ. */
  readonly own: string | undefined;
  /** With which others it is one subscription. */
  readonly together: Together | undefined;
  /** A RECEIPT is expected. */
  readonly receipted: boolean;
}

export interface QueueRequest extends SubscribeRequest {
  readonly kind: 'queue';
  readonly queue: string;
  readonly priority: number;
  readonly exclusive: boolean;
  readonly locksOut: boolean;
  /** It was named by a subscription to a topic (`x-queue-name`), whose UNSUBSCRIBE may delete it. */
  readonly named: boolean;
  readonly settings: PartialSettings | undefined;
}

export interface BrowserRequest extends SubscribeRequest {
  readonly kind: 'browser';
  readonly queue: string;
}

export interface TopicRequest extends SubscribeRequest {
  readonly kind: 'topic';
  readonly noLocal: boolean;
  /** What it is kept as after the connection; undefined when it is not. */
  readonly durable: DurableName | undefined;
  /** Where in the log it begins; undefined when it does not say. */
  readonly start: Start | undefined;
}

export interface GroupRequest extends SubscribeRequest {
  readonly kind: 'group';
  readonly group: string;
  readonly ordered: boolean;
  readonly durable: DurableName | undefined;
  readonly start: Start | undefined;
}

/** What is read first, whatever it is. */
type Common = Omit<SubscribeRequest, 'selector'>;

const COMMAND = 'SUBSCRIBE';

/** For one destination. */
export type SingleRequest = QueueRequest | BrowserRequest | TopicRequest | GroupRequest;

/** A SUBSCRIBE, understood. Throws a BrokerError. */
export function readSubscribe(frame: Frame, link: Link, temporaries: Temporaries): SingleRequest | CompositeRequest {
  const destination = frame.text(HEADER.destination);
  if (destination === undefined) {
    throw new Refusal(
      'protocol',
      'SUBSCRIBE without the header destination',
      'It names a topic or a queue: /topic/NAME or /queue/NAME.',
      'Missing destination',
    );
  }
  const id = frame.text(HEADER.id);
  if (id === undefined && link.version !== VERSION.v10) {
    throw new Refusal(
      'protocol',
      'SUBSCRIBE without the header id',
      'Since STOMP 1.1 each subscription has an id of its own.',
      'Missing Header',
    );
  }
  checkActiveMq(frame, destination);
  if (id !== undefined && id !== destination && isTemporary(id)) {
    throw new Refusal(
      'protocol',
      `the header id ${shown(id)} of SUBSCRIBE is what answers to this reply-to come with`,
      'Choose an id that does not begin with /temp-queue/ or /temp-topic/.',
    );
  }
  if (destination.includes(COMMA)) return readComposite(frame, link, destination);
  return readSingle(frame, link, destination, temporaries, undefined);
}

function readComposite(frame: Frame, link: Link, destination: string): CompositeRequest {
  const parts = splitDestinations(destination, link.services.limits.compositeDestinations);
  const together = new Together();
  const alone = [NAMES.browser, NAMES.group, NAMES.durable, NAMES.subscriptionName, NAMES.start, NAMES.queueName];
  refuseAll(frame, COMMAND, alone, 'subscriptions to one destination');
  // One that is written in two ways is one.
  const requests = new Map<string, SingleRequest>();
  for (const each of parts) {
    const request = readSingle(frame, link, each, undefined, together);
    if (!requests.has(request.filter) || isAmqQueue(each)) requests.set(request.filter, request);
  }
  return { kind: 'composite', id: frame.text(HEADER.id), destination, requests: [...requests.values()], together };
}

/** `temporaries`: undefined where the connection's own destinations cannot be. */
function readSingle(
  frame: Frame,
  link: Link,
  destination: string,
  temporaries: Temporaries | undefined,
  together: Together | undefined,
): SingleRequest {
  const { limits } = link.services;
  const temporary = isTemporary(destination);
  if (temporary && temporaries === undefined) {
    const detail = `SUBSCRIBE: the destination ${shown(destination)}, which is this connection's own, is one of several`;
    throw new Refusal('unsupported', detail, 'Subscribe to it by itself.');
  }
  const filter = temporary && temporaries ? temporaries.topicOf(destination) : filterOf(destination, limits);
  const queue = queueOf(filter);
  const start = readStart(frame);
  const request = {
    id: frame.text(HEADER.id),
    rawId: frame.raw(HEADER.id),
    destination,
    filter,
    ack: readAck(frame.text(HEADER.ack)),
    prefetch: readPrefetch(frame, limits),
    positions: readFlag(frame, NAMES.positions, COMMAND) ?? start !== undefined,
    own: temporary || (together === undefined && isPath(destination)) ? frame.raw(HEADER.destination) : undefined,
    together,
    receipted: frame.has(HEADER.receipt),
  };
  if (queue !== undefined) {
    refuseAll(frame, COMMAND, [NAMES.queueName], "topics; a queue's name is in the destination");
    return readQueue(frame, request, queue, link);
  }
  const named = temporary ? undefined : readNamedQueue(frame, filter, link);
  if (named !== undefined) {
    const inQueue = { ...request, filter: QUEUE_PREFIX + named.queue };
    return consumerOf(frame, inQueue, named.queue, named.settings, true, limits);
  }
  // The usual one asks for nothing: ActiveMQ's clients say so with every SUBSCRIBE.
  const ranked = (readConsumerPriority(frame) ?? 0) !== 0 ? [NAMES.consumerPriority] : [];
  refuseAll(frame, COMMAND, [NAMES.browser, ...ranked, NAMES.locksOut], 'queues: /queue/NAME');
  requireNoSettings(frame, filter, limits);
  return readTopic(frame, request, start, link);
}

function consumerOf(
  frame: Frame,
  common: Common,
  queue: string,
  settings: PartialSettings | undefined,
  named: boolean,
  limits: Limits,
): QueueRequest {
  const request = { ...common, selector: readSelector(frame, 'elsewhere', limits) };
  return { ...request, kind: 'queue', queue, ...readConsumer(frame), named, settings };
}

/** What else is said of consumers. */
function readConsumer(frame: Frame): Pick<QueueRequest, 'priority' | 'exclusive' | 'locksOut'> {
  return {
    priority: readConsumerPriority(frame) ?? 0,
    exclusive: readFlag(frame, NAMES.exclusive, COMMAND) ?? false,
    locksOut: readFlag(frame, NAMES.locksOut, COMMAND) ?? false,
  };
}

function requireNoSettings(frame: Frame, filter: string, limits: Limits): void {
  const settings = readSettings(frame, { command: COMMAND, queue: filter, limits }) ?? {};
  const setting = Object.keys(settings).find((name) => name !== 'autoDelete');
  if (setting === undefined) return;
  const advice = 'With x-queue-name:NAME it is of a queue of that name, which gets what is published on the topic.';
  throw new Refusal('fieldInvalid', `SUBSCRIBE sets ${setting} of a queue, but its destination is a topic`, advice);
}

function readQueue(frame: Frame, request: Common, queue: string, link: Link): QueueRequest | BrowserRequest {
  refuseAll(frame, COMMAND, [NAMES.group, NAMES.groupOrder, NAMES.start, NAMES.positions, NAMES.noLocal], 'topics');
  readDurable(frame, request.filter, link);
  const { limits } = link.services;
  const settings = readSettings(frame, { command: COMMAND, queue, limits });
  if (readFlag(frame, NAMES.browser, COMMAND) !== true)
    return consumerOf(frame, request, queue, settings, false, limits);
  const { exclusive, locksOut } = readConsumer(frame);
  if (exclusive || locksOut || findFirst(frame, NAMES.consumerPriority) !== undefined || settings !== undefined) {
    const detail = 'SUBSCRIBE with browser:true and with headers for consumers of the queue, or settings of it';
    throw new Refusal('fieldInvalid', detail, 'A browser takes no messages and makes no queue; leave them out.');
  }
  return { ...request, kind: 'browser', selector: readSelector(frame, 'elsewhere', limits), queue };
}

function readTopic(frame: Frame, request: Common, start: Start | undefined, link: Link): TopicRequest | GroupRequest {
  const { limits } = link.services;
  const { destination, filter } = request;
  const temporary = isTemporary(destination);
  if (temporary) {
    const headers = [NAMES.group, NAMES.durable, NAMES.subscriptionName, NAMES.queueName];
    refuseAll(frame, COMMAND, headers, 'what outlives the connection, or has others');
  }
  const durable = readDurable(frame, filter, link);
  if (readFlag(frame, NAMES.exclusive, COMMAND) === true && durable !== undefined) {
    // Without it, a subscription to a topic is its connection's own anyway.
    const detail = 'the header exclusive of SUBSCRIBE, for what is to outlive its connection';
    const advice = 'Leave it out; one connection at a time has what activemq.subscriptionName names.';
    throw new Refusal('fieldInvalid', detail, advice);
  }
  const group = frame.find(NAMES.group[0]);
  const noLocal = readFlag(frame, NAMES.noLocal, COMMAND) ?? false;
  if (group === undefined) {
    refuseAll(frame, COMMAND, [NAMES.groupOrder], 'groups: with the header group');
    if (durable?.shared === undefined) {
      const selector = readSelector(frame, 'here', limits);
      return { ...request, kind: 'topic', selector, noLocal, durable, start };
    }
    refuseAll(
      frame,
      COMMAND,
      [NAMES.noLocal],
      'subscriptions that are not shared; durable:true with an id makes one that is',
    );
    const selector = readSelector(frame, 'elsewhere', limits);
    return { ...request, kind: 'group', group: durable.shared.group, selector, ordered: false, durable, start };
  }
  if (noLocal) refuseAll(frame, COMMAND, [NAMES.noLocal], 'subscriptions that are not of a group');
  const fault = groupFault(group, filter, limits);
  if (fault !== undefined) throw new Refusal('fieldInvalid', `the header group ${shown(group)} of SUBSCRIBE ${fault}`);
  // The group it names is the one that is kept, not one of its own.
  const kept = durable && { ...durable, shared: undefined };
  const selector = readSelector(frame, 'elsewhere', limits);
  return { ...request, kind: 'group', group, selector, ordered: readOrder(frame), durable: kept, start };
}
