import type { Properties, ProtocolName, Publisher, Qos, UserProperty } from '../../src/core/message.ts';
import { topicFault } from '../../src/core/topic.ts';
import type { Raw } from './raw.ts';

/**
 * A message's metadata as NATS headers, and back. README.md lists them for applications of NATS. Every message of a
 * broker has `Trimaran: <id> <letters> <client id>` as its first header; there are others only for what it carries.
 *
 * Values are text without line ends; what could break a line or a block, and `%`, is written as `%` and two digits.
 */

const LETTERS: Readonly<Record<ProtocolName, string>> = { mqtt: 'm', stomp: 's', websocket: 'w', native: 'n' };
const PROTOCOLS: Readonly<Record<string, ProtocolName>> = { m: 'mqtt', s: 'stomp', w: 'websocket', n: 'native' };

const LINE = 'Trimaran: ';
export const BEGIN = `NATS/1.0\r\n${LINE}`;
const NAMES = {
  contentType: 'Trimaran-Content-Type',
  responseTopic: 'Trimaran-Response-Topic',
  correlation: 'Trimaran-Correlation',
  expires: 'Trimaran-Expires',
  text: 'Trimaran-Text',
  key: 'Trimaran-Key',
  messageId: 'Trimaran-Message-Id',
  priority: 'Trimaran-Priority',
  deliverAt: 'Trimaran-Deliver-At',
  user: 'Trimaran-User',
} as const;

/** `%` and what is no printable ASCII; a space at either end, which is cut off on the way; and, in names, `=`. */
const ODD = /%|[^\x20-\x7e]|^ | $/u;
export const ODD_NAME = /[%=\x20]|[^\x20-\x7e]/u;

export function safe(text: string, odd = ODD): string {
  if (!odd.test(text)) return text;
  const all = new RegExp(odd.source, 'gu');
  return text.replace(all, (character) => {
    let out = '';
    for (const byte of Buffer.from(character)) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    return out;
  });
}

/** What does not decode was not written by us and stays as it is. */
export function plain(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Headers behind the first, each with its line end; empty for most messages. */
function propertyLines(properties: Properties): string {
  const { contentType, textPayload, responseTopic, correlation, expiresAt, user, key, messageId, priority, deliverAt } =
    properties;
  let lines = '';
  const add = (name: string, value: string): void => {
    lines += `${name}: ${value}\r\n`;
  };
  if (contentType !== undefined) add(NAMES.contentType, safe(contentType));
  if (textPayload !== undefined) add(NAMES.text, textPayload ? '1' : '0');
  if (responseTopic !== undefined) add(NAMES.responseTopic, safe(responseTopic));
  if (correlation !== undefined) add(NAMES.correlation, correlationText(correlation));
  if (expiresAt !== undefined) add(NAMES.expires, String(expiresAt));
  for (const [name, value] of user ?? []) add(NAMES.user, `${safe(name, ODD_NAME)}=${safe(value)}`);
  if (key !== undefined) add(NAMES.key, safe(key));
  if (messageId !== undefined) add(NAMES.messageId, safe(messageId));
  if (priority !== undefined) add(NAMES.priority, String(priority));
  if (deliverAt !== undefined) add(NAMES.deliverAt, String(deliverAt));
  return lines;
}

/** `=` and the text when it is printable, else base64url, which has no `=` in front. */
function correlationText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString('latin1');
  return ODD.test(text) ? buffer.toString('base64url') : `=${text}`;
}

function correlationBytes(text: string): Uint8Array {
  return text.startsWith('=') ? Buffer.from(text.slice(1), 'latin1') : Buffer.from(text, 'base64url');
}

const publishers = new WeakMap<Publisher, string[]>();

/** ` <letters> <client id>` and the line end, remembered per publisher and flags. */
function publisherText(publisher: Publisher, qos: Qos, retain: boolean): string {
  let known = publishers.get(publisher);
  if (known === undefined) {
    known = [];
    publishers.set(publisher, known);
  }
  const flags = qos * 2 + (retain ? 1 : 0);
  let text = known[flags];
  if (text === undefined) {
    text = ` ${LETTERS[publisher.protocol]}${qos}${retain ? 'r' : ''} ${safe(publisher.clientId, ODD_NAME)}\r\n`;
    known[flags] = text;
  }
  return text;
}

/** What is encoded of a message: everything but topic and payload. */
export interface Meta {
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties: Properties | undefined;
  readonly publisher: Publisher;
}

/** The header block, in ASCII. `id` names the message among those of a node, or is `-`; `more` are lines for the server. */
export function headerText(meta: Meta, id: string, more = ''): string {
  const lines = meta.properties === undefined ? '' : propertyLines(meta.properties);
  return `${BEGIN}${id}${publisherText(meta.publisher, meta.qos, meta.retain)}${lines}${more}\r\n`;
}

/** One client publishes many messages: its `Publisher` is the same object for as long as it is remembered. */
const REMEMBERED = 4096;
const known = new Map<string, Meta>();

/** `letters` and client id as in the first header. */
function publisherMeta(text: string): Meta | undefined {
  const found = known.get(text);
  if (found !== undefined) return found;
  const match = /^([mswn])([012])(r?) ([^ ]*)$/.exec(text);
  const protocol = PROTOCOLS[match?.[1] ?? ''];
  if (match === null || protocol === undefined) return undefined;
  const clientId = plain(match[4] ?? '');
  if (!isTellable(clientId)) return undefined;
  const publisher = { clientId, protocol };
  const qos = match[2] === '2' ? 2 : match[2] === '1' ? 1 : 0;
  const meta: Meta = { qos, retain: match[3] === 'r', properties: undefined, publisher };
  if (known.size >= REMEMBERED) known.clear();
  known.set(text, meta);
  return meta;
}

const NATIVE: Publisher = { clientId: '', protocol: 'native' };

/**
 * Reads a header block (none: an empty one). A message without our header is of an application of NATS: `qos` is what
 * it then has, and its own headers are user properties. Headers of the server (`Nats-`) are left out of these.
 */
export function decodeHeaders(block: string, qos: Qos): Meta {
  const first = block.startsWith(BEGIN) ? block.indexOf('\r\n', BEGIN.length) : -1;
  const line = first === -1 ? '' : block.slice(BEGIN.length, first);
  const meta = publisherMeta(line.slice(line.indexOf(' ') + 1));
  if (meta === undefined) {
    const properties = foreignProperties(block);
    return { qos, retain: false, properties, publisher: NATIVE };
  }
  // Only the empty line is left in most.
  if (block.length - first <= 4) return meta;
  const properties = ownProperties(block, first);
  return properties === undefined ? meta : { ...meta, properties };
}

const SERVED = 'Trimaran-Served';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** One that is no time is none. Brokers write no others; applications may write anything. */
function setTime(properties: Writable<Properties>, name: 'expiresAt' | 'deliverAt', value: string): void {
  if (isTime(value)) properties[name] = Number(value);
}

function setTopic(properties: Writable<Properties>, topic: string): void {
  if (topicFault(topic, LONGEST) === undefined) properties.responseTopic = topic;
}

/** Milliseconds since 1970, in digits. */
export function isTime(text: string): boolean {
  return /^[0-9]{1,16}$/.test(text) && Number.isSafeInteger(Number(text));
}

/** Texts that every protocol can carry (MQTT 5.0, 1.5.4). Clients cannot send others; applications of NATS can. */
function isTellable(text: string): boolean {
  return text.length <= 0xffff && !text.includes('\0') && Buffer.byteLength(text) <= 0xffff;
}

const LONGEST = { topicBytes: 0xffff, topicLevels: 0xffff };

function* lines(block: string, from: number): Generator<[name: string, value: string]> {
  let at = from;
  while (at !== -1) {
    const start = at + 2;
    at = block.indexOf('\r\n', start);
    const line = at === -1 ? block.slice(start) : block.slice(start, at);
    const colon = line.indexOf(':');
    if (colon > 0) yield [line.slice(0, colon), line.slice(colon + 1).trim()];
  }
}

function ownProperties(block: string, from: number): Properties | undefined {
  const properties: Writable<Properties> = {};
  const user: UserProperty[] = [];
  let found = false;
  for (const [name, value] of lines(block, from)) {
    if (!name.startsWith('Trimaran-') || name === SERVED) continue;
    const text = plain(value);
    if (!isTellable(text)) continue;
    found = true;
    if (name === NAMES.contentType) properties.contentType = text;
    else if (name === NAMES.text) properties.textPayload = text !== '0';
    else if (name === NAMES.responseTopic) setTopic(properties, text);
    else if (name === NAMES.correlation) properties.correlation = correlationBytes(value);
    else if (name === NAMES.expires) setTime(properties, 'expiresAt', value);
    else if (name === NAMES.key) properties.key = text;
    else if (name === NAMES.messageId) properties.messageId = text;
    else if (name === NAMES.deliverAt) setTime(properties, 'deliverAt', value);
    else if (name === NAMES.priority && /^[0-9]$/.test(value)) properties.priority = Number(value);
    else if (name === NAMES.user) {
      const equals = value.indexOf('=');
      user.push([plain(value.slice(0, equals)), plain(value.slice(equals + 1))]);
    }
  }
  if (user.length > 0) properties.user = user;
  return found ? properties : undefined;
}

/** An application of NATS may use the documented headers for properties, without the first; others are its own. */
function foreignProperties(block: string): Properties | undefined {
  const properties = ownProperties(block, block.indexOf('\r\n'));
  const user: UserProperty[] = [];
  for (const [name, value] of lines(block, block.indexOf('\r\n'))) {
    if (/^(Nats-|Trimaran\b)/i.test(name)) continue;
    const pair = [utf8(name), utf8(value)] as const;
    if (pair.every(isTellable)) user.push(pair);
  }
  if (user.length === 0) return properties;
  return { ...properties, user: [...(properties?.user ?? []), ...user] };
}

/** Blocks are read as latin1, which is fast and right for ours, that are ASCII. */
function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString();
}

/** The value of a header that the server has set. */
export function headerValue(block: string, name: string): string | undefined {
  const at = block.indexOf(`\r\n${name}: `);
  if (at === -1) return undefined;
  const start = at + name.length + 4;
  const end = block.indexOf('\r\n', start);
  return end === -1 ? block.slice(start) : block.slice(start, end);
}

/** The line by which the server knows a repetition; `id` may be any text. */
export function idLine(id: string): string {
  return `Nats-Msg-Id: ${/^[\x21-\x7e]+$/.test(id) ? id : `b64:${Buffer.from(id).toString('base64url')}`}\r\n`;
}

/** The header line that says which shared subscriptions have had a live message; empty for none. */
export function servedLine(served: readonly string[]): string {
  return served.length === 0
    ? ''
    : `${SERVED}: ${served.map((share) => Buffer.from(share).toString('base64url')).join(' ')}\r\n`;
}

export function isServed({ bytes, headerBytes }: Raw, share: string): boolean {
  if (headerBytes === 0) return false;
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes).toString('latin1');
  const line = new RegExp(`^${SERVED}: (.*)\r$`, 'm').exec(block)?.[1];
  return line?.split(' ').includes(Buffer.from(share).toString('base64url')) ?? false;
}
