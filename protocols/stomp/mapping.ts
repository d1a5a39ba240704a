import { correlationBytes, correlationText } from '../../src/core/correlation.ts';
import type { Counters } from '../../src/core/counters.ts';
import type { Message, Properties, UserProperty } from '../../src/core/message.ts';
import { reservedFault, type TopicLimits } from '../../src/core/topic.ts';
import { headerLine } from './escape.ts';
import type { Frame } from './frame.ts';
import { type JmsFields, mayBeJms, readJms } from './jms.ts';
import { destinationOf, isTemporary, topicOf } from './names.ts';
import { HIGHEST, isSetting, readQueueFields } from './queue-fields.ts';
import { Refusal, shown } from './refusal.ts';
import type { Version } from './version.ts';
import { HEADER, HEADER_NAMES, MESSAGE_NAMES } from './words.ts';

/**
 * Headers of SEND to properties of a message, and back to headers of MESSAGE; the table is in the README. Whatever is
 * not listed there is a user property, in order and with repetitions.
 */

interface MappingLimits extends TopicLimits {
  readonly userProperties: number;
  readonly userPropertyBytes: number;
}

const bit = (...ids: number[]): number => ids.reduce((set, id) => set | (1 << id), 0);

/** Headers of SEND that say how to treat the frame, not what the message carries. */
const HANDLING = bit(
  HEADER.destination,
  HEADER.contentLength,
  HEADER.receipt,
  HEADER.transaction,
  HEADER.persistent,
  HEADER.retain,
);

/** Headers of SEND that are properties of the message. */
const CARRIED = bit(
  HEADER.contentType,
  HEADER.replyTo,
  HEADER.correlationId,
  HEADER.expires,
  HEADER.expiration,
  HEADER.messageId,
  HEADER.amqpMessageId,
);

/** Headers of SEND that queues go by; on topics they are user properties, too. */
const QUEUED = bit(HEADER.priority, HEADER.delay, HEADER.deliverAt, HEADER.key);

const EXPIRATION_BIT = bit(HEADER.expiration);
const PRIORITY_BIT = bit(HEADER.priority);

/** Prefix of a user property whose plain name would mean something else. */
const USER = 'user.';

/** Names that mean something on SEND or MESSAGE. A MESSAGE has no `id`; what queues go by is seen to apart. */
const RESERVED: ReadonlySet<string> = new Set([
  ...HEADER_NAMES.filter((_, id) => id !== HEADER.id && (QUEUED & (1 << id)) === 0),
  ...MESSAGE_NAMES,
]);

/** Whence the answers to a SEND come back, where its header reply-to has a name of the connection's own. */
export interface AnswerNames {
  /** `raw`: the destination as the client wrote it, a character per byte. */
  answersTo(destination: string, raw: string): string;
}

/**
 * The properties that a SEND gives its message; undefined when it gives none, the usual case. `queue`: it goes to a queue,
 * not to a topic.
 */
export function readProperties(
  frame: Frame,
  now: number,
  queue: boolean,
  limits: MappingLimits,
  names: AnswerNames,
): Properties | undefined {
  if (!frame.others && (frame.present & ~HANDLING) === 0) return undefined;
  const properties: { -readonly [K in keyof Properties]: Properties[K] } = {};
  const { contentType, replyTo, correlationId } = HEADER;
  if (frame.has(contentType)) properties.contentType = frame.text(contentType) ?? '';
  if (frame.has(replyTo)) properties.responseTopic = readReplyTo(frame, limits, names);
  if (frame.has(correlationId)) properties.correlation = readCorrelation(frame.text(correlationId) ?? '');
  const expiresAt = readExpiry(frame, now);
  if (expiresAt !== undefined) properties.expiresAt = expiresAt;
  // An application that sends on what it got has both: then `message-id` is that of the frame it got.
  const messageId = frame.text(HEADER.amqpMessageId) ?? frame.text(HEADER.messageId);
  if (messageId !== undefined) properties.messageId = messageId;
  if ((frame.present & QUEUED) !== 0) readQueueFields(frame, now, queue, properties);
  const user = readUser(frame, queue, limits, now, properties);
  if (user.length > 0) properties.user = user;
  return Object.keys(properties).length > 0 ? properties : undefined;
}

function readReplyTo(frame: Frame, limits: TopicLimits, names: AnswerNames): string {
  const destination = frame.text(HEADER.replyTo) ?? '';
  if (isTemporary(destination)) return names.answersTo(destination, frame.raw(HEADER.replyTo) ?? '');
  const topic = topicOf(destination, 'reply-to', limits);
  const fault = reservedFault(topic);
  if (fault !== undefined) throw new Refusal('notAuthorized', `the header reply-to names a topic that ${fault}`);
  return topic;
}

function readCorrelation(text: string): Uint8Array {
  const bytes = correlationBytes(text);
  if (bytes === undefined) {
    throw new Refusal(
      'malformed',
      `the header correlation-id ${shown(text)} begins with base64: but goes on otherwise`,
      'After base64: canonical base64 is expected; text that begins so by itself is encoded, too.',
    );
  }
  return bytes;
}

/** `expires` (milliseconds since 1970, 0: never) and `expiration` (milliseconds from now): the earlier of the two. */
function readExpiry(frame: Frame, now: number): number | undefined {
  const expires = readMilliseconds(frame.text(HEADER.expires), 'expires');
  const expiration = readMilliseconds(frame.text(HEADER.expiration), 'expiration');
  const relative = expiration === undefined ? undefined : now + expiration;
  if (expires === undefined || expires === 0) return relative;
  return relative === undefined ? expires : Math.min(expires, relative);
}

function readMilliseconds(text: string | undefined, header: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(text)) {
    throw new Refusal(
      'malformed',
      `the header ${header} ${shown(text)} is not a time`,
      'Milliseconds in digits are expected.',
    );
  }
  return Number(text);
}

function readUser(
  frame: Frame,
  queue: boolean,
  limits: MappingLimits,
  now: number,
  properties: JmsFields,
): UserProperty[] {
  const user: UserProperty[] = [];
  const standard = HANDLING | CARRIED | (queue ? QUEUED : 0);
  // The time to live is shown as it was sent, as `expires` is the time at which it ends; and so is a priority that is too high.
  let shownToo = EXPIRATION_BIT;
  if (properties.priority === HIGHEST && frame.text(HEADER.priority) !== String(HIGHEST)) shownToo |= PRIORITY_BIT;
  let bytes = 0;
  for (let i = 0; i < frame.count; i++) {
    const known = frame.knownAt(i);
    // A repetition of a standard header has no meaning and is left out.
    if (known >= 0 && (standard & (1 << known)) !== 0) {
      if ((shownToo & (1 << known)) === 0) continue;
      shownToo &= ~(1 << known);
    }
    if (queue && isSetting(frame, i)) continue;
    const name = frame.name(i);
    const value = frame.value(i);
    if (mayBeJms(name) && readJms(name, value, queue, now, properties)) continue;
    user.push([name.startsWith(USER) ? name.slice(USER.length) : name, value]);
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
    if (user.length > limits.userProperties || bytes > limits.userPropertyBytes) {
      throw new Refusal(
        'tooLarge',
        `more than ${limits.userProperties} headers of its own, or ${limits.userPropertyBytes} bytes of them`,
        'Send fewer or shorter headers (limits.userProperties, limits.userPropertyBytes).',
      );
    }
  }
  return user;
}

/**
 * The header lines of a MESSAGE that stand for the message's properties, and for its being logged. What the version
 * cannot express is left out and counted.
 */
export function propertyLines(message: Message, version: Version, counters: Counters): string {
  let lines = message.qos > 0 ? 'persistent:true\n' : '';
  const properties = message.properties;
  if (properties === undefined) return lines;
  const add = (name: string, value: string): void => {
    const line = headerLine(name, value, version);
    if (line === undefined) counters.droppedHeaders++;
    else lines += line;
  };
  const { contentType, responseTopic, correlation, expiresAt, user, messageId } = properties;
  if (contentType !== undefined) add('content-type', contentType);
  if (responseTopic !== undefined) add('reply-to', destinationOf(responseTopic));
  // Free of control characters, so that every version can express it.
  if (correlation !== undefined) add('correlation-id', correlationText(correlation));
  if (expiresAt !== undefined) add('expires', String(expiresAt));
  if (messageId !== undefined) add('amqp-message-id', messageId);
  const { key, priority } = properties;
  const tellsPriority = priority !== undefined && !saysPriority(user, priority);
  const tellsKey = key !== undefined && !says(user, 'key', key);
  if (tellsPriority) add('priority', String(priority));
  if (tellsKey) add('key', key);
  if (user !== undefined) {
    for (const [name, value] of user) {
      // From MQTT the id comes as a user property, too; it has been said.
      if (name === 'message-id' && value === messageId) continue;
      const told = (tellsPriority && name === 'priority') || (tellsKey && name === 'key');
      const plain = name === EXPIRATION ? isTimeToLive(value, message) : !needsPrefix(name);
      add(told || !plain ? USER + name : name, value);
    }
  }
  return lines;
}

/** Whether the user properties have it already, as those of topics do: there it keeps its place among them. */
function says(user: readonly UserProperty[] | undefined, name: string, value: string): boolean {
  return user?.find(([each]) => each === name)?.[1] === value;
}

/** The same, where one may be among them that is higher than there are. */
function saysPriority(user: readonly UserProperty[] | undefined, priority: number): boolean {
  const said = user?.find(([each]) => each === 'priority')?.[1];
  if (said === String(priority)) return true;
  return priority === HIGHEST && said !== undefined && /^[0-9]{2,3}$/.test(said) && Number(said) > HIGHEST;
}

const EXPIRATION = 'expiration';

/** Whether it is what a SEND said, and not an application's own: then the message expires no later. */
function isTimeToLive(value: string, { properties, publisher, timestamp }: Message): boolean {
  const expiresAt = properties?.expiresAt;
  if (publisher.protocol !== 'stomp' || expiresAt === undefined || !/^[0-9]{1,15}$/.test(value)) return false;
  return expiresAt <= timestamp + Number(value);
}

function needsPrefix(name: string): boolean {
  return name === '' || RESERVED.has(name) || name.startsWith(USER);
}
