import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { expectError } from './support/expect-error.ts';
import { FakeQueues } from './support/fake-queues.ts';
import { bodiesOf } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** What a consumer's frames ask of a queue, and what it is told; the queue is the test's. */

const consuming = suite('STOMP consumers of queues');

interface Consuming {
  readonly harness: Harness;
  readonly queues: FakeQueues;
  readonly client: TestClient;
}

function subscribed(lines: readonly string[] = [], version: '1.0' | '1.1' | '1.2' = '1.2'): Consuming {
  const queues = new FakeQueues();
  const harness = Harness.open({}, {}, { queues });
  const client = harness.connect(version);
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a.b', ...lines]);
  return { harness, queues, client };
}

consuming('SUBSCRIBE says prefetch, priority and exclusive, by names of this broker, RabbitMQ and ActiveMQ', () => {
  const only = { exclusive: true };
  const rows: readonly (readonly [lines: readonly string[], prefetch: number, priority: number, more?: object])[] = [
    [[], 3, 0],
    [['prefetch:7', 'consumer-priority:-100', 'exclusive:true'], 7, -100, only],
    [['prefetch-count:7', 'exclusive:false', 'x-priority:3'], 7, 3],
    [['prefetch-count:0', 'exclusive:True'], 20, 0, only],
    [['activemq.prefetchSize:7', 'activemq.priority:127', 'activemq.exclusive:true'], 7, 127, { locksOut: true }],
    [['prefetch:5', 'prefetch-count:7', 'consumer-priority:1', 'activemq.priority:2'], 5, 1],
    [['prefetch:0'], 20, 0],
  ];
  for (const [lines, prefetch, priority, more] of rows) {
    const { options, queue } = subscribed(lines).queues.asked[0] ?? {};
    assert.is(queue, 'a.b');
    const expected = { clientId: '', prefetch, priority, exclusive: false, ...more };
    assert.equal({ ...options, clientId: '' }, expected, lines.join());
  }
});

consuming('queue-… on SUBSCRIBE sets the queue', () => {
  const { queues } = subscribed(['queue-max-messages:5', 'queue-overflow:dropOldest', 'queue-bindings:a/b,c/#']);
  assert.equal(queues.asked[0]?.settings, { maxMessages: 5, overflow: 'dropOldest', bindings: ['a/b', 'c/#'] });
  assert.is(subscribed().queues.asked[0]?.settings, undefined);
});

consuming('a wrong value is refused by its header, saying what is allowed; nothing is consumed', () => {
  const rows: readonly (readonly [line: string, text: RegExp])[] = [
    ['prefetch:-1', /header prefetch of SUBSCRIBE is "-1"; a whole number from 0/],
    ['prefetch-count:x', /header prefetch-count of SUBSCRIBE is "x"; a whole number from 0/],
    ['consumer-priority:101', /consumer-priority of SUBSCRIBE is "101"; a whole number from -100 to 100/],
    ['activemq.priority:high', /activemq\.priority of SUBSCRIBE is "high"; .* from -128 to 127/],
    ['exclusive:yes', /exclusive of SUBSCRIBE is "yes"; true or false/],
    ['browser:1', /browser of SUBSCRIBE is "1"; true or false/],
    ['queue-max-messages:-1', /queue-max-messages is "-1"; a whole number/],
    ['queue-length:5', /no queue setting "queue-length"; known are queue-max-messages/],
    ['group:g', /header group of SUBSCRIBE is for topics/],
    ['start:first', /header start of SUBSCRIBE is for topics/],
    ['positions:true', /header positions of SUBSCRIBE is for topics/],
    ['no-local:true', /header no-local of SUBSCRIBE is for topics/],
  ];
  for (const [line, text] of rows) {
    const { queues, client } = subscribed([line, 'receipt:r']);
    expectError(client, text, 'r');
    assert.is(queues.asked.length, 0, line);
  }
});

consuming('what is for queues is refused by name with a topic', () => {
  for (const line of ['activemq.exclusive:true', 'consumer-priority:1', 'browser:true', 'queue-max-messages:1']) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', line]);
    expectError(client, /queue/);
  }
});

consuming('the receipt of SUBSCRIBE comes when the queue is there; messages may come before', async () => {
  const { queues, client } = subscribed(['receipt:r']);
  assert.ok(queues.last.give('$queue/a.b', '1'));
  assert.equal(
    (await client.later()).map(({ command }) => command),
    ['MESSAGE'],
  );
  queues.last.open();
  assert.equal(
    (await client.later()).map(({ command }) => command),
    ['RECEIPT'],
  );
});

consuming('a queue that cannot be consumed is an ERROR with the receipt-id of the SUBSCRIBE, said once', async () => {
  const { harness, queues, client } = subscribed(['receipt:r']);
  const error = new BrokerError('fieldInvalid', 'maxMessages of the queue is 5, not 6');
  queues.last.consumer.ended(error);
  queues.last.refuse(error);
  await harness.turn();
  expectError(client, 'maxMessages of the queue is 5, not 6', 'r');
});

consuming(
  'SUBSCRIBE and UNSUBSCRIBE at once: both receipts, whatever becomes of the queue; DISCONNECT, too',
  async () => {
    for (const command of ['UNSUBSCRIBE', 'DISCONNECT']) {
      const client = Harness.open().connect();
      client.write(`SUBSCRIBE\nid:1\ndestination:/queue/a\nreceipt:1\n\n\0${command}\nid:1\nreceipt:2\n\n\0`);
      const receipts = (await client.later()).map(({ headers }) => headers['receipt-id']);
      assert.equal(receipts.sort(), ['1', '2'], command);
    }
    const { queues, client } = subscribed(['receipt:1']);
    client.send('UNSUBSCRIBE', ['id:1']);
    queues.last.refuse(new BrokerError('unavailable'));
    assert.equal(
      (await client.later()).map(({ headers }) => headers['receipt-id']),
      ['1'],
    );
  },
);

consuming('a queue that ends is an ERROR, also between its beginning and the receipt', async () => {
  for (const early of [true, false]) {
    const { harness, queues, client } = subscribed(['receipt:r']);
    queues.last.open();
    if (!early) await client.later();
    queues.last.consumer.ended(new BrokerError('notFound', 'the queue was deleted'));
    await harness.turn();
    expectError(client, 'the queue was deleted', early ? 'r' : undefined);
  }
});

consuming('MESSAGE says how often it was delivered, its priority and its key', () => {
  const { queues, client } = subscribed();
  queues.last.give('$queue/a.b', '1', { priority: 9, key: 'k:1' });
  queues.last.give('$queue/a.b', '2', undefined, 1, true);
  queues.last.give('$queue/a.b', '3', undefined, 12);
  const own = client
    .frames()
    .map(({ lines }) => lines.filter((line) => /^(delivery-count|redelivered|priority|key):/.test(line)));
  assert.equal(own, [
    ['redelivered:false', 'priority:9', 'key:k\\c1'],
    ['redelivered:true'],
    ['redelivered:true', 'delivery-count:12'],
  ]);
});

consuming('ack:auto settles as it is sent, also what is there at once', async () => {
  const { queues, client } = subscribed();
  for (const body of ['1', '2', '3', '4']) assert.ok(queues.last.give('$queue/a.b', body));
  assert.equal(client.bodies(), ['1', '2', '3', '4']);
  assert.equal(queues.last.settlements, ['1 accept', '2 accept', '3 accept', '4 accept']);
  const real = Harness.open();
  real.publish('$queue/a', 'waiting');
  const first = real.connect();
  first.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
  assert.equal(bodiesOf(await first.later()), ['waiting']);
  first.drop();
  const second = real.connect();
  second.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
  assert.equal(await second.later(), []);
});

consuming('it is not ready while the connection is full, its window is closed, or the client is leaving', () => {
  const { queues, client } = subscribed(['ack:client-individual', 'prefetch:1']);
  client.connection.stuck = true;
  assert.not(queues.last.give('$queue/a.b', '1'));
  client.connection.stuck = false;
  const { pumps } = queues.last;
  client.channel.drained();
  assert.is(queues.last.pumps, pumps + 1);
  assert.ok(queues.last.give('$queue/a.b', '1'));
  assert.not(queues.last.give('$queue/a.b', '2'));
  client.send('ACK', [`id:${client.frame().headers.ack}`]);
  assert.ok(queues.last.give('$queue/a.b', '2'));
  const { headers } = client.frame();
  client.write(`ACK\nid:${headers.ack}\n\n\0DISCONNECT\nreceipt:r\n\n\0`);
  assert.not(queues.last.give('$queue/a.b', '3'));
});

for (const version of ['1.0', '1.1', '1.2'] as const) {
  consuming(`${version}, NACK: back with a delay or without, or rejected`, () => {
    const { queues, client } = subscribed(['ack:client-individual', 'prefetch:5'], version);
    for (const body of ['1', '2', '3', '4']) queues.last.give('$queue/a.b', body);
    const lines = [[], ['delay:1500'], ['requeue:false'], ['requeue:true', 'delay:0']];
    for (const [i, { headers }] of client.frames().entries()) {
      const id = version === '1.2' ? `id:${headers.ack}` : `message-id:${headers['message-id']}`;
      client.send('NACK', [id, ...(lines[i] ?? [])]);
    }
    assert.equal(queues.last.settlements, ['1 requeue', '2 requeue 1500', '3 reject', '4 requeue 0']);
  });
}

consuming('NACK with a wrong value is refused by name', () => {
  const rows: readonly (readonly [lines: readonly string[], text: RegExp])[] = [
    [['delay:soon'], /header delay of NACK is "soon"; a whole number from 0 to 31622400000/],
    [['delay:-1'], /header delay of NACK/],
    [['delay:31622400001'], /header delay of NACK/],
    [['requeue:no'], /header requeue of NACK is "no"; true or false/],
    [['requeue:false', 'delay:5'], /requeue:false and the header delay/],
  ];
  for (const [lines, text] of rows) {
    const { queues, client } = subscribed(['ack:client']);
    queues.last.give('$queue/a.b', '1');
    client.send('NACK', [`id:${client.frame().headers.ack}`, ...lines, 'receipt:r']);
    expectError(client, text, 'r');
    assert.equal(queues.last.settlements, []);
  }
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client']);
  harness.publish('a', 'x');
  client.send('NACK', [`id:${client.frame().headers.ack}`, 'delay:5']);
  expectError(client, /delay of NACK is for messages of queues and groups/);
});

consuming('a transaction settles at its COMMIT, whose receipt comes when that is durable', async () => {
  const { queues, client } = subscribed(['ack:client-individual']);
  queues.last.open();
  queues.last.give('$queue/a.b', '1');
  queues.last.give('$queue/a.b', '2');
  const [one, two] = await client.later();
  client.send('BEGIN', ['transaction:t']);
  client.send('ACK', [`id:${one?.headers.ack}`, 'transaction:t']);
  client.send('NACK', [`id:${two?.headers.ack}`, 'transaction:t', 'delay:7']);
  assert.equal(queues.last.settlements, []);
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  assert.equal(queues.last.settlements, ['1 accept', '2 requeue 7']);
  assert.equal(await client.later(), []);
  queues.last.keep();
  assert.equal(
    (await client.later()).map(({ headers }) => headers['receipt-id']),
    ['r'],
  );
});

consuming('mode client gives several back the last one first, and takes none meanwhile', () => {
  const { queues, client } = subscribed(['ack:client', 'prefetch:5']);
  for (const body of ['1', '2', '3', '4']) queues.last.give('$queue/a.b', body);
  const third = client.frames()[2];
  const taken: boolean[] = [];
  const { settle } = queues.last;
  queues.last.settle = (delivery, outcome, delay) => {
    settle.call(queues.last, delivery, outcome, delay);
    taken.push(queues.last.consumer.ready());
  };
  client.send('NACK', [`id:${third?.headers.ack}`]);
  assert.equal(queues.last.settlements, ['3 requeue', '2 requeue', '1 requeue']);
  assert.equal(taken, [false, false, false]);
  assert.ok(queues.last.consumer.ready());
});

consuming('a consumer that goes says so, however it goes', async () => {
  for (const how of ['drop', 'UNSUBSCRIBE', 'DISCONNECT', 'error'] as const) {
    const { harness, queues, client } = subscribed();
    queues.last.open();
    await harness.turn();
    if (how === 'drop') client.drop();
    else if (how === 'error') client.write('bad');
    else client.send(how, ['id:1']);
    assert.is(queues.last.left, 'cancel', how);
  }
});

consuming.run();
