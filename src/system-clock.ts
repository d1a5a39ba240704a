import { randomFillSync } from 'node:crypto';
import type { Clock, Timer } from './ports/clock.ts';

/** The machine's time and chance. */
export class SystemClock implements Clock {
  #deferred: (() => void)[] = [];
  #scheduled = false;
  readonly #run = (): void => {
    this.#scheduled = false;
    const tasks = this.#deferred;
    this.#deferred = [];
    for (const task of tasks) task();
  };

  now(): number {
    return Date.now();
  }

  schedule(delay: number, task: () => void): Timer {
    // Node fires timers beyond 2^31 - 1 ms at once; what is that far away is looked at again later.
    const timer =
      delay > MAX_DELAY ? new LongTimer(this, delay, task) : new NodeTimer(setTimeout(task, Math.max(0, delay)));
    return timer;
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#run);
    }
  }

  random(count: number): Uint8Array {
    return randomFillSync(new Uint8Array(count));
  }
}

const MAX_DELAY = 2 ** 31 - 1;

class NodeTimer implements Timer {
  readonly #timer: NodeJS.Timeout;

  constructor(timer: NodeJS.Timeout) {
    this.#timer = timer;
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}

class LongTimer implements Timer {
  #step: Timer;

  constructor(clock: Clock, delay: number, task: () => void) {
    const next = (left: number): Timer =>
      left > MAX_DELAY
        ? clock.schedule(MAX_DELAY, () => {
            this.#step = next(left - MAX_DELAY);
          })
        : clock.schedule(left, task);
    this.#step = next(delay);
  }

  cancel(): void {
    this.#step.cancel();
  }
}
