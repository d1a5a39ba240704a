import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { splitDestinations } from '../../../protocols/stomp/composite.ts';
import { expectError } from './support/expect-error.ts';
import { Harness } from './support/harness.ts';

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

composite('reply-to has one destination', () => {
  const client = Harness.open().connect();
  client.send('SEND', ['destination:/topic/a', 'reply-to:/queue/a,/queue/b']);
  expectError(client, '%2C');
});

composite.run();
