import type { Held } from './queue-lane.ts';

/** Who has messages in memory that wait. */
export interface Holder {
  /** Gives that memory back. */
  evict(): void;
}

/** Bounds what all queues have in memory of messages that wait: those that were used longest ago give theirs back. */
export class Windows implements Held {
  bytes = 0;
  readonly #limit: number;
  /** The one used longest ago first. */
  readonly #holders = new Set<Holder>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The holder has just got some, and is about to use it. */
  use(holder: Holder): void {
    this.#holders.delete(holder);
    this.#holders.add(holder);
    if (this.bytes <= this.#limit) return;
    for (const oldest of this.#holders) {
      if (this.bytes <= this.#limit || oldest === holder) return;
      this.#holders.delete(oldest);
      oldest.evict();
    }
  }

  leave(holder: Holder): void {
    this.#holders.delete(holder);
  }
}
