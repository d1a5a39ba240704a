import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { consuming } from '../stomp/support/clauses.ts';
import { bodiesOf } from '../stomp/support/frames.ts';

/** What ACK and NACK of 1.1 have of their own; the rest is in `../stomp12/ack` and `../stomp12/nack`. */

const test = suite('STOMP 1.1 ACK');

// The specification wants it to match. Clients written for RabbitMQ leave it out or mix it up, and a message-id is unique here.
test('STOMP 1.1, ACK, NACK: the header subscription need not be there, nor be right', async () => {
  for (const command of ['ACK', 'NACK']) {
    for (const lines of [[], ['subscription:1'], ['subscription:other'], ['subscription:']]) {
      const { client, messages } = await consuming('1.1', ['ack:client', 'prefetch:1'], '1', '2');
      const id = messages[0]?.headers['message-id'] ?? '';
      client.send(command, [`message-id:${id}`, ...lines]);
      assert.equal(bodiesOf(await client.later()), [command === 'ACK' ? '2' : '1'], `${command} ${lines}`);
    }
  }
});

test('STOMP 1.1, ACK: the header ack of 1.2 is not there, and id means nothing', async () => {
  const { client, messages } = await consuming('1.1', ['ack:client', 'prefetch:1'], '1', '2');
  const { headers } = messages[0] ?? {};
  assert.is(headers?.ack, undefined);
  client.send('ACK', [`message-id:${headers?.['message-id']}`, 'subscription:1', 'id:1']);
  assert.equal(bodiesOf(await client.later()), ['2']);
});

test.run();
