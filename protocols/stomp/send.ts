import { Message } from '../../src/core/message.ts';
import { QUEUE_PREFIX, reservedFault } from '../../src/core/topic.ts';
import type { Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { readProperties } from './mapping.ts';
import { topicOf } from './names.ts';
import { Refusal, shown } from './refusal.ts';
import { HEADER } from './words.ts';

/**
 * The message of a SEND, which the client may publish. Durable with `persistent:true`, and where a receipt is asked for:
 * that is only given for a durable message. Throws a Refusal.
 */
export function readSend(frame: Frame, link: Link, now: number): Message {
  const { authorizer, limits } = link.services;
  const topic = readTopic(frame, link);
  if (topic.charCodeAt(0) === 0x24) requireOpen(topic);
  if (!authorizer.mayPublish(link.principal, topic)) {
    link.counters.droppedRefused++;
    const destination = shown(frame.text(HEADER.destination) ?? '');
    throw new Refusal('notAuthorized', `SEND: not allowed to publish to ${destination}`);
  }
  const durable = frame.has(HEADER.receipt) || frame.isTrue(HEADER.persistent);
  const retain = frame.isTrue(HEADER.retain);
  if (retain && topic.startsWith(QUEUE_PREFIX)) {
    const detail = 'SEND: the header retain is for topics; a queue keeps its messages anyway';
    throw new Refusal('unsupported', detail, 'Leave it out.');
  }
  const properties = readProperties(frame, now, limits);
  if (properties?.responseTopic !== undefined) requireReplyTo(properties.responseTopic, link);
  const { buffer, bodyStart, bodyEnd } = frame;
  return new Message(topic, buffer, bodyStart, bodyEnd, durable ? 1 : 0, retain, properties, link.publisher, now);
}

function readTopic(frame: Frame, { names, services }: Link): string {
  const { destination } = HEADER;
  if (!frame.has(destination)) {
    const advice = 'It names a topic or a queue: /topic/NAME or /queue/NAME.';
    throw new Refusal('protocol', 'SEND without the header destination', advice);
  }
  if (frame.valueEscaped(destination)) {
    return topicOf(frame.text(destination) ?? '', 'destination', services.limits);
  }
  return names.topic(frame.buffer, frame.valueStart(destination), frame.valueEnd(destination));
}

function requireOpen(topic: string): void {
  const fault = reservedFault(topic);
  if (fault !== undefined) {
    throw new Refusal('notAuthorized', `SEND: the header destination names a topic that ${fault}`);
  }
}

/** Who answers does so with rights of their own: a topic out of the asker's reach must not be reached through them. */
function requireReplyTo(topic: string, { services, principal }: Link): void {
  const { authorizer } = services;
  if (authorizer.maySubscribe(principal, topic) || authorizer.mayPublish(principal, topic)) return;
  throw new Refusal(
    'notAuthorized',
    'SEND: not allowed to have answers sent to the destination in the header reply-to',
  );
}
