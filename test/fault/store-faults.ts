import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BrokerProcess, startBrokerProcess, startBrokerUnder } from '../support/broker-process.ts';
import { findTool, requireTool } from '../support/tools.ts';
import { keeps, Promises, seeded } from './support/promises.ts';

/** The embedded store on a disk that is slow to sync, or fails to: `strace` stands between. */

const SEED = Number(process.argv[2] ?? Date.now() % 1_000_000);
const MiB = 1024 * 1024;

const test = suite('fault/store');
let directory: string;
let broker: BrokerProcess | undefined;

test.before.each(() => {
  directory = mkdtempSync(join(tmpdir(), 'trimaran-store-'));
});
test.after.each(async () => {
  await broker?.kill();
  broker = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** Runs under the fault for some seconds, then is killed and started without. */
async function run(title: string, strace: string, inject: string): Promise<{ refused: number; memory: number }> {
  const settings = ['backbone.type=embedded', `backbone.embedded.directory=${directory}`, 'log.level=info'];
  // -D: strace is the child.
  const wrapper = [strace, '-D', '-f', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', `inject=fdatasync:${inject}`];
  let current = await startBrokerUnder(wrapper, settings);
  broker = current;
  const promises = new Promises(() => current.mqtt, seeded(SEED));
  await promises.start();
  const before = current.rss();
  await promises.stir(6000);
  const memory = current.rss() - before;
  await current.kill();
  current = await startBrokerProcess(...settings);
  broker = current;
  const tally = await promises.finish();
  keeps(title, tally, 50);
  return { refused: tally.refused, memory };
}

/** A test under strace; where tracing is not allowed (as in some containers) it is skipped, and says so. */
function traced(title: string, body: (strace: string) => Promise<void>): void {
  const strace = findTool('strace');
  const tried = strace === undefined ? undefined : spawnSync(strace, ['-o', '/dev/null', 'true'], { encoding: 'utf8' });
  if (tried === undefined || tried.status === 0) {
    requireTool(test, 'strace', title, body);
    return;
  }
  console.log(`skipped: ${title}: ${tried.stderr.trim().replaceAll('\n', ' ')}`);
  test.skip(title);
}

traced(`each fdatasync takes 200 ms, seed ${SEED}`, async (strace) => {
  const { memory } = await run('fdatasync of 200 ms', strace, 'delay_enter=200000');
  console.log(`measured: ${(memory / MiB).toFixed(0)} MiB more memory`);
  assert.ok(memory < 200 * MiB);
});

traced(`fdatasync fails now and then, seed ${SEED}`, async (strace) => {
  const { refused } = await run('every 50th fdatasync failing', strace, 'error=EIO:when=40+50');
  assert.ok(refused > 0, 'what could not be synced was refused');
});

test.run();
