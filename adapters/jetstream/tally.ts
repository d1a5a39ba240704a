import type { Contents, Count } from './queue-contents.ts';
import { Recount } from './recount.ts';

/** How much is in a queue: counted when it was opened and now and then, and what came and went since. */
export class Tally {
  messages: number;
  bytes: number;
  /** The end of the stream when messages were last counted. */
  #countedTo: number;
  readonly #recount = new Recount();

  constructor({ messages, bytes, last }: Contents) {
    this.messages = messages;
    this.bytes = bytes;
    this.#countedTo = last;
  }

  stored(bytes: number): void {
    this.#recount.changed();
    this.messages++;
    this.bytes += bytes;
  }

  /** It came, and someone else has stored it. */
  found(id: number, bytes: number): void {
    if (id <= this.#countedTo) return;
    this.messages++;
    this.bytes += bytes;
  }

  removed(bytes: number): void {
    this.#recount.changed();
    this.messages = Math.max(0, this.messages - 1);
    this.bytes = this.messages === 0 ? 0 : Math.max(0, this.bytes - bytes);
  }

  /** `left`: so many are in it in any case. */
  purged(count: number, bytes: number, left: number): void {
    this.messages = Math.max(left, this.messages - count);
    this.bytes = Math.max(0, this.bytes - bytes);
  }

  clear(): void {
    this.messages = 0;
    this.bytes = 0;
  }

  /** Once a second: counts anew when it is time. `settled`: nothing is on its way. */
  async tick(ask: () => Promise<Count>, settled: () => boolean): Promise<void> {
    if (!this.#recount.tick()) return;
    const { changes } = this.#recount;
    try {
      const { messages, last } = await ask();
      // Something went on meanwhile: it is counted when that is over.
      if (changes !== this.#recount.changes || !settled()) return;
      this.bytes = this.messages === 0 ? 0 : Math.round((this.bytes / this.messages) * messages);
      this.messages = messages;
      this.#countedTo = last;
    } catch {
      // NATS is away: the next one counts.
    }
  }
}
