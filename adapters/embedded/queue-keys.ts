import { KIND, readNumber, writeNumber } from './keys.ts';

/**
 * Keys of queues. A queue has a number, which no other one had before, so that what is left of one that was purged or
 * destroyed is nobody's. Its messages are in lanes, which are delivered one after the other.
 */

/** Priorities from the highest to the lowest; of each, what was taken before and then what was not. */
const PRIORITIES = 10;
/** Behind the others: what is due later. */
export const LATER: number = PRIORITIES * 2;

export function laneOf(priority: number, released: boolean): number {
  return (PRIORITIES - 1 - priority) * 2 + (released ? 0 : 1);
}

/** The lane of what was taken from this one. */
export function releasedLane(lane: number): number {
  return lane - (lane % 2);
}

/** The number of a queue, by its name. */
export function queueNameKey(name: string): Buffer {
  return Buffer.concat([Buffer.of(KIND.queueName), Buffer.from(name)]);
}

/** Messages and bytes of a queue, and where its lanes begin. With number 0: the highest number given. */
export function totalsKey(number: number): Buffer {
  return numberKey(KIND.queueTotals, number, 0);
}

/** A queue number whose entries are to be removed. */
export function droppedKey(number: number): Buffer {
  return numberKey(KIND.queueDropped, number, 0);
}

export function droppedNumber(key: Buffer): number {
  return key.readUInt32BE(1);
}

/** A block of messages, by the first one's id. */
export function blockKey(number: number, lane: number, first: number): Buffer {
  const key = numberKey(KIND.queued, number, 10);
  key[5] = lane;
  writeNumber(key, 6, first);
  key[14] = BLOCK;
  return key;
}

/** Which messages of the block have been removed: right behind it. */
export function removedKey(number: number, lane: number, first: number): Buffer {
  const key = blockKey(number, lane, first);
  key[14] = REMOVED;
  return key;
}

const BLOCK = 0;
const REMOVED = 1;

export function isRemovedKey(key: Buffer): boolean {
  return key[14] === REMOVED;
}

export function firstOf(key: Buffer): number {
  return readNumber(key, 6);
}

/** What is due when: time and id, and as value the bytes of the block. */
export function dueKey(number: number, dueAt: number, id: number): Buffer {
  const key = numberKey(KIND.queueDue, number, 16);
  writeNumber(key, 5, dueAt);
  writeNumber(key, 13, id);
  return key;
}

export function dueOf(key: Buffer): { readonly dueAt: number; readonly id: number } {
  return { dueAt: readNumber(key, 5), id: readNumber(key, 13) };
}

/** Behind all keys of this kind that the queue has. */
export function numberEnd(kind: number, number: number): Buffer {
  return numberKey(kind, number + 1, 0);
}

export function numberKey(kind: number, number: number, rest: number): Buffer {
  const key = Buffer.allocUnsafe(5 + rest);
  key[0] = kind;
  key.writeUInt32BE(number, 1);
  return key;
}
