import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { decodeSession, encodeSession } from '../../../src/routing/session-record.ts';
import { FakeGroups } from './support/fake-queues.ts';
import { Harness, type TestClient } from './support/harness.ts';
import { SlowStore } from './support/slow-store.ts';

/** Durable subscriptions and the store: what is said when, and what becomes of what goes wrong. */

const NAMED = 'activemq.subscriptionName:d';
const SUBSCRIBE = ['id:d', 'destination:/topic/a', NAMED, 'ack:client-individual'];
const KEY = 'stomp:["me","d"]';

/** By client id and name, as in ActiveMQ: those of RabbitMQ are groups. */
function connect(harness: Harness): TestClient {
  return harness.connect('1.2', 'tcp', ['client-id:me']);
}

interface Scene {
  readonly harness: Harness;
  readonly store: SlowStore;
  readonly client: TestClient;
}

function open(): Scene {
  const harness = Harness.open();
  return { harness, store: new SlowStore(harness.backbone.state, harness.clock), client: connect(harness) };
}

/** One that has its subscription. */
async function subscribed(): Promise<Scene> {
  const scene = open();
  scene.client.send('SUBSCRIBE', SUBSCRIBE);
  // Its filter, and then the subscription itself.
  await scene.store.durable();
  await scene.store.durable();
  return scene;
}

function receipts(client: TestClient): (string | undefined)[] {
  return client.frames().flatMap(({ command, headers }) => (command === 'RECEIPT' ? [headers['receipt-id']] : []));
}

/** Bodies of what a new connection gets, with a `*` behind those that come again. */
async function next({ harness, store }: Scene): Promise<string[]> {
  const client = connect(harness);
  client.send('SUBSCRIBE', SUBSCRIBE);
  await store.durable();
  await store.durable();
  await store.durable();
  return client
    .frames()
    .filter(({ command }) => command === 'MESSAGE')
    .map(({ body, headers }) => `${body}${headers.redelivered === 'true' ? '*' : ''}`);
}

const test = suite('STOMP durable subscriptions and the store');

test('a receipt comes when what its frame did is durable: SUBSCRIBE, ACK, COMMIT, UNSUBSCRIBE, DISCONNECT', async () => {
  const { harness, store, client } = open();
  const awaits = async (receipt: string): Promise<void> => {
    await store.turn();
    assert.equal(receipts(client), [], `${receipt}, before`);
    await store.durable();
    assert.equal(receipts(client), [receipt]);
  };
  client.send('SUBSCRIBE', [...SUBSCRIBE, 'receipt:subscribe']);
  await store.durable();
  await awaits('subscribe');
  for (const body of ['1', '2']) harness.publish('a', body, undefined, 1);
  const [one, two] = client.frames();
  client.send('ACK', [`id:${one?.headers.ack}`, 'receipt:ack']);
  await awaits('ack');
  client.send('BEGIN', ['transaction:t']);
  client.send('ACK', [`id:${two?.headers.ack}`, 'transaction:t']);
  client.send('COMMIT', ['transaction:t', 'receipt:commit']);
  await awaits('commit');
  client.send('UNSUBSCRIBE', ['id:d', 'receipt:unsubscribe']);
  await awaits('unsubscribe');
  await store.durable();
  client.send('UNSUBSCRIBE', [NAMED, 'receipt:delete']);
  await awaits('delete');
  client.send('SUBSCRIBE', SUBSCRIBE);
  await store.durable();
  await store.durable();
  client.send('UNSUBSCRIBE', [NAMED, 'receipt:delete active']);
  await awaits('delete active');
  client.send('SUBSCRIBE', SUBSCRIBE);
  await store.durable();
  await store.durable();
  harness.publish('a', '3', undefined, 1);
  client.send('ACK', [`id:${client.frame().headers.ack}`]);
  client.send('DISCONNECT', ['receipt:disconnect']);
  await awaits('disconnect');
  assert.ok(client.closed);
});

test('what waits for a subscription that is deleted meanwhile is answered, too', async () => {
  const { harness, store, client } = await subscribed();
  for (const body of ['1', '2']) harness.publish('a', body, undefined, 1);
  // The first is being written when the second comes.
  for (const { headers } of client.frames()) {
    client.send('ACK', [`id:${headers.ack}`, 'receipt:ack']);
    await store.turn();
  }
  client.send('UNSUBSCRIBE', [NAMED, 'receipt:delete']);
  client.send('DISCONNECT', ['receipt:disconnect']);
  for (let i = 0; i < 3; i++) await store.durable();
  assert.equal(receipts(client).sort(), ['ack', 'ack', 'delete', 'disconnect']);
  assert.ok(client.closed);
  assert.is(await harness.backbone.state.get('sessions', KEY), undefined);
});

test('one that is connected is in use in the store, and kept for limits.sessionExpirySeconds', async () => {
  const scene = await subscribed();
  const { harness } = scene;
  const record = async (): Promise<number[]> => {
    const entry = await harness.backbone.state.get('sessions', KEY);
    const { keptFor, expiresAt } = decodeSession(entry?.value ?? new Uint8Array());
    return [keptFor, expiresAt];
  };
  assert.equal(await record(), [60, 0]);
  scene.client.drop();
  await scene.store.durable();
  assert.equal(await record(), [60, harness.clock.now() + 60_000]);
  assert.equal(await next(scene), []);
  assert.equal(await record(), [60, 0]);
});

test('a connection that is gone before the store has answered leaves the subscription as it was', async () => {
  const scene = await subscribed();
  const { harness, store, client } = scene;
  for (const body of ['1', '2', '3', '4']) harness.publish('a', body, undefined, 1);
  client.send('ACK', [`id:${client.frames()[1]?.headers.ack}`]);
  client.drop();
  await store.durable();
  for (const prefetch of [1, 2, 3]) {
    const hasty = connect(harness);
    hasty.send('SUBSCRIBE', [...SUBSCRIBE, `prefetch-count:${prefetch}`]);
    hasty.drop();
    await store.durable();
    // One that gets some of it, and settles nothing, leaves it as it was, too.
    const idle = connect(harness);
    idle.send('SUBSCRIBE', [...SUBSCRIBE, 'prefetch-count:1']);
    await store.durable();
    assert.equal(idle.bodies(), ['1']);
    idle.drop();
    await store.durable();
  }
  assert.equal(await next(scene), ['1*', '3*', '4*']);
});

test('one that is new, and gone before the store has answered, is there from then on', async () => {
  const scene = open();
  scene.client.send('SUBSCRIBE', SUBSCRIBE);
  scene.client.drop();
  scene.harness.publish('a', '1', undefined, 1);
  await scene.store.durable();
  await scene.store.durable();
  assert.equal(await next(scene), ['1']);
});

test('taken over while it is being opened: both connections hear what they should', async () => {
  const scene = await subscribed();
  const [first, second] = [connect(scene.harness), connect(scene.harness)];
  first.send('SUBSCRIBE', [...SUBSCRIBE, 'receipt:1']);
  second.send('SUBSCRIBE', [...SUBSCRIBE, 'receipt:2']);
  for (let i = 0; i < 5; i++) await scene.store.durable();
  for (const client of [scene.client, first]) assert.is(client.frames().at(-1)?.command, 'ERROR');
  assert.equal(receipts(second), ['2']);
  scene.harness.publish('a', '1', undefined, 1);
  assert.equal(second.bodies(), ['1']);
});

test('a subscription of another user is not to be had, nor to be deleted', async () => {
  const { harness, store, client } = open();
  client.drop();
  const login = (name: string): TestClient => {
    const each = harness.open();
    each.send('CONNECT', ['accept-version:1.2', 'host:test', `login:${name}`, 'client-id:shared']);
    assert.is(each.frame().command, 'CONNECTED');
    return each;
  };
  const named = ['id:d', 'destination:/topic/a', 'activemq.subscriptionName:n'];
  const ann = login('ann');
  ann.send('SUBSCRIBE', named);
  await store.durable();
  await store.durable();
  for (const [command, lines] of [
    ['SUBSCRIBE', named],
    ['UNSUBSCRIBE', ['activemq.subscriptionName:n']],
  ] as const) {
    const bob = login('bob');
    bob.send(command, [...lines, 'receipt:r']);
    await store.durable();
    const error = bob.frame();
    assert.is(error.command, 'ERROR');
    assert.is(error.headers['receipt-id'], 'r');
    assert.match(String(error.body), 'another user');
  }
  harness.publish('a', '1', undefined, 1);
  assert.equal(ann.bodies(), ['1']);
});

test('by id and destination, each user has one of their own', () => {
  const groups = new FakeGroups();
  const harness = Harness.open({}, {}, { groups });
  for (const login of ['ann', 'bob', 'ann']) {
    const client = harness.open();
    client.send('CONNECT', ['accept-version:1.2', 'host:test', `login:${login}`]);
    client.send('SUBSCRIBE', ['id:d', 'destination:/topic/a', 'durable:true']);
  }
  const [ann, bob, again] = groups.joined.map(({ name }) => name);
  assert.is.not(ann, bob);
  assert.is(ann, again);
});

test('a store that does not answer, or holds what is no subscription', async () => {
  const scene = await subscribed();
  const { harness, store, client } = scene;
  client.drop();
  await store.durable();
  const { state } = harness.backbone;
  const record = decodeSession((await state.get('sessions', KEY))?.value ?? new Uint8Array());
  void state.put('sessions', KEY, encodeSession({ ...record, state: Uint8Array.of(99) }));
  harness.publish('a', '1', undefined, 1);
  assert.equal(await next(scene), [], 'it begins anew');
  assert.equal(harness.warnings, ['a stored subscription cannot be read; it begins anew']);

  state.get = () => Promise.reject(new BrokerError('unavailable', 'no store'));
  const refused = connect(harness);
  refused.send('SUBSCRIBE', ['id:x', 'destination:/topic/a', 'activemq.subscriptionName:x', 'receipt:r']);
  await store.turn();
  const error = refused.frame();
  assert.equal([error.command, error.headers['receipt-id']], ['ERROR', 'r']);
  assert.match(String(error.body), 'no store');
  assert.ok(refused.closed);
});

test('what the log no longer has is counted, only as far as it may have been for it', async () => {
  const scene = await subscribed();
  const { harness, client } = scene;
  for (const body of ['1', '2', '3', '4', '5']) harness.publish('a', body, undefined, 1);
  const frames = client.frames();
  assert.is(frames.length, 3);
  client.send('ACK', [`id:${frames[1]?.headers.ack}`]);
  client.drop();
  await scene.store.durable();
  // Of 1 to 4, all but 2, which was settled, are lost.
  harness.backbone.log.first = () => 5;
  assert.equal(await next(scene), ['5']);
  assert.is(harness.counters.droppedOvertaken, 3);
});

test.run();
