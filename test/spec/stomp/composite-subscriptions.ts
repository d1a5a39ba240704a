import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import type { ServerFrame } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** A subscription to several destinations, with commas between them, as in ActiveMQ. */

const composite = suite('STOMP, a subscription to several destinations');

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

composite('SUBSCRIBE: one that is written in two ways is one', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  subscribe(client, '/queue/a,a,/queue/%61', 'activemq.exclusive:true', 'receipt:r');
  assert.is((await client.later())[0]?.command, 'RECEIPT');
  await send(harness.connect(), ['/queue/a', 'x']);
  assert.equal(await got(client), ['1 /queue/a x']);
});

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

composite(
  'property: never more than the prefetch unsettled, each queue in order, and nothing lost or settled twice',
  async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('send' as const), to: fc.constantFrom('/queue/a', '/topic/b', '/queue/c') }),
      fc.record({ do: fc.constantFrom('ACK' as const, 'NACK' as const), which: fc.nat(5) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom('client', 'client-individual'),
        async (steps, prefetch, ack) => {
          const harness = Harness.open({ outboxMessages: 100 });
          const [client, sender] = [harness.connect(), harness.connect()];
          subscribe(client, '/queue/a,/topic/b,/queue/c', `ack:${ack}`, `prefetch:${prefetch}`);
          await client.turn();
          const held: ServerFrame[] = [];
          const done: string[] = [];
          const sent: string[] = [];
          const settle = (command: string, which: number): void => {
            const meant = held[which];
            client.send(command, [`id:${meant?.headers.ack}`]);
            const settled = ack === 'client' ? held.splice(0, which + 1) : held.splice(which, 1);
            // A topic has no one else to give it to.
            for (const { headers, body } of settled)
              if (command === 'ACK' || headers.destination === '/topic/b') done.push(`${headers.destination} ${body}`);
          };
          const receive = async (): Promise<void> => {
            held.push(...(await client.later()));
            assert.ok(held.length <= prefetch, `${held.length} are unsettled`);
          };
          for (const each of steps) {
            if (each.do === 'send') {
              const body = `${sent.length}`;
              sent.push(`${each.to} ${body}`);
              await send(sender, [each.to, body]);
            } else if (held.length > 0) settle(each.do, each.which % held.length);
            await receive();
          }
          for (let i = 0; held.length > 0 && i < 200; i++) {
            settle('ACK', 0);
            await receive();
          }
          assert.equal([...done].sort(), sent.sort());
          if (steps.some((each) => each.do === 'NACK')) return;
          if (ack === 'client')
            for (const name of ['/queue/a', '/topic/b', '/queue/c'])
              assert.equal(
                done.filter((each) => each.startsWith(name)),
                sent.filter((each) => each.startsWith(name)).sort(inOrder),
              );
        },
      ),
      { numRuns: 60 },
    );
  },
);

function inOrder(a: string, b: string): number {
  return Number(a.split(' ')[1]) - Number(b.split(' ')[1]);
}

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

composite.run();
