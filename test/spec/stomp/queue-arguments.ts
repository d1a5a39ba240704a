import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PartialSettings } from '../../../src/core/queue-settings.ts';
import { expectError } from './support/expect-error.ts';
import { FakeQueues } from './support/fake-queues.ts';
import { bodiesOf, type ServerFrame } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** RabbitMQ's properties of queues, in headers of SUBSCRIBE and SEND (rabbit_stomp_util: build_arguments, build_params). */

const test = suite('STOMP queue properties of RabbitMQ');

/** What a SUBSCRIBE to `/queue/a` sets the queue to; or the ERROR. */
function onSubscribe(lines: readonly string[]): PartialSettings | string | undefined {
  const queues = new FakeQueues();
  const client = Harness.open({}, {}, { queues }).connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', ...lines]);
  const [error] = client.frames();
  return error === undefined ? queues.asked[0]?.settings : String(error.body);
}

/** The same of a SEND. */
function onSend(lines: readonly string[]): PartialSettings | string | undefined {
  const queues = new FakeQueues();
  const client = Harness.open({}, {}, { queues }).connect();
  client.send('SEND', ['destination:/queue/a', ...lines]);
  const [error] = client.frames();
  return error === undefined ? queues.declared[0]?.settings : String(error.body);
}

const UNDERSTOOD: readonly (readonly [lines: string, settings: PartialSettings])[] = [
  ['x-message-ttl:60000', { messageMilliseconds: 60_000 }],
  ['x-expires:70000', { expiryMilliseconds: 70_000 }],
  ['x-max-length:10', { maxMessages: 10, overflow: 'dropOldest' }],
  ['x-max-length-bytes:20000', { maxBytes: 20_000, overflow: 'dropOldest' }],
  ['x-max-length:10 x-overflow:drop-head', { maxMessages: 10, overflow: 'dropOldest' }],
  ['x-max-length:10 x-overflow:reject-publish', { maxMessages: 10, overflow: 'refuse' }],
  ['x-max-length:10 queue-overflow:refuse', { maxMessages: 10, overflow: 'refuse' }],
  ['x-max-priority:6', { maxPriority: 6 }],
  ['x-single-active-consumer:true', { singleActiveConsumer: true }],
  ['x-single-active-consumer:False', { singleActiveConsumer: false }],
  ['x-delivery-limit:2', { maxDeliveries: 3 }],
  ['x-delivery-limit:-1', { maxDeliveries: 0 }],
  ['x-consumer-timeout:1000', { ackMilliseconds: 1000 }],
  ['auto-delete:true', { autoDelete: true }],
  ['auto-delete:False', { autoDelete: false }],
  ['x-dead-letter-exchange: x-dead-letter-routing-key:dead', { deadLetterQueue: 'dead' }],
  ['x-dead-letter-exchange:amq.topic x-dead-letter-routing-key:a.b', { deadLetterTopic: 'a/b' }],
  ['x-dead-letter-exchange:amq.topic', { deadLetterTopic: 'a' }],
  ['x-dead-letter-exchange:amq.direct x-dead-letter-routing-key:k', { deadLetterTopic: '$exchange/amq.direct/k' }],
  ['x-dead-letter-exchange:amq.direct', { deadLetterTopic: '$exchange/amq.direct/a' }],
  ['x-dead-letter-exchange:amq.fanout x-dead-letter-routing-key:', { deadLetterTopic: '$exchange/amq.fanout' }],
  [
    'x-max-length:1 x-dead-letter-exchange: x-dead-letter-routing-key:dead',
    { maxMessages: 1, deadLetterQueue: 'dead', overflow: 'deadLetterOldest' },
  ],
  ['x-message-ttl:1 x-message-ttl:2', { messageMilliseconds: 1 }],
  ['x-message-ttl:5 queue-message-milliseconds:5', { messageMilliseconds: 5 }],
];

test('each is a setting of the queue, on SUBSCRIBE and on SEND', () => {
  for (const [lines, settings] of UNDERSTOOD) {
    for (const said of [onSubscribe, onSend]) assert.equal(said(lines.split(' ')), settings, lines);
  }
});

test('what every queue is anyway sets nothing', () => {
  const lines = ['durable:true', 'durable:False', 'x-queue-type:classic', 'x-queue-type:quorum', 'x-queue-mode:lazy'];
  lines.push('x-queue-version:2', 'x-dead-letter-strategy:at-least-once', 'persistent:true');
  for (const line of lines) {
    for (const said of [onSubscribe, onSend]) assert.is(said([line]), undefined, line);
  }
});

const REFUSED: readonly (readonly [lines: string, text: RegExp])[] = [
  ['x-message-ttl:0', /header x-message-ttl of .* is "0"; a whole number from 1 to/],
  ['x-message-ttl:soon', /header x-message-ttl of .* is "soon"/],
  ['x-expires:0', /header x-expires of .* is "0"; a whole number from 1/],
  ['x-max-length:0', /header x-max-length of .* is "0"; a whole number from 1/],
  ['x-max-length:-1', /header x-max-length/],
  ['x-max-length-bytes:0', /header x-max-length-bytes/],
  ['x-max-priority:10', /header x-max-priority of .* from 0 to 9/],
  ['x-overflow:reject-publish-dlx', /header x-overflow of .* is "reject-publish-dlx"; drop-head or reject-publish/],
  ['x-queue-type:stream', /header x-queue-type of .* is "stream"; [\s\S]*header start/],
  ['x-queue-type:quorum auto-delete:true', /header auto-delete of .* is true.*quorum/],
  ['x-queue-type:quorum durable:false', /header durable of .* is false.*quorum/],
  ['x-queue-mode:eager', /header x-queue-mode/],
  ['x-delivery-limit:-2', /header x-delivery-limit/],
  ['x-max-age:10h', /header x-max-age of .* not offered[\s\S]*streams/],
  ['x-stream-max-segment-size-bytes:1', /header x-stream-max-segment-size-bytes/],
  ['auto-delete:maybe', /header auto-delete of .* is "maybe"; true or false/],
  ['durable:1', /header durable of .* is "1"; true or false/],
  ['x-dead-letter-routing-key:k', /header x-dead-letter-routing-key of .* is without x-dead-letter-exchange/],
  ['x-dead-letter-exchange:', /header x-dead-letter-exchange of .* is empty[\s\S]*x-dead-letter-routing-key/],
  ['x-dead-letter-exchange: x-dead-letter-routing-key:a', /come back to the queue/],
  ['x-dead-letter-exchange:mine', /header x-dead-letter-exchange of .* names "mine", an exchange that there is not/],
  ['x-dead-letter-exchange:amq.topic x-dead-letter-routing-key:a.*', /header x-dead-letter-routing-key .* wildcard/],
  ['x-message-ttl:5 queue-message-milliseconds:6', /contradict each other: messageMilliseconds .* is 5, not 6/],
];

test('what is not understood is refused by its name, saying what to write instead, on SUBSCRIBE and on SEND', () => {
  for (const [lines, text] of REFUSED) {
    for (const said of [onSubscribe, onSend]) assert.match(String(said(lines.split(' '))), text, lines);
  }
});

test('on SUBSCRIBE nothing that begins with x- is ignored; on SEND the others are headers of the application', () => {
  const lines = ['x-stream-offset:first', 'x-max-in-memory-length:5', 'x-ha-policy:all', 'x-custom:1'];
  for (const line of lines) {
    const [name = ''] = line.split(':');
    assert.match(String(onSubscribe([line])), `the header ${name} of SUBSCRIBE asks for what is not offered`);
    assert.is(onSend([line]), undefined, line);
  }
  assert.match(String(onSubscribe(['x-queue-name:q'])), /x-queue-name of SUBSCRIBE is for topics/);
  assert.match(String(onSend(['exclusive:true'])), /header exclusive of SEND is for consumers/);
  assert.is(onSend(['exclusive:false']), undefined);
});

test('to a topic they are headers of the message, as in RabbitMQ; a subscription to one is told of x-queue-name', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  client.send('SEND', ['destination:/topic/a', 'x-message-ttl:0', 'auto-delete:maybe'], '1');
  const [frame] = client.frames();
  assert.is(frame?.headers['x-message-ttl'], '0');
  client.send('SUBSCRIBE', ['id:2', 'destination:/topic/a', 'x-message-ttl:5']);
  expectError(client, /sets messageMilliseconds of a queue, but its destination is a topic[\s\S]*x-queue-name:NAME/);
});

// --- what they do ---------------------------------------------------------------------------------------------------

async function send(client: TestClient, lines: readonly string[], body = ''): Promise<ServerFrame[]> {
  client.send('SEND', ['receipt:r', ...lines], body);
  return client.later();
}

async function subscribed(client: TestClient, lines: readonly string[]): Promise<ServerFrame[]> {
  client.send('SUBSCRIBE', ['receipt:s', ...lines]);
  return (await client.later()).filter(({ command }) => command !== 'RECEIPT');
}

test('a queue that is set otherwise: ERROR with the setting and both values, as PRECONDITION_FAILED', async () => {
  const harness = Harness.open();
  await send(harness.connect(), ['destination:/queue/a', 'x-max-length:5']);
  const client = harness.connect();
  client.send('SEND', ['destination:/queue/a', 'x-max-length:6', 'receipt:r']);
  await harness.turn();
  const refused = client.frame();
  assert.is(refused.headers.message, 'precondition_failed');
  assert.is(refused.headers['receipt-id'], 'r');
  assert.match(String(refused.body), /maxMessages of the queue is 5, not 6\nCorrect it, or leave it out/);
  assert.ok(client.closed);
  const other = harness.connect();
  other.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'auto-delete:true', 'receipt:s']);
  await harness.turn();
  expectError(other, /autoDelete of the queue is false, not true/, 's');
});

test('x-max-length drops from the head; x-message-ttl and expiration take what waits too long', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  const properties = ['destination:/queue/a', 'x-max-length:2', 'x-message-ttl:1000'];
  for (const body of ['1', '2', '3']) await send(client, properties, body);
  assert.equal(bodiesOf(await subscribed(client, ['id:1', 'destination:/queue/a', 'ack:client'])), ['2', '3']);
  harness.clock.advance(1100);
  const other = harness.connect();
  client.drop();
  assert.equal(await subscribed(other, ['id:1', 'destination:/queue/a']), []);
});

test('auto-delete:true: the queue goes with its last consumer, and not before it had one', async () => {
  const harness = Harness.open();
  const [one, two] = [harness.connect(), harness.connect()];
  await send(one, ['destination:/queue/a', 'auto-delete:true'], 'kept');
  await subscribed(one, ['id:1', 'destination:/queue/a', 'ack:client', 'auto-delete:true', 'prefetch-count:1']);
  await subscribed(two, ['id:1', 'destination:/queue/a', 'ack:client']);
  one.drop();
  assert.equal(bodiesOf(await two.later()), ['kept']);
  two.send('UNSUBSCRIBE', ['id:1', 'receipt:u']);
  assert.equal(
    (await two.later()).map(({ command }) => command),
    ['RECEIPT'],
  );
  assert.equal(harness.services.queues.list(), []);
  assert.is(harness.counters.droppedQueue, 1);
  assert.equal(await subscribed(two, ['id:2', 'destination:/queue/a']), [], 'and is made anew');
});

test('x-dead-letter-exchange: what is rejected is published on the topic that stands for it, with its headers', async () => {
  const harness = Harness.open({ queues: 10 });
  const client = harness.connect();
  const rows = [
    ['amq.topic', 'dead.letters', '/topic/dead.letters'],
    ['amq.direct', 'k', '/exchange/amq.direct/k'],
    ['amq.fanout', 'k', '/exchange/amq.fanout/k'],
    ['', 'other', '/queue/other'],
  ] as const;
  for (const [i, [exchange, key, destination]] of rows.entries()) {
    const lines = [`x-dead-letter-exchange:${exchange}`, `x-dead-letter-routing-key:${key}`];
    await subscribed(client, [`id:dead${i}`, `destination:${destination}`]);
    await subscribed(client, [`id:${i}`, `destination:/queue/q${i}`, 'ack:client', ...lines]);
    const [frame] = await send(client, [`destination:/queue/q${i}`, 'persistent:true', 'type:order'], 'x').then((all) =>
      all.filter(({ command }) => command === 'MESSAGE'),
    );
    client.send('NACK', [`id:${frame?.headers.ack}`, 'requeue:false']);
    const [dead] = await client.later();
    assert.is(dead?.headers.destination, destination);
    assert.is(dead?.headers.subscription, `dead${i}`);
    assert.is(dead?.headers['dead-letter-reason'], 'rejected');
    assert.is(dead?.headers['dead-letter-queue'], `q${i}`);
    assert.is(dead?.headers.type, 'order');
  }
  assert.is(harness.counters.deadLettered, 4);
});

test('a SEND to several queues sets each; what is wrong for one of them is said before any is made', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  await send(client, ['destination:/queue/a,/queue/b', 'x-max-length:5']);
  const settings = (queue: string) =>
    harness.services.queues.status(queue).then((status) => status?.settings.maxMessages);
  assert.equal([await settings('a'), await settings('b')], [5, 5]);
  const lines = ['x-dead-letter-exchange:', 'x-dead-letter-routing-key:d', 'receipt:r'];
  client.send('SEND', ['destination:/queue/c,/queue/d', ...lines]);
  await harness.turn();
  expectError(client, /come back to the queue/, 'r');
  assert.equal(harness.services.queues.list(), ['a', 'b']);
});

test('a queue that must be there (/amq/queue/NAME) is set to nothing', async () => {
  for (const command of ['SUBSCRIBE', 'SEND']) {
    const harness = Harness.open();
    await send(harness.connect(), ['destination:/queue/a']);
    const client = harness.connect();
    client.send(command, ['id:1', 'destination:/amq/queue/a', 'x-message-ttl:5', 'receipt:r']);
    await harness.turn();
    expectError(client, /messageMilliseconds/, 'r');
  }
});

test('x-queue-name with an exchange: what is published there by its key, and by the name of the queue', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  await subscribed(client, ['id:1', 'destination:/exchange/amq.direct/test', 'x-queue-name:named']);
  client.send('SEND', ['destination:/exchange/amq.direct/test'], 'by key');
  client.send('SEND', ['destination:/exchange/amq.direct/other'], 'by another');
  client.send('SEND', ['destination:/amq/queue/named'], 'by name');
  assert.equal(bodiesOf(await client.later()), ['by key', 'by name']);
});

test('dead letters go only where the client may send itself', async () => {
  const harness = Harness.open({}, { mayPublish: (_, topic) => topic !== 'secret' });
  const client = harness.connect();
  client.send('SUBSCRIBE', [
    ...['id:1', 'destination:/queue/a', 'x-dead-letter-exchange:amq.topic', 'x-dead-letter-routing-key:secret'],
  ]);
  await harness.turn();
  expectError(client, /deadLetterTopic: not allowed to publish to "secret"/);
});

// --- x-queue-name ---------------------------------------------------------------------------------------------------

const NAMED = ['destination:/topic/test', 'x-queue-name:mine'];

test('x-queue-name: a subscription to a topic is a queue of that name, which others share and anyone may fill', async () => {
  const harness = Harness.open();
  const [one, two] = [harness.connect(), harness.connect()];
  for (const client of [one, two]) await subscribed(client, ['id:1', ...NAMED, 'ack:client', 'prefetch-count:1']);
  one.send('SEND', ['destination:/topic/test'], 'by topic');
  one.send('SEND', ['destination:/queue/mine'], 'by name');
  const frames = [...(await one.later()), ...(await two.later())];
  assert.equal(frames.map(({ body, headers }) => `${body} ${headers.destination}`).sort(), [
    'by name /queue/mine',
    'by topic /topic/test',
  ]);
  one.drop();
  two.drop();
  await harness.turn();
  assert.equal(harness.services.queues.list(), [], 'it goes with the last of them');
});

test('x-queue-name, durable:true: kept for those who come back, until an UNSUBSCRIBE with durable:true', async () => {
  const harness = Harness.open();
  const durable = ['id:1', ...NAMED, 'durable:true', 'auto-delete:false', 'x-queue-type:quorum', 'x-expires:100000'];
  const client = harness.connect();
  await subscribed(client, durable);
  client.drop();
  const other = harness.connect();
  await send(other, ['destination:/topic/test', 'persistent:true'], 'missed');
  assert.equal(bodiesOf(await subscribed(other, durable)), ['missed']);
  other.send('UNSUBSCRIBE', ['id:1', 'receipt:u']);
  await other.later();
  assert.equal(harness.services.queues.list(), ['mine']);
  other.send('UNSUBSCRIBE', ['id:1', ...NAMED, 'durable:true', 'receipt:u']);
  assert.equal(
    (await other.later()).map(({ command }) => command),
    ['RECEIPT'],
  );
  assert.equal(harness.services.queues.list(), []);
  await subscribed(other, durable);
  other.send('UNSUBSCRIBE', ['id:1', 'durable:true', 'receipt:u']);
  await other.later();
  assert.equal(harness.services.queues.list(), [], 'also where the id alone says which');
});

test('x-queue-name deletes no queue that is bound to no topic, and none that the client may not have', async () => {
  const harness = Harness.open({}, { maySubscribe: (_, filter) => filter !== '$queue/secret' });
  await send(harness.connect(), ['destination:/queue/mine'], 'precious');
  const client = harness.connect();
  client.send('UNSUBSCRIBE', ['id:1', ...NAMED, 'durable:true', 'receipt:u']);
  await harness.turn();
  expectError(client, /"mine" is bound to no topic/, 'u');
  for (const command of ['UNSUBSCRIBE', 'SUBSCRIBE']) {
    const other = harness.connect();
    other.send(command, ['id:1', 'destination:/topic/a', 'x-queue-name:secret', 'durable:true', 'receipt:u']);
    await harness.turn();
    expectError(other, /not allowed/, 'u');
  }
  assert.equal(harness.services.queues.list(), ['mine']);
  const readers = Harness.open({}, { mayPublish: (_, topic) => topic !== '$queue/mine' });
  await subscribed(readers.connect(), ['id:1', ...NAMED, 'durable:true']);
  const reader = readers.connect();
  reader.send('UNSUBSCRIBE', ['id:1', ...NAMED, 'durable:true', 'receipt:u']);
  await readers.turn();
  expectError(reader, /not allowed to delete the queue "mine"/, 'u');
});

test('x-queue-name: a SUBSCRIBE that is not taken deletes no queue, even by an UNSUBSCRIBE right behind it', async () => {
  const harness = Harness.open({}, { mayPublish: (_, topic) => topic !== '$queue/mine' });
  await subscribed(harness.connect(), ['id:1', ...NAMED, 'durable:true']);
  const other = harness.connect();
  other.send('SUBSCRIBE', ['id:1', 'destination:/topic/another', 'x-queue-name:mine', 'durable:true']);
  other.send('UNSUBSCRIBE', ['id:1', 'durable:true', 'receipt:u']);
  await harness.turn();
  expectError(other, /not allowed to delete the queue "mine"/, 'u');
  assert.equal(harness.services.queues.list(), ['mine']);
});

test('x-queue-name: what is for subscriptions that are no queue is refused by name', () => {
  for (const line of ['start:first', 'group:g', 'no-local:true', 'browser:true', 'activemq.subscriptionName:n']) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', ...NAMED, line]);
    expectError(
      client,
      new RegExp(`header ${line.split(':')[0]} of SUBSCRIBE is for subscriptions without x-queue-name`),
    );
  }
  const client = Harness.open().connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/test', 'x-queue-name:']);
  expectError(client, /header x-queue-name is empty/);
});

test.run();
