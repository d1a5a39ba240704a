import type { Msg } from 'nats';
import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { API, type ApiError, apiError, number, parseAnswer } from './api.ts';
import type { Connection } from './connection.ts';
import { DirectGet } from './direct-get.ts';
import { pendingSize } from './entry.ts';
import type { Frames } from './frames.ts';
import { headerText, idLine } from './headers.ts';
import type { JetStreamOptions } from './options.ts';
import type { OwnIds } from './own-ids.ts';
import { Transit } from './transit.ts';

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
  readonly #frames: Frames;
  readonly #ids: OwnIds;
  readonly #direct: DirectGet;
  readonly #transit: Transit<Push>;
  /** The highest sequence that was answered. */
  #last = 0;

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
    this.#frames = frames;
    this.#ids = ids;
    this.#direct = new DirectGet(connection, clock, stream);
    this.#transit = new Transit(connection, clock, logger, frames, options, {
      answered: (push, answer) => this.#answered(push, answer),
      find: () => this.#findStored(),
      pump: () => this.#pump(),
      refuseAll: (error) => this.#refuseAll(error),
    });
  }

  start(last: number): void {
    this.#last = last;
    this.#transit.start();
  }

  stop(): void {
    this.#transit.stop();
  }

  get pending(): number {
    return this.#transit.waiting.size + this.#transit.flight.count;
  }

  push(push: Push): void {
    const fault = this.#transit.unavailable() ?? this.#transit.overfull(push.bytes);
    if (fault !== undefined) {
      this.#clock.defer(() => push.receiver.failed(push, fault));
      return;
    }
    this.#transit.accept(push);
    if (this.#transit.waiting.size === 0 && this.#transit.free) this.#send(push);
    else this.#transit.wait(push);
  }

  /** A message of this node has come back from the stream: so it is there, whether or not that was answered. */
  seen(firstNumber: number, sequence: number): void {
    // Numbers of what is sent again differ; then the answer, which has the id to go by, says so.
    const push = this.#transit.flight.get(firstNumber);
    if (push !== undefined) this.#stored(push, sequence, false);
  }

  #pump(): void {
    const { waiting } = this.#transit;
    while (this.#transit.free) {
      const push = waiting.shift();
      if (push === undefined) return;
      this.#send(push);
    }
  }

  #send(push: Push): void {
    const { message } = push;
    const again = push.number !== 0;
    this.#transit.flight.add(push);
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
      this.#transit.settle(push);
      const error = new BrokerError(
        'tooLarge',
        `NATS takes messages of ${maxPayload} bytes with headers (max_payload)`,
      );
      this.#clock.defer(() => push.receiver.failed(push, error));
      return;
    }
    const reply = this.#transit.replyTo(push);
    const written = this.#frames.publish(push.subject, reply, headers, message.data, message.start, message.end);
    if (!again) message.adopt(written.bytes, written.start, written.end);
  }

  #stored(push: Push, sequence: number, repeated: boolean): void {
    this.#transit.settle(push);
    this.#transit.through();
    push.receiver.stored(push, sequence, repeated);
  }

  #refuse(push: Push, error: BrokerError): void {
    this.#transit.settle(push);
    push.receiver.failed(push, error);
  }

  #answered(push: Push, message: Msg): void {
    const noOneThere = message.headers?.code === 503;
    const answer = noOneThere ? {} : parseAnswer(message.data);
    const error = apiError(answer);
    const sequence = number(answer.seq);
    if (error !== undefined && isFinal(error)) {
      this.#refuse(push, isFull(error) ? new BrokerError('quota', `NATS has no room: ${error.message}`) : error);
    } else if (error !== undefined || noOneThere || sequence === 0) {
      this.#transit.refused(error?.message ?? 'JetStream does not answer');
      return;
    } else {
      const duplicate = answer.duplicate === true;
      if (!duplicate) this.#last = Math.max(this.#last, sequence);
      // Sent more than once, it may be its own repetition.
      this.#stored(push, sequence, duplicate && push.number === push.firstNumber);
    }
    this.#pump();
  }

  async #findStored(): Promise<void> {
    const { flight } = this.#transit;
    const missing = new Map(flight.all().map((push) => [push.firstNumber, push]));
    const { oldest } = flight;
    const everything = `${this.#options.prefix}.queue.>`;
    for (let from = (oldest?.after ?? 0) + 1; missing.size > 0; ) {
      const portion = await this.#direct.portion(from, everything, READ, READ_BYTES);
      for (const { sequence, bytes, headerBytes } of portion.messages) {
        from = sequence + 1;
        const firstNumber = this.#ids.numberIn(bytes, headerBytes);
        const push = missing.get(firstNumber);
        if (push === undefined || flight.get(push.number) !== push) continue;
        missing.delete(firstNumber);
        this.#stored(push, sequence, false);
      }
      // A replica that is behind may have been asked.
      if (portion.all && (this.#options.replicas === 1 || !(await this.#direct.more(from, everything)))) return;
    }
  }

  #refuseAll(error: BrokerError): void {
    for (const push of this.#transit.flight.all()) this.#refuse(push, error);
    for (const push of this.#transit.waiting.take()) this.#refuse(push, error);
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
