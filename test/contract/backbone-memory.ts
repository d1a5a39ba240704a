import { MemoryBackbone } from '../../adapters/memory/index.ts';
import { SystemClock } from '../../src/system-clock.ts';
import { backboneContract } from './backbone.ts';

backboneContract({
  name: 'memory',
  create: () =>
    new MemoryBackbone({ logBytes: 64 * 1024 * 1024, dedup: { seconds: 120, messages: 1000 } }, new SystemClock()),
});
