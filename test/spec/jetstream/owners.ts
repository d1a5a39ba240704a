import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { scenes } from './support/scene.ts';

/** What one node has for all, and what nodes send each other, on one server. */

const test = suite('jetstream owners');
const it = scenes(test, 'o');
const LEASE = { leaseSeconds: 2 };

it('of nodes that want a key at the same time one has it, and all are told the same', async ({ start }) => {
  const [a, b, c] = await start(3, LEASE);
  assert.ok(a && b && c);
  for (let round = 0; round < 20; round++) {
    const key = `queue:ü/+.*> $${round}`;
    const owners = await Promise.all([a, b, c, a].map(({ backbone }) => backbone.cluster.own(key)));
    assert.is(new Set(owners).size, 1, owners.join());
    assert.ok([a, b, c].some(({ backbone }) => backbone.cluster.node === owners[0]));
  }
  assert.equal([a.disownedKeys, b.disownedKeys, c.disownedKeys], [[], [], []]);
});

it('a key that is given up can be had by another; clients’ names are apart from it', async ({ start }) => {
  const [a, b] = await start(2, LEASE);
  assert.ok(a && b);
  assert.is(await a.backbone.cluster.own('k'), a.backbone.cluster.node);
  await b.backbone.cluster.claim('k');
  assert.equal(a.yielded, []);
  assert.is(await b.backbone.cluster.own('k'), a.backbone.cluster.node);
  await b.backbone.cluster.disown('k');
  assert.is(await b.backbone.cluster.own('k'), a.backbone.cluster.node, 'only its owner gives it up');
  await a.backbone.cluster.disown('k');
  assert.is(await b.backbone.cluster.own('k'), b.backbone.cluster.node);
  assert.is(await a.backbone.cluster.own('k'), b.backbone.cluster.node);
  assert.equal(a.disownedKeys, []);
});

it('what a node had that has ended is had by the next that asks', async ({ start }) => {
  const [a, b] = await start(2, { leaseSeconds: 300 });
  assert.ok(a && b);
  await b.backbone.cluster.own('k');
  await b.backbone.stop();
  await eventually('it is gone', () => a.lost.length > 0);
  assert.is(await a.backbone.cluster.own('k'), a.backbone.cluster.node);
});

it('a node that was taken for lost hears that another has its key', async ({ start }) => {
  const [a, b] = await start(2, { leaseSeconds: 300 });
  assert.ok(a && b);
  const { node } = b.backbone.cluster;
  for (const key of ['k', 'kept']) assert.is(await b.backbone.cluster.own(key), node);
  await eventually('it is known', () => a.backbone.cluster.alive(node));
  // As another node does that has not heard of it for the time of the lease.
  await a.backbone.state.remove('nodes', node);
  await eventually('it is lost', () => a.lost.includes(node));
  await eventually('it is back', () => a.backbone.cluster.alive(node));
  assert.is(await a.backbone.cluster.own('k'), node, 'it runs after all, and nobody took its keys');
  await b.backbone.state.put('owned', 'k', Buffer.from(a.backbone.cluster.node));
  await eventually('it is told', () => b.disownedKeys.length > 0);
  assert.equal(b.disownedKeys, ['k']);
  assert.is(await b.backbone.cluster.own('k'), a.backbone.cluster.node);
  assert.is(await b.backbone.cluster.own('kept'), node);
});

it('bytes come in the order of sending, whatever their size, with the name of the sender', async ({ start }) => {
  const [a, b, c] = await start(3, LEASE);
  assert.ok(a && b && c);
  const { node } = b.backbone.cluster;
  const sizes = Array.from({ length: 200 }, (_, i) => (i % 50 === 49 ? 2_500_000 + i : i));
  const bytes = Buffer.alloc(3_000_000);
  for (const [i, size] of sizes.entries()) {
    bytes.fill(i % 256, 0, size);
    a.backbone.cluster.send(node, bytes.subarray(0, size));
    c.backbone.cluster.send(node, Buffer.from(`c${i}`));
  }
  bytes.fill(0);
  await eventually('all', () => b.got.length === sizes.length * 2);
  const ofA = b.got.filter((each) => each.node === a.backbone.cluster.node);
  assert.equal(
    ofA.map((each) => each.bytes.length),
    sizes,
  );
  for (const [i, each] of ofA.entries()) assert.ok(each.bytes.every((byte) => byte === i % 256));
  const ofC = b.got.filter((each) => each.node === c.backbone.cluster.node);
  assert.equal(
    ofC.map((each) => Buffer.from(each.bytes).toString()),
    sizes.map((_, i) => `c${i}`),
  );
  assert.is(a.got.length + c.got.length, 0);
  assert.is(b.interruptions, 0);
});

it('when NATS was away, both ends hear that something may be lost, and then bytes come again', async ({
  server,
  start,
}) => {
  const [a, b] = await start(2, { leaseSeconds: 300 });
  assert.ok(a && b);
  const { node } = b.backbone.cluster;
  a.backbone.cluster.send(node, Buffer.from('1'));
  await eventually('the first', () => b.got.length === 1);
  await server.end('SIGKILL');
  await eventually('it is noticed', () => a.backbone.notReady() !== undefined && b.backbone.notReady() !== undefined);
  a.backbone.cluster.send(node, Buffer.from('lost'));
  await server.start();
  await eventually('both know', () => a.interruptions > 0 && b.interruptions > 0);
  await eventually('both are back', () => a.backbone.notReady() === undefined && b.backbone.notReady() === undefined);
  // The server may not have the other one's subscription yet: what is sent then is lost, as links expect of it.
  await eventually('the next', () => {
    a.backbone.cluster.send(node, Buffer.from('2'));
    return b.got.some((each) => Buffer.from(each.bytes).toString() === '2');
  });
  assert.ok(!b.got.some((each) => Buffer.from(each.bytes).toString() === 'lost'));
});

test.run();
