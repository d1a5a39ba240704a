import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL, consuming, naming, receipts, refused, rest } from '../stomp/support/clauses.ts';
import { bodiesOf } from '../stomp/support/frames.ts';
import { Harness } from '../stomp/support/harness.ts';

/** ACK; what a transaction makes of it is in `transactions`. */

const test = suite('STOMP 1.2 ACK');

for (const version of ALL) {
  const header = version === '1.2' ? 'id' : 'message-id';

  test(`STOMP ${version}, ACK: the header ${header} is REQUIRED`, async () => {
    for (const command of ['ACK', 'NACK']) {
      const { client } = await consuming(version, ['ack:client'], 'x');
      client.send(command, ['receipt:r', 'subscription:1']);
      refused(client, 'r', `${command} without the header ${header}`, 'of the MESSAGE meant');
    }
  });

  test(`STOMP ${version}, ACK: of what was not delivered on this connection is an ERROR`, async () => {
    const { harness, messages } = await consuming(version, ['ack:client'], 'x');
    const own = messages[0]?.headers['message-id'] ?? '';
    const later = `${own.slice(0, -1)}2`;
    for (const command of ['ACK', 'NACK']) {
      for (const id of ['', '1', 'x'.repeat(200), '0123456789abcdef-1-1', '-1-1', `${own}0`, later, own]) {
        // The last one is another connection's.
        const client = harness.connect(version);
        client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
        client.send(command, [`${header}:${id}`, 'subscription:1', 'receipt:r']);
        refused(
          client,
          'r',
          `${command}: no message with the ${header}`,
          'What was delivered on an earlier connection',
        );
      }
    }
  });

  test(`STOMP ${version}, ACK: until then a message is not consumed, from then on it is`, async () => {
    for (const mode of ['client', 'client-individual']) {
      const { harness, client, messages } = await consuming(version, [`ack:${mode}`], '1', '2');
      client.send('ACK', naming(version, messages[0]));
      client.drop();
      assert.equal(await rest(harness), ['2*'], mode);
    }
  });

  test(`STOMP ${version}, ACK: cumulative in mode client, within its own subscription only`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    for (const queue of ['a', 'b'])
      client.send('SUBSCRIBE', [`id:${queue}`, `destination:/queue/${queue}`, 'ack:client']);
    client.send('SUBSCRIBE', ['id:c', 'destination:/topic/c', 'ack:client']);
    await client.turn();
    for (let i = 1; i <= 7; i++) {
      for (const queue of ['a', 'b']) harness.publish(`$queue/${queue}`, `${queue}${i}`, undefined, 1);
      harness.publish('c', `c${i}`, undefined, 1);
    }
    const frames = await client.later();
    assert.is(frames.length, 9, 'three each: that is the prefetch');
    const second = frames.find(({ body }) => String(body) === 'a2');
    client.send('ACK', [...naming(version, second), 'receipt:r']);
    const after = (await client.later()).map(({ command, body }) => `${command} ${body}`);
    assert.equal(after.sort(), ['MESSAGE a4', 'MESSAGE a5', 'RECEIPT ']);
    client.drop();
    assert.equal(
      [await rest(harness, 'a'), await rest(harness, 'b')],
      [
        ['a3*', 'a4*', 'a5*', 'a6', 'a7'],
        ['b1*', 'b2*', 'b3*', 'b4', 'b5', 'b6', 'b7'],
      ],
    );
  });

  test(`STOMP ${version}, ACK: one subscription to the same queue is not another`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    for (const id of [1, 2]) client.send('SUBSCRIBE', [`id:${id}`, 'destination:/queue/a', 'ack:client', 'prefetch:2']);
    await client.turn();
    for (const body of ['1', '2', '3', '4']) harness.publish('$queue/a', body, undefined, 1);
    const frames = await client.later();
    const ofTwo = frames.filter(({ headers }) => headers.subscription === '2');
    client.send('ACK', naming(version, ofTwo[1]));
    client.drop();
    assert.equal(await rest(harness), ['1*', '3*'], 'those of the first are not acknowledged');
  });

  test(`STOMP ${version}, ACK: again, or after one that was for it too, changes nothing and is no ERROR`, async () => {
    const { harness, client, messages } = await consuming(version, ['ack:client'], '1', '2', '3');
    client.send('ACK', naming(version, messages[1]));
    client.send('ACK', [...naming(version, messages[0]), 'receipt:1']);
    client.send('NACK', [...naming(version, messages[1]), 'receipt:2']);
    await client.turn();
    assert.equal(receipts(client), ['1', '2']);
    client.drop();
    assert.equal(await rest(harness), ['3*']);
  });

  test(`STOMP ${version}, ACK: on a topic it opens the window for the next ones`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client', 'prefetch:2']);
    for (const body of ['1', '2', '3', '4', '5']) harness.publish('a', body, undefined, 1);
    const [, second] = client.frames();
    client.send('ACK', naming(version, second));
    assert.equal(bodiesOf(await client.later()), ['3', '4']);
  });
}

test.run();
