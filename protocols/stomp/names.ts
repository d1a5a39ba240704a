import { filterFault } from '../../src/core/filter.ts';
import { NameCache, QUEUE_PREFIX, REPLY_PREFIX, type TopicLimits, topicFault } from '../../src/core/topic.ts';
import { escapeHeader } from './escape.ts';
import { Refusal, shown } from './refusal.ts';
import { VERSION, type Version } from './version.ts';

/**
 * Destinations and the broker's names, one to one:
 *
 *     a/b/c         /topic/a.b.c
 *     a//b          /topic/a..b
 *     1.5/x y       /topic/1%2E5.x%20y
 *     $queue/a.b    /queue/a.b
 *     $reply/x      /reply-queue/x
 *
 * In a level, what means something to STOMP or is likely to be trimmed is percent-encoded by the bytes of its UTF-8:
 * `.` `%` `*` `>` `,`, white space and control characters. The name of a queue, or of a
 * topic for answers, is one word, so `.` and `/` stay in it.
 * Also understood, but never written: `/` and `%2F` between levels, and percent-encoding of what need not be.
 */

const TOPIC = '/topic/';
const QUEUE = '/queue/';
const REPLY = '/reply-queue/';
/** `/temp-queue/NAME` and `/temp-topic/NAME`, which mean something on their connection alone. */
const TEMPORARY = /^\/temp-(?:queue|topic)\/./su;

const UNSAFE_IN_LEVEL = /[.%*>,\s\p{Cc}]/gu;
const UNSAFE_IN_WORD = /[%*>,\s\p{Cc}]/gu;

/** The destination of a topic. */
export function destinationOf(topic: string): string {
  if (topic.charCodeAt(0) === 0x24) {
    if (isBelow(topic, QUEUE_PREFIX)) return QUEUE + topic.slice(QUEUE_PREFIX.length).replace(UNSAFE_IN_WORD, encode);
    if (isBelow(topic, REPLY_PREFIX)) return REPLY + topic.slice(REPLY_PREFIX.length).replace(UNSAFE_IN_WORD, encode);
  }
  return TOPIC + topic.replace(UNSAFE_IN_LEVEL, encode).replaceAll('/', '.');
}

function isBelow(name: string, prefix: string): boolean {
  return name.startsWith(prefix) && name.length > prefix.length;
}

/** Whether a destination is a name for this connection alone, which has no topic of its own. */
export function isTemporary(destination: string): boolean {
  return TEMPORARY.test(destination);
}

function encode(character: string): string {
  let text = '';
  for (const byte of Buffer.from(character, 'utf8')) text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return text;
}

/** The topic that a destination names; `header` is where it stands, for the answer. Throws a Refusal. */
export function topicOf(destination: string, header: string, limits: TopicLimits): string {
  const topic = decode(destination, header, false);
  const fault = topicFault(topic, limits);
  if (fault !== undefined) throw invalid(header, destination, `names a topic that ${fault}`, 'topicInvalid');
  return topic;
}

/** The filter, in the internal form, that a destination of SUBSCRIBE names. Throws a Refusal. */
export function filterOf(destination: string, limits: TopicLimits): string {
  const header = 'destination';
  const filter = decode(destination, header, true);
  const queue = filter.startsWith(QUEUE_PREFIX);
  const fault = queue ? topicFault(filter, limits) : filterFault(filter, limits);
  if (fault !== undefined) throw invalid(header, destination, `names a filter that ${fault}`, 'filterInvalid');
  if (queue && !destination.startsWith(QUEUE)) {
    throw invalid(header, destination, 'names a queue as if it were a topic; write /queue/NAME', 'filterInvalid');
  }
  if (destination.startsWith(REPLY)) {
    const what = 'is for answers to someone else; subscribe to /temp-queue/NAME, and send that as reply-to';
    throw invalid(header, destination, what, 'filterInvalid');
  }
  if (filter.startsWith('$') && !queue && filter.split('/', 1)[0] !== '$SYS') {
    throw invalid(header, destination, "begins with $, which is the server's own; $SYS may be read", 'filterInvalid');
  }
  return filter;
}

function decode(destination: string, header: string, wildcards: boolean): string {
  if (isBelow(destination, QUEUE)) {
    return QUEUE_PREFIX + decodeWord(destination.slice(QUEUE.length), destination, header);
  }
  if (isBelow(destination, REPLY)) {
    return REPLY_PREFIX + decodeWord(destination.slice(REPLY.length), destination, header);
  }
  if (!destination.startsWith(TOPIC) || destination.length === TOPIC.length) {
    throw invalid(header, destination, 'is not a destination; /topic/NAME or /queue/NAME is expected', 'topicInvalid');
  }
  const words = destination.slice(TOPIC.length).replace(/%2f/gi, '/').split(/[./]/);
  const levels: string[] = [];
  for (const [i, word] of words.entries()) {
    if (wildcards && word === '*') levels.push('+');
    else if (wildcards && word === '>' && i === words.length - 1) levels.push('+', '#');
    else if (!wildcards || word !== '#') levels.push(decodeWord(word, destination, header));
    // One # stands for any number of levels, and so do several in a row.
    else if (levels.at(-1) !== '#') levels.push('#');
  }
  return levels.join('/');
}

/** A level, or a queue's name: no wildcard of either form may be in it. */
function decodeWord(word: string, destination: string, header: string): string {
  if (word.includes('*') || word.includes('>')) {
    throw invalid(
      header,
      destination,
      'has a wildcard where none can be: * stands alone for one level and > alone for the last ones, on SUBSCRIBE to a topic; the characters themselves are written %2A and %3E',
      'topicInvalid',
    );
  }
  const name = word.includes('%') ? decodePercent(word, destination, header) : word;
  if (name.includes('#') || name.includes('+')) {
    throw invalid(
      header,
      destination,
      'has # or + in a name, where no topic has them: they are wildcards; # stands alone for any levels, on SUBSCRIBE to a topic, and * for one',
      'topicInvalid',
    );
  }
  return name;
}

function decodePercent(word: string, destination: string, header: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    const what = 'has a % without two hexadecimal digits of UTF-8 after it; a percent sign itself is written %25';
    throw invalid(header, destination, what, 'topicInvalid');
  }
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
  readonly #limits: TopicLimits;
  readonly #topics: NameCache;
  readonly #lines = new Map<string, DestinationLine>();

  constructor(limits: TopicLimits) {
    this.#limits = limits;
    this.#topics = new NameCache((bytes) => {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
      return topicOf(text, 'destination', limits);
    });
  }

  /** The topic of the destination in `buffer[start, end)`, valid UTF-8 without escapes. Throws a Refusal. */
  topic(buffer: Buffer, start: number, end: number): string {
    return (
      this.#topics.get(buffer, start, end) ?? topicOf(buffer.toString('utf8', start, end), 'destination', this.#limits)
    );
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
