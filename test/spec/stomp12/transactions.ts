import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL, consuming, naming, receipts, refused, rest } from '../stomp/support/clauses.ts';
import { Harness } from '../stomp/support/harness.ts';

/** BEGIN, COMMIT, ABORT. That a transaction is applied whole or not at all is in `transactions-whole`. */

const test = suite('STOMP 1.2 transactions');

for (const version of ALL) {
  test(`STOMP ${version}, BEGIN, COMMIT, ABORT: the header transaction is REQUIRED`, () => {
    for (const command of ['BEGIN', 'COMMIT', 'ABORT']) {
      const client = Harness.open().connect(version);
      client.send('BEGIN', ['transaction:t']);
      client.send(command, ['receipt:r', 'Transaction:t']);
      refused(client, 'r', `${command} without the header transaction`, 'It names the transaction');
    }
  });

  test(`STOMP ${version}, COMMIT, ABORT, SEND, ACK, NACK: a transaction that has not begun is an ERROR`, async () => {
    for (const ended of [undefined, 'COMMIT', 'ABORT']) {
      for (const command of ['COMMIT', 'ABORT', 'SEND', 'ACK', 'NACK']) {
        const { harness, client, messages } = await consuming(version, ['ack:client'], 'x');
        // Another connection's is another one.
        harness.connect(version).send('BEGIN', ['transaction:t']);
        if (ended !== undefined) for (const each of ['BEGIN', ended]) client.send(each, ['transaction:t']);
        const settles = command === 'ACK' || command === 'NACK';
        const lines = settles ? naming(version, messages[0]) : ['destination:/topic/a'];
        client.send(command, [...lines, 'transaction:t', 'receipt:r']);
        refused(client, 'r', 'there is no transaction "t"', 'BEGIN it first, on this connection');
        assert.equal(await rest(harness), ['x*'], `${command} after ${ended}`);
      }
    }
  });

  test(`STOMP ${version}, BEGIN: one that has begun is an ERROR, and is aborted`, () => {
    const harness = Harness.open();
    const reader = harness.connect();
    reader.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    const client = harness.connect(version);
    client.send('BEGIN', ['transaction:t']);
    client.send('SEND', ['destination:/topic/a', 'transaction:t'], 'x');
    client.send('BEGIN', ['transaction:t', 'receipt:r']);
    refused(client, 'r', 'the transaction "t" has begun already', 'COMMIT or ABORT it, or choose another name');
    assert.equal(reader.frames(), []);
  });

  test(`STOMP ${version}, BEGIN: several at once, told apart by their names, which are free again afterwards`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    for (const id of ['t', 'u']) client.send('BEGIN', [`transaction:${id}`]);
    for (const id of ['t', 'u', 't']) client.send('SEND', ['destination:/topic/a', `transaction:${id}`], id);
    client.send('COMMIT', ['transaction:u']);
    assert.equal(client.bodies(), ['u']);
    client.send('BEGIN', ['transaction:u']);
    client.send('COMMIT', ['transaction:t']);
    assert.equal(client.bodies(), ['t', 't']);
    client.send('ABORT', ['transaction:u', 'receipt:r']);
    assert.equal(receipts(client), ['r']);
  });

  test(`STOMP ${version}, COMMIT: nothing happens before it, everything with it, in order`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
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

  test(`STOMP ${version}, COMMIT: of nothing is one, too`, () => {
    const client = Harness.open().connect(version);
    for (const lines of [[], ['receipt:r']]) {
      client.send('BEGIN', ['transaction:t']);
      client.send('COMMIT', ['transaction:t', ...lines]);
    }
    assert.equal(receipts(client), ['r']);
    assert.is(client.connection.pauses, 0);
  });

  test(`STOMP ${version}, COMMIT: ACK and NACK wait for it`, async () => {
    const { client, messages } = await consuming(version, ['ack:client-individual', 'prefetch:2'], ...['1', '2', '3']);
    client.send('BEGIN', ['transaction:t']);
    client.send('ACK', [...naming(version, messages[0]), 'transaction:t']);
    client.send('NACK', [...naming(version, messages[1]), 'transaction:t']);
    assert.equal(await client.later(), []);
    client.send('COMMIT', ['transaction:t', 'receipt:r']);
    const after = (await client.later()).map(
      ({ command, body, headers }) => `${command} ${body} ${headers.redelivered}`,
    );
    assert.equal(after.sort(), ['MESSAGE 2 true', 'MESSAGE 3 false', 'RECEIPT  undefined']);
  });

  test(`STOMP ${version}, COMMIT: the receipts of its frames come with it, when all is durable, in order; with ABORT they do not`, async () => {
    const { client, messages } = await consuming(version, ['ack:client-individual'], '1', '2');
    const fill = async (): Promise<void> => {
      client.send('BEGIN', ['transaction:t']);
      client.send('SEND', ['destination:/topic/a', 'transaction:t', 'receipt:topic']);
      client.send('SEND', ['destination:/queue/b', 'transaction:t', 'receipt:queue']);
      client.send('ACK', [...naming(version, messages[0]), 'transaction:t', 'receipt:ack']);
      client.send('NACK', [...naming(version, messages[1]), 'transaction:t', 'requeue:false', 'receipt:nack']);
      await client.turn();
      assert.equal(receipts(client), []);
    };
    await fill();
    client.send('ABORT', ['transaction:t', 'receipt:abort']);
    await client.turn();
    assert.equal(receipts(client), ['abort']);
    await fill();
    client.send('COMMIT', ['transaction:t', 'receipt:commit']);
    await client.turn();
    assert.equal(receipts(client), ['topic', 'queue', 'ack', 'nack', 'commit']);
  });

  test(`STOMP ${version}, ABORT: nothing of it happens, and what it acknowledged is unacknowledged`, async () => {
    const { harness, client, messages } = await consuming(version, ['ack:client'], '1', '2');
    client.send('SUBSCRIBE', ['id:2', 'destination:/topic/a']);
    client.send('BEGIN', ['transaction:t']);
    client.send('SEND', ['destination:/topic/a', 'transaction:t', 'persistent:true'], 'x');
    client.send('ACK', [...naming(version, messages[1]), 'transaction:t']);
    client.send('ABORT', ['transaction:t', 'receipt:r']);
    assert.equal(
      (await client.later()).map(({ command }) => command),
      ['RECEIPT'],
    );
    client.send('ACK', naming(version, messages[0]));
    client.drop();
    assert.equal(await rest(harness), ['2*']);
  });

  test(`STOMP ${version}, BEGIN: what is not committed is aborted by DISCONNECT, an ERROR, and the end of the connection`, async () => {
    for (const end of ['drop', 'DISCONNECT', 'error'] as const) {
      const { harness, client, messages } = await consuming(version, ['ack:client'], '1', '2');
      const reader = harness.connect();
      reader.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
      client.send('BEGIN', ['transaction:t']);
      client.send('SEND', ['destination:/topic/a', 'transaction:t'], 'x');
      client.send('ACK', [...naming(version, messages[1]), 'transaction:t']);
      if (end === 'drop') client.drop();
      else if (end === 'error') client.write('bad');
      else client.send(end);
      assert.equal(await reader.later(), [], end);
      assert.equal(await rest(harness), ['1*', '2*'], end);
    }
  });
}

test('the bodies of a transaction are its own: they outlive the chunk they came in', () => {
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

test.run();
