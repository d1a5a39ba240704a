import { Message } from '../../src/core/message.ts';
import { reservedFault } from '../../src/core/topic.ts';
import { mayBeAnswered } from '../../src/ports/rights.ts';
import { isAmqQueue, requireQueue } from './amq-queue.ts';
import { splitDestinations } from './composite.ts';
import type { Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { type AnswerNames, readProperties } from './mapping.ts';
import { AMQ_QUEUE, COMMA, isTemporary, topicOf } from './names.ts';
import { queueOf, readSettings } from './queue-fields.ts';
import { Refusal, shown } from './refusal.ts';
import { equal, HEADER } from './words.ts';

/** Names of a connection's own: on which the client sends, and to which answers come. */
export interface TemporaryNames extends AnswerNames {
  topicOf(destination: string): string;
}

/** How the destinations begin that have no topic of their own, and those of queues that must be there. */
const TEMPORARY = Buffer.from('/temp-');
const EXISTING = Buffer.from(AMQ_QUEUE);

/**
 * The message of a SEND, which the client may publish; undefined where it is for several destinations. Throws a Refusal.
 */
export function readSend(frame: Frame, link: Link, names: TemporaryNames, now: number): Message | undefined {
  const topic = readTopic(frame, link, names);
  return topic === undefined ? undefined : messageTo(topic, undefined, frame, link, names, now);
}

/** The messages of a SEND to several destinations, all of which the client may publish. They share the payload. */
export function readSendToSeveral(frame: Frame, link: Link, names: TemporaryNames, now: number): Message[] {
  const { limits } = link.services;
  const messages = new Map<string, Message>();
  for (const each of splitDestinations(frame.text(HEADER.destination) ?? '', limits.compositeDestinations)) {
    const topic = isTemporary(each) ? names.topicOf(each) : topicOf(each, 'destination', limits);
    if (!messages.has(topic) || isAmqQueue(each)) messages.set(topic, messageTo(topic, each, frame, link, names, now));
  }
  const [first, ...rest] = messages.values();
  first?.keep();
  for (const each of rest) if (first !== undefined) each.adopt(first.data, first.start, first.end);
  return [...messages.values()];
}

/**
 * Durable with `persistent:true`, where a receipt is asked for, which is only given for a durable message, and for durable
 * subscriptions, which applications written for other brokers expect to get all. In a queue all are, whatever they say. `part`: its
 * destination, where that is not the whole header.
 */
function messageTo(
  topic: string,
  part: string | undefined,
  frame: Frame,
  link: Link,
  names: TemporaryNames,
  now: number,
): Message {
  const { authorizer, limits } = link.services;
  if (topic.charCodeAt(0) === 0x24) requireOpen(topic);
  if (!authorizer.mayPublish(link.principal, topic)) {
    link.counters.droppedRefused++;
    const destination = shown(frame.text(HEADER.destination) ?? '');
    throw new Refusal('notAuthorized', `SEND: not allowed to publish to ${destination}`);
  }
  const name = queueOf(topic);
  const queue = name !== undefined;
  const durable = frame.has(HEADER.receipt) || frame.isTrue(HEADER.persistent) || link.services.logs(topic);
  const retain = frame.isTrue(HEADER.retain);
  if (queue && mustExist(frame, part))
    requireQueue(link, name, readSettings(frame, { command: 'SEND', queue: name, limits }), 'SEND');
  if (retain && queue) {
    const detail = 'SEND: the header retain is for topics; a queue keeps its messages anyway';
    throw new Refusal('unsupported', detail, 'Leave it out.');
  }
  const properties = readProperties(frame, now, queue, limits, names);
  if (properties?.responseTopic !== undefined) requireReplyTo(properties.responseTopic, link);
  const { buffer, bodyStart, bodyEnd } = frame;
  return new Message(topic, buffer, bodyStart, bodyEnd, durable ? 1 : 0, retain, properties, link.publisher, now);
}

function mustExist(frame: Frame, part: string | undefined): boolean {
  if (part !== undefined) return isAmqQueue(part);
  return equal(EXISTING, frame.buffer, frame.valueStart(HEADER.destination));
}

/** Undefined where there are several destinations. */
function readTopic(frame: Frame, { names, services }: Link, temporary: TemporaryNames): string | undefined {
  const { destination } = HEADER;
  if (!frame.has(destination)) {
    const advice = 'It names a topic or a queue: /topic/NAME or /queue/NAME.';
    throw new Refusal('protocol', 'SEND without the header destination', advice, 'Missing destination');
  }
  if (frame.valueEscaped(destination)) {
    const text = frame.text(destination) ?? '';
    if (isTemporary(text)) return temporary.topicOf(text);
    return text.includes(COMMA) ? undefined : topicOf(text, 'destination', services.limits);
  }
  const start = frame.valueStart(destination);
  if (equal(TEMPORARY, frame.buffer, start)) {
    const text = frame.text(destination) ?? '';
    if (isTemporary(text)) return temporary.topicOf(text);
  }
  return names.topic(frame.buffer, start, frame.valueEnd(destination));
}

function requireOpen(topic: string): void {
  const fault = reservedFault(topic);
  if (fault !== undefined) {
    throw new Refusal('notAuthorized', `SEND: the header destination names a topic that ${fault}`);
  }
}

function requireReplyTo(topic: string, { services, principal }: Link): void {
  if (mayBeAnswered(services.authorizer, principal, topic)) return;
  throw new Refusal(
    'notAuthorized',
    'SEND: not allowed to have answers sent to the destination in the header reply-to',
  );
}
