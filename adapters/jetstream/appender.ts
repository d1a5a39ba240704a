import type { Msg } from 'nats';
import { createInbox } from 'nats';
import { copyOf } from '../../src/core/bytes.ts';
import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { apiError, number, parseAnswer } from './api.ts';
import type { Connection } from './connection.ts';
import { Entry, EntryQueue, Flight, pendingSize } from './entry.ts';
import { Frames } from './frames.ts';
import { headerText, idLine } from './headers.ts';
import type { TopicSubjects } from './subjects.ts';

/** Messages and bytes that are on their way to the server at a time. A stream of nats-server takes in 10,000 at most. */
const WINDOW = 4096;
const WINDOW_BYTES = 4 * 1024 * 1024;
/** One message in so many is asked after; and one whenever none was for so many milliseconds. */
const ASK_EVERY = 64;
const ASK_AFTER = 20;
/** Milliseconds between looks at what has become of the messages under way. */
const LOOK = 500;
/**
 * Milliseconds that the oldest message may be under way when others are sent. A stream without a leader drops messages;
 * those that came later, when it has one again, would overtake those that have to be sent again.
 */
const STALLED = 250;
/** Milliseconds after which a message that the tail has not brought is looked for. Looking costs little. */
const LATE = 2_500;
/** Milliseconds until messages that the server refused for now are sent again. */
const AGAIN = 250;
/** Numbers of messages sent more than once that are remembered. */
const REPEATED = 100_000;

export interface AppenderHost {
  readonly options: { readonly pendingBytes: number; readonly holdSeconds: number };
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
  readonly #queue = new EntryQueue();
  readonly #flight = new Flight();
  /** Sent more than once, by each of their numbers. */
  readonly #repeated = new Map<number, Entry>();
  /** Repetitions whose first the server has at a sequence that the tail has still to pass. */
  #behind: Entry[] = [];
  readonly #frames: Frames;
  readonly #inbox = createInbox();
  #bytes = 0;
  #flightBytes = 0;
  /** When it was last looked whether something may be sent, which is when it is sent. */
  #now = 0;
  #askedAt = 0;
  #recovering = false;
  /** Since when messages do not get through. */
  #troubleSince: number | undefined;
  /** Why messages are refused at once. */
  #refusing: string | undefined;
  #look: Timer | undefined;

  constructor(connection: Connection, clock: Clock, logger: Logger, subjects: TopicSubjects, host: AppenderHost) {
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
    this.#subjects = subjects;
    this.#host = host;
    this.#frames = new Frames(connection, clock);
    connection.listen({ up: () => void this.#recover('connected again'), down: () => this.#trouble() });
  }

  start(): void {
    this.#connection.subscribe(`${this.#inbox}.*`, (message) => this.#answered(message));
    this.#tick();
  }

  stop(): void {
    this.#look?.cancel();
    this.#refuseAll('the broker stops');
  }

  get pending(): number {
    return this.#queue.length + this.#flight.count + this.#behind.length;
  }

  congested(): boolean {
    return this.#bytes * 2 > this.#host.options.pendingBytes || !this.#connection.up || this.#recovering;
  }

  notReady(): string | undefined {
    return this.#refusing;
  }

  append(message: Message, receiver: AppendReceiver, token: number): void {
    const subject = this.#subjects.subjectOf(message.topic);
    const bytes = pendingSize(message);
    const fault = this.#fault(message, subject, bytes);
    if (fault !== undefined || subject === undefined) {
      this.#clock.defer(() => receiver.refused(token, fault ?? new BrokerError('topicInvalid')));
      return;
    }
    this.#bytes += bytes;
    const entry = new Entry(message, receiver, token, subject, bytes, this.#host.changesBegun());
    if (this.#queue.length === 0 && this.#free(entry)) {
      this.#send(entry);
      return;
    }
    message.adopt(copyOf(message.data, message.start, message.end), 0, message.size);
    this.#queue.push(entry);
  }

  #fault(message: Message, subject: string | undefined, bytes: number): BrokerError | undefined {
    if (this.#refusing !== undefined) return new BrokerError('unavailable', this.#refusing);
    if (subject === undefined) return new BrokerError('topicInvalid', 'the topic is longer than NATS can carry');
    if (message.size > this.#connection.maxPayload) {
      return new BrokerError(
        'tooLarge',
        `NATS takes messages of ${this.#connection.maxPayload} bytes (its max_payload)`,
      );
    }
    if (this.#bytes + bytes > this.#host.options.pendingBytes) {
      return new BrokerError('quota', 'too many messages wait to become durable (backbone.pendingBytes)');
    }
    return undefined;
  }

  /** Sends what may be sent now. */
  pump(): void {
    for (let entry = this.#queue.peek(); entry !== undefined; entry = this.#queue.peek()) {
      if (!entry.done && !this.#free(entry)) return;
      this.#queue.shift();
      if (!entry.done) this.#send(entry);
    }
  }

  /** Whether it may be sent now. */
  #free(entry: Entry): boolean {
    if (this.#recovering || !this.#connection.up || this.#flight.full) return false;
    if (this.#flight.count >= WINDOW || this.#flightBytes >= WINDOW_BYTES) return false;
    this.#now = this.#clock.now();
    const { oldest } = this.#flight;
    if (oldest !== undefined && this.#now - oldest.sentAt > STALLED) return false;
    return entry.barrier <= this.#host.changesDone();
  }

  #send(entry: Entry): void {
    const { message } = entry;
    const again = entry.number !== 0;
    if (again) this.#repeat(entry.number, entry);
    this.#flight.add(entry);
    if (again) this.#repeat(entry.number, entry);
    else entry.firstNumber = entry.number;
    this.#flightBytes += entry.bytes;
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
    const reply = entry.asked ? `${this.#inbox}.${entry.number}` : '';
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
    const entry = this.#flight.get(sent) ?? this.#repeated.get(sent);
    if (entry === undefined || entry.refused) return undefined;
    if (entry.done) return 'double';
    entry.message.sequence = sequence;
    this.#settle(entry);
    if (!this.#recovering) this.#troubleSince = undefined;
    // They were sent before on the same way: what is neither stored nor answered, the server has passed over.
    if (this.#flight.oldest !== undefined && this.#flight.oldest.number < sent && !this.#recovering)
      this.#skipped(sent);
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
    const lost = this.#flight.before(before).filter((entry) => !entry.asked && !entry.done);
    if (lost.length === 0) return;
    this.#logger.warn({ messages: lost.length }, 'NATS passed over messages; they are sent again');
    for (const entry of lost) this.#land(entry);
    this.#queue.unshift(lost);
  }

  /** No longer under way. */
  #land(entry: Entry): void {
    if (this.#flight.get(entry.number) !== entry) return;
    this.#flight.remove(entry);
    this.#flightBytes -= entry.bytes;
  }

  /** Its publisher gets its answer now. */
  #settle(entry: Entry): void {
    this.#land(entry);
    entry.done = true;
    this.#bytes -= entry.bytes;
  }

  #refuse(entry: Entry, error: BrokerError): void {
    if (entry.done) return;
    this.#settle(entry);
    entry.refused = true;
    this.#clock.defer(() => entry.receiver.refused(entry.token, error));
  }

  #refuseAll(why: string): void {
    const error = new BrokerError('unavailable', why);
    const stuck = [...this.#flight.all(), ...this.#queue.take(), ...this.#behind];
    this.#behind = [];
    for (const entry of stuck) this.#refuse(entry, error);
  }

  #answered(message: Msg): void {
    const sent = Number(message.subject.slice(this.#inbox.length + 1));
    const entry = this.#flight.get(sent);
    if (entry === undefined) return;
    const noOneThere = message.headers?.code === 503;
    const answer = noOneThere ? {} : parseAnswer(message.data);
    const error = apiError(answer);
    const sequence = number(answer.seq);
    if (error !== undefined && error.status < 500 && error.status !== 429) this.#refuse(entry, error);
    else if (error !== undefined || noOneThere || sequence === 0) {
      this.#trouble();
      void this.#recover(error?.message ?? 'JetStream does not answer', AGAIN);
    } else if (answer.duplicate === true) {
      this.#land(entry);
      entry.stored = sequence;
      this.#behind.push(entry);
      if (sequence < this.#host.passed()) this.#clock.defer(() => this.passed(this.#host.passed()));
      this.pump();
    } else {
      entry.stored = sequence;
    }
  }

  #trouble(): void {
    this.#troubleSince ??= this.#clock.now();
    if (this.#host.options.holdSeconds === 0) this.#giveUp();
  }

  /** Finds out which of the messages under way are in the stream, and sends the others again. */
  async #recover(why: string, wait = 0): Promise<void> {
    if (this.#recovering) return;
    this.#recovering = true;
    this.#trouble();
    this.#logger.debug({ why, messages: this.#flight.count }, 'Looking for what has become of messages under way');
    if (wait > 0) await this.#pause(wait);
    while (this.#connection.up) {
      const { losses } = this.#connection;
      try {
        this.#frames.flush();
        await this.#connection.flush();
        await this.#host.caughtUp();
        if (losses === this.#connection.losses) break;
      } catch {
        await this.#pause(AGAIN);
      }
    }
    this.#recovering = false;
    if (!this.#connection.up) return;
    const lost = this.#flight.all().filter((entry) => !entry.done);
    for (const entry of lost) this.#land(entry);
    this.#queue.unshift(lost);
    if (lost.length === 0) this.#troubleSince = undefined;
    this.#refusing = undefined;
    this.pump();
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.schedule(milliseconds, resolve);
    });
  }

  #tick(): void {
    this.#look = this.#clock.schedule(LOOK, () => {
      const now = this.#clock.now();
      const oldest = this.#flight.oldest;
      if (oldest !== undefined && now - oldest.sentAt > LATE && this.#connection.up) {
        this.#troubleSince ??= oldest.sentAt;
        void this.#recover('no answer in time');
      }
      const { holdSeconds } = this.#host.options;
      if (this.#troubleSince !== undefined && now - this.#troubleSince >= holdSeconds * 1000) this.#giveUp();
      this.#tick();
    });
  }

  #giveUp(): void {
    this.#refusing =
      this.#connection.away ??
      `NATS has not taken messages for ${this.#host.options.holdSeconds} s (backbone.nats.holdSeconds)`;
    this.#refuseAll(this.#refusing);
  }
}
