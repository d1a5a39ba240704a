import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { Promises, seeded } from './support/promises.ts';

/**
 * DESIGN 2, the promises: the gateway is killed (SIGKILL) at random moments while publishers send at full rate and durable
 * subscribers come and go. `node dist/test/fault/gateway-killed.js ROUNDS SEED` repeats a run, or makes it longer.
 */

const ROUNDS = Number(process.argv[2] ?? 30);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);

const test = suite('fault/gateway killed');
const directory = mkdtempSync(join(tmpdir(), 'trimaran-killed-'));
let broker: BrokerProcess;
test.after(async () => {
  await broker?.kill();
  rmSync(directory, { recursive: true, force: true });
});

test(`embedded: ${ROUNDS} times killed, seed ${SEED}`, async () => {
  const random = seeded(SEED);
  const settings = ['backbone.type=embedded', `backbone.embedded.directory=${directory}`, 'log.level=info'];
  broker = await startBrokerProcess(...settings);
  const promises = new Promises(() => broker.mqtt, random);
  await promises.start();
  for (let round = 0; round < ROUNDS; round++) {
    await promises.stir(100 + random() * 700);
    await promises.impair();
    await broker.kill();
    broker = await startBrokerProcess(...settings);
  }
  const tally = await promises.finish();
  console.log(`embedded, ${ROUNDS} rounds: ${JSON.stringify(tally)}`);
  assert.ok(tally.acknowledged > ROUNDS * 50, 'messages were acknowledged at all');
  const { lost, doubled, misordered, sessionsLost } = tally;
  assert.equal({ lost, doubled, misordered, sessionsLost }, { lost: 0, doubled: 0, misordered: 0, sessionsLost: 0 });
});

test.run();
