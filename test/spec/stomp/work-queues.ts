import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { bodiesOf, type ServerFrame } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** What clients see of queues as the broker serves them. */

const work = suite('STOMP work queues');

async function send(client: TestClient, lines: readonly string[], body = ''): Promise<ServerFrame | undefined> {
  client.send('SEND', ['destination:/queue/a', ...lines, 'receipt:r'], body);
  return (await client.later())[0];
}

async function nack(client: TestClient, frame: ServerFrame | undefined, lines: readonly string[] = []): Promise<void> {
  client.send('NACK', [`id:${frame?.headers.ack}`, ...lines]);
  await client.turn();
}

work('the highest priority first, and each in the order in which it was sent', async () => {
  const client = Harness.open().connect();
  for (const [body, priority] of ['0', '9', '4', '9', '0'].entries())
    await send(client, [`priority:${priority}`], `${priority}${body}`);
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
  assert.equal(bodiesOf(await client.later()), ['91', '93', '42', '00', '04']);
});

work('delay and deliver-at: not before', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
  await send(client, ['delay:500'], 'delayed');
  await send(client, [`deliver-at:${harness.clock.now() + 800}`], 'appointed');
  for (const [step, expected] of [
    [490, []],
    [20, ['delayed']],
    [280, []],
    [20, ['appointed']],
  ] as const) {
    harness.clock.advance(step);
    assert.equal(bodiesOf(await client.later()), expected);
  }
});

work('NACK: back at once, or after a delay, with the count of its deliveries', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client-individual']);
  harness.publish('$queue/a', 'x');
  const seen: (string | undefined)[] = [];
  for (const lines of [[], ['delay:1000'], []]) {
    const [frame] = await client.later();
    seen.push(`${frame?.headers.redelivered} ${frame?.headers['delivery-count']}`);
    await nack(client, frame, lines);
    if (lines.length === 0) continue;
    harness.clock.advance(990);
    assert.equal(await client.later(), []);
    harness.clock.advance(20);
  }
  assert.equal(seen, ['false undefined', 'true 2', 'true 3']);
});

work('rejected: in the dead-letter queue, with the reason, where from and how often', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  const settings = ['queue-dead-letter-queue:dead', 'queue-max-deliveries:2'];
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client-individual', ...settings]);
  client.send('SUBSCRIBE', ['id:2', 'destination:/queue/dead']);
  await client.turn();
  harness.publish('$queue/a', 'rejected', { key: 'k' });
  await nack(client, (await client.later())[0], ['requeue:false']);
  harness.publish('$queue/a', 'tried');
  const dead = await client.later();
  const tried = dead.find(({ headers }) => headers.subscription === '1');
  await nack(client, tried);
  await nack(client, (await client.later())[0]);
  dead.push(...(await client.later()));
  const of = ({ headers, body }: ServerFrame) =>
    `${body} ${headers['dead-letter-reason']} ${headers['dead-letter-queue']} ${headers['dead-letter-count']} ${headers.key}`;
  assert.equal(dead.filter(({ headers }) => headers.subscription === '2').map(of), [
    'rejected rejected a 1 k',
    'tried deliveries a 2 undefined',
  ]);
});

work('a repeated message id is stored once: RECEIPT with duplicate:true', async () => {
  const client = Harness.open().connect();
  const receipts = [];
  for (const id of ['m', 'm', 'n']) receipts.push((await send(client, [`message-id:${id}`], id))?.headers.duplicate);
  assert.equal(receipts, [undefined, 'true', undefined]);
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
  assert.equal(bodiesOf(await client.later()), ['m', 'n']);
});

work('settings that the queue does not have are refused with both values, on SUBSCRIBE and SEND', async () => {
  for (const command of ['SUBSCRIBE', 'SEND']) {
    const harness = Harness.open();
    await send(harness.connect(), ['queue-max-messages:5']);
    const client = harness.connect();
    client.send(command, ['id:1', 'destination:/queue/a', 'queue-max-messages:6', 'receipt:r']);
    await harness.turn();
    expectError(client, /\b5\b.*\b6\b/, 'r');
    assert.equal(bodiesOf(await subscribe(harness)), ['']);
  }
});

async function subscribe(harness: Harness): Promise<ServerFrame[]> {
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
  return client.later();
}

work('a full queue refuses: ERROR with the receipt-id that names the setting', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  await send(client, ['queue-max-messages:1'], '1');
  client.send('SEND', ['destination:/queue/a', 'receipt:2'], '2');
  await harness.turn();
  expectError(client, /maxMessages/, '2');
});

work('an exclusive consumer is the only one: another is refused with its receipt-id', async () => {
  const harness = Harness.open();
  const first = harness.connect();
  first.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'exclusive:true']);
  await harness.turn();
  const second = harness.connect();
  second.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'receipt:r']);
  await harness.turn();
  expectError(second, 'exclusive', 'r');
  assert.not(first.closed);
});

work(
  'a browser sees all in the order in which it was stored, with what is with a consumer, and takes nothing',
  async () => {
    const harness = Harness.open();
    const consumer = harness.connect();
    for (let i = 0; i < 90; i++) harness.publish('$queue/a', `${i}`);
    consumer.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client', 'prefetch:2']);
    assert.equal(bodiesOf(await consumer.later()), ['0', '1']);
    for (let round = 0; round < 2; round++) {
      const client = harness.connect();
      client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'browser:true']);
      const frames = await client.later();
      assert.equal(bodiesOf(frames), [...Array.from({ length: 90 }, (_, i) => `${i}`), '']);
      assert.is(frames.at(-1)?.headers.browser, 'end');
    }
  },
);

work('a queue that is deleted ends its consumers’ connections with an ERROR', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
  await harness.turn();
  void harness.services.queues.delete('a');
  await harness.turn();
  expectError(client, /was deleted/);
});

work('bound to topics, a queue has their messages: with the headers that a SEND to a topic has', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'queue-bindings:orders/#,x', 'ack:client', 'prefetch:1']);
  await harness.turn();
  for (const priority of ['1', '1', 'high', '8'])
    client.send('SEND', ['destination:/topic/orders.new', `priority:${priority}`, 'receipt:r'], priority);
  const frames = (await client.later()).filter(({ command }) => command === 'MESSAGE');
  for (let i = 0; i < 3; i++) {
    client.send('ACK', [`id:${frames.at(-1)?.headers.ack}`]);
    frames.push(...(await client.later()));
  }
  assert.equal(
    frames.map(({ headers }) => `${headers.destination} ${headers.priority}`),
    ['1', '8', '1', 'high'].map((each) => `/topic/orders.new ${each}`),
  );
});

work.run();
