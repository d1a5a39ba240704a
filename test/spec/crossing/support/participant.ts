import type { Delivered, Neutral, Pair } from '../../../support/neutral-forms.ts';

/** Whoever puts messages in, takes some out, asks and answers: the same for a test, whatever it speaks. */

/** `mqtt4` is MQTT 3.1.1; `nats` an application of NATS beside the broker. */
export type Protocol = 'mqtt4' | 'mqtt5' | 'stomp' | 'json' | 'nats';

/** What is consumed: a queue (`$queue/NAME`), topics, or as a member of a group. */
export interface Source {
  readonly topic: string;
  readonly group?: string;
  readonly start?: string;
  readonly positions?: boolean;
  readonly prefetch?: number;
  readonly consumerPriority?: number;
  /** Of STOMP and JSON. */
  readonly selector?: string;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

export interface Participant {
  /** Resolves when the broker has it; at once for one that is not durable. Throws Refused. */
  send(message: Neutral): Promise<{ readonly duplicate: boolean }>;
  /** Resolves when it stands. Throws Refused. */
  consume(source: Source): Promise<void>;
  take(): Promise<Taken>;
  /** A question to a topic or queue: the first answer. Throws Refused (`noListener`, `noReply`) where it is told so. */
  ask(question: Neutral, milliseconds?: number): Promise<Neutral>;
  /** The connection is lost. */
  close(): void;
}

/** A message and what can become of it. */
export interface Taken extends Delivered {
  accept(): void;
  /** As the protocol does it; MQTT 3.1.1 can only leave. */
  giveBack(delay?: number): void;
  /** For good: to the dead-letter queue. */
  reject(): void;
  /** To where the message says, with its correlation. */
  answer(payload: Buffer): Promise<unknown>;
}

/** What the broker said against it. */
export class Refused extends Error {
  /** Of the protocol: a reason code, `ERROR` and the receipt-id, a code of JSON; `closed` when nothing was said. */
  readonly code: string;

  constructor(code: string, text: string) {
    super(text);
    this.code = code;
  }
}

/** How it is refused; it must be. */
export async function refusal(what: Promise<unknown>): Promise<Refused> {
  try {
    await what;
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** `maxMessages` as `queue-max-messages`. */
const settingHeader = (name: string): string =>
  `queue-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** What MQTT 5 (user properties) and STOMP (headers) say alike. */
export function wishesOf({ start, positions, prefetch, consumerPriority, settings = {} }: Source): Pair[] {
  const wishes = { start, positions, prefetch, 'consumer-priority': consumerPriority };
  return [
    ...Object.entries(wishes).flatMap(([name, value]): Pair[] => (value === undefined ? [] : [[name, String(value)]])),
    ...Object.entries(settings).map(([name, value]): Pair => [settingHeader(name), String(value)]),
  ];
}

/** The name, of a queue's topic. */
export function queueOf(topic: string): string | undefined {
  return topic.startsWith('$queue/') ? topic.slice('$queue/'.length) : undefined;
}

export function answerOf({ replyTo, correlation }: Neutral, payload: Buffer): Neutral {
  if (replyTo === undefined) throw new Error('the question says no topic for its answer');
  return { topic: replyTo, payload, correlation };
}

/** What a connection brings, taken by kind: what comes between is kept. */
export class Sorter<T> {
  readonly #next: () => Promise<T>;
  readonly #kept: T[] = [];

  constructor(next: () => Promise<T>) {
    this.#next = next;
  }

  async take<W extends T>(wanted: (item: T) => item is W): Promise<W>;
  async take(wanted: (item: T) => boolean): Promise<T>;
  async take(wanted: (item: T) => boolean): Promise<T> {
    const at = this.#kept.findIndex(wanted);
    const [kept] = at === -1 ? [] : this.#kept.splice(at, 1);
    if (kept !== undefined) return kept;
    for (;;) {
      const item = await this.#next();
      if (wanted(item)) return item;
      this.#kept.push(item);
    }
  }
}
