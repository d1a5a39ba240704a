import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryBackbone } from '../../../adapters/memory/index.ts';
import { Counters } from '../../../src/core/counters.ts';
import type { Place } from '../../../src/ports/routing.ts';
import { SessionRegistry } from '../../../src/routing/sessions.ts';
import { SILENT } from '../../support/jetstream.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** Which topics have durable subscriptions that are for all messages, as long as these are kept. */

const test = suite('routing/durable-topics');
/** Milliseconds after which the store is certain to have been looked through. */
const SWEPT = 301_000;

async function setUp() {
  const clock = new ManualClock();
  const backbone = new MemoryBackbone({ logBytes: 1024 * 1024, dedup: { seconds: 120, messages: 1000 } }, clock);
  const start = async (): Promise<SessionRegistry> => {
    const options = { detachedSessions: 100, checkpointMilliseconds: 100 };
    const sessions = new SessionRegistry(backbone, clock, new Counters(), SILENT, options, () => {});
    await sessions.start();
    return sessions;
  };
  const sessions = await start();
  const open = async (key: string, filter: string | undefined, keptFor = 1000, clean = false) => {
    const claim = { key, principal: 'p', clean, keptFor };
    const taken: { place?: Place } = {};
    const owner = { takenOver: () => taken.place?.leave(keptFor), encode: () => new Uint8Array(3) };
    const opening = sessions.open(filter === undefined ? claim : { ...claim, filter }, owner);
    await clock.settle();
    const place = await opening;
    taken.place = place;
    void place.save();
    await clock.settle();
    return place;
  };
  return { clock, backbone, sessions, start, open };
}

test('from its SUBSCRIBE on, while its client is there and while not; the filters of several are apart', async () => {
  const { clock, sessions, open } = await setUp();
  assert.not(sessions.logs('a/b'));
  const place = await open('a', 'a/+');
  await open('b', 'a/#');
  await open('c', undefined);
  assert.equal(
    ['a/b', 'a/b/c', 'c', '$queue/a'].map((topic) => sessions.logs(topic)),
    [true, true, false, false],
  );
  place.leave(1000);
  await clock.settle();
  assert.ok(sessions.logs('a/b'));
  (await open('b', 'a/#', 0, true)).leave(0);
  await clock.settle();
  assert.equal([sessions.logs('a/b'), sessions.logs('a/b/c')], [true, false], 'one of them is deleted');
  sessions.stop();
});

test('one that is asked for again with another filter is for that one', async () => {
  const { sessions, open } = await setUp();
  await open('a', 'a');
  await open('a', 'b');
  assert.equal([sessions.logs('a'), sessions.logs('b')], [false, true]);
  sessions.stop();
});

test('no longer when its time is over; again when it is asked for at that time', async () => {
  const { clock, sessions, open } = await setUp();
  (await open('a', 'a', 10)).leave(10);
  (await open('b', 'b', 10)).leave(10);
  await clock.settle();
  await clock.advance(11_000);
  await open('b', 'b');
  assert.ok(sessions.logs('b'), 'removed, and added in the same turn');
  await clock.advance(SWEPT);
  assert.equal([sessions.logs('a'), sessions.logs('b')], [false, true]);
  sessions.stop();
});

test('a server that starts knows them; what has no session is forgotten at the second look', async () => {
  const { clock, backbone, sessions, start, open } = await setUp();
  (await open('a', 'a', 10_000)).leave(10_000);
  await clock.settle();
  sessions.stop();
  await backbone.state.put('durables', 'lost', Buffer.from('lost'));
  const later = await start();
  assert.equal([later.logs('a'), later.logs('lost')], [true, true]);
  await clock.advance(SWEPT);
  assert.equal([later.logs('a'), later.logs('lost')], [true, false]);
  later.stop();
});

test.run();
