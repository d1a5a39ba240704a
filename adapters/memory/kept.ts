import type { DedupWindow } from '../../src/core/dedup-window.ts';
import type { Message } from '../../src/core/message.ts';
import { shortId } from '../shared/ids.ts';

/** A message in a queue. */
export interface KeptEntry {
  readonly id: number;
  readonly message: Message;
  readonly priority: number;
  deliveries: number;
  redelivered: boolean;
  /** It was taken before, and comes before those that were not. */
  released: boolean;
  /** Milliseconds since 1970 before which it does not come. */
  dueAt: number;
  /** `storing`: not durable yet. `passed`: it waits, but is not to come. */
  state: 'storing' | 'waiting' | 'taken' | 'passed';
}

/** What of a queue outlives its being closed: its messages by id. */
export class Kept {
  readonly #scope: string;
  readonly #dedup: DedupWindow;
  /** By ascending id; with those removed until there are as many of them as of the others. */
  #entries: (KeptEntry | undefined)[] = [];
  #ids: number[] = [];
  #next = 1;
  messages = 0;
  bytes = 0;

  /** `scope` makes ids of messages this queue's own. */
  constructor(scope: string, dedup: DedupWindow) {
    this.#scope = scope;
    this.#dedup = dedup;
  }

  /** Whether the message's id was here before; from now on it was. */
  repeats(message: Message, now: number): boolean {
    if (message.dedupId === undefined) return false;
    const id = this.#scope + shortId(message.dedupId);
    if (this.#dedup.find(id, now) !== undefined) return true;
    this.#dedup.add(id, this.#next, now);
    return false;
  }

  add(message: Message): KeptEntry {
    const { priority = 0, deliverAt = 0 } = message.properties ?? {};
    const entry: KeptEntry = {
      id: this.#next++,
      message: unlogged(message),
      priority,
      deliveries: 0,
      redelivered: false,
      released: false,
      dueAt: deliverAt,
      state: 'storing',
    };
    this.#entries.push(entry);
    this.#ids.push(entry.id);
    this.messages++;
    this.bytes += message.size;
    return entry;
  }

  /** Of a message that is not stored after all. */
  forget(message: Message, entry: KeptEntry): void {
    this.remove(entry);
    if (message.dedupId !== undefined) this.#dedup.remove(this.#scope + shortId(message.dedupId));
  }

  get(id: number): KeptEntry | undefined {
    const at = this.#from(id);
    return this.#ids[at] === id ? this.#entries[at] : undefined;
  }

  remove(entry: KeptEntry): void {
    const at = this.#from(entry.id);
    if (this.#entries[at] !== entry) return;
    this.#entries[at] = undefined;
    this.messages--;
    this.bytes -= entry.message.size;
    if (this.#entries.length > 64 && this.messages * 2 < this.#entries.length) this.#compact();
  }

  /** All, or those with ids above `after`. */
  *entries(after = 0): Generator<KeptEntry> {
    const entries = this.#entries;
    for (let at = this.#from(after + 1); at < entries.length; at++) {
      const entry = entries[at];
      if (entry !== undefined) yield entry;
    }
  }

  #compact(): void {
    this.#entries = this.#entries.filter((entry) => entry !== undefined);
    this.#ids = this.#entries.map((entry) => entry?.id ?? 0);
  }

  /** The index of the first id from this one on. */
  #from(id: number): number {
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ids[middle] ?? 0) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The same may be a message of the log, too, which has a position there. */
function unlogged(message: Message): Message {
  const copy = message.with(message.qos, message.retain);
  copy.shard = 0;
  copy.sequence = 0;
  return copy;
}
