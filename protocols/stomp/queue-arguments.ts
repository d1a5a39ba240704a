import type { PartialSettings } from '../../src/core/queue-settings.ts';
import { EXCHANGE_PREFIX, type TopicLimits } from '../../src/core/topic.ts';
import type { Frame } from './frame.ts';
import { topicOf } from './names.ts';
import { Refusal, shown } from './refusal.ts';
import { parseFlag, wrong } from './values.ts';

/**
 * RabbitMQ's properties of queues, as its STOMP plugin takes them from headers of SUBSCRIBE and SEND, understood as settings.
 * On SEND, where an application may have headers of its own, only those that are listed mean something.
 */

type Command = 'SUBSCRIBE' | 'SEND';

export interface QueuePlace {
  readonly command: Command;
  /** The queue's name: the routing key of what was sent to it. */
  readonly queue: string;
  readonly limits: TopicLimits;
}

const YEAR = 366 * 86_400_000;

/** What one header says of the queue. */
type Reader = (text: string, name: string, place: QueuePlace) => PartialSettings;

const NOTHING: PartialSettings = {};
const EXCHANGE = 'x-dead-letter-exchange';
const ROUTING_KEY = 'x-dead-letter-routing-key';
const OVERFLOW = 'x-overflow';
const QUEUE_TYPE = 'x-queue-type';

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  // 0 would mean to RabbitMQ that nothing is kept, or is refused there, and to us that there is no bound.
  ['x-message-ttl', whole(1, YEAR, 'milliseconds', (messageMilliseconds) => ({ messageMilliseconds }))],
  ['x-expires', whole(1, YEAR, 'milliseconds', (expiryMilliseconds) => ({ expiryMilliseconds }))],
  ['x-max-length', whole(1, 1_000_000_000, 'messages', (maxMessages) => ({ maxMessages }))],
  ['x-max-length-bytes', whole(1, 2 ** 49, 'bytes', (maxBytes) => ({ maxBytes }))],
  ['x-max-priority', whole(0, 9, 'priorities are 0 to 9', (maxPriority) => ({ maxPriority }))],
  // Deliveries that failed: the first one is not counted (rabbit_fifo). -1: no limit.
  ['x-delivery-limit', whole(-1, 999_999, 'redeliveries; -1: no limit', (limit) => ({ maxDeliveries: limit + 1 }))],
  ['x-consumer-timeout', whole(1, YEAR, 'milliseconds', (ackMilliseconds) => ({ ackMilliseconds }))],
  ['x-single-active-consumer', flag((singleActiveConsumer) => ({ singleActiveConsumer }))],
  ['auto-delete', flag((autoDelete) => ({ autoDelete }))],
  // All queues are durable: who asks for less gets more.
  ['durable', flag(() => NOTHING)],
  [OVERFLOW, oneOf(['drop-head', 'reject-publish'])],
  // A queue is what both are: on disk, and with as many copies as the backbone keeps.
  [QUEUE_TYPE, oneOf(['classic', 'quorum'])],
  // What waits is on disk anyway.
  ['x-queue-mode', oneOf(['default', 'lazy'])],
  ['x-queue-version', oneOf(['1', '2'])],
  // A dead letter is removed only when it is durable elsewhere.
  ['x-dead-letter-strategy', oneOf(['at-most-once', 'at-least-once'])],
  [EXCHANGE, () => NOTHING],
  [ROUTING_KEY, () => NOTHING],
]);

const STREAM = 'It is for streams. SUBSCRIBE to a topic with the header start reads what its log keeps.';
const PLACE = 'Where a queue is kept, and how often, the backbone says (backbone.nats.replicas); leave it out.';
const MEMORY = 'What waits is on disk, and in memory within limits.queueMemoryBytes; leave it out.';

/** RabbitMQ's plugin acts on these on SEND, too. */
const OF_STREAMS = ['x-max-age', 'x-stream-max-segment-size-bytes'];

/** What is refused, and what to do instead. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ...advise(STREAM, OF_STREAMS),
  ...advise(STREAM, ['x-stream-offset', 'x-stream-filter', 'x-stream-match-unfiltered', 'x-stream-filter-size-bytes']),
  ...advise(PLACE, ['x-ha-policy', 'x-queue-master-locator', 'x-queue-leader-locator', 'x-initial-cluster-size']),
  ...advise(PLACE, ['x-quorum-initial-group-size', 'x-quorum-target-group-size']),
  ...advise(MEMORY, ['x-max-in-memory-length', 'x-max-in-memory-bytes']),
]);

function advise(advice: string, names: readonly string[]): [name: string, advice: string][] {
  return names.map((name) => [name, advice]);
}

/** Headers of SUBSCRIBE beginning with `x-` that are read elsewhere. */
const ELSEWHERE: ReadonlySet<string> = new Set(['x-queue-name', 'x-priority']);

/** Whether a header is one of RabbitMQ's for queues, also one that is not understood. */
function isArgument(name: string, command: Command): boolean {
  if (command === 'SUBSCRIBE') return (name.startsWith('x-') && !ELSEWHERE.has(name)) || READERS.has(name);
  return READERS.has(name) || OF_STREAMS.includes(name) || name === 'exclusive';
}

/** `x-…`, `auto-delete`, `durable`, `exclusive`: how they begin. Most headers of an application do not. */
const INITIALS: ReadonlySet<number> = new Set(Buffer.from('xade'));

/** What these headers set a queue to; undefined where they set nothing. Throws a Refusal that names the header. */
export function readArguments(frame: Frame, place: QueuePlace): PartialSettings | undefined {
  if (!frame.others) return undefined;
  const given = new Map<string, string>();
  for (let i = 0; i < frame.count; i++) {
    if (frame.knownAt(i) >= 0 || !INITIALS.has(frame.initial(i))) continue;
    const name = frame.name(i);
    // The first of a repeated header counts. RabbitMQ's plugin trims the values.
    if (isArgument(name, place.command) && !given.has(name)) given.set(name, frame.value(i).trim());
  }
  if (given.size === 0) return undefined;
  let settings: PartialSettings = {};
  for (const [name, text] of given) settings = { ...settings, ...understand(name, text, place) };
  const deadLetters = readDeadLetters(given, place);
  requireQueueType(given, place);
  const all = { ...settings, ...deadLetters, ...readOverflow(given, deadLetters) };
  return Object.keys(all).length === 0 ? undefined : all;
}

function understand(name: string, text: string, place: QueuePlace): PartialSettings {
  const reader = READERS.get(name);
  if (reader !== undefined) return reader(text, name, place);
  const { command } = place;
  if (name === 'exclusive') {
    if (parseFlag(text) === false) return NOTHING;
    if (parseFlag(text) === undefined) throw wrong({ name, text }, command, 'true or false');
    const detail = 'the header exclusive of SEND is for consumers: a queue is for everyone';
    throw new Refusal('fieldInvalid', detail, 'Write it on SUBSCRIBE: that consumer is the only one then.');
  }
  throw new Refusal(
    'unsupported',
    `the header ${name} of ${command} asks for what is not offered`,
    REFUSED.get(name) ??
      `Of RabbitMQ's there are ${[...READERS.keys(), 'x-queue-name'].sort().join(', ')}; leave it out.`,
  );
}

/**
 * Exchanges that there are: the one without a name leads to the queue that the key names, amq.topic, amq.direct and amq.fanout
 * to the topics that are behind the destinations with their names. Without a key a message has that with which it was sent: the
 * queue's name.
 */
function readDeadLetters(given: ReadonlyMap<string, string>, { queue, limits, command }: QueuePlace): PartialSettings {
  const exchange = given.get(EXCHANGE);
  const key = given.get(ROUTING_KEY);
  if (exchange === undefined) {
    if (key === undefined) return NOTHING;
    const detail = `the header ${ROUTING_KEY} of ${command} is without ${EXCHANGE}`;
    throw new Refusal('fieldInvalid', detail, 'Send both; the exchange may be empty: then the key names a queue.');
  }
  switch (exchange) {
    case '':
      if (key !== undefined && key !== '' && key !== queue) return { deadLetterQueue: key };
      throw new Refusal(
        'fieldInvalid',
        `the header ${EXCHANGE} of ${command} is empty, and dead letters would come back to the queue they are of`,
        `Name another queue in the header ${ROUTING_KEY}.`,
      );
    case 'amq.topic':
      return { deadLetterTopic: topicOf(`/topic/${key ?? queue.replaceAll('%', '%25')}`, ROUTING_KEY, limits) };
    case 'amq.direct':
    case 'amq.fanout':
      return { deadLetterTopic: `${EXCHANGE_PREFIX}${exchange}${key === '' ? '' : `/${key ?? queue}`}` };
    default:
      throw new Refusal(
        'unsupported',
        `the header ${EXCHANGE} of ${command} names ${shown(exchange)}, an exchange that there is not`,
        `Leave it empty and name a queue in ${ROUTING_KEY}; or take amq.topic, amq.direct or amq.fanout.`,
      );
  }
}

/** RabbitMQ drops from the head of a full queue, to where dead letters go if they go anywhere. */
function readOverflow(given: ReadonlyMap<string, string>, deadLetters: PartialSettings): PartialSettings {
  const bounded = given.has('x-max-length') || given.has('x-max-length-bytes');
  const said = given.get(OVERFLOW);
  if (said === 'reject-publish') return { overflow: 'refuse' };
  if (said === undefined && !bounded) return NOTHING;
  return { overflow: deadLetters === NOTHING ? 'dropOldest' : 'deadLetterOldest' };
}

/** [rabbit_quorum_queue] is durable, and neither exclusive nor deleted with its consumers. */
function requireQueueType(given: ReadonlyMap<string, string>, { command }: QueuePlace): void {
  if (given.get(QUEUE_TYPE) !== 'quorum') return;
  for (const [name, refused] of [
    ['durable', false],
    ['auto-delete', true],
  ] as const) {
    if (parseFlag(given.get(name) ?? '') !== refused) continue;
    const detail = `the header ${name} of ${command} is ${refused}, which no queue of the type quorum is`;
    throw new Refusal('fieldInvalid', detail, `Leave out ${name} or ${QUEUE_TYPE}.`);
  }
}

function whole(min: number, max: number, unit: string, set: (value: number) => PartialSettings): Reader {
  return (text, name, { command }) => {
    const value = /^-?[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return set(value);
    throw wrong({ name, text }, command, `a whole number from ${min} to ${max} (${unit})`);
  };
}

function flag(set: (value: boolean) => PartialSettings): Reader {
  return (text, name, { command }) => {
    const value = parseFlag(text);
    if (value === undefined) throw wrong({ name, text }, command, 'true or false');
    return set(value);
  };
}

/** A choice that makes no difference here, or is looked at together with others. */
function oneOf(values: readonly string[]): Reader {
  return (text, name, { command }) => {
    if (values.includes(text)) return NOTHING;
    const advice = name === QUEUE_TYPE && text === 'stream' ? STREAM : 'Correct it, or leave it out.';
    const detail = `the header ${name} of ${command} is ${shown(text)}; ${values.join(' or ')} is expected`;
    throw new Refusal('fieldInvalid', detail, advice);
  };
}
