import { correlationBytes } from '../../src/core/correlation.ts';
import { Message, type Properties, type Publisher, type Qos, type UserProperty } from '../../src/core/message.ts';
import { QUEUE_PREFIX, reservedFault, topicFault } from '../../src/core/topic.ts';
import type { Limits } from '../../src/ports/limits.ts';
import {
  checkHeaderText,
  type JsonObject,
  kind,
  RequestError,
  readBoolean,
  readHeaderText,
  readInteger,
  readText,
  readTime,
} from './codec.ts';

/** From a `publish` or `request` to the message model. */

/** The message a `publish` asks for; whether the client may publish it is not looked at. */
export function readPublish(request: JsonObject, publisher: Publisher, limits: Limits, now: number): Message {
  const topic = readDestination(request, limits);
  const payload = readPayload(request);
  const retain = readBoolean(request, 'retain');
  const durable = readBoolean(request, 'durable');
  const queued = topic.startsWith(QUEUE_PREFIX);
  if (queued && retain) {
    throw new RequestError('fieldInvalid', 'retain', 'retain is true; a queue retains nothing, leave it out');
  }
  const responseTopic = readTopic(request, 'replyTo', limits);
  const correlation = readCorrelation(request, limits.userPropertyBytes);
  const properties = readProperties(request, limits, now, {
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlation !== undefined && { correlation }),
  });
  const qos: Qos = durable || queued ? 1 : 0;
  return new Message(topic, payload, 0, payload.length, qos, retain, properties, publisher, now);
}

/** Milliseconds an answer is waited for when the request does not say it, and at most. */
const USUAL_TIMEOUT = 30_000;
const LONGEST_TIMEOUT = 3_600_000;

export function readTimeout(request: JsonObject): number {
  return readInteger(request, 'timeoutMilliseconds', 1, LONGEST_TIMEOUT) ?? USUAL_TIMEOUT;
}

/** The message of a `request`, which no one need have any more `timeout` milliseconds from now. */
export function readQuestion(
  request: JsonObject,
  publisher: Publisher,
  limits: Limits,
  now: number,
  timeout: number,
  replyTo: { readonly responseTopic: string; readonly correlation: Uint8Array },
): Message {
  const topic = readDestination(request, limits);
  const payload = readPayload(request);
  const properties = readProperties(request, limits, now, replyTo);
  const expiring = { ...properties, expiresAt: properties?.expiresAt ?? now + timeout };
  const qos: Qos = topic.startsWith(QUEUE_PREFIX) ? 1 : 0;
  return new Message(topic, payload, 0, payload.length, qos, false, expiring, publisher, now);
}

/** The topic, or that of the queue: exactly one of the two is named. */
function readDestination(request: JsonObject, limits: Limits): string {
  const topic = readTopic(request, 'topic', limits);
  const queue = readQueue(request, limits);
  if (topic !== undefined && queue !== undefined) {
    throw new RequestError('fieldInvalid', 'queue', 'queue and topic are both there; one of them is expected');
  }
  if (queue !== undefined) return QUEUE_PREFIX + queue;
  if (topic !== undefined) return topic;
  throw new RequestError('fieldInvalid', 'topic', 'topic is missing; a topic name, or else queue, is expected');
}

/** The name of a queue. */
export function readQueue(request: JsonObject, limits: Limits): string | undefined {
  const queue = readText(request, 'queue');
  if (queue === undefined) return undefined;
  const fault = queue === '' ? 'is empty; the name of a queue is expected' : topicFault(QUEUE_PREFIX + queue, limits);
  if (fault !== undefined) throw new RequestError('fieldInvalid', 'queue', `queue ${fault}`);
  return queue;
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

/** Absent as a whole, without looking at each, in the usual case. `more`: what else it has. */
function readProperties(request: JsonObject, limits: Limits, now: number, more: Properties): Properties | undefined {
  const maxBytes = limits.userPropertyBytes;
  const contentType = readHeaderText(request, 'contentType', maxBytes);
  const expiresAt = readTime(request, 'expiresAt');
  const user = readHeaders(request, limits);
  const key = readHeaderText(request, 'key', maxBytes);
  const messageId = readHeaderText(request, 'messageId', maxBytes);
  const priority = readInteger(request, 'priority', 0, 9);
  const deliverAt = readDelivery(request, now);
  const properties: Properties = {
    ...(contentType !== undefined && { contentType }),
    ...more,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(user.length > 0 && { user }),
    ...(key !== undefined && { key }),
    ...(messageId !== undefined && { messageId }),
    ...(priority !== undefined && { priority }),
    ...(deliverAt !== undefined && { deliverAt }),
  };
  for (const _ in properties) return properties;
  return undefined;
}

/** Longest delay, milliseconds. */
const LONGEST_DELAY = 366 * 86_400_000;

export function readDelay(request: JsonObject): number | undefined {
  return readInteger(request, 'delay', 0, LONGEST_DELAY);
}

function readDelivery(request: JsonObject, now: number): number | undefined {
  const delay = readDelay(request);
  const deliverAt = readTime(request, 'deliverAt');
  if (delay === undefined) return deliverAt;
  if (deliverAt === undefined) return now + delay;
  throw new RequestError(
    'fieldInvalid',
    'delay',
    'delay and deliverAt are both there; at most one of them is expected',
  );
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
