import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerError } from '../../src/core/errors.ts';
import { eventually } from '../support/eventually.ts';
import { jetStreamOptions } from '../support/jetstream.ts';
import { NatsNode, textOf } from '../support/nats-node.ts';
import { NatsServer } from '../support/nats-server.ts';
import { requireTool } from '../support/tools.ts';

/** The only server is killed, held, or gone for long, while messages are appended. */

const test = suite('fault/jetstream-restart');
let server: NatsServer | undefined;
let node: NatsNode | undefined;

test.after.each(async () => {
  await node?.backbone.stop();
  await server?.remove();
});

const it = (title: string, body: (program: string) => Promise<void>): void =>
  requireTool(test, 'nats-server', title, body);

const TOPICS = 7;

/** Appends `count` messages, some in a turn, minding `congested` as protocols do. */
async function appendAll(to: NatsNode, count: number, perTurn: number): Promise<void> {
  for (let i = 0; i < count; ) {
    for (let n = 0; n < perTurn && i < count; n++, i++) to.append(`t/${i % TOPICS}`, `${i}`);
    await sleep(1);
  }
}

/** Each topic's messages, each at its first coming, are in the order in which they were appended. */
function assertOrder(texts: readonly string[], what: string): void {
  const last = new Map<number, number>();
  for (const number of new Set(texts.map(Number))) {
    const topic = number % TOPICS;
    assert.ok(number > (last.get(topic) ?? -1), `${what}: ${number} after ${last.get(topic)}`);
    last.set(topic, number);
  }
}

it('killed and started again during 50,000 appends: none lost, none refused, in order, none twice', async (program) => {
  server = await NatsServer.start(program);
  node = await NatsNode.start(jetStreamOptions(server));
  const appending = appendAll(node, 50_000, 50);
  const { appended, refused } = node;
  await eventually('some are there', () => appended.length > 5_000, 20_000);
  await server.end('SIGKILL');
  await eventually('it is said', () => node?.backbone.notReady() !== undefined);
  await sleep(500);
  await server.start();
  await appending;
  await eventually('all are acknowledged', () => appended.length + refused.length === 50_000, 25_000);
  assert.equal(refused, []);
  assert.is(node.backbone.notReady(), undefined);
  const expected = Array.from({ length: 50_000 }, (_, i) => `${i}`);
  const read = (await node.readAll()).map(textOf);
  assert.is(new Set(read).size, 50_000);
  assertOrder(read, 'read');
  assertOrder(node.tailed.map(textOf), 'tail');
  assert.is(node.tailed.length, 50_000);
  assert.equal([...appended].sort(), [...expected].sort());
});

it('held for 8 s: everything comes through, once, in order', async (program) => {
  server = await NatsServer.start(program);
  node = await NatsNode.start(jetStreamOptions(server));
  const { appended, refused } = node;
  const appending = appendAll(node, 20_000, 20);
  await eventually('some are there', () => appended.length > 1_000);
  server.hold();
  await sleep(8_000);
  server.goOn();
  await appending;
  await eventually('all are acknowledged', () => appended.length + refused.length === 20_000, 20_000);
  assert.equal(refused, []);
  const read = (await node.readAll()).map(textOf);
  assert.is(read.length, 20_000);
  assertOrder(read, 'read');
  assert.equal(node.tailed.map(textOf), read);
});

it('held: memory is bounded, publishers are told to wait, then refused', async (program) => {
  server = await NatsServer.start(program);
  node = await NatsNode.start(jetStreamOptions(server, { pendingBytes: 16 * 1024 * 1024 }));
  const { backbone, refused, appended } = node;
  server.hold();
  const before = process.memoryUsage().rss;
  const payload = 'x'.repeat(10_000);
  let untilCongested = 0;
  for (let i = 0; i < 20_000; i++) {
    if (!backbone.log.congested()) untilCongested = i;
    node.append('t', payload);
    if (i % 100 === 0) await sleep(0);
  }
  await eventually('refusals', () => refused.length > 15_000);
  assert.ok(untilCongested > 500 && untilCongested < 900, `congested after ${untilCongested} messages of 10 kB`);
  assert.ok(
    refused.every((each) => each.startsWith('quota:')),
    refused[0],
  );
  const grown = (process.memoryUsage().rss - before) / 1024 / 1024;
  assert.ok(grown < 100, `200 MB were offered, and memory grew by ${Math.round(grown)} MB`);
  server.goOn();
  await eventually('what was taken', () => appended.length + refused.length === 20_000, 15_000);
  assert.not.ok(backbone.log.congested());
});

it('gone for longer than publishers are held: refused in clear words, and on again when it is back', async (program) => {
  server = await NatsServer.start(program);
  node = await NatsNode.start(jetStreamOptions(server, { holdSeconds: 2 }));
  const { backbone, refused, appended } = node;
  node.append('t', 'before');
  await eventually('the first', () => appended.length === 1);
  await server.end('SIGKILL');
  await eventually('it is known', () => backbone.notReady() !== undefined);
  const began = performance.now();
  node.append('t', 'held');
  await eventually('it is refused', () => refused.length === 1, 6000);
  assert.ok(performance.now() - began > 1500, 'not before the time');
  assert.match(refused[0] ?? '', /^unavailable: NATS is away \(nats:/);
  node.append('t', 'at once');
  await sleep(50);
  assert.is(refused.length, 2);
  const put = await backbone.state.put('wills', 'k', Buffer.from('1')).catch((error: BrokerError) => error.code);
  assert.is(put, 'unavailable');
  await server.start();
  await eventually('ready', () => backbone.notReady() === undefined, 10_000);
  await eventually('taken in', () => {
    if (appended.length === 1) node?.append('t', 'after');
    return appended.length > 1;
  });
  assert.type(await backbone.state.put('wills', 'k', Buffer.from('1')), 'number');
  const read = (await node.readAll()).map(textOf);
  assert.is(read[0], 'before');
  assert.not.ok(read.includes('at once'));
});

it('a stop while NATS is away ends soon, and what waits is refused', async (program) => {
  server = await NatsServer.start(program);
  node = await NatsNode.start(jetStreamOptions(server));
  const { backbone, refused } = node;
  await server.end('SIGKILL');
  await eventually('it is known', () => backbone.notReady() !== undefined);
  node.append('t', 'waits');
  const began = performance.now();
  await backbone.stop();
  assert.ok(performance.now() - began < 2000);
  await eventually('it is refused', () => refused.length === 1);
});

test.run();
