import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MemoryState } from '../../../../adapters/memory/state.ts';
import type { FakeClock } from './harness.ts';

/** A store in which what is written is seen at once, and durable when the test says so. */
export class SlowStore {
  readonly #clock: FakeClock;
  #waiting: (() => void)[] = [];

  constructor(state: MemoryState, clock: FakeClock) {
    this.#clock = clock;
    const [put, remove] = [state.put.bind(state), state.remove.bind(state)];
    state.put = (bucket, key, value, expected) => this.#later(put(bucket, key, value, expected));
    state.remove = (bucket, key, expected) => this.#later(remove(bucket, key, expected));
  }

  async #later<T>(written: Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
    return written;
  }

  /** What goes on without the store is done. */
  async turn(): Promise<void> {
    for (let i = 0; i < 10; i++) {
      await nextTurn();
      this.#clock.settle();
    }
  }

  /** All that is written so far is durable, and what follows from that is done, too. */
  async durable(): Promise<void> {
    await this.turn();
    for (const resolve of this.#waiting.splice(0)) resolve();
    await this.turn();
  }
}
