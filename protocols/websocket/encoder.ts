import { copyBytes, textBytes, writeText } from '../../src/core/bytes.ts';
import { correlationText } from '../../src/core/correlation.ts';
import type { Message, Properties, Publisher, Wire } from '../../src/core/message.ts';
import { formatPosition } from '../../src/core/start.ts';
import type { Position } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { escapedBytes, quote, writeEscaped } from './codec.ts';

/** From the message model to a `message`. */

/** This protocol's slot of `Message.wires`. */
const SLOT = 7;
/** From here on an encoding shared by several subscribers goes out by reference. */
const ATTACH_BYTES = 4096;
const END = '"}';

/**
 * What differs between the subscriptions a message goes to; the rest of it is encoded once for all of them. `fields`: more
 * of it that is the same for all messages, as JSON text, each with a comma behind it.
 */
export function messagePrefix(subscription: string, retain: boolean, fields = ''): Buffer {
  return Buffer.from(`{"type":"message","subscription":${quote(subscription)},"retain":${retain},${fields}`);
}

/** The field of a message that says where it is in the log, as JSON text, with a comma behind it. */
export function positionField({ shard, sequence }: Position): string {
  return `"position":"${formatPosition(shard, sequence)}",`;
}

/** Writes `message`s. Keeps the text of the last topic and publisher: they usually are the next message's as well. */
export class MessageEncoder {
  #topic = '';
  #topicText = '""';
  #publisher: Publisher = { clientId: '', protocol: 'native' };
  #publisherText = '';

  /**
   * `shared`: the same message goes to others, too. `fields`: what this one message has for this subscription, as ASCII
   * text of JSON, each with a comma behind it.
   */
  write(connection: Connection, prefix: Buffer, message: Message, shared: boolean, fields = ''): void {
    if (shared) writeShared(connection, prefix, fields, this.#wire(message).bytes);
    else this.#writeOnce(connection, prefix, fields, message);
  }

  #writeOnce(connection: Connection, prefix: Buffer, fields: string, message: Message): void {
    const escaped = escapedBytes(message.data, message.start, message.end);
    const head = this.#head(message, escaped !== -1);
    const headBytes = textBytes(head);
    const before = prefix.length + fields.length;
    const total = before + headBytes + payloadBytes(message, escaped) + END.length;
    connection.begin(total, true);
    const at = connection.reserve(total);
    const { buffer } = connection;
    writeBefore(buffer, at, prefix, fields);
    writeBody(buffer, at + before, head, headBytes, message, escaped);
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
function writeShared(connection: Connection, prefix: Buffer, fields: string, body: Uint8Array): void {
  const before = prefix.length + fields.length;
  const total = before + body.length;
  connection.begin(total, true);
  const large = body.length >= ATTACH_BYTES;
  const at = connection.reserve(large ? before : total);
  writeBefore(connection.buffer, at, prefix, fields);
  if (large) connection.attach(body);
  else connection.buffer.set(body, at + before);
}

function writeBefore(buffer: Buffer, at: number, prefix: Buffer, fields: string): void {
  buffer.set(prefix, at);
  if (fields !== '') writeText(buffer, at + prefix.length, fields, fields.length);
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
  const { contentType, responseTopic, correlation, expiresAt, user, key, messageId, priority } = properties;
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
  if (priority !== undefined) text += `,"priority":${priority}`;
  return text;
}
