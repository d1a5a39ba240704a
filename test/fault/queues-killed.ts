import { suite } from 'uvu';
import { Gateways, onBothBackbones } from './support/gateways.ts';
import { seeded } from './support/promises.ts';
import { keepsQueue, QueuePromises } from './support/queue-promises.ts';
import { NOWHERE } from './support/stomp-parties.ts';

/**
 * Nothing acknowledged to a producer is lost, nothing whose acknowledgement was confirmed to a consumer comes again: the
 * gateway is killed (SIGKILL) at random moments while producers and consumers of a queue come and go.
 * `node dist/test/fault/queues-killed.js ROUNDS SEED` repeats a run, or makes it longer.
 */

const ROUNDS = Number(process.argv[2] ?? 15);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);

const test = suite('fault/queues killed');

onBothBackbones(test, `killed ${ROUNDS} times, seed ${SEED}`, async (title, settings, count) => {
  const random = seeded(SEED);
  const gateways = await Gateways.start(settings, count, random);
  const promises = new QueuePromises(() => (gateways.any() ?? NOWHERE).stomp, random);
  try {
    promises.start();
    for (let round = 0; round < ROUNDS; round++) {
      await promises.stir(200 + random() * 700);
      await gateways.killOne();
    }
    keepsQueue(`${title}, killed ${ROUNDS} times`, await promises.finish(), ROUNDS * 20);
  } finally {
    await promises.stop();
    await gateways.end();
  }
});

test.run();
