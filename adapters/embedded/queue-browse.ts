import type { QueueEntry } from '../../src/ports/queue-store.ts';
import type { QueueBlock } from './queue-block.ts';
import { LATER, totalsKey } from './queue-keys.ts';
import type { Lanes } from './queue-lanes.ts';
import { blockBefore, readLane } from './queue-reads.ts';
import { decodeTotals } from './queue-totals.ts';
import type { Store, View } from './store.ts';

/** Bytes of blocks looked through for one portion, of each lane: what is behind them is in the next portion. */
const BROWSE_BYTES = 4 * 1024 * 1024;

interface Found {
  readonly id: number;
  readonly block: QueueBlock;
  readonly value: Buffer;
  readonly index: number;
}

/** What the store has of a queue at one time, with ids above `after`: at most so many. */
export async function browse(
  store: Store,
  number: number,
  lanes: Lanes,
  after: number,
  count: number,
): Promise<{ readonly entries: readonly QueueEntry[]; readonly next: number | undefined }> {
  const view = store.view();
  try {
    const found: Found[] = [];
    // Ids up to this have been looked for in every lane.
    let until = Infinity;
    const totals = await store.get(totalsKey(number), true, view);
    const places = totals === undefined ? [] : [...decodeTotals(totals).lanes, { number: LATER, head: 0 }];
    for (const lane of places) {
      until = Math.min(until, await look(store, number, lane.number, lane.head, after, count, view, found));
    }
    const all = found.filter(({ id }) => id <= until).sort((a, b) => a.id - b.id);
    const entries = all.slice(0, count).map((each) => entryOf(each, lanes));
    const more = all.length > count || until < Infinity;
    return { entries, next: more ? entries.at(-1)?.id : undefined };
  } finally {
    await view.close();
  }
}

/** Finds up to `count` and one of a lane. Returns the id up to which all are found. */
async function look(
  store: Store,
  number: number,
  lane: number,
  head: number,
  after: number,
  count: number,
  view: View,
  found: Found[],
): Promise<number> {
  let left = count + 1;
  let bytes = 0;
  for (let from = await blockBefore(store, number, lane, head, after, view); ; ) {
    const { blocks, next } = await readLane(store, number, lane, from, view);
    for (const block of blocks) {
      const { value } = block;
      if (value === undefined) continue;
      bytes += block.size;
      for (let index = 0; index < block.count; index++) {
        const id = block.id(value, index);
        if (id <= after || block.isRemoved(index)) continue;
        found.push({ id, block, value, index });
        if (--left === 0 || (bytes > BROWSE_BYTES && index === block.count - 1)) return id;
      }
    }
    if (next === Infinity) return Infinity;
    from = next;
  }
}

function entryOf({ id, block, value, index }: Found, lanes: Lanes): QueueEntry {
  const { deliveries, redelivered } = block.past;
  return {
    id,
    message: block.message(value, index, true),
    deliveries,
    redelivered: redelivered || lanes.wasGiven(block.lane, id),
  };
}
