import type { Limits } from '../../src/ports/limits.ts';
import { checkFields, type JsonObject, kind, quote, RequestError, readHeaderText, readText, shown } from './codec.ts';
import { SUBSCRIBE_FIELDS } from './subscribe.ts';

/** What clients may ask for, and how the conversation begins. */

export const SUBPROTOCOL = 'trimaran.v1';

const CONTENT = [
  'topic',
  'queue',
  'payload',
  'payloadBase64',
  'contentType',
  'headers',
  'messageId',
  'key',
  'priority',
];
const SETTLED = ['subscription', 'delivery', 'deliveries'];

const FIELDS = {
  hello: fields('clientId', 'userName', 'password', 'sessionSeconds'),
  publish: fields(...CONTENT, 'replyTo', 'correlationId', 'expiresAt', 'durable', 'retain', 'delay', 'deliverAt'),
  subscribe: fields(...SUBSCRIBE_FIELDS),
  unsubscribe: fields('subscription'),
  received: fields('position', 'subscription'),
  accept: fields(...SETTLED),
  reject: fields(...SETTLED, 'requeue', 'delay'),
  request: fields(...CONTENT, 'expiresAt', 'timeoutMilliseconds'),
  declare: fields('queue', 'settings'),
  queueStatus: fields('queue'),
  browse: fields('queue', 'after', 'count'),
  purge: fields('queue'),
  deleteQueue: fields('queue', 'ifEmpty', 'ifUnused'),
  groupStatus: fields('group', 'filter'),
  moveGroup: fields('group', 'filter', 'start'),
  ping: fields(),
} as const satisfies Record<string, ReadonlySet<string>>;

export type RequestType = keyof typeof FIELDS;

/** Every request may have an id. */
function fields(...names: string[]): ReadonlySet<string> {
  return new Set(['type', 'id', ...names]);
}

const TYPES = Object.keys(FIELDS).join(', ');

function isRequestType(text: string): text is RequestType {
  return Object.hasOwn(FIELDS, text);
}

/** The type of a request that has no field which this type does not know. */
export function readType(request: JsonObject): RequestType {
  const type = readText(request, 'type');
  if (type === undefined)
    throw new RequestError('fieldInvalid', 'type', `type is missing; one of ${TYPES} is expected`);
  if (!isRequestType(type)) {
    throw new RequestError('unknownType', 'type', `type is ${shown(type)}; one of ${TYPES} is expected`);
  }
  checkFields(request, type, FIELDS[type]);
  return type;
}

export interface Hello {
  readonly clientId: string | undefined;
  readonly userName: string | undefined;
  readonly password: Uint8Array | undefined;
  /** Undefined: what is subscribed to ends with the connection. */
  readonly session: Wanted | undefined;
}

/** A session that outlives its connection. */
export interface Wanted {
  readonly key: string;
  readonly seconds: number;
}

export function readHello(request: JsonObject, limits: Limits): Hello {
  const clientId = readHeaderText(request, 'clientId', limits.clientIdBytes);
  if (clientId === '') {
    throw new RequestError('fieldInvalid', 'clientId', 'clientId is empty; leave it out to be given one');
  }
  const password = readText(request, 'password');
  return {
    clientId,
    userName: readText(request, 'userName'),
    password: password === undefined ? undefined : Buffer.from(password),
    session: readSession(request, clientId, limits),
  };
}

/** Bytes of the longest key that every store takes. */
const KEY_BYTES = 2048;

function readSession(request: JsonObject, clientId: string | undefined, limits: Limits): Wanted | undefined {
  const field = 'sessionSeconds';
  const value = request[field];
  if (value === undefined) return undefined;
  const most = limits.sessionExpirySeconds;
  if (most === 0) {
    const text = `${field}: this server keeps no sessions (limits.sessionExpirySeconds); leave it out`;
    throw new RequestError('unsupported', field, text);
  }
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most) {
    const found = typeof value === 'number' ? `${value}` : kind(value);
    const expected = `seconds, an integer from 1 to ${most} (limits.sessionExpirySeconds), are expected`;
    throw new RequestError('fieldInvalid', field, `${field} is ${found}; ${expected}`);
  }
  if (clientId === undefined) {
    const text = `clientId is missing; with ${field} one of the client's own, by which it finds its session again, is expected`;
    throw new RequestError('fieldInvalid', 'clientId', text);
  }
  const key = `json:${clientId}`;
  if (Buffer.byteLength(key) <= KEY_BYTES) return { key, seconds: value };
  const text = `clientId is too long for a session: at most ${KEY_BYTES - 'json:'.length} bytes are taken with ${field}`;
  throw new RequestError('fieldInvalid', 'clientId', text);
}

/** The fields of the answer to a hello: JSON text, from the comma on. */
export function welcome(clientId: string, limits: Limits): string {
  const told = {
    messageBytes: limits.packetBytes,
    subscriptions: limits.subscriptionsPerSession,
    topicBytes: limits.topicBytes,
    topicLevels: limits.topicLevels,
    headers: limits.userProperties,
    headerBytes: limits.userPropertyBytes,
    requests: limits.requests,
  };
  return `,"protocol":"${SUBPROTOCOL}","clientId":${quote(clientId)},"server":"trimaran","limits":${JSON.stringify(told)}`;
}
