import type { Properties } from '../../src/core/message.ts';
import { Refusal, shown } from './refusal.ts';
import { LONGEST_DELAY, wrong } from './values.ts';

/** Headers of SEND by which ActiveMQ's clients schedule messages and group them: properties of JMS, and of its scheduler. */

export type JmsFields = { -readonly [K in 'priority' | 'deliverAt' | 'key']?: Properties[K] };

const SCHEDULE = 'AMQ_SCHEDULE';
const DELAY = 'AMQ_SCHEDULED_DELAY';
/** To repeat nothing, or at no interval, is to send once. */
const REPEATING: ReadonlySet<string> = new Set(['AMQ_SCHEDULED_PERIOD', 'AMQ_SCHEDULED_REPEAT']);
const GROUP = 'JMSXGroupID';

/** JMS's own fields, which ActiveMQ takes from headers of that name, too: they have names in STOMP. */
const FIELDS: ReadonlyMap<string, string> = new Map([
  ['JMSCorrelationID', 'correlation-id'],
  ['JMSExpiration', 'expires'],
  ['JMSPriority', 'priority'],
  ['JMSReplyTo', 'reply-to'],
  ['JMSType', 'type'],
]);

/** Whether it begins as one of them does: all others pass quickly. */
export function mayBeJms(name: string): boolean {
  const first = name.charCodeAt(0);
  return (first === 0x41 && name.startsWith(SCHEDULE)) || (first === 0x4a && name.startsWith('JMS'));
}

/** True when the header has been dealt with, and does not go on with the message. Throws a Refusal. */
export function readJms(name: string, text: string, queue: boolean, now: number, fields: JmsFields): boolean {
  if (name.startsWith(SCHEDULE)) {
    readSchedule(name, text, queue, now, fields);
    return true;
  }
  const instead = FIELDS.get(name);
  if (instead !== undefined) {
    throw new Refusal('unsupported', `the header ${name} of SEND is a field of JMS`, `In STOMP it is ${instead}.`);
  }
  // Its members see it, and the broker keeps them together.
  if (name === GROUP && text !== '') fields.key ??= text;
  return false;
}

function readSchedule(name: string, text: string, queue: boolean, now: number, fields: JmsFields): void {
  if (REPEATING.has(name) && text === '0') return;
  if (name !== DELAY) {
    throw new Refusal(
      'unsupported',
      `the header ${name} of SEND is ${shown(text)}: a message is delivered once, at one time`,
      `Of ActiveMQ's scheduler there is ${DELAY}.`,
    );
  }
  const delay = /^[0-9]{1,11}$/.test(text) ? Number(text) : Number.NaN;
  if (!(delay <= LONGEST_DELAY)) {
    throw wrong({ name, text }, 'SEND', `a whole number from 0 to ${LONGEST_DELAY} (milliseconds from now)`);
  }
  if (delay === 0) return;
  if (!queue) {
    const detail = `the header ${name} of SEND is for queues: subscribers of a topic get its messages at once`;
    throw new Refusal('unsupported', detail, 'Send it to /queue/NAME, or leave it out.');
  }
  // Not before any of the times that are there.
  fields.deliverAt = Math.max(fields.deliverAt ?? 0, now + delay);
}
