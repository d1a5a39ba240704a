import { createInbox, type Msg, type Subscription } from 'nats';
import type { Clock } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { AckReplies, type Arrival } from './ack-replies.ts';
import { type Answer, API, ApiError, number, record } from './api.ts';
import { type Connection, explain } from './connection.ts';
import type { DirectGet, Stored } from './direct-get.ts';
import type { Frames } from './frames.ts';
import type { PassedOver } from './passed.ts';
import { type Raw, raw } from './raw.ts';
import { Removals } from './removals.ts';
import type { Turns } from './turns.ts';

/** Milliseconds after which the server gives a message again of which it has heard nothing. */
const ACK_WAIT = 30_000;
/** Unsettled messages of a queue, with those that wait to be tried again. */
const MAX_PENDING = 1_000_000;
/** Milliseconds in which a pull is answered. */
const EXPIRES = 60_000;
/** Milliseconds until another attempt. */
const AGAIN = 500;
/** Milliseconds without a message after which, though there are some, the pulls are taken for lost. */
const STALLED = 2_000;
const NANOSECONDS = 1_000_000;
/** The longest that the server is asked to wait; what comes before its time then is released again. */
const LONGEST_DELAY = 24 * 3_600_000;
/** Messages and bytes of one read for what another node had. */
const READ = 1000;
const READ_BYTES = 8 * 1024 * 1024;

const PROGRESS = Buffer.from('+WPI');

export interface LaneHost {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly frames: Frames;
  readonly direct: DirectGet;
  readonly stream: string;
  readonly holdSeconds: number;
  readonly turns: Turns;
}

export interface LaneReceiver {
  arrived(lane: Lane, message: Msg, raw: Raw, arrival: Arrival): void;
  /**
   * An owner before had these, and has neither removed nor released them, or has released them: they are to be released.
   * `consumed` is a number of a delivery that serves for all.
   */
  inherited(lane: Lane, stored: readonly Stored[], consumed: number): void;
  /** It was passed over, and comes again. */
  revisited(lane: Lane, passed: PassedOver, stored: Stored): void;
  /** More messages may come, and should be requested. */
  resumed(): void;
}

/** The messages of one priority of a queue: a durable consumer, of which only the queue's owner pulls. */
export class Lane {
  readonly priority: number;
  readonly removals: Removals;
  readonly #host: LaneHost;
  readonly #receiver: LaneReceiver;
  readonly #consumer: string;
  readonly #subject: string;
  readonly #description: string;
  readonly #inbox = createInbox();
  readonly #replies: AckReplies;
  #subscription: Subscription | undefined;
  #state: 'new' | 'opening' | 'open' | 'closed' = 'new';
  /** Messages that the server was asked for and has not given. */
  #requested = 0;
  #pulls = 0;
  /** Pulls before this one are forgotten: what the server says of them does not count. */
  #firstPull = 1;
  #heard = 0;
  /** Sequences of the last that is known to be there, and of the last that came for the first time. */
  #lastStored = 0;
  #lastCame = 0;
  #more = false;
  #stalled = false;
  /** Whether its absence has been reported. */
  #reported = false;

  constructor(
    priority: number,
    consumer: string,
    subject: string,
    description: string,
    more: boolean,
    host: LaneHost,
    receiver: LaneReceiver,
  ) {
    this.priority = priority;
    this.#consumer = consumer;
    this.#subject = subject;
    this.#description = description;
    this.#more = more;
    this.#host = host;
    this.#receiver = receiver;
    this.#replies = new AckReplies(host.stream, consumer);
    this.removals = new Removals(
      host.connection,
      host.clock,
      host.frames,
      host.holdSeconds,
      host.stream,
      this.#replies,
    );
  }

  /** Messages are to come that the server has not given yet. */
  get awaits(): boolean {
    return this.#more && this.#state !== 'closed';
  }

  /** A message is in it, with this sequence. */
  stored(sequence: number): void {
    this.#lastStored = Math.max(this.#lastStored, sequence);
    if (this.#lastStored > this.#lastCame) this.#more = true;
  }

  /** Everything up to this sequence was removed. */
  purged(): void {
    this.#more = false;
  }

  /** So many should be on their way. The consumer is made when there is none. */
  request(count: number): void {
    if (this.#state !== 'open') {
      if (this.#state === 'new') void this.#open();
      return;
    }
    const { connection, stream } = this.#host;
    const missing = count - this.#requested;
    // The server holds only so many pulls of a consumer: small ones wait until they are worth it.
    if (missing <= 0 || missing * 2 < this.#requested || !connection.up) return;
    if (this.#requested === 0) this.#heard = this.#host.clock.now();
    this.#requested += missing;
    connection.nats.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#consumer}`,
      JSON.stringify({ batch: missing, expires: EXPIRES * NANOSECONDS }),
      { reply: `${this.#inbox}.${++this.#pulls}` },
    );
  }

  /** Back to the server, which gives it again after so many milliseconds. */
  release(id: number, consumed: number, delay: number): void {
    const wait = Math.round(Math.min(delay, LONGEST_DELAY) * NANOSECONDS);
    const answer = wait > 0 ? `-NAK {"delay":${wait}}` : '-NAK';
    this.#answer(id, consumed, Buffer.from(answer));
  }

  /** This node still has it. */
  progress(id: number, consumed: number): void {
    this.#answer(id, consumed, PROGRESS);
  }

  #answer(id: number, consumed: number, answer: Uint8Array): void {
    this.#host.frames.publish(this.#replies.subject(id, consumed), '', '', answer, 0, answer.length);
  }

  /** Once a second. */
  tick(now: number): void {
    this.removals.tick(now);
    if (this.#state !== 'open' || this.#requested === 0 || !this.#host.connection.up) return;
    if (now - this.#heard < (this.#more ? STALLED : EXPIRES + STALLED)) return;
    // The pulls are lost; or, when it is the same with others, someone else has removed what is to come.
    if (this.#stalled) this.#more = false;
    this.#stalled = true;
    this.#forgetPulls();
    this.#receiver.resumed();
  }

  down(): void {
    this.#forgetPulls();
  }

  /** NATS is there again. */
  up(): void {
    void this.removals.repeat();
    if (this.#state === 'open') {
      this.#state = 'new';
      void this.#open();
    }
  }

  /** What was pulled and not removed has been released. */
  async close(): Promise<void> {
    this.#state = 'closed';
    try {
      await this.removals.flushed();
    } finally {
      this.stop();
    }
  }

  stop(): void {
    this.#state = 'closed';
    this.removals.stop();
    this.#subscription?.unsubscribe();
  }

  async destroy(): Promise<void> {
    this.stop();
    const { connection, stream } = this.#host;
    try {
      await connection.ask(`$JS.API.CONSUMER.DELETE.${stream}.${this.#consumer}`);
    } catch (error) {
      if (!(error instanceof ApiError && error.apiCode === API.consumerNotFound)) throw error;
    }
  }

  async #open(): Promise<void> {
    if (this.#state !== 'new' || !this.#host.connection.up) return;
    this.#state = 'opening';
    try {
      const found = await this.#host.turns.run(async () => (this.#closed() ? undefined : this.#create()));
      if (found === undefined || this.#closed()) return;
      if (this.#subscription === undefined) {
        this.#subscription = this.#host.connection.subscribe(`${this.#inbox}.*`, (message) => this.#message(message));
        this.#more = number(found.num_pending) > 0;
        await this.#inherit(found);
      }
      if (this.#closed()) return;
      this.#state = 'open';
      this.#reported = false;
      this.#forgetPulls();
      this.#receiver.resumed();
    } catch (error) {
      if (this.#closed()) return;
      this.#state = 'new';
      if (!this.#host.connection.up) return;
      const { logger } = this.#host;
      if (!this.#reported)
        logger.warn({ consumer: this.#consumer, error: explain(error) }, 'A queue cannot be read yet');
      this.#reported = true;
      this.#host.clock.schedule(AGAIN, () => void this.#open());
    }
  }

  #closed(): boolean {
    return this.#state === 'closed';
  }

  /** Or finds it, and how far it has come. */
  #create(): Promise<Answer> {
    const { connection, stream } = this.#host;
    return connection.ask(`$JS.API.CONSUMER.CREATE.${stream}.${this.#consumer}`, {
      stream_name: stream,
      config: {
        durable_name: this.#consumer,
        description: this.#description,
        deliver_policy: 'all',
        ack_policy: 'explicit',
        ack_wait: ACK_WAIT * NANOSECONDS,
        max_deliver: -1,
        max_ack_pending: MAX_PENDING,
        replay_policy: 'instant',
        filter_subject: this.#subject,
      },
    });
  }

  /**
   * What is in the stream up to where the consumer stands was given to an owner before: it is to come at once, not after
   * `ack_wait`.
   */
  async #inherit(found: Answer): Promise<void> {
    if (number(found.num_ack_pending) === 0) return;
    const delivered = record(found.delivered);
    const until = number(delivered.stream_seq);
    for (let from = number(record(found.ack_floor).stream_seq) + 1; from <= until; ) {
      const { messages, all } = await this.#host.direct.portion(from, this.#subject, READ, READ_BYTES);
      const theirs = messages.filter(({ sequence }) => sequence <= until);
      if (this.#closed()) return;
      this.#receiver.inherited(this, theirs, number(delivered.consumer_seq));
      const last = messages[messages.length - 1];
      if (all || last === undefined) return;
      from = last.sequence + 1;
    }
  }

  #message(message: Msg): void {
    this.#heard = this.#host.clock.now();
    const bytes = raw(message);
    if (bytes.reply.length === 0) {
      this.#status(message);
      return;
    }
    this.#stalled = false;
    if (this.#requested > 0) this.#requested--;
    const replies = this.#replies;
    replies.read(bytes.reply);
    if (replies.delivered === 1) this.#lastCame = Math.max(this.#lastCame, replies.id);
    this.#more = replies.pending > 0 || this.#lastStored > this.#lastCame;
    this.#receiver.arrived(this, message, bytes, replies);
  }

  #status(message: Msg): void {
    const { headers } = message;
    const code = headers?.code ?? 0;
    const pull = Number(message.subject.slice(this.#inbox.length + 1));
    if (code === 100 || pull < this.#firstPull || this.#state !== 'open') return;
    const left = Number.parseInt(headers?.get('Nats-Pending-Messages') ?? '', 10);
    if (code === 408 && Number.isFinite(left)) {
      this.#requested = Math.max(0, this.#requested - left);
      this.#receiver.resumed();
      return;
    }
    // The consumer is gone, or its server is.
    this.#forgetPulls();
    this.#state = 'opening';
    this.#host.clock.schedule(AGAIN, () => {
      if (this.#state !== 'opening') return;
      this.#state = 'new';
      void this.#open();
    });
  }

  #forgetPulls(): void {
    this.#requested = 0;
    this.#firstPull = this.#pulls + 1;
    this.#heard = this.#host.clock.now();
  }
}
