import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryBackbone } from '../../../adapters/memory/index.ts';
import { Counters } from '../../../src/core/counters.ts';
import type { SessionOwner } from '../../../src/ports/routing.ts';
import { SessionRegistry } from '../../../src/routing/sessions.ts';
import { SILENT } from '../../support/jetstream.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** How many sessions are kept without a connection, and how many were so until their time was over. */

const test = suite('routing/sessions');
const owner: SessionOwner = { takenOver() {}, encode: () => new Uint8Array(3) };
/** Milliseconds after which the store is certain to have been looked through. */
const SWEPT = 301_000;

async function setUp() {
  const clock = new ManualClock();
  const counters = new Counters();
  const backbone = new MemoryBackbone({ logBytes: 1024 * 1024, dedup: { seconds: 120, messages: 1000 } }, clock);
  const options = { detachedSessions: 100, checkpointMilliseconds: 100 };
  const sessions = new SessionRegistry(backbone, clock, counters, SILENT, options, () => {});
  await sessions.start();
  const open = async (key: string, keptFor: number, clean = false) => {
    const opening = sessions.open({ key, principal: 'p', clean, keptFor }, owner);
    await clock.settle();
    return opening;
  };
  /** Connected, and gone again. */
  const visit = async (key: string, keptFor: number, clean = false): Promise<void> => {
    (await open(key, keptFor, clean)).leave(keptFor);
    await clock.settle();
  };
  return { clock, counters, sessions, open, visit };
}

test('sessions of clients are away until they are back; groups are none', async () => {
  const { sessions, open, visit } = await setUp();
  for (const key of ['mqtt:a', 'json:b', 'stomp:["c"]', 'share:g/t']) await visit(key, 1000);
  await visit('mqtt:for-now', 0);
  assert.is(sessions.away, 3);
  await open('mqtt:a', 1000);
  await open('share:g/t', 1000);
  assert.is(sessions.away, 2);
  sessions.stop();
});

test('those whose time is over are found by looking through the store, and counted; groups are not', async () => {
  const { clock, counters, sessions, visit } = await setUp();
  for (const key of ['mqtt:a', 'mqtt:b', 'share:g/t']) await visit(key, 10);
  for (const key of ['mqtt:c', 'share:h/t']) await visit(key, 10_000);
  await clock.advance(SWEPT);
  assert.equal([counters.sessionsExpired, sessions.away], [2, 1]);
  sessions.stop();
});

test('those whose time is over are found by their return; a clean start ends one before its time', async () => {
  const { clock, counters, sessions, visit } = await setUp();
  for (const key of ['mqtt:a', 'mqtt:b', 'share:g/t']) await visit(key, 10);
  await clock.advance(11_000);
  await visit('mqtt:a', 0);
  await visit('share:g/t', 0);
  assert.is(counters.sessionsExpired, 1);
  await visit('mqtt:c', 10);
  await visit('mqtt:c', 0, true);
  assert.is(counters.sessionsExpired, 1);
  assert.is(sessions.away, 1);
  sessions.stop();
});

test.run();
