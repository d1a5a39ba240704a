import type { Start } from '../core/start.ts';
import type { Log } from '../ports/backbone.ts';

/** Where in the log a subscription that wants to begin at `start` begins, per shard. */
export async function startOf(log: Log, start: Start, _filter: string): Promise<readonly number[]> {
  const shards = Array.from({ length: log.shards }, (_, shard) => shard);
  if (start.from === 'first') return shards.map((shard) => log.first(shard));
  return shards.map((shard) => log.next(shard));
}
