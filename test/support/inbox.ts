/** Milliseconds a test waits for something to arrive before it fails. */
const PATIENCE = 5000;

/** What a connection received, to be taken one by one; waiting ends with the connection or in time. */
export class Inbox<T> {
  readonly #items: T[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async next(): Promise<T> {
    const deadline = Date.now() + PATIENCE;
    while (this.#items.length === 0) {
      if (this.#closed) throw new Error('the broker closed the connection where more was expected');
      await this.#change(deadline);
    }
    const [item] = this.#items.splice(0, 1);
    if (item === undefined) throw new Error('unreachable');
    return item;
  }

  /** All there was, once the connection is closed. */
  async end(): Promise<T[]> {
    const deadline = Date.now() + PATIENCE;
    while (!this.#closed) await this.#change(deadline);
    return this.#items.splice(0);
  }

  #change(deadline: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error('nothing came from the broker in time')),
        Math.max(0, deadline - Date.now()),
      );
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
