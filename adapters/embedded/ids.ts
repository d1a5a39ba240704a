import { DedupWindow } from '../../src/core/dedup-window.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { kindEnd, logKey, sequenceOf } from './keys.ts';
import type { Change, Store } from './store.ts';

export interface DedupLimits {
  readonly seconds: number;
  readonly messages: number;
}

/** Parts of the window's time in which ids are forgotten. */
const PARTS = 16;

/**
 * Ids of messages that are taken in once. Each write's are an entry of the store beside its blocks, so that an opening
 * reads ids and nothing else: time f64, then u16 length and bytes of each.
 */
export class Ids {
  readonly #kind: number;
  readonly #limits: DedupLimits;
  readonly #clock: Clock;
  #window: DedupWindow;
  /** Sequences that were the next at some time, the oldest first. */
  #marks: { readonly time: number; readonly sequence: number }[] = [];

  /** `kind`: of the keys of its entries. */
  constructor(kind: number, limits: DedupLimits, clock: Clock) {
    this.#kind = kind;
    this.#limits = limits;
    this.#clock = clock;
    this.#window = new DedupWindow(limits);
  }

  /** The sequence of the message that came with this id. */
  find(id: string): number | undefined {
    return this.#window.find(id, this.#clock.now());
  }

  add(id: string, sequence: number): void {
    this.#window.add(id, sequence, this.#clock.now());
  }

  /** The entry of a write that has these. */
  entry(sequence: number, ids: readonly string[]): Change {
    const parts = [Buffer.allocUnsafe(8)];
    parts[0]?.writeDoubleLE(this.#clock.now());
    for (const id of ids) {
      const bytes = Buffer.from(id);
      const length = Buffer.allocUnsafe(2);
      length.writeUInt16LE(bytes.length);
      parts.push(length, bytes);
    }
    return [logKey(this.#kind, sequence), Buffer.concat(parts)];
  }

  /** From the newest back, as far as the window goes. Resolves with the last sequence there is an entry for. */
  async load(store: Store): Promise<number> {
    const window = new DedupWindow(this.#limits);
    const since = this.#clock.now() - this.#limits.seconds * 1000;
    const found: { sequence: number; time: number; ids: string[] }[] = [];
    let count = 0;
    let last = 0;
    await store.each({ gte: logKey(this.#kind, 0), lt: kindEnd(this.#kind), reverse: true }, (key, value) => {
      last = Math.max(last, sequenceOf(key));
      const time = value.readDoubleLE(0);
      if (time <= since || count >= this.#limits.messages) return false;
      const ids = idsOf(value);
      found.push({ sequence: sequenceOf(key), time, ids });
      count += ids.length;
      return true;
    });
    for (const { sequence, time, ids } of found.reverse()) for (const id of ids) window.add(id, sequence, time);
    this.#window = window;
    const oldest = found[0];
    this.#marks = oldest === undefined ? [] : [{ time: this.#clock.now(), sequence: oldest.sequence }];
    return last;
  }

  /** Removes from the store what the window has left; called now and then with the log's next sequence. */
  async trim(next: number, store: Store): Promise<void> {
    const now = this.#clock.now();
    const newest = this.#marks.at(-1);
    const milliseconds = this.#limits.seconds * 1000;
    if (newest === undefined || now - newest.time >= milliseconds / PARTS)
      this.#marks.push({ time: now, sequence: next });
    const oldest = this.#marks[0];
    if (oldest === undefined || now - oldest.time < milliseconds) return;
    this.#marks.shift();
    await store.clear({ gte: logKey(this.#kind, 0), lt: logKey(this.#kind, oldest.sequence) });
  }
}

function idsOf(value: Buffer): string[] {
  const ids: string[] = [];
  for (let at = 8; at < value.length; ) {
    const end = at + 2 + value.readUInt16LE(at);
    ids.push(value.toString('utf8', at + 2, end));
    at = end;
  }
  return ids;
}
