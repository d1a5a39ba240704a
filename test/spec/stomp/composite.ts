import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { splitDestinations } from '../../../protocols/stomp/composite.ts';
import { expectError } from './support/expect-error.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** Several destinations in one frame, with commas between them, as in ActiveMQ. */

const composite = suite('STOMP, several destinations');

const BOTH = 'destination:/queue/a,/topic/b';

composite('each by itself: in every form of ActiveMQ, once', () => {
  for (const [written, expected] of [
    ['/queue/a,/topic/b,/queue/c', ['/queue/a', '/topic/b', '/queue/c']],
    ['/queue/a,b', ['/queue/a', 'b']],
    ['/topic/a,b', ['/topic/a', '/topic/b']],
    ['a,b', ['a', 'b']],
    ['/queue/a,topic://b,queue://c', ['/queue/a', '/topic/b', '/queue/c']],
    ['/topic/a,temp-queue://b,temp-topic://c', ['/topic/a', '/temp-queue/b', '/temp-topic/c']],
    ['/queue/a, /queue/b ,/queue/a', ['/queue/a', '/queue/b']],
    ['/queue/a%2Cb,/queue/c', ['/queue/a%2Cb', '/queue/c']],
  ] as const) {
    assert.equal(splitDestinations(written, 8), [...expected], written);
  }
});

// --- SEND -------------------------------------------------------------------------------------------------------------

/** What a client that subscribes to all of them gets by itself, as `DESTINATION BODY`. */
function listen(harness: Harness): () => Promise<string[]> {
  const client = harness.connect();
  for (const [i, destination] of ['/queue/a', '/topic/b', '/queue/c'].entries())
    client.send('SUBSCRIBE', [`id:${i}`, `destination:${destination}`]);
  return async () => {
    const frames = await client.later();
    return frames.map(({ headers, body }) => `${headers.destination} ${body.toString()}`).sort();
  };
}

composite('SEND: to each, with all that it says', async () => {
  const harness = Harness.open();
  const heard = listen(harness);
  const client = harness.connect();
  const topic = harness.connect();
  topic.send('SUBSCRIBE', ['id:1', 'destination:/topic/b']);
  client.send(
    'SEND',
    ['destination:/queue/a,/topic/b,/queue/c,/topic/b', 'priority:7', 'x:y', 'reply-to:/queue/z'],
    'm',
  );
  assert.equal(await heard(), ['/queue/a m', '/queue/c m', '/topic/b m']);
  const { headers } = topic.frame();
  assert.equal([headers.priority, headers.x, headers['reply-to']], ['7', 'y', '/queue/z']);
  assert.equal(client.frames(), []);
});

composite('SEND: one RECEIPT, once all are durable', async () => {
  const harness = Harness.open();
  const heard = listen(harness);
  const client = harness.connect();
  client.send('SEND', ['destination:/queue/a,/topic/b,/queue/c', 'receipt:r'], 'x');
  assert.equal(client.frames(), [], 'not yet: the queue is still being made');
  const frames = await client.later();
  assert.equal(
    frames.map(({ command, headers }) => `${command} ${headers['receipt-id']}`),
    ['RECEIPT r'],
  );
  assert.equal(await heard(), ['/queue/a x', '/queue/c x', '/topic/b x']);
});

composite('SEND within a transaction: all at COMMIT, or none', async () => {
  const harness = Harness.open();
  const heard = listen(harness);
  const client = harness.connect();
  for (const end of ['ABORT', 'COMMIT']) {
    client.send('BEGIN', ['transaction:t']);
    client.send('SEND', [BOTH, 'transaction:t'], end);
    assert.equal(await heard(), []);
    client.send(end, ['transaction:t', 'receipt:r']);
    assert.is((await client.later()).at(-1)?.headers['receipt-id'], 'r');
    assert.equal(await heard(), end === 'ABORT' ? [] : ['/queue/a COMMIT', '/topic/b COMMIT']);
  }
});

composite('SEND within a transaction: each counts (limits.transactionActions)', () => {
  const client = Harness.open({ transactionActions: 3 }).connect();
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', [BOTH, 'transaction:t']);
  client.send('SEND', [BOTH, 'transaction:t']);
  expectError(client, 'limits.transactionActions');
});

composite('SEND: all or none, where one may not be published to, is none or is too many', async () => {
  const rights = { mayPublish: (_: unknown, topic: string) => topic !== 'forbidden' };
  for (const [destination, expected, line = 'x:y'] of [
    ['/topic/b,/topic/forbidden', 'not allowed to publish'],
    ['/topic/b,/nosuch/x', 'is not a destination'],
    ['/topic/b,/exchange/nosuch/x', 'which there is not'],
    ['/topic/b,/topic/$SYS.x', "server's own"],
    ['/topic/b,/topic/a.#', 'wildcards'],
    ['/topic/b,', 'no destination on one side'],
    [',/topic/b', 'no destination on one side'],
    [',', 'no destination on one side'],
    ['/topic/b,/queue/a', 'retain is for topics', 'retain:true'],
    ['/topic/b,/queue/a', 'delay', 'delay:soon'],
    ['/topic/b,/topic/1,/topic/2,/topic/3', 'more than 3 destinations (limits.compositeDestinations)'],
  ] as const) {
    const harness = Harness.open({ compositeDestinations: 3 }, rights);
    const heard = listen(harness);
    const client = harness.connect();
    client.send('SEND', [`destination:${destination}`, line, 'receipt:r'], 'x');
    expectError(client, expected, 'r');
    assert.equal(await heard(), [], destination);
  }
});

composite('SEND: settings of a queue are for each that is one', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SEND', ['destination:/queue/a,/queue/b', 'queue-max-messages:5', 'receipt:r'], 'x');
  assert.equal(
    (await client.later()).map(({ command }) => command),
    ['RECEIPT'],
  );
  for (const queue of ['a', 'b']) {
    const status = await harness.services.queues.status(queue);
    assert.equal([status?.settings.maxMessages, status?.messages], [5, 1]);
  }
});

composite('SEND: an escaped comma parts like any other; %2C does not', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a%2Cb']);
  await client.turn();
  client.send('SEND', ['destination:/queue/a%2Cb'], 'x');
  assert.is((await client.later())[0]?.headers.destination, '/queue/a%2Cb');
  client.send('SEND', ['destination:/queue/a\\cb,/queue/c', 'receipt:r'], 'x');
  await client.turn();
  assert.equal(harness.services.queues.list(), ['a,b', 'a:b', 'c']);
});

// --- SUBSCRIBE --------------------------------------------------------------------------------------------------------

function subscribe(client: TestClient, destination: string, ...lines: readonly string[]): void {
  client.send('SUBSCRIBE', ['id:1', `destination:${destination}`, ...lines]);
}

async function send(client: TestClient, ...messages: readonly (readonly [destination: string, body: string])[]) {
  for (const [destination, body] of messages)
    client.send('SEND', [`destination:${destination}`, 'persistent:true'], body);
  await client.turn();
}

async function got(client: TestClient): Promise<string[]> {
  const frames = await client.later();
  return frames.map(({ headers, body }) => `${headers.subscription} ${headers.destination} ${body.toString()}`);
}

composite('SUBSCRIBE: one id, messages of all, each with its own destination', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  subscribe(client, '/queue/a,/topic/b,/exchange/amq.direct/k', 'receipt:r');
  assert.is((await client.later()).at(-1)?.headers['receipt-id'], 'r');
  const other = harness.connect();
  await send(other, ['/queue/a', '1'], ['/topic/b', '2'], ['/exchange/amq.direct/k', '3'], ['/queue/c', '4']);
  assert.equal(await got(client), ['1 /topic/b 2', '1 /exchange/amq.direct/k 3', '1 /queue/a 1'].sort(bySent));
});

function bySent(a: string, b: string): number {
  return Number(a.at(-1)) - Number(b.at(-1));
}

composite('SUBSCRIBE: in the short forms of ActiveMQ', async () => {
  const harness = Harness.open();
  const client = harness.connect('1.0');
  client.send('SUBSCRIBE', ['destination:/queue/a,b']);
  client.send('SUBSCRIBE', ['destination:/topic/c,queue://d']);
  await client.turn();
  await send(harness.connect(), ['/queue/a', '1'], ['/queue/b', '2'], ['/topic/c', '3'], ['/queue/d', '4']);
  assert.is((await client.later()).length, 4);
  client.send('UNSUBSCRIBE', ['destination:/queue/a,b', 'receipt:r']);
  await client.turn();
  client.frames();
  await send(harness.connect(), ['/queue/a', '1'], ['/queue/b', '2'], ['/topic/c', '3'], ['/queue/d', '4']);
  assert.equal(
    (await client.later()).map(({ headers }) => headers.destination),
    ['/topic/c', '/queue/d'],
  );
});

composite('SUBSCRIBE: the prefetch is for all of it', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  subscribe(client, '/queue/a,/topic/b', 'ack:client-individual', 'prefetch:2');
  await client.turn();
  const all = [1, 2, 3, 4].flatMap((i) => [['/queue/a', `a${i}`] as const, ['/topic/b', `b${i}`] as const]);
  await send(harness.connect(), ...all);
  const bodies: string[] = [];
  let frames = await client.later();
  for (let i = 0; i < 8; i++) {
    assert.is(frames.length, i === 0 ? 2 : bodies.length < 8 ? 1 : 0);
    bodies.push(...frames.map(({ body }) => String(body)));
    client.send('ACK', [`id:${(frames[0]?.headers.ack ?? '').replace(/\d+$/, String(i + 1))}`]);
    const next = await client.later();
    if (next.length > 0) frames = next;
    else if (bodies.length === 8) break;
  }
  assert.equal([...bodies].sort(), ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3', 'b4']);
});

composite('SUBSCRIBE: a queue with many messages does not keep another one from its turn', async () => {
  const harness = Harness.open();
  const other = harness.connect();
  await send(other, ...[1, 2, 3, 4].flatMap((i) => [['/queue/a', `a${i}`] as const, ['/queue/b', `b${i}`] as const]));
  const client = harness.connect();
  subscribe(client, '/queue/a,/queue/b', 'ack:client', 'prefetch:1');
  const bodies: string[] = [];
  for (let i = 0; i < 8; i++) {
    const [frame, ...more] = await client.later();
    assert.equal(more, []);
    bodies.push(String(frame?.body));
    client.send('ACK', [`id:${frame?.headers.ack}`]);
  }
  assert.equal(
    bodies
      .slice(0, 4)
      .map((each) => each[0])
      .sort(),
    ['a', 'a', 'b', 'b'],
  );
  for (const queue of ['a', 'b'])
    assert.equal(
      bodies.filter((each) => each[0] === queue),
      [1, 2, 3, 4].map((i) => `${queue}${i}`),
      'each in order',
    );
});

composite('ack:client settles all before it, of every destination', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  subscribe(client, '/queue/a,/queue/b', 'ack:client', 'prefetch:10');
  await client.turn();
  await send(harness.connect(), ['/queue/a', '1'], ['/queue/b', '2'], ['/queue/a', '3'], ['/queue/b', '4']);
  const frames = await client.later();
  assert.is(frames.length, 4);
  client.send('ACK', [`id:${frames[2]?.headers.ack}`, 'receipt:r']);
  assert.is((await client.later())[0]?.headers['receipt-id'], 'r');
  client.drop();
  await harness.turn();
  const left: string[] = [];
  for (const queue of ['a', 'b']) {
    const portion = await harness.services.queues.browse(queue, 0, 10);
    left.push(...portion.messages.map(({ message }) => Buffer.from(message.payload()).toString()));
  }
  assert.equal(left, [String(frames[3]?.body)]);
});

composite('NACK gives back to the queue it came from; requeue:false and delay are its own', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  subscribe(client, '/queue/a,/queue/b', 'ack:client-individual');
  await client.turn();
  await send(harness.connect(), ['/queue/b', 'x']);
  const [first] = await client.later();
  client.send('NACK', [`id:${first?.headers.ack}`]);
  const [again] = await client.later();
  assert.equal([again?.headers.destination, again?.headers.redelivered], ['/queue/b', 'true']);
  client.send('NACK', [`id:${again?.headers.ack}`, 'delay:1000']);
  assert.equal(await client.later(), []);
  harness.clock.advance(1100);
  const [late] = await client.later();
  client.send('NACK', [`id:${late?.headers.ack}`, 'requeue:false', 'receipt:r']);
  assert.is((await client.later())[0]?.command, 'RECEIPT');
  assert.is((await harness.services.queues.status('b'))?.messages, 0);
});

composite('an ACK within a transaction, and one for what was settled', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  subscribe(client, '/queue/a,/queue/b', 'ack:client-individual');
  await client.turn();
  await send(harness.connect(), ['/queue/b', 'x']);
  const [frame] = await client.later();
  client.send('BEGIN', ['transaction:t']);
  client.send('ACK', [`id:${frame?.headers.ack}`, 'transaction:t']);
  client.send('COMMIT', ['transaction:t', 'receipt:r']);
  assert.is((await client.later())[0]?.headers['receipt-id'], 'r');
  client.send('ACK', [`id:${frame?.headers.ack}`, 'receipt:again']);
  assert.is((await client.later())[0]?.headers['receipt-id'], 'again');
  client.send('ACK', [`id:${(frame?.headers.ack ?? '').replace(/1$/, '2')}`]);
  expectError(client, 'was delivered on this connection');
});

composite('UNSUBSCRIBE ends all of it, and so does the connection: what is unsettled goes to others', async () => {
  for (const end of ['UNSUBSCRIBE', 'drop']) {
    const harness = Harness.open();
    const client = harness.connect();
    subscribe(client, '/queue/a,/topic/b,/queue/c', 'ack:client');
    await client.turn();
    await send(harness.connect(), ['/queue/a', '1'], ['/topic/b', '2'], ['/queue/c', '3']);
    assert.is((await client.later()).length, 3);
    if (end === 'drop') client.drop();
    else client.send('UNSUBSCRIBE', ['id:1', 'receipt:r']);
    await client.turn();
    const other = harness.connect();
    other.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
    other.send('SUBSCRIBE', ['id:2', 'destination:/queue/c']);
    assert.equal(
      (await other.later()).map(({ headers, body }) => `${body.toString()} ${headers.redelivered}`),
      ['1 true', '3 true'],
    );
    await send(other, ['/topic/b', 'x']);
    if (end !== 'drop')
      assert.equal(
        client.frames().map(({ command }) => command),
        ['RECEIPT'],
      );
  }
});

composite('what several of its topics match comes once: live, logged and retained', async () => {
  for (const destination of [
    '/topic/a.*,/topic/a.b,/topic/#',
    '/exchange/amq.fanout/x,/exchange/amq.fanout,/topic/a.b',
  ]) {
    const harness = Harness.open();
    harness.publish('a/b', 'retained', undefined, 1, true);
    await harness.turn();
    const client = harness.connect();
    subscribe(client, destination);
    assert.equal(await got(client), ['1 /topic/a.b retained']);
    client.send('SEND', ['destination:/topic/a.b'], 'live');
    client.send('SEND', ['destination:/topic/a.b', 'persistent:true'], 'logged');
    assert.equal(await got(client), ['1 /topic/a.b live', '1 /topic/a.b logged']);
  }
});

composite('SUBSCRIBE: what is for one destination is refused by name', () => {
  for (const [destination, line, expected] of [
    ['/topic/a,/topic/b', 'durable:true', 'durable'],
    ['/topic/a,/topic/b', 'activemq.subscriptionName:x', 'activemq.subscriptionName'],
    ['/topic/a,/topic/b', 'group:g', 'group'],
    ['/topic/a,/topic/b', 'start:first', 'start'],
    ['/queue/a,/queue/b', 'browser:true', 'browser'],
    ['/queue/a,/temp-queue/b', 'x:y', 'Subscribe to it by itself'],
    ['/queue/a,/topic/b', 'activemq.exclusive:true', 'activemq.exclusive'],
    ['/topic/a,/topic/b', 'x-queue-name:q', 'x-queue-name'],
    ['/queue/a,/reply-queue/b', 'x:y', '/temp-queue/NAME'],
    ['/queue/a,/queue/b,/queue/c', 'x:y', 'limits.compositeDestinations'],
  ] as const) {
    const client = Harness.open({ compositeDestinations: 2 }).connect();
    subscribe(client, destination, line, 'receipt:r');
    expectError(client, expected, 'r');
  }
});

composite('SUBSCRIBE: a right to each is needed, and each counts (limits.subscriptionsPerSession)', async () => {
  const rights = { maySubscribe: (_: unknown, filter: string) => filter !== 'forbidden' };
  const harness = Harness.open({ subscriptionsPerSession: 3 }, rights);
  const refused = harness.connect();
  subscribe(refused, '/queue/a,/topic/forbidden');
  expectError(refused, 'not allowed to subscribe to "/topic/forbidden"');
  await harness.turn();
  assert.equal(harness.services.queues.list(), []);

  const client = harness.connect();
  subscribe(client, '/topic/a,/topic/b');
  client.send('UNSUBSCRIBE', ['id:1']);
  subscribe(client, '/topic/a,/topic/b');
  client.send('SUBSCRIBE', ['id:2', 'destination:/topic/c']);
  assert.equal(client.frames(), []);
  client.send('SUBSCRIBE', ['id:3', 'destination:/topic/d']);
  expectError(client, 'limits.subscriptionsPerSession');
});

composite('reply-to has one destination', () => {
  const client = Harness.open().connect();
  client.send('SEND', ['destination:/topic/a', 'reply-to:/queue/a,/queue/b']);
  expectError(client, '%2C');
});

composite.run();
