import { suite } from 'uvu';
import { onNats } from './support/gateways.ts';
import { KILLED_ROUNDS, killedRounds } from './support/killed-rounds.ts';

/** `node dist/test/fault/gateway-killed-nats.js ROUNDS SEED` repeats a run, or makes it longer. */

const test = suite('fault/gateway killed, NATS');
onNats(test, KILLED_ROUNDS, killedRounds);
test.run();
