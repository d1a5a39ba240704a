import { MemoryBackbone } from '../../adapters/memory/index.ts';
import { SystemClock } from '../../src/system-clock.ts';
import { groupsContract } from './groups.ts';

let backbone: MemoryBackbone;

groupsContract({
  name: 'memory',
  create() {
    const dedup = { seconds: 120, messages: 1000 };
    backbone = new MemoryBackbone({ logBytes: 64 * 1024 * 1024, dedup }, new SystemClock());
    return backbone;
  },
  // Nothing outlives it but itself.
  reopen: () => backbone,
});
