import type { Clock, Timer } from '../../src/ports/clock.ts';
import { SystemClock } from '../../src/system-clock.ts';

/** The machine's clock, that can be put forward. */
export class ShiftedClock implements Clock {
  readonly #clock = new SystemClock();
  shift = 0;

  now(): number {
    return this.#clock.now() + this.shift;
  }

  schedule(delay: number, task: () => void): Timer {
    return this.#clock.schedule(delay, task);
  }

  defer(task: () => void): void {
    this.#clock.defer(task);
  }

  random(count: number): Uint8Array {
    return this.#clock.random(count);
  }
}
