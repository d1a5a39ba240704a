import type { Msg, Subscription } from 'nats';
import { createInbox } from 'nats';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { record } from './api.ts';
import { type Connection, explain, SHORT } from './connection.ts';
import { type Raw, raw } from './raw.ts';

/** Messages of one pull, and how few may be left of it until the next is sent: the server never waits for us. */
const PULL = 8192;
const LOW = 4096;
/** Bytes of one pull; the server ends connections that have 64 MB to be read. A single message may be larger. */
const PULL_BYTES = 8 * 1024 * 1024;
/** Milliseconds in which a pull is answered, and between the server's signs of life within it. */
const EXPIRES = 30_000;
const HEARTBEAT = 2_000;
/** Signs of life that may be missing. */
const MISSED = 2;
/** Milliseconds after which the server forgets a consumer that no one pulls from. */
const FORGOTTEN = 60_000;
/** Milliseconds until another attempt. */
const AGAIN = 250;

const DOT = 0x2e;
const ZERO = 0x30;

export interface TailReceiver {
  /** Each message of the stream from the position on, once, in order. `time` is the server's, milliseconds since 1970. */
  message(message: Msg, raw: Raw, sequence: number, time: number): void;
}

/**
 * Follows a stream from a position on. The position is ours: whatever becomes of the server's consumer (gone with its
 * node, stalled after a change of leader, skipping), another one is made from there.
 */
export class Tail {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stream: string;
  readonly #receiver: TailReceiver;
  #next = 1;
  #running = false;
  /** Every consumer has a name and an inbox of its own: what an earlier one still sends is not mistaken. */
  #consumer: string | undefined;
  #inbox = '';
  #subscription: Subscription | undefined;
  #consumed = 0;
  #wanted = 0;
  #pulls = 0;
  #heard = 0;
  #watch: Timer | undefined;
  #retry: Timer | undefined;
  /** Whether its absence has been reported. */
  #reported = false;
  /** Bytes before the numbers in the reply subject of its messages; 0 until the first. */
  #replyStart = 0;

  constructor(connection: Connection, clock: Clock, logger: Logger, stream: string, receiver: TailReceiver) {
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
    this.#stream = stream;
    this.#receiver = receiver;
    connection.listen({ up: () => this.#restart('connected again'), down: () => this.#forget() });
  }

  /** The sequence after the last message given. */
  get next(): number {
    return this.#next;
  }

  async start(next: number): Promise<void> {
    this.#next = next;
    this.#running = true;
    this.#look();
    await this.#recreate();
  }

  stop(): void {
    this.#running = false;
    this.#watch?.cancel();
    this.#retry?.cancel();
    const consumer = this.#consumer;
    this.#forget();
    if (consumer !== undefined && this.#connection.up) {
      this.#connection.nats.publish(`$JS.API.CONSUMER.DELETE.${this.#stream}.${consumer}`);
    }
  }

  async #create(): Promise<void> {
    this.#forget();
    const name = Buffer.from(this.#clock.random(6)).toString('base64url');
    this.#consumer = name;
    this.#inbox = createInbox();
    this.#subscription = this.#connection.subscribe(`${this.#inbox}.*`, (message) => {
      if (this.#consumer === name) this.#message(message);
    });
    this.#consumed = 0;
    this.#wanted = 0;
    this.#replyStart = 0;
    this.#heard = this.#clock.now();
    const config = {
      name,
      deliver_policy: 'by_start_sequence',
      opt_start_seq: this.#next,
      ack_policy: 'none',
      replay_policy: 'instant',
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: FORGOTTEN * 1_000_000,
    };
    const answer = await this.#connection.ask(
      `$JS.API.CONSUMER.CREATE.${this.#stream}.${name}`,
      {
        stream_name: this.#stream,
        config,
        action: 'create',
      },
      SHORT,
    );
    if (this.#consumer !== name || record(answer.config).name !== name) return;
    this.#heard = this.#clock.now();
    this.#reported = false;
    this.#pull();
  }

  #pull(): void {
    while (this.#wanted < LOW) {
      this.#wanted += PULL;
      const request = {
        batch: PULL,
        max_bytes: Math.max(PULL_BYTES, this.#connection.maxPayload * 2),
        expires: EXPIRES * 1_000_000,
        idle_heartbeat: HEARTBEAT * 1_000_000,
      };
      this.#connection.nats.publish(
        `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${this.#consumer}`,
        JSON.stringify(request),
        { reply: `${this.#inbox}.${++this.#pulls}` },
      );
    }
  }

  #message(message: Msg): void {
    this.#heard = this.#clock.now();
    const bytes = raw(message);
    if (bytes.reply.length === 0) {
      this.#status(message);
      return;
    }
    const reply = bytes.reply;
    if (this.#replyStart === 0) this.#replyStart = numbersStart(reply);
    // delivered . stream sequence . consumer sequence . nanoseconds since 1970 . pending
    let at = this.#replyStart;
    while (at < reply.length && reply[at] !== DOT) at++;
    let sequence = 0;
    for (at++; at < reply.length && reply[at] !== DOT; at++) sequence = sequence * 10 + ((reply[at] ?? 0) - ZERO);
    let consumed = 0;
    for (at++; at < reply.length && reply[at] !== DOT; at++) consumed = consumed * 10 + ((reply[at] ?? 0) - ZERO);
    let time = 0;
    const timeEnd = reply.indexOf(DOT, at + 1) - 6;
    for (at++; at < timeEnd; at++) time = time * 10 + ((reply[at] ?? 0) - ZERO);
    if (consumed !== this.#consumed + 1) {
      this.#restart(`its messages have a gap: ${consumed} after ${this.#consumed}`);
      return;
    }
    this.#consumed = consumed;
    this.#wanted--;
    if (sequence >= this.#next) {
      this.#receiver.message(message, bytes, sequence, time);
      this.#next = sequence + 1;
    }
    if (this.#wanted < LOW) this.#pull();
  }

  #status(message: Msg): void {
    const { headers } = message;
    const code = headers?.code ?? 0;
    if (code === 100) return;
    const description = headers?.description ?? '';
    const left = Number.parseInt(headers?.get('Nats-Pending-Messages') ?? '', 10);
    if (Number.isFinite(left)) this.#wanted -= left;
    if (code === 408 || (code === 409 && /batch completed|maxbytes|max bytes/i.test(description))) {
      if (this.#wanted < 0) this.#wanted = 0;
      this.#pull();
      return;
    }
    // 404, 409 with another reason, 503: the consumer is gone, or its server is.
    this.#restart(`${code} ${description}`);
  }

  /** From where it was, with another consumer, in a moment. */
  #restart(why: string): void {
    this.#forget();
    if (!this.#running) return;
    this.#logger.debug({ stream: this.#stream, next: this.#next, why }, 'The tail begins again');
    this.#retry?.cancel();
    if (this.#connection.up) void this.#recreate();
  }

  async #recreate(): Promise<void> {
    const creating = this.#create();
    const consumer = this.#consumer;
    try {
      await creating;
    } catch (error) {
      if (!this.#running || this.#consumer !== consumer) return;
      this.#forget();
      if (!this.#reported) {
        this.#logger.warn({ stream: this.#stream, error: explain(error) }, 'The tail could not begin again yet');
      }
      this.#reported = true;
      this.#retry?.cancel();
      this.#retry = this.#clock.schedule(AGAIN, () => {
        if (this.#connection.up && this.#running && this.#consumer === undefined) void this.#recreate();
      });
    }
  }

  #look(): void {
    this.#watch = this.#clock.schedule(HEARTBEAT, () => {
      const silent = this.#clock.now() - this.#heard > HEARTBEAT * MISSED + HEARTBEAT / 2;
      if (silent && this.#consumer !== undefined && this.#connection.up) this.#restart('nothing is heard of it');
      this.#look();
    });
  }

  #forget(): void {
    this.#consumer = undefined;
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }
}

/**
 * Where the numbers begin in `$JS.ACK.<stream>.<consumer>.` or, with domains,
 * `$JS.ACK.<domain>.<account>.<stream>.<consumer>.`: five numbers, and in the longer form one more token, follow.
 */
function numbersStart(reply: Uint8Array): number {
  let dots = 0;
  for (const byte of reply) if (byte === DOT) dots++;
  let skipped = dots <= 8 ? 4 : 6;
  for (let at = 0; at < reply.length; at++) if (reply[at] === DOT && --skipped === 0) return at + 1;
  return reply.length;
}
