import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { bodiesOf } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

const transactions = suite('STOMP transactions');

/** Headers of the one message that came. */
async function ofMessage(client: TestClient): Promise<Record<string, string>> {
  await client.turn();
  return client.frame().headers;
}

function receipts(client: TestClient): (string | undefined)[] {
  return client.frames().flatMap(({ command, headers }) => (command === 'RECEIPT' ? [headers['receipt-id']] : []));
}

transactions('1.2, BEGIN … COMMIT: nothing happens before, everything after, in order', () => {
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

transactions('the bodies of a transaction are its own: they outlive the chunk they came in', () => {
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

transactions('1.2, ABORT: nothing of it happens', () => {
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

transactions('1.2, BEGIN: a transaction is aborted when its connection goes', () => {
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

transactions('1.2, transactions: ACK and NACK wait for the COMMIT, and are undone by ABORT', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client-individual', 'prefetch-count:2']);
  for (let i = 1; i <= 3; i++) harness.publish('$queue/a', `${i}`);
  const [one, two] = await client.later();
  client.send('BEGIN', ['transaction:t']);
  client.send('ACK', [`id:${one?.headers.ack}`, 'transaction:t']);
  client.send('ABORT', ['transaction:t']);
  assert.equal(await client.later(), [], 'still unacknowledged');
  client.send('BEGIN', ['transaction:t']);
  client.send('ACK', [`id:${one?.headers.ack}`, 'transaction:t']);
  client.send('NACK', [`id:${two?.headers.ack}`, 'transaction:t']);
  assert.equal(client.frames(), []);
  client.send('COMMIT', ['transaction:t']);
  const after = (await client.later()).map(({ body, headers }) => `${body} ${headers.redelivered}`);
  assert.equal(after.sort(), ['2 true', '3 undefined']);
});

transactions('a transaction’s ACKs follow its messages once those are durable', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/in', 'ack:client', 'prefetch-count:1']);
  for (let i = 1; i <= 2; i++) harness.publish('$queue/in', `${i}`);
  const headers = await ofMessage(client);
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', ['destination:/topic/out', 'transaction:t'], 'result');
  client.send('ACK', [`id:${headers.ack}`, 'transaction:t']);
  client.channel.receive(Buffer.from('COMMIT\ntransaction:t\n\n\0'), harness.clock.now());
  assert.equal(client.frames(), [], 'logged, though no one asked for a receipt');
  assert.equal(bodiesOf(await client.later()), ['2']);
});

transactions('whole or not at all: a COMMIT whose message was settled otherwise does nothing', async () => {
  for (const how of ['ACK', 'UNSUBSCRIBE'] as const) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/in', 'ack:client']);
    client.send('SUBSCRIBE', ['id:2', 'destination:/topic/out']);
    harness.publish('$queue/in', 'x');
    const headers = await ofMessage(client);
    client.send('BEGIN', ['transaction:t']);
    client.send('SEND', ['destination:/topic/out', 'transaction:t'], 'result');
    client.send('ACK', [`id:${headers.ack}`, 'transaction:t']);
    client.send(how, how === 'ACK' ? [`id:${headers.ack}`] : ['id:1']);
    client.send('COMMIT', ['transaction:t', 'receipt:r']);
    expectError(client, 'Nothing of the transaction was done', 'r');
    assert.is(harness.counters.received, 1);
  }
});

transactions('whole or not at all: what the store refuses of a transaction leaves its ACKs undone', async () => {
  const harness = Harness.open({ queueMessages: 1 });
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/in', 'ack:client']);
  harness.publish('$queue/in', 'x');
  const headers = await ofMessage(client);
  harness.publish('$queue/out', 'already full');
  await harness.turn();
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', ['destination:/queue/out', 'transaction:t'], 'result');
  client.send('ACK', [`id:${headers.ack}`, 'transaction:t']);
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  await harness.turn();
  expectError(client, 'full', 'r');
  const next = harness.connect();
  next.send('SUBSCRIBE', ['id:1', 'destination:/queue/in']);
  assert.is((await ofMessage(next)).redelivered, 'true');
});

transactions('the receipt of a COMMIT comes after the last of its messages', async () => {
  const harness = Harness.open({ queueMessages: 1 });
  const client = harness.connect();
  client.send('BEGIN', ['transaction:t']);
  for (let i = 0; i < 2; i++) client.send('SEND', ['destination:/queue/out', 'transaction:t'], 'x');
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  assert.equal(
    (await client.later()).map(({ command }) => command),
    ['ERROR'],
  );
});

transactions('what becomes durable after the end of its connection is told to no one', () => {
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

transactions('transactions: settling what is settled is an ERROR at once', async () => {
  for (const how of ['ACK', 'UNSUBSCRIBE'] as const) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/in', 'ack:client']);
    harness.publish('$queue/in', 'x');
    const headers = await ofMessage(client);
    client.send(how, how === 'ACK' ? [`id:${headers.ack}`] : ['id:1']);
    client.send('BEGIN', ['transaction:t']);
    client.send('ACK', [`id:${headers.ack}`, 'transaction:t']);
    expectError(client, 'settled otherwise');
  }
});

transactions('transactions: unknown, nested, unnamed', () => {
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

transactions.run();
