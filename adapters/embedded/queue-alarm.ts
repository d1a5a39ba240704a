import type { Clock, Timer } from '../../src/ports/clock.ts';

/** Who is to be told that something is due. */
export interface Sleeper {
  /** Milliseconds since 1970; Infinity: nothing is. */
  readonly due: number;
  awake(): void;
}

/** One timer for all queues. */
export class Alarm {
  readonly #clock: Clock;
  readonly #sleepers = new Set<Sleeper>();
  #timer: Timer | undefined;
  /** When it fires. */
  #at = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The sleeper's time may have changed. */
  set(sleeper: Sleeper): void {
    if (sleeper.due === Infinity) this.#sleepers.delete(sleeper);
    else this.#sleepers.add(sleeper);
    if (sleeper.due < this.#at) this.#schedule(sleeper.due);
  }

  remove(sleeper: Sleeper): void {
    this.#sleepers.delete(sleeper);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#at = Infinity;
    this.#sleepers.clear();
  }

  #schedule(at: number): void {
    this.#timer?.cancel();
    this.#at = at;
    // Timers may be a little early: then it looks again.
    this.#timer = this.#clock.schedule(Math.max(1, at - this.#clock.now()), () => this.#fire());
  }

  #fire(): void {
    this.#at = Infinity;
    const now = this.#clock.now();
    let next = Infinity;
    for (const sleeper of this.#sleepers) {
      if (sleeper.due > now) {
        next = Math.min(next, sleeper.due);
      } else {
        // It comes back when it knows what is due next.
        this.#sleepers.delete(sleeper);
        sleeper.awake();
      }
    }
    if (next < this.#at) this.#schedule(next);
  }
}
