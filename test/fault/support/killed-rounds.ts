import { Gateways, type Scene } from './gateways.ts';
import { keeps, Promises, seeded } from './promises.ts';

const ROUNDS = Number(process.argv[2] ?? 30);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);

/** What is done, for the test's title. */
export const KILLED_ROUNDS = `killed ${ROUNDS} times, seed ${SEED}`;

/**
 * DESIGN 2, the promises: the gateway is killed (SIGKILL) at random moments while publishers send at full rate and durable
 * subscribers come and go. ROUNDS and SEED on the command line repeat a run, or make it longer.
 */
export const killedRounds: Scene = async (title, settings, count) => {
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
};
