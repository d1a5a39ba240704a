import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { type Client, NOW, World } from './support/fakes.ts';
import { type Consumed, FakeQueues, ofQueue, turn } from './support/queues.ts';

const publish = suite('websocket/publish to queues');

publish('a queue is filled by its name, or by its topic, and durably in any case', () => {
  const world = new World();
  const client = world.login();
  client.connection.take();
  client.ask({ type: 'publish', id: 1, queue: 'work/a', payload: 'x' });
  client.ask({ type: 'publish', id: 2, topic: '$queue/work/a', payload: 'x', durable: false });
  assert.equal(
    world.router.published.map(({ topic, qos }) => [topic, qos]),
    [
      ['$queue/work/a', 1],
      ['$queue/work/a', 1],
    ],
  );
  assert.equal(client.connection.take(), [], 'it is not stored yet');
  world.router.append();
  assert.equal(client.connection.take(), [
    { type: 'ack', id: 1 },
    { type: 'ack', id: 2 },
  ]);
});

publish('priority, key, id and time of delivery get into the message, of topics too', () => {
  const world = new World();
  const client = world.login();
  const fields = { type: 'publish', payload: '', priority: 9, key: 'k', messageId: 'm' };
  client.ask({ ...fields, queue: 'work', delay: 1500 });
  client.ask({ ...fields, queue: 'work', deliverAt: NOW + 7 });
  client.ask({ ...fields, topic: 'a', delay: 0, priority: 0 });
  const common = { key: 'k', messageId: 'm' };
  assert.equal(
    world.router.published.map(({ properties }) => properties),
    [
      { ...common, priority: 9, deliverAt: NOW + 1500 },
      { ...common, priority: 9, deliverAt: NOW + 7 },
      { ...common, priority: 0, deliverAt: NOW },
    ],
  );
});

publish('a repeated message is acknowledged as one', () => {
  const world = new World();
  const client = world.login();
  client.connection.take();
  client.ask({ type: 'publish', id: 1, queue: 'mail', payload: '', messageId: 'order-7' });
  world.router.append(true);
  assert.equal(client.connection.take(), [{ type: 'ack', id: 1, duplicate: true }]);
});

publish('a full queue: quota, and the connection goes on', () => {
  const world = new World();
  const client = world.login();
  client.connection.take();
  client.ask({ type: 'publish', id: 1, queue: 'work', payload: '' });
  world.router.refuse('quota', 'maxMessages is 5, and 5 wait');
  const [error] = client.connection.take();
  assert.equal(error, { type: 'error', id: 1, code: 'quota', message: 'maxMessages is 5, and 5 wait' });
  assert.is(client.connection.ended, undefined);
});

publish.run();

const consume = suite('websocket/consume');

interface Scene extends Consumed {
  readonly world: World;
  readonly queues: FakeQueues;
  readonly client: Client;
}

/** A client whose subscription to the queue `work` is open. */
async function consuming(fields: Record<string, unknown> = {}): Promise<Scene> {
  const queues = new FakeQueues();
  const world = new World({}, { queues });
  const client = world.login();
  client.connection.take();
  client.ask({ type: 'subscribe', id: 's', queue: 'work', ...fields });
  const [consumed] = queues.consumed;
  if (consumed === undefined) throw new Error('nothing is consumed');
  consumed.consumption.open();
  await turn();
  assert.equal(client.connection.take(), [{ type: 'ack', id: 's' }]);
  return { world, queues, client, ...consumed };
}

function give({ consumer }: Scene, payload: string, number: number, count = 1): void {
  consumer.take(ofQueue('work', payload), { number, count, redelivered: count > 1 });
}

consume('what is wanted of the queue is passed on; nothing is taken before it is there', async () => {
  const queues = new FakeQueues();
  const client = new World({}, { queues }).login();
  client.connection.take();
  const settings = { maxMessages: 5 };
  const wanted = { prefetch: 7, consumerPriority: -3, exclusive: true, selector: 'a = 1', settings };
  client.ask({ type: 'subscribe', id: 1, queue: 'work', subscription: 'w', ...wanted });
  client.ask({ type: 'subscribe', queue: 'other' });
  const [work, other] = queues.consumed;
  assert.equal([work?.queue, work?.settings], ['work', settings]);
  assert.equal(work?.options, { clientId: 'c1', prefetch: 7, priority: -3, exclusive: true, selector: 'a = 1' });
  assert.equal(other?.options, { clientId: 'c1', prefetch: 10, priority: 0, exclusive: false, selector: undefined });
  assert.is(other?.settings, undefined);
  assert.is(work?.consumer.ready(), false);
  assert.equal(client.connection.take(), []);
  work?.consumption.open();
  await turn();
  assert.equal(client.connection.take(), [{ type: 'ack', id: 1 }]);
  assert.is(work?.consumer.ready(), true);
  assert.is(work?.consumption.pumps, 1);
});

consume('a message says its queue and its delivery, and from the second on how often it was delivered', async () => {
  const scene = await consuming();
  const properties = { key: 'k', messageId: 'm', priority: 4 };
  scene.consumer.take(ofQueue('work', 'a', properties), { number: 1, count: 1, redelivered: false });
  give(scene, 'b', 2, 3);
  const common = { type: 'message', subscription: 'work', retain: false, queue: 'work', topic: '$queue/work' };
  const rest = { durable: true, timestamp: NOW, publisher: { clientId: 'device-1', protocol: 'mqtt' } };
  assert.equal(scene.client.connection.take(), [
    { ...common, ...rest, delivery: 1, ...properties, payload: 'a' },
    { ...common, ...rest, delivery: 2, deliveryCount: 3, redelivered: true, payload: 'b' },
  ]);
  assert.is(scene.world.counters.delivered, 2);
  assert.equal(scene.consumption.outcomes, [], 'the client settles');
});

consume('accept and reject settle, one or several; an id is answered when that is durable', async () => {
  const scene = await consuming();
  const { client, consumption } = scene;
  for (let number = 1; number <= 8; number++) give(scene, '', number);
  client.connection.take();
  client.ask({ type: 'accept', subscription: 'work', delivery: 2 });
  client.ask({ type: 'accept', subscription: 'work', deliveries: [1, 3], id: 'a' });
  client.ask({ type: 'reject', subscription: 'work', delivery: 4 });
  client.ask({ type: 'reject', subscription: 'work', delivery: 5, delay: 500 });
  client.ask({ type: 'reject', subscription: 'work', deliveries: [6, 7], requeue: false, id: 'r' });
  assert.equal(consumption.outcomes, [
    ...[[2, 'accept'], [1, 'accept'], [3, 'accept'], [4, 'requeue'], [5, 'requeue', 500]],
    ...[[6, 'reject'], [7, 'reject']],
  ]); // biome-ignore format: a list
  await turn();
  assert.equal(client.connection.take(), []);
  consumption.durable();
  await turn();
  assert.equal(client.connection.take(), [
    { type: 'ack', id: 'a' },
    { type: 'ack', id: 'r' },
  ]);
  client.ask({ type: 'accept', subscription: 'work', delivery: 8, id: 'l' });
  consumption.durable(new BrokerError('unavailable', 'the disk is full'));
  await turn();
  assert.is(client.connection.take()[0]?.code, 'unavailable');
});

consume('what was never delivered cannot be settled; what was settled before can, without effect', async () => {
  const scene = await consuming();
  give(scene, '', 3);
  scene.client.connection.take();
  const [error] = scene.client.ask({ type: 'accept', subscription: 'work', deliveries: [3, 4], id: 1 });
  assert.equal([error?.code, error?.field], ['fieldInvalid', 'deliveries']);
  assert.match(String(error?.message), /no delivery 4/);
  assert.equal(scene.consumption.outcomes, []);
  scene.client.ask({ type: 'accept', subscription: 'work', delivery: 3 });
  assert.equal(scene.client.ask({ type: 'accept', subscription: 'work', delivery: 3 }), []);
});

consume('while several are given back, none is taken', async () => {
  const scene = await consuming();
  for (const number of [1, 2]) give(scene, '', number);
  const ready: boolean[] = [];
  scene.consumption.settle = () => ready.push(scene.consumer.ready());
  scene.client.ask({ type: 'reject', subscription: 'work', deliveries: [1, 2] });
  assert.equal(ready, [false, false]);
  assert.is(scene.consumer.ready(), true);
  assert.is(scene.consumption.pumps, 2);
});

consume('acknowledge auto: settled as sent, without a number, and not by the client', async () => {
  const scene = await consuming({ acknowledge: 'auto' });
  give(scene, 'a', 5, 2);
  const [message] = scene.client.connection.take();
  assert.is(message?.delivery, undefined);
  assert.is(message?.deliveryCount, 2);
  assert.equal(scene.consumption.outcomes, [[5, 'accept']]);
  const [error] = scene.client.ask({ type: 'accept', subscription: 'work', delivery: 5, id: 1 });
  assert.equal([error?.code, error?.field], ['fieldInvalid', 'subscription']);
});

consume('a connection that is full takes none, and pumps when it has room', async () => {
  const scene = await consuming();
  scene.client.connection.isFull = true;
  assert.is(scene.consumer.ready(), false);
  scene.client.connection.isFull = false;
  const before = scene.consumption.pumps;
  scene.client.channel.drained();
  assert.is(scene.consumption.pumps, before + 1);
});

consume('a queue that cannot be consumed: the error of the request, and the name is free', async () => {
  const queues = new FakeQueues();
  const client = new World({}, { queues }).login();
  client.connection.take();
  for (const how of ['rejected', 'ended', 'both']) {
    client.ask({ type: 'subscribe', id: how, queue: 'work', settings: { maxBytes: 2 } });
    const consumed = queues.consumed.at(-1);
    const error = new BrokerError('fieldInvalid', 'maxBytes of the queue is 1, not 2');
    if (how !== 'rejected') consumed?.consumer.ended(error);
    if (how !== 'ended') consumed?.consumption.refuse(error);
    await turn();
    assert.equal(client.connection.take(), [
      { type: 'error', id: how, code: 'fieldInvalid', message: 'maxBytes of the queue is 1, not 2' },
    ]);
  }
});

consume('the end of a queue is told, and the connection goes on', async () => {
  const scene = await consuming();
  scene.consumer.ended(new BrokerError('notFound', 'the queue was deleted'));
  assert.equal(scene.client.connection.take(), [
    { type: 'ended', subscription: 'work', code: 'notFound', message: 'the queue was deleted' },
  ]);
  assert.is(scene.consumer.ready(), false);
  assert.is(scene.client.ask({ type: 'unsubscribe', subscription: 'work', id: 1 })[0]?.code, 'fieldInvalid');
  scene.client.ask({ type: 'subscribe', queue: 'work' });
  assert.is(scene.queues.consumed.length, 2);
});

consume('unsubscribe, and the end of the connection, give back what is not settled', async () => {
  const first = await consuming();
  assert.equal(first.client.ask({ type: 'unsubscribe', subscription: 'work', id: 1 }), [{ type: 'ack', id: 1 }]);
  assert.is(first.consumption.end, 'cancelled');
  assert.is(first.consumer.ready(), false);
  const second = await consuming();
  second.client.channel.closed();
  assert.is(second.consumption.end, 'cancelled');
  assert.is(second.consumer.ready(), false);
});

consume('unsubscribe before the queue is there: both are answered, and nothing comes', async () => {
  const queues = new FakeQueues();
  const client = new World({}, { queues }).login();
  client.connection.take();
  client.ask({ type: 'subscribe', id: 1, queue: 'work' });
  assert.equal(client.ask({ type: 'unsubscribe', id: 2, subscription: 'work' }), [{ type: 'ack', id: 2 }]);
  await turn();
  assert.equal(client.connection.take(), [{ type: 'ack', id: 1 }]);
  const [consumed] = queues.consumed;
  assert.is(consumed?.consumption.end, 'cancelled');
  consumed?.consumption.open();
  await turn();
  assert.is(consumed?.consumer.ready(), false);
});

consume('queues count among the subscriptions', async () => {
  const queues = new FakeQueues();
  const client = new World({ subscriptionsPerSession: 2 }, { queues }).login();
  client.ask({ type: 'subscribe', filter: 'a' });
  client.ask({ type: 'subscribe', queue: 'b' });
  client.connection.take();
  assert.is(client.ask({ type: 'subscribe', queue: 'c' })[0]?.code, 'quota');
  assert.is(client.ask({ type: 'subscribe', filter: 'c' })[0]?.code, 'quota');
});

consume('a client with too much that is not durable yet is not read from', async () => {
  const scene = await consuming();
  give(scene, '', 1);
  for (let id = 0; id < 4; id++) scene.client.ask({ type: 'accept', subscription: 'work', delivery: 1, id });
  assert.is(scene.client.connection.pauses, 1);
  scene.consumption.durable();
  await turn();
  assert.is(scene.client.connection.pauses, 0);
});

consume.run();
