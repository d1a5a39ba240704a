import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { Harness } from './support/harness.ts';

/** Destinations as applications written for ActiveMQ write them, and as they come back. */

const active = suite("STOMP, ActiveMQ's destinations");

active('topics: * is one name of the path, a last > any number, none among them', () => {
  for (const [pattern, topics, others] of [
    ['PRICE.>', ['PRICE', 'PRICE.STOCK', 'PRICE.STOCK.NASDAQ.IBM'], ['COST.STOCK']],
    ['PRICE.STOCK.*', ['PRICE.STOCK.A'], ['PRICE.STOCK', 'PRICE.STOCK.A.B']],
    ['PRICE.*.*.IBM', ['PRICE.STOCK.NASDAQ.IBM'], ['PRICE.STOCK.IBM']],
    ['>', ['A', 'A.B'], []],
    ['*', ['A'], ['A.B']],
  ] as const) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', `destination:/topic/${pattern}`]);
    for (const topic of [...topics, ...others]) client.send('SEND', [`destination:/topic/${topic}`], topic);
    assert.equal(client.bodies(), [...topics], pattern);
  }
});

active('queues: consumers by wildcard are refused by name', () => {
  for (const destination of ['/queue/>', '/queue/a.>', '/queue/a.*', '/queue/a,/queue/b.>']) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', `destination:${destination}`, 'receipt:r']);
    expectError(client, 'has a wildcard, which only topics have', 'r');
  }
});

for (const version of ['1.0', '1.1', '1.2'] as const) {
  active(`STOMP ${version}: a queue whose name is a path comes back as its subscriber wrote it`, async () => {
    const harness = Harness.open();
    const sender = harness.connect(version);
    for (const written of ['/queue/test/ruby/é', '/queue/a/b%2Fc', '/queue/test%2Fruby/é']) {
      const client = harness.connect(version);
      const lines = ['id:1', `destination:${written}`];
      client.send('SUBSCRIBE', lines);
      await client.turn();
      sender.send('SEND', [`destination:${written}`], 'x'.repeat(10));
      sender.send('SEND', [`destination:${written}`], 'x'.repeat(100_000));
      for (const { headers } of await client.later()) assert.is(headers.destination, written);
      client.send('UNSUBSCRIBE', lines);
    }
  });
}

active('a queue whose name is a path, filled from a topic, too: what was sent to the topic says so', async () => {
  const harness = Harness.open();
  const [worker, reader] = [harness.connect(), harness.connect()];
  worker.send('SUBSCRIBE', ['id:1', 'destination:/queue/a/b', 'queue-bindings:t']);
  for (const id of ['1', '2']) reader.send('SUBSCRIBE', [`id:${id}`, 'destination:/topic/t']);
  await worker.turn();
  for (const to of ['/queue/a/b', '/topic/t']) reader.send('SEND', [`destination:${to}`], 'x');
  const from = async (client: typeof worker) => (await client.later()).map(({ headers }) => headers.destination);
  assert.equal(await from(worker), ['/queue/a/b', '/topic/t']);
  assert.equal(await from(reader), ['/topic/t', '/topic/t']);
});

for (const version of ['1.0', '1.1', '1.2'] as const) {
  for (const kind of ['queue', 'topic']) {
    const own = `/temp-${kind}/my:answers`;
    const written = version === '1.0' ? own : own.replace('my:', 'my\\c');
    active(`STOMP ${version}: answers come from /temp-${kind}/NAME, as the client names it`, () => {
      const harness = Harness.open();
      const server = harness.connect();
      server.send('SUBSCRIBE', ['id:1', 'destination:/topic/ask']);
      const client = harness.connect(version);
      const id = version === '1.0' ? [] : ['id:7'];
      client.send('SUBSCRIBE', [...id, `destination:${written}`, 'ack:client']);
      client.send('SEND', ['destination:/topic/ask', `reply-to:${written}`], '2+2');
      const replyTo = server.frame().headers['reply-to'];
      server.send('SEND', [`destination:${replyTo}`], '4');
      const { headers, body } = client.frame();
      assert.is(String(body), '4');
      assert.is(headers.destination, written);
      assert.is(headers.subscription, version === '1.0' ? undefined : '7');
      // Each to one: there is no second subscription without a SUBSCRIBE.
      client.send('SEND', [`destination:${written}`], 'to myself');
      assert.equal(client.bodies(), ['to myself']);
    });
  }
}

active('a large answer, too', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:7', 'destination:/temp-queue/x']);
  client.send('SEND', ['destination:/temp-queue/x'], Buffer.alloc(20_000, 'x'));
  const { headers, body } = client.frame();
  assert.is(headers.destination, '/temp-queue/x');
  assert.is(body.length, 20_000);
});

active('/temp-queue/ and /temp-topic/ end with their connection, and are on no other', () => {
  const harness = Harness.open();
  const [one, other] = [harness.connect(), harness.connect()];
  for (const client of [one, other]) client.send('SUBSCRIBE', ['id:1', 'destination:/temp-topic/x']);
  one.send('SEND', ['destination:/temp-topic/x'], 'mine');
  assert.equal(other.frames(), []);
  assert.equal(one.bodies(), ['mine']);
});

active('/remote-temp-queue/, which only ActiveMQ gives out: an ERROR that says what to answer to', () => {
  for (const kind of ['queue', 'topic']) {
    const client = Harness.open().connect();
    client.send('SEND', [`destination:/remote-temp-${kind}/ID:x:1:1`.replaceAll(/(?<=ID.*):/g, '\\c')]);
    expectError(client, /\/temp-queue\/NAME[\s\S]*what reply-to says: \/reply-queue\/NAME/);
  }
});

active.run();
