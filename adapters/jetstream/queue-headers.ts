import { topicFault } from '../../src/core/topic.ts';
import { BEGIN, headerValue, isTime, ODD_NAME, plain, safe } from './headers.ts';

/** Header lines that only messages in the stream of the queues have. */

const QUEUED = 'Trimaran-Queued';
/** What can be told to clients at all, whatever the limits are. */
const LONGEST = { topicBytes: 65_535, topicLevels: 65_535 };

/** When a message of a queue was taken in, and its topic, where that is not the queue's own. */
export function queuedLine(timestamp: number, topic: string | undefined): string {
  return `${QUEUED}: ${topic === undefined ? timestamp : `${timestamp} ${safe(topic, ODD_NAME)}`}\r\n`;
}

export interface Queued {
  /** Of the message as it was published. */
  readonly block: string;
  readonly timestamp: number;
  readonly topic: string | undefined;
}

/** Undefined for a message of an application. What follows the line is the server's. */
export function readQueued(block: string): Queued | undefined {
  const at = block.startsWith(BEGIN) ? block.indexOf(`\r\n${QUEUED}: `) : -1;
  if (at === -1) return undefined;
  const start = at + QUEUED.length + 4;
  const [time = '', written] = block.slice(start, block.indexOf('\r\n', start)).split(' ');
  if (!isTime(time)) return undefined;
  const timestamp = Number(time);
  const topic = written === undefined ? undefined : plain(written);
  const odd = topic !== undefined && topicFault(topic, LONGEST) !== undefined;
  return { block: `${block.slice(0, at)}\r\n\r\n`, timestamp, topic: odd ? undefined : topic };
}

const NOTE = 'Trimaran-Note';

/** What is to be known beside the messages. It is the only one of its subject, and is forgotten after so long. */
export function noteLine(text: string, seconds: number): string {
  return `${NOTE}: ${text}\r\nNats-Rollup: sub\r\nNats-TTL: ${seconds}s\r\n`;
}

export function noteOf(block: string): string | undefined {
  return headerValue(block, NOTE);
}

/** The end of the year 9999: times have no more digits. */
const LAST_TIME = 253_402_300_799_000;

/** The server puts the message on that subject at that time (milliseconds since 1970). */
export function scheduleLines(time: number, target: string): string {
  return `Nats-Schedule: @at ${new Date(Math.min(time, LAST_TIME)).toISOString()}\r\nNats-Schedule-Target: ${target}\r\n`;
}
