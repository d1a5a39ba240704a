import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { eventually } from '../../support/eventually.ts';
import { ALL, consuming, receipts, rest } from '../stomp/support/clauses.ts';
import { Harness } from '../stomp/support/harness.ts';

/** DISCONNECT, and Connection Lingering. */

const test = suite('STOMP 1.2 DISCONNECT');

for (const version of ALL) {
  test(`STOMP ${version}, DISCONNECT: answered if it asks for that, then the connection is closed`, async () => {
    for (const lines of [[], ['receipt:77']]) {
      const client = Harness.open().connect(version);
      client.send('DISCONNECT', lines);
      await client.turn();
      assert.equal(receipts(client), lines.length > 0 ? ['77'] : []);
      assert.ok(client.closed);
    }
  });

  test(`STOMP ${version}, DISCONNECT: its RECEIPT is the last, when all frames before it have had their effect`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    const frames = [
      'SEND\ndestination:/topic/a\nreceipt:1\n\nx',
      'SEND\ndestination:/queue/new\nreceipt:2\n\nx',
      'SEND\ndestination:/queue/new\n\nx',
      'BEGIN\ntransaction:t\n\n',
      'SEND\ndestination:/queue/other\ntransaction:t\n\nx',
      'COMMIT\ntransaction:t\nreceipt:3\n\n',
      'DISCONNECT\nreceipt:77\n\n',
    ];
    client.channel.receive(Buffer.from(`${frames.join('\0')}\0`), harness.clock.now());
    assert.equal(client.frames(), [], 'nothing is durable yet');
    assert.not(client.closed);
    await client.turn();
    assert.equal(receipts(client), ['1', '2', '3', '77']);
    assert.ok(client.closed);
    assert.equal([await rest(harness, 'new'), await rest(harness, 'other')], [['x', 'x'], ['x']]);
  });

  test(`STOMP ${version}, DISCONNECT: frames behind it MUST NOT be sent, and are not looked at`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.write(
      'SEND\ndestination:/queue/a\n\nbefore\0DISCONNECT\nreceipt:77\n\n\0SEND\ndestination:/queue/a\n\nafter\0no frame',
    );
    client.write('nor this\n\n\n\0SEND\ndestination:/queue/a\n\nlater\0');
    await client.turn();
    assert.equal(receipts(client), ['77'], 'and no ERROR');
    assert.equal(await rest(harness), ['before']);
  });

  test(`STOMP ${version}, DISCONNECT: no MESSAGE comes behind it; what is unacknowledged goes to others`, async () => {
    const { harness, client } = await consuming(version, ['ack:client', 'prefetch:2'], '1', '2', '3');
    harness.backbone.queues.open = async () => new Promise(() => {});
    client.channel.receive(
      Buffer.from('SEND\ndestination:/queue/slow\n\nx\0DISCONNECT\nreceipt:77\n\n\0'),
      harness.clock.now(),
    );
    harness.publish('$queue/a', '4', undefined, 1);
    assert.equal(await client.later(), []);
    client.drop();
    assert.equal(await rest(harness), ['1*', '2*', '3', '4']);
  });
}

let opened: TestBroker | undefined;
test.after(async () => opened?.broker.stop());

async function address(): Promise<TestBroker['stomp']> {
  opened ??= await startBroker();
  return opened.stomp;
}

const CONNECT = 'CONNECT\naccept-version:1.2\nhost:x\n\n\0';

test('STOMP 1.2, Connection Lingering: a client that goes on sending still gets the RECEIPT, or the ERROR', async () => {
  const { host, port } = await address();
  for (const [last, answer] of [
    ['DISCONNECT\nreceipt:77\n\n\0', 'RECEIPT\nreceipt-id:77\n'],
    ['SEND\n\nno destination\0', 'SEND without the header destination'],
  ] as const) {
    const socket = connect(port, host);
    let text = '';
    let failed = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', (error) => {
      failed = String(error);
    });
    const closed = once(socket, 'close');
    const more = `SEND\ndestination:/topic/a\n\n${'x'.repeat(10_000)}\0`.repeat(50);
    // In one piece: much of it is still unread when the server is done.
    socket.write(`${CONNECT}SUBSCRIBE\nid:1\ndestination:/topic/b\n\n\0${last}${more}`);
    await eventually('answered', () => text.includes(answer));
    // What a close with unread bytes would do is a reset, which takes away what was not read yet.
    for (let i = 0; i < 5 && failed === '' && socket.writable; i++) {
      socket.write(more);
      await sleep(10);
    }
    await closed;
    assert.is(failed, '', 'no reset');
    assert.not.match(text, /MESSAGE/);
  }
});

test('STOMP 1.2, Connection Lingering: a client that keeps its end open is cut off after a short time', async () => {
  const { host, port } = await address();
  const socket = connect({ host, port, allowHalfOpen: true });
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  const ended = once(socket, 'end');
  socket.write(`${CONNECT}DISCONNECT\nreceipt:77\n\n\0`);
  await ended;
  assert.match(text, /RECEIPT\nreceipt-id:77\n/);
  const before = Date.now();
  await eventually(
    'cut off',
    () => {
      // Its end is open: only a reset tells it.
      if (!socket.destroyed) socket.write('\n');
      return socket.destroyed;
    },
    10_000,
  );
  assert.ok(Date.now() - before > 1000, 'but not at once');
});

test('STOMP 1.2, Connection Lingering: clients that connect, send, and end their side at once are served', async () => {
  const { host, port } = await address();
  const all = Array.from({ length: 20 }, async (_, i) => {
    const socket = connect(port, host);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    const transaction = `BEGIN\ntransaction:t\n\n\0SEND\ndestination:/queue/l${i}\ntransaction:t\n\nx\0COMMIT\ntransaction:t\nreceipt:c\n\n\0`;
    socket.end(`${CONNECT}${transaction.repeat(3)}DISCONNECT\nreceipt:77\n\n\0`);
    await once(socket, 'close');
    return text.match(/receipt-id:\w+/g)?.join(' ');
  });
  const expected = 'receipt-id:c receipt-id:c receipt-id:c receipt-id:77';
  assert.equal(await Promise.all(all), Array(20).fill(expected));
});

test.run();
