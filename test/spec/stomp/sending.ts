import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { Harness, type TestClient } from './support/harness.ts';

const sending = suite('STOMP sending and receipts');

function receipts(client: TestClient): (string | undefined)[] {
  return client.frames().flatMap(({ command, headers }) => (command === 'RECEIPT' ? [headers['receipt-id']] : []));
}

sending('1.2, SEND: destination is required and must be one', () => {
  for (const line of [
    'x:y',
    'destination:',
    'destination:a/b',
    'destination:/a',
    'destination:/topic/',
    'destination:/topic/a.#',
    'destination:/topic/%zz',
  ]) {
    const client = Harness.open().connect();
    client.send('SEND', [line, 'receipt:r'], 'x');
    expectError(client, 'destination', 'r');
  }
});

sending('1.2, receipt: on every frame that asks for one', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client', 'receipt:subscribe']);
  client.send('SEND', ['destination:/topic/a', 'receipt:send']);
  const frames = client.frames();
  const message = frames.find(({ command }) => command === 'MESSAGE');
  assert.equal(
    frames.flatMap(({ headers }) => headers['receipt-id'] ?? []),
    ['subscribe', 'send'],
  );
  client.send('ACK', [`id:${message?.headers.ack}`, 'receipt:ack']);
  client.send('NACK', [`id:${message?.headers.ack}`, 'receipt:nack']);
  client.send('BEGIN', ['transaction:t', 'receipt:begin']);
  client.send('SEND', ['destination:/topic/b', 'transaction:t', 'receipt:held']);
  client.send('COMMIT', ['transaction:t', 'receipt:commit']);
  client.send('BEGIN', ['transaction:t']);
  client.send('ABORT', ['transaction:t', 'receipt:abort']);
  client.send('UNSUBSCRIBE', ['id:1', 'receipt:unsubscribe']);
  client.send('DISCONNECT', ['receipt:disconnect']);
  assert.equal(receipts(client), ['ack', 'nack', 'begin', 'held', 'commit', 'abort', 'unsubscribe', 'disconnect']);
});

sending('a receipt of SEND comes strictly after the message is durable', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  // A queue that is there; it takes some turns to make one.
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client', 'prefetch:1']);
  harness.publish('$queue/a', 'first');
  await client.later();
  for (const destination of ['/topic/a', '/queue/a']) {
    client.channel.receive(Buffer.from(`SEND\ndestination:${destination}\nreceipt:r\n\nx\0`), harness.clock.now());
    assert.equal(client.frames(), [], 'the log has not said anything');
    harness.clock.settle();
    assert.equal(receipts(client), ['r']);
  }
});

sending('1.2, receipt: the id comes back as it was written, escapes and all', () => {
  for (const [version, id] of [
    ['1.2', 'a\\cb\\n\\r\\\\é☕'],
    ['1.1', 'a\\cb\\n\\\\é'],
    ['1.0', 'a:b\\n'],
  ] as const) {
    const client = Harness.open().connect(version);
    client.send('SEND', ['destination:/topic/a', `receipt:${id}`]);
    assert.equal(receipts(client), [id]);
    client.send('BEGIN', ['transaction:t', `receipt:${id}`]);
    assert.equal(receipts(client), [id]);
  }
});

sending('live without a receipt, logged with one or with persistent:true', () => {
  const rows: readonly (readonly [lines: readonly string[], logged: boolean])[] = [
    [[], false],
    [['persistent:false'], false],
    [['persistent:true'], true],
    [['receipt:r'], true],
  ];
  for (const [lines, logged] of rows) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    client.send('SEND', ['destination:/topic/a', ...lines], 'x');
    const message = client.frames().find(({ command }) => command === 'MESSAGE');
    assert.is(message?.headers.persistent, logged ? 'true' : undefined, lines.join());
    assert.is(harness.backbone.log.next(0) > 1, logged);
  }
});

sending('limits.publishBacklog: a client ahead of the log is not read from until it has caught up', () => {
  const harness = Harness.open();
  const client = harness.connect();
  const frame = 'SEND\ndestination:/topic/a\npersistent:true\n\nx\0';
  client.channel.receive(Buffer.from(frame.repeat(7)), harness.clock.now());
  assert.is(client.connection.pauses, 0);
  client.channel.receive(Buffer.from(frame.repeat(3)), harness.clock.now());
  assert.is(client.connection.pauses, 1);
  harness.clock.settle();
  assert.is(client.connection.pauses, 0);
});

sending('a message that the store refuses is an ERROR with its receipt-id, then the end', async () => {
  const harness = Harness.open({ queueMessages: 2 });
  const client = harness.connect();
  for (let i = 1; i <= 2; i++) client.send('SEND', ['destination:/queue/a', `receipt:${i}`], 'x');
  await harness.turn();
  assert.equal(receipts(client), ['1', '2']);
  client.send('SEND', ['destination:/queue/a', 'receipt:3'], 'x');
  await harness.turn();
  expectError(client, /queue "a" is full.*limits\.queueMessages/, '3');
});

sending('retain is for topics', () => {
  const client = Harness.open().connect();
  client.send('SEND', ['destination:/queue/a', 'retain:true'], 'x');
  expectError(client, 'retain');
});

sending.run();
