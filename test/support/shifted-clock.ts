import type { Clock, Timer } from '../../src/ports/clock.ts';
import { SystemClock } from '../../src/system-clock.ts';

/** The machine's clock, that can be put forward. */
export class ShiftedClock implements Clock {
  readonly #clock = new SystemClock();
  shift = 0;
  readonly #scheduled = new Set<() => void>();

  now(): number {
    return this.#clock.now() + this.shift;
  }

  schedule(delay: number, task: () => void): Timer {
    const run = (): void => {
      timer.cancel();
      this.#scheduled.delete(run);
      task();
    };
    const timer = this.#clock.schedule(delay, run);
    this.#scheduled.add(run);
    return {
      cancel: () => {
        timer.cancel();
        this.#scheduled.delete(run);
      },
    };
  }

  /** Runs now what is scheduled for later. False when nothing is. */
  ring(): boolean {
    const scheduled = [...this.#scheduled];
    for (const run of scheduled) run();
    return scheduled.length > 0;
  }

  defer(task: () => void): void {
    this.#clock.defer(task);
  }

  random(count: number): Uint8Array {
    return this.#clock.random(count);
  }
}
