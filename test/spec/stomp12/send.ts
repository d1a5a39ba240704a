import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL, receipts, refused } from '../stomp/support/clauses.ts';
import { expectError } from '../stomp/support/expect-error.ts';
import { Harness } from '../stomp/support/harness.ts';

/** SEND. What its headers mean to this server is in `../stomp/sending`, `../stomp/messages` and `../stomp/names`. */

const test = suite('STOMP 1.2 SEND');

for (const version of ALL) {
  test(`STOMP ${version}, SEND: destination is REQUIRED`, () => {
    for (const [lines, receipt] of [
      [[], undefined],
      [['receipt:r', 'destined:/queue/a'], 'r'],
    ] as const) {
      const client = Harness.open().connect(version);
      client.send('SEND', lines, 'x');
      refused(client, receipt, 'SEND without the header destination', '/topic/NAME or /queue/NAME');
    }
  });

  test(`STOMP ${version}, SEND: a destination that is none here is an ERROR`, () => {
    for (const destination of ['', '/topic/', '/topic/a.#', '/topic/%zz', '/nowhere/a']) {
      const client = Harness.open().connect(version);
      client.send('SEND', [`destination:${destination}`, 'receipt:r'], 'x');
      refused(client, 'r', 'destination');
    }
  });

  test(`STOMP ${version}, SEND: the body is the message, whatever is in it`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    for (const body of ['', 'hello', '\n\n\0MESSAGE\n\n\0', 'é☕', '\r\n'.repeat(20_000)]) {
      const bytes = Buffer.from(body);
      client.send('SEND', ['destination:/topic/a', `content-length:${bytes.length}`], bytes);
      assert.equal(client.bodies(), [body]);
      if (body.includes('\0')) continue;
      client.send('SEND', ['destination:/topic/a'], bytes);
      assert.equal(client.bodies(), [body], 'content-length SHOULD be there, and need not');
    }
  });

  test(`STOMP ${version}, SEND: user defined headers are passed through, in their order`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    const lines = ['colour:red', 'size:12', 'Size:13', 'empty:', 'JMSXGroupID:g', 'é:☕'];
    for (const more of [[], ['persistent:true'], ['receipt:r']]) {
      client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
      client.send('SEND', ['destination:/topic/a', ...lines, ...more], 'x');
      const message = client.frames().find(({ command }) => command === 'MESSAGE');
      assert.equal(
        message?.lines.filter((line) => lines.includes(line)),
        lines,
      );
      client.send('UNSUBSCRIBE', ['id:1']);
    }
  });

  test(`STOMP ${version}, SEND: what cannot be processed is an ERROR, asked for or not`, async () => {
    for (const receipt of [undefined, 'r']) {
      const lines = receipt === undefined ? [] : [`receipt:${receipt}`];
      const full = Harness.open({ queueMessages: 1 });
      const client = full.connect(version);
      for (const body of ['1', '2']) client.send('SEND', ['destination:/queue/a', ...lines], body);
      await client.turn();
      refused(client, receipt, 'queue "a" is full');

      const many = Harness.open({ queues: 1 }).connect(version);
      for (const queue of ['a', 'b']) many.send('SEND', [`destination:/queue/${queue}`, ...lines], 'x');
      await many.turn();
      refused(many, receipt, 'limits.queues');

      const harness = Harness.open({}, { mayPublish: () => false });
      const nobody = harness.connect(version);
      nobody.send('SEND', ['destination:/topic/a', ...lines], 'x');
      refused(nobody, receipt, 'not allowed to publish');
      assert.is(harness.counters.received, 0);

      const wrong = Harness.open().connect(version);
      wrong.send('SEND', ['destination:/topic/a', 'expires:soon', ...lines], 'x');
      refused(wrong, receipt, 'header expires');
    }
  });

  test(`STOMP ${version}, SEND: in a transaction, it is checked when it comes`, () => {
    const client = Harness.open().connect(version);
    client.send('BEGIN', ['transaction:t']);
    client.send('SEND', ['destination:/nowhere/a', 'transaction:t', 'receipt:r'], 'x');
    refused(client, 'r', 'destination');
  });
}

test('STOMP 1.2, SEND: a message that was sent before a wrong frame is delivered', () => {
  const harness = Harness.open();
  const reader = harness.connect();
  reader.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  const client = harness.connect();
  client.write('SEND\ndestination:/topic/a\n\nbefore\0SEND\n\nwrong\0SEND\ndestination:/topic/a\n\nafter\0');
  assert.equal(reader.bodies(), ['before']);
  expectError(client, 'without the header destination');
});

test('STOMP 1.2, SEND: what one client sends at once to one destination arrives in its order', async () => {
  const sent = Array.from({ length: 60 }, (_, i) => {
    const logged = i % 5 === 0 ? `receipt:${i}\n` : 'persistent:true\n';
    return { body: `${i}`, header: i % 5 === 0 || i % 3 === 0 ? logged : '' };
  });
  const all = sent.map(({ body }) => body);
  for (const destination of ['/topic/a', '/queue/a']) {
    const harness = Harness.open({ stompPrefetch: 1000, publishBacklog: 100 });
    const reader = harness.connect();
    reader.send('SUBSCRIBE', ['id:1', `destination:${destination}`]);
    const client = harness.connect();
    const frames = sent.map(({ body, header }) => `SEND\ndestination:${destination}\n${header}\n${body}\0`);
    client.write(frames.join(''));
    await client.turn();
    assert.equal(reader.bodies(), all);
    assert.is(receipts(client).length, 12);
    client.send('SEND', [`destination:${destination}`], 'later');
    await client.turn();
    const [later] = reader.frames();
    assert.is(`${later?.body}`, 'later');
    assert.not(later?.lines.includes('persistent:true'), 'it is not logged any more');
  }
});

test('STOMP 1.2, SEND: what follows a COMMIT at once arrives behind it, a transaction too', async () => {
  const harness = Harness.open();
  const reader = harness.connect();
  reader.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  const client = harness.connect();
  const send = (body: string, header = ''): string => `SEND\ndestination:/topic/a\n${header}\n${body}\0`;
  const within = (name: string, body: string, receipt: string): string =>
    `BEGIN\ntransaction:${name}\n\n\0${send(body, `transaction:${name}\n`)}COMMIT\ntransaction:${name}\n${receipt}\n\0`;
  client.write(
    `${send('1', 'receipt:r\n')}${within('t', '2', '')}${send('3')}${within('u', '4', 'receipt:u\n')}${send('5')}`,
  );
  await client.turn();
  assert.equal(reader.bodies(), ['1', '2', '3', '4', '5']);
  client.write(`${within('v', '6', 'receipt:v\n')}${send('7')}`);
  await client.turn();
  assert.equal(reader.bodies(), ['6', '7']);
});

test('SEND: what is logged for durable subscriptions alone is not an ERROR where a bound queue is full; what asks for it is', async () => {
  const harness = Harness.open();
  await harness.services.queues.declare('bound', { bindings: ['x/#'], maxMessages: 1, overflow: 'refuse' });
  harness.publish('x/z', 'there', undefined, 1);
  const reader = harness.connect('1.2', 'tcp', ['client-id:c']);
  reader.send('SUBSCRIBE', ['id:1', 'destination:/topic/x.y', 'activemq.subscriptionName:s']);
  await harness.turn();
  const client = harness.connect();
  client.send('SEND', ['destination:/topic/x.y'], 'one');
  await client.turn();
  assert.not(client.closed);
  client.send('SEND', ['destination:/topic/x.y', 'persistent:true'], 'two');
  await client.turn();
  expectError(client, '"bound" is full');
});

test.run();
