import type { Msg } from 'nats';
import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { apiError, number, parseAnswer } from './api.ts';
import type { Connection } from './connection.ts';
import { Entry, pendingSize } from './entry.ts';
import { Frames } from './frames.ts';
import { headerText, idLine } from './headers.ts';
import type { TopicSubjects } from './subjects.ts';
import { Transit, type TransitOptions } from './transit.ts';

/** One message in so many is asked after; and one whenever none was for so many milliseconds. */
const ASK_EVERY = 64;
const ASK_AFTER = 20;
/**
 * Milliseconds that the oldest message may be under way when others are sent. A stream without a leader drops messages;
 * those that came later, when it has one again, would overtake those that have to be sent again.
 */
const STALLED = 250;
/** Numbers of messages sent more than once that are remembered. */
const REPEATED = 100_000;

export interface AppenderHost {
  readonly options: TransitOptions;
  /** Begins the ids of this node's messages. */
  readonly node: string;
  /** Last change of the state that was begun; and all up to which are durable. */
  changesBegun(): number;
  changesDone(): number;
  /** The sequence after the last that the tail has given. */
  passed(): number;
  /** Resolves when the tail has given everything that is in the stream now. */
  caughtUp(): Promise<void>;
}

/**
 * Sends messages to the log, in order, a bounded number at a time.
 *
 * What acknowledges a message is the tail: it brings the message back with its sequence, so it is in the stream. Only
 * some are also asked after with a reply subject: those whose repetition the server is to recognise, and enough others
 * to hear soon when the server refuses. When the tail does not bring them (the connection was lost, a server died),
 * nothing more is sent until the tail has everything that is in the stream; what is not there then is sent again, in
 * order, before anything newer.
 */
export class Appender {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #subjects: TopicSubjects;
  readonly #host: AppenderHost;
  readonly #transit: Transit<Entry>;
  /** Sent more than once, by each of their numbers. */
  readonly #repeated = new Map<number, Entry>();
  /** Repetitions whose first the server has at a sequence that the tail has still to pass. */
  #behind: Entry[] = [];
  readonly #frames: Frames;
  /** When it was last looked whether something may be sent, which is when it is sent. */
  #now = 0;
  #askedAt = 0;

  constructor(connection: Connection, clock: Clock, logger: Logger, subjects: TopicSubjects, host: AppenderHost) {
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
    this.#subjects = subjects;
    this.#host = host;
    this.#frames = new Frames(connection, clock);
    this.#transit = new Transit(connection, clock, logger, this.#frames, host.options, {
      answered: (entry, answer) => this.#answered(entry, answer),
      find: () => host.caughtUp(),
      pump: () => this.pump(),
      refuseAll: (error) => this.#refuseAll(error),
    });
  }

  start(): void {
    this.#transit.start();
  }

  stop(): void {
    this.#transit.stop();
  }

  get pending(): number {
    return this.#transit.waiting.size + this.#transit.flight.count + this.#behind.length;
  }

  congested(): boolean {
    const { bytes, recovering } = this.#transit;
    return bytes * 2 > this.#host.options.pendingBytes || !this.#connection.up || recovering;
  }

  notReady(): string | undefined {
    return this.#transit.refusing;
  }

  append(message: Message, receiver: AppendReceiver, token: number): void {
    const subject = this.#subjects.subjectOf(message.topic);
    const bytes = pendingSize(message);
    const fault = this.#fault(message, subject, bytes);
    if (fault !== undefined || subject === undefined) {
      this.#clock.defer(() => receiver.refused(token, fault ?? new BrokerError('topicInvalid')));
      return;
    }
    const entry = new Entry(message, receiver, token, subject, bytes, this.#host.changesBegun());
    this.#transit.accept(entry);
    if (this.#transit.waiting.size === 0 && this.#free(entry)) this.#send(entry);
    else this.#transit.wait(entry);
  }

  #fault(message: Message, subject: string | undefined, bytes: number): BrokerError | undefined {
    const unavailable = this.#transit.unavailable();
    if (unavailable !== undefined) return unavailable;
    if (subject === undefined) return new BrokerError('topicInvalid', 'the topic is longer than NATS can carry');
    if (message.size > this.#connection.maxPayload) {
      return new BrokerError(
        'tooLarge',
        `NATS takes messages of ${this.#connection.maxPayload} bytes (its max_payload)`,
      );
    }
    return this.#transit.overfull(bytes);
  }

  /** Sends what may be sent now. */
  pump(): void {
    const { waiting } = this.#transit;
    for (let entry = waiting.peek(); entry !== undefined; entry = waiting.peek()) {
      if (!entry.done && !this.#free(entry)) return;
      waiting.shift();
      if (!entry.done) this.#send(entry);
    }
  }

  /** Whether it may be sent now. */
  #free(entry: Entry): boolean {
    if (!this.#transit.free) return false;
    this.#now = this.#clock.now();
    const { oldest } = this.#transit.flight;
    if (oldest !== undefined && this.#now - oldest.sentAt > STALLED) return false;
    return entry.barrier <= this.#host.changesDone();
  }

  #send(entry: Entry): void {
    const { message } = entry;
    const again = entry.number !== 0;
    if (again) this.#repeat(entry.number, entry);
    this.#transit.flight.add(entry);
    if (again) this.#repeat(entry.number, entry);
    else entry.firstNumber = entry.number;
    entry.sentAt = this.#now;
    const id = `${this.#host.node}.${entry.number}`;
    // Sent again, it gets an id by which the server takes in one of all repetitions. Every message having one from the
    // start costs the server about 160 bytes for each for the whole window, and a third of its speed.
    const dedupId = message.dedupId ?? (again ? `${this.#host.node}.${entry.firstNumber}` : undefined);
    entry.asked = dedupId !== undefined || entry.number % ASK_EVERY === 0 || entry.sentAt - this.#askedAt >= ASK_AFTER;
    const headers = headerText(message, id, dedupId === undefined ? '' : idLine(dedupId));
    if (message.size + headers.length > this.#connection.maxPayload) {
      message.keep();
      this.#refuse(entry, new BrokerError('tooLarge', 'with its headers larger than NATS takes (its max_payload)'));
      return;
    }
    if (entry.asked) this.#askedAt = entry.sentAt;
    const reply = entry.asked ? this.#transit.replyTo(entry) : '';
    const written = this.#frames.publish(entry.subject, reply, headers, message.data, message.start, message.end);
    if (!again) message.adopt(written.bytes, written.start, written.end);
  }

  #repeat(sent: number, entry: Entry): void {
    this.#repeated.set(sent, entry);
    if (this.#repeated.size <= REPEATED) return;
    for (const oldest of this.#repeated.keys()) {
      this.#repeated.delete(oldest);
      break;
    }
  }

  /**
   * The tail has come to this node's message of this number. Returns its entry; `double` when it has been there before;
   * undefined when its publisher was refused meanwhile.
   */
  found(sent: number, sequence: number): Entry | 'double' | undefined {
    const { flight } = this.#transit;
    const entry = flight.get(sent) ?? this.#repeated.get(sent);
    if (entry === undefined || entry.refused) return undefined;
    if (entry.done) return 'double';
    entry.message.sequence = sequence;
    this.#settle(entry);
    this.#transit.through();
    // They were sent before on the same way: what is neither stored nor answered, the server has passed over.
    if (flight.oldest !== undefined && flight.oldest.number < sent && !this.#transit.recovering) this.#skipped(sent);
    return entry;
  }

  /** The tail has passed this sequence: repetitions of what is there are answered. */
  passed(next: number): void {
    if (this.#behind.length === 0) return;
    const reached = this.#behind.filter((entry) => entry.stored < next);
    this.#behind = this.#behind.filter((entry) => entry.stored >= next);
    for (const entry of reached) {
      if (entry.done) continue;
      this.#settle(entry);
      entry.receiver.appended(entry.token, entry.message);
    }
  }

  #skipped(before: number): void {
    const lost = this.#transit.flight.before(before).filter((entry) => !entry.asked && !entry.done);
    if (lost.length === 0) return;
    this.#logger.warn({ messages: lost.length }, 'NATS passed over messages; they are sent again');
    this.#transit.sendAgain(lost);
  }

  /** Its publisher gets its answer now. */
  #settle(entry: Entry): void {
    this.#transit.settle(entry);
    entry.done = true;
  }

  #refuse(entry: Entry, error: BrokerError): void {
    if (entry.done) return;
    this.#settle(entry);
    entry.refused = true;
    this.#clock.defer(() => entry.receiver.refused(entry.token, error));
  }

  #refuseAll(error: BrokerError): void {
    const stuck = [...this.#transit.flight.all(), ...this.#transit.waiting.take(), ...this.#behind];
    this.#behind = [];
    for (const entry of stuck) this.#refuse(entry, error);
  }

  #answered(entry: Entry, message: Msg): void {
    const noOneThere = message.headers?.code === 503;
    const answer = noOneThere ? {} : parseAnswer(message.data);
    const error = apiError(answer);
    const sequence = number(answer.seq);
    if (error !== undefined && error.status < 500 && error.status !== 429) this.#refuse(entry, error);
    else if (error !== undefined || noOneThere || sequence === 0) {
      this.#transit.refused(error?.message ?? 'JetStream does not answer');
    } else if (answer.duplicate === true) {
      this.#transit.flight.remove(entry);
      entry.stored = sequence;
      this.#behind.push(entry);
      if (sequence < this.#host.passed()) this.#clock.defer(() => this.passed(this.#host.passed()));
      this.pump();
    } else {
      entry.stored = sequence;
    }
  }
}
