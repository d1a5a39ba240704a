import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { unavailable } from '../../support/simulated-cluster.ts';
import { OPTIONS, type Peer, pair, publish, Worker } from '../../support/simulated-peers.ts';

const test = suite('routing/peers: who says how a queue is to be, and pushes at once');

const SETTINGS = { maxMessages: 7 };

function consume(peer: Peer): Worker {
  const worker = new Worker();
  return worker.begin(peer.peers.queues.consume('q', worker, OPTIONS, SETTINGS));
}

/** `a` talks; the queue will be this node's. */
async function of(node: 'a' | 'b') {
  const all = pair();
  all.cluster.owners.set('queue:q', node);
  return { ...all, owner: all[node] };
}

/** It was there before, and both know whose it was. */
async function onceMore(node: 'a' | 'b') {
  const all = await of(node);
  publish(all.a, 'of the old queue');
  await all.cluster.pass(200);
  const deleted = all.a.peers.queues.delete('q');
  await all.cluster.pass(200);
  assert.is(await deleted, 1);
  return all;
}

for (const [where, setUp] of [
  ['here', () => of('a')],
  ['at another node', () => of('b')],
  ['here, once more', () => onceMore('a')],
  ['at another node, once more', () => onceMore('b')],
] as const) {
  test(`a consumer's settings are those of the queue, ${where}`, async () => {
    const { a, cluster, owner } = await setUp();
    const worker = consume(a);
    const publisher = publish(a, '1', '2');
    await cluster.pass(200);
    assert.equal(owner.host.settings('q'), SETTINGS);
    assert.equal(
      [publisher.stored, worker.got],
      [
        ['1', '2'],
        ['1', '2'],
      ],
    );
  });

  test(`those that are declared are, ${where}`, async () => {
    const { a, cluster, owner } = await setUp();
    const declared = a.peers.queues.declare('q', SETTINGS);
    const publisher = publish(a, '1', '2');
    await cluster.pass(200);
    assert.equal((await declared).settings.maxMessages, 7);
    assert.equal([owner.host.settings('q'), publisher.stored], [SETTINGS, ['1', '2']]);
  });

  test(`what comes behind settings that are refused does not wait for ever, ${where}`, async () => {
    const { a, cluster } = await setUp();
    const refused = assertRefused(a.peers.queues.declare('q', { maxMessages: 13 }));
    const publisher = publish(a, '1');
    await cluster.pass(200);
    await refused;
    assert.equal(publisher.stored, ['1']);
    const behind = publish(a, '2');
    await cluster.pass(200);
    assert.equal(behind.stored, ['2']);
  });
}

async function assertRefused(declared: Promise<unknown>): Promise<void> {
  assert.match(String(await declared.catch((error: unknown) => error)), 'maxMessages');
}

test('a consumer that leaves before its owner is found holds nothing up', async () => {
  const { a, cluster } = pair();
  consume(a).consumption?.cancel();
  const publisher = publish(a, '1');
  await cluster.pass(200);
  assert.equal(publisher.stored, ['1']);
});

test('while no owner can be found, what waits behind settings is refused', async () => {
  const { a, cluster } = pair();
  cluster.failure = unavailable();
  const worker = consume(a);
  const publisher = publish(a, '1');
  await cluster.pass(200);
  assert.equal([publisher.refusals.length, worker.opened === 'opened'], [1, false]);
  cluster.failure = undefined;
  const later = publish(a, '2');
  await cluster.pass(200);
  assert.equal(later.stored, ['2']);
});

test.run();
