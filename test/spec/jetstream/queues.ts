import { AckPolicy, type JsMsg } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeldQueue, queued, textOf } from '../../contract/support/held-queue.ts';
import { eventually } from '../../support/eventually.ts';
import { pairs } from './support/scene.ts';

/** Queues in a work-queue stream: what the contract of all stores does not say. */

const test = suite('jetstream queues');
const it = pairs(test, 'w');

const numbers = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `${from + i}`);

it('the next owner gets at once what a lost one had, and nothing that it had removed', async ({ a, b }) => {
  const before = await HeldQueue.open(a.backbone.queues, 'q');
  await before.pushAll(...numbers(50));
  const [removed, ...kept] = await before.get(20);
  assert.ok(removed !== undefined);
  await before.remove(removed);
  const began = Date.now();
  const after = await HeldQueue.open(b.backbone.queues, 'q');
  assert.is(after.store.messages, 49);
  const entries = await after.get(49);
  assert.ok(Date.now() - began < 5000, 'not after the time of an acknowledgement');
  assert.equal(entries.map(textOf), numbers(49, 1));
  assert.equal(
    entries.map(({ redelivered }) => redelivered),
    entries.map((_, i) => i < kept.length),
  );
});

it('a higher priority comes first however many of a lower one wait', async ({ a }) => {
  const queue = await HeldQueue.open(a.backbone.queues, 'q');
  await queue.pushAll(...numbers(2000));
  assert.equal(await queue.texts(10), numbers(10));
  await queue.push(queued('high', { priority: 7 }));
  await queue.push(queued('higher', { priority: 8 }));
  assert.equal(await queue.texts(4), ['higher', 'high', '10', '11']);
  await queue.push(queued('high', { priority: 7 }));
  assert.equal(await queue.texts(2), ['high', '12']);
});

it('queues that are only published to have no consumers, the others one for each priority', async ({
  a,
  app,
  prefix,
}) => {
  const manager = await app.jetstreamManager();
  const consumers = async (): Promise<string[]> => {
    const names = (await manager.consumers.list(`${prefix}_QUEUE`).next()).map(({ name }) => name);
    return names.sort();
  };
  const held = await Promise.all(numbers(50).map((each) => HeldQueue.open(a.backbone.queues, each)));
  await Promise.all(held.map((each) => each.pushAll('x')));
  assert.equal(await consumers(), []);
  await held[7]?.push(queued('y', { priority: 3 }));
  await held[7]?.get(2);
  const odd = await HeldQueue.open(a.backbone.queues, 'a/b');
  await odd.pushAll('x');
  await odd.get(1);
  const names = await consumers();
  assert.equal(names.slice(0, 2), ['queue-7', 'queue3-7']);
  assert.match(names[2] ?? '', /^queue=[A-Za-z0-9_-]{43}$/);
  assert.is(names.length, 3);
});

it('an application fills a queue with messages of its own', async ({ a, app, prefix }) => {
  const queue = await HeldQueue.open(a.backbone.queues, 'work/1');
  queue.store.want(10);
  await app.request(`${prefix}.queue.work%2F1`, 'native');
  await app.request(`${prefix}.queue.work%2F1.9`, 'urgent');
  await queue.came(1, 0);
  const [entry] = queue.taken;
  assert.ok(entry !== undefined);
  assert.equal([textOf(entry), entry.message.topic, entry.message.qos], ['native', '$queue/work/1', 1]);
  assert.equal(entry.message.publisher, { clientId: '', protocol: 'native' });
  await queue.remove(entry);
  await queue.store.close();
  const again = await HeldQueue.open(a.backbone.queues, 'work/1');
  assert.equal([again.store.messages, again.store.bytes], [1, 6]);
  assert.equal(await again.texts(1), ['urgent']);
});

it('what an application puts there is counted when it comes', async ({ a, app, prefix }) => {
  const queue = await HeldQueue.open(a.backbone.queues, 'q');
  await app.request(`${prefix}.queue.q`, 'native');
  await queue.get(1);
  assert.equal([queue.store.messages, queue.store.bytes], [1, 6]);
  await queue.remove(...queue.taken);
  assert.equal([queue.store.messages, queue.store.bytes], [0, 0]);
});

it('an application consumes a queue that no broker consumes', async ({ a, app, prefix }) => {
  const queue = await HeldQueue.open(a.backbone.queues, 'q');
  await queue.pushAll('a', 'b', 'c');
  await queue.remove(...(await queue.get(1)));
  await queue.store.close();
  const consumer = await app.jetstream().consumers.get(`${prefix}_QUEUE`, 'queue-q');
  const got: string[] = [];
  for await (const message of await consumer.fetch({ max_messages: 1, expires: 2000 })) {
    got.push(take(message));
  }
  assert.equal(got, ['b']);
  const again = await HeldQueue.open(a.backbone.queues, 'q');
  assert.equal(await again.texts(1), ['c']);
});

it('what an application takes from a queue is counted some seconds later', async ({ a, app, prefix }) => {
  const queue = await HeldQueue.open(a.backbone.queues, 'q');
  await queue.pushAll('a', 'b', 'c');
  await queue.push(queued('urgent', { priority: 4 }));
  await queue.push(queued('later', { deliverAt: Date.now() + 60_000 }));
  const filter = { ack_policy: AckPolicy.Explicit, filter_subject: `${prefix}.queue.q` };
  const manager = await app.jetstreamManager();
  await manager.consumers.add(`${prefix}_QUEUE`, { durable_name: 'queue-q', ...filter });
  const consumer = await app.jetstream().consumers.get(`${prefix}_QUEUE`, 'queue-q');
  for await (const message of await consumer.fetch({ max_messages: 2, expires: 2000 })) take(message);
  assert.is(queue.store.messages, 5);
  await eventually('it is counted again', () => queue.store.messages === 3, 10_000);
  assert.is(queue.store.bytes, Math.round((14 / 5) * 3));
});

it('what is to be removed and is gone already, with all before it, is removed', async ({ a, app, prefix }) => {
  const queue = await HeldQueue.open(a.backbone.queues, 'q');
  await queue.pushAll('a', 'b', 'c');
  const entries = await queue.get(3);
  const manager = await app.jetstreamManager();
  // So that acknowledgements are not confirmed: as a server that was killed, and comes back with less.
  await manager.consumers.delete(`${prefix}_QUEUE`, 'queue-q');
  await manager.streams.purge(`${prefix}_QUEUE`);
  for (const { id } of entries) queue.store.remove(id);
  await queue.store.flushed();
});

it('an acknowledgement that nobody hears is no removal: the message is deleted', async ({ a, app, prefix }) => {
  const queue = await HeldQueue.open(a.backbone.queues, 'q');
  await queue.pushAll('a', 'b');
  const [first] = await queue.get(2);
  const manager = await app.jetstreamManager();
  await manager.consumers.delete(`${prefix}_QUEUE`, 'queue-q');
  queue.store.remove(first?.id ?? 0);
  await queue.store.flushed();
  assert.is((await manager.streams.info(`${prefix}_QUEUE`)).state.messages, 1);
});

function take(message: JsMsg): string {
  message.ack();
  return message.string();
}

it('a message of another topic, as bindings bring them, keeps it; a long wait is the server’s', async ({
  a,
  app,
  prefix,
}) => {
  const queue = await HeldQueue.open(a.backbone.queues, 'q');
  const { publisher } = queued('');
  const { Message } = await import('../../../src/core/message.ts');
  const bytes = Buffer.from('x');
  const properties = { deliverAt: Date.now() + 11_000, priority: 2, user: [['a', 'b']] as const };
  const message = new Message('orders/a b/ü', bytes, 0, 1, 2, true, properties, publisher, 99);
  await queue.push(message);
  const manager = await app.jetstreamManager();
  const { state } = await manager.streams.info(`${prefix}_QUEUE`, { subjects_filter: `${prefix}.queue.q.later.>` });
  assert.is(Object.keys(state.subjects ?? {}).length, 1);
  queue.store.want(1);
  assert.is(queue.store.messages, 1);
  await eventually('it comes in its time', () => queue.taken.length > 0, 15_000);
  const { topic, qos, retain, timestamp, properties: found } = queue.taken[0]?.message ?? {};
  assert.ok(Date.now() >= properties.deliverAt);
  assert.equal([topic, qos, retain, timestamp, found], ['orders/a b/ü', 2, true, 99, properties]);
  assert.is(queue.store.messages, 1);
});

it('a server that is killed: what it has taken in is there once, what was removed is not', async ({ a, server }) => {
  const queue = await HeldQueue.open(a.backbone.queues, 'q');
  await queue.pushAll(...numbers(100));
  const first = await queue.get(40);
  for (const { id } of first.slice(0, 20)) queue.store.remove(id);
  const pushed = queue.pushAll(...numbers(500, 100));
  const flushed = queue.store.flushed();
  await server.end('SIGKILL');
  await eventually('it is noticed', () => a.backbone.notReady() !== undefined);
  await server.start();
  await Promise.all([pushed, flushed]);
  assert.is(queue.store.messages, 580);
  assert.equal((await queue.get(560)).map(textOf), numbers(560, 40));
  await queue.remove(...queue.taken.slice(20));
  assert.equal([queue.store.messages, queue.store.bytes], [0, 0]);
  assert.equal((await queue.store.browse(0, 10)).entries, []);
});

it('a consumer that is deleted is made again, and nothing that is taken comes twice', async ({ a, app, prefix }) => {
  const queue = await HeldQueue.open(a.backbone.queues, 'q');
  await queue.pushAll(...numbers(10));
  await queue.get(4);
  const manager = await app.jetstreamManager();
  queue.store.want(1);
  await queue.came(1, 4);
  await manager.consumers.delete(`${prefix}_QUEUE`, 'queue-q');
  assert.equal((await queue.get(5)).map(textOf), numbers(5, 5));
  await queue.remove(...queue.taken);
  await eventually('it is empty', async () => (await queue.store.browse(0, 10)).entries.length === 0);
});

test.run();
