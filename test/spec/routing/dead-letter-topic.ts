import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { bodyOf, QueueWorld } from './support/queues.ts';

const test = suite('routing/dead letters on a topic');

async function rejecting(world: QueueWorld, bodies: readonly string[]): Promise<void> {
  await world.declare('q', { deadLetterTopic: 'dead/letters' });
  const consumer = world.consume();
  await world.settle();
  for (const body of bodies) {
    world.push(body, { key: 'k', expiresAt: world.clock.now() + 100_000 });
    await world.settle();
    consumer.settle(body, 'reject');
  }
  await world.settle();
}

test('published there, logged, with the reason, the count, the origin and the time; and out of the queue', async () => {
  const world = await new QueueWorld().start();
  await rejecting(world, ['a']);
  const [letter] = world.published;
  assert.equal([letter?.topic, letter?.qos, letter?.retain], ['dead/letters', 1, false]);
  assert.equal(letter?.properties, {
    key: 'k',
    user: [
      ['dead-letter-reason', 'rejected'],
      ['dead-letter-count', '1'],
      ['dead-letter-queue', 'q'],
      ['dead-letter-time', String(world.clock.now())],
    ],
  });
  assert.equal([await world.bodies(), world.counters.deadLettered], [[], 1]);
});

test('a live one (QoS 0) is logged there, too', async () => {
  const world = await new QueueWorld().start();
  await world.declare('q', { deadLetterTopic: 'dead', messageMilliseconds: 1 });
  world.request('q', 'unheard', () => {});
  const consumer = world.consume({ prefetch: 1 });
  await world.settle();
  world.request('q', 'a', () => {});
  await world.settle();
  assert.equal(consumer.got, ['a']);
  consumer.settle('a', 'reject');
  await world.settle();
  assert.equal(
    world.published.map((each) => `${bodyOf(each)} ${each.qos}`),
    ['a 1'],
  );
});

test('what the log refuses stays in the queue, and is tried again until it is taken', async () => {
  const world = await new QueueWorld().start();
  world.refusals.push(new BrokerError('unavailable', 'full'), new BrokerError('unavailable', 'full'));
  await rejecting(world, ['a']);
  assert.equal([await world.bodies(), world.published.length], [['a'], 1]);
  await world.clock.advance(6000);
  assert.equal([await world.bodies(), world.published.length], [['a'], 2]);
  await world.clock.advance(6000);
  assert.equal([await world.bodies(), world.published.length], [[], 3]);
  assert.is(new Set(world.published.map(({ dedupId }) => dedupId)).size, 1, 'the log knows it again');
});

test('after a crash before it was taken it is in the queue, not lost', async () => {
  const world = await new QueueWorld().start();
  world.refusals.push(new BrokerError('unavailable', 'full'));
  await rejecting(world, ['a']);
  await world.crash();
  const next = world.consume();
  await world.settle();
  assert.equal(next.got, ['a*']);
});

test('the oldest of a full queue goes there', async () => {
  const world = await new QueueWorld().start();
  await world.declare('q', { deadLetterTopic: 'dead', overflow: 'deadLetterOldest', maxMessages: 1 });
  for (const body of ['a', 'b', 'c']) {
    world.push(body);
    await world.clock.advance(2000);
  }
  assert.equal([world.published.map(bodyOf), await world.bodies()], [['a', 'b'], ['c']]);
});

test('what goes round through a topic that is bound to the queue is bounded', async () => {
  const world = await new QueueWorld({}, { deadLetterHops: 3 }).start();
  await world.declare('q', { deadLetterTopic: 'dead', messageMilliseconds: 1, bindings: ['dead'] });
  world.push('a');
  for (let i = 0; i < 10; i++) {
    await world.clock.advance(2000);
    for (const letter of world.published.splice(0)) world.queues.push('q', letter, world.receiver, 0);
  }
  assert.equal([world.counters.deadLettered, world.counters.droppedExpired, await world.bodies()], [3, 1, []]);
});

test('what goes round through a topic that is bound to several queues does not become ever more', async () => {
  const world = await new QueueWorld({}, { deadLetterHops: 16 }).start();
  const names = ['a', 'b', 'c'];
  for (const name of names) {
    await world.declare(name, { deadLetterTopic: 'dead', messageMilliseconds: 1, bindings: ['dead'] });
  }
  for (const name of names) world.push('x', {}, name);
  let most = 0;
  for (let i = 0; i < 10; i++) {
    await world.clock.advance(2000);
    const letters = world.published.splice(0);
    most += letters.length;
    assert.ok(most < 100, `${most} letters of one message`);
    for (const letter of letters) {
      for (const name of names) {
        const copy = letter.with(1, false);
        copy.dedupId = letter.dedupId;
        world.queues.push(name, copy, world.receiver, 0);
      }
    }
  }
  // 3 at first, 9 of them that share what is left of 16 hops, 27, and the 81 of these end.
  assert.equal([most, world.counters.droppedExpired], [39, 81]);
  for (const name of names) assert.equal(await world.bodies(name), []);
});

test('where dead letters go is said once: a topic or a queue, which the default gives way to', async () => {
  const world = await new QueueWorld({ deadLetterQueue: 'usual' }).start();
  await world.declare('q', { deadLetterTopic: 'dead' });
  await world.declare('r', { deadLetterQueue: 'other' });
  const { catalog } = world;
  assert.equal([catalog.get('q')?.deadLetterQueue, catalog.get('q')?.deadLetterTopic], ['', 'dead']);
  assert.equal([catalog.get('r')?.deadLetterQueue, catalog.get('r')?.deadLetterTopic], ['other', '']);
  for (const [settings, text] of [
    [{ deadLetterTopic: 'a', deadLetterQueue: 'b' }, /both deadLetterQueue and deadLetterTopic/],
    [{ deadLetterTopic: 'a/#' }, /deadLetterTopic contains a wildcard/],
    [{ deadLetterTopic: '$SYS/x' }, /deadLetterTopic begins with \$/],
    [{ deadLetterTopic: '$queue/x' }, /deadLetterTopic names a queue; deadLetterQueue/],
    [{ deadLetterTopic: '$exchange/mine/k' }, /deadLetterTopic names no exchange/],
  ] as const)
    assert.throws(() => catalog.proposed('s', settings), text);
  assert.is(catalog.proposed('s', { deadLetterTopic: '$exchange/amq.direct/k' }).overflow, 'refuse');
});

test.run();
