import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import { pause } from '../../src/core/pause.ts';
import { TopicMatcher } from '../../src/core/topic-matcher.ts';
import type { ReadReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { type Connection, explain } from './connection.ts';
import { DirectGet, type Portion, type Stored } from './direct-get.ts';
import { readMessage } from './message.ts';
import { type TopicSubjects, withoutCovered } from './subjects.ts';

/** Reads at a time; more wait their turn. */
const READS = 16;
/** Subjects asked for one by one; with more the whole log is read, and what is not wanted left out. */
const SUBJECTS = 8;
/** Messages of one request for the whole log, of which few may be wanted. */
const WHOLE = 1000;
/** Bytes that headers and subject of a message may have in an answer, which the server counts too. */
const OVERHEAD = 1024;
/** Bytes that one request brings at most. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Milliseconds that a replica which is behind is given. */
const BEHIND = 50;

export interface ReaderHost {
  first(): number;
  next(): number;
  /** The log now begins here. */
  foundFirst(sequence: number): void;
}

interface Read {
  readonly shard: number;
  readonly sequence: number;
  readonly filters: readonly string[] | undefined;
  readonly count: number;
  readonly bytes: number;
  readonly receiver: ReadReceiver;
}

/** Reads parts of the log, some at a time. */
export class Reader {
  readonly #clock: Clock;
  readonly #subjects: TopicSubjects;
  readonly #host: ReaderHost;
  readonly #replicated: boolean;
  readonly #direct: DirectGet;
  readonly #everything: string;
  readonly #waiting: Read[] = [];
  #running = 0;

  constructor(
    connection: Connection,
    clock: Clock,
    stream: string,
    replicated: boolean,
    subjects: TopicSubjects,
    host: ReaderHost,
  ) {
    this.#clock = clock;
    this.#subjects = subjects;
    this.#host = host;
    this.#replicated = replicated;
    this.#direct = new DirectGet(connection, clock, stream);
    this.#everything = subjects.filterSubjects('#')[0] ?? '>';
  }

  read(
    shard: number,
    sequence: number,
    filters: readonly string[] | undefined,
    count: number,
    bytes: number,
    receiver: ReadReceiver,
  ): void {
    this.#waiting.push({ shard, sequence, filters, count, bytes, receiver });
    this.#clock.defer(() => this.#run());
  }

  #run(): void {
    while (this.#running < READS) {
      const read = this.#waiting.shift();
      if (read === undefined) return;
      this.#running++;
      void this.#serve(read).finally(() => {
        this.#running--;
        this.#run();
      });
    }
  }

  async #serve(read: Read): Promise<void> {
    const { shard, receiver } = read;
    let answer: { messages: readonly Message[]; next: number };
    try {
      answer = await this.#portion(read);
    } catch (error) {
      receiver.failed(error instanceof BrokerError ? error : new BrokerError('internal', explain(error)));
      return;
    }
    receiver.batch(shard, answer.messages, answer.next);
  }

  async #portion(read: Read): Promise<{ messages: readonly Message[]; next: number }> {
    const { filters, count, bytes } = read;
    const from = Math.max(read.sequence, this.#host.first());
    const end = this.#host.next();
    if (from >= end) return { messages: [], next: Math.max(read.sequence, end) };
    const wanted = filters && withoutCovered(filters.flatMap((filter) => this.#subjects.filterSubjects(filter)));
    if (wanted !== undefined && wanted.length === 0) return { messages: [], next: end };
    const whole = wanted === undefined || wanted.length > SUBJECTS || wanted.includes(this.#everything);
    const subjects = whole ? [this.#everything] : wanted;
    const sparse = whole && filters !== undefined;
    const parts = await Promise.all(
      subjects.map((subject) => this.#part(from, end, subject, sparse ? Math.max(count, WHOLE) : count, bytes)),
    );
    const horizon = Math.min(this.#host.next(), ...parts.map((part) => part.until));
    if (filters === undefined) this.#noteFirst(from, parts[0]?.messages[0]);
    const matcher = sparse ? new TopicMatcher(filters) : undefined;
    return this.#take(merged(parts), horizon, count, bytes, matcher);
  }

  /** Messages of one subject, and the sequence up to which there are no others. */
  async #part(from: number, end: number, subject: string, count: number, bytes: number): Promise<Part> {
    for (;;) {
      const room = Math.min(MAX_BYTES, bytes + Math.min(count, WHOLE) * OVERHEAD);
      const portion: Portion = await this.#direct.portion(from, subject, count, room);
      const last = portion.messages[portion.messages.length - 1];
      const after = last === undefined ? from : last.sequence + 1;
      if (!portion.all && last !== undefined) return { messages: portion.messages, until: after };
      // The replica that answered may be behind the tail.
      if (!portion.all || (this.#replicated && after < end && (await this.#direct.more(after, subject)))) {
        if (last !== undefined) return { messages: portion.messages, until: after };
        await pause(this.#clock, BEHIND);
        continue;
      }
      return { messages: portion.messages, until: Math.max(end, after) };
    }
  }

  #take(
    stored: readonly Stored[],
    horizon: number,
    count: number,
    bytes: number,
    matcher: TopicMatcher | undefined,
  ): { messages: readonly Message[]; next: number } {
    const messages: Message[] = [];
    let size = 0;
    for (const each of stored) {
      if (each.sequence >= horizon) break;
      const message = readMessage(this.#subjects, each.subject, each.bytes, each.headerBytes, each.time);
      if (message === undefined || matcher?.has(message.topic) === false) continue;
      message.sequence = each.sequence;
      messages.push(message);
      size += message.size;
      if (messages.length >= count || size >= bytes) return { messages, next: each.sequence + 1 };
    }
    return { messages, next: horizon };
  }

  #noteFirst(from: number, stored: Stored | undefined): void {
    // Where the log began has been forgotten meanwhile.
    if (stored !== undefined && from === this.#host.first()) this.#host.foundFirst(stored.sequence);
  }
}

interface Part {
  readonly messages: readonly Stored[];
  readonly until: number;
}

/** In order of sequence, each once. */
function merged(parts: readonly Part[]): readonly Stored[] {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only.messages;
  const bySequence = new Map<number, Stored>();
  for (const { messages } of parts) for (const each of messages) bySequence.set(each.sequence, each);
  return [...bySequence.values()].sort((a, b) => a.sequence - b.sequence);
}
