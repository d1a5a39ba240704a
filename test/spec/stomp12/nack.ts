import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL, consuming, naming, rest } from '../stomp/support/clauses.ts';
import { bodiesOf } from '../stomp/support/frames.ts';
import { Harness } from '../stomp/support/harness.ts';

/**
 * NACK, in 1.0 too, as RabbitMQ has it. Its headers and what was not delivered are in `ack`; what the server does with the message
 * is its own affair: `../stomp/acknowledgements`, `../stomp/work-queues`.
 */

const test = suite('STOMP 1.2 NACK');

for (const version of ALL) {
  test(`STOMP ${version}, NACK: the message was not consumed: it goes to a different client, if there is one`, async () => {
    const { harness, client, messages } = await consuming(
      version,
      ['ack:client-individual', 'prefetch:1'],
      '1',
      '2',
      '3',
    );
    assert.equal(bodiesOf(messages), ['1']);
    const other = harness.connect();
    other.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client', 'prefetch:2', 'consumer-priority:1']);
    assert.equal(bodiesOf(await other.later()), ['2', '3']);
    client.send('NACK', [...naming(version, messages[0]), 'receipt:r']);
    await client.turn();
    client.send('UNSUBSCRIBE', ['id:1']);
    other.drop();
    assert.equal((await rest(harness)).sort(), ['1*', '2*', '3*']);
  });

  test(`STOMP ${version}, NACK: in mode client-individual, of that message alone`, async () => {
    const { client, messages } = await consuming(version, ['ack:client-individual'], '1', '2', '3');
    client.send('NACK', naming(version, messages[1]));
    assert.equal(bodiesOf(await client.later()), ['2']);
  });

  test(`STOMP ${version}, NACK: in mode client, of all before it not yet acknowledged, too`, async () => {
    const { client, messages } = await consuming(version, ['ack:client', 'prefetch:4'], '1', '2', '3', '4');
    client.send('ACK', naming(version, messages[0]));
    client.send('NACK', naming(version, messages[2]));
    const again = await client.later();
    assert.equal(
      again.map(({ body, headers }) => `${body} ${headers.redelivered}`),
      ['2 true', '3 true'],
    );
  });

  test(`STOMP ${version}, NACK: within its own subscription only`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    for (const queue of ['a', 'b'])
      client.send('SUBSCRIBE', [`id:${queue}`, `destination:/queue/${queue}`, 'ack:client']);
    await client.turn();
    for (const body of ['1', '2'])
      for (const queue of ['a', 'b']) harness.publish(`$queue/${queue}`, queue + body, undefined, 1);
    const frames = await client.later();
    const last = frames.find(({ body }) => String(body) === 'a2');
    client.send('NACK', naming(version, last));
    assert.equal(bodiesOf(await client.later()), ['a1', 'a2']);
  });

  test(`STOMP ${version}, NACK: on a topic there is no one else: it is done with`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client', 'prefetch:1']);
    for (const body of ['1', '2']) harness.publish('a', body, undefined, 1);
    client.send('NACK', [...naming(version, client.frame()), 'receipt:r']);
    assert.equal(
      client.frames().map(({ command, body }) => `${command} ${body}`),
      ['MESSAGE 2', 'RECEIPT '],
    );
  });
}

test.run();
