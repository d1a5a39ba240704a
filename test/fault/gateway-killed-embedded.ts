import { suite } from 'uvu';
import { onEmbedded } from './support/gateways.ts';
import { KILLED_ROUNDS, killedRounds } from './support/killed-rounds.ts';

/** `node dist/test/fault/gateway-killed-embedded.js ROUNDS SEED` repeats a run, or makes it longer. */

const test = suite('fault/gateway killed, embedded');
onEmbedded(test, KILLED_ROUNDS, killedRounds);
test.run();
