/**
 * Lets arrivals collect. A broker that writes every message by itself would wake this process for each of them, which
 * costs the broker's side of the kernel several microseconds (and the scheduler likes to put the two on one core): a
 * load generator that always jumps up makes such a broker look slower than it is. So when a turn of the event loop
 * brought little, the process sleeps for a moment before it looks again.
 */

/** Messages in one turn. Above it the generator has enough to do. */
const LITTLE = 1000;
/** Milliseconds; at most a few hundred messages of the thousands that are under way. */
const PAUSE = 0.2;

/** Begins, and returns what ends it. `count` is how many messages have arrived so far. */
export function collectArrivals(count: () => number): () => void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  let ended = false;
  let last = 0;
  const turn = (): void => {
    if (ended) return;
    const now = count();
    if (now - last < LITTLE) Atomics.wait(never, 0, 0, PAUSE);
    last = now;
    setImmediate(turn);
  };
  turn();
  return () => {
    ended = true;
  };
}
