import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { receipts } from './support/clauses.ts';
import { FakeQueues } from './support/fake-queues.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** `stomp.heldReceiptMilliseconds`: for clients that send no COMMIT before they have the receipts of the transaction's frames. */

const test = suite('STOMP receipts of what a transaction holds');

function begun(heldReceiptMilliseconds: number): { harness: Harness; client: TestClient } {
  const harness = Harness.open({}, {}, {}, { heldReceiptMilliseconds });
  const client = harness.connect();
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', ['destination:/topic/a', 'transaction:t', 'receipt:1']);
  client.send('SEND', ['destination:/topic/a', 'transaction:t', 'receipt:2']);
  return { harness, client };
}

test('who is silent so long is given them, once; line ends are silence', async () => {
  const { harness, client } = begun(3_000);
  harness.clock.advance(2_999);
  client.write('\n');
  assert.equal(receipts(client), []);
  harness.clock.advance(1);
  assert.equal(receipts(client), ['1', '2']);
  harness.clock.advance(10_000);
  assert.equal(receipts(client), []);
  client.send('COMMIT', ['transaction:t', 'receipt:3']);
  await client.turn();
  assert.equal(receipts(client), ['3']);
});

test('who goes on sending frames is not silent', () => {
  const { harness, client } = begun(3_000);
  for (let i = 0; i < 5; i++) {
    harness.clock.advance(2_000);
    client.send('SEND', ['destination:/topic/b']);
  }
  assert.equal(receipts(client), []);
});

test('who leaves is not given them, however long the farewell takes', async () => {
  const queues = new FakeQueues();
  const harness = Harness.open({}, {}, { queues }, { heldReceiptMilliseconds: 3_000 });
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
  queues.last.open();
  queues.last.give('$queue/a', 'x');
  const [message] = await client.later();
  client.send('ACK', [`id:${message?.headers.ack}`]);
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', ['destination:/topic/a', 'transaction:t', 'receipt:1']);
  client.send('DISCONNECT', ['receipt:bye']);
  harness.clock.advance(10_000);
  assert.equal(receipts(client), []);
  queues.last.keep();
  await client.turn();
  assert.equal(receipts(client), ['bye']);
});

test('0: never', () => {
  const { harness, client } = begun(0);
  harness.clock.advance(3_600_000);
  assert.equal(receipts(client), []);
});

test.run();
