import type { Counters } from '../../core/counters.ts';
import type { BrokerError } from '../../core/errors.ts';
import type { Message, UserProperty } from '../../core/message.ts';
import { QUEUE_PREFIX } from '../../core/topic.ts';
import type { AppendReceiver } from '../../ports/backbone.ts';
import type { Clock } from '../../ports/clock.ts';
import type { QueueEntry } from '../../ports/queue-store.ts';
import type { Logger } from '../../ports/routing.ts';
import type { DeadReason } from '../dispatch/rules.ts';
import { altered } from './altered.ts';

/** Puts a message in a queue, on whichever node that is; `receiver` hears of it, never during the call. */
export type PushDeadLetter = (queue: string, message: Message, receiver: AppendReceiver, token: number) => void;

/** Publishes a message on its topic; `receiver` hears of it once the log, and the queues that are bound to it, have it. */
export type PublishDeadLetter = (message: Message, receiver: AppendReceiver, token: number) => void;

/** Where the dead letters of a queue go. */
export interface DeadLetterTarget {
  /** What it is called in the log. */
  readonly title: string;
  /** What a letter's topic is there, which was `topic`. */
  topicOf(topic: string): string;
  /** How many queues it comes into there. */
  queues(): number;
  /** Durably, whatever QoS it had. */
  readonly push: PublishDeadLetter;
}

export function toQueue(queue: string, push: PushDeadLetter): DeadLetterTarget {
  return {
    title: queue,
    // What came by a binding says which topic it was published on.
    topicOf: (topic) => (topic.startsWith(QUEUE_PREFIX) ? QUEUE_PREFIX + queue : topic),
    queues: () => 1,
    push: (message, receiver, token) => push(queue, message, receiver, token),
  };
}

/** `bound`: how many queues are bound to a topic. */
export function toTopic(topic: string, push: PublishDeadLetter, bound: (topic: string) => number): DeadLetterTarget {
  return { title: topic, topicOf: () => topic, queues: () => bound(topic), push };
}

/** Ids of dead letters begin so: they are of the place where a message was, not the publisher's. */
export const DEAD_LETTER_ID = 'dead\0';

const HEADERS = {
  reason: 'dead-letter-reason',
  count: 'dead-letter-count',
  queue: 'dead-letter-queue',
  time: 'dead-letter-time',
  /** How many queues in a row it went through without a consumer's doing, from 2 on; more where it became several. */
  hops: 'dead-letter-hops',
} as const;
const NAMES: ReadonlySet<string> = new Set(Object.values(HEADERS));

/** Messages of one queue on their way to where dead letters go, or waiting for another try, at most. */
const MOST = 1024;
/** Milliseconds until one that was refused is tried again. */
const RETRY = 5000;

interface Letter {
  readonly entry: QueueEntry;
  readonly message: Message;
  /** 0: it is under way. */
  retryAt: number;
}

export interface DeadLetterContext {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
  /** Of those on their way, at most (`Message.weight`). */
  readonly mostBytes: number;
  /** Queues in a row that a message may go through (`limits.deadLetterHops`). */
  readonly mostHops: number;
}

/** The dead letters of one queue: each is durably where it goes before it is removed from this queue. */
export class DeadLetters implements AppendReceiver {
  readonly #queue: string;
  readonly #target: DeadLetterTarget;
  readonly #context: DeadLetterContext;
  readonly #remove: (id: number) => void;
  /** By the id within this queue. */
  readonly #letters = new Map<number, Letter>();
  #bytes = 0;
  #weight = 0;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(queue: string, target: DeadLetterTarget, context: DeadLetterContext, remove: (id: number) => void) {
    this.#queue = queue;
    this.#target = target;
    this.#context = context;
    this.#remove = remove;
  }

  /** What is still in this queue, and on its way out. */
  get size(): number {
    return this.#letters.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when there are too many that were not taken. */
  send(entry: QueueEntry, reason: DeadReason, deliveries: number): boolean {
    const { clock, mostBytes, mostHops } = this.#context;
    if (this.#letters.size >= MOST || this.#weight >= mostBytes) return false;
    const message = letterOf(entry, reason, deliveries, this.#queue, this.#target, clock.now(), mostHops);
    this.#letters.set(entry.id, { entry, message, retryAt: 0 });
    this.#bytes += entry.message.size;
    this.#weight += message.weight;
    this.#target.push(message, this, entry.id);
    return true;
  }

  appended(id: number): void {
    const letter = this.#letters.get(id);
    if (letter === undefined) return;
    this.#letters.delete(id);
    this.#bytes -= letter.entry.message.size;
    this.#weight -= letter.message.weight;
    this.#context.counters.deadLettered++;
    this.#remove(id);
  }

  refused(id: number, error: BrokerError): void {
    const letter = this.#letters.get(id);
    if (letter === undefined) return;
    const now = this.#context.clock.now();
    letter.retryAt = now + RETRY;
    // All of them are likely to be refused for the same reason.
    if (now < this.#warnedAt + RETRY) return;
    this.#warnedAt = now;
    const [queue, target] = [this.#queue, this.#target.title];
    this.#context.logger.warn({ err: error, queue, target }, 'dead letters were refused; trying again');
  }

  /** Tries those again that were refused a while ago. */
  retry(now: number): void {
    for (const [id, letter] of this.#letters) {
      if (letter.retryAt === 0 || letter.retryAt > now) continue;
      letter.retryAt = 0;
      this.#target.push(letter.message, this, id);
    }
  }
}

/** Whether a message was dead-lettered before. */
export function isDeadLetter({ properties }: Message): boolean {
  return properties?.user?.some(([name]) => name === HEADERS.queue) ?? false;
}

/** How many queues it has gone through since a consumer had a say in it. */
export function hopsOf({ properties }: Message): number {
  const user = properties?.user;
  if (user === undefined) return 0;
  const reason = user.find(([name]) => name === HEADERS.reason)?.[1];
  if (reason !== 'expired' && reason !== 'overflow') return 0;
  return Number(user.find(([name]) => name === HEADERS.hops)?.[1] ?? 1);
}

/**
 * The hops of the letter of a message that has gone through `hops` queues. Where it comes into several queues, these share what
 * is left of the most: else a circle of topics would make ever more of one message, times the queues with every round.
 */
function hopsAfter(hops: number, most: number, queues: number): number {
  return most - Math.floor(Math.max(0, most - hops - 1) / Math.max(1, queues));
}

/** A message of a client says nothing of dead-lettering: what it has of those headers is taken off. */
export function withoutHistory(message: Message): Message {
  const { properties } = message;
  const { user } = properties ?? {};
  if (message.dedupId?.startsWith(DEAD_LETTER_ID) || !user?.some(([name]) => NAMES.has(name))) return message;
  return altered(message, { ...properties, user: user.filter(([name]) => !NAMES.has(name)) });
}

function letterOf(
  { id, message }: QueueEntry,
  reason: DeadReason,
  deliveries: number,
  queue: string,
  target: DeadLetterTarget,
  now: number,
  mostHops: number,
): Message {
  const { expiresAt: _, deliverAt: __, user = [], ...properties } = message.properties ?? {};
  const added: UserProperty[] = [
    [HEADERS.reason, reason],
    [HEADERS.count, String(deliveries)],
    [HEADERS.queue, queue],
    [HEADERS.time, String(now)],
  ];
  const onward = reason === 'expired' || reason === 'overflow';
  const hops = onward ? hopsAfter(hopsOf(message), mostHops, target.queues()) : 0;
  if (hops > 1) added.push([HEADERS.hops, String(hops)]);
  const all = { ...properties, user: [...user.filter(([name]) => !NAMES.has(name)), ...added] };
  // A topic has it durably only as a logged one.
  const letter = altered(message, all, { topic: target.topicOf(message.topic), qos: message.qos || 1, timestamp: now });
  // Ids of a queue may begin anew when it is made again.
  letter.dedupId = `${DEAD_LETTER_ID}${queue}\0${id}\0${message.timestamp}`;
  return letter;
}
