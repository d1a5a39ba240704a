import type { Count } from './queue-contents.ts';

/** Seconds without a change after which messages are counted again; then after four times as many, and so on. */
const QUIET = 4;

/**
 * When a queue is counted again: applications take messages without a word, and a replica that was behind may have shown some that
 * were gone. Not while messages are stored and removed: such a count is over before it is there.
 */
export class Recount {
  #quiet = 0;
  #next = QUIET;
  #changes = 0;

  changed(): void {
    this.#changes++;
    this.#quiet = 0;
    this.#next = QUIET;
  }

  /** Once a second: counts, when it is time. `settled`: nothing is on its way. */
  async tick(ask: () => Promise<Count>, settled: () => boolean, counted: (count: Count) => void): Promise<void> {
    if (++this.#quiet < this.#next) return;
    this.#next *= QUIET;
    const changes = this.#changes;
    try {
      const found = await ask();
      // Something went on meanwhile: it is counted when that is over.
      if (changes === this.#changes && settled()) counted(found);
    } catch {
      // NATS is away: the next one counts.
    }
  }
}
