import { createInbox, type Subscription } from 'nats';
import { BrokerError } from '../../src/core/errors.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { AckReplies } from './ack-replies.ts';
import type { Connection } from './connection.ts';
import type { Frames } from './frames.ts';

/** Milliseconds after which acknowledgements that are not confirmed are repeated. */
const LATE = 2_500;

interface Batch {
  readonly number: number;
  readonly count: number;
}

interface Waiter {
  readonly batch: number;
  readonly since: number;
  resolve(): void;
  reject(error: BrokerError): void;
}

/**
 * Acknowledgements of one consumer on their way to the server: those of a turn together, of which the last one asks for an answer.
 * The server goes through them in order, so then all are known to be there. Until then they are kept, and repeated.
 */
export class Removals {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #frames: Frames;
  readonly #hold: number;
  readonly #replies: AckReplies;
  readonly #inbox = createInbox();
  /** Not confirmed: message and delivery, in the order of sending; those of this turn at the end. */
  readonly #open = new Map<number, number>();
  #batches: Batch[] = [];
  #waiters: Waiter[] = [];
  #unsent: number[] = [];
  #lastBatch = 0;
  #sentAt = 0;
  #scheduled = false;
  #stopped = false;
  #subscription: Subscription | undefined;
  readonly #flush = (): void => this.#send();

  constructor(connection: Connection, clock: Clock, frames: Frames, holdSeconds: number, replies: AckReplies) {
    this.#connection = connection;
    this.#clock = clock;
    this.#frames = frames;
    this.#hold = holdSeconds * 1000;
    this.#replies = replies;
  }

  has(id: number): boolean {
    return this.#open.has(id);
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

  /** All that are not confirmed. */
  repeat(): void {
    if (this.#open.size === 0) return;
    this.#unsent = [...this.#open.keys()];
    this.#batches = [];
    this.#send();
    // Whoever waited waits for what this batch confirms, which is the same.
    const batch = this.#lastBatch;
    this.#waiters = this.#waiters.map((waiter) => ({ ...waiter, batch }));
  }

  tick(now: number): void {
    if (this.#open.size === 0) return;
    if (this.#connection.up && now - this.#sentAt > LATE) this.repeat();
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
    this.#subscription ??= this.#connection.subscribe(`${this.#inbox}.*`, (message) =>
      this.#confirmed(Number(message.subject.slice(this.#inbox.length + 1))),
    );
    this.#sentAt = this.#clock.now();
    this.#batches.push({ number: ++this.#lastBatch, count: ids.length });
    const reply = `${this.#inbox}.${this.#lastBatch}`;
    const last = ids.length - 1;
    for (const [i, id] of ids.entries()) {
      const subject = this.#replies.subject(id, this.#open.get(id) ?? 1);
      this.#frames.publish(subject, i === last ? reply : '', '', NOTHING, 0, 0);
    }
  }

  #confirmed(batch: number): void {
    let count = 0;
    const first = this.#batches[0];
    if (first === undefined || first.number > batch) return;
    while ((this.#batches[0]?.number ?? Infinity) <= batch) count += this.#batches.shift()?.count ?? 0;
    for (const id of this.#open.keys()) {
      if (count-- <= 0) break;
      this.#open.delete(id);
    }
    if (this.#waiters.length === 0) return;
    const done = this.#waiters.filter((waiter) => waiter.batch <= batch);
    this.#waiters = this.#waiters.filter((waiter) => waiter.batch > batch);
    for (const { resolve } of done) resolve();
  }
}

const NOTHING = new Uint8Array(0);
