import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { consuming, naming, receipts, refused, rest } from '../stomp/support/clauses.ts';
import { bodiesOf } from '../stomp/support/frames.ts';
import { Harness, type TestClient } from '../stomp/support/harness.ts';

/**
 * BEGIN: "any messages sent or acknowledged during a transaction will be handled atomically". What of it a store can do is in
 * `../embedded/together` and `fault/transactions-killed`; here is what is seen to before it.
 */

const test = suite('STOMP 1.2 transactions whole or not at all');

/** As on a store that takes each thing by itself, such as JetStream. */
function apart(harness: Harness): void {
  Object.defineProperty(harness.backbone, 'together', { value: undefined });
}

/** Without what follows from it at the end of the turn: nothing is durable yet. */
function hand(harness: Harness, client: TestClient, text: string): void {
  client.channel.receive(Buffer.from(text), harness.clock.now());
}

/** Frames of a transaction that answers the message. */
async function answering(...destinations: readonly string[]): Promise<{
  readonly harness: Harness;
  readonly client: TestClient;
  readonly ack: string;
}> {
  const { harness, client, messages } = await consuming('1.2', ['ack:client'], 'question');
  client.send('BEGIN', ['transaction:t']);
  const [ack = ''] = naming('1.2', messages[0]);
  for (const destination of destinations) {
    client.send('SEND', [`destination:${destination}`, 'transaction:t'], 'answer');
  }
  client.send('ACK', [ack, 'transaction:t']);
  return { harness, client, ack };
}

test('STOMP 1.2, COMMIT: what was settled otherwise cannot be settled by it: nothing is done', async () => {
  for (const how of ['ACK', 'NACK', 'UNSUBSCRIBE']) {
    const { harness, client, ack } = await answering('/topic/out', '/queue/out');
    client.send(how, how === 'UNSUBSCRIBE' ? ['id:1'] : [ack]);
    client.send('COMMIT', ['transaction:t', 'receipt:r']);
    await client.turn();
    refused(client, 'r', 'was settled otherwise', 'Nothing of the transaction was done');
    assert.is(harness.counters.received, 1);
    assert.equal(await rest(harness, 'out'), []);
    assert.equal(await rest(harness), how === 'ACK' ? [] : ['question*']);
  }
});

test('STOMP 1.2, ACK, NACK: of what is settled, in a transaction, is an ERROR at once', async () => {
  for (const how of ['ACK', 'UNSUBSCRIBE']) {
    for (const command of ['ACK', 'NACK']) {
      const { client, messages } = await consuming('1.2', ['ack:client'], 'x');
      client.send(how, how === 'ACK' ? naming('1.2', messages[0]) : ['id:1']);
      client.send('BEGIN', ['transaction:t']);
      client.send(command, [...naming('1.2', messages[0]), 'transaction:t', 'receipt:r']);
      refused(client, 'r', `${command}: a message of the transaction was settled otherwise`);
    }
  }
});

test('STOMP 1.2, COMMIT: what is settled in two ways by one transaction is an ERROR, and nothing is done; in one way it is not', async () => {
  for (const mode of ['client', 'client-individual']) {
    for (const second of ['NACK', 'ACK']) {
      const { harness, client, messages } = await consuming('1.2', [`ack:${mode}`], 'x');
      const lines = [...naming('1.2', messages[0]), 'transaction:t'];
      client.send('BEGIN', ['transaction:t']);
      client.send('SEND', ['destination:/queue/out', 'transaction:t'], 'answer');
      client.send('ACK', lines);
      client.send(second, lines);
      client.send('COMMIT', ['transaction:t', 'receipt:r']);
      const frames = await client.later();
      if (second === 'ACK') assert.is(frames[0]?.headers['receipt-id'], 'r');
      else {
        assert.equal([frames[0]?.command, frames[0]?.headers.message], ['ERROR', 'Message not found']);
        assert.match(String(frames[0]?.body), /settled in two ways\.\nNothing of the transaction was done/);
      }
      client.drop();
      assert.equal(await rest(harness, 'out'), second === 'ACK' ? ['answer'] : []);
      assert.equal(await rest(harness), second === 'ACK' ? [] : ['x*']);
    }
  }
});

test('STOMP 1.2, COMMIT: what the queue took back after a time-out is not its own any more', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client', 'queue-ack-milliseconds:1000']);
  await client.turn();
  for (const body of ['1', '2']) harness.publish('$queue/a', body, undefined, 1);
  const messages = await client.later();
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', ['destination:/queue/out', 'transaction:t'], 'x');
  client.send('ACK', [...naming('1.2', messages[1]), 'transaction:t']);
  harness.clock.advance(1500);
  await client.turn();
  client.frames();
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  await client.turn();
  refused(client, 'r', 'was settled otherwise');
  assert.equal(await rest(harness, 'out'), []);
});

test('STOMP 1.2, COMMIT: in mode client-individual, what was taken back of other messages is not in its way', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  const mode = ['ack:client-individual', 'queue-ack-milliseconds:1000'];
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', ...mode]);
  await client.turn();
  harness.publish('$queue/a', '1', undefined, 1);
  await client.turn();
  harness.clock.advance(700);
  harness.publish('$queue/a', '2', undefined, 1);
  const messages = await client.later();
  client.send('BEGIN', ['transaction:t']);
  client.send('ACK', [...naming('1.2', messages[1]), 'transaction:t']);
  harness.clock.advance(700);
  assert.equal(bodiesOf(await client.later()), ['1'], 'it timed out, and comes again');
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  await client.turn();
  assert.equal(receipts(client), ['r']);
  client.drop();
  assert.equal(await rest(harness), ['1*']);
});

test('STOMP 1.2, COMMIT: a queue that has no room gets nothing, nor does any other', async () => {
  const { harness, client } = await answering('/queue/other', '/topic/b', '/queue/out');
  await harness.services.queues.declare('out', { maxMessages: 1, overflow: 'refuse' });
  harness.publish('$queue/out', 'there', undefined, 1);
  await client.turn();
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  await client.turn();
  refused(client, 'r', /"out" is full: 1 messages/);
  assert.equal(await rest(harness, 'other'), []);
  assert.equal(await rest(harness), ['question*'], 'and what it acknowledged is not');
  assert.is(harness.backbone.log.next(0), 1);
});

test('STOMP 1.2, COMMIT: room is counted for all messages of a queue together, by number and by bytes', async () => {
  for (const settings of [{ maxMessages: 2 }, { maxBytes: 11 }]) {
    const harness = Harness.open();
    await harness.services.queues.declare('out', { ...settings, overflow: 'refuse' });
    for (const count of [2, 3]) {
      const client = harness.connect();
      client.send('BEGIN', ['transaction:t']);
      for (let i = 0; i < count; i++) client.send('SEND', ['destination:/queue/out', 'transaction:t'], 'x'.repeat(5));
      client.send('COMMIT', ['transaction:t', 'receipt:r']);
      await client.turn();
      if (count === 2) assert.equal(receipts(client), ['r']);
      else refused(client, 'r', /queue "out" is full: .* 3 more|queue "out" is full: .* 15 more/);
      assert.is((await rest(harness, 'out')).length, count === 2 ? 2 : 0);
    }
  }
});

test('STOMP 1.2, COMMIT: a queue that cannot be made, or one that is bound and full, refuses all', async () => {
  const { harness, client } = await answering('/topic/b', '/queue/b', '/queue/c');
  for (const name of ['d', 'e']) await harness.services.queues.declare(name, {});
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  await client.turn();
  refused(client, 'r', 'limits.queues');
  assert.is(harness.backbone.log.next(0), 1);

  const bound = await answering('/queue/out', '/topic/x.y');
  await bound.harness.services.queues.declare('bound', { bindings: ['x/#'], maxMessages: 1, overflow: 'refuse' });
  bound.harness.publish('x/z', 'there', undefined, 1);
  await bound.client.turn();
  bound.client.send('COMMIT', ['transaction:t', 'receipt:r']);
  await bound.client.turn();
  refused(bound.client, 'r', '"bound" is full');
  assert.equal(await rest(bound.harness, 'out'), []);
  assert.equal(await rest(bound.harness), ['question*']);
});

test('STOMP 1.2, COMMIT: what is live stays so, unless something of the transaction is logged', async () => {
  for (const [lines, commit, logged] of [
    [[], [], false],
    [['persistent:true'], [], true],
    [[], ['receipt:r'], true],
  ] as const) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/#']);
    client.send('BEGIN', ['transaction:t']);
    client.send('SEND', ['destination:/topic/a', 'transaction:t'], '1');
    client.send('SEND', ['destination:/topic/b', 'transaction:t', ...lines], '2');
    client.send('COMMIT', ['transaction:t', ...commit]);
    const messages = client.frames().filter(({ command }) => command === 'MESSAGE');
    assert.equal(
      messages.map(({ headers }) => headers.persistent),
      Array(2).fill(logged ? 'true' : undefined),
    );
  }
});

for (const store of ['together', 'apart'] as const) {
  test(`STOMP 1.2, COMMIT, ${store}: its ACKs are not undone by frames right behind it`, async () => {
    for (const behind of ['UNSUBSCRIBE\nid:1\n\n\0', 'DISCONNECT\nreceipt:bye\n\n\0', 'NACK\nID\n\n\0']) {
      const { harness, client, ack } = await answering('/topic/out');
      if (store === 'apart') apart(harness);
      hand(harness, client, `COMMIT\ntransaction:t\n\n\0${behind.replace('ID', ack)}`);
      await harness.turn();
      assert.is(client.connection.pauses, 0);
      assert.is(harness.backbone.log.next(0), 2);
      client.drop();
      assert.equal(await rest(harness), [], behind);
    }
  });

  test(`STOMP 1.2, COMMIT, ${store}: the connection goes right behind it: it is whole all the same`, async () => {
    for (const destination of ['/topic/out', '/queue/new']) {
      const { harness, client } = await answering(destination);
      if (store === 'apart') apart(harness);
      hand(harness, client, 'COMMIT\ntransaction:t\n\n\0');
      client.channel.closed();
      await harness.turn();
      if (destination === '/topic/out') assert.is(harness.backbone.log.next(0), 2);
      else assert.equal(await rest(harness, 'new'), ['answer']);
      assert.equal(await rest(harness), []);
    }
  });

  test(`STOMP 1.2, COMMIT, ${store}: frames behind it have their effect behind it, in order`, async () => {
    const { harness, client } = await answering('/queue/new', '/topic/out');
    if (store === 'apart') apart(harness);
    const reader = harness.connect();
    reader.send('SUBSCRIBE', ['id:1', 'destination:/topic/out']);
    const next = [
      'BEGIN\ntransaction:u',
      'SEND\ndestination:/topic/out\ntransaction:u\n\nsecond',
      'COMMIT\ntransaction:u',
    ];
    const last = 'SEND\ndestination:/topic/out\nreceipt:last\n\nthird\0';
    hand(
      harness,
      client,
      `COMMIT\ntransaction:t\nreceipt:first\n\n\0${next.map((each) => (each.includes('\n\n') ? `${each}\0` : `${each}\n\n\0`)).join('')}${last}`,
    );
    await harness.turn();
    assert.equal(bodiesOf(reader.frames()), ['answer', 'second', 'third']);
    assert.equal(receipts(client).sort(), ['first', 'last']);
    assert.is(client.connection.pauses, 0);
  });
}

for (const outcome of ['durable', 'refused'] as const) {
  test(`STOMP 1.2, COMMIT, apart: its ACKs wait for what becomes of its messages: ${outcome}`, async () => {
    for (const gone of [false, true]) {
      const { harness, client } = await answering('/topic/out');
      apart(harness);
      let end: () => void = () => {};
      harness.backbone.log.append = (message, receiver, token) => {
        const error = new BrokerError('quota', 'the disk is full');
        end = () => (outcome === 'durable' ? receiver.appended(token, message) : receiver.refused(token, error));
      };
      client.send('COMMIT', ['transaction:t', 'receipt:r']);
      if (gone) client.drop();
      assert.equal(await rest(harness), [], 'nobody else gets what it acknowledges');
      if (gone) {
        harness.publish('$queue/a', 'late', undefined, 1);
        assert.equal(await rest(harness), ['late'], 'and it gets no more');
      }
      assert.equal(client.frames(), []);
      end();
      await client.turn();
      if (gone) assert.equal(client.frames(), []);
      else if (outcome === 'durable') assert.equal(receipts(client), ['r']);
      else refused(client, 'r', 'the disk is full');
      client.channel.closed();
      assert.equal(await rest(harness), outcome === 'durable' ? [] : ['question*']);
    }
  });
}

test('STOMP 1.2, COMMIT: the connection goes before it could begin: it is aborted', async () => {
  const { harness, client } = await answering('/topic/out');
  Object.defineProperty(harness.services.queues, 'declare', { value: () => new Promise(() => {}) });
  client.send('SEND', ['destination:/queue/slow', 'queue-max-messages:5'], 'waits until there is such a queue');
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  assert.equal(await client.later(), []);
  client.drop();
  await harness.turn();
  assert.is(harness.backbone.log.next(0), 1);
  assert.equal(await rest(harness), ['question*'], 'others get what it would have acknowledged');
});

test('STOMP 1.2, COMMIT: one that is refused undoes nothing of the one before', async () => {
  const harness = Harness.open();
  const subscribe = ['id:1', 'destination:/topic/a', 'ack:client-individual', 'activemq.subscriptionName:s'];
  const client = harness.connect('1.2', 'tcp', ['client-id:c']);
  client.send('SUBSCRIBE', subscribe);
  await client.turn();
  for (const body of ['1', '2']) harness.publish('a', body, undefined, 1);
  const [ack = ''] = naming('1.2', (await client.later())[0]);
  for (const transaction of ['transaction:t', 'transaction:u']) {
    client.send('BEGIN', [transaction]);
    client.send('ACK', [ack, transaction]);
  }
  hand(harness, client, 'COMMIT\ntransaction:t\n\n\0COMMIT\ntransaction:u\nreceipt:r\n\n\0');
  await client.turn();
  refused(client, 'r', 'was settled otherwise');
  const again = harness.connect('1.2', 'tcp', ['client-id:c']);
  again.send('SUBSCRIBE', subscribe);
  assert.equal(bodiesOf(await again.later()), ['2']);
});

test('STOMP 1.2, COMMIT: the receipt comes when all of it is durable, what it settled too', async () => {
  const { harness, client } = await answering('/topic/out');
  await client.turn();
  hand(harness, client, 'COMMIT\ntransaction:t\nreceipt:r\n\n\0');
  assert.equal(client.frames(), [], 'nothing is yet');
  await client.turn();
  assert.equal(receipts(client), ['r']);
});

test.run();
