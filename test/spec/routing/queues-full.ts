import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Message } from '../../../src/core/message.ts';
import { QueueWorld } from './support/queues.ts';

const test = suite('routing/queues full, and dead letters');

function headersOf(message: Message | undefined): Record<string, string> {
  return Object.fromEntries(message?.properties?.user ?? []);
}

test('full: the publisher is told which setting, and both numbers; what is on its way counts', async () => {
  const world = await new QueueWorld({ maxMessages: 2 }).start();
  world.push('0');
  await world.settle();
  for (const token of [1, 2, 3]) world.push('x', undefined, 'q', token);
  await world.settle();
  assert.equal(world.answers.sort(), [
    '0',
    '1',
    '2 quota: the queue "q" is full: 2 messages are in it, maxMessages is 2',
    '3 quota: the queue "q" is full: 2 messages are in it, maxMessages is 2',
  ]);
  assert.is(world.counters.droppedQueue, 2);
});

test('full by bytes, and by the limits of the server', async () => {
  const world = await new QueueWorld({ maxBytes: 10 }, { queueMessages: 3 }).start();
  for (const [token, body] of ['12345678', '123', '12', ''].entries()) world.push(body, undefined, 'q', token);
  await world.settle();
  world.push('', undefined, 'q', 4);
  await world.settle();
  assert.match(
    world.answers.find((each) => each.startsWith('1 ')) ?? '',
    /8 bytes are in it and 3 more.*maxBytes is 10/,
  );
  assert.match(world.answers.find((each) => each.startsWith('4 ')) ?? '', /3 messages.*limits.queueMessages is 3/);
});

test('the oldest is dropped for a new one, and counted', async () => {
  const world = await new QueueWorld({ maxMessages: 3, overflow: 'dropOldest' }).start();
  for (let i = 0; i < 10; i++) {
    world.push(String(i), undefined, 'q', i);
    await world.settle();
  }
  assert.equal([world.answers.length, await world.bodies()], [10, ['7', '8', '9']]);
  for (let i = 10; i < 400; i++) world.push(String(i));
  await world.clock.advance(2000);
  assert.equal(await world.bodies(), ['397', '398', '399']);
  assert.is(world.counters.droppedQueue, 397);
});

test('what is with a consumer is not dropped, and a message that does not fit at all is refused', async () => {
  const world = await new QueueWorld({ maxMessages: 2, maxBytes: 100, overflow: 'dropOldest' }).start();
  const consumer = world.consume({ prefetch: 2 });
  for (const body of ['a', 'b', 'c']) {
    world.push(body);
    await world.settle();
  }
  assert.equal(
    [consumer.got, await world.bodies()],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
  );
  world.push('x'.repeat(101), undefined, 'q', 9);
  await world.settle();
  assert.match(world.answers.at(-1) ?? '', /9 quota/);
});

test('the oldest goes to the dead-letter queue for a new one', async () => {
  const settings = { maxMessages: 2, overflow: 'deadLetterOldest', deadLetterQueue: 'dead' } as const;
  const world = await new QueueWorld().start();
  await world.declare('q', settings);
  for (const body of ['a', 'b', 'c', 'd']) world.push(body);
  await world.clock.advance(2000);
  assert.equal(
    [await world.bodies(), await world.bodies('dead')],
    [
      ['c', 'd'],
      ['a', 'b'],
    ],
  );
});

test('two full queues do not hand each other what is too much for ever', async () => {
  const world = await new QueueWorld().start();
  const settings = { maxMessages: 1, overflow: 'deadLetterOldest' } as const;
  await world.declare('q', { ...settings, deadLetterQueue: 'r' });
  await world.declare('r', { ...settings, deadLetterQueue: 'q' });
  for (const body of ['a', 'b', 'c', 'd']) world.push(body);
  await world.clock.advance(10_000);
  assert.equal([(await world.bodies('q')).length, (await world.bodies('r')).length], [1, 1]);
  assert.ok(world.counters.deadLettered < 20, String(world.counters.deadLettered));
});

test('a dead letter has the reason, the count, the origin and the time, and neither expiry nor delay', async () => {
  const world = await new QueueWorld({ maxDeliveries: 2 }).start();
  await world.declare('q', { deadLetterQueue: 'dead' });
  const consumer = world.consume({ prefetch: 1 });
  const now = world.clock.now();
  world.push('rejected', { expiresAt: now + 99_000, deliverAt: now, key: 'k', user: [['mine', 'x']] });
  world.push('often');
  await world.settle();
  consumer.settle('rejected', 'reject');
  await world.settle();
  for (let i = 0; i < 2; i++) consumer.settle('often', 'requeue');
  consumer.consumption?.cancel();
  world.push('expired', { expiresAt: now + 500 });
  await world.clock.advance(3000);
  assert.equal(await world.bodies('q'), []);
  const dead = world.consume({}, 'dead');
  await world.settle();
  const [first, second, third] = dead.messages;
  assert.equal(headersOf(first), {
    mine: 'x',
    'dead-letter-reason': 'rejected',
    'dead-letter-count': '1',
    'dead-letter-queue': 'q',
    'dead-letter-time': String(now),
  });
  assert.equal([first?.topic, first?.properties?.key], ['$queue/dead', 'k']);
  assert.equal([first?.properties?.expiresAt, first?.properties?.deliverAt], [undefined, undefined]);
  assert.equal([headersOf(second)['dead-letter-reason'], headersOf(second)['dead-letter-count']], ['deliveries', '2']);
  assert.equal([headersOf(third)['dead-letter-reason'], headersOf(third)['dead-letter-count']], ['expired', '0']);
  assert.is(world.counters.deadLettered, 3);
});

test('dead letters with the same id of their publishers are all kept', async () => {
  const world = await new QueueWorld().start();
  for (const queue of ['q', 'r']) {
    await world.declare(queue, { deadLetterQueue: 'dead' });
    world.push(queue, { messageId: 'x' }, queue);
    const consumer = world.consume({}, queue);
    await world.settle();
    consumer.settle(queue, 'reject');
  }
  await world.settle();
  assert.equal(await world.bodies('dead'), ['q', 'r']);
});

test('without a dead-letter queue it is dropped and counted', async () => {
  const world = await new QueueWorld().start();
  const consumer = world.consume();
  world.push('a');
  await world.settle();
  consumer.settle('a', 'reject');
  assert.equal([await world.bodies(), world.counters.droppedQueue], [[], 1]);
});

test('a message that the dead-letter queue does not take stays, and is tried again until it does', async () => {
  const world = await new QueueWorld().start();
  await world.declare('q', { deadLetterQueue: 'dead' });
  await world.declare('dead', { maxMessages: 1 });
  const consumer = world.consume();
  const dead = world.consume({ prefetch: 1 }, 'dead');
  for (const body of ['a', 'b']) world.push(body);
  await world.settle();
  for (const body of ['a', 'b']) consumer.settle(body, 'reject');
  await world.clock.advance(20_000);
  assert.equal([dead.got, await world.bodies()], [['a'], ['b']]);
  dead.settle('a');
  await world.clock.advance(10_000);
  assert.equal([dead.got, await world.bodies(), consumer.got], [['a', 'b'], [], ['a', 'b']]);
});

test('killed between the two queues, a dead letter is there once', async () => {
  const world = await new QueueWorld().start();
  await world.declare('q', { deadLetterQueue: 'dead' });
  world.push('a', { messageId: 'x' });
  const consumer = world.consume();
  await world.settle();
  // Where the answer is lost, the message stays in the first queue.
  world.loseAnswers('dead');
  consumer.settle('a', 'reject');
  await world.settle();
  await world.crash();
  const next = world.consume();
  await world.settle();
  assert.equal(next.got, ['a*']);
  next.settle('a', 'reject');
  await world.settle();
  assert.equal([await world.bodies('dead'), await world.bodies('q')], [['a'], []]);
});

test.run();
