import type { Counters } from '../../core/counters.ts';
import type { BrokerError } from '../../core/errors.ts';
import { Message, type UserProperty } from '../../core/message.ts';
import { QUEUE_PREFIX } from '../../core/topic.ts';
import type { AppendReceiver } from '../../ports/backbone.ts';
import type { Clock } from '../../ports/clock.ts';
import type { QueueEntry } from '../../ports/queue-store.ts';
import type { Logger } from '../../ports/routing.ts';
import type { DeadReason } from '../dispatch/dispatcher.ts';

/** Puts a message in a queue, on whichever node that is; `receiver` hears of it, never during the call. */
export type PushDeadLetter = (queue: string, message: Message, receiver: AppendReceiver, token: number) => void;

/** Ids of dead letters begin so: they are of the place where a message was, not the publisher's. */
export const DEAD_LETTER_ID = 'dead\0';

const HEADERS = {
  reason: 'dead-letter-reason',
  count: 'dead-letter-count',
  queue: 'dead-letter-queue',
  time: 'dead-letter-time',
} as const;
const NAMES: ReadonlySet<string> = new Set(Object.values(HEADERS));

/** Messages of one queue on their way to the other, or waiting for another try, at most. */
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
  readonly push: PushDeadLetter;
}

/** The dead letters of one queue: each is durably in the other queue before it is removed from this one. */
export class DeadLetters implements AppendReceiver {
  readonly #queue: string;
  readonly #target: string;
  readonly #context: DeadLetterContext;
  readonly #remove: (id: number) => void;
  /** By the id within this queue. */
  readonly #letters = new Map<number, Letter>();
  #bytes = 0;

  constructor(queue: string, target: string, context: DeadLetterContext, remove: (id: number) => void) {
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

  /** False when there are too many that the other queue did not take. */
  send(entry: QueueEntry, reason: DeadReason, deliveries: number): boolean {
    if (this.#letters.size >= MOST) return false;
    const { clock } = this.#context;
    const message = letterOf(entry, reason, deliveries, this.#queue, this.#target, clock.now());
    this.#letters.set(entry.id, { entry, message, retryAt: 0 });
    this.#bytes += entry.message.size;
    this.#context.push(this.#target, message, this, entry.id);
    return true;
  }

  appended(id: number): void {
    const letter = this.#letters.get(id);
    if (letter === undefined) return;
    this.#letters.delete(id);
    this.#bytes -= letter.entry.message.size;
    this.#context.counters.deadLettered++;
    this.#remove(id);
  }

  refused(id: number, error: BrokerError): void {
    const letter = this.#letters.get(id);
    if (letter === undefined) return;
    letter.retryAt = this.#context.clock.now() + RETRY;
    const [queue, deadLetterQueue] = [this.#queue, this.#target];
    this.#context.logger.warn({ err: error, queue, deadLetterQueue }, 'a dead letter was refused; trying again');
  }

  /** Tries those again that were refused a while ago. */
  retry(now: number): void {
    for (const [id, letter] of this.#letters) {
      if (letter.retryAt === 0 || letter.retryAt > now) continue;
      letter.retryAt = 0;
      this.#context.push(this.#target, letter.message, this, id);
    }
  }
}

/** Whether a message was dead-lettered before. */
export function isDeadLetter({ properties }: Message): boolean {
  return properties?.user?.some(([name]) => name === HEADERS.queue) ?? false;
}

function letterOf(
  { id, message }: QueueEntry,
  reason: DeadReason,
  deliveries: number,
  queue: string,
  target: string,
  now: number,
): Message {
  const { expiresAt: _, deliverAt: __, user = [], ...properties } = message.properties ?? {};
  const added: UserProperty[] = [
    [HEADERS.reason, reason],
    [HEADERS.count, String(deliveries)],
    [HEADERS.queue, queue],
    [HEADERS.time, String(now)],
  ];
  const all = { ...properties, user: [...user.filter(([name]) => !NAMES.has(name)), ...added] };
  const topic = message.topic.startsWith(QUEUE_PREFIX) ? QUEUE_PREFIX + target : message.topic;
  const { data, start, end, qos, publisher } = message;
  const letter = new Message(topic, data, start, end, qos, false, all, publisher, now, true);
  // Ids of a queue may begin anew when it is made again.
  letter.dedupId = `${DEAD_LETTER_ID}${queue}\0${id}\0${message.timestamp}`;
  return letter;
}
