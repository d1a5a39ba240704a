import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { FastSubscriber, flood } from './support/fast.ts';

/** Queues with much in them, and many queues: what waits costs disk, not memory. The embedded store, synced. */

const MiB = 1024 * 1024;
const mib = (bytes: number): string => `${(bytes / MiB).toFixed(0)} MiB`;
const since = (began: number): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;

const test = suite('fault/queues waiting');
let directory: string;
let broker: BrokerProcess;

const start = (): Promise<BrokerProcess> =>
  startBrokerProcess('backbone.type=embedded', `backbone.embedded.directory=${directory}`);

test.before.each(async () => {
  directory = mkdtempSync(join(tmpdir(), 'trimaran-waiting-'));
  broker = await start();
});
test.after.each(async () => {
  await broker.stop();
  rmSync(directory, { recursive: true, force: true });
});

test('1,000,000 messages wait in a queue, through a restart, and come in order', async () => {
  const COUNT = 1_000_000;
  await flood(broker.mqtt, 100_000, () => '$queue/warm');
  const before = broker.rss();
  let began = performance.now();
  await flood(broker.mqtt, COUNT, () => '$queue/big');
  const after = broker.rss();
  console.log(`measured: ${COUNT} messages queued in ${since(began)}; memory ${mib(before)}, then ${mib(after)}`);
  assert.ok(after - before < 100 * MiB, 'what waits is not in memory');
  began = performance.now();
  await broker.stop();
  broker = await start();
  const fresh = broker.rss();
  const consumer = new FastSubscriber('consumer');
  await consumer.connect(broker.mqtt);
  await consumer.subscribe('$queue/big');
  await consumer.received(1, 30_000);
  console.log(`measured: the first one ${since(began)} after the stop; memory ${mib(fresh)}`);
  await consumer.received(COUNT, 150_000);
  console.log(`measured: all of them ${since(began)} after the stop; memory ${mib(broker.rss())}`);
  assert.is(consumer.numbers.length, COUNT);
  assert.ok(
    consumer.numbers.every((number, i) => number === i),
    'in order, each once',
  );
  consumer.destroy();
});

test('10,000 queues with 10 messages each', async () => {
  const QUEUES = 10_000;
  const before = broker.rss();
  let began = performance.now();
  await flood(broker.mqtt, QUEUES * 10, (i) => `$queue/many/${i % QUEUES}`);
  console.log(
    `measured: ${QUEUES} queues made and filled in ${since(began)}; memory ${mib(before)}, then ${mib(broker.rss())}`,
  );
  assert.ok(broker.rss() - before < 600 * MiB);
  began = performance.now();
  await broker.stop();
  broker = await start();
  console.log(`measured: stopped and started again in ${since(began)}`);
  for (let i = 0; i < QUEUES; i += 997) {
    const consumer = new FastSubscriber(`consumer-${i}`);
    await consumer.connect(broker.mqtt);
    await consumer.subscribe(`$queue/many/${i}`);
    await consumer.received(10, 10_000);
    assert.equal(
      consumer.numbers,
      Array.from({ length: 10 }, (_, k) => k * QUEUES + i),
    );
    consumer.destroy();
  }
});

test.run();
