import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Message, type Properties } from '../../../src/core/message.ts';
import { type Client, DEVICE, fromDevice, NOW, World } from './support/fakes.ts';

const test = suite('websocket/requests');

const ASK = { type: 'request', topic: 'price', payload: 'apples' };

function opened(): { world: World; client: Client } {
  const world = new World();
  const client = world.login();
  client.connection.take();
  return { world, client };
}

/** What the responders have of the last request. */
function question(world: World): { topic: string; responseTopic: string; correlation: Buffer; message: Message } {
  const message = world.router.requested.at(-1)?.message;
  const { responseTopic, correlation } = message?.properties ?? {};
  if (message === undefined || responseTopic === undefined || correlation === undefined) throw new Error('no question');
  return { topic: message.topic, responseTopic, correlation: Buffer.from(correlation), message };
}

function answer(topic: string, payload: string, qos: 0 | 1 = 0, properties?: Properties): Message {
  const data = Buffer.from(payload);
  return new Message(topic, data, 0, data.length, qos, false, properties, DEVICE, NOW);
}

test('is sent with a private reply topic, and its answer comes with its id', () => {
  const { world, client } = opened();
  assert.equal(client.ask({ ...ASK, id: 'q', headers: { a: 'b' }, contentType: 'x/y' }), []);
  const { topic, responseTopic, message } = question(world);
  assert.is(topic, 'price');
  assert.match(responseTopic, /^\$reply\/[\w-]{22}\/1$/);
  assert.is(message.qos, 0);
  assert.is(message.properties?.expiresAt, NOW + 30_000, 'no one need answer it later');
  assert.equal(message.properties?.user, [['a', 'b']]);
  world.router.route(answer(responseTopic, '3.20', 0, { contentType: 'text/plain' }));
  const [reply] = client.connection.take();
  const { type, id, payload, contentType, publisher } = reply ?? {};
  assert.equal(
    { type, id, payload, contentType, publisher },
    {
      type: 'reply',
      id: 'q',
      payload: '3.20',
      contentType: 'text/plain',
      publisher: { ...DEVICE },
    },
  );
  assert.is(world.clock.timers.size, 0);
  world.clock.advance(100_000);
  assert.equal(client.connection.take(), []);
});

test('to a queue it is durable, and expires when the client says', () => {
  const { world, client } = opened();
  client.ask({ type: 'request', id: 1, queue: 'work', payload: '', expiresAt: NOW + 5, priority: 3 });
  const { topic, message } = question(world);
  assert.is(topic, '$queue/work');
  assert.is(message.qos, 1);
  assert.is(message.properties?.expiresAt, NOW + 5);
  assert.is(message.properties?.priority, 3);
});

test('one that answers over this protocol publishes to replyTo with correlationId', () => {
  const { world, client } = opened();
  const server = world.login('server');
  server.ask({ type: 'subscribe', filter: 'price' });
  server.connection.take();
  client.ask({ ...ASK, id: 7 });
  const [asked] = server.connection.take();
  const { replyTo, correlationId } = asked ?? {};
  assert.equal(server.ask({ type: 'publish', id: 1, topic: replyTo, correlationId, payload: '3' }), [
    { type: 'ack', id: 1 },
  ]);
  assert.equal(
    client.connection.take().map(({ type, id, payload, correlationId: told }) => [type, id, payload, told]),
    [['reply', 7, '3', correlationId]],
  );
});

test('several are told apart by their topics, whatever the order of the answers, durable or live', () => {
  const { world, client } = opened();
  const topics = [1, 2].map((id) => {
    client.ask({ ...ASK, id });
    return question(world).responseTopic;
  });
  world.router.route(answer(topics[1] ?? '', 'two', 1));
  world.router.route(answer(topics[0] ?? '', 'one'));
  world.router.route(answer(topics[0] ?? '', 'again'));
  assert.equal(
    client.connection.take().map(({ id, payload }) => [id, payload]),
    [
      [2, 'two'],
      [1, 'one'],
    ],
  );
  assert.is(world.counters.droppedReplies, 1);
});

test('no one listens: told at once', () => {
  const { world, client } = opened();
  client.ask({ ...ASK, id: 1 });
  world.router.requested[0]?.nobody();
  const [error] = client.connection.take();
  assert.equal([error?.type, error?.id, error?.code], ['error', 1, 'noListener']);
  assert.is(client.connection.ended, undefined);
  assert.is(world.clock.timers.size, 0);
});

test('no answer in time: noReply, and a later one goes nowhere', () => {
  const { world, client } = opened();
  client.ask({ ...ASK, id: 1, timeoutMilliseconds: 250 });
  client.ask({ ...ASK, id: 2 });
  const { responseTopic } = question(world);
  world.clock.advance(249);
  assert.equal(client.connection.take(), []);
  world.clock.advance(1);
  const [error] = client.connection.take();
  assert.equal([error?.type, error?.id, error?.code], ['error', 1, 'noReply']);
  assert.match(String(error?.message), /within 250 ms/);
  world.clock.advance(29_750);
  assert.is(client.connection.take()[0]?.id, 2);
  world.router.route(answer(responseTopic, 'late'));
  world.router.requested[1]?.nobody();
  assert.equal(client.connection.take(), []);
  assert.is(client.connection.ended, undefined);
});

test('at most limits.requests are open', () => {
  const { world, client } = opened();
  for (let id = 1; id <= 3; id++) client.ask({ ...ASK, id });
  const [error] = client.ask({ ...ASK, id: 4 });
  assert.equal([error?.id, error?.code], [4, 'quota']);
  assert.match(String(error?.message), /limits\.requests/);
  world.router.route(answer(question(world).responseTopic, ''));
  client.connection.take();
  assert.equal(client.ask({ ...ASK, id: 5 }), []);
  assert.is(world.router.requested.length, 4);
});

test('an id is needed, and nothing is subscribed to before the first good one', () => {
  const { world, client } = opened();
  const [error] = client.ask(ASK);
  assert.equal([error?.code, error?.field], ['fieldInvalid', 'id']);
  assert.equal(world.router.subscriptions, []);
  client.ask({ ...ASK, id: 1 });
  client.ask({ ...ASK, id: 2 });
  assert.is(world.router.subscriptions.length, 1);
});

test('an answer that the client has no room for is not lost without a word', () => {
  const { world, client } = opened();
  client.ask({ ...ASK, id: 1 });
  client.connection.isFull = true;
  world.router.route(answer(question(world).responseTopic, 'x'));
  assert.equal(
    client.connection.take().map(({ id, code }) => [id, code]),
    [[1, 'noReply']],
  );
  assert.is(world.counters.droppedSlow, 1);
});

test('another client can neither subscribe to it nor guess it', () => {
  const { world, client } = opened();
  client.ask({ ...ASK, id: 1 });
  const other = world.login('other');
  other.connection.take();
  const { responseTopic } = question(world);
  for (const filter of [responseTopic, '$reply/#', '$reply/+/1']) {
    assert.is(other.ask({ type: 'subscribe', filter })[0]?.code, 'filterInvalid');
  }
  other.ask({ type: 'subscribe', filter: '#' });
  world.router.route(answer(responseTopic, 'secret'));
  assert.equal(other.connection.take(), []);
});

test('with the connection its requests end', () => {
  const { world, client } = opened();
  client.ask({ ...ASK, id: 1 });
  const [subscription] = world.router.subscriptions;
  client.channel.closed();
  assert.is(world.clock.timers.size, 0);
  assert.equal(world.router.subscriptions, []);
  const late = fromDevice(question(world).responseTopic, '');
  if (subscription !== undefined) subscription.subscriber.deliver(late, [subscription]);
  assert.equal(client.connection.take(), []);
});

test.run();
