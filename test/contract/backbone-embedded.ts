import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedBackbone } from '../../adapters/embedded/index.ts';
import { SystemClock } from '../../src/system-clock.ts';
import { backboneContract } from './backbone.ts';

const MiB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'trimaran-embedded-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const logger = { debug() {}, info() {}, warn: console.error, error: console.error };
let stores = 0;

function open(): EmbeddedBackbone {
  return new EmbeddedBackbone(
    {
      directory: join(folder, String(stores)),
      sync: 'always',
      cacheBytes: 4 * MiB,
      reads: 4,
      pendingBytes: 64 * MiB,
      retention: { bytes: 64 * MiB, seconds: 3600 },
      dedup: { seconds: 120, messages: 1000 },
    },
    new SystemClock(),
    logger,
  );
}

backboneContract({
  name: 'embedded',
  create() {
    stores++;
    return open();
  },
  reopen: open,
});
