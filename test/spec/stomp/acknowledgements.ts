import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { bodiesOf } from './support/frames.ts';
import { Harness } from './support/harness.ts';

const acknowledgements = suite('STOMP acknowledgements');

/** Header with which the version acknowledges, and its value for a MESSAGE. */
function ackLine(version: string, headers: Record<string, string>): string[] {
  if (version === '1.2') return [`id:${headers.ack}`];
  const lines = [`message-id:${headers['message-id']}`];
  return version === '1.1' ? [...lines, `subscription:${headers.subscription}`] : lines;
}

for (const version of ['1.0', '1.1', '1.2'] as const) {
  acknowledgements(`${version}, ACK in mode client: cumulative, and within its subscription only`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
    client.send('SUBSCRIBE', ['id:2', 'destination:/queue/b', 'ack:client']);
    for (let i = 1; i <= 7; i++) for (const queue of ['a', 'b']) harness.publish(`$queue/${queue}`, `${queue}${i}`);
    const frames = await client.later();
    assert.is(frames.length, 6, 'prefetch is 3 each');
    const second = frames.filter(({ headers }) => headers.subscription === '1')[1];
    client.send('ACK', [...ackLine(version, second?.headers ?? {}), 'receipt:r']);
    const after = await client.later();
    assert.equal(
      after.map(({ command, body }) => `${command} ${body}`),
      ['MESSAGE a4', 'MESSAGE a5', 'RECEIPT '],
    );
  });

  acknowledgements(`${version}, ACK in mode client-individual: that message alone`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client-individual']);
    for (let i = 1; i <= 5; i++) harness.publish('$queue/a', `${i}`);
    const [, second] = await client.later();
    client.send('ACK', ackLine(version, second?.headers ?? {}));
    assert.equal(bodiesOf(await client.later()), ['4']);
    client.drop();
    const next = harness.connect();
    next.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
    assert.equal(bodiesOf(await next.later()), ['1', '3', '4', '5']);
  });

  acknowledgements(
    `${version}, NACK: back to the queue, marked as redelivered; requeue:false throws it away`,
    async () => {
      const harness = Harness.open();
      const client = harness.connect(version);
      client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client-individual']);
      harness.publish('$queue/a', 'x');
      const [first] = await client.later();
      assert.is(first?.headers.redelivered, 'false');
      client.send('NACK', ackLine(version, first?.headers ?? {}));
      const [second] = await client.later();
      assert.is(second?.headers.redelivered, 'true');
      assert.is(second?.headers['delivery-count'], '2');
      assert.not(second?.headers['message-id'] === first?.headers['message-id']);
      client.send('NACK', [...ackLine(version, second?.headers ?? {}), 'requeue:false', 'receipt:r']);
      const [receipt, ...others] = await client.later();
      assert.is(receipt?.command, 'RECEIPT');
      assert.equal(others, []);
    },
  );
}

acknowledgements('NACK in mode client: cumulative, and the order stays', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
  for (let i = 1; i <= 4; i++) harness.publish('$queue/a', `${i}`);
  const [, , third] = await client.later();
  client.send('NACK', [`id:${third?.headers.ack}`]);
  assert.equal(bodiesOf(await client.later()), ['1', '2', '3']);
});

acknowledgements('1.1, ACK: message-id is enough; the header subscription is not matched strictly', async () => {
  for (const lines of [[], ['subscription:other']]) {
    const harness = Harness.open();
    const client = harness.connect('1.1');
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client', 'prefetch-count:1']);
    harness.publish('$queue/a', '1');
    harness.publish('$queue/a', '2');
    const [first] = await client.later();
    client.send('ACK', [`message-id:${first?.headers['message-id']}`, ...lines]);
    assert.equal(bodiesOf(await client.later()), ['2']);
  }
});

acknowledgements('1.2, ACK: of what was not delivered, or without its header, is an ERROR', () => {
  for (const command of ['ACK', 'NACK']) {
    for (const line of ['id:1', 'id:', 'x:y', 'message-id:1', 'id:0123456789abcdef-1-1', 'id:-1-1']) {
      const client = Harness.open().connect();
      client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client']);
      client.send(command, [line, 'receipt:r']);
      expectError(client, new RegExp(`^${command}`));
    }
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client']);
    harness.publish('a', 'x');
    const ack = client.frame().headers.ack ?? '';
    client.send(command, [`id:${ack.slice(0, -1)}2`]);
    expectError(client, 'was delivered');
    const other = harness.connect();
    other.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client']);
    other.send(command, [`id:${ack}`]);
    expectError(other, 'was delivered');
  }
});

acknowledgements('RabbitMQ b39c83c363: an ACK that crosses the end of its subscription is no ERROR', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
  harness.publish('$queue/a', 'x');
  const [message] = await client.later();
  const headers = message?.headers ?? {};
  client.send('ACK', [`id:${headers.ack}`]);
  client.send('ACK', [`id:${headers.ack}`, 'receipt:again']);
  client.send('UNSUBSCRIBE', ['id:1']);
  client.send('ACK', [`id:${headers.ack}`, 'receipt:late']);
  assert.equal(
    (await client.later()).map(({ command }) => command),
    ['RECEIPT', 'RECEIPT'],
  );
  assert.not(client.closed);
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
