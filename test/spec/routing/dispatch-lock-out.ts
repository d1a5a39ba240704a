import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Bench } from './support/source.ts';

const test = suite('routing/dispatch: consumers that lock others out');

function given(bench: Bench, bodies: string): void {
  for (const body of bodies) bench.add(body);
  bench.give();
}

test('it alone gets messages from when it comes; what others have stays theirs', () => {
  const bench = new Bench();
  const plain = bench.attach({ prefetch: 2 });
  given(bench, 'ab');
  const first = bench.attach({ prefetch: 2, locksOut: true });
  const second = bench.attach({ prefetch: 2, locksOut: true });
  plain.settle('a');
  given(bench, 'cdef');
  assert.equal([plain.got, first.got, second.got], [['a', 'b'], ['c', 'd'], []]);
  first.settleAll();
  bench.give();
  assert.equal([plain.got.length, first.got, second.got], [2, ['c', 'd', 'e', 'f'], []]);
});

test('when it goes the next of its kind takes over, and all without one', () => {
  const bench = new Bench();
  const plain = bench.attach({ prefetch: 1 });
  const first = bench.attach({ prefetch: 1, locksOut: true });
  const second = bench.attach({ prefetch: 1, locksOut: true });
  given(bench, 'abc');
  first.consumption?.cancel();
  bench.give();
  assert.equal([plain.got, first.got, second.got], [[], ['a'], ['a*']]);
  second.consumption?.cancel();
  bench.give();
  assert.equal(plain.got, ['a*']);
  plain.settleAll();
  bench.give();
  assert.equal(plain.got, ['a*', 'b']);
});

test('one of a higher priority takes over at once', () => {
  const bench = new Bench();
  const first = bench.attach({ prefetch: 1, locksOut: true });
  given(bench, 'ab');
  const higher = bench.attach({ prefetch: 5, locksOut: true, priority: 1 });
  bench.give();
  first.settleAll();
  given(bench, 'c');
  assert.equal([first.got, higher.got], [['a'], ['b', 'c']]);
});

test('of a queue with a single active consumer, it waits for its turn', () => {
  const bench = new Bench({ singleActiveConsumer: true });
  const plain = bench.attach({ prefetch: 1 });
  const locking = bench.attach({ prefetch: 1, locksOut: true });
  given(bench, 'ab');
  assert.equal([plain.got, locking.got], [['a'], []]);
  plain.consumption?.cancel();
  bench.give();
  assert.equal(locking.got, ['a*']);
});

test.run();
