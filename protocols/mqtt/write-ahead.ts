import type { Place } from '../../src/ports/routing.ts';

/** Packets of a durable session that wait until its state, as it is with them, is durable; they leave in their order. */
export class WriteAhead {
  #place: Place | undefined;
  /** Takes in more until its write is encoded. */
  #batch: (() => void)[] | undefined;
  #unwritten = 0;

  /** Whether something waits, which nothing may overtake. */
  get pending(): boolean {
    return this.#unwritten > 0;
  }

  /** Where the state is kept; until it is known, nothing waits. */
  open(place: Place): void {
    this.#place = place;
  }

  /** The state has changed, in a way that may be forgotten in a crash. */
  changed(): void {
    this.#place?.changed();
  }

  /** Runs `action` after the next write of the state. */
  add(action: () => void): void {
    const place = this.#place;
    if (place === undefined) {
      action();
      return;
    }
    if (this.#batch === undefined) {
      const batch: (() => void)[] = [];
      this.#batch = batch;
      this.#unwritten++;
      void place.save().then(() => {
        for (const each of batch) each();
        // Not before: what one of them brings about must not overtake the rest.
        this.#unwritten--;
      });
    }
    this.#batch.push(action);
  }

  /** The state is being encoded: what is added from now on is in the next write. */
  encoded(): void {
    this.#batch = undefined;
  }
}
