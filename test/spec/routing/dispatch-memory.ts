import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Bench } from './support/source.ts';

/** What a dispatcher has in memory is bounded in bytes, whatever prefetch, sizes and keys are. */

const test = suite('routing/dispatch-memory');

const KiB = 1024;
const MiB = 1024 * KiB;
const large = 'x'.repeat(100 * KiB);

test('a consumer has so many bytes unsettled at most, whatever its prefetch; others get the rest', () => {
  const bench = new Bench({ consumerBytes: MiB });
  for (let i = 0; i < 100; i++) bench.add(large);
  const greedy = bench.attach({ prefetch: 65_535 });
  bench.give();
  assert.is(greedy.got.length, 11, 'as many as there is room for, and the one that fills it');
  const other = bench.attach({ prefetch: 1 });
  bench.give();
  assert.is(other.got.length, 1, 'one that settles nothing holds nobody up');
  greedy.settleAll();
  bench.give();
  assert.ok(greedy.got.length > 11, 'what is settled makes room');
});

test('headers count: a message without a payload is not for nothing', () => {
  const bench = new Bench({ consumerBytes: MiB });
  for (let i = 0; i < 100; i++) bench.add('', { user: [['name', large]] });
  const consumer = bench.attach({ prefetch: 65_535 });
  bench.give();
  assert.is(consumer.got.length, 11);
});

test('a message larger than all that is allowed is given all the same', () => {
  const bench = new Bench({ consumerBytes: KiB, memoryBytes: KiB });
  for (let i = 0; i < 3; i++) bench.add(large);
  const consumer = bench.attach({ prefetch: 10 });
  for (let i = 0; i < 3; i++) {
    bench.give();
    assert.is(consumer.got.length, i + 1);
    consumer.settleAll();
  }
});

test('what waits for consumers that have no room is not more than so many bytes', () => {
  const bench = new Bench({ consumerBytes: MiB, memoryBytes: MiB });
  for (let i = 0; i < 100; i++) bench.add(large);
  for (let i = 0; i < 10; i++) bench.attach({ prefetch: 65_535 }).open = false;
  bench.give();
  const waiting = 100 - bench.waiting.length - bench.released.length;
  assert.ok(waiting <= 21, `${waiting} messages of 100 KiB wait; twice 1 MiB is allowed`);
  assert.is(bench.wanted, 0, 'and no more are asked for');
});

test('large messages behind small ones: those that are too many go back, and no more are asked for', () => {
  const bench = new Bench({ memoryBytes: MiB });
  for (let i = 0; i < 10; i++) bench.add('small');
  for (let i = 0; i < 100; i++) bench.add(large);
  const consumer = bench.attach({ prefetch: 65_535 });
  consumer.open = false;
  const asked = bench.wanted;
  bench.give();
  assert.ok(asked >= 50, 'more were asked for than there is memory for');
  assert.is(bench.released.length, asked - bench.dispatcher.waiting);
  assert.ok(bench.dispatcher.waiting <= 31, `${bench.dispatcher.waiting} wait`);
  assert.is(bench.wanted, 0);
});

test('messages of a key that wait behind a retry count; when it is over, they go on', async () => {
  const bench = new Bench({ memoryBytes: MiB, consumerBytes: MiB });
  for (let i = 0; i < 100; i++) bench.add(large, { key: 'k' });
  const consumer = bench.attach({ prefetch: 1 });
  bench.give();
  consumer.settle(large, 'requeue', 1000);
  bench.give();
  assert.ok(bench.dispatcher.waiting <= 20, `${bench.dispatcher.waiting} wait`);
  await bench.clock.advance(1001);
  for (let i = 0; i < 200 && bench.dispatcher.unsettled > 0; i++) {
    consumer.settleAll();
    bench.give();
  }
  assert.is(consumer.got.length, 101);
  assert.is(bench.dispatcher.waiting, 0);
});

test.run();
