import type mqttPacket from 'mqtt-packet';
import type { Json } from './json-client.ts';
import { header, type StompFrame } from './stomp-client.ts';

/** A neutral message in the form of each protocol, and back. */

/** A message as a test means it; topics in MQTT form, correlation as bytes. */
export interface Neutral {
  readonly topic: string;
  readonly payload: Buffer;
  readonly contentType?: string | undefined;
  readonly replyTo?: string | undefined;
  readonly correlation?: Buffer | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt?: number | undefined;
  readonly headers?: readonly (readonly [string, string])[] | undefined;
  readonly messageId?: string | undefined;
  readonly durable?: boolean | undefined;
  readonly retain?: boolean | undefined;
  /** What queues and groups go by. */
  readonly key?: string | undefined;
  readonly priority?: number | undefined;
  /** Milliseconds from now. */
  readonly delay?: number | undefined;
}

/** A message as it came, with what is said of its delivery taken from among the headers. */
export interface Delivered extends Neutral {
  readonly headers: readonly Pair[];
  readonly redelivered: boolean;
  /** 1: for the first time. */
  readonly deliveries: number;
  /** In the log, where it was asked for. */
  readonly position: string | undefined;
}

export type Pair = readonly [string, string];

/** Where each protocol has user headers, these names are the broker's. */
const OWN = new Set(['key', 'priority', 'redelivered', 'delivery-count', 'position']);

/** From what is said in headers, as by MQTT 5 and STOMP. */
export function delivered(message: Neutral): Delivered {
  const all = message.headers ?? [];
  const get = (name: string): string | undefined => all.find(([each]) => each === name)?.[1];
  const priority = get('priority');
  return {
    ...message,
    headers: all.filter(([name]) => !OWN.has(name)),
    key: get('key'),
    priority: priority === undefined ? undefined : Number(priority),
    redelivered: get('redelivered') === 'true',
    deliveries: Number(get('delivery-count') ?? 1),
    position: get('position'),
  };
}

/** Headers of ours that MQTT 5 and STOMP name alike. */
function ownHeaders({ key, priority, delay }: Neutral): Pair[] {
  const named = { key, priority, delay };
  return Object.entries(named).flatMap(([name, value]): Pair[] => (value === undefined ? [] : [[name, String(value)]]));
}

// --- MQTT 5 -----------------------------------------------------------------------------------------------------------

/** mqtt-packet takes user properties as an object of lists: order holds while names are grouped. */
export function userProperties(pairs: readonly Pair[]): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const [name, value] of pairs) {
    all[name] ??= [];
    all[name].push(value);
  }
  return all;
}

export function pairsOf(user: mqttPacket.UserProperties | undefined): Pair[] {
  return Object.entries(user ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each): Pair => [name, each]),
  );
}

export function mqttProperties(message: Neutral): NonNullable<mqttPacket.IPublishPacket['properties']> {
  const id: Pair[] = message.messageId === undefined ? [] : [['message-id', message.messageId]];
  const user = [...(message.headers ?? []), ...id, ...ownHeaders(message)];
  return {
    ...(message.contentType === undefined ? {} : { contentType: message.contentType }),
    ...(message.replyTo === undefined ? {} : { responseTopic: message.replyTo }),
    ...(message.correlation === undefined ? {} : { correlationData: message.correlation }),
    ...(message.expiresAt === undefined
      ? {}
      : { messageExpiryInterval: Math.round((message.expiresAt - Date.now()) / 1000) }),
    ...(user.length === 0 ? {} : { userProperties: userProperties(user) }),
  };
}

export function ofPacket(packet: mqttPacket.IPublishPacket): Neutral {
  const properties = packet.properties ?? {};
  const headers = pairsOf(properties.userProperties);
  return {
    topic: packet.topic,
    payload: Buffer.from(packet.payload),
    contentType: properties.contentType,
    replyTo: properties.responseTopic,
    correlation: properties.correlationData,
    expiresAt:
      properties.messageExpiryInterval === undefined ? undefined : Date.now() + properties.messageExpiryInterval * 1000,
    headers: headers.filter(([name]) => name !== 'message-id'),
    messageId: headers.find(([name]) => name === 'message-id')?.[1],
    durable: packet.qos > 0,
    retain: packet.retain,
  };
}

// --- STOMP ------------------------------------------------------------------------------------------------------------

const NAMED: readonly Pair[] = [
  ['$queue/', '/queue/'],
  ['$reply/', '/reply-queue/'],
  ['$exchange/', '/exchange/'],
];
/** The subscription to an exchange has no wildcard for it. */
const ALL_KEYS = /(?<=^\$exchange\/amq\.fanout)\/#$/;

/** Only what the tests' topics need; the bijection over all topics is tested by itself. */
export function toDestination(topic: string): string {
  for (const [start, destination] of NAMED) {
    if (topic.startsWith(start)) return destination + topic.replace(ALL_KEYS, '').slice(start.length);
  }
  return topic.startsWith('/temp-')
    ? topic
    : `/topic/${topic.replaceAll('.', '%2E').replaceAll('/', '.').replaceAll('+', '*')}`;
}

export function fromDestination(text: string): string {
  for (const [start, destination] of NAMED) {
    if (text.startsWith(destination)) return start + text.slice(destination.length);
  }
  return decodeURIComponent(text.replace('/topic/', '').replaceAll('.', '/'));
}

const STANDARD = new Set(
  'subscription message-id destination content-length content-type reply-to correlation-id expires persistent retain ack amqp-message-id timestamp'.split(
    ' ',
  ),
);

export function stompHeaders(message: Neutral): Pair[] {
  const headers: Pair[] = [['destination', toDestination(message.topic)]];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined) headers.push([name, value]);
  };
  add('content-type', message.contentType);
  add('reply-to', message.replyTo === undefined ? undefined : toDestination(message.replyTo));
  add('correlation-id', message.correlation === undefined ? undefined : correlationText(message.correlation));
  add('expires', message.expiresAt === undefined ? undefined : String(message.expiresAt));
  add('message-id', message.messageId);
  add('retain', message.retain === true ? 'true' : undefined);
  return [...headers, ...ownHeaders(message), ...(message.headers ?? [])];
}

export function ofFrame(frame: StompFrame): Neutral {
  const get = (name: string): string | undefined => header(frame, name);
  const [replyTo, correlation, expires] = [get('reply-to'), get('correlation-id'), get('expires')];
  return {
    topic: fromDestination(get('destination') ?? ''),
    payload: frame.body,
    contentType: get('content-type'),
    replyTo: replyTo === undefined ? undefined : fromDestination(replyTo),
    correlation: correlation === undefined ? undefined : correlationBytes(correlation),
    expiresAt: expires === undefined ? undefined : Number(expires),
    headers: frame.headers.filter(([name]) => !STANDARD.has(name) && name !== 'user.message-id'),
    messageId: get('amqp-message-id'),
    durable: get('persistent') === 'true',
    retain: get('retain') === 'true',
  };
}

// --- JSON -------------------------------------------------------------------------------------------------------------

export function jsonFields(message: Neutral): Json {
  const { payload, correlation, ...rest } = message;
  const text = payload.toString();
  const body = Buffer.from(text).equals(payload) ? { payload: text } : { payloadBase64: payload.toString('base64') };
  return { ...rest, ...body, correlationId: correlation === undefined ? undefined : correlationText(correlation) };
}

export function ofJson(message: Json): Neutral {
  const text = (name: string): string | undefined => (typeof message[name] === 'string' ? message[name] : undefined);
  const correlation = text('correlationId');
  const base64 = text('payloadBase64');
  return {
    topic: text('topic') ?? '',
    payload: base64 === undefined ? Buffer.from(text('payload') ?? '') : Buffer.from(base64, 'base64'),
    contentType: text('contentType'),
    replyTo: text('replyTo'),
    correlation: correlation === undefined ? undefined : correlationBytes(correlation),
    expiresAt: typeof message.expiresAt === 'number' ? message.expiresAt : undefined,
    headers: jsonPairs(message).filter(([name]) => name !== 'message-id'),
    messageId: text('messageId'),
    durable: message.durable === true,
    retain: message.retain === true,
  };
}

function jsonPairs({ headers }: Json): Pair[] {
  return Array.isArray(headers) ? headers.map(([name, value]): Pair => [String(name), String(value)]) : [];
}

export function deliveredJson(message: Json): Delivered {
  const { key, priority, position, deliveryCount } = message;
  return {
    ...ofJson(message),
    headers: jsonPairs(message),
    key: typeof key === 'string' ? key : undefined,
    priority: typeof priority === 'number' ? priority : undefined,
    redelivered: message.redelivered === true,
    deliveries: typeof deliveryCount === 'number' ? deliveryCount : 1,
    position: typeof position === 'string' ? position : undefined,
  };
}

export function correlationText(bytes: Buffer): string {
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) && ![...text].some((each) => each < ' ')
    ? text
    : `base64:${bytes.toString('base64')}`;
}

export function correlationBytes(text: string): Buffer {
  return text.startsWith('base64:') ? Buffer.from(text.slice(7), 'base64') : Buffer.from(text);
}
