import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { unavailable } from '../../support/simulated-cluster.ts';
import { consume, message, type Peer, Publisher, setUp, textOf, Worker } from '../../support/simulated-peers.ts';

const test = suite('routing/peers: messages to queues');

function three() {
  const { nodes, ...rest } = setUp('a', 'b', 'c');
  const [a, b, c] = nodes;
  if (a === undefined || b === undefined || c === undefined) throw new Error('there are three');
  const publisher = new Publisher();
  const push = (peer: Peer, text: string, dedupId?: string): void => {
    peer.peers.queues.push('q', message(text, dedupId), publisher, publisher.stored.length);
  };
  const kept = (): string[] => [...rest.stores.get('q').messages.values()].map((each) => textOf(each.message));
  return { a, b, c, publisher, push, kept, ...rest };
}

/** The queue is b's. */
async function ownedByB() {
  const all = three();
  all.b.peers.queues.push('q', message('first'), new Publisher(), 0);
  await all.cluster.pass(50);
  assert.is(all.cluster.owners.get('queue:q'), 'b');
  all.stores.get('q').messages.clear();
  return all;
}

test('a node that has a queue asks nobody, and sends nothing', async () => {
  const { b, cluster, push, publisher } = await ownedByB();
  const { asked } = cluster;
  cluster.filter = () => {
    throw new Error('something is sent');
  };
  push(b, '1');
  push(b, '2');
  assert.is(b.host.pushes, 3, 'during the call');
  await cluster.pass(50);
  assert.equal([publisher.stored, cluster.asked], [['1', '2'], asked]);
});

test('what is pushed elsewhere is stored in order, and acknowledged when the owner has it', async () => {
  const { a, cluster, push, publisher, kept } = await ownedByB();
  let packets = 0;
  cluster.filter = (from) => {
    if (from === 'a') packets++;
    return true;
  };
  for (let i = 0; i < 1000; i++) push(a, String(i));
  await cluster.pass(4);
  assert.equal(publisher.stored, []);
  await cluster.pass(50);
  assert.equal([publisher.stored.length, publisher.refusals], [1000, []]);
  assert.equal(
    kept(),
    Array.from({ length: 1000 }, (_, i) => String(i)),
  );
  assert.ok(packets <= 2, `${packets} packets for one turn`);
});

test('a message arrives as it was: its id, its place, its bytes', async () => {
  const { a, b, cluster, push, publisher, stores } = await ownedByB();
  push(a, 'one', 'q\0id');
  push(a, 'two', 'q\0id');
  const placed = message('three');
  placed.shard = 2;
  placed.sequence = 77;
  a.peers.queues.push('q', placed, publisher, 0);
  await cluster.pass(50);
  assert.equal([publisher.stored, publisher.repeated], [['one', 'three'], ['two']]);
  const [one, three] = [...stores.get('q').messages.values()];
  assert.equal([one?.message.dedupId, three?.message.shard, three?.message.sequence], ['q\0id', 2, 77]);
  assert.ok((one?.message.data.buffer.byteLength ?? 0) < 200, 'with memory of its own');
  assert.equal(b.errors, []);
});

test('a refusal of the owner is the publisher’s, with its code and text', async () => {
  const { a, b, cluster } = await ownedByB();
  b.host.refusal = new BrokerError('quota', 'maxMessages is 5, there are 5');
  const heard: string[] = [];
  const receiver = {
    appended: () => heard.push('stored'),
    refused: (token: number, error: BrokerError) => heard.push(`${token} ${error.code}: ${error.message}`),
  };
  a.peers.queues.push('q', message('x'), receiver, 4);
  await cluster.pass(50);
  assert.equal(heard, ['4 quota: maxMessages is 5, there are 5']);
});

test('while no owner can be found, messages are refused', async () => {
  const { a, cluster, push, publisher } = three();
  cluster.failure = unavailable();
  push(a, '1');
  assert.equal(publisher.refusals, [], 'never during the call');
  await cluster.pass(50);
  assert.equal(publisher.refusals, ['0 unavailable']);
});

test('what is under way to an owner that is killed goes to the next one, in order, and is stored', async () => {
  const { a, b, cluster, push, publisher, kept } = await ownedByB();
  push(a, '1');
  await cluster.pass(3);
  b.node.kill();
  for (const text of ['2', '3']) push(a, text);
  await cluster.pass(100);
  push(a, '4');
  await cluster.pass(3000);
  assert.equal([publisher.stored, publisher.refusals], [['1', '2', '3', '4'], []]);
  assert.equal(kept(), ['1', '2', '3', '4']);
});

test('what an owner had stored when it was killed, and could not say so, the next one does not store again', async () => {
  const { a, b, cluster, push, publisher, kept } = await ownedByB();
  cluster.filter = (from) => from !== 'b';
  push(a, '1');
  await cluster.pass(50);
  assert.equal([kept(), publisher.stored], [['1'], []]);
  cluster.filter = () => true;
  b.node.kill();
  await cluster.pass(3000);
  assert.equal([kept(), publisher.stored], [['1'], ['1']]);
});

for (const cut of ['a', 'b'] as const) {
  for (const after of [0, 1, 2, 3, 4, 5, 6, 7, 8]) {
    test(`the way is interrupted at ${cut} ${after} ms after a message: it is stored once, and acknowledged`, async () => {
      const { a, b, cluster, push, publisher, kept } = await ownedByB();
      push(a, '0');
      await cluster.pass(50);
      push(a, '1');
      await cluster.pass(after);
      (cut === 'a' ? a : b).node.interrupt(40);
      push(a, '2');
      await cluster.pass(10_000);
      assert.equal([publisher.stored, publisher.refusals], [['0', '1', '2'], []]);
      assert.equal(kept(), ['0', '1', '2']);
    });
  }
}

test('answers that were lost are given again, whatever they were', async () => {
  const { a, b, cluster, push, publisher, kept } = await ownedByB();
  push(a, '1', 'q\0id');
  await cluster.pass(50);
  let lost = true;
  cluster.filter = (from) => !(from === 'b' && lost);
  push(a, '2', 'q\0id');
  push(a, '3');
  await cluster.pass(20);
  b.host.refusal = new BrokerError('quota');
  push(a, '4');
  await cluster.pass(20);
  assert.equal(publisher.stored, ['1']);
  lost = false;
  b.host.refusal = undefined;
  a.peers.interrupted();
  await cluster.pass(100);
  assert.equal([publisher.stored, publisher.repeated, publisher.refusals], [['1', '3'], ['2'], ['1 quota']]);
  assert.equal(kept(), ['1', '3']);
});

test('one that comes a second time while it is being stored is answered when that is done, not before', async () => {
  const { a, b, cluster, push, publisher } = await ownedByB();
  push(a, '1');
  await cluster.pass(50);
  b.host.refusal = new BrokerError('quota');
  push(a, '2');
  await cluster.pass(2);
  a.peers.interrupted();
  await cluster.pass(50);
  assert.equal([publisher.stored, publisher.refusals, b.host.pushes], [['1'], ['1 quota'], 3]);
});

test('an owner that lost the queue says so; messages go to the new owner, in order', async () => {
  const { a, b, c, cluster, push, publisher, kept } = await ownedByB();
  push(a, '0');
  await cluster.pass(50);
  // To ask for the owner takes less time than to be answered by one that is none.
  cluster.asking = 1;
  b.node.freeze();
  await cluster.pass(10);
  // The lease has run out, c has the queue, and a has not heard of it yet.
  cluster.nodes.delete('b');
  c.peers.queues.push('q', message('c'), new Publisher(), 0);
  await cluster.pass(20);
  assert.is(cluster.owners.get('queue:q'), 'c');
  push(a, '1');
  push(a, '2');
  cluster.nodes.set('b', b.node);
  b.node.thaw();
  for (let i = 3; i < 30; i++) {
    push(a, String(i));
    await cluster.pass(1);
  }
  await cluster.pass(5000);
  const numbers = Array.from({ length: 30 }, (_, i) => String(i));
  assert.equal([publisher.refusals, publisher.stored], [[], numbers]);
  assert.equal(
    kept().filter((text) => text !== 'c'),
    numbers,
  );
});

test('only so many bytes are under way to an owner; the others follow in order', async () => {
  const { a, cluster, push, publisher, kept } = await ownedByB();
  let bytes = 0;
  let closed = true;
  cluster.filter = (from, to, sent) => {
    if (from === 'a') bytes += sent.length;
    return !(to === 'a' && closed);
  };
  for (let i = 0; i < 100; i++) push(a, `${i} `.padEnd(200_000, '.'));
  await cluster.pass(1000);
  assert.ok(bytes > 8_000_000 && bytes < 9_500_000, `${bytes} bytes were sent`);
  closed = false;
  a.peers.interrupted();
  await cluster.pass(10_000);
  assert.is(publisher.stored.length, 100);
  assert.equal(
    kept().map((text) => Number.parseInt(text, 10)),
    Array.from({ length: 100 }, (_, i) => i),
  );
});

test('what waits for owners is bounded; beyond, messages are refused', async () => {
  const { a, b, cluster, publisher } = await ownedByB();
  a.peers.queues.push('q', message('x'), publisher, 0);
  await cluster.pass(50);
  b.node.freeze();
  const large = message('y'.repeat(10_000_000));
  for (let i = 0; i < 30; i++) a.peers.queues.push('q', large, publisher, i);
  await cluster.pass(10);
  assert.equal(publisher.refusals, ['26 unavailable', '27 unavailable', '28 unavailable', '29 unavailable']);
});

test('calls are answered by the owner, and by the next one when that is killed', async () => {
  const { a, b, c, cluster, push } = await ownedByB();
  push(a, '1');
  push(a, '2');
  await cluster.pass(50);
  const status = a.peers.queues.status('q');
  const declared = c.peers.queues.declare('q', { maxMessages: 7, bindings: ['a/#'] });
  await cluster.pass(200);
  assert.equal(await status, await b.host.status('q'));
  assert.equal((await declared).settings.bindings, ['a/#']);
  const refused = a.peers.queues.declare('q', { maxMessages: 13 }).catch((error: BrokerError) => error);
  await cluster.pass(50);
  const error = await refused;
  assert.instance(error, BrokerError);
  assert.equal(error instanceof BrokerError && [error.code, error.message], [
    'fieldInvalid',
    'maxMessages of the queue is 1, not 13',
  ]);
  b.node.kill();
  const again = a.peers.queues.status('q');
  await cluster.pass(3000);
  assert.is((await again)?.messages, 2);
  const purged = c.peers.queues.purge('q');
  await cluster.pass(50);
  assert.is(await purged, 2);
});

test('an order of which it is not known whether it was done is not given twice', async () => {
  const { a, b, cluster } = await ownedByB();
  const before = a.peers.queues.status('q');
  await cluster.pass(50);
  await before;
  let purges = 0;
  b.host.purge = async () => ++purges;
  cluster.filter = (from) => from !== 'b';
  const purged = a.peers.queues.purge('q').catch((error: BrokerError) => error.code);
  await cluster.pass(50);
  cluster.filter = () => true;
  a.peers.interrupted();
  await cluster.pass(500);
  assert.equal([await purged, purges], ['unavailable', 1]);
});

test('a large queue is browsed elsewhere in portions', async () => {
  const { a, b, cluster } = await ownedByB();
  for (let i = 0; i < 30; i++) b.peers.queues.push('q', message(`${i} `.padEnd(100_000, '.')), new Publisher(), 0);
  await cluster.pass(50);
  const seen: number[] = [];
  let portions = 0;
  for (let after: number | undefined = 0; after !== undefined; portions++) {
    const asked = a.peers.queues.browse('q', after, 100);
    await cluster.pass(50);
    const portion = await asked;
    for (const each of portion.messages) seen.push(Number.parseInt(textOf(each.message), 10));
    after = portion.next;
  }
  assert.equal(
    seen,
    Array.from({ length: 30 }, (_, i) => i),
  );
  assert.is(portions, 3);
});

test('of a queue that there is not, nobody becomes the owner by asking', async () => {
  const { a, cluster } = three();
  assert.is(await a.peers.queues.status('nothing'), undefined);
  assert.is(await a.peers.queues.purge('nothing').catch((error: BrokerError) => error.code), 'notFound');
  await cluster.pass(50);
  assert.equal([cluster.owners.size, cluster.asked], [0, 0]);
});

test('a queue that was deleted has no owner after a while', async () => {
  const { b, stores, cluster } = await ownedByB();
  b.peers.start();
  await cluster.pass(200_000);
  assert.ok(cluster.owners.has('queue:q'));
  const deleted = b.peers.queues.delete('q');
  await cluster.pass(200_000);
  await deleted;
  assert.not(cluster.owners.has('queue:q'));
  assert.not(stores.queues.has('q'));
});

test('a question is put in a queue that has consumers; otherwise nobody is told to', async () => {
  const { a, b, cluster } = await ownedByB();
  const heard: string[] = [];
  const ask = (queue: string): void => a.peers.queues.request(queue, message(queue), () => heard.push(queue));
  ask('nothing');
  ask('q');
  await cluster.pass(50);
  assert.equal(heard, ['nothing', 'q']);
  assert.is(b.host.pushes, 1);
  const worker = consume(b, 'q', {}, new Worker());
  await cluster.pass(50);
  ask('q');
  await cluster.pass(50);
  assert.equal([heard, worker.got], [['nothing', 'q'], ['q']]);
});

test('bytes that no node makes are logged, and harm nothing', async () => {
  const { a, b, cluster, push, publisher } = await ownedByB();
  push(a, '1');
  await cluster.pass(50);
  for (let i = 0; i < 500; i++) {
    const bytes = Uint8Array.from({ length: i % 40 }, (_, at) => 3 + ((i * 31 + at * 17) % 250));
    b.peers.received('a', bytes);
    a.peers.received('b', bytes);
  }
  assert.is(b.errors.length, 500);
  push(a, '2');
  await cluster.pass(10_000);
  assert.equal(publisher.stored, ['1', '2']);
});

test.run();
