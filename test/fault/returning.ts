import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import { FastSubscriber, flood } from './support/fast.ts';

/** Durable subscribers that were away, few with much to get and many at once; the embedded store, synced. */

const MiB = 1024 * 1024;
const mib = (bytes: number): string => `${(bytes / MiB).toFixed(0)} MiB`;
const ms = (milliseconds: number): string => `${milliseconds.toFixed(0)} ms`;

const test = suite('fault/returning');
let directory: string;
let broker: BrokerProcess;

test.before.each(async () => {
  directory = mkdtempSync(join(tmpdir(), 'trimaran-returning-'));
  broker = await startBrokerProcess('backbone.type=embedded', `backbone.embedded.directory=${directory}`);
});
test.after.each(async () => {
  await broker.stop();
  rmSync(directory, { recursive: true, force: true });
});

test('200,000 messages of its own among 2,000,000 others', async () => {
  const [much, little] = [new FastSubscriber('much'), new FastSubscriber('little')];
  for (const [subscriber, filter] of [
    [much, 'mine/#'],
    [little, 'rare/+'],
  ] as const) {
    await subscriber.connect(broker.mqtt);
    await subscriber.subscribe(filter);
    await subscriber.disconnect();
  }
  const before = broker.rss();
  const began = performance.now();
  await flood(broker.mqtt, 2_200_000, (i) =>
    i % 11 === 5 ? 'mine/own' : i % 11_000 === 0 ? 'rare/one' : `other/${i % 97}`,
  );
  const took = performance.now() - began;
  const after = broker.rss();
  console.log(`measured: 2,200,000 messages stored in ${ms(took)}; memory ${mib(before)}, then ${mib(after)}`);
  const cases = [
    [much, 200_000, (i: number) => i * 11 + 5],
    [little, 200, (i: number) => i * 11_000],
  ] as const;
  for (const [subscriber, count, numberAt] of cases) {
    const start = performance.now();
    const done = subscriber.received(count, 60_000);
    await subscriber.connect(broker.mqtt);
    assert.ok(subscriber.sessionPresent);
    await done;
    console.log(`measured: ${count} of them after ${ms(performance.now() - start)}; memory ${mib(broker.rss())}`);
    assert.ok(
      subscriber.numbers.every((number, i) => number === numberAt(i)),
      'all, in order, each once',
    );
    await subscriber.disconnect();
  }
  assert.ok(broker.rss() - before < 400 * MiB, 'not all of it is in memory');
});

test('10,000 sessions return at once, and others hardly notice', async () => {
  const SESSIONS = 10_000;
  const TOPICS = 100;
  const EACH = 10;
  const sessions = Array.from({ length: SESSIONS }, (_, i) => new FastSubscriber(`storm-${i}`));
  for (let i = 0; i < SESSIONS; i += 200) {
    await Promise.all(
      sessions.slice(i, i + 200).map(async (session, k) => {
        await session.connect(broker.mqtt);
        await session.subscribe(`storm/${(i + k) % TOPICS}/#`);
        await session.disconnect();
      }),
    );
  }
  await flood(broker.mqtt, 200_000, (i) => (i < TOPICS * EACH ? `storm/${i % TOPICS}/x` : `other/${i % 1000}`));

  const [listener, speaker] = [
    await RawMqtt.connect(broker.mqtt, { clientId: 'listener' }),
    await RawMqtt.connect(broker.mqtt, { clientId: 'speaker' }),
  ];
  await listener.subscribe('unrelated', 0);
  const delays: number[] = [];
  let storm = true;
  const pair = (async () => {
    while (storm) {
      const sentAt = performance.now();
      speaker.publish('unrelated', 'x');
      await listener.expect('publish');
      delays.push(performance.now() - sentAt);
      await sleep(10);
    }
  })();
  await sleep(500);
  const calm = delays.splice(0).sort((a, b) => a - b);
  const began = performance.now();
  await Promise.all(
    sessions.map(async (session) => {
      const done = session.received(EACH, 60_000);
      await session.connect(broker.mqtt);
      await done;
    }),
  );
  const took = performance.now() - began;
  storm = false;
  await pair;
  delays.sort((a, b) => a - b);
  const at = (sorted: readonly number[], share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  console.log(
    `measured: 10,000 sessions got 10 messages each of 200,000 within ${ms(took)}; an unrelated pair's delay meanwhile: ` +
      `median ${at(delays, 0.5).toFixed(1)} ms, p99 ${at(delays, 0.99).toFixed(1)} ms, most ${at(delays, 1).toFixed(1)} ms ` +
      `(before: median ${at(calm, 0.5).toFixed(1)} ms); memory ${mib(broker.rss())}`,
  );
  for (const [i, { numbers, sessionPresent }] of sessions.entries()) {
    assert.ok(sessionPresent);
    assert.equal(
      numbers,
      Array.from({ length: EACH }, (_, k) => k * TOPICS + (i % TOPICS)),
    );
  }
  for (const each of [...sessions, listener, speaker]) each.destroy();
});

test('memory while a durable subscriber is stopped, and another one away, for 1,000,000 messages', async () => {
  const [stopped, away] = [new FastSubscriber('stopped'), new FastSubscriber('away')];
  for (const subscriber of [stopped, away]) {
    await subscriber.connect(broker.mqtt);
    await subscriber.subscribe('flat/#');
  }
  await away.disconnect();
  stopped.pause();
  await flood(broker.mqtt, 100_000, () => 'flat/x');
  const levels = [broker.rss()];
  for (let i = 1; i < 10; i++) {
    await flood(broker.mqtt, 100_000, () => 'flat/x');
    levels.push(broker.rss());
  }
  console.log(`measured: memory after each 100,000 of 1,000,000 messages: ${levels.map(mib).join(', ')}`);
  assert.ok(Math.max(...levels) - (levels[0] ?? 0) < 150 * MiB, 'flat');
  stopped.resume();
  const done = Promise.all([stopped.received(1_000_000, 120_000), away.received(1_000_000, 120_000)]);
  await away.connect(broker.mqtt);
  await done;
  for (const { numbers } of [stopped, away]) {
    assert.ok(
      numbers.every((number, i) => number === i % 100_000),
      'all, in order, each once',
    );
  }
  for (const each of [stopped, away]) each.destroy();
});

test.run();
