import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL, consuming, naming, rest } from './support/clauses.ts';
import { bodiesOf } from './support/frames.ts';
import { Harness } from './support/harness.ts';

/** What this server does with what is not acknowledged. ACK and NACK by their clauses are in `../stomp12/ack` and `../stomp12/nack`. */

const acknowledgements = suite('STOMP acknowledgements');

for (const version of ALL) {
  acknowledgements(
    `${version}, NACK: back to the queue, with the count of deliveries; requeue:false throws it away`,
    async () => {
      const { harness, client, messages } = await consuming(version, ['ack:client-individual'], 'x');
      const [first] = messages;
      assert.is(first?.headers.redelivered, 'false');
      client.send('NACK', naming(version, first));
      const [second] = await client.later();
      assert.is(second?.headers.redelivered, 'true');
      assert.is(second?.headers['delivery-count'], '2');
      assert.not(second?.headers['message-id'] === first?.headers['message-id']);
      client.send('NACK', [...naming(version, second), 'requeue:false', 'receipt:r']);
      const [receipt, ...others] = await client.later();
      assert.is(receipt?.command, 'RECEIPT');
      assert.equal(others, []);
      assert.equal(await rest(harness), []);
    },
  );
}

acknowledgements('NACK in mode client: the order stays', async () => {
  const { client, messages } = await consuming('1.2', ['ack:client'], '1', '2', '3', '4');
  client.send('NACK', naming('1.2', messages[2]));
  assert.equal(bodiesOf(await client.later()), ['1', '2', '3']);
});

acknowledgements(
  'queues: each message to one consumer; what is unacknowledged goes to another when it leaves',
  async () => {
    for (const leave of ['drop', 'UNSUBSCRIBE', 'DISCONNECT', 'error'] as const) {
      const harness = Harness.open();
      const first = harness.connect();
      const second = harness.connect();
      for (const client of [first, second]) {
        client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
      }
      for (let i = 1; i <= 4; i++) harness.publish('$queue/a', `${i}`, undefined, 1);
      assert.equal(bodiesOf(await first.later()), ['1', '3']);
      const [two] = second.frames();
      if (leave === 'drop') first.drop();
      else if (leave === 'error') first.write('bad');
      else first.send(leave, ['id:1']);
      second.send('ACK', [`id:${two?.headers.ack}`]);
      const redelivered = await second.later();
      assert.equal(
        redelivered.map(({ body, headers }) => `${body} ${headers.redelivered} ${headers.destination}`),
        ['1 true /queue/a', '3 true /queue/a'],
        leave,
      );
    }
  },
);

acknowledgements.run();
