import { copyBytes, textBytes, writeText } from '../../src/core/bytes.ts';
import { correlationBytes, correlationText } from '../../src/core/correlation.ts';
import { Message, type Properties, type Publisher, type UserProperty, type Wire } from '../../src/core/message.ts';
import { reservedFault, topicFault } from '../../src/core/topic.ts';
import type { Limits } from '../../src/ports/limits.ts';
import type { Connection } from '../../src/ports/transport.ts';
import {
  checkHeaderText,
  escapedBytes,
  type JsonObject,
  kind,
  quote,
  RequestError,
  readBoolean,
  readHeaderText,
  readText,
  readTime,
  writeEscaped,
} from './codec.ts';

/** The two conversions: a `publish` request to the message model, and the model to a `message`. */

// --- in ---------------------------------------------------------------------------------------------------------------

/** The message a `publish` asks for; whether the client may publish it is not looked at. */
export function readPublish(request: JsonObject, publisher: Publisher, limits: Limits, now: number): Message {
  const topic = readTopic(request, 'topic', limits);
  if (topic === undefined)
    throw new RequestError('fieldInvalid', 'topic', 'topic is missing; a topic name is expected');
  const payload = readPayload(request);
  const qos = readBoolean(request, 'durable') ? 1 : 0;
  const retain = readBoolean(request, 'retain');
  const properties = readProperties(request, limits);
  return new Message(topic, payload, 0, payload.length, qos, retain, properties, publisher, now);
}

function readTopic(request: JsonObject, field: string, limits: Limits): string | undefined {
  const topic = readText(request, field);
  if (topic === undefined) return undefined;
  const fault = topicFault(topic, limits) ?? reservedFault(topic);
  if (fault !== undefined) throw new RequestError('topicInvalid', field, `${field} ${fault}`);
  return topic;
}

function readPayload(request: JsonObject): Buffer {
  const text = readText(request, 'payload');
  const base64 = readText(request, 'payloadBase64');
  if ((text === undefined) === (base64 === undefined)) {
    const found = text === undefined ? 'neither is there' : 'both are there';
    throw new RequestError('fieldInvalid', 'payload', `one of payload and payloadBase64 is expected; ${found}`);
  }
  if (base64 !== undefined) {
    const bytes = Buffer.from(base64, 'base64');
    // Node skips what is not base64; what comes back shows whether it did.
    if (bytes.toString('base64') === base64) return bytes;
    throw new RequestError(
      'payloadInvalid',
      'payloadBase64',
      'payloadBase64 is not base64 (RFC 4648, section 4, with padding)',
    );
  }
  const payload = text ?? '';
  if (!payload.isWellFormed()) {
    throw new RequestError(
      'payloadInvalid',
      'payload',
      'payload contains half a surrogate pair; send bytes as payloadBase64',
    );
  }
  return Buffer.from(payload, 'utf8');
}

/** Absent as a whole, without looking at each, in the usual case. */
function readProperties(request: JsonObject, limits: Limits): Properties | undefined {
  const maxBytes = limits.userPropertyBytes;
  const contentType = readHeaderText(request, 'contentType', maxBytes);
  const responseTopic = readTopic(request, 'replyTo', limits);
  const correlation = readCorrelation(request, maxBytes);
  const expiresAt = readTime(request, 'expiresAt');
  const user = readHeaders(request, limits);
  const key = readHeaderText(request, 'key', maxBytes);
  const messageId = readHeaderText(request, 'messageId', maxBytes);
  const properties: Properties = {
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlation !== undefined && { correlation }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(user.length > 0 && { user }),
    ...(key !== undefined && { key }),
    ...(messageId !== undefined && { messageId }),
  };
  for (const _ in properties) return properties;
  return undefined;
}

function readCorrelation(request: JsonObject, maxBytes: number): Uint8Array | undefined {
  const text = readHeaderText(request, 'correlationId', maxBytes);
  if (text === undefined) return undefined;
  const bytes = correlationBytes(text);
  if (bytes !== undefined) return bytes;
  const expected = 'base64 with padding is expected behind "base64:"';
  throw new RequestError('fieldInvalid', 'correlationId', `correlationId is not what it begins as; ${expected}`);
}

/** An array of [name, value] pairs (order and repeats are kept), or an object where neither matters. */
function readHeaders(request: JsonObject, limits: Limits): readonly UserProperty[] {
  const value = request.headers;
  if (value === undefined) return [];
  const pairs: unknown[] | undefined = Array.isArray(value)
    ? value
    : typeof value === 'object' && value !== null
      ? Object.entries(value)
      : undefined;
  if (pairs === undefined) throw new RequestError('fieldInvalid', 'headers', `headers is ${kind(value)}; ${PAIRS}`);
  if (pairs.length > limits.userProperties) {
    const text = `headers has ${pairs.length} entries; at most ${limits.userProperties} are taken (limits.userProperties)`;
    throw new RequestError('fieldInvalid', 'headers', text);
  }
  let left = limits.userPropertyBytes;
  return pairs.map((pair, index) => {
    const header = readPair(pair, index, limits.userPropertyBytes);
    left -= Buffer.byteLength(header[0]) + Buffer.byteLength(header[1]);
    if (left >= 0) return header;
    const text = `headers has more than ${limits.userPropertyBytes} bytes (limits.userPropertyBytes)`;
    throw new RequestError('fieldInvalid', 'headers', text);
  });
}

const PAIRS = 'an array of [name, value] pairs of strings, or an object with strings as values, is expected';

function readPair(pair: unknown, index: number, maxBytes: number): UserProperty {
  const list: unknown[] = Array.isArray(pair) ? pair : [];
  const [name, value] = list;
  if (list.length !== 2 || typeof name !== 'string' || typeof value !== 'string') {
    throw new RequestError('fieldInvalid', 'headers', `headers, entry ${index}, is not a pair of strings; ${PAIRS}`);
  }
  checkHeaderText(name, 'headers', `the name of headers, entry ${index},`, maxBytes);
  checkHeaderText(value, 'headers', `the value of headers, entry ${index},`, maxBytes);
  return [name, value];
}

// --- out --------------------------------------------------------------------------------------------------------------

/** This protocol's slot of `Message.wires`. */
const SLOT = 7;
/** From here on an encoding shared by several subscribers goes out by reference. */
const ATTACH_BYTES = 4096;
const END = '"}';

/**
 * What differs between the subscriptions a message goes to; the rest of it is encoded once for all of them. `fields`: more
 * of it, as JSON text, each with a comma behind it.
 */
export function messagePrefix(subscription: string, retain: boolean, fields = ''): Buffer {
  return Buffer.from(`{"type":"message","subscription":${quote(subscription)},"retain":${retain},${fields}`);
}

/** Writes `message`s. Keeps the text of the last topic and publisher: they usually are the next message's as well. */
export class MessageEncoder {
  #topic = '';
  #topicText = '""';
  #publisher: Publisher = { clientId: '', protocol: 'native' };
  #publisherText = '';

  /** `shared`: the same message goes to others, too. */
  write(connection: Connection, prefix: Buffer, message: Message, shared: boolean): void {
    if (shared) writeShared(connection, prefix, this.#wire(message).bytes);
    else this.#writeOnce(connection, prefix, message);
  }

  #writeOnce(connection: Connection, prefix: Buffer, message: Message): void {
    const escaped = escapedBytes(message.data, message.start, message.end);
    const head = this.#head(message, escaped !== -1);
    const headBytes = textBytes(head);
    const total = prefix.length + headBytes + payloadBytes(message, escaped) + END.length;
    connection.begin(total, true);
    const at = connection.reserve(total);
    const buffer = connection.buffer;
    buffer.set(prefix, at);
    writeBody(buffer, at + prefix.length, head, headBytes, message, escaped);
  }

  #wire(message: Message): Wire {
    message.wires ??= [];
    const made = message.wires[SLOT];
    if (made !== undefined) return made;
    const escaped = escapedBytes(message.data, message.start, message.end);
    const head = this.#head(message, escaped !== -1);
    const headBytes = textBytes(head);
    const total = headBytes + payloadBytes(message, escaped) + END.length;
    const bytes = Buffer.allocUnsafe(total);
    writeBody(bytes, 0, head, headBytes, message, escaped);
    const wire: Wire = { bytes, start: 0, end: total, patch: -1 };
    message.wires[SLOT] = wire;
    return wire;
  }

  /** All between the prefix and the payload. */
  #head(message: Message, text: boolean): string {
    const { topic, publisher, properties } = message;
    if (topic !== this.#topic) {
      this.#topic = topic;
      this.#topicText = quote(topic);
    }
    if (publisher !== this.#publisher) {
      this.#publisher = publisher;
      this.#publisherText = `{"clientId":${quote(publisher.clientId)},"protocol":"${publisher.protocol}"}`;
    }
    const common = `"topic":${this.#topicText},"durable":${message.qos > 0},"timestamp":${message.timestamp},"publisher":${this.#publisherText}`;
    const more = properties === undefined ? '' : propertiesText(properties);
    return text ? `${common}${more},"payload":"` : `${common}${more},"payloadBase64":"`;
  }
}

/** `body` is all of a buffer: cutting a piece out of one for each subscriber would cost more than copying it. */
function writeShared(connection: Connection, prefix: Buffer, body: Uint8Array): void {
  const total = prefix.length + body.length;
  connection.begin(total, true);
  const large = body.length >= ATTACH_BYTES;
  const at = connection.reserve(large ? prefix.length : total);
  connection.buffer.set(prefix, at);
  if (large) connection.attach(body);
  else connection.buffer.set(body, at + prefix.length);
}

function payloadBytes(message: Message, escaped: number): number {
  return escaped === -1 ? Math.ceil(message.size / 3) * 4 : escaped;
}

/** The body of a message, its end included. `escaped`: bytes of its payload as text, -1 for base64. */
function writeBody(
  buffer: Buffer,
  at: number,
  head: string,
  headBytes: number,
  message: Message,
  escaped: number,
): void {
  const { data, start, end } = message;
  let offset = writeText(buffer, at, head, headBytes);
  if (escaped === -1) {
    offset += buffer.write(
      Buffer.from(data.buffer, data.byteOffset + start, end - start).toString('base64'),
      offset,
      'latin1',
    );
  } else if (escaped === end - start) {
    offset = copyBytes(buffer, offset, data, start, end);
  } else {
    offset = writeEscaped(buffer, offset, data, start, end);
  }
  writeText(buffer, offset, END, END.length);
}

function propertiesText(properties: Properties): string {
  const { contentType, responseTopic, correlation, expiresAt, user, key, messageId } = properties;
  let text = '';
  if (contentType !== undefined) text += `,"contentType":${quote(contentType)}`;
  if (responseTopic !== undefined) text += `,"replyTo":${quote(responseTopic)}`;
  if (correlation !== undefined) text += `,"correlationId":${quote(correlationText(correlation))}`;
  if (expiresAt !== undefined) text += `,"expiresAt":${expiresAt}`;
  if (user !== undefined && user.length > 0) {
    text += `,"headers":[${user.map(([name, value]) => `[${quote(name)},${quote(value)}]`).join(',')}]`;
  }
  if (key !== undefined) text += `,"key":${quote(key)}`;
  if (messageId !== undefined) text += `,"messageId":${quote(messageId)}`;
  return text;
}
