import { BrokerError } from '../core/errors.ts';
import { formatPosition, type Start } from '../core/start.ts';
import type { Log } from '../ports/backbone.ts';
import { messageAt, scan } from './scan.ts';

/** Most messages that `last N` may ask for: their positions are held in memory while they are looked for. */
export const MAX_LAST = 100_000;
/** Sequences that `last N` looks at first, from the end backwards; then twice as many each time. */
const WINDOW = 256;
/** Milliseconds by which messages may be out of the order of their timestamps: nodes have clocks of their own. */
const DISORDER = 1000;
/** Messages that are looked at one by one because of that. */
const DISORDERED = 10_000;

/**
 * Where in the log a subscription that wants to begin at `start` begins, per shard. Messages that come while it is found
 * out are behind that place. With a position, the other shards begin at their ends; so does all with a time to come.
 * Rejects with a BrokerError: `fieldInvalid` when there can be no such place, `unavailable` when the log cannot be read.
 */
export async function startOf(log: Log, start: Start, filter: string): Promise<readonly number[]> {
  const shards = Array.from({ length: log.shards }, (_, shard) => shard);
  const ends = shards.map((shard) => log.next(shard));
  switch (start.from) {
    case 'new':
      return ends;
    case 'first':
      return shards.map((shard) => log.first(shard));
    case 'last':
      return lastOf(log, start.count, filter, ends);
    case 'time':
      checkWhole('time', start.time, Number.MAX_SAFE_INTEGER);
      return Promise.all(ends.map((end, shard) => timeOf(log, shard, start.time, end)));
    case 'position':
      return positionOf(log, start.shard, start.sequence, ends);
  }
}

function checkWhole(name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= most) return;
  throw new BrokerError('fieldInvalid', `start is ${name} ${value}; a whole number from 0 to ${most} is expected`);
}

interface Found {
  readonly shard: number;
  readonly sequence: number;
  readonly timestamp: number;
}

async function lastOf(log: Log, count: number, filter: string, ends: readonly number[]): Promise<readonly number[]> {
  checkWhole('last', count, MAX_LAST);
  if (count === 0) return ends;
  const found = await Promise.all(ends.map((end, shard) => lastInShard(log, shard, count, filter, end)));
  // Of several shards, which have no order among each other: the latest by their timestamps.
  const last = found.length === 1 ? found[0] : found.flat().sort((a, b) => a.timestamp - b.timestamp);
  const begins = [...ends];
  for (const { shard, sequence } of last?.slice(-count) ?? []) {
    begins[shard] = Math.min(begins[shard] ?? sequence, sequence);
  }
  return begins;
}

/** At most the last `count` that match, in order: looked for in windows that grow, from the end backwards. */
async function lastInShard(log: Log, shard: number, count: number, filter: string, end: number): Promise<Found[]> {
  let found: Found[] = [];
  let to = end;
  for (let width = Math.max(WINDOW, count); found.length < count; width *= 2) {
    const first = log.first(shard);
    if (to <= first) break;
    const from = Math.max(first, to - width);
    let seen: Found[] = [];
    await scan(log, { shard, from, to }, filter, ({ sequence, timestamp }) => {
      seen.push({ shard, sequence, timestamp });
      if (seen.length >= 2 * count) seen = seen.slice(-count);
      return true;
    });
    found = [...seen, ...found].slice(-count);
    to = from;
  }
  return found;
}

/** The first message of that time or later, before `end`. */
async function timeOf(log: Log, shard: number, time: number, end: number): Promise<number> {
  const bound = await boundary(log, shard, time, log.first(shard), end);
  // Of messages out of order, some before the boundary may be late enough.
  const early = await boundary(log, shard, time - DISORDER, log.first(shard), bound);
  let found = bound;
  await scan(log, { shard, from: Math.max(early, bound - DISORDERED), to: bound }, undefined, (message) => {
    if (message.timestamp < time) return true;
    found = message.sequence;
    return false;
  });
  return found;
}

/** By bisection, a place between `low` and `high` with an earlier message before it and none behind it. */
async function boundary(log: Log, shard: number, time: number, low: number, high: number): Promise<number> {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = from + Math.floor((to - from) / 2);
    // What is found may be behind a gap, and behind `to`.
    const message = await messageAt(log, shard, middle);
    if (message !== undefined && message.timestamp < time && message.sequence < to) from = message.sequence + 1;
    else to = middle;
  }
  return from;
}

function positionOf(log: Log, shard: number, sequence: number, ends: readonly number[]): readonly number[] {
  const asked = `start is position ${formatPosition(shard, sequence)}`;
  const end = ends[shard];
  if (end === undefined) {
    const there = ends.length === 1 ? 'the log has shard 0 alone' : `the log has shards 0 to ${ends.length - 1}`;
    throw new BrokerError('fieldInvalid', `${asked}; ${there}`);
  }
  const first = log.first(shard);
  if (sequence > end) {
    const there =
      first < end
        ? `has ${formatPosition(shard, first)} to ${formatPosition(shard, end - 1)}`
        : `is empty, and goes on with ${formatPosition(shard, end)}`;
    throw new BrokerError('fieldInvalid', `${asked}; the log ${there}`);
  }
  return ends.map((each, at) => (at === shard ? Math.max(first, sequence) : each));
}
