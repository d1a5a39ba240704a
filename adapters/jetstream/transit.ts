import { createInbox, type Msg } from 'nats';
import { copyOf } from '../../src/core/bytes.ts';
import { BrokerError } from '../../src/core/errors.ts';
import { Fifo } from '../../src/core/fifo.ts';
import { pause } from '../../src/core/pause.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import type { Connection } from './connection.ts';
import { Flight, type Sendable } from './flight.ts';
import type { Frames } from './frames.ts';

/** Milliseconds between looks at what has become of the messages under way. */
const LOOK = 500;
/** Milliseconds after which a message of which nothing is heard is looked for. Looking costs little. */
const LATE = 2_500;
/** Milliseconds until messages that the server refused for now are sent again. */
const AGAIN = 250;

export interface TransitOptions {
  readonly pendingBytes: number;
  readonly holdSeconds: number;
}

export interface TransitHost<T> {
  /** The server's answer to one that was sent with `replyTo`. */
  answered(entry: T, answer: Msg): void;
  /** Finds out which of the messages under way are in the stream; fails when NATS does not say. */
  find(): Promise<void>;
  /** Sends what may be sent now. */
  pump(): void;
  /** Refuses what waits and what is under way. */
  refuseAll(error: BrokerError): void;
}

/**
 * Messages on their way to the server, a bounded number at a time, and those that wait to be sent, in order. When it is not
 * heard what became of some (the connection was lost, a server died, it refuses for now), nothing more is sent until that has
 * been found out; what is not in the stream then is sent again, before anything newer. When that takes longer than
 * publishers are held, all are refused, and what comes meanwhile.
 */
export class Transit<T extends Sendable> {
  readonly waiting = new Fifo<T>();
  readonly flight = new Flight<T>();
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #frames: Frames;
  readonly #options: TransitOptions;
  readonly #host: TransitHost<T>;
  readonly #inbox = createInbox();
  /** Of what waits, is under way, or is there and not settled. */
  #bytes = 0;
  #recovering = false;
  /** Since when messages do not get through. */
  #troubleSince: number | undefined;
  /** Why messages are refused at once. */
  #refusing: string | undefined;
  #look: Timer | undefined;

  constructor(
    connection: Connection,
    clock: Clock,
    logger: Logger,
    frames: Frames,
    options: TransitOptions,
    host: TransitHost<T>,
  ) {
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
    this.#frames = frames;
    this.#options = options;
    this.#host = host;
    connection.listen({ up: () => void this.recover('connected again'), down: () => this.#trouble() });
  }

  start(): void {
    this.#connection.subscribe(`${this.#inbox}.*`, (message) => {
      const entry = this.flight.get(Number(message.subject.slice(this.#inbox.length + 1)));
      if (entry !== undefined) this.#host.answered(entry, message);
    });
    this.#tick();
  }

  stop(): void {
    this.#look?.cancel();
    this.#host.refuseAll(new BrokerError('unavailable', 'the broker stops'));
  }

  get bytes(): number {
    return this.#bytes;
  }

  get recovering(): boolean {
    return this.#recovering;
  }

  get refusing(): string | undefined {
    return this.#refusing;
  }

  /** One more may be sent now. */
  get free(): boolean {
    return !this.#recovering && this.#connection.up && this.flight.room;
  }

  unavailable(): BrokerError | undefined {
    return this.#refusing === undefined ? undefined : new BrokerError('unavailable', this.#refusing);
  }

  overfull(bytes: number): BrokerError | undefined {
    if (this.#bytes + bytes <= this.#options.pendingBytes) return undefined;
    return new BrokerError('quota', 'too many messages wait to become durable (backbone.pendingBytes)');
  }

  /** Counts it until it is settled. */
  accept(entry: T): void {
    this.#bytes += entry.bytes;
  }

  /** It is sent later. Its bytes are copied: where they are, others come. */
  wait(entry: T): void {
    const { message } = entry;
    message.adopt(copyOf(message.data, message.start, message.end), 0, message.size);
    this.waiting.push(entry);
  }

  /** Subject for the server's answer to it. */
  replyTo(entry: T): string {
    return `${this.#inbox}.${entry.number}`;
  }

  /** Its publisher gets its answer now. */
  settle(entry: T): void {
    this.flight.remove(entry);
    this.#bytes -= entry.bytes;
  }

  /** A message has become durable. */
  through(): void {
    if (!this.#recovering) this.#troubleSince = undefined;
  }

  /** They were sent, and are not in the stream. */
  sendAgain(lost: readonly T[]): void {
    for (const entry of lost) this.flight.remove(entry);
    this.waiting.unshift(lost);
  }

  /** The server does not take in messages for now. */
  refused(why: string): void {
    this.#trouble();
    void this.recover(why, AGAIN);
  }

  /** Finds out which of the messages under way are in the stream, and sends the others again. */
  async recover(why: string, wait = 0): Promise<void> {
    if (this.#recovering) return;
    this.#recovering = true;
    if (this.flight.count > 0) {
      this.#trouble();
      this.#logger.debug({ why, messages: this.flight.count }, 'Looking for what has become of messages under way');
    }
    if (wait > 0) await pause(this.#clock, wait);
    while (this.#connection.up) {
      const { losses } = this.#connection;
      try {
        this.#frames.flush();
        await this.#connection.flush();
        await this.#host.find();
        if (losses === this.#connection.losses) break;
      } catch {
        await pause(this.#clock, AGAIN);
      }
    }
    this.#recovering = false;
    if (!this.#connection.up) return;
    const lost = this.flight.all();
    this.sendAgain(lost);
    if (lost.length === 0) this.#troubleSince = undefined;
    this.#refusing = undefined;
    this.#host.pump();
  }

  #trouble(): void {
    this.#troubleSince ??= this.#clock.now();
    if (this.#options.holdSeconds === 0) this.#giveUp();
  }

  #tick(): void {
    this.#look = this.#clock.schedule(LOOK, () => {
      const now = this.#clock.now();
      const { oldest } = this.flight;
      if (oldest !== undefined && now - oldest.sentAt > LATE && this.#connection.up) {
        this.#troubleSince ??= oldest.sentAt;
        void this.recover('no answer in time');
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
    this.#host.refuseAll(new BrokerError('unavailable', this.#refusing));
  }
}
