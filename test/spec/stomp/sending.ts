import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { Harness, type TestClient } from './support/harness.ts';

const sending = suite('STOMP sending, receipts and transactions');

function receipts(client: TestClient): (string | undefined)[] {
  return client.frames().flatMap(({ command, headers }) => (command === 'RECEIPT' ? [headers['receipt-id']] : []));
}

sending('1.2, SEND: destination is required and must be one', () => {
  for (const line of [
    'x:y',
    'destination:',
    'destination:a',
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

sending('a receipt of SEND comes strictly after the message is durable', () => {
  const harness = Harness.open();
  const client = harness.connect();
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

sending('a message that the store refuses is an ERROR with its receipt-id, then the end', () => {
  const harness = Harness.open({ queueMessages: 2 });
  const client = harness.connect();
  for (let i = 1; i <= 2; i++) client.send('SEND', ['destination:/queue/a', `receipt:${i}`], 'x');
  assert.equal(receipts(client), ['1', '2']);
  client.send('SEND', ['destination:/queue/a', 'receipt:3'], 'x');
  expectError(client, 'queue is full', '3');
});

sending('retain is for topics', () => {
  const client = Harness.open().connect();
  client.send('SEND', ['destination:/queue/a', 'retain:true'], 'x');
  expectError(client, 'retain');
});

// --- transactions -------------------------------------------------------------------------------------------------------

sending('1.2, BEGIN … COMMIT: nothing happens before, everything after, in order', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/#']);
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', ['destination:/topic/a', 'transaction:t'], '1');
  client.send('SEND', ['destination:/topic/b', 'transaction:t', 'persistent:true'], '2');
  client.send('SEND', ['destination:/topic/c'], 'outside');
  assert.equal(client.bodies(), ['outside']);
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  assert.equal(
    client.frames().map(({ command, body }) => `${command} ${body}`),
    ['MESSAGE 1', 'MESSAGE 2', 'RECEIPT '],
  );
});

sending('the bodies of a transaction are its own: they outlive the chunk they came in', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  client.send('BEGIN', ['transaction:t']);
  const chunk = Buffer.from('SEND\ndestination:/topic/a\ntransaction:t\n\nbody\0');
  client.channel.receive(chunk, harness.clock.now());
  chunk.fill('#');
  client.send('COMMIT', ['transaction:t']);
  assert.equal(client.bodies(), ['body']);
});

sending('1.2, ABORT: nothing of it happens', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', ['destination:/topic/a', 'transaction:t'], 'x');
  client.send('ABORT', ['transaction:t', 'receipt:r']);
  assert.equal(receipts(client), ['r']);
  client.send('COMMIT', ['transaction:t']);
  expectError(client, 'no transaction "t"');
});

sending('1.2, BEGIN: a transaction is aborted when its connection goes', () => {
  for (const end of ['drop', 'DISCONNECT', 'error'] as const) {
    const harness = Harness.open();
    const watcher = harness.connect();
    watcher.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    const client = harness.connect();
    client.send('BEGIN', ['transaction:t']);
    client.send('SEND', ['destination:/topic/a', 'transaction:t'], 'x');
    if (end === 'drop') client.drop();
    else if (end === 'error') client.write('bad');
    else client.send(end);
    assert.equal(watcher.frames(), [], end);
  }
});

sending('1.2, transactions: ACK and NACK wait for the COMMIT, and are undone by ABORT', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client-individual', 'prefetch-count:2']);
  for (let i = 1; i <= 3; i++) harness.publish('$queue/a', `${i}`);
  const [one, two] = client.frames();
  client.send('BEGIN', ['transaction:t']);
  client.send('ACK', [`id:${one?.headers.ack}`, 'transaction:t']);
  client.send('ABORT', ['transaction:t']);
  assert.equal(client.frames(), [], 'still unacknowledged');
  client.send('BEGIN', ['transaction:t']);
  client.send('ACK', [`id:${one?.headers.ack}`, 'transaction:t']);
  client.send('NACK', [`id:${two?.headers.ack}`, 'transaction:t']);
  assert.equal(client.frames(), []);
  client.send('COMMIT', ['transaction:t']);
  const after = client.frames().map(({ body, headers }) => `${body} ${headers.redelivered}`);
  assert.equal(after.sort(), ['2 true', '3 undefined']);
});

sending('a transaction’s ACKs follow its messages once those are durable', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/in', 'ack:client', 'prefetch-count:1']);
  for (let i = 1; i <= 2; i++) harness.publish('$queue/in', `${i}`);
  const { headers } = client.frame();
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', ['destination:/topic/out', 'transaction:t'], 'result');
  client.send('ACK', [`id:${headers.ack}`, 'transaction:t']);
  client.channel.receive(Buffer.from('COMMIT\ntransaction:t\n\n\0'), harness.clock.now());
  assert.equal(client.frames(), [], 'logged, though no one asked for a receipt');
  harness.clock.settle();
  assert.equal(client.bodies(), ['2']);
});

sending('whole or not at all: a COMMIT whose message was settled otherwise does nothing', () => {
  for (const how of ['ACK', 'UNSUBSCRIBE'] as const) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/in', 'ack:client']);
    client.send('SUBSCRIBE', ['id:2', 'destination:/topic/out']);
    harness.publish('$queue/in', 'x');
    const { headers } = client.frame();
    client.send('BEGIN', ['transaction:t']);
    client.send('SEND', ['destination:/topic/out', 'transaction:t'], 'result');
    client.send('ACK', [`id:${headers.ack}`, 'transaction:t']);
    client.send(how, how === 'ACK' ? [`id:${headers.ack}`] : ['id:1']);
    client.send('COMMIT', ['transaction:t', 'receipt:r']);
    expectError(client, 'Nothing of the transaction was done', 'r');
    assert.is(harness.counters.received, 1);
  }
});

sending('whole or not at all: what the store refuses of a transaction leaves its ACKs undone', () => {
  const harness = Harness.open({ queueMessages: 1 });
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/in', 'ack:client']);
  harness.publish('$queue/in', 'x');
  const { headers } = client.frame();
  harness.publish('$queue/out', 'already full');
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', ['destination:/queue/out', 'transaction:t'], 'result');
  client.send('ACK', [`id:${headers.ack}`, 'transaction:t']);
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  expectError(client, 'full', 'r');
  const next = harness.connect();
  next.send('SUBSCRIBE', ['id:1', 'destination:/queue/in']);
  assert.is(next.frame().headers.redelivered, 'true');
});

sending('the receipt of a COMMIT comes after the last of its messages', () => {
  const harness = Harness.open({ queueMessages: 1 });
  const client = harness.connect();
  client.send('BEGIN', ['transaction:t']);
  for (let i = 0; i < 2; i++) client.send('SEND', ['destination:/queue/out', 'transaction:t'], 'x');
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  assert.equal(
    client.frames().map(({ command }) => command),
    ['ERROR'],
  );
});

sending('what becomes durable after the end of its connection is told to no one', () => {
  for (const end of ['drop', 'error'] as const) {
    const harness = Harness.open();
    const client = harness.connect();
    client.channel.receive(Buffer.from('SEND\ndestination:/topic/a\nreceipt:r\n\nx\0'), harness.clock.now());
    if (end === 'drop') client.channel.closed();
    else client.channel.receive(Buffer.from('bad'), harness.clock.now());
    harness.clock.settle();
    assert.equal(receipts(client), []);
    assert.is(harness.counters.received, 1);
  }
});

sending('transactions: settling what is settled is an ERROR at once', () => {
  for (const how of ['ACK', 'UNSUBSCRIBE'] as const) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/in', 'ack:client']);
    harness.publish('$queue/in', 'x');
    const { headers } = client.frame();
    client.send(how, how === 'ACK' ? [`id:${headers.ack}`] : ['id:1']);
    client.send('BEGIN', ['transaction:t']);
    client.send('ACK', [`id:${headers.ack}`, 'transaction:t']);
    expectError(client, 'settled otherwise');
  }
});

sending('transactions: unknown, nested, unnamed', () => {
  const rows: readonly (readonly [frames: readonly (readonly [string, string])[], text: string])[] = [
    [[['COMMIT', 'transaction:t']], 'no transaction'],
    [[['ABORT', 'transaction:t']], 'no transaction'],
    [[['SEND', 'destination:/topic/a\ntransaction:t']], 'no transaction'],
    [
      [
        ['BEGIN', 'transaction:t'],
        ['BEGIN', 'transaction:t'],
      ],
      'has begun already',
    ],
    [
      [
        ['BEGIN', 'transaction:t'],
        ['COMMIT', 'transaction:t'],
        ['COMMIT', 'transaction:t'],
      ],
      'no transaction',
    ],
    [[['BEGIN', 'x:y']], 'header transaction'],
    [[['COMMIT', 'x:y']], 'header transaction'],
    [[['ABORT', 'x:y']], 'header transaction'],
  ];
  for (const [frames, text] of rows) {
    const client = Harness.open().connect();
    for (const [command, lines] of frames) client.send(command, [lines]);
    expectError(client, text);
  }
});

sending('limits: transactions of a connection, frames and bytes in one', () => {
  const many = Harness.open().connect();
  for (let i = 0; i < 3; i++) many.send('BEGIN', [`transaction:${i}`]);
  expectError(many, 'limits.transactions');
  const long = Harness.open().connect();
  long.send('BEGIN', ['transaction:t']);
  for (let i = 0; i < 5; i++) long.send('SEND', ['destination:/topic/a', 'transaction:t']);
  expectError(long, 'limits.transactionActions');
  const big = Harness.open().connect();
  big.send('BEGIN', ['transaction:t']);
  big.send('SEND', ['destination:/topic/a', 'transaction:t'], 'x'.repeat(1000));
  expectError(big, 'limits.transactionBytes');
});

sending.run();
