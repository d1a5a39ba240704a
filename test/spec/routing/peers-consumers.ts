import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerError } from '../../../src/core/errors.ts';
import { unavailable } from '../../support/simulated-cluster.ts';
import { consume, message, type Peer, Publisher, setUp, Worker } from '../../support/simulated-peers.ts';

const test = suite('routing/peers: consumers');

function pair(): { a: Peer; b: Peer } & Omit<ReturnType<typeof setUp>, 'nodes'> {
  const { nodes, ...rest } = setUp('a', 'b');
  const [a, b] = nodes;
  if (a === undefined || b === undefined) throw new Error('there are two');
  return { a, b, ...rest };
}

/** The queue is b's, with a worker there that takes nothing. */
async function ownedByB() {
  const all = pair();
  const first = new Worker();
  first.open = false;
  consume(all.b, 'q', {}, first);
  await all.cluster.pass(50);
  assert.is(all.cluster.owners.get('queue:q'), 'b');
  return { ...all, first };
}

function publish(peer: Peer, ...texts: string[]): Publisher {
  const publisher = new Publisher();
  texts.forEach((text, i) => {
    peer.peers.queues.push('q', message(text), publisher, i);
  });
  return publisher;
}

test('a consumer gets messages of a queue that another node has, and settles them there', async () => {
  const { a, b, cluster, stores } = await ownedByB();
  const worker = consume(a, 'q');
  publish(b, '1', '2', '3');
  await cluster.pass(50);
  assert.is(worker.opened, 'opened');
  assert.equal(worker.got, ['1', '2', '3']);
  await cluster.pass(10);
  assert.is(stores.get('q').messages.size, 0);
});

test('it has no more than its prefetch, at the owner and on the way', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = new Worker();
  worker.holds = true;
  consume(a, 'q', { prefetch: 2 }, worker);
  publish(b, '1', '2', '3', '4');
  await cluster.pass(50);
  assert.equal(worker.got, ['1', '2']);
  worker.consumption?.settle(worker.deliveries[0]?.number ?? 0, 'accept');
  await cluster.pass(50);
  assert.equal(worker.got, ['1', '2', '3']);
});

test('what it is not ready for waits at its own node until it is', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = new Worker();
  worker.open = false;
  consume(a, 'q', { prefetch: 3 }, worker);
  publish(b, '1', '2', '3', '4');
  await cluster.pass(50);
  assert.equal(worker.got, []);
  worker.open = true;
  worker.consumption?.pump();
  assert.equal(worker.got, ['1', '2', '3']);
  await cluster.pass(50);
  assert.is(worker.got.length, 4);
});

test('settled() resolves once the owner says that it is durable', async () => {
  const { a, b, cluster, stores } = await ownedByB();
  const worker = consume(a, 'q');
  publish(b, '1');
  await cluster.pass(11);
  assert.equal(worker.got, ['1']);
  let durable = false;
  worker.consumption?.settled().then(() => {
    durable = true;
  });
  await cluster.pass(4);
  assert.not(durable);
  await cluster.pass(20);
  assert.ok(durable);
  assert.is(stores.get('q').messages.size, 0);
});

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

test('while no owner can be found it is tried again, and the client hears nothing of it', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = consume(a, 'q');
  await cluster.pass(50);
  cluster.failure = unavailable();
  b.node.kill();
  await cluster.pass(5_000);
  const { asked } = cluster;
  await cluster.pass(60_000);
  assert.ok(cluster.asked - asked < 20, `asked ${cluster.asked - asked} times within a minute`);
  cluster.failure = undefined;
  await cluster.pass(10_000);
  const published = publish(a, 'x');
  await cluster.pass(50);
  assert.equal([worker.got, worker.ends, published.stored], [['x'], [], ['x']]);
});

test('it is refused when no owner can be found at first, or the owner refuses it', async () => {
  const { a, b, cluster } = pair();
  cluster.failure = unavailable();
  const early = consume(a, 'q');
  await cluster.pass(50);
  assert.equal([early.opened, early.ends], ['unavailable', ['unavailable']]);
  cluster.failure = undefined;
  const first = consume(b, 'q');
  await cluster.pass(50);
  const exclusive = consume(a, 'q', { exclusive: true });
  await cluster.pass(50);
  assert.equal([first.opened, exclusive.opened, exclusive.ends], ['opened', 'quota', ['quota']]);
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

test('a consumer that goes gives back what it has, wherever the queue is', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = new Worker();
  worker.holds = true;
  consume(a, 'q', {}, worker);
  publish(b, '1');
  await cluster.pass(50);
  worker.consumption?.cancel();
  const next = consume(a, 'q');
  await cluster.pass(50);
  assert.equal([worker.got, next.got], [['1'], ['1 again']]);
});

test('one that goes before it is known where the queue is, is nowhere', async () => {
  const { a, b, cluster } = await ownedByB();
  consume(a, 'q').consumption?.cancel();
  consume(b, 'q').consumption?.cancel();
  const late = consume(a, 'q');
  await cluster.pass(4);
  late.consumption?.cancel();
  await cluster.pass(100);
  assert.is(b.host.consumers('q'), 1);
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

test('deliveries stop at so many bytes on the way, and go on when they have come', async () => {
  const { a, b, cluster } = await ownedByB();
  let cut = false;
  let bytes = 0;
  cluster.filter = (from, _to, sent) => {
    if (from === 'b') bytes += sent.length;
    return !(from === 'a' && cut);
  };
  const worker = new Worker();
  worker.holds = true;
  consume(a, 'q', { prefetch: 1000 }, worker);
  await cluster.pass(50);
  cut = true;
  publish(b, ...Array.from({ length: 200 }, (_, i) => `${i}`.padEnd(100_000, '.')));
  await cluster.pass(1000);
  assert.ok(bytes > 8_000_000 && bytes < 9_000_000, `${bytes} bytes were sent`);
  cut = false;
  a.peers.interrupted();
  await cluster.pass(5000);
  assert.is(new Set(worker.got.map((each) => each.slice(0, 4))).size, 200);
});

test('a queue that is deleted ends its consumers on all nodes', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = consume(a, 'q');
  await cluster.pass(50);
  const deleted = a.peers.queues.delete('q');
  await cluster.pass(500);
  assert.is(await deleted, 0);
  assert.equal(worker.ends, ['notFound']);
  assert.equal(b.errors, []);
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

test('groups have their members on all nodes', async () => {
  const { a, b, cluster } = pair();
  const options = {
    clientId: 'c',
    prefetch: 5,
    keptFor: 60,
    ordered: true,
    start: { from: 'last', count: 3 },
  } as const;
  const first = new Worker();
  first.begin(b.peers.groups.consume('g', 't/#', first, options));
  await cluster.pass(50);
  const second = new Worker();
  const membership = a.peers.groups.consume('g', 't/#', second, options);
  second.begin(membership);
  await cluster.pass(50);
  assert.equal(b.groups.asked, [JSON.stringify(options), JSON.stringify(options)]);
  for (const [i, text] of ['1', '2'].entries()) b.host.push('g/t/#', message(text), new Publisher(), i);
  await cluster.pass(50);
  assert.is(first.got.length + second.got.length, 2);
  const status = a.peers.groups.status('g', 't/#');
  const moved = a.peers.groups.move('g', 't/#', { from: 'position', shard: 1, sequence: 9 });
  membership.leave(true);
  await cluster.pass(50);
  await moved;
  assert.equal(await status, await b.groups.status('g', 't/#'));
  assert.equal(b.groups.asked.slice(2), ['leave true', 'g t/# {"from":"position","shard":1,"sequence":9}']);
  b.node.kill();
  await cluster.pass(3000);
  const third = new Worker();
  third.begin(a.peers.groups.consume('g', 't/#', third, options));
  await cluster.pass(50);
  assert.is(third.opened, 'opened');
});

test.run();
