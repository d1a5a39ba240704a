import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { Message } from '../../../src/core/message.ts';
import { type Client, DEVICE, fromDevice, NOW, World } from './support/fakes.ts';
import { FakeGroups, type Joined, turn } from './support/queues.ts';

const test = suite('websocket/groups');

interface Scene extends Joined {
  readonly world: World;
  readonly client: Client;
}

/** A client whose membership is open. */
async function joined(fields: Record<string, unknown> = {}): Promise<Scene> {
  const groups = new FakeGroups();
  const world = new World({}, { groups });
  const client = world.login();
  client.connection.take();
  client.ask({ type: 'subscribe', id: 's', group: 'g', filter: 'a/#', ...fields });
  const [first] = groups.joined;
  if (first === undefined) throw new Error('nothing is joined');
  first.membership.open();
  await turn();
  assert.equal(client.connection.take(), [{ type: 'ack', id: 's' }]);
  return { world, client, ...first };
}

/** A logged message of the group. */
function give({ member }: Scene, payload: string, number: number, count = 1): void {
  const message = fromDevice('a/b', payload, 1);
  message.shard = 2;
  message.sequence = 40 + number;
  member.take(message, { number, count, redelivered: count > 1 });
}

test('what is wanted of the group is passed on', async () => {
  const plain = await joined();
  assert.equal([plain.name, plain.filter], ['g', 'a/#']);
  const common = { clientId: 'c1', keptFor: 0 };
  assert.equal(plain.options, { ...common, prefetch: 10, ordered: false, selector: undefined, start: { from: 'new' } });
  const { options } = await joined({ groupOrder: 'key', start: 'last 5', prefetch: 3, selector: 'a = 1' });
  assert.equal(options, {
    ...common,
    prefetch: 3,
    ordered: true,
    selector: 'a = 1',
    start: { from: 'last', count: 5 },
  });
});

test('logged messages are settled by their delivery', async () => {
  const scene = await joined({ subscription: 'n' });
  give(scene, 'x', 1);
  give(scene, 'y', 2, 2);
  const shown = scene.client.connection.take();
  assert.equal(
    shown.map(({ subscription, topic, payload, delivery }) => [subscription, topic, payload, delivery]),
    [
      ['n', 'a/b', 'x', 1],
      ['n', 'a/b', 'y', 2],
    ],
  );
  assert.equal([shown[1]?.deliveryCount, shown[1]?.redelivered], [2, true]);
  assert.ok(shown.every(({ position, queue }) => position === undefined && queue === undefined));
  scene.client.ask({ type: 'accept', subscription: 'n', delivery: 1 });
  scene.client.ask({ type: 'reject', subscription: 'n', delivery: 2, delay: 10 });
  assert.equal(scene.membership.outcomes, [
    [1, 'accept'],
    [2, 'requeue', 10],
  ]);
});

test('messages say their positions where that is wanted, or a start is named', async () => {
  for (const fields of [{ positions: true }, { start: 'first' }]) {
    const scene = await joined(fields);
    give(scene, 'x', 1);
    assert.is(scene.client.connection.take()[0]?.position, '2-41');
  }
});

test('live messages come without a delivery, where there is room', async () => {
  const scene = await joined();
  assert.is(scene.member.takeLive(fromDevice('a/b', 'x')), true);
  const [message] = scene.client.connection.take();
  assert.equal([message?.payload, message?.delivery, message?.durable], ['x', undefined, false]);
  scene.client.connection.isFull = true;
  assert.is(scene.member.takeLive(fromDevice('a/b', 'y')), false, 'another member may have it');
  scene.client.connection.isFull = false;
  const data = Buffer.from('old');
  const old = new Message('a/b', data, 0, data.length, 0, false, { expiresAt: NOW }, DEVICE, NOW);
  assert.is(scene.member.takeLive(old), true, 'it is for nobody');
  assert.is(scene.world.counters.droppedExpired, 1);
  scene.client.channel.closed();
  assert.is(scene.member.takeLive(fromDevice('a/b', 'z')), false);
  assert.equal(scene.client.connection.take(), []);
});

test('the place is given up with the connection, for good with unsubscribe', async () => {
  const first = await joined();
  first.client.ask({ type: 'unsubscribe', subscription: 'a/#' });
  assert.is(first.membership.end, 'forgotten');
  const second = await joined();
  second.client.channel.closed();
  assert.is(second.membership.end, 'forgotten', 'there is no session that comes back');
});

test('a group of another order is refused', async () => {
  const groups = new FakeGroups();
  const client = new World({}, { groups }).login();
  client.connection.take();
  client.ask({ type: 'subscribe', id: 1, group: 'g', filter: 'a', groupOrder: 'key' });
  groups.joined[0]?.membership.refuse(new BrokerError('fieldInvalid', 'the group is not ordered'));
  await turn();
  assert.equal(client.connection.take(), [
    { type: 'error', id: 1, code: 'fieldInvalid', message: 'the group is not ordered' },
  ]);
});

test.run();
