import { DedupWindow } from '../../src/core/dedup-window.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { QueueReceiver, QueueStores } from '../../src/ports/queue-store.ts';
import { Kept } from './kept.ts';
import type { DedupLimits } from './log.ts';
import { MemoryQueueStore } from './queue.ts';

/** Queues of one process: what is in them outlives their being closed, and ends with this object. */
export class MemoryQueueStores implements QueueStores {
  readonly #clock: Clock;
  readonly #dedup: DedupWindow;
  readonly #kept = new Map<string, Kept>();
  readonly #open = new Map<string, MemoryQueueStore>();
  /** Distinguishes a queue from one of the same name that was destroyed. */
  #made = 0;

  constructor(dedup: DedupLimits, clock: Clock) {
    this.#dedup = new DedupWindow(dedup);
    this.#clock = clock;
  }

  /** One that is open is taken over: its receiver hears that it is lost. */
  async open(name: string, receiver: QueueReceiver): Promise<MemoryQueueStore> {
    this.#open.get(name)?.lose();
    let kept = this.#kept.get(name);
    if (kept === undefined) {
      kept = new Kept(`${++this.#made}\0`, this.#dedup);
      this.#kept.set(name, kept);
    }
    const store: MemoryQueueStore = new MemoryQueueStore(kept, receiver, this.#clock, (destroyed) => {
      if (this.#open.get(name) === store) this.#open.delete(name);
      if (destroyed) this.#kept.delete(name);
    });
    this.#open.set(name, store);
    return store;
  }

  /** As if the process ended here: nobody hears of anything, and what was not durable is gone. */
  crash(): void {
    for (const store of this.#open.values()) store.abandon();
    this.#open.clear();
  }
}
