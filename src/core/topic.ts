import { copyOf } from './bytes.ts';

/** Topic names: validation, and a bounded cache from their bytes to the one string that stands for them. */

export interface TopicLimits {
  /** Bytes of UTF-8. */
  readonly topicBytes: number;
  readonly topicLevels: number;
}

const SLASH = 0x2f;

/** Levels of a name or filter: one more than its slashes. */
export function levels(name: string): number {
  let count = 1;
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) === SLASH) count++;
  return count;
}

/** What makes a string unfit for both names and filters, in words; undefined when nothing does. */
export function nameFault(name: string, limits: TopicLimits): string | undefined {
  if (name.length === 0) return 'is empty; at least one character is needed [MQTT-4.7.3-1]';
  // A string of n UTF-16 units has n to 3n bytes; only in between must they be counted.
  if (
    name.length > limits.topicBytes ||
    (name.length * 3 > limits.topicBytes && Buffer.byteLength(name) > limits.topicBytes)
  ) {
    return `is longer than ${limits.topicBytes} bytes (limits.topicBytes)`;
  }
  if (levels(name) > limits.topicLevels) return `has more than ${limits.topicLevels} levels (limits.topicLevels)`;
  if (name.includes('\0')) return 'contains the null character [MQTT-4.7.3-2]';
  if (!name.isWellFormed()) return 'contains half a surrogate pair';
  return undefined;
}

/** Why `name` is not a topic a message can be published to; undefined when it is one. */
export function topicFault(name: string, limits: TopicLimits): string | undefined {
  const fault = nameFault(name, limits);
  if (fault !== undefined) return fault;
  if (name.includes('+') || name.includes('#'))
    return 'contains a wildcard (+ or #), which only filters may [MQTT-3.3.2-2]';
  return undefined;
}

/** Names that begin with `$` are the server's own: clients read `$SYS`, and write to `$queue`, `$reply` and `$exchange` only. */
export const QUEUE_PREFIX = '$queue/';
/** Topics for answers. Each belongs to one client, which alone may subscribe to it; the rest of the name is unpredictable. */
export const REPLY_PREFIX = '$reply/';
/**
 * Topics for what goes through an exchange of AMQP's by a routing key: `$exchange/NAME/KEY`, or `$exchange/NAME` where the key is
 * empty. They are apart from all others, as messages of one exchange do not come out of another; amq.topic is the topics
 * themselves.
 */
export const EXCHANGE_PREFIX = '$exchange/';
const EXCHANGES = ['amq.direct', 'amq.fanout'].map((name) => EXCHANGE_PREFIX + name);

/**
 * How the names of groups begin that are durable subscriptions, whose members share what is for them: a character that is in no name
 * a client can write.
 */
export const DURABLE_GROUP = '\0';

const SYS = '$SYS';
const SYS_PREFIX = `${SYS}/`;

/** Whether the topic, or every topic that the filter matches, is one by which a broker tells of itself. */
export function isSystem(name: string): boolean {
  return name.charCodeAt(0) === 0x24 && (name.startsWith(SYS_PREFIX) || name === SYS);
}

/** Whether the topic, or every topic that the filter matches, is of an exchange that there is. */
export function isExchange(name: string): boolean {
  if (!name.startsWith(EXCHANGE_PREFIX)) return false;
  return EXCHANGES.some((each) => name.startsWith(each) && (name.length === each.length || name[each.length] === '/'));
}

/** Why a topic or filter below `$exchange` is none; undefined when it is one, or is not below it. */
export function exchangeFault(name: string): string | undefined {
  if (!name.startsWith(EXCHANGE_PREFIX) || isExchange(name)) return undefined;
  return `names no exchange that there is: ${EXCHANGES.join(' and ')} are expected; amq.topic is the topics themselves`;
}

/** Why a client may not publish to this valid topic; undefined when it may. */
export function reservedFault(topic: string): string | undefined {
  if (topic.charCodeAt(0) !== 0x24) return undefined;
  if (topic.startsWith(QUEUE_PREFIX) && topic.length > QUEUE_PREFIX.length) return undefined;
  if (topic.startsWith(REPLY_PREFIX) && topic.length > REPLY_PREFIX.length) return undefined;
  if (topic.startsWith(EXCHANGE_PREFIX)) return exchangeFault(topic);
  return "begins with $, which is the server's own; clients may publish to $queue/NAME and $exchange/NAME/KEY only, and answers to $reply/…";
}

/** 2-way set-associative; more sets than hot topics make misses rare, and a crafted collision costs one decode. */
const SETS = 4096;

interface CachedName {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/**
 * From the bytes of a topic name to its string, without decoding the bytes again: a publisher uses few topics, and
 * the same string object makes every later map lookup cheap. Bounded: 8,192 names, each at most `maxBytes` long.
 */
export class NameCache {
  readonly #entries: (CachedName | undefined)[] = new Array<CachedName | undefined>(SETS * 2);
  readonly #maxBytes: number;
  readonly #decode: (bytes: Uint8Array) => string | undefined;

  /** `decode` validates as well: what it returns undefined for is never cached. */
  constructor(decode: (bytes: Uint8Array) => string | undefined, maxBytes = 256) {
    this.#decode = decode;
    this.#maxBytes = maxBytes;
  }

  get(data: Uint8Array, start: number, end: number): string | undefined {
    const length = end - start;
    let hash = length;
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (data[i] ?? 0)) | 0;
    const slot = ((hash ^ (hash >>> 12)) & (SETS - 1)) << 1;
    const first = this.#entries[slot];
    if (first !== undefined && same(first.bytes, data, start, length)) return first.text;
    const second = this.#entries[slot + 1];
    if (second !== undefined && same(second.bytes, data, start, length)) return second.text;
    const bytes = copyOf(data, start, end);
    const text = this.#decode(bytes);
    if (text !== undefined && length <= this.#maxBytes) {
      this.#entries[slot + 1] = first;
      this.#entries[slot] = { bytes, text };
    }
    return text;
  }
}

function same(a: Uint8Array, data: Uint8Array, start: number, length: number): boolean {
  if (a.length !== length) return false;
  for (let i = 0; i < length; i++) if (a[i] !== data[start + i]) return false;
  return true;
}
