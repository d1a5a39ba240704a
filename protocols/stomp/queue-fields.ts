import type { Properties } from '../../src/core/message.ts';
import {
  contradiction,
  DEFAULT_SETTINGS,
  type PartialSettings,
  SETTING_PREFIX,
  settingsOfHeaders,
} from '../../src/core/queue-settings.ts';
import { QUEUE_PREFIX } from '../../src/core/topic.ts';
import { settingsRefusal } from '../../src/ports/rights.ts';
import type { Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { type QueuePlace, readArguments } from './queue-arguments.ts';
import { Refusal } from './refusal.ts';
import { LONGEST_DELAY, wrong } from './values.ts';
import { HEADER, HEADER_NAMES, type HeaderId } from './words.ts';

/** What queues go by: headers of a SEND, and settings of a queue in headers of SEND and SUBSCRIBE. */

/** The highest priority there is in a queue. RabbitMQ's, which has more of them, takes what is above its own for that, too. */
export const HIGHEST = 9;
const MOST_PRIORITY = 255;

type Fields = { -readonly [K in 'priority' | 'deliverAt' | 'key']?: Properties[K] };

/**
 * Sets what the headers say. To a queue (`strict`), a value that is not one is refused; to a topic, whose messages may come
 * into queues by bindings, it is an application's own header and means nothing here.
 */
export function readQueueFields(frame: Frame, now: number, strict: boolean, fields: Fields): void {
  const levels = `a whole number from 0 to ${MOST_PRIORITY}, where those above ${HIGHEST} are as high as that`;
  const priority = read(frame, HEADER.priority, strict, /^[0-9]{1,3}$/, MOST_PRIORITY, levels);
  if (priority !== undefined) fields.priority = Math.min(priority, HIGHEST);
  const wait = `a whole number from 0 to ${LONGEST_DELAY} (milliseconds from now)`;
  const delay = read(frame, HEADER.delay, strict, /^[0-9]{1,11}$/, LONGEST_DELAY, wait) ?? 0;
  const time = 'a time in milliseconds since 1970, in digits,';
  const deliverAt = read(frame, HEADER.deliverAt, strict, /^[0-9]{1,15}$/, Number.MAX_SAFE_INTEGER, time) ?? 0;
  // Not before either of them.
  const due = Math.max(now + delay, deliverAt);
  if (due > now) fields.deliverAt = due;
  const key = frame.text(HEADER.key);
  if (key !== undefined && key !== '') fields.key = key;
  else if (key !== undefined && strict) throw wrong({ name: 'key', text: key }, 'SEND', 'at least one character');
}

function read(
  frame: Frame,
  header: HeaderId,
  strict: boolean,
  form: RegExp,
  max: number,
  allowed: string,
): number | undefined {
  const text = frame.text(header);
  if (text === undefined) return undefined;
  if (form.test(text) && Number(text) <= max) return Number(text);
  if (strict) throw wrong({ name: HEADER_NAMES[header] ?? '', text }, 'SEND', allowed);
  return undefined;
}

/** The name of the queue that a topic stands for; undefined for topics that are none. */
export function queueOf(topic: string): string | undefined {
  return topic.charCodeAt(0) === 0x24 && topic.startsWith(QUEUE_PREFIX) ? topic.slice(QUEUE_PREFIX.length) : undefined;
}

/** What the headers set a queue to, by our names and by RabbitMQ's; undefined when they say nothing of it. */
export function readSettings(frame: Frame, place: QueuePlace): PartialSettings | undefined {
  // All settings are headers without an id.
  if (!frame.others) return undefined;
  const own = readOwn(frame);
  const foreign = readArguments(frame, place);
  if (own === undefined || foreign === undefined) return own ?? foreign;
  const { overflow: _, ...others } = foreign;
  const contradicted = contradiction({ ...DEFAULT_SETTINGS, ...own, ...others }, own);
  if (contradicted === undefined) return { ...foreign, ...own };
  const detail = `headers of ${place.command} contradict each other: ${contradicted}`;
  throw new Refusal('fieldInvalid', detail, "Set it by RabbitMQ's name (x-…) or by ours (queue-…).");
}

function readOwn(frame: Frame): PartialSettings | undefined {
  const given: (readonly [string, string])[] = [];
  for (let i = 0; i < frame.count; i++) {
    if (isSetting(frame, i)) given.push([frame.name(i), frame.value(i)]);
  }
  return given.length === 0 ? undefined : settingsOfHeaders(given);
}

const INITIAL = SETTING_PREFIX.charCodeAt(0);

/** Whether header `index` is named as settings are. */
export function isSetting(frame: Frame, index: number): boolean {
  return frame.knownAt(index) < 0 && frame.initial(index) === INITIAL && frame.name(index).startsWith(SETTING_PREFIX);
}

/** Throws a Refusal for settings that reach further than the client may. */
export function requireSettings(settings: PartialSettings | undefined, { services, principal }: Link): void {
  const refusal = settings && settingsRefusal(services.authorizer, principal, settings);
  if (refusal !== undefined) throw new Refusal('notAuthorized', `the settings of the queue, ${refusal}`);
}
