/** Time and chance, so that everything inside runs the same from one seed in a simulation. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` once, `delay` milliseconds from now. */
  schedule(delay: number, task: () => void): Timer;
  /** Runs `task` after the work at hand, before the next input is read. */
  defer(task: () => void): void;
  /** `count` unpredictable bytes. */
  random(count: number): Uint8Array;
}

export interface Timer {
  cancel(): void;
}
