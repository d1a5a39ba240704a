import type { Sleeper } from './queue-alarm.ts';
import type { QueueBlock } from './queue-block.ts';
import { readDue } from './queue-reads.ts';
import type { QueueParts } from './queues.ts';
import type { Store } from './store.ts';

/** Whose messages become due. */
export interface DueOwner {
  readonly number: number;
  readonly closed: boolean;
  flushed(): Promise<void>;
  /** What has become due goes to its lanes. Resolves when it is durable. */
  moved(blocks: readonly { readonly from: QueueBlock; readonly to: QueueBlock }[]): Promise<void>;
  unreadable(error: unknown, store: Store): void;
}

/** What of a queue is due later. It is in the store only; when the time comes, it is moved to its lane. */
export class Due implements Sleeper {
  /** Nothing is due before. */
  due: number;
  readonly #owner: DueOwner;
  readonly #parts: QueueParts;
  #moving = false;
  /** Of what came while the store is asked, and may not be found there. */
  #meanwhile = Infinity;

  constructor(due: number, owner: DueOwner, parts: QueueParts) {
    this.due = due;
    this.#owner = owner;
    this.#parts = parts;
  }

  /** When something is due, in whole milliseconds; 0 when it is due now. */
  later(dueAt: number): number {
    if (!(dueAt > this.#parts.clock.now())) return 0;
    const at = Math.min(Math.ceil(dueAt), Number.MAX_SAFE_INTEGER);
    this.due = Math.min(this.due, at);
    this.#meanwhile = Math.min(this.#meanwhile, at);
    return at;
  }

  awake(): void {
    if (!this.#moving && !this.#owner.closed) void this.#move();
  }

  async #move(): Promise<void> {
    const { store } = this.#parts;
    if (store === undefined) return;
    this.#moving = true;
    this.#meanwhile = Infinity;
    try {
      // What is on its way may be due already, and would not be found.
      await this.#owner.flushed();
      const { number } = this.#owner;
      const { moved, next } = await readDue(store, number, this.due, this.#parts.clock.now());
      if (number !== this.#owner.number || this.#owner.closed) return;
      this.due = Math.min(next, this.#meanwhile);
      await this.#owner.moved(moved);
    } catch (error) {
      this.#owner.unreadable(error, store);
    } finally {
      this.#moving = false;
      if (!this.#owner.closed && this.#parts.store !== undefined) this.#parts.alarm.set(this);
    }
  }
}
