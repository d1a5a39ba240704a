/** Ids of messages taken in lately, with the position of each: at most `messages` of them, each for `seconds`. */
export class DedupWindow {
  readonly #milliseconds: number;
  readonly #messages: number;
  /** In the order of their coming. */
  readonly #seen = new Map<string, { readonly sequence: number; readonly until: number }>();

  constructor({ seconds, messages }: { readonly seconds: number; readonly messages: number }) {
    this.#milliseconds = seconds * 1000;
    this.#messages = messages;
  }

  /** The sequence of the message that came with this id; undefined for a new one. */
  find(id: string, now: number): number | undefined {
    const seen = this.#seen.get(id);
    return seen === undefined || seen.until <= now ? undefined : seen.sequence;
  }

  add(id: string, sequence: number, now: number): void {
    this.#seen.delete(id);
    this.#seen.set(id, { sequence, until: now + this.#milliseconds });
    for (const [oldest, { until }] of this.#seen) {
      if (until > now && this.#seen.size <= this.#messages) break;
      this.#seen.delete(oldest);
    }
  }

  remove(id: string): void {
    this.#seen.delete(id);
  }
}
