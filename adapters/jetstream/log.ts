import type { Msg } from 'nats';
import type { Message } from '../../src/core/message.ts';
import { pause } from '../../src/core/pause.ts';
import type { AppendReceiver, BackboneReceiver, Log, ReadReceiver } from '../../src/ports/backbone.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { type StreamState, streamState } from './api.ts';
import { Appender } from './appender.ts';
import { type Connection, explain, SHORT } from './connection.ts';
import type { Entry } from './entry.ts';
import { readMessage } from './message.ts';
import type { JetStreamOptions } from './options.ts';
import { OwnIds } from './own-ids.ts';
import type { Raw } from './raw.ts';
import { Reader } from './reader.ts';
import { streamNames } from './streams.ts';
import { TopicSubjects } from './subjects.ts';
import { Tail } from './tail.ts';

/** Milliseconds between looks at where the log begins now. */
const REFRESH = 10_000;
/** Milliseconds between looks at whether the tail has come to the end. */
const CATCH_UP = 20;
/** And of those until it is looked again where the end is. */
const CATCH_UP_LIMIT = 5_000;

/** What the log has to know of the state: messages do not become durable before what was put before them. */
export interface Changes {
  begun(): number;
  done(): number;
  /** Called when more are done. */
  onDone(listener: () => void): void;
}

/** The log as a stream of JetStream: its sequence is ours. */
export class JetStreamLog implements Log {
  readonly shards = 1;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stream: string;
  readonly #subjects: TopicSubjects;
  readonly #tail: Tail;
  readonly #appender: Appender;
  readonly #reader: Reader;
  readonly #ids: OwnIds;
  #receiver: BackboneReceiver | undefined;
  #first = 1;
  #next = 1;
  #batch: Message[] = [];
  #own: Entry[] = [];
  #scheduled = false;
  #refresh: Timer | undefined;
  #unreadable = 0;
  readonly #flush = (): void => this.#give();

  constructor(
    options: JetStreamOptions,
    node: string,
    connection: Connection,
    changes: Changes,
    clock: Clock,
    logger: Logger,
  ) {
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
    this.#stream = streamNames(options.prefix).log;
    this.#subjects = new TopicSubjects(`${options.prefix}.log`);
    this.#ids = new OwnIds(node);
    this.#tail = new Tail(connection, clock, logger, this.#stream, {
      message: (message, bytes, sequence, time) => this.#tailed(message, bytes, sequence, time),
    });
    this.#appender = new Appender(connection, clock, logger, this.#subjects, {
      options,
      node,
      changesBegun: () => changes.begun(),
      changesDone: () => changes.done(),
      passed: () => this.#next,
      caughtUp: () => this.#caughtUp(),
    });
    changes.onDone(() => this.#appender.pump());
    this.#reader = new Reader(connection, clock, this.#stream, options.replicas > 1, this.#subjects, {
      next: () => this.#next,
      first: () => this.#first,
      foundFirst: (sequence) => {
        this.#first = Math.max(this.#first, sequence);
      },
    });
  }

  async start(receiver: BackboneReceiver, { first, last }: StreamState): Promise<void> {
    this.#receiver = receiver;
    this.#first = first;
    this.#next = last + 1;
    this.#appender.start();
    await this.#tail.start(this.#next);
    this.#refreshLater();
  }

  /** Resolves when nothing is pending, or after so many milliseconds. */
  async drain(milliseconds: number): Promise<void> {
    const until = this.#clock.now() + milliseconds;
    while (this.#appender.pending > 0 && this.#clock.now() < until) await pause(this.#clock, CATCH_UP);
  }

  stop(): void {
    this.#refresh?.cancel();
    this.#tail.stop();
    this.#appender.stop();
  }

  notReady(): string | undefined {
    return this.#appender.notReady();
  }

  first(_shard: number): number {
    return Math.min(this.#first, this.#next);
  }

  next(_shard: number): number {
    return this.#next;
  }

  append(message: Message, receiver: AppendReceiver, token: number): void {
    this.#appender.append(message, receiver, token);
  }

  congested(): boolean {
    return this.#appender.congested();
  }

  read(
    shard: number,
    sequence: number,
    filters: readonly string[] | undefined,
    count: number,
    bytes: number,
    receiver: ReadReceiver,
  ): void {
    this.#reader.read(shard, sequence, filters, count, bytes, receiver);
  }

  #tailed(message: Msg, { bytes, headerBytes }: Raw, sequence: number, time: number): void {
    const number = this.#ids.numberIn(bytes, headerBytes);
    const entry = number === 0 ? undefined : this.#appender.found(number, sequence);
    if (entry === 'double') {
      this.#remove(sequence);
    } else if (entry !== undefined) {
      this.#batch.push(entry.message);
      this.#own.push(entry);
    } else {
      const read = this.#read(message.subject, bytes, headerBytes, sequence, time);
      if (read !== undefined) this.#batch.push(read);
    }
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#clock.defer(this.#flush);
    }
  }

  #read(subject: string, bytes: Uint8Array, headerBytes: number, sequence: number, time: number): Message | undefined {
    const message = readMessage(this.#subjects, subject, bytes, headerBytes, time);
    if (message === undefined) {
      if (this.#unreadable++ === 0) {
        this.#logger.warn(
          { subject, sequence },
          'A message in the log has a subject that is no topic; such are left out',
        );
      }
      return undefined;
    }
    message.sequence = sequence;
    return message;
  }

  /** A batch is what has come in one turn: tail first, then the publishers' acknowledgements. */
  #give(): void {
    this.#scheduled = false;
    const batch = this.#batch;
    const own = this.#own;
    this.#batch = [];
    this.#own = [];
    if (batch.length > 0) this.#receiver?.tail(batch);
    this.#next = this.#tail.next;
    for (const entry of own) entry.receiver.appended(entry.token, entry.message);
    this.#appender.passed(this.#next);
    this.#appender.pump();
  }

  /** A repetition that the server has taken in as well. Its first is where it belongs. */
  #remove(sequence: number): void {
    this.#connection
      .ask(`$JS.API.STREAM.MSG.DELETE.${this.#stream}`, { seq: sequence, no_erase: true })
      .catch((error: unknown) =>
        this.#logger.debug({ sequence, error: explain(error) }, 'A repetition stays in the log'),
      );
  }

  async #caughtUp(): Promise<void> {
    const { last } = await this.#describe();
    const until = this.#clock.now() + CATCH_UP_LIMIT;
    while (this.#next <= last) {
      if (this.#clock.now() > until) throw new Error('the tail does not come to the end');
      await pause(this.#clock, CATCH_UP);
    }
  }

  async #describe(): Promise<StreamState> {
    const state = streamState(await this.#connection.ask(`$JS.API.STREAM.INFO.${this.#stream}`, {}, SHORT));
    this.#first = Math.max(this.#first, state.first);
    return state;
  }

  #refreshLater(): void {
    this.#refresh = this.#clock.schedule(REFRESH, () => {
      if (this.#connection.up) this.#describe().catch(() => {});
      this.#refreshLater();
    });
  }
}
