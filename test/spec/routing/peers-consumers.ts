import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { unavailable } from '../../support/simulated-cluster.ts';
import { consume, message, ownedByB, Publisher, pair, publish, Worker } from '../../support/simulated-peers.ts';

const test = suite('routing/peers: consumers');

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

test('a queue is told whether a consumer of another node has left, or is out of reach', async () => {
  const { a, b, cluster } = await ownedByB();
  const worker = consume(a, 'q');
  await cluster.pass(50);
  a.peers.interrupted();
  await cluster.pass(500);
  assert.equal(b.host.left, ['interrupted']);
  worker.consumption?.cancel();
  await cluster.pass(500);
  assert.equal(b.host.left, ['interrupted', 'cancelled']);
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
  // In one packet with its beginning.
  const hasty = a.peers.groups.consume('g', 't/#', new Worker(), options);
  await new Promise((done) => setImmediate(done));
  hasty.leave(true);
  await cluster.pass(50);
  assert.equal(b.groups.asked.slice(4), [JSON.stringify(options), 'leave true']);
  b.node.kill();
  await cluster.pass(3000);
  const third = new Worker();
  third.begin(a.peers.groups.consume('g', 't/#', third, options));
  await cluster.pass(50);
  assert.is(third.opened, 'opened');
});

test.run();
