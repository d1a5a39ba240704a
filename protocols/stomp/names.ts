import { filterFault } from '../../src/core/filter.ts';
import {
  EXCHANGE_PREFIX,
  isExchange,
  NameCache,
  QUEUE_PREFIX,
  REPLY_PREFIX,
  type TopicLimits,
  topicFault,
} from '../../src/core/topic.ts';
import { escapeHeader } from './escape.ts';
import { decodePercent, encodePercent } from './percent.ts';
import { Refusal, shown } from './refusal.ts';
import { VERSION, type Version } from './version.ts';

/**
 * Destinations and the broker's names, one to one:
 *
 *     a/b/c                      /topic/a.b.c
 *     a//b                       /topic/a..b
 *     1.5/x y                    /topic/1%2E5.x y
 *     $queue/a.b                 /queue/a.b
 *     $queue/a/b                 /queue/a%2Fb
 *     $reply/x                   /reply-queue/x
 *     $exchange/amq.direct/k     /exchange/amq.direct/k
 *     $exchange/amq.fanout       /exchange/amq.fanout
 *
 * In a level, what means something to STOMP or is likely to be trimmed is percent-encoded by the bytes of its UTF-8:
 * `.` `%` `*` `>` `,`, control characters, and white space, of which blanks only at the end. The name of a queue and the key of
 * an exchange are one word: `.` stays in it, and `/` is encoded, as in RabbitMQ. So it is with the name of a topic for answers, in
 * which `/` stays.
 * Also understood, but never written: `/` and `%2F` between levels, `/` in the name of a queue, percent-encoding of what
 * need not be, a name alone and `/amq/queue/NAME` for a queue, `/exchange/amq.topic/…` for `/topic/…`.
 */

const TOPIC = '/topic/';
const QUEUE = '/queue/';
const REPLY = '/reply-queue/';
const EXCHANGE = '/exchange/';
/** A queue that must be there. */
export const AMQ_QUEUE = '/amq/queue/';
export const TEMPORARY_QUEUE = '/temp-queue/';
/** `/temp-queue/NAME` and `/temp-topic/NAME`, which mean something on their connection alone. */
const TEMPORARY = /^\/temp-(?:queue|topic)\/[^,]+$/su;

/** A blank stays, as in RabbitMQ and ActiveMQ, but at the end, where clients of 1.0 trim. */
const UNSAFE_IN_LEVEL = /[.%*>,\p{Cc}]|(?! )\s| $/gu;
const UNSAFE_IN_WORD = /[/%*>,\p{Cc}]|(?! )\s| $/gu;
const UNSAFE_IN_REPLY = /[%*>,\p{Cc}]|(?! )\s| $/gu;

/** Between destinations where there are several, as in ActiveMQ. */
export const COMMA = ',';

const FORMS =
  'is not a destination; /topic/NAME, /queue/NAME, /amq/queue/NAME, /exchange/NAME/KEY, /reply-queue/NAME, /temp-queue/NAME, /temp-topic/NAME or the name of a queue alone is expected';

const BEGINNING = /^\/(?:topic|queue|amq\/queue|exchange|reply-queue|temp-queue|temp-topic)(?:\/|$)/;

/** The destination of a topic. */
export function destinationOf(topic: string): string {
  return (
    (topic.charCodeAt(0) === 0x24 ? ownDestinationOf(topic) : undefined) ??
    TOPIC + topic.replace(UNSAFE_IN_LEVEL, encodePercent).replaceAll('/', '.')
  );
}

/** Of a topic that has a destination of another kind. */
function ownDestinationOf(topic: string): string | undefined {
  if (isBelow(topic, QUEUE_PREFIX)) {
    return QUEUE + topic.slice(QUEUE_PREFIX.length).replace(UNSAFE_IN_WORD, encodePercent);
  }
  if (isBelow(topic, REPLY_PREFIX)) {
    return REPLY + topic.slice(REPLY_PREFIX.length).replace(UNSAFE_IN_REPLY, encodePercent);
  }
  if (!isExchange(topic)) return undefined;
  const [, exchange = '', ...words] = topic.split('/');
  if (words.length === 0) return EXCHANGE + exchange;
  const key = words.join('/').replace(UNSAFE_IN_WORD, encodePercent);
  // RabbitMQ has one empty key: /exchange/NAME/ is /exchange/NAME.
  return key === '' ? undefined : `${EXCHANGE}${exchange}/${key}`;
}

function isBelow(name: string, prefix: string): boolean {
  return name.startsWith(prefix) && name.length > prefix.length;
}

/** Whether a destination is a name for this connection alone, which has no topic of its own. */
export function isTemporary(destination: string): boolean {
  return TEMPORARY.test(destination);
}

/**
 * Whether a destination is a queue's whose name has slashes as they are. RabbitMQ knows none; from ActiveMQ such a name comes back as it
 * was written, and there are clients that find their subscription by it.
 */
export function isPath(destination: string): boolean {
  return destination.startsWith(QUEUE) && destination.includes('/', QUEUE.length + 1);
}

/** The topic that a destination names; `header` is where it stands, for the answer. Throws a Refusal. */
export function topicOf(destination: string, header: string, limits: TopicLimits): string {
  const topic = new Reading(destination, header).topic();
  const fault = topicFault(topic, limits);
  if (fault !== undefined) throw invalid(header, destination, `names a topic that ${fault}`, 'topicInvalid');
  return topic;
}

/** The filter, in the internal form, that a destination of SUBSCRIBE names. Throws a Refusal. */
export function filterOf(destination: string, limits: TopicLimits): string {
  const reading = new Reading(destination, 'destination');
  const filter = reading.filter();
  const fault = reading.kind === 'queue' ? topicFault(filter, limits) : filterFault(filter, limits);
  if (fault !== undefined) throw reading.invalid(`names a filter that ${fault}`, 'filterInvalid');
  if (reading.kind === 'reply') {
    const what = 'is for answers to someone else; subscribe to /temp-queue/NAME, and send that as reply-to';
    throw reading.invalid(what, 'filterInvalid');
  }
  if (reading.kind !== 'topic' || !filter.startsWith('$')) return filter;
  if (filter.startsWith(QUEUE_PREFIX)) {
    throw reading.invalid('names a queue as if it were a topic; write /queue/NAME', 'filterInvalid');
  }
  if (filter.startsWith(EXCHANGE_PREFIX)) {
    throw reading.invalid('names an exchange as if it were a topic; write /exchange/NAME/KEY', 'filterInvalid');
  }
  if (filter.split('/', 1)[0] !== '$SYS') {
    throw reading.invalid("begins with $, which is the server's own; $SYS may be read", 'filterInvalid');
  }
  return filter;
}

const TOPIC_EXCHANGE = 'amq.topic';
/** Of which a subscriber gets all, whatever the key. */
const FANOUT_EXCHANGE = 'amq.fanout';

/** A destination on its way to the broker's name. Throws a Refusal. */
class Reading {
  readonly kind: 'topic' | 'queue' | 'reply' | 'exchange';
  readonly #destination: string;
  readonly #header: string;
  /** What comes after the form's beginning. */
  readonly #name: string;
  readonly #exchange: string = '';

  constructor(destination: string, header: string) {
    this.#destination = destination;
    this.#header = header;
    if (destination.includes(COMMA)) {
      throw this.invalid(
        'has a comma, which parts several destinations, where one is expected; as a character it is %2C',
      );
    }
    const after = (prefix: string): string => destination.slice(prefix.length);
    if (isBelow(destination, TOPIC)) [this.kind, this.#name] = ['topic', after(TOPIC)];
    else if (isBelow(destination, QUEUE)) [this.kind, this.#name] = ['queue', after(QUEUE)];
    else if (isBelow(destination, AMQ_QUEUE)) [this.kind, this.#name] = ['queue', after(AMQ_QUEUE)];
    else if (isBelow(destination, REPLY)) [this.kind, this.#name] = ['reply', after(REPLY)];
    else if (isBelow(destination, EXCHANGE)) {
      const rest = after(EXCHANGE);
      const slash = rest.indexOf('/');
      this.#exchange = this.#decode(slash === -1 ? rest : rest.slice(0, slash));
      this.#name = slash === -1 ? '' : rest.slice(slash + 1);
      this.kind = this.#exchange === TOPIC_EXCHANGE ? 'topic' : 'exchange';
      if (this.kind === 'exchange') this.#checkExchange();
      else if (this.#name === '') throw this.invalid('has no key; /exchange/amq.topic/KEY is expected');
    } else if (destination !== '' && !destination.includes('/')) [this.kind, this.#name] = ['queue', destination];
    else throw unknown(destination, header);
  }

  #checkExchange(): void {
    // What can name no exchange is told from what names none that there is.
    if (this.#exchange === '') throw this.invalid('names no exchange; /exchange/NAME/KEY is expected');
    if (this.#name.includes('/')) throw this.invalid('has a / in its key, which is one word: write %2F');
    // A / that was encoded would make a key of what stands behind it, in which wildcards are not looked for.
    if (this.#exchange.includes('/') || !isExchange(EXCHANGE_PREFIX + this.#exchange)) {
      const detail = `the header ${this.#header} ${shown(this.#destination)} names the exchange ${shown(this.#exchange)}, which there is not`;
      throw new Refusal('notFound', detail, 'There are amq.direct, amq.fanout and amq.topic.');
    }
  }

  topic(): string {
    return this.kind === 'topic' ? this.#levels(false) : this.#word();
  }

  filter(): string {
    if (this.kind === 'topic') return this.#levels(true);
    const word = this.#word();
    return this.kind === 'exchange' && this.#exchange === FANOUT_EXCHANGE
      ? `${EXCHANGE_PREFIX}${FANOUT_EXCHANGE}/#`
      : word;
  }

  #word(): string {
    const name = this.#decodeName(this.#name);
    if (this.kind === 'queue') return QUEUE_PREFIX + name;
    if (this.kind === 'reply') return REPLY_PREFIX + name;
    return EXCHANGE_PREFIX + (name === '' ? this.#exchange : `${this.#exchange}/${name}`);
  }

  #levels(wildcards: boolean): string {
    const words = this.#name.replace(/%2f/gi, '/').split(/[./]/);
    const levels: string[] = [];
    for (const [i, word] of words.entries()) {
      if (wildcards && word === '*') levels.push('+');
      else if (!wildcards || !anyLevels(word, i === words.length - 1)) levels.push(this.#decodeName(word));
      // One stands for any number of levels, and so do several in a row.
      else if (levels.at(-1) !== '#') levels.push('#');
    }
    return levels.join('/');
  }

  /** A level, or a name of one word: no wildcard of either form may be in it. */
  #decodeName(word: string): string {
    if (word.includes('*') || word.includes('>')) {
      throw this.invalid(
        this.kind === 'topic'
          ? 'has a wildcard where none can be: * stands alone for one level and > alone for the last ones, on SUBSCRIBE to a topic; the characters themselves are written %2A and %3E'
          : 'has a wildcard, which only topics have: what is meant is named by itself, several with commas between them; the characters themselves are written %2A and %3E',
      );
    }
    const name = this.#decode(word);
    if (name.includes('#') || name.includes('+')) {
      throw this.invalid(
        'has # or + in a name, where no topic has them: they are wildcards; # stands alone for any levels, on SUBSCRIBE to a topic, and * for one',
      );
    }
    return name;
  }

  #decode(word: string): string {
    const name = decodePercent(word);
    if (name !== undefined) return name;
    throw this.invalid(
      'has a % without two hexadecimal digits of UTF-8 after it; a percent sign itself is written %25',
    );
  }

  invalid(what: string, code: 'topicInvalid' | 'filterInvalid' = 'topicInvalid'): Refusal {
    return invalid(this.#header, this.#destination, what, code);
  }
}

/** Whether a word stands for any number of levels, none among them: RabbitMQ's #, and ActiveMQ's > at the end. */
function anyLevels(word: string, last: boolean): boolean {
  return word === '#' || (last && word === '>');
}

/** With a beginning that is none of the forms', and none of them by half. */
function unknown(destination: string, header: string): Refusal {
  const known = destination === '' || BEGINNING.test(destination);
  // Where ActiveMQ shows a client another one's temporary destination.
  const advice = destination.startsWith('/remote-temp-') ? 'Answer to what reply-to says: /reply-queue/NAME.' : '';
  return known
    ? invalid(header, destination, FORMS, 'topicInvalid')
    : new Refusal('topicInvalid', `the header ${header} ${shown(destination)} ${FORMS}`, advice, 'Unknown destination');
}

function invalid(header: string, destination: string, what: string, code: 'topicInvalid' | 'filterInvalid'): Refusal {
  return new Refusal(code, `the header ${header} ${shown(destination)} ${what}`);
}

/** What every MESSAGE of a topic has in it, as bytes. */
interface DestinationLine {
  /** `destination:…\n` for 1.0, and with escapes for 1.1 and 1.2. */
  readonly plain: Buffer;
  readonly escaped: Buffer;
}

/** Topics whose destination is remembered; past it all are forgotten, which costs one encoding each. */
const REMEMBERED = 16_384;

/** Names already converted, both ways, for all connections of a broker. */
export class Names {
  readonly #topics: NameCache;
  readonly #lines = new Map<string, DestinationLine>();

  constructor(limits: TopicLimits) {
    this.#topics = new NameCache((bytes) => {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
      return text.includes(COMMA) ? undefined : topicOf(text, 'destination', limits);
    });
  }

  /**
   * The topic of the destination in `buffer[start, end)`, valid UTF-8 without escapes; undefined where there are several with
   * commas. Throws a Refusal.
   */
  topic(buffer: Buffer, start: number, end: number): string | undefined {
    return this.#topics.get(buffer, start, end);
  }

  /** The line `destination:…` of a MESSAGE. */
  line(topic: string, version: Version): Buffer {
    const line = this.#lines.get(topic) ?? this.#remember(topic);
    return version === VERSION.v10 ? line.plain : line.escaped;
  }

  #remember(topic: string): DestinationLine {
    const destination = destinationOf(topic);
    // Control characters, which some versions cannot express, are percent-encoded.
    const escaped = escapeHeader(destination, VERSION.v12, 'value') ?? destination;
    const plain = Buffer.from(`destination:${destination}\n`);
    const line = { plain, escaped: escaped === destination ? plain : Buffer.from(`destination:${escaped}\n`) };
    if (this.#lines.size >= REMEMBERED) this.#lines.clear();
    this.#lines.set(topic, line);
    return line;
  }
}
