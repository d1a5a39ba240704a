/** What can run something later: a clock. */
export interface Schedule {
  schedule(delay: number, task: () => void): unknown;
}

/** Resolves so many milliseconds from now. */
export function pause(clock: Schedule, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(milliseconds, resolve);
  });
}
