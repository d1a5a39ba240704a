import { BrokerError } from '../../src/core/errors.ts';
import { pause } from '../../src/core/pause.ts';
import type { Bucket, Entry, Fence, State } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { API, ApiError, apiError, number, parseAnswer, record, type StreamState, text } from './api.ts';
import type { Connection } from './connection.ts';
import { DirectGet } from './direct-get.ts';
import { headerValue } from './headers.ts';
import { InOrder } from './in-order.ts';
import type { JetStreamOptions } from './options.ts';
import { streamNames } from './streams.ts';
import { keyOf, keyToken } from './subjects.ts';
import { Tail } from './tail.ts';

/**
 * A removal is a message, so that all hear of it; it goes after so many seconds. A node that is cut off for longer does
 * not hear of it. What this adapter keeps for itself needs no such care, and changes often.
 */
const REMOVAL_SECONDS = 3600;
const OWN_REMOVAL_SECONDS = 60;
const REMOVED = 'Trimaran-Removed';
/** Milliseconds between attempts. */
const AGAIN = 200;
/** Entries of one request, and their bytes. */
const SCAN = 500;
const SCAN_BYTES = 4 * 1024 * 1024;
/** Milliseconds between looks whether the watch has come to the end. */
const CATCH_UP = 5;

/** What messages wait for; other buckets have nothing to do with them. */
const BEFORE_MESSAGES: ReadonlySet<string> = new Set<Bucket>(['sessions', 'retained', 'wills']);

export type Changed = (key: string, entry: Entry | undefined, revision: number) => void;

interface Last {
  readonly entry: Entry;
  readonly removed: boolean;
}

/**
 * Entries as the last message of a subject each: `<prefix>.state.<bucket>.<key>`. The revision is the stream's sequence.
 * Buckets are those of the port, and others for this adapter's own use.
 */
export class JetStreamState implements State {
  /** The log is another stream. */
  readonly atomic = false;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #stream: string;
  readonly #start: string;
  readonly #node: string;
  readonly #hold: number;
  readonly #replicated: boolean;
  readonly #direct: DirectGet;
  readonly #tail: Tail;
  readonly #order = new InOrder();
  readonly #watchers = new Map<string, Changed[]>();
  #repeatable = 0;

  constructor(options: JetStreamOptions, node: string, connection: Connection, clock: Clock, logger: Logger) {
    this.#connection = connection;
    this.#clock = clock;
    this.#node = node;
    this.#stream = streamNames(options.prefix).state;
    this.#start = `${options.prefix}.state.`;
    this.#hold = Math.max(1, options.holdSeconds) * 1000;
    this.#replicated = options.replicas > 1;
    this.#direct = new DirectGet(connection, clock, this.#stream);
    this.#tail = new Tail(connection, clock, logger, this.#stream, {
      message: (message, { bytes, headerBytes }, sequence) => {
        const block = Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes).toString('latin1');
        this.#heard(message.subject, block, bytes.subarray(headerBytes), sequence);
      },
    });
  }

  /** What is put and removed, counted, so that messages can wait for it. */
  get changes(): InOrder {
    return this.#order;
  }

  async start({ last }: StreamState): Promise<void> {
    await this.#tail.start(last + 1);
  }

  stop(): void {
    this.#tail.stop();
  }

  get(bucket: string, key: string): Promise<Entry | undefined> {
    const subject = this.#subject(bucket, key);
    return this.#order.after(subject, async () => {
      const last = await this.#last(subject);
      return last === undefined || last.removed ? undefined : last.entry;
    });
  }

  put(bucket: string, key: string, value: Uint8Array, expected?: number | Fence): Promise<number | undefined> {
    const subject = this.#subject(bucket, key);
    // The caller may use its bytes again.
    const bytes = new Uint8Array(value);
    return this.#change(bucket, subject, () => this.#write(subject, bytes, '', expected));
  }

  remove(bucket: string, key: string, expected?: number | Fence): Promise<number | undefined> {
    const subject = this.#subject(bucket, key);
    const seconds = BEFORE_MESSAGES.has(bucket) ? REMOVAL_SECONDS : OWN_REMOVAL_SECONDS;
    const lines = `${REMOVED}: 1\r\nNats-TTL: ${seconds}s\r\n`;
    return this.#change(bucket, subject, () => this.#write(subject, new Uint8Array(0), lines, expected));
  }

  async scan(bucket: string, visit: (key: string, entry: Entry) => void): Promise<void> {
    const begin = `${this.#start}${bucket}.`;
    await this.#order.all();
    for (let from = 1; ; ) {
      const portion = await this.#direct.portion(from, `${begin}>`, SCAN, SCAN_BYTES);
      for (const { subject, sequence, bytes, headerBytes } of portion.messages) {
        from = sequence + 1;
        const key = keyOf(subject.slice(begin.length));
        const block = Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes).toString('latin1');
        if (key === undefined || headerValue(block, REMOVED) !== undefined) continue;
        visit(key, { value: bytes.subarray(headerBytes), revision: sequence });
      }
      if (!portion.all) continue;
      // Another replica may have been asked that is behind.
      if (!this.#replicated || !(await this.#direct.more(from, `${begin}>`))) return;
      await pause(this.#clock, CATCH_UP);
    }
  }

  watch(bucket: string, changed: Changed): boolean {
    const watchers = this.#watchers.get(bucket);
    if (watchers === undefined) this.#watchers.set(bucket, [changed]);
    else watchers.push(changed);
    return true;
  }

  #change<T>(bucket: string, subject: string, task: () => Promise<T>): Promise<T> {
    return BEFORE_MESSAGES.has(bucket) ? this.#order.change(subject, task) : this.#order.after(subject, task);
  }

  #subject(bucket: string, key: string): string {
    return `${this.#start}${bucket}.${keyToken(key)}`;
  }

  #heard(subject: string, block: string, value: Uint8Array, revision: number): void {
    const [bucket = '', token = ''] = subject.slice(this.#start.length).split('.');
    const watchers = this.#watchers.get(bucket);
    const key = keyOf(token);
    if (watchers === undefined || key === undefined) return;
    const entry = headerValue(block, REMOVED) === undefined ? { value: new Uint8Array(value), revision } : undefined;
    for (const changed of watchers) changed(key, entry, revision);
  }

  /** The last message of a subject, from the stream's leader: other replicas may be behind. */
  async #last(subject: string): Promise<Last | undefined> {
    return this.#persist(async () => {
      try {
        const answer = await this.#connection.ask(`$JS.API.STREAM.MSG.GET.${this.#stream}`, { last_by_subj: subject });
        const message = record(answer.message);
        const block = Buffer.from(text(message.hdrs), 'base64').toString('latin1');
        const value = Buffer.from(text(message.data), 'base64');
        const removed = headerValue(block, REMOVED) !== undefined;
        return { entry: { value, revision: number(message.seq) }, removed };
      } catch (error) {
        if (error instanceof ApiError && error.apiCode === API.noMessage) return undefined;
        throw error;
      }
    });
  }

  async #write(
    subject: string,
    value: Uint8Array,
    lines: string,
    expected?: number | Fence,
  ): Promise<number | undefined> {
    if (typeof expected === 'object') {
      const revision = await this.#publish(subject, value, lines, expected.revision || undefined);
      expected.revision = revision ?? expected.revision;
      return revision;
    }
    if (expected !== 0) return this.#publish(subject, value, lines, expected);
    // Nothing is there also when the last that was there is a removal.
    for (let last = 0; ; ) {
      const revision = await this.#publish(subject, value, lines, last);
      if (revision !== undefined) return revision;
      const found = await this.#last(subject);
      if (found !== undefined && !found.removed) return undefined;
      last = found?.entry.revision ?? 0;
    }
  }

  /** Undefined when the subject's last sequence is not as expected. */
  async #publish(subject: string, value: Uint8Array, lines: string, expected?: number): Promise<number | undefined> {
    let block = `NATS/1.0\r\n${lines}`;
    if (expected !== undefined) {
      // Asked again after a time-out, it must not be taken for someone else's.
      const id = `${this.#node}.${++this.#repeatable}`;
      block += `Nats-Expected-Last-Subject-Sequence: ${expected}\r\nNats-Msg-Id: ${id}\r\n`;
    }
    const headers = Buffer.from(`${block}\r\n`, 'latin1');
    if (value.length + headers.length > this.#connection.maxPayload) {
      throw new BrokerError('tooLarge', `NATS takes ${this.#connection.maxPayload} bytes (its max_payload)`);
    }
    return this.#persist(async () => {
      const answer = parseAnswer((await this.#connection.request(subject, value, headers)).data);
      const error = apiError(answer);
      if (error?.apiCode === API.wrongLastSequence || error?.apiCode === API.wrongLastSequenceConstant)
        return undefined;
      if (error !== undefined) throw error;
      const sequence = number(answer.seq);
      if (sequence === 0) throw new ApiError(503, 0, 'an answer without a sequence');
      return sequence;
    });
  }

  /** Tries again while NATS is away or cannot, for as long as publishers are held. */
  async #persist<T>(attempt: () => Promise<T>): Promise<T> {
    const until = this.#clock.now() + this.#hold;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        const passing = error instanceof ApiError ? error.status >= 500 || error.status === 429 : isAway(error);
        if (!passing || this.#clock.now() >= until || this.#connection.closing) throw error;
      }
      await pause(this.#clock, AGAIN);
    }
  }
}

function isAway(error: unknown): boolean {
  return error instanceof BrokerError && error.code === 'unavailable';
}
