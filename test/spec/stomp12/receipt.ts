import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL, consuming, naming, receipts, refused, rest, type VersionName } from '../stomp/support/clauses.ts';
import { FakeQueues } from '../stomp/support/fake-queues.ts';
import { Harness, type TestClient } from '../stomp/support/harness.ts';
import { SlowStore } from '../stomp/support/slow-store.ts';

/** Header receipt, and RECEIPT: when it comes, and what it says. */

const test = suite('STOMP 1.2 RECEIPT');

/** An id as it stands in a frame of the version. */
const IDS: Record<VersionName, string> = { '1.0': 'a:b\\n', '1.1': 'a\\cb\\n\\\\é', '1.2': 'a\\cb\\n\\r\\\\é☕' };

for (const version of ALL) {
  test(`STOMP ${version}, header receipt: on any client frame, each answered once`, async () => {
    const { client, messages } = await consuming(version, ['ack:client', 'receipt:subscribe'], '1', '2');
    const [first, one, two] = messages;
    assert.equal([first?.command, first?.headers['receipt-id']], ['RECEIPT', 'subscribe']);
    const frames: readonly (readonly [command: string, ...lines: string[]])[] = [
      ['SEND', 'destination:/topic/a'],
      ['SEND', 'destination:/queue/b'],
      ['ACK', ...naming(version, one)],
      ['NACK', ...naming(version, two)],
      ['BEGIN', 'transaction:t'],
      ['COMMIT', 'transaction:t'],
      ['BEGIN', 'transaction:u'],
      ['ABORT', 'transaction:u'],
      ['UNSUBSCRIBE', 'id:1'],
      ['DISCONNECT'],
    ];
    for (const [i, [command, ...lines]] of frames.entries()) {
      client.send(command, [...lines, `receipt:${i} ${command}`]);
      await client.turn();
      assert.equal(receipts(client), [`${i} ${command}`]);
    }
    assert.ok(client.closed);
  });

  test(`STOMP ${version}, header receipt: without it nothing is answered`, async () => {
    const { client, messages } = await consuming(version, ['ack:client'], '1');
    client.send('SEND', ['destination:/topic/a', 'persistent:true']);
    client.send('ACK', naming(version, messages[0]));
    client.send('BEGIN', ['transaction:t']);
    client.send('COMMIT', ['transaction:t']);
    client.send('UNSUBSCRIBE', ['id:1']);
    client.send('DISCONNECT');
    assert.equal(await client.later(), []);
    assert.ok(client.closed);
  });

  test(`STOMP ${version}, RECEIPT: receipt-id is the receipt as it was written; there is no body`, () => {
    const client = Harness.open().connect(version);
    for (const id of ['', '0', 'message-12345', 'x'.repeat(200), IDS[version]]) {
      for (const lines of [
        ['SEND', 'destination:/topic/a'],
        ['BEGIN', `transaction:${id}`],
      ] as const) {
        const [command, ...rest] = lines;
        client.send(command, [...rest, `receipt:${id}`]);
        const frame = client.frame();
        assert.equal([frame.command, frame.lines, frame.body.length], ['RECEIPT', [`receipt-id:${id}`], 0]);
        if (command === 'BEGIN') client.send('ABORT', [`transaction:${id}`]);
      }
    }
  });

  test(`STOMP ${version}, ERROR: receipt-id is that of the frame that is wrong, and of no other`, () => {
    const client = Harness.open().connect(version);
    client.send('SEND', ['destination:/topic/a', 'receipt:good']);
    assert.equal(receipts(client), ['good']);
    client.send('BEGIN', ['receipt:bad']);
    refused(client, 'bad', 'BEGIN');
    const other = Harness.open().connect(version);
    other.send('SEND', ['destination:/topic/a', 'receipt:good']);
    other.send('BEGIN');
    refused(other, undefined, 'BEGIN');
  });

  test(`STOMP ${version}, RECEIPT of SEND: strictly after the message is durable`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    // A queue that is there; it takes some turns to make one.
    await harness.services.queues.declare('a', {});
    for (const destination of ['/topic/a', '/queue/a']) {
      client.channel.receive(Buffer.from(`SEND\ndestination:${destination}\nreceipt:r\n\nx\0`), harness.clock.now());
      assert.equal(client.frames(), [], 'the store has not said anything');
      harness.clock.settle();
      assert.equal(receipts(client), ['r']);
    }
  });

  test(`STOMP ${version}, RECEIPT of SEND: with retain, when what is retained is durable, too`, async () => {
    const harness = Harness.open();
    const store = new SlowStore(harness.backbone.state, harness.clock);
    const client = harness.connect(version);
    client.send('SEND', ['destination:/topic/a', 'retain:true', 'receipt:r'], 'x');
    await store.turn();
    assert.equal(receipts(client), []);
    await store.durable();
    assert.equal(receipts(client), ['r']);
  });

  test(`STOMP ${version}, RECEIPT of SUBSCRIBE: a durable one, when that it is there is durable`, async () => {
    const harness = Harness.open();
    const store = new SlowStore(harness.backbone.state, harness.clock);
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'durable:true', 'auto-delete:false', 'receipt:r']);
    await store.turn();
    assert.equal(receipts(client), []);
    // Its owner is written before it.
    for (let i = 0; i < 3; i++) await store.durable();
    assert.equal(receipts(client), ['r']);
  });

  test(`STOMP ${version}, RECEIPT of ACK, NACK, COMMIT, UNSUBSCRIBE, DISCONNECT: when what is settled is durable`, async () => {
    for (const command of ['ACK', 'NACK', 'COMMIT', 'UNSUBSCRIBE', 'DISCONNECT']) {
      const queues = new FakeQueues();
      const client = Harness.open({}, {}, { queues }).connect(version);
      client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
      queues.last.open();
      queues.last.give('$queue/a', 'x');
      const [message] = await client.later();
      settle(client, command, naming(version, message));
      assert.equal(receiptsOf(await client.later()), [], `${command}: not yet`);
      queues.last.keep();
      assert.equal(receiptsOf(await client.later()), ['r'], command);
    }
  });
}

/** The frame, which settles or follows an ACK, with the receipt `r`. */
function settle(client: TestClient, command: string, lines: readonly string[]): void {
  if (command === 'COMMIT') client.send('BEGIN', ['transaction:t']);
  if (command === 'UNSUBSCRIBE' || command === 'DISCONNECT') client.send('ACK', lines);
  if (command === 'COMMIT') client.send('ACK', [...lines, 'transaction:t']);
  if (command === 'ACK' || command === 'NACK') client.send(command, [...lines, 'receipt:r']);
  else client.send(command, [command === 'COMMIT' ? 'transaction:t' : 'id:1', 'receipt:r']);
}

function receiptsOf(frames: readonly { readonly headers: Record<string, string> }[]): (string | undefined)[] {
  return frames.flatMap(({ headers }) => headers['receipt-id'] ?? []);
}

test('STOMP 1.2, RECEIPT: all frames before are received, and go on being processed when the client has gone', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.write('SEND\ndestination:/queue/new\n\n1\0SEND\ndestination:/queue/new\npersistent:true\n\n2\0');
  client.channel.closed();
  await harness.turn();
  assert.equal(await rest(harness, 'new'), ['1', '2']);
});

test('STOMP 1.2, RECEIPT: what becomes durable after the end of its connection is told to no one', () => {
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

test.run();
