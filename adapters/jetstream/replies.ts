import type { Msg } from 'nats';
import { Message } from '../../src/core/message.ts';
import { REPLY_PREFIX } from '../../src/core/topic.ts';
import { raw } from './raw.ts';
import { fitsSubject, type TopicSubjects } from './subjects.ts';

/** Where answers go: topics for clients, reply subjects for applications of NATS, each for the other. */

const NATIVE_PREFIX = `${REPLY_PREFIX}nats/`;
/**
 * Inboxes as the clients of NATS make them, and as servers write them anew between accounts. Nothing else: bytes of a client
 * must not come to subjects that servers (`$JS`, `$SYS`), this broker or applications listen on.
 */
const INBOX = /^(?:_INBOX[A-Za-z0-9_-]*|_R_)(?:\.[A-Za-z0-9_-]+)+$/;
const INBOX_BYTES = 256;

export function isNativeReply(topic: string): boolean {
  return topic.startsWith(NATIVE_PREFIX);
}

/** The inbox of such a topic; undefined when it is none. */
export function inboxOf(topic: string): string | undefined {
  const subject = topic.slice(NATIVE_PREFIX.length);
  return isInbox(subject) ? subject : undefined;
}

function isInbox(subject: string): boolean {
  return subject.length <= INBOX_BYTES && INBOX.test(subject);
}

/** The reply subject of a message on its way: that of the topic where it wants its answer; empty for none. */
export function replyOf(message: Message, subject: string, subjects: TopicSubjects): string {
  const topic = message.properties?.responseTopic;
  if (topic === undefined || topic === '' || isNativeReply(topic)) return '';
  const reply = subjects.subjectOf(topic) ?? '';
  // Both are on one line.
  return fitsSubject(subject + reply) ? reply : '';
}

/** An application that wants an answer has its reply subject as its topic for answers. */
export function withReply(message: Message, reply: string, subjects: TopicSubjects): Message {
  const { properties, data, start, end } = message;
  if (properties?.responseTopic !== undefined) return message;
  const responseTopic = subjects.topicOf(reply) ?? (isInbox(reply) ? NATIVE_PREFIX + reply : undefined);
  if (responseTopic === undefined) return message;
  const { topic, qos, retain, publisher, timestamp } = message;
  return new Message(topic, data, start, end, qos, retain, { ...properties, responseTopic }, publisher, timestamp);
}

/** Not a message, but the server's word that nobody has got the one that wanted its answer here. */
export function isUnheard(message: Msg): boolean {
  const { bytes, headerBytes, reply } = raw(message);
  if (headerBytes === 0 || headerBytes !== bytes.length || reply.length > 0) return false;
  return Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes).toString('latin1').startsWith('NATS/1.0 503');
}
