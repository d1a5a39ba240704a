import type { Consumption, Outcome } from '../../ports/queues.ts';

/** The hold of a consumer on a queue that goes with its last consumer: tells when it has let go. */
export class WatchedConsumption implements Consumption {
  readonly opened: Promise<void>;
  readonly #inner: Consumption;
  readonly #left: (forGood: boolean) => void;

  constructor(inner: Consumption, left: (forGood: boolean) => void) {
    this.opened = inner.opened;
    this.#inner = inner;
    this.#left = left;
  }

  settle(delivery: number, outcome: Outcome, delay?: number): void {
    this.#inner.settle(delivery, outcome, delay);
  }

  holds(delivery: number): boolean {
    return this.#inner.holds(delivery);
  }

  settled(): Promise<void> {
    return this.#inner.settled();
  }

  pump(): void {
    this.#inner.pump();
  }

  cancel(): void {
    this.#inner.cancel();
    this.#left(true);
  }

  interrupted(): void {
    this.#inner.cancel();
    this.#left(false);
  }
}
