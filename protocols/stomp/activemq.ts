import type { Frame } from './frame.ts';
import { Refusal, shown } from './refusal.ts';
import { findFirst, parseFlag, readWhole, wrong } from './values.ts';
import { NAMES } from './words.ts';

/** ActiveMQ's headers of SUBSCRIBE: `activemq.` and a property of its ConsumerInfo. */

const PREFIX = 'activemq.';
const COMMAND = 'SUBSCRIBE';

/** Read where their meaning is; with `false` they ask for nothing. */
const UNDERSTOOD: ReadonlySet<string> = new Set<string>(
  [...NAMES.prefetch, ...NAMES.locksOut, ...NAMES.noLocal, ...NAMES.consumerPriority, ...NAMES.subscriptionName].filter(
    (name) => name.startsWith(PREFIX),
  ),
);

/** What to do in place of what is not offered; all others are listed. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  [
    'activemq.retroactive',
    'The header start says from where on a subscription to a topic reads: start:last 1, start:first.',
  ],
  [
    'activemq.maximumPendingMessageLimit',
    'What waits for a slow subscriber is bounded by limits.outboxMessages; leave it out.',
  ],
  ['activemq.selector', 'The header selector is meant.'],
  ['activemq.browser', 'The header browser is meant.'],
  ['activemq.optimizedAcknowledge', 'Acknowledge several messages by one ACK: ack:client.'],
]);

/**
 * By these ActiveMQ shows objects and maps of Java as XML or JSON, and leaves texts and bytes as they are, which is all that
 * there is here. Its client for .NET asks for `jms-xml` with each SUBSCRIBE; stomp-php asks for `jms-map-json` and sends it with its
 * maps, which are JSON already.
 */
const TRANSFORMATIONS: ReadonlySet<string> = new Set([
  'jms-xml',
  'jms-json',
  'jms-map-xml',
  'jms-map-json',
  'jms-object-xml',
  'jms-object-json',
]);

/** Options of a consumer behind a destination (`/queue/a?consumer.prefetchSize=1`). */
const OPTIONS = /\?consumer\./;

/** Throws a Refusal for what is not understood. */
export function checkActiveMq(frame: Frame, destination: string): void {
  if (OPTIONS.test(destination)) {
    const detail = `the header destination ${shown(destination)} of ${COMMAND} has options, which are none here`;
    throw new Refusal('unsupported', detail, 'Write them as headers, such as activemq.prefetchSize.');
  }
  if (!frame.others) return;
  for (let i = 0; i < frame.count; i++) {
    if (frame.knownAt(i) >= 0) continue;
    const name = frame.name(i);
    if (name === 'transformation') checkTransformation(frame.value(i));
    if (name.startsWith(PREFIX) && !UNDERSTOOD.has(name)) checkOther(name, frame.value(i));
  }
}

function checkOther(name: string, text: string): void {
  if (name === 'activemq.dispatchAsync') {
    // No consumer waits for another one's dispatch, as with every STOMP consumer of ActiveMQ.
    if (parseFlag(text) === undefined) throw wrong({ name, text }, COMMAND, 'true or false');
    return;
  }
  // 0: as the server has it.
  if (parseFlag(text) === false || (name === 'activemq.maximumPendingMessageLimit' && text === '0')) return;
  throw new Refusal(
    'unsupported',
    `the header ${name} of ${COMMAND} is ${shown(text)}, and asks for what is not offered`,
    INSTEAD.get(name) ?? `There are ${[...UNDERSTOOD, 'activemq.dispatchAsync'].sort().join(', ')}; leave it out.`,
  );
}

function checkTransformation(text: string): void {
  if (TRANSFORMATIONS.has(text)) return;
  const detail = `the header transformation of ${COMMAND} is ${shown(text)}: bodies are delivered as they were sent`;
  throw new Refusal('unsupported', detail, 'Leave it out.');
}

/** ActiveMQ's is a byte, of which its documentation recommends 0 to 127. */
export function readConsumerPriority(frame: Frame): number | undefined {
  const name = findFirst(frame, NAMES.consumerPriority)?.name;
  const range = name?.startsWith(PREFIX) ? { min: -128, max: 127, unit: '' } : { min: -100, max: 100, unit: '' };
  return readWhole(frame, NAMES.consumerPriority, COMMAND, range);
}

/** To ActiveMQ, a prefetch of 0 says that the consumer asks for each message. */
export function requirePush(frame: Frame): void {
  const found = findFirst(frame, NAMES.prefetch);
  if (found?.name.startsWith(PREFIX) !== true) return;
  const detail = `the header ${found.name} of ${COMMAND} is 0: the consumer would have to ask for each message, which STOMP has no frame for`;
  throw new Refusal(
    'unsupported',
    detail,
    'Write 1 for one message at a time, or prefetch-count:0 for as many as can be had.',
  );
}
