import { createInbox, type Subscription } from 'nats';
import { BrokerError } from '../../src/core/errors.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { AckReplies } from './ack-replies.ts';
import { API, ApiError } from './api.ts';
import type { Connection } from './connection.ts';
import type { Frames } from './frames.ts';

/** Milliseconds after which what is not confirmed is deleted instead. */
const LATE = 2_500;
/** Deletions under way at a time. */
const DELETIONS = 256;

interface Batch {
  readonly number: number;
  readonly ids: readonly number[];
}

interface Waiter {
  readonly batch: number;
  readonly since: number;
  resolve(): void;
  reject(error: BrokerError): void;
}

/**
 * Acknowledgements of one consumer on their way to the server: those of a turn together, of which the last one asks for an answer.
 * The server goes through them in order, so then all are known to be there. Those that it does not confirm it may not know of: one
 * that was killed begins again with an earlier state of the consumer. Then the messages themselves are deleted.
 */
export class Removals {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #frames: Frames;
  readonly #hold: number;
  readonly #stream: string;
  readonly #replies: AckReplies;
  readonly #inbox = createInbox();
  /** Not confirmed: message and delivery. */
  readonly #open = new Map<number, number>();
  #batches: Batch[] = [];
  #waiters: Waiter[] = [];
  #unsent: number[] = [];
  #lastBatch = 0;
  #sentAt = 0;
  #scheduled = false;
  #stopped = false;
  #deleting = false;
  #subscription: Subscription | undefined;
  readonly #flush = (): void => this.#send();

  constructor(
    connection: Connection,
    clock: Clock,
    frames: Frames,
    holdSeconds: number,
    stream: string,
    replies: AckReplies,
  ) {
    this.#connection = connection;
    this.#clock = clock;
    this.#frames = frames;
    this.#hold = holdSeconds * 1000;
    this.#stream = stream;
    this.#replies = replies;
  }

  has(id: number): boolean {
    return this.#open.has(id);
  }

  get pending(): number {
    return this.#open.size;
  }

  add(id: number, consumed: number): void {
    this.#open.set(id, consumed);
    this.#unsent.push(id);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.defer(this.#flush);
  }

  /** Given once more although it is acknowledged. */
  again(id: number, consumed: number): void {
    this.#open.set(id, consumed);
    this.#frames.publish(this.#replies.subject(id, consumed), '', '', NOTHING, 0, 0);
  }

  async flushed(): Promise<void> {
    if (this.#unsent.length > 0) this.#send();
    if (this.#open.size === 0 || this.#stopped) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiters.push({ batch: this.#lastBatch, since: this.#clock.now(), resolve, reject });
    });
  }

  /** Deletes what is not confirmed. */
  async repeat(): Promise<void> {
    if (this.#deleting || this.#open.size === 0 || !this.#connection.up) return;
    this.#deleting = true;
    this.#unsent = [];
    this.#batches = [];
    const batch = this.#lastBatch;
    const ids = [...this.#open.keys()];
    let failed = false;
    while (ids.length > 0 && !failed && !this.#stopped) {
      const answers = await Promise.all(ids.splice(0, DELETIONS).map((id) => this.#delete(id)));
      failed = answers.includes(false);
    }
    this.#deleting = false;
    this.#sentAt = this.#clock.now();
    if (!failed && !this.#stopped) this.#tell(batch);
  }

  async #delete(id: number): Promise<boolean> {
    try {
      await this.#connection.ask(`$JS.API.STREAM.MSG.DELETE.${this.#stream}`, { seq: id, no_erase: true });
    } catch (error) {
      // It says in several ways that there is no such message, and of one before the stream's first, that deleting it failed.
      const { deleteFailed } = API;
      const unclear = !(error instanceof ApiError) || (error.status >= 500 && error.apiCode !== deleteFailed);
      if (unclear || (error.apiCode === deleteFailed && (await this.#exists(id)))) return false;
    }
    this.#open.delete(id);
    return true;
  }

  /** Or is not known not to. */
  async #exists(seq: number): Promise<boolean> {
    try {
      await this.#connection.ask(`$JS.API.STREAM.MSG.GET.${this.#stream}`, { seq });
      return true;
    } catch (error) {
      return !(error instanceof ApiError && error.apiCode === API.noMessage);
    }
  }

  tick(now: number): void {
    if (this.#open.size === 0) return;
    if (now - this.#sentAt > LATE) void this.repeat();
    const late = this.#waiters.filter(({ since }) => now - since > Math.max(this.#hold, LATE));
    if (late.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !late.includes(waiter));
    const why = this.#connection.away ?? 'NATS does not confirm acknowledgements';
    for (const { reject } of late) reject(new BrokerError('unavailable', why));
  }

  stop(): void {
    this.#stopped = true;
    this.#subscription?.unsubscribe();
    const error = new BrokerError('unavailable', 'the queue is closed');
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  #send(): void {
    this.#scheduled = false;
    const ids = this.#unsent;
    if (ids.length === 0 || this.#stopped) return;
    this.#unsent = [];
    this.#subscription ??= this.#connection.subscribe(`${this.#inbox}.*`, ({ headers, subject }) => {
      // Without the consumer, or a leader of it, the server answers that nobody hears it.
      if (headers?.code !== NO_RESPONDERS) this.#confirmed(Number(subject.slice(this.#inbox.length + 1)));
    });
    this.#sentAt = this.#clock.now();
    this.#batches.push({ number: ++this.#lastBatch, ids });
    const reply = `${this.#inbox}.${this.#lastBatch}`;
    const last = ids.length - 1;
    for (const [i, id] of ids.entries()) {
      const subject = this.#replies.subject(id, this.#open.get(id) ?? 1);
      this.#frames.publish(subject, i === last ? reply : '', '', NOTHING, 0, 0);
    }
  }

  #confirmed(batch: number): void {
    for (let first = this.#batches[0]; first !== undefined && first.number <= batch; first = this.#batches[0]) {
      for (const id of first.ids) this.#open.delete(id);
      this.#batches.shift();
    }
    this.#tell(batch);
  }

  #tell(batch: number): void {
    if (this.#waiters.length === 0) return;
    const done = this.#waiters.filter((waiter) => waiter.batch <= batch);
    this.#waiters = this.#waiters.filter((waiter) => waiter.batch > batch);
    for (const { resolve } of done) resolve();
  }
}

/** Status in the headers of such an answer. */
const NO_RESPONDERS = 503;

const NOTHING = new Uint8Array(0);
