import type { QueueEntry } from '../../ports/queue-store.ts';

/** Above all ids: what a priority counts for in a rank. */
const PRIORITY = 2 ** 49;

/** Messages of the log have none: groups get them in the log's order. */
export function priorityOf({ message }: QueueEntry): number {
  return message.sequence > 0 ? 0 : (message.properties?.priority ?? 0);
}

/** The order of delivery: the highest priority first, in each the oldest. */
export function precedes(a: QueueEntry, b: QueueEntry): boolean {
  // Nearly always neither has any.
  if (a.message.properties === b.message.properties) return a.id < b.id;
  const difference = priorityOf(a) - priorityOf(b);
  return difference === 0 ? a.id < b.id : difference > 0;
}

/** Where a message stands in the order of delivery, as one number: the lower one goes first. */
export function rankOf(entry: QueueEntry): number {
  return (9 - priorityOf(entry)) * PRIORITY + entry.id;
}

export function idOf(rank: number): number {
  return rank % PRIORITY;
}

/** An entry that the source does not know as it is now: it was given to a consumer since. */
export class Returned implements QueueEntry {
  readonly id: number;
  readonly message: QueueEntry['message'];
  readonly deliveries: number;
  readonly redelivered = true;

  constructor({ id, message }: Pick<QueueEntry, 'id' | 'message'>, deliveries: number) {
    this.id = id;
    this.message = message;
    this.deliveries = deliveries;
  }
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
