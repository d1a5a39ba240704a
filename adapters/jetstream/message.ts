import { Message, type Qos } from '../../src/core/message.ts';
import { isSystem } from '../../src/core/topic.ts';
import { decodeHeaders } from './headers.ts';
import type { TopicSubjects } from './subjects.ts';

/** A message as NATS brought it; undefined when its subject is no topic's, or one by which each node tells of itself. */
export function readMessage(
  subjects: TopicSubjects,
  subject: string,
  bytes: Uint8Array,
  headerBytes: number,
  time: number,
  /** Of a message that is not a broker's. */
  nativeQos: Qos = 1,
): Message | undefined {
  const topic = subjects.topicOf(subject);
  if (topic === undefined || isSystem(topic)) return undefined;
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes).toString('latin1');
  const { qos, retain, properties, publisher } = decodeHeaders(block, nativeQos);
  return new Message(topic, bytes, headerBytes, bytes.length, qos, retain, properties, publisher, time);
}
