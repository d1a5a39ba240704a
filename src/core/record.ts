import { copyBytes, textBytes, writeText } from './bytes.ts';
import { Message, type Properties, type ProtocolName, type Qos, type UserProperty } from './message.ts';

/**
 * A logged message as bytes, the form in which stores keep it:
 *
 *     flags u8 | timestamp f64 | topic u16+bytes | client id u16+bytes | [properties u32+fields] | payload (the rest)
 *
 * flags: bits 0-1 QoS, 2 retain, 3 properties follow, 4-5 protocol. A field is tag u8, length u32, bytes.
 */

const PROTOCOLS: readonly ProtocolName[] = ['mqtt', 'stomp', 'websocket', 'native'];
const RETAIN = 0x04;
const HAS_PROPERTIES = 0x08;
const PROTOCOL_SHIFT = 4;
const FIXED = 1 + 8 + 2 + 2;

const TAG = {
  contentType: 1,
  textPayload: 2,
  responseTopic: 3,
  correlation: 4,
  expiresAt: 5,
  userName: 6,
  userValue: 7,
  key: 8,
  messageId: 9,
  priority: 10,
  deliverAt: 11,
} as const;

/** Bytes that `writeRecord` needs for this message. */
export function recordBytes(message: Message): number {
  const properties = message.properties;
  return (
    FIXED +
    textBytes(message.topic) +
    textBytes(message.publisher.clientId) +
    (properties === undefined ? 0 : 4 + propertiesBytes(properties)) +
    message.size
  );
}

/** Writes the record at `at` and returns where its payload begins; it ends at `at + recordBytes(message)`. */
export function writeRecord(buffer: Buffer, at: number, message: Message): number {
  const { topic, publisher, properties } = message;
  buffer[at] =
    message.qos |
    (message.retain ? RETAIN : 0) |
    (properties === undefined ? 0 : HAS_PROPERTIES) |
    (PROTOCOLS.indexOf(publisher.protocol) << PROTOCOL_SHIFT);
  buffer.writeDoubleLE(message.timestamp, at + 1);
  let offset = writeShort(buffer, at + 9, topic);
  offset = writeShort(buffer, offset, publisher.clientId);
  if (properties !== undefined) offset = writeProperties(buffer, offset, properties);
  copyBytes(buffer, offset, message.data, message.start, message.end);
  return offset;
}

/** Reads `buffer[start, end)` back; the message's payload stays in `buffer`. Throws RangeError on bytes that are no record. */
export function readRecord(buffer: Buffer, start: number, end: number): Message {
  const flags = buffer.readUInt8(start);
  const timestamp = buffer.readDoubleLE(start + 1);
  const topicEnd = start + 11 + buffer.readUInt16LE(start + 9);
  const topic = buffer.toString('utf8', start + 11, topicEnd);
  const clientEnd = topicEnd + 2 + buffer.readUInt16LE(topicEnd);
  const clientId = buffer.toString('utf8', topicEnd + 2, clientEnd);
  const protocol = PROTOCOLS[(flags >> PROTOCOL_SHIFT) & 3] ?? 'native';
  let offset = clientEnd;
  let properties: Properties | undefined;
  if ((flags & HAS_PROPERTIES) !== 0) {
    const propertiesEnd = offset + 4 + buffer.readUInt32LE(offset);
    if (propertiesEnd > end) throw new RangeError('a record whose properties reach beyond it');
    properties = readProperties(buffer, offset + 4, propertiesEnd);
    offset = propertiesEnd;
  }
  if (offset > end) throw new RangeError('a record whose names reach beyond it');
  const publisher = { clientId, protocol };
  const qos = qosOf(flags);
  return new Message(topic, buffer, offset, end, qos, (flags & RETAIN) !== 0, properties, publisher, timestamp, true);
}

function qosOf(flags: number): Qos {
  const qos = flags & 3;
  if (qos === 0 || qos === 1 || qos === 2) return qos;
  throw new RangeError('a record of QoS 3');
}

function writeShort(buffer: Buffer, at: number, text: string): number {
  const bytes = textBytes(text);
  buffer.writeUInt16LE(bytes, at);
  return writeText(buffer, at + 2, text, bytes);
}

/** Fields in the order they are written: user properties as name, value, name, value. */
function* fields(properties: Properties): Generator<[tag: number, value: string | Uint8Array]> {
  const { contentType, textPayload, responseTopic, correlation, expiresAt, user, key, messageId, priority, deliverAt } =
    properties;
  if (contentType !== undefined) yield [TAG.contentType, contentType];
  if (textPayload !== undefined) yield [TAG.textPayload, textPayload ? '' : '0'];
  if (responseTopic !== undefined) yield [TAG.responseTopic, responseTopic];
  if (correlation !== undefined) yield [TAG.correlation, correlation];
  if (expiresAt !== undefined) yield [TAG.expiresAt, String(expiresAt)];
  for (const [name, value] of user ?? []) {
    yield [TAG.userName, name];
    yield [TAG.userValue, value];
  }
  if (key !== undefined) yield [TAG.key, key];
  if (messageId !== undefined) yield [TAG.messageId, messageId];
  if (priority !== undefined) yield [TAG.priority, String(priority)];
  if (deliverAt !== undefined) yield [TAG.deliverAt, String(deliverAt)];
}

function propertiesBytes(properties: Properties): number {
  let total = 0;
  for (const [, value] of fields(properties))
    total += 5 + (typeof value === 'string' ? Buffer.byteLength(value) : value.length);
  return total;
}

function writeProperties(buffer: Buffer, at: number, properties: Properties): number {
  let offset = at + 4;
  for (const [tag, value] of fields(properties)) {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    buffer[offset] = tag;
    buffer.writeUInt32LE(bytes.length, offset + 1);
    buffer.set(bytes, offset + 5);
    offset += 5 + bytes.length;
  }
  buffer.writeUInt32LE(offset - at - 4, at);
  return offset;
}

function readProperties(buffer: Buffer, start: number, end: number): Properties {
  const properties: {
    -readonly [K in keyof Properties]: Properties[K];
  } = {};
  const user: UserProperty[] = [];
  let name = '';
  for (let at = start; at < end; ) {
    const tag = buffer.readUInt8(at);
    const from = at + 5;
    const to = from + buffer.readUInt32LE(at + 1);
    if (to > end) throw new RangeError('a record with a property that reaches beyond it');
    if (tag === TAG.contentType) properties.contentType = buffer.toString('utf8', from, to);
    else if (tag === TAG.textPayload) properties.textPayload = from === to;
    else if (tag === TAG.responseTopic) properties.responseTopic = buffer.toString('utf8', from, to);
    else if (tag === TAG.correlation) properties.correlation = buffer.subarray(from, to);
    else if (tag === TAG.expiresAt) properties.expiresAt = Number(buffer.toString('latin1', from, to));
    else if (tag === TAG.userName) name = buffer.toString('utf8', from, to);
    else if (tag === TAG.userValue) user.push([name, buffer.toString('utf8', from, to)]);
    else if (tag === TAG.key) properties.key = buffer.toString('utf8', from, to);
    else if (tag === TAG.messageId) properties.messageId = buffer.toString('utf8', from, to);
    else if (tag === TAG.priority) properties.priority = Number(buffer.toString('latin1', from, to));
    else if (tag === TAG.deliverAt) properties.deliverAt = Number(buffer.toString('latin1', from, to));
    else throw new RangeError(`a record with an unknown property ${tag}`);
    at = to;
  }
  if (user.length > 0) properties.user = user;
  return properties;
}
