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

  /** What is counted now is still true as long as this number is the same. */
  get changes(): number {
    return this.#changes;
  }

  changed(): void {
    this.#changes++;
    this.#quiet = 0;
    this.#next = QUIET;
  }

  /** Once a second: whether it is time. */
  tick(): boolean {
    if (++this.#quiet < this.#next) return false;
    this.#next *= QUIET;
    return true;
  }
}
