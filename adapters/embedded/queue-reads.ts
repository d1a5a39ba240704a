import { KIND } from './keys.ts';
import { type QueueBlock, readBlock, singleBlock } from './queue-block.ts';
import { blockKey, dueKey, dueOf, firstOf, isRemovedKey, LATER, numberEnd, removedKey } from './queue-keys.ts';
import type { Store, View } from './store.ts';

/** Bytes and entries read at once of what waits, and of what has become due. */
const READ_BYTES = 256 * 1024;
const READ_ENTRIES = 512;

export interface BlocksRead {
  readonly blocks: QueueBlock[];
  /** Where the lane goes on; Infinity at its end. */
  readonly next: number;
}

/** The blocks of a lane that begin at `from` or behind it, some of them. Throws RangeError on what is not as it was written. */
export async function readLane(
  store: Store,
  number: number,
  lane: number,
  from: number,
  view?: View,
): Promise<BlocksRead> {
  const range = { gte: blockKey(number, lane, from), lt: blockKey(number, lane + 1, 0) };
  const entries = await store.portion(range, READ_ENTRIES, READ_BYTES, view);
  const [lastKey] = entries.at(-1) ?? [];
  if (lastKey === undefined) return { blocks: [], next: Infinity };
  const last = firstOf(lastKey);
  const blocks: QueueBlock[] = [];
  for (let i = 0; i < entries.length; i++) {
    const [key, value] = entries[i] ?? [];
    if (key === undefined || value === undefined || isRemovedKey(key)) continue;
    const first = firstOf(key);
    const [after, bits] = entries[i + 1] ?? [];
    let removed = after !== undefined && isRemovedKey(after) ? bits : undefined;
    // The portion may end between the two.
    if (after === undefined) removed = await store.get(removedKey(number, lane, first), false, view);
    blocks.push(readBlock(number, lane, first, value, removed));
  }
  return { blocks, next: last + 1 };
}

/** The first id of the block in which this one is, or would be, if the lane has one. */
export async function blockBefore(
  store: Store,
  number: number,
  lane: number,
  head: number,
  id: number,
  view: View,
): Promise<number> {
  const range = { gte: blockKey(number, lane, head), lt: blockKey(number, lane, id + 1), reverse: true };
  const [entry] = await store.portion(range, 1, 1, view);
  return entry === undefined ? head : firstOf(entry[0]);
}

export interface DueRead {
  readonly moved: { readonly from: QueueBlock; readonly to: QueueBlock }[];
  /** When there may be more. */
  readonly next: number;
}

/** What was due at `now`, not before `since`, and where it goes; some of it. */
export async function readDue(store: Store, number: number, since: number, now: number): Promise<DueRead> {
  const range = { gte: dueKey(number, since, 0), lt: numberEnd(KIND.queueDue, number) };
  const entries = await store.portion(range, READ_ENTRIES, READ_BYTES);
  const ids: number[] = [];
  let next = Infinity;
  let bytes = 0;
  for (const [key, value] of entries) {
    const { dueAt, id } = dueOf(key);
    next = dueAt;
    if (dueAt > now || bytes > READ_BYTES) break;
    bytes += value.readUInt32LE(0);
    ids.push(id);
  }
  const values = await store.getMany(ids.map((id) => blockKey(number, LATER, id)));
  const moved = ids.map((id, i) => {
    const value = values[i];
    if (value === undefined) throw new RangeError(`the message ${id} of a queue is missing`);
    const from = readBlock(number, LATER, id, value, undefined);
    const { past } = from;
    if (past.lane >= LATER) throw new RangeError(`the message ${id} of a queue has no priority`);
    return { from, to: singleBlock(number, past.lane, id, from.message(value, 0, false), { ...past, dueAt: 0 }) };
  });
  return { moved, next };
}
