import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** Requests and their answers, by destinations that are a connection's own. */

const answers = suite('STOMP requests and answers');

/** A client that answers what comes to `/topic/ask`. */
function responder(harness: Harness, version: '1.0' | '1.1' | '1.2' = '1.2'): TestClient {
  const client = harness.connect(version);
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/ask']);
  return client;
}

for (const persistent of ['true', 'false']) {
  for (const kind of ['queue', 'topic']) {
    answers(`RabbitMQ's form: reply-to:/temp-${kind}/NAME, and answers come; persistent:${persistent}`, async () => {
      const harness = Harness.open();
      const server = responder(harness);
      const client = harness.connect();
      const name = `/temp-${kind}/my answers`;
      client.send('SEND', ['destination:/topic/ask', `reply-to:${name}`, 'correlation-id:7'], '2+2');
      const { headers } = server.frame();
      assert.match(headers['reply-to'] ?? '', /^\/reply-queue\/[\w-]{22}$/);
      const answer = [`destination:${headers['reply-to']}`, 'correlation-id:7', `persistent:${persistent}`];
      server.send('SEND', answer, '4');
      const [message] = await client.later();
      assert.is(String(message?.body), '4');
      assert.is(message?.headers.subscription, name);
      assert.is(message?.headers.destination, name);
      assert.is(message?.headers['correlation-id'], '7');
      assert.is(message?.headers.ack, undefined);
    });
  }
}

answers('a name is the same topic as long as its connection lasts, and another one on another connection', () => {
  const harness = Harness.open();
  const server = responder(harness);
  const [first, second] = [harness.connect(), harness.connect()];
  const topics = [
    [first, '/temp-queue/a'],
    [first, '/temp-queue/a'],
    [first, '/temp-queue/b'],
    [first, '/temp-topic/a'],
    [second, '/temp-queue/a'],
  ] as const;
  const seen = topics.map(([client, name]) => {
    client.send('SEND', ['destination:/topic/ask', `reply-to:${name}`]);
    return server.frame().headers['reply-to'];
  });
  assert.is(seen[0], seen[1]);
  assert.is(new Set(seen).size, 4);
  first.drop();
  server.send('SEND', [`destination:${seen[0]}`], 'too late');
  assert.is(harness.counters.delivered, 5, 'the five requests');
});

answers('ActiveMQ’s form: SUBSCRIBE to it, with an id and an ack mode of its own', async () => {
  for (const before of [true, false]) {
    const harness = Harness.open();
    const server = responder(harness);
    const client = harness.connect();
    const lines = ['id:x', 'destination:/temp-queue/a', 'ack:client-individual', 'prefetch:1', 'receipt:r'];
    if (before) client.send('SUBSCRIBE', lines);
    client.send('SEND', ['destination:/topic/ask', 'reply-to:/temp-queue/a']);
    if (!before) client.send('SUBSCRIBE', lines);
    assert.is((await client.later())[0]?.headers['receipt-id'], 'r');
    const replyTo = server.frame().headers['reply-to'];
    for (const body of ['1', '2']) server.send('SEND', [`destination:${replyTo}`, 'persistent:true'], body);
    const frames = await client.later();
    assert.equal(
      frames.map(({ headers, body }) => `${headers.subscription} ${body}`),
      ['x 1'],
      'once, and within its window',
    );
    client.send('ACK', [`id:${frames[0]?.headers.ack}`]);
    assert.equal(
      (await client.later()).map(({ body }) => String(body)),
      ['2'],
    );
    client.send('SUBSCRIBE', ['id:y', 'destination:/temp-queue/a']);
    expectError(client, /a subscription with the destination "\/temp-queue\/a" already/);
  }
});

answers('UNSUBSCRIBE by the name ends the answers; the next request begins them again', () => {
  const harness = Harness.open();
  const server = responder(harness);
  const client = harness.connect();
  const ask = (): string => {
    client.send('SEND', ['destination:/topic/ask', 'reply-to:/temp-queue/a']);
    return server.frame().headers['reply-to'] ?? '';
  };
  const replyTo = ask();
  client.send('UNSUBSCRIBE', ['id:/temp-queue/a']);
  server.send('SEND', [`destination:${replyTo}`], '1');
  assert.equal(client.frames(), []);
  assert.is(ask(), replyTo);
  server.send('SEND', [`destination:${replyTo}`], '2');
  assert.equal(client.bodies(), ['2']);
});

answers('a client may send to a name of its own', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/temp-topic/a']);
  client.send('SEND', ['destination:/temp-topic/a'], 'x');
  assert.equal(client.bodies(), ['x']);
});

answers('/temp-queue/ that nobody listens to: a SEND to it is an ERROR, as in RabbitMQ, and is not lost', async () => {
  for (const version of ['1.0', '1.1', '1.2'] as const) {
    for (const destination of ['/temp-queue/a', '/queue/b,/temp-queue/a']) {
      const client = Harness.open().connect(version);
      client.send('SEND', [`destination:${destination}`, 'receipt:r'], 'x');
      const { headers, body } = client.frame();
      assert.equal([headers.message, headers['receipt-id']], ['Invalid destination', 'r']);
      assert.match(String(body), /the header destination "\/temp-queue\/a" of SEND .*\nSUBSCRIBE to it before/);
      assert.ok(client.closed);
    }
  }
  const harness = Harness.open();
  const [client, server] = [harness.connect(), responder(harness)];
  client.send('SEND', ['destination:/topic/ask', 'reply-to:/temp-queue/a']);
  client.send('SEND', ['destination:/temp-queue/a'], 'to myself');
  assert.equal(client.bodies(), ['to myself']);
  client.send('SEND', ['destination:/temp-topic/b'], 'to nobody');
  assert.not(client.closed, 'a topic is for those who are there');
  assert.is(server.frames().length, 1);
  client.send('UNSUBSCRIBE', ['id:/temp-queue/a']);
  client.send('SEND', ['destination:/temp-queue/a'], 'lost');
  expectError(client, 'no subscription');
});

answers('$reply/X is /reply-queue/X, both ways, also as a response topic of another protocol', () => {
  for (const [topic, destination] of [
    ['$reply/abc', '/reply-queue/abc'],
    ['$reply/a.b/c', '/reply-queue/a.b/c'],
    ['$reply/a b', '/reply-queue/a b'],
  ] as const) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    harness.publish('a', 'x', { responseTopic: topic });
    assert.is(client.frame().headers['reply-to'], destination);
    const seen: string[] = [];
    const { router } = harness.services;
    const subscriber = { clientId: 'asker', deliver: ({ topic: each }: { topic: string }) => void seen.push(each) };
    const flags = { qos: 1, noLocal: false, retainAsPublished: true, identifier: 0, id: '', since: [] } as const;
    router.subscribe({ subscriber, filter: topic, ...flags });
    client.send('SEND', [`destination:${destination}`, `reply-to:${destination}`], 'answer');
    assert.equal(seen, [topic]);
  }
});

answers('nobody else can subscribe to where answers come', () => {
  for (const destination of ['/reply-queue/abc', '/topic/$reply.abc', '/topic/$reply.#', '/reply-queue/#']) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', `destination:${destination}`]);
    expectError(client, 'header destination');
  }
});

answers('what a temporary destination cannot be is refused by name', () => {
  const rows: readonly (readonly [lines: readonly string[], text: RegExp])[] = [
    [['destination:/temp-queue/'], /is not a destination/],
    [['destination:/temp-other/a'], /is not a destination/],
    [['destination:/temp-queue/a', 'durable:true'], /header durable of SUBSCRIBE/],
    [['destination:/temp-topic/a', 'group:g'], /header group of SUBSCRIBE/],
    [['destination:/temp-queue/a', 'activemq.exclusive:true'], /header activemq\.exclusive of SUBSCRIBE/],
    [['destination:/temp-queue/a', 'x-queue-name:q'], /header x-queue-name of SUBSCRIBE/],
  ];
  for (const [lines, text] of rows) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', ...lines]);
    expectError(client, text);
  }
  const client = Harness.open().connect();
  client.send('SEND', ['destination:/topic/a', 'reply-to:/temp-queue/', 'receipt:r']);
  expectError(client, 'reply-to', 'r');
});

answers('limits: temporary destinations of a connection', () => {
  const client = Harness.open({ subscriptionsPerSession: 3 }).connect();
  for (let i = 0; i < 3; i++) {
    client.send('SEND', ['destination:/topic/a', `reply-to:/temp-queue/${i}`]);
    client.send('UNSUBSCRIBE', [`id:/temp-queue/${i}`]);
  }
  assert.equal(client.frames(), []);
  client.send('SEND', ['destination:/topic/a', 'reply-to:/temp-queue/3', 'receipt:r']);
  expectError(client, 'limits.subscriptionsPerSession', 'r');
});

answers('in each version the name comes back as it was written', () => {
  for (const [version, name] of [
    ['1.0', '/temp-queue/a:b\\'],
    ['1.1', '/temp-queue/a\\cb\\\\é'],
    ['1.2', '/temp-queue/a\\cb\\r'],
  ] as const) {
    const harness = Harness.open();
    const server = responder(harness);
    const client = harness.connect(version);
    client.send('SEND', ['destination:/topic/ask', `reply-to:${name}`]);
    server.send('SEND', [`destination:${server.frame().headers['reply-to']}`], 'x');
    assert.is(client.frame().headers.subscription, name, version);
  }
});

answers.run();
