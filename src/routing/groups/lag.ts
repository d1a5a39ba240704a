import type { Log } from '../../ports/backbone.ts';
import { scan } from '../scan.ts';

/** Messages that are counted; beyond that the rest is estimated. */
const MAX_COUNTED = 100_000;

/** Messages that match, of each shard between two places. Rejects with a BrokerError when the log cannot be read. */
export async function lagOf(
  log: Log,
  filter: string,
  positions: readonly number[],
  ends: readonly number[],
): Promise<number> {
  let counted = 0;
  let passed = 0;
  let left = 0;
  for (const [shard, to] of ends.entries()) {
    const from = Math.max(positions[shard] ?? to, log.first(shard));
    if (from >= to) continue;
    let at = from;
    if (counted <= MAX_COUNTED) at = await scan(log, { shard, from, to }, filter, () => ++counted <= MAX_COUNTED);
    passed += at - from;
    left += to - at;
  }
  // What is left is taken to be like what was counted.
  return passed === 0 ? counted : counted + Math.round((left * counted) / passed);
}
