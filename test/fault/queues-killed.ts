import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { NatsServer } from '../support/nats-server.ts';
import { requireTool } from '../support/tools.ts';
import { seeded } from './support/promises.ts';
import { keepsQueue, QueuePromises } from './support/queue-promises.ts';

/**
 * Nothing acknowledged to a producer is lost, nothing whose acknowledgement was confirmed to a consumer comes again: the
 * gateway is killed (SIGKILL) at random moments while producers and consumers of a queue come and go.
 * `node dist/test/fault/queues-killed.js ROUNDS SEED` repeats a run, or makes it longer.
 */

const ROUNDS = Number(process.argv[2] ?? 15);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);
/** Where no one listens. */
const NOWHERE = { host: '127.0.0.1', port: 9 };

const test = suite('fault/queues killed');
const directory = mkdtempSync(join(tmpdir(), 'trimaran-queues-'));
const gateways: BrokerProcess[] = [];
let nats: NatsServer | undefined;

test.after.each(async () => {
  await Promise.all(gateways.splice(0).map((each) => each.kill()));
  await nats?.remove();
  nats = undefined;
});
test.after(() => rmSync(directory, { recursive: true, force: true }));

async function run(title: string, settings: readonly string[], count: number): Promise<void> {
  const random = seeded(SEED);
  for (let i = 0; i < count; i++) gateways.push(await startBrokerProcess(...settings));
  const any = (): number => Math.floor(random() * count);
  const promises = new QueuePromises(() => gateways[any()]?.stomp ?? NOWHERE, random);
  promises.start();
  for (let round = 0; round < ROUNDS; round++) {
    await promises.stir(200 + random() * 700);
    const victim = any();
    await gateways[victim]?.kill();
    gateways[victim] = await startBrokerProcess(...settings);
  }
  keepsQueue(`${title}, killed ${ROUNDS} times`, await promises.finish(), ROUNDS * 20);
}

test(`embedded: killed ${ROUNDS} times, seed ${SEED}`, () =>
  run('embedded', ['backbone.type=embedded', `backbone.embedded.directory=${directory}`], 1));

requireTool(test, 'nats-server', `two on NATS: killed ${ROUNDS} times, seed ${SEED}`, async (program) => {
  nats = await NatsServer.start(program);
  await run(
    'two on NATS',
    ['backbone.type=nats', `backbone.nats.servers=${nats.url}`, 'backbone.nats.leaseSeconds=2'],
    2,
  );
});

test.run();
