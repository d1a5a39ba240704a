import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between looks. */
const LOOK = 10;

/** Waits until `look` finds something (anything but undefined and false), and returns it; fails after `milliseconds`. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  milliseconds = 5000,
): Promise<T> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await sleep(LOOK);
  }
}
