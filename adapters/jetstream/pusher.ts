import { createInbox, type Msg } from 'nats';
import { copyOf } from '../../src/core/bytes.ts';
import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { API, type ApiError, apiError, number, parseAnswer } from './api.ts';
import type { Connection } from './connection.ts';
import { DirectGet } from './direct-get.ts';
import { EntryQueue, Flight, pendingSize } from './entry.ts';
import type { Frames } from './frames.ts';
import { headerText, idLine } from './headers.ts';
import type { JetStreamOptions } from './options.ts';
import type { OwnIds } from './own-ids.ts';

/** Messages and bytes that are on their way to the server at a time. A stream of nats-server takes in 10,000 at most. */
const WINDOW = 4096;
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Milliseconds between looks at what has become of the messages under way; after which one is late; until it is tried again. */
const LOOK = 500;
const LATE = 2_500;
const AGAIN = 250;
/** Messages and bytes of one read. */
const READ = 1000;
const READ_BYTES = 8 * 1024 * 1024;

export interface PushReceiver {
  /** `repeated`: it was there before, by its id. */
  stored(push: Push, sequence: number, repeated: boolean): void;
  failed(push: Push, error: BrokerError): void;
}

/** A message on its way into a queue. */
export class Push {
  readonly message: Message;
  readonly receiver: PushReceiver;
  /** Who is to hear of it in the end. */
  readonly origin: AppendReceiver;
  readonly token: number;
  readonly subject: string;
  /** Header lines beside those of the message. */
  readonly lines: string;
  /** By which the server knows a repetition; undefined for most. */
  readonly dedupId: string | undefined;
  readonly priority: number;
  /** It comes later, of itself. */
  readonly waits: boolean;
  readonly bytes: number;
  /** Of its last sending, and of its first, which names it. */
  number = 0;
  firstNumber = 0;
  sentAt = 0;
  /** A sequence of the stream that it has not. */
  after = 0;

  constructor(
    message: Message,
    receiver: PushReceiver,
    origin: AppendReceiver,
    token: number,
    subject: string,
    lines: string,
    dedupId: string | undefined,
    priority = 0,
    waits = false,
  ) {
    this.message = message;
    this.receiver = receiver;
    this.origin = origin;
    this.token = token;
    this.subject = subject;
    this.lines = lines;
    this.dedupId = dedupId;
    this.priority = priority;
    this.waits = waits;
    this.bytes = pendingSize(message);
  }
}

/**
 * Sends messages to queues, in order, a bounded number at a time; the server answers each. When answers do not come (the
 * connection was lost, a server died), nothing more is sent until the stream has been read from the last answer on; what is not
 * there is sent again, before anything newer, with an id, so that the server takes in one of all its repetitions.
 */
export class Pusher {
  readonly #options: JetStreamOptions;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #frames: Frames;
  readonly #ids: OwnIds;
  readonly #direct: DirectGet;
  readonly #queue = new EntryQueue<Push>();
  readonly #flight = new Flight<Push>();
  readonly #inbox = createInbox();
  #bytes = 0;
  #flightBytes = 0;
  /** The highest sequence that was answered. */
  #last = 0;
  #recovering = false;
  /** Since when messages do not get through. */
  #troubleSince: number | undefined;
  /** Why messages are refused at once. */
  #refusing: string | undefined;
  #look: Timer | undefined;

  constructor(
    options: JetStreamOptions,
    connection: Connection,
    clock: Clock,
    logger: Logger,
    frames: Frames,
    stream: string,
    ids: OwnIds,
  ) {
    this.#options = options;
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
    this.#frames = frames;
    this.#ids = ids;
    this.#direct = new DirectGet(connection, clock, stream);
    connection.listen({ up: () => void this.#recover('connected again'), down: () => this.#trouble() });
  }

  start(last: number): void {
    this.#last = last;
    this.#connection.subscribe(`${this.#inbox}.*`, (message) => this.#answered(message));
    this.#tick();
  }

  stop(): void {
    this.#look?.cancel();
    this.#refuseAll('the broker stops');
  }

  get pending(): number {
    return this.#queue.length + this.#flight.count;
  }

  push(push: Push): void {
    const { message } = push;
    const fault = this.#fault(push);
    if (fault !== undefined) {
      this.#clock.defer(() => push.receiver.failed(push, fault));
      return;
    }
    this.#bytes += push.bytes;
    if (this.#queue.length === 0 && this.#free()) {
      this.#send(push);
      return;
    }
    message.adopt(copyOf(message.data, message.start, message.end), 0, message.size);
    this.#queue.push(push);
  }

  /** A message of this node has come back from the stream: so it is there, whether or not that was answered. */
  seen(firstNumber: number, sequence: number): void {
    // Numbers of what is sent again differ; then the answer, which has the id to go by, says so.
    const push = this.#flight.get(firstNumber);
    if (push !== undefined) this.#stored(push, sequence, false);
  }

  #fault(push: Push): BrokerError | undefined {
    if (this.#refusing !== undefined) return new BrokerError('unavailable', this.#refusing);
    if (this.#bytes + push.bytes > this.#options.pendingBytes) {
      return new BrokerError('quota', 'too many messages wait to become durable (backbone.pendingBytes)');
    }
    return undefined;
  }

  #pump(): void {
    for (let push = this.#queue.peek(); push !== undefined; push = this.#queue.peek()) {
      if (!this.#free()) return;
      this.#queue.shift();
      this.#send(push);
    }
  }

  #free(): boolean {
    if (this.#recovering || !this.#connection.up || this.#flight.full) return false;
    return this.#flight.count < WINDOW && this.#flightBytes < WINDOW_BYTES;
  }

  #send(push: Push): void {
    const { message } = push;
    const again = push.number !== 0;
    this.#flight.add(push);
    this.#flightBytes += push.bytes;
    if (!again) {
      push.firstNumber = push.number;
      push.after = this.#last;
    }
    push.sentAt = this.#clock.now();
    const id = this.#ids.of(push.firstNumber);
    const dedupId = push.dedupId ?? (again ? id : undefined);
    const lines = dedupId === undefined ? push.lines : push.lines + idLine(dedupId);
    const headers = headerText(message, id, lines);
    if (message.size + headers.length > this.#connection.maxPayload) {
      const { maxPayload } = this.#connection;
      message.keep();
      this.#land(push);
      const error = new BrokerError(
        'tooLarge',
        `NATS takes messages of ${maxPayload} bytes with headers (max_payload)`,
      );
      this.#clock.defer(() => push.receiver.failed(push, error));
      return;
    }
    const reply = `${this.#inbox}.${push.number}`;
    const written = this.#frames.publish(push.subject, reply, headers, message.data, message.start, message.end);
    if (!again) message.adopt(written.bytes, written.start, written.end);
  }

  /** No longer under way, and answered. */
  #land(push: Push): void {
    this.#flight.remove(push);
    this.#flightBytes -= push.bytes;
    this.#bytes -= push.bytes;
  }

  #stored(push: Push, sequence: number, repeated: boolean): void {
    this.#land(push);
    if (!this.#recovering) this.#troubleSince = undefined;
    push.receiver.stored(push, sequence, repeated);
  }

  #refuse(push: Push, error: BrokerError): void {
    this.#land(push);
    push.receiver.failed(push, error);
  }

  #answered(message: Msg): void {
    const push = this.#flight.get(Number(message.subject.slice(this.#inbox.length + 1)));
    if (push === undefined) return;
    const noOneThere = message.headers?.code === 503;
    const answer = noOneThere ? {} : parseAnswer(message.data);
    const error = apiError(answer);
    const sequence = number(answer.seq);
    if (error !== undefined && isFinal(error)) {
      this.#refuse(push, isFull(error) ? new BrokerError('quota', `NATS has no room: ${error.message}`) : error);
    } else if (error !== undefined || noOneThere || sequence === 0) {
      this.#trouble();
      void this.#recover(error?.message ?? 'JetStream does not answer', AGAIN);
      return;
    } else {
      const duplicate = answer.duplicate === true;
      if (!duplicate) this.#last = Math.max(this.#last, sequence);
      // Sent more than once, it may be its own repetition.
      this.#stored(push, sequence, duplicate && push.number === push.firstNumber);
    }
    this.#pump();
  }

  #trouble(): void {
    this.#troubleSince ??= this.#clock.now();
    if (this.#options.holdSeconds === 0) this.#giveUp();
  }

  /** Finds out which of the messages under way are in the stream, and sends the others again. */
  async #recover(why: string, wait = 0): Promise<void> {
    if (this.#recovering) return;
    this.#recovering = true;
    if (this.#flight.count > 0) {
      this.#trouble();
      this.#logger.debug({ why, messages: this.#flight.count }, 'Looking for what has become of messages for queues');
    }
    if (wait > 0) await this.#pause(wait);
    while (this.#connection.up) {
      const { losses } = this.#connection;
      try {
        this.#frames.flush();
        await this.#connection.flush();
        await this.#findStored();
        if (losses === this.#connection.losses) break;
      } catch {
        await this.#pause(AGAIN);
      }
    }
    this.#recovering = false;
    if (!this.#connection.up) return;
    const lost = this.#flight.all();
    for (const push of lost) {
      this.#flight.remove(push);
      this.#flightBytes -= push.bytes;
    }
    this.#queue.unshift(lost);
    if (lost.length === 0) this.#troubleSince = undefined;
    this.#refusing = undefined;
    this.#pump();
  }

  async #findStored(): Promise<void> {
    const missing = new Map(this.#flight.all().map((push) => [push.firstNumber, push]));
    const { oldest } = this.#flight;
    const everything = `${this.#options.prefix}.queue.>`;
    for (let from = (oldest?.after ?? 0) + 1; missing.size > 0; ) {
      const portion = await this.#direct.portion(from, everything, READ, READ_BYTES);
      for (const { sequence, bytes, headerBytes } of portion.messages) {
        from = sequence + 1;
        const firstNumber = this.#ids.numberIn(bytes, headerBytes);
        const push = missing.get(firstNumber);
        if (push === undefined || this.#flight.get(push.number) !== push) continue;
        missing.delete(firstNumber);
        this.#stored(push, sequence, false);
      }
      // A replica that is behind may have been asked.
      if (portion.all && (this.#options.replicas === 1 || !(await this.#direct.more(from, everything)))) return;
    }
  }

  #refuseAll(why: string): void {
    const error = new BrokerError('unavailable', why);
    for (const push of this.#flight.all()) this.#refuse(push, error);
    for (const push of this.#queue.take()) {
      this.#bytes -= push.bytes;
      push.receiver.failed(push, error);
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.schedule(milliseconds, resolve);
    });
  }

  #tick(): void {
    this.#look = this.#clock.schedule(LOOK, () => {
      const now = this.#clock.now();
      const { oldest } = this.#flight;
      if (oldest !== undefined && now - oldest.sentAt > LATE && this.#connection.up) {
        this.#troubleSince ??= oldest.sentAt;
        void this.#recover('no answer in time');
      }
      const { holdSeconds } = this.#options;
      if (this.#troubleSince !== undefined && now - this.#troubleSince >= holdSeconds * 1000) this.#giveUp();
      this.#tick();
    });
  }

  #giveUp(): void {
    this.#refusing =
      this.#connection.away ??
      `NATS has not taken messages for ${this.#options.holdSeconds} s (backbone.nats.holdSeconds)`;
    this.#refuseAll(this.#refusing);
  }
}

/** Whether trying again would not help soon. */
function isFinal(error: ApiError): boolean {
  return (error.status < 500 && error.status !== 429) || isFull(error);
}

/** The server, the account or the disk is full, or the stream by what an operator has set. */
function isFull({ apiCode, message }: ApiError): boolean {
  return FULL.has(apiCode) || (apiCode === API.storeFailed && message.includes('maximum'));
}

const FULL: ReadonlySet<number> = new Set([API.accountExceeded, API.insufficientResources, API.storageExceeded]);
