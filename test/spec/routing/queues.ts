import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { QueueWorld } from './support/queues.ts';

const test = suite('routing/queues');

/** A consumer's `opened`, or why not. */
async function outcome(promise: Promise<unknown> | undefined, world: QueueWorld): Promise<string> {
  const said = promise?.then(
    () => 'ok',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  await world.settle();
  return (await said) ?? '';
}

test('a queue is made when it is first used; its messages outlive a crash, but for what is acknowledged', async () => {
  const world = await new QueueWorld().start();
  for (const [i, body] of ['a', 'b', 'c'].entries()) world.push(body, undefined, 'q', i);
  await world.settle();
  assert.equal(world.answers, ['0', '1', '2']);
  const consumer = world.consume({ prefetch: 2 });
  await world.settle();
  consumer.settle('a');
  await world.crash();
  const next = world.consume();
  await world.settle();
  assert.equal(next.got, ['b*', 'c*']);
  assert.equal(world.queues.list(), ['q']);
});

test('how often a message was delivered outlives a stop', async () => {
  const world = await new QueueWorld().start();
  world.push('a');
  const consumer = world.consume();
  await world.settle();
  consumer.settle('a', 'requeue', 0);
  await world.restart();
  const next = world.consume();
  await world.settle();
  assert.equal([consumer.error?.code, next.deliveries.map(({ count }) => count)], ['shutdown', [3]]);
});

test('a message with an id that was there is acknowledged as repeated, in each queue by itself', async () => {
  const world = await new QueueWorld().start();
  for (const [token, queue] of ['q', 'q', 'r'].entries()) world.push('a', { messageId: 'x' }, queue, token);
  await world.settle();
  assert.equal(world.answers.sort(), ['0', '1 repeated', '2']);
  assert.equal([await world.bodies('q'), await world.bodies('r')], [['a'], ['a']]);
});

test('the highest priority first, also where a lower one was there long before', async () => {
  const world = await new QueueWorld().start();
  const consumer = world.consume({ prefetch: 1 });
  for (const body of ['a', 'b', 'c', 'd']) world.push(body);
  await world.settle();
  world.push('high', { priority: 9 });
  world.push('middle', { priority: 4 });
  await world.settle();
  for (const body of ['a', 'high', 'middle', 'b']) {
    consumer.settle(body);
    await world.settle();
  }
  assert.equal(consumer.got, ['a', 'high', 'middle', 'b', 'c']);
});

test('not before its time', async () => {
  const world = await new QueueWorld().start();
  const consumer = world.consume();
  world.push('late', { deliverAt: world.clock.now() + 5000 });
  world.push('now');
  await world.clock.advance(4999);
  assert.equal(consumer.got, ['now']);
  await world.clock.advance(1);
  assert.equal(consumer.got, ['now', 'late']);
});

test('what is expired is removed without consumers, too, and never delivered', async () => {
  const world = await new QueueWorld().start();
  for (let i = 0; i < 500; i++) world.push(String(i), { expiresAt: world.clock.now() + 2000 });
  world.push('kept');
  await world.clock.advance(1500);
  assert.is((await world.bodies()).length, 501);
  await world.clock.advance(4000);
  assert.equal(await world.bodies(), ['kept']);
  assert.is(world.counters.droppedExpired, 500);
  await world.restart();
  world.push('short', { expiresAt: world.clock.now() + 100 }, 'r');
  await world.clock.advance(3000);
  assert.equal(await world.bodies('r'), []);
});

test('a queue says how long messages wait at most', async () => {
  const world = await new QueueWorld({ messageMilliseconds: 1000 }).start();
  world.push('a');
  await world.clock.advance(3000);
  assert.equal(await world.bodies(), []);
});

test('a queue that is not used is deleted in time; one with a consumer, or new messages, is not', async () => {
  const world = await new QueueWorld({ expiryMilliseconds: 10_000 }).start();
  for (const queue of ['idle', 'consumed', 'fed']) world.push('a', undefined, queue);
  const consumer = world.consume({}, 'consumed');
  for (let i = 0; i < 3; i++) {
    await world.clock.advance(5000);
    world.push('b', undefined, 'fed');
  }
  assert.equal(world.queues.list(), ['consumed', 'fed']);
  consumer.consumption?.cancel();
  await world.clock.advance(12_000);
  assert.equal(world.queues.list(), []);
});

test('after a restart, queues that nobody asks for any more are deleted in time as well', async () => {
  const world = await new QueueWorld({ expiryMilliseconds: 10_000 }).start();
  world.push('a');
  await world.settle();
  await world.restart();
  await world.clock.advance(8000);
  assert.equal(world.queues.list(), ['q']);
  await world.clock.advance(5000);
  assert.equal(world.queues.list(), []);
});

test('settings: those of the first use; others are refused with both values', async () => {
  const world = await new QueueWorld({ maxDeliveries: 7 }).start();
  const first = world.consume({}, 'q', { maxMessages: 5 });
  assert.is(await outcome(first.consumption?.opened, world), 'ok');
  const status = await world.queues.status('q');
  assert.equal([status?.settings.maxMessages, status?.settings.maxDeliveries, status?.consumers], [5, 7, 1]);
  const other = world.consume({}, 'q', { maxMessages: 6 });
  assert.is(await outcome(other.consumption?.opened, world), 'maxMessages of the queue is 5, not 6');
  assert.is(other.error?.code, 'fieldInvalid');
  assert.is(
    await outcome(world.queues.declare('q', { maxDeliveries: 8 }), world),
    'maxDeliveries of the queue is 7, not 8',
  );
  await world.restart();
  const late = world.consume({}, 'q', { maxMessages: 6 });
  assert.is(
    await outcome(late.consumption?.opened, world),
    'maxMessages of the queue is 5, not 6',
    'while it opens, too',
  );
});

test('settings that contradict each other, and names that are none, are refused with the reason', async () => {
  const world = await new QueueWorld().start();
  const declare = (name: string, settings: object): Promise<string> =>
    outcome(world.queues.declare(name, settings), world);
  assert.match(await declare('q', { overflow: 'deadLetterOldest' }), /overflow.*deadLetterQueue is empty/);
  assert.match(await declare('q', { deadLetterQueue: 'q' }), /deadLetterQueue is the queue itself/);
  assert.match(await declare('q', { deadLetterQueue: 'a/#' }), /deadLetterQueue contains a wildcard/);
  assert.match(await declare('q', { retryMilliseconds: 9, retryMaxMilliseconds: 8 }), /retryMilliseconds is 9.*8/);
  assert.match(await declare('q', { bindings: ['a/#/b'] }), /bindings: "a\/#\/b" has # before/);
  assert.match(await declare('q', { bindings: ['$queue/x'] }), /begins with \$/);
  assert.match(await declare('', {}), /name of the queue is empty/);
  assert.match(await declare('a+', {}), /name of the queue contains a wildcard/);
  assert.match(await declare('x'.repeat(1020), {}), /longer than/);
  world.push('a', undefined, 'a+', 1);
  await world.settle();
  assert.match(world.answers[0] ?? '', /1 topicInvalid: the name of the queue/);
  assert.equal(world.queues.list(), []);
});

test('there are no more queues than allowed', async () => {
  const world = await new QueueWorld({}, { queues: 2 }).start();
  for (const [token, queue] of ['a', 'b', 'c', 'a'].entries()) world.push('x', undefined, queue, token);
  await world.settle();
  assert.equal(world.answers.sort(), ['0', '1', '2 quota: there are 2 queues already; limits.queues is 2', '3']);
});

test('settings in the store that cannot be read are logged, and taken for the defaults of all', async () => {
  const world = new QueueWorld();
  for (const [i, bytes] of ['', '{', '{"settings":7}', '{"settings":{"maxMessages":-1}}'].entries())
    await world.state.put('queues', `q${i}`, Buffer.from(bytes));
  await world.start();
  assert.is(world.logged.length, 4);
  const consumer = world.consume({}, 'q3');
  world.push('a', undefined, 'q3');
  await world.settle();
  assert.equal(consumer.got, ['a']);
});

test('browse shows all, also what is with consumers; count, purge and delete', async () => {
  const world = await new QueueWorld().start();
  for (const body of ['a', 'b', 'c', 'd']) world.push(body);
  const consumer = world.consume({ prefetch: 1 });
  await world.settle();
  const portion = await world.queues.browse('q', 0, 3);
  assert.equal(
    [portion.messages.length, (await world.queues.browse('q', portion.next ?? 0, 3)).messages.length],
    [3, 1],
  );
  const status = await world.queues.status('q');
  assert.equal([status?.messages, status?.bytes, status?.unsettled, status?.node], [4, 4, 1, 'node']);
  const purged = world.queues.purge('q');
  await world.settle();
  assert.is(await purged, 3);
  assert.equal([await world.bodies(), consumer.got], [['a'], ['a']]);
  assert.match(await outcome(world.queues.delete('q', { ifEmpty: true }), world), /1 messages in the queue/);
  assert.match(await outcome(world.queues.delete('q', { ifUnused: true }), world), /1 consumers/);
  assert.is(await world.queues.delete('q'), 1);
  assert.equal([consumer.error?.code, world.queues.list()], ['notFound', []]);
  assert.is(await world.queues.status('q'), undefined);
  assert.match(await outcome(world.queues.browse('q', 0, 1), world), /there is no queue "q"/);
  const again = world.consume();
  world.push('e');
  await world.settle();
  assert.equal(again.got, ['e'], 'one that is made anew is empty');
});

test('a queue that is used while it is deleted is made anew, when the old one is gone', async () => {
  let finish: () => void = () => {};
  const world: QueueWorld = new QueueWorld(
    {},
    {},
    {
      open: async (name, receiver) => {
        const store = await world.kept.open(name, receiver);
        const destroy = store.destroy.bind(store);
        store.destroy = () =>
          new Promise<void>((done) => {
            finish = done;
          }).then(destroy);
        return store;
      },
    },
  );
  await world.start();
  world.push('old');
  await world.settle();
  const deleted = world.queues.delete('q');
  await world.settle();
  world.push('new', undefined, 'q', 7);
  await world.settle();
  assert.equal(world.answers, ['0']);
  finish();
  await deleted;
  await world.settle();
  assert.equal([world.answers, await world.bodies(), world.queues.list()], [['0', '7'], ['new'], ['q']]);
});

test('a store that is lost ends the consumers; the next use opens it again', async () => {
  const world = await new QueueWorld().start();
  const consumer = world.consume();
  world.push('a');
  await world.settle();
  // Opened by someone else, it is lost here.
  await world.kept.open('q', { take() {}, lost() {} });
  await world.settle();
  assert.is(consumer.error?.code, 'unavailable');
  const next = world.consume();
  await world.settle();
  assert.equal(next.got, ['a*']);
});

test('dropped: another node has it now', async () => {
  const world = await new QueueWorld().start();
  const consumer = world.consume();
  world.push('a');
  await world.settle();
  world.queues.drop('q');
  await world.settle();
  assert.is(consumer.error?.code, 'unavailable');
  const elsewhere: string[] = [];
  const store = await world.kept.open('q', { take: (entries) => elsewhere.push(String(entries.length)), lost() {} });
  store.want(1);
  await world.settle();
  assert.equal(elsewhere, ['1']);
});

test('where a queue cannot be opened, publishers and consumers hear why, and the next use tries again', async () => {
  let broken = true;
  const world: QueueWorld = new QueueWorld(
    {},
    {},
    {
      open: (name, receiver) => {
        if (broken) throw new Error('a disk that fails');
        return world.kept.open(name, receiver);
      },
    },
  );
  await world.start();
  world.push('a', undefined, 'q', 1);
  const consumer = world.consume();
  await world.settle();
  assert.equal([world.answers, consumer.error?.code], [['1 internal: Error: a disk that fails'], 'internal']);
  broken = false;
  world.push('b', undefined, 'q', 2);
  await world.settle();
  assert.equal(world.answers.at(-1), '2');
});

test('a request to a queue that nobody consumes is not put in it, and is said to be heard by none', async () => {
  const world = await new QueueWorld().start();
  let nobody = 0;
  const ask = async (): Promise<void> => {
    world.request('q', 'question', () => nobody++);
    await world.settle();
  };
  await ask();
  world.push('a');
  await ask();
  assert.equal([nobody, await world.bodies()], [2, ['a']]);
  const consumer = world.consume();
  await ask();
  assert.equal([nobody, consumer.got], [2, ['a', 'question']]);
});

test.run();
