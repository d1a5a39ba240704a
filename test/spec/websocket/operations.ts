import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { type Client, World } from './support/fakes.ts';
import { FakeQueues, ofQueue, statusOf, turn } from './support/queues.ts';

const test = suite('websocket/operations on queues');

function opened(queues: FakeQueues): Client {
  const client = new World({}, { queues }).login();
  client.connection.take();
  return client;
}

async function answers(client: Client, request: Record<string, unknown>): Promise<Record<string, unknown>[]> {
  const atOnce = client.ask(request);
  // One portion of a browse after the other.
  for (let i = 0; i < 5; i++) await turn();
  return [...atOnce, ...client.connection.take()];
}

test('each does what it says, and is answered with what came of it', async () => {
  const queues = new FakeQueues();
  const client = opened(queues);
  const settings = { maxMessages: 5, bindings: ['b', 'a', 'b'] };
  const status = { ...statusOf('work') };
  const ask = (type: string, more: object = {}) => answers(client, { type, id: type, queue: 'work', ...more });
  assert.equal(await ask('declare', { settings }), [{ type: 'ack', id: 'declare', status }]);
  assert.equal(await ask('queueStatus'), [{ type: 'ack', id: 'queueStatus', status }]);
  assert.equal(await ask('purge'), [{ type: 'ack', id: 'purge', count: 2 }]);
  assert.equal(await ask('deleteQueue', { ifUnused: true }), [{ type: 'ack', id: 'deleteQueue', count: 3 }]);
  assert.equal(queues.asked, [
    ['declare', 'work', { maxMessages: 5, bindings: ['a', 'b'] }],
    ['status', 'work'],
    ['purge', 'work'],
    ['delete', 'work', { ifEmpty: false, ifUnused: true }],
  ]);
});

test('without an id, what only tells is refused, and the rest is done without a word', async () => {
  const queues = new FakeQueues();
  const client = opened(queues);
  for (const type of ['queueStatus', 'browse']) {
    const [error] = await answers(client, { type, queue: 'work' });
    assert.equal([error?.code, error?.field], ['fieldInvalid', 'id'], type);
  }
  for (const type of ['declare', 'purge', 'deleteQueue']) {
    assert.equal(await answers(client, { type, queue: 'work' }), [], type);
  }
  assert.is(queues.asked.length, 3);
});

test('a queue that is not there, and settings that are others: errors of the request', async () => {
  const queues = new FakeQueues();
  const client = opened(queues);
  const [none] = await answers(client, { type: 'queueStatus', queue: 'none', id: 1 });
  assert.equal([none?.id, none?.code], [1, 'notFound']);
  queues.error = new BrokerError('fieldInvalid', 'maxBytes of the queue is 1, not 2');
  for (const type of ['declare', 'browse', 'purge', 'deleteQueue']) {
    const [error] = await answers(client, { type, queue: 'work', id: 2 });
    assert.equal(error, { type: 'error', id: 2, code: 'fieldInvalid', message: queues.error.message }, type);
  }
  assert.is(client.connection.ended, undefined);
});

const contents = Array.from({ length: 40 }, (_, index) => ofQueue('work', `m${index + 1}`));

test('browse shows what is in it, in portions that follow each other', async () => {
  const queues = new FakeQueues(contents);
  const client = opened(queues);
  const first = await answers(client, { type: 'browse', queue: 'work', id: 1, count: 30 });
  assert.equal(first.at(-1), { type: 'ack', id: 1, count: 30, next: 30 });
  const { timestamp: _, publisher: __, ...second } = first[1] ?? {};
  assert.equal(second, {
    type: 'browsed',
    id: 1,
    number: 2,
    deliveryCount: 1,
    topic: '$queue/work',
    durable: true,
    payload: 'm2',
  });
  assert.is(first[0]?.deliveryCount, undefined);
  const rest = await answers(client, { type: 'browse', queue: 'work', id: 2, after: 30 });
  assert.equal(
    rest.map(({ payload }) => payload),
    [...contents.slice(30).map((message) => Buffer.from(message.payload()).toString()), undefined],
  );
  assert.equal(rest.at(-1), { type: 'ack', id: 2, count: 10 });
  // Never more in memory than a few messages.
  assert.ok(queues.asked.every(([, , , count]) => Number(count) <= 16));
});

test('browse stops where the connection has enough, and says where to go on', async () => {
  const queues = new FakeQueues(contents);
  const client = opened(queues);
  let room = 3;
  client.connection.full = () => --room < 0;
  const shown = await answers(client, { type: 'browse', queue: 'work', id: 1 });
  assert.is(shown.length, 4);
  assert.equal(shown.at(-1), { type: 'ack', id: 1, count: 3, next: 3 });
});

test('one browse at a time', async () => {
  const client = opened(new FakeQueues(contents));
  const browse = { type: 'browse', queue: 'work', count: 1 };
  client.ask({ ...browse, id: 1 });
  assert.is(client.ask({ ...browse, id: 2 })[0]?.code, 'quota');
  assert.equal(
    (await answers(client, { type: 'ping' })).map(({ type, id }) => [type, id]),
    [
      ['pong', undefined],
      ['browsed', 1],
      ['ack', 1],
    ],
  );
  assert.is((await answers(client, { ...browse, id: 3 })).at(-1)?.count, 1);
});

test('who is gone is answered nothing', async () => {
  const client = opened(new FakeQueues(contents));
  client.ask({ type: 'browse', queue: 'work', id: 1 });
  client.channel.closed();
  await turn();
  assert.equal(client.connection.take(), []);
});

test.run();
