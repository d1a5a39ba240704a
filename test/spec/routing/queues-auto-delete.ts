import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { QueueWorld } from './support/queues.ts';

const test = suite('routing/queues that go with their last consumer');

async function world(settings: object = {}): Promise<QueueWorld> {
  const made = await new QueueWorld().start();
  await made.declare('q', { autoDelete: true, ...settings });
  return made;
}

test('it goes when the last of several goes, with what is in it, which is counted', async () => {
  const { queues, counters, ...rest } = { ...(await opened()) };
  const [one, two] = rest.consumers;
  one?.consumption?.cancel();
  await rest.settle();
  assert.equal(queues.list(), ['q']);
  two?.consumption?.cancel();
  await rest.settle();
  assert.equal([queues.list(), counters.droppedQueue], [[], 2]);
});

async function opened() {
  const made = await world();
  const consumers = [made.consume({ prefetch: 1 }), made.consume({ prefetch: 1 })];
  await made.settle();
  for (const body of ['1', '2']) made.push(body);
  await made.settle();
  return { queues: made.queues, counters: made.counters, consumers, settle: () => made.settle() };
}

test('never before it had one, whatever comes and goes', async () => {
  const made = await world();
  made.push('1');
  await made.clock.advance(100_000);
  assert.equal([made.queues.list(), await made.bodies()], [['q'], ['1']]);
  await made.restart();
  await made.clock.advance(100_000);
  assert.equal([made.queues.list(), await made.bodies()], [['q'], ['1']]);
});

test('at once: what is sent next finds another queue, and so does the next consumer', async () => {
  const made = await world();
  const consumer = made.consume();
  await made.settle();
  made.push('old');
  await made.settle();
  consumer.consumption?.cancel();
  made.push('new', undefined, 'q', 5);
  const next = made.consume({}, 'q', { autoDelete: false });
  await made.settle();
  assert.equal([next.got, next.error], [['new'], undefined]);
  assert.is(made.answers.at(-1), '5');
});

test('a stop of the broker is no end of its consumers', async () => {
  const made = await world();
  made.consume();
  await made.settle();
  made.push('1');
  await made.settle();
  await made.restart();
  assert.equal(await made.bodies(), ['1']);
});

test('for a consumer that is out of reach it is kept a while; once it is back, it goes at once with it', async () => {
  const made = await world();
  const [first, second] = [made.consume(), made.consume()];
  await made.settle();
  made.push('1');
  await made.settle();
  second.consumption?.cancel();
  first.consumption?.interrupted?.();
  await made.clock.advance(20_000);
  assert.equal(await made.bodies(), ['1']);
  const back = made.consume();
  await made.settle();
  assert.equal(back.got, ['1*']);
  back.consumption?.cancel();
  await made.settle();
  assert.equal(made.queues.list(), []);
  const other = await world();
  const lost = other.consume();
  await other.settle();
  lost.consumption?.interrupted?.();
  await other.clock.advance(29_000);
  assert.equal(other.queues.list(), ['q']);
  await other.clock.advance(3000);
  assert.equal(other.queues.list(), []);
});

test('without the setting a queue outlives its consumers', async () => {
  const made = await world({ autoDelete: false });
  made.consume().consumption?.cancel();
  await made.settle();
  made.consume().consumption?.cancel();
  await made.clock.advance(10_000);
  assert.equal(made.queues.list(), ['q']);
});

test('a consumer of ours that fails takes the queue along, too, a moment later', async () => {
  const made = await world();
  const consumer = made.consume();
  await made.settle();
  consumer.onTake = () => {
    throw new Error('a fault of ours');
  };
  made.push('1');
  await made.clock.advance(3000);
  assert.equal(made.queues.list(), []);
});

test('a message of a priority above the queue’s counts as one of that', async () => {
  const made = await new QueueWorld().start();
  await made.declare('q', { maxPriority: 5 });
  for (const [body, priority] of [
    ['a', 5],
    ['b', 9],
    ['c', 7],
    ['d', 4],
  ] as const)
    made.push(body, { priority });
  await made.settle();
  const consumer = made.consume();
  await made.settle();
  assert.equal(consumer.got, ['a', 'b', 'c', 'd']);
  assert.equal(
    consumer.messages.map(({ properties }) => properties?.priority),
    [5, 5, 5, 4],
  );
});

test.run();
