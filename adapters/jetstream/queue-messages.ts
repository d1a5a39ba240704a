import { Message, type Properties } from '../../src/core/message.ts';
import { decodeHeaders } from './headers.ts';
import { noteLine, noteOf, queuedLine, readQueued } from './queue-headers.ts';

/** A queue's messages as they are in the stream. */

const NOTHING = new Uint8Array(0);
const NOBODY = { clientId: '', protocol: 'native' } as const;

/** Header lines beside those that all messages have. */
export function queueLines(message: Message, ownTopic: string): string {
  return queuedLine(message.timestamp, message.topic === ownTopic ? undefined : message.topic);
}

/**
 * `time` is the server's, and `priority` the subject's, for a message of an application, which says none. The payload is
 * copied.
 */
export function queueMessage(
  bytes: Uint8Array,
  headerBytes: number,
  ownTopic: string,
  time: number,
  priority: number,
): Message {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes).toString('latin1');
  const queued = readQueued(block);
  const { qos, retain, properties: said, publisher } = decodeHeaders(queued?.block ?? block, 1);
  const properties = priorityOf(said) === priority ? said : { ...said, priority };
  const topic = queued?.topic ?? ownTopic;
  const timestamp = queued?.timestamp ?? time;
  return new Message(topic, bytes, headerBytes, bytes.length, qos, retain, properties, publisher, timestamp).keep();
}

/** The server itself has put it there, at its time. */
export function isScheduled(bytes: Uint8Array, headerBytes: number): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes).includes('\r\nNats-Scheduler: ');
}

export interface Note {
  readonly deliveries: number;
  readonly dueAt: number;
}

/** A message for the stream alone. */
export function noteMessage(): Message {
  return new Message('$queue', NOTHING, 0, 0, 1, false, undefined, NOBODY, 0, true);
}

export function noteLines({ deliveries, dueAt }: Note, seconds: number): string {
  return noteLine(`${deliveries} ${dueAt}`, seconds);
}

export function readNote(bytes: Uint8Array, headerBytes: number): Note | undefined {
  const text = noteOf(Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes).toString('latin1'));
  const [deliveries = Number.NaN, dueAt = Number.NaN] = text?.split(' ').map(Number) ?? [];
  return isCount(deliveries) && isCount(dueAt) ? { deliveries, dueAt } : undefined;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** The queue of this name is another one from now on. */
export function bornLines(born: string, seconds: number): string {
  return noteLine(born, seconds);
}

export function readBorn(bytes: Uint8Array, headerBytes: number): string | undefined {
  return noteOf(Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes).toString('latin1'));
}

export function priorityOf(properties: Properties | undefined): number {
  const priority = properties?.priority ?? 0;
  return Number.isInteger(priority) && priority > 0 && priority <= 9 ? priority : 0;
}
