import { Message } from '../../src/core/message.ts';
import { reservedFault } from '../../src/core/topic.ts';
import { mayBeAnswered } from '../../src/ports/rights.ts';
import type { Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { type AnswerNames, readProperties } from './mapping.ts';
import { isTemporary, topicOf } from './names.ts';
import { queueOf } from './queue-fields.ts';
import { Refusal, shown } from './refusal.ts';
import { equal, HEADER } from './words.ts';

/** Names of a connection's own: on which the client sends, and to which answers come. */
export interface TemporaryNames extends AnswerNames {
  topicOf(destination: string): string;
}

/** How the destinations begin that have no topic of their own. */
const TEMPORARY = Buffer.from('/temp-');

/**
 * The message of a SEND, which the client may publish. Durable with `persistent:true`, and where a receipt is asked for:
 * that is only given for a durable message; and in a queue: what that does not take is an ERROR (STOMP 1.2, SEND). Throws a
 * Refusal.
 */
export function readSend(frame: Frame, link: Link, names: TemporaryNames, now: number): Message {
  const { authorizer, limits } = link.services;
  const topic = readTopic(frame, link, names);
  if (topic.charCodeAt(0) === 0x24) requireOpen(topic);
  if (!authorizer.mayPublish(link.principal, topic)) {
    link.counters.droppedRefused++;
    const destination = shown(frame.text(HEADER.destination) ?? '');
    throw new Refusal('notAuthorized', `SEND: not allowed to publish to ${destination}`);
  }
  const queue = queueOf(topic) !== undefined;
  const durable = queue || frame.has(HEADER.receipt) || frame.isTrue(HEADER.persistent);
  const retain = frame.isTrue(HEADER.retain);
  if (retain && queue) {
    const detail = 'SEND: the header retain is for topics; a queue keeps its messages anyway';
    throw new Refusal('unsupported', detail, 'Leave it out.');
  }
  const properties = readProperties(frame, now, queue, limits, names);
  if (properties?.responseTopic !== undefined) requireReplyTo(properties.responseTopic, link);
  const { buffer, bodyStart, bodyEnd } = frame;
  return new Message(topic, buffer, bodyStart, bodyEnd, durable ? 1 : 0, retain, properties, link.publisher, now);
}

function readTopic(frame: Frame, { names, services }: Link, temporary: TemporaryNames): string {
  const { destination } = HEADER;
  if (!frame.has(destination)) {
    const advice = 'It names a topic or a queue: /topic/NAME or /queue/NAME.';
    throw new Refusal('protocol', 'SEND without the header destination', advice);
  }
  if (frame.valueEscaped(destination)) {
    return topicOf(frame.text(destination) ?? '', 'destination', services.limits);
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
