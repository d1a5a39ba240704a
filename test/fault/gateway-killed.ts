import { suite } from 'uvu';
import { Gateways, onBothBackbones } from './support/gateways.ts';
import { keeps, Promises, seeded } from './support/promises.ts';

/**
 * DESIGN 2, the promises: the gateway is killed (SIGKILL) at random moments while publishers send at full rate and durable
 * subscribers come and go. `node dist/test/fault/gateway-killed.js ROUNDS SEED` repeats a run, or makes it longer.
 */

const ROUNDS = Number(process.argv[2] ?? 30);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);

const test = suite('fault/gateway killed');

onBothBackbones(test, `killed ${ROUNDS} times, seed ${SEED}`, async (title, settings, count) => {
  const random = seeded(SEED);
  const gateways = await Gateways.start(settings, count, random);
  try {
    const promises = new Promises(() => (gateways.any() ?? Promises.nowhere).mqtt, random);
    await promises.start();
    for (let round = 0; round < ROUNDS; round++) {
      await promises.stir(100 + random() * 700);
      await promises.impair();
      await gateways.killOne(() => promises.recover());
    }
    keeps(`${title}, killed ${ROUNDS} times`, await promises.finish(), ROUNDS * 50);
  } finally {
    await gateways.end();
  }
});

test.run();
