import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OnlyNode } from '../../../adapters/shared/single-node.ts';
import type { BrokerError } from '../../../src/core/errors.ts';
import type { GroupHost } from '../../../src/routing/hosts.ts';
import { Peers } from '../../../src/routing/peers/peers.ts';
import { bodyOf, messageOf, QueueWorld, Recorder } from './support/queues.ts';

/** What clients can ask of queues does not fill the memory, and does not go on for ever by itself. */

const test = suite('routing/queues-abuse');

function peersOf(world: QueueWorld): Peers {
  const groups = (): GroupHost => {
    throw new Error('there are no groups here');
  };
  const hosts = { queues: world.queues, catalog: world.catalog, groups };
  const peers = new Peers(new OnlyNode(world.clock), hosts, world.clock, world.logger, 1024 * 1024);
  return peers;
}

test('100,000 names when there are as many queues as there may be: refused, and nothing is remembered of them', async () => {
  const world = await new QueueWorld().start();
  const { queues } = peersOf(world);
  const push = (name: string): void => queues.push(name, messageOf('x'), world.receiver, 0);
  for (let i = 0; i < 20; i++) push(`there-${i}`);
  await world.settle();
  assert.equal(world.answers.splice(0), new Array(20).fill('0'));
  for (let i = 0; i < 100_000; i++) push(`new-${i}`);
  await world.settle();
  assert.is(world.answers.length, 100_000);
  assert.ok(world.answers.every((each) => each.startsWith('0 quota: there are 20 queues already')));
  const errors: (BrokerError | undefined)[] = [];
  for (let i = 0; i < 1000; i++) {
    const consumer = new Recorder();
    queues.consume(`new-${i}`, consumer, consumer.options);
    await world.settle();
    errors.push(consumer.error);
    await assertRefused(queues.declare(`newer-${i}`, {}));
  }
  assert.ok(errors.every((error) => error?.code === 'quota'));
  assert.is(queues.ownership.size, 20);
});

test('100,000 names at once: what is on its way to be made is bounded, too', async () => {
  const world = await new QueueWorld().start();
  const { queues } = peersOf(world);
  for (let i = 0; i < 100_000; i++) queues.push(`q${i}`, messageOf('x'), world.receiver, 0);
  assert.ok(queues.ownership.size < 5000);
  await world.settle();
  assert.is(world.answers.length, 100_000);
  assert.is(world.queues.list().length, 20);
});

test('messages for a queue whose owner is not known yet: so many bytes, the others are refused', async () => {
  const world = await new QueueWorld().start();
  const { queues } = peersOf(world);
  const body = 'x'.repeat(100_000);
  for (let i = 0; i < 20; i++) queues.push('q', messageOf(body), world.receiver, i);
  await world.settle();
  const refused = world.answers.filter((each) => each.includes('limits.peerBytes'));
  assert.ok(refused.length > 8 && refused.length < 12, String(refused.length));
  assert.is(world.answers.length, 20);
  queues.push('q', messageOf(body), world.receiver, 20);
  await world.settle();
  assert.is(world.answers.at(-1), '20');
});

test('names with settings that cannot be: refused, and nothing is remembered of them', async () => {
  const world = await new QueueWorld().start();
  const { queues } = peersOf(world);
  for (let i = 0; i < 1000; i++) await assertRefused(queues.declare(`q${i}`, { overflow: 'deadLetterOldest' }));
  assert.is(queues.ownership.size, 0);
});

async function assertRefused(promise: Promise<unknown>): Promise<void> {
  await promise.then(
    () => assert.unreachable('it was not refused'),
    () => {},
  );
}

test('too many bindings, or too long ones, are refused, and say what is allowed', async () => {
  const world = await new QueueWorld({}, { queueBindings: 10, queueBindingBytes: 100 }).start();
  const declare = async (bindings: string[]): Promise<string> => {
    const declared = world.queues.declare('q', { bindings }).then(
      () => 'made',
      (error: BrokerError) => error.message,
    );
    await world.settle();
    return declared;
  };
  const numbered = (count: number, text: string): string[] => Array.from({ length: count }, (_, i) => `${text}${i}`);
  assert.match(await declare(numbered(11, 'a')), /11 filters; at most 10 .*limits\.queueBindings/);
  assert.match(await declare(numbered(5, 'a'.repeat(20))), /105 bytes; at most 100 .*limits\.queueBindingBytes/);
  assert.is(await declare(numbered(10, 'a')), 'made');
});

test("what expires in queues that are each other's dead-letter queue does not go round for ever", async () => {
  const world = await new QueueWorld({}, { deadLetterHops: 5 }).start();
  await world.declare('a', { deadLetterQueue: 'b', messageMilliseconds: 1 });
  await world.declare('b', { deadLetterQueue: 'c', messageMilliseconds: 1 });
  await world.declare('c', { deadLetterQueue: 'a', messageMilliseconds: 1 });
  for (let i = 0; i < 10; i++) world.push(`${i}`, undefined, 'a');
  await world.clock.advance(60_000);
  for (const queue of ['a', 'b', 'c']) assert.equal(await world.bodies(queue), []);
  assert.is(world.counters.deadLettered, 10 * 5);
  assert.is(world.counters.droppedExpired, 10);
});

test('a circle with a consumer in it goes on: reject, wait in another queue, come back', async () => {
  const world = await new QueueWorld({}, { deadLetterHops: 2 }).start();
  await world.declare('work', { deadLetterQueue: 'wait' });
  await world.declare('wait', { deadLetterQueue: 'work', messageMilliseconds: 1000 });
  const consumer = world.consume({}, 'work');
  world.push('x', undefined, 'work');
  for (let round = 1; round <= 10; round++) {
    await world.settle();
    assert.is(consumer.got.length, round);
    consumer.settle('x', 'reject');
    await world.clock.advance(3000);
  }
});

test("headers of dead letters are the server's: a client's are taken off", async () => {
  const world = await new QueueWorld().start();
  await world.declare('q', { maxMessages: 1, overflow: 'deadLetterOldest', deadLetterQueue: 'dead' });
  const forged: [string, string][] = [
    ['dead-letter-queue', 'bank'],
    ['dead-letter-reason', 'rejected'],
    ['dead-letter-count', '9'],
    ['dead-letter-time', '0'],
    ['dead-letter-hops', '1000000'],
    ['mine', 'stays'],
  ];
  const consumer = world.consume();
  world.push('x', { user: forged, messageId: 'id' });
  await world.settle();
  assert.equal(consumer.messages[0]?.properties?.user, [['mine', 'stays']]);
  assert.is(consumer.messages[0]?.properties?.messageId, 'id');
  consumer.consumption?.cancel();
  world.push('y');
  await world.clock.advance(2000);
  assert.equal(await world.bodies('dead'), ['x'], 'it did not pass for one that had been there');
});

test('dead letters that are not taken are said to be so once, not each', async () => {
  const world = await new QueueWorld().start();
  await world.declare('dead', { maxMessages: 1 });
  await world.declare('q', { deadLetterQueue: 'dead' });
  for (let i = 0; i < 500; i++) world.push(`${i}`);
  const consumer = world.consume({ prefetch: 1000 });
  await world.settle();
  for (const body of [...consumer.unsettled.keys()]) consumer.settle(body, 'reject');
  await world.clock.advance(20_000);
  assert.ok(world.logged.length <= 5, `${world.logged.length} lines`);
  assert.is(world.counters.droppedQueue, 0, 'none of them is lost');
});

test('a consumer that gives back everything at once stops neither others nor other work', async () => {
  const world = await new QueueWorld().start();
  world.push('poison');
  let turns = 0;
  const storm = world.consume({ prefetch: 10 });
  storm.onTake = (body, { number }) => {
    if (++turns < 10_000) storm.consumption?.settle(number, 'requeue');
    storm.unsettled.delete(body);
  };
  let other = 0;
  const tick = (): void => {
    other++;
    if (turns < 10_000) world.clock.defer(tick);
  };
  tick();
  await world.settle();
  assert.is(turns, 10_000);
  assert.ok(other >= 5000, `others had ${other} turns in ${turns} deliveries`);
});

test('with maxDeliveries a poison message whose consumers all end goes away', async () => {
  const world = await new QueueWorld().start();
  await world.declare('q', { maxDeliveries: 3, deadLetterQueue: 'dead' });
  world.push('poison');
  for (let i = 0; i < 5; i++) {
    const consumer = world.consume();
    await world.settle();
    consumer.consumption?.cancel();
    await world.settle();
  }
  assert.equal(await world.bodies('dead'), ['poison']);
});

test("stored settings that are garbage, or another version's, end nothing", async () => {
  const kept = [
    '',
    '{',
    'null',
    '[]',
    '{"format":1}',
    '{"format":1,"settings":null}',
    '{"format":1,"settings":[]}',
    '{"settings":{"maxMessages":-1}}',
    '{"settings":{"maxMessages":1e300}}',
    '{"settings":{"unknown":1}}',
    '{"settings":{"bindings":["","a/#/b","$queue/x","#","\\ud800","a\\u0000"]}}',
    `{"settings":{"bindings":["${'/'.repeat(30_000)}"]}}`,
    '{"settings":{"overflow":"deadLetterOldest","retryMilliseconds":5}}',
    '{"settings":{"__proto__":{"maxMessages":1}}}',
  ];
  const world = new QueueWorld();
  for (const [i, text] of kept.entries()) await world.state.put('queues', `q${i}`, Buffer.from(text));
  await world.state.put('queues', 'bytes', Buffer.from([0xff, 0xfe, 0]));
  await world.start();
  assert.is(world.queues.list().length, kept.length + 1);
  for (const queue of world.queues.list()) {
    world.push('x', undefined, queue);
    await world.settle();
    assert.equal(await world.bodies(queue), ['x'], queue);
  }
  // Of those bindings, the one that is a filter.
  assert.equal(world.queues.bound('any/topic'), ['q10']);
  assert.equal(world.queues.bound('a/x/b'), ['q10']);
});

test('odd times: of a message without a consumer, and of one with', async () => {
  const world = await new QueueWorld().start();
  for (const time of [-1, 0, 0.5, 1, 999_999_999_999_999, Number.MAX_SAFE_INTEGER, 1e300]) {
    world.push(`deliver ${time}`, { deliverAt: time });
    world.push(`expire ${time}`, { expiresAt: time });
  }
  await world.clock.advance(5000);
  const consumer = world.consume();
  await world.settle();
  const far = ['expire 999999999999999', 'expire 9007199254740991', 'expire 1e+300'];
  assert.equal(consumer.messages.map(bodyOf).sort(), [
    ...['deliver -1', 'deliver 0', 'deliver 0.5', 'deliver 1'],
    ...far.sort(),
  ]);
});

test.run();
