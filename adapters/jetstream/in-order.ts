/**
 * Runs what concerns one key one after the other, and different keys side by side. Counts changes, so that what must
 * not come before them can wait: those up to `done` are settled.
 */
export class InOrder {
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #listeners: (() => void)[] = [];
  readonly #open = new Set<number>();
  #begun = 0;

  begun(): number {
    return this.#begun;
  }

  done(): number {
    // The first one is the lowest: they are entered in order.
    for (const lowest of this.#open) return lowest - 1;
    return this.#begun;
  }

  onDone(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** After all of this key that were begun before. */
  after<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const running = before === undefined ? task() : before.then(task, task);
    this.#last.set(key, running);
    const forget = (): void => {
      if (this.#last.get(key) === running) this.#last.delete(key);
    };
    running.then(forget, forget);
    return running;
  }

  /** The same, counted as a change. */
  change<T>(key: string, task: () => Promise<T>): Promise<T> {
    const change = ++this.#begun;
    this.#open.add(change);
    const running = this.after(key, task);
    const settled = (): void => {
      this.#open.delete(change);
      for (const listener of this.#listeners) listener();
    };
    running.then(settled, settled);
    return running;
  }

  /** Resolves when all that were begun before are settled. */
  async all(): Promise<void> {
    await Promise.allSettled([...this.#last.values()]);
  }
}
