import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL, consuming, naming, receipts, refused, rest } from '../stomp/support/clauses.ts';
import { Harness } from '../stomp/support/harness.ts';

const test = suite('STOMP 1.2 UNSUBSCRIBE');

for (const version of ALL) {
  test(`STOMP ${version}, UNSUBSCRIBE: no more messages come from it, and others go on`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    for (const id of [1, 2]) client.send('SUBSCRIBE', [`id:${id}`, 'destination:/topic/a']);
    client.send('SUBSCRIBE', ['id:3', 'destination:/queue/a']);
    await client.turn();
    client.send('UNSUBSCRIBE', ['id:1']);
    client.send('UNSUBSCRIBE', ['id:3', 'receipt:r']);
    assert.equal(
      (await client.later()).map(({ headers }) => headers['receipt-id']),
      ['r'],
    );
    harness.publish('a', 'live');
    harness.publish('a', 'logged', undefined, 1);
    harness.publish('$queue/a', 'queued', undefined, 1);
    assert.equal(
      (await client.later()).map(({ headers, body }) => `${headers.subscription} ${body}`),
      ['2 live', '2 logged'],
    );
  });

  test(`STOMP ${version}, UNSUBSCRIBE: the id MUST be that of a subscription there is`, () => {
    const harness = Harness.open();
    const other = harness.connect(version);
    other.send('SUBSCRIBE', ['id:2', 'destination:/topic/a']);
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    client.send('UNSUBSCRIBE', ['id:2', 'receipt:r']);
    refused(client, 'r', 'UNSUBSCRIBE: there is no such subscription', 'id of a SUBSCRIBE on this connection');
    const twice = harness.connect(version);
    twice.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    twice.send('UNSUBSCRIBE', ['id:1']);
    twice.send('UNSUBSCRIBE', ['id:1', 'receipt:r']);
    refused(twice, 'r', 'no such subscription');
  });

  // Where the specification says nothing: a message that nobody will acknowledge any more is nobody's.
  for (const mode of ['client', 'client-individual']) {
    test(`STOMP ${version}, UNSUBSCRIBE: in mode ${mode}, what is unacknowledged goes to others at once`, async () => {
      const { harness, client, messages } = await consuming(version, [`ack:${mode}`], '1', '2', '3');
      client.send('ACK', naming(version, messages[0]));
      client.send('UNSUBSCRIBE', ['id:1', 'receipt:r']);
      await client.turn();
      assert.equal(receipts(client), ['r']);
      assert.equal(await rest(harness), ['2*', '3*']);
    });

    test(`STOMP ${version}, UNSUBSCRIBE: an ACK or NACK that crosses it is no ERROR, and changes nothing`, async () => {
      // RabbitMQ had it otherwise until b39c83c363.
      const { harness, client, messages } = await consuming(version, [`ack:${mode}`], '1', '2', '3');
      client.send('UNSUBSCRIBE', ['id:1']);
      client.send('ACK', [...naming(version, messages[1]), 'receipt:ack']);
      client.send('NACK', [...naming(version, messages[2]), 'receipt:nack']);
      await client.turn();
      assert.equal(receipts(client), ['ack', 'nack']);
      assert.not(client.closed);
      assert.equal(await rest(harness), ['1*', '2*', '3*']);
    });
  }
}

for (const version of ['1.1', '1.2'] as const) {
  test(`STOMP ${version}, UNSUBSCRIBE: an id MUST be included, a destination does not do`, () => {
    for (const lines of [[], ['destination:/topic/a']]) {
      const client = Harness.open().connect(version);
      client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
      client.send('UNSUBSCRIBE', [...lines, 'receipt:r']);
      refused(client, 'r', 'UNSUBSCRIBE without the header id', 'which subscription is meant');
    }
  });
}

test('UNSUBSCRIBE makes room for another subscription with start (limits.replays)', async () => {
  const client = Harness.open({ replays: 1 }).connect();
  for (const id of ['1', '2', '3']) {
    client.send('SUBSCRIBE', [`id:${id}`, 'destination:/topic/a', 'start:first']);
    await client.turn();
    if (id !== '3') client.send('UNSUBSCRIBE', [`id:${id}`]);
  }
  assert.not(client.closed);
  client.send('SUBSCRIBE', ['id:4', 'destination:/topic/a', 'start:first', 'receipt:r']);
  refused(client, 'r', 'limits.replays');
});

test.run();
