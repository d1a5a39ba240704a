import type { Clock, Timer } from '../../src/ports/clock.ts';
import { SystemClock } from '../../src/system-clock.ts';

interface Alarm {
  readonly at: number;
  readonly run: () => void;
}

/** The machine's clock, that can be put forward. */
export class ShiftedClock implements Clock {
  readonly #clock = new SystemClock();
  shift = 0;
  readonly #scheduled = new Set<Alarm>();

  now(): number {
    return this.#clock.now() + this.shift;
  }

  schedule(delay: number, task: () => void): Timer {
    const run = (): void => {
      timer.cancel();
      this.#scheduled.delete(alarm);
      task();
    };
    const timer = this.#clock.schedule(delay, run);
    const alarm = { at: this.now() + delay, run };
    this.#scheduled.add(alarm);
    return {
      cancel: () => {
        timer.cancel();
        this.#scheduled.delete(alarm);
      },
    };
  }

  /** Runs now what is scheduled for later. False when nothing is. */
  ring(): boolean {
    const scheduled = [...this.#scheduled];
    for (const { run } of scheduled) run();
    return scheduled.length > 0;
  }

  /** Lets so much time pass at once: what is due by then is run, in its order. */
  advance(milliseconds: number): void {
    this.shift += milliseconds;
    const due = [...this.#scheduled].filter(({ at }) => at <= this.now()).sort((a, b) => a.at - b.at);
    for (const { run } of due) run();
  }

  defer(task: () => void): void {
    this.#clock.defer(task);
  }

  random(count: number): Uint8Array {
    return this.#clock.random(count);
  }
}
