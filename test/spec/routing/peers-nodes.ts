import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerError } from '../../../src/core/errors.ts';
import { consume, ownedByB, publish, Worker } from '../../support/simulated-peers.ts';

const test = suite('routing/peers: consumers, and nodes that go');

test('the owner is killed: the consumer goes on at the next one, and gets again what it had not settled', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = new Worker();
  worker.holds = true;
  consume(a, 'q', {}, worker);
  publish(b, '1', '2');
  await cluster.pass(50);
  b.node.kill();
  await cluster.pass(2000);
  assert.is(cluster.owners.get('queue:q'), 'a');
  assert.equal(worker.got, ['1', '2', '1 again', '2 again']);
  assert.equal(worker.ends, []);
  // Numbers ascend, and those of the old owner settle nothing at the new one.
  const [first, , third] = worker.deliveries;
  assert.ok((third?.number ?? 0) > (first?.number ?? 0));
  worker.consumption?.settle(first?.number ?? 0, 'accept');
  await cluster.pass(20);
  assert.is(await worker.consumption?.settled().catch((error: BrokerError) => error.code), 'unavailable');
  worker.consumption?.settle(third?.number ?? 0, 'accept');
  const later = worker.consumption?.settled();
  await cluster.pass(20);
  await later;
});

test('settled() rejects when the owner is gone before it has said so', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = consume(a, 'q');
  publish(b, '1');
  await cluster.pass(11);
  const settled = worker.consumption?.settled().catch((error: BrokerError) => error.code);
  b.node.kill();
  await cluster.pass(2000);
  assert.is(await settled, 'unavailable');
  assert.equal(worker.got, ['1', '1 again']);
});

test('what was settled, and is not known to be durable when the owner goes, is said to be in doubt: once', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = consume(a, 'q');
  publish(b, '1');
  await cluster.pass(11);
  assert.equal(worker.got, ['1']);
  b.node.kill();
  await cluster.pass(2000);
  const [first, second] = [0, 0].map(() => worker.consumption?.settled().catch((error: BrokerError) => error.code));
  await cluster.pass(50);
  assert.equal([await first, await second], ['unavailable', undefined]);
});

test('a node that stood still, and whose consumers were taken for gone, has them again', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = consume(a, 'q');
  await cluster.pass(50);
  a.node.freeze();
  await cluster.pass(1000);
  assert.is(b.host.consumers('q'), 1);
  a.node.thaw();
  await cluster.pass(1000);
  publish(b, '1');
  await cluster.pass(50);
  assert.equal([worker.got, b.host.consumers('q')], [['1'], 2]);
});

test('a queue that this node no longer owns is not served any more, at once', async () => {
  const { b, cluster, first } = await ownedByB();
  cluster.owners.set('queue:q', 'a');
  b.peers.disowned('queue:q');
  b.peers.disowned('queue:other');
  assert.is(b.host.consumers('q'), 0);
  await cluster.pass(100);
  assert.equal(first.ends, []);
});

test('the node of a consumer is killed: its messages go to others', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = new Worker();
  worker.holds = true;
  consume(a, 'q', {}, worker);
  publish(b, '1');
  await cluster.pass(50);
  assert.equal(worker.got, ['1']);
  const other = consume(b, 'q');
  a.node.kill();
  await cluster.pass(2000);
  assert.equal(other.got, ['1 again']);
  assert.is(b.host.consumers('q'), 2, 'with the one that takes nothing');
});

for (const cut of ['a', 'b'] as const) {
  test(`the way is interrupted at ${cut}: both sides start over, and nothing is left of before`, async () => {
    const { a, b, cluster } = await ownedByB();
    const worker = new Worker();
    worker.holds = true;
    consume(a, 'q', { prefetch: 2 }, worker);
    publish(b, '1', '2', '3');
    await cluster.pass(50);
    (cut === 'a' ? a : b).node.interrupt(100);
    publish(b, '4');
    await cluster.pass(500);
    assert.equal(worker.got, ['1', '2', '1 again', '2 again']);
    assert.is(b.host.consumers('q'), 2);
    for (const { number } of worker.deliveries) worker.consumption?.settle(number, 'accept');
    worker.holds = false;
    await cluster.pass(500);
    assert.equal(worker.got.slice(4), ['3', '4']);
  });
}

test('a packet that is lost without anyone saying so is noticed with the next one', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = consume(a, 'q');
  await cluster.pass(50);
  let drop = 1;
  cluster.filter = (from) => !(from === 'b' && drop-- > 0);
  publish(b, '1');
  await cluster.pass(50);
  publish(b, '2');
  await cluster.pass(500);
  assert.equal(worker.got.map((each) => each.slice(0, 1)).sort(), ['1', '2']);
});

test('what is not heard by the owner at first is said again', async () => {
  const { a, b, cluster } = await ownedByB();
  let drop = true;
  cluster.filter = (from) => !(from === 'a' && drop);
  const worker = consume(a, 'q');
  await cluster.pass(1000);
  drop = false;
  await cluster.pass(5000);
  publish(b, '1');
  await cluster.pass(50);
  assert.equal([worker.opened, worker.got], ['opened', ['1']]);
});

test('a node that stood still, and lost its queue, ends its consumers; they go on at the new owner', async () => {
  const { a, b, cluster, first } = await ownedByB();
  first.consumption?.cancel();
  const there = consume(b, 'q');
  const here = consume(a, 'q');
  await cluster.pass(50);
  b.node.freeze();
  await cluster.pass(2000);
  assert.is(cluster.owners.get('queue:q'), 'a');
  b.node.thaw();
  await cluster.pass(10_000);
  assert.equal([there.ends, here.ends], [[], []]);
  assert.is(b.host.consumers('q'), 0);
  assert.is(a.host.consumers('q'), 2);
  publish(a, '1', '2', '3', '4');
  await cluster.pass(100);
  assert.is(there.got.length + here.got.length, 4);
  assert.ok(there.got.length > 0);
});

test('a node that stops gives its queues up, and ends nobody else’s consumers', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = consume(a, 'q');
  await cluster.pass(50);
  b.peers.close();
  b.host.drop('q');
  await b.peers.release();
  b.node.kill();
  assert.not(cluster.owners.has('queue:q'));
  await cluster.pass(3000);
  const published = publish(a, '1');
  await cluster.pass(50);
  assert.equal([worker.got, worker.ends, published.stored], [['1'], [], ['1']]);
});

test.run();
