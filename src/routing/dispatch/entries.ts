import type { QueueEntry } from '../../ports/queue-store.ts';

export function priorityOf(entry: QueueEntry): number {
  return entry.message.properties?.priority ?? 0;
}

/** The order of delivery: the highest priority first, in each the oldest. */
export function precedes(a: QueueEntry, b: QueueEntry): boolean {
  const [first, second] = [a.message.properties, b.message.properties];
  // Nearly always neither has any.
  if (first === second) return a.id < b.id;
  const difference = (first?.priority ?? 0) - (second?.priority ?? 0);
  return difference === 0 ? a.id < b.id : difference > 0;
}

/** Messages in the order of their delivery. Those that come in that order, or go back to the front, cost no search. */
export class EntryList {
  #items: (QueueEntry | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  get first(): QueueEntry | undefined {
    return this.#items[this.#head];
  }

  get last(): QueueEntry | undefined {
    return this.#items[this.#items.length - 1];
  }

  add(entry: QueueEntry): void {
    const { first, last } = this;
    if (first === undefined || last === undefined || precedes(last, entry)) this.#items.push(entry);
    else if (this.#head > 0 && precedes(entry, first)) this.#items[--this.#head] = entry;
    else this.#items.splice(this.#placeOf(entry), 0, entry);
  }

  shift(): QueueEntry | undefined {
    const entry = this.#items[this.#head];
    if (entry === undefined) return undefined;
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** Takes out all, or those that are to go. */
  take(goes: (entry: QueueEntry) => boolean = () => true): QueueEntry[] {
    const gone: QueueEntry[] = [];
    const left: QueueEntry[] = [];
    for (const entry of this.#items) if (entry !== undefined) (goes(entry) ? gone : left).push(entry);
    this.#items = left;
    this.#head = 0;
    return gone;
  }

  #placeOf(entry: QueueEntry): number {
    let low = this.#head;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#items[middle];
      if (other !== undefined && precedes(other, entry)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
