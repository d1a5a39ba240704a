import { suite } from 'uvu';
import { Gateways, onBothBackbones } from './support/gateways.ts';
import { GroupPromises, type Times } from './support/group-promises.ts';
import { seeded } from './support/promises.ts';
import { NOWHERE } from './support/stomp-parties.ts';

/**
 * Every message confirmed to its producer reaches a member of each group, in the order of its key where the group is ordered
 * by it; what was settled longer ago than the checkpoint does not come again: while gateways are killed (SIGKILL).
 * `node dist/test/fault/groups-killed.js SECONDS SEED` repeats a run, or makes it longer; the seconds are those of one backbone.
 */

const SECONDS = Number(process.argv[2] ?? 24);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);
/** Milliseconds: the checkpoint is 500. */
const WRITTEN = 1_500;

const test = suite('fault/groups killed');

onBothBackbones(test, `killed for ${SECONDS} s, seed ${SEED}`, async (title, settings, count) => {
  const random = seeded(SEED);
  // Milliseconds: with two, the other one takes over when the lease of two seconds has run out. What is sent to one that is
  // just being killed is lost.
  const times: Times = { written: WRITTEN, recovery: count > 1 ? 4_500 : 500 };
  const gateways = await Gateways.start(settings, count, random);
  const promises = new GroupPromises(() => (gateways.any() ?? NOWHERE).stomp, times, random);
  try {
    promises.start();
    let kills = 0;
    for (const end = Date.now() + SECONDS * 1000; Date.now() < end; kills++) {
      await promises.work(WRITTEN + times.recovery + 400 + random() * 1_200);
      promises.fault();
      await gateways.killOne();
    }
    promises.keep(`${title}, killed ${kills} times`, await promises.finish(), SECONDS * 20);
  } finally {
    await promises.stop();
    await gateways.end();
  }
});

test.run();
