import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { NatsServer } from '../support/nats-server.ts';
import { requireTool } from '../support/tools.ts';
import { keeps, Promises, seeded } from './support/promises.ts';

/**
 * DESIGN 2, the promises: the gateway is killed (SIGKILL) at random moments while publishers send at full rate and durable
 * subscribers come and go. `node dist/test/fault/gateway-killed.js ROUNDS SEED` repeats a run, or makes it longer.
 */

const ROUNDS = Number(process.argv[2] ?? 30);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);

const test = suite('fault/gateway killed');
const directory = mkdtempSync(join(tmpdir(), 'trimaran-killed-'));
const gateways: BrokerProcess[] = [];
let nats: NatsServer | undefined;

test.after.each(async () => {
  await Promise.all(gateways.splice(0).map((each) => each.kill()));
  await nats?.remove();
  nats = undefined;
});
test.after(() => rmSync(directory, { recursive: true, force: true }));

/** Kills one of the gateways after the other, and starts it again. */
async function run(title: string, settings: readonly string[], count: number): Promise<void> {
  const random = seeded(SEED);
  for (let i = 0; i < count; i++) gateways.push(await startBrokerProcess(...settings));
  const any = (): number => Math.floor(random() * count);
  const promises = new Promises(() => (gateways[any()] ?? Promises.nowhere).mqtt, random);
  await promises.start();
  for (let round = 0; round < ROUNDS; round++) {
    await promises.stir(100 + random() * 700);
    await promises.impair();
    const victim = any();
    await gateways[victim]?.kill();
    promises.recover();
    gateways[victim] = await startBrokerProcess(...settings);
  }
  keeps(`${title}, killed ${ROUNDS} times`, await promises.finish(), ROUNDS * 50);
}

test(`embedded: killed ${ROUNDS} times, seed ${SEED}`, () =>
  run('embedded', ['backbone.type=embedded', `backbone.embedded.directory=${directory}`, 'log.level=info'], 1));

requireTool(test, 'nats-server', `two on NATS: killed ${ROUNDS} times, seed ${SEED}`, async (program) => {
  nats = await NatsServer.start(program);
  await run(
    'two on NATS',
    ['backbone.type=nats', `backbone.nats.servers=${nats.url}`, 'backbone.nats.leaseSeconds=2'],
    2,
  );
});

test.run();
