import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import type { Recorder } from './support/queues.ts';
import { Bench } from './support/source.ts';

const test = suite('routing/dispatch');

/** As many as there are letters, each a message. */
function filled(bodies: string, bench = new Bench()): Bench {
  for (const body of bodies) bench.add(body);
  return bench;
}

const gotOf = (...consumers: Recorder[]): string[] => consumers.map(({ got }) => got.join(''));

test('consumers get messages in turn, each no more than its prefetch', () => {
  const bench = filled('abcdefgh');
  const [one, two] = [bench.attach({ prefetch: 2 }), bench.attach({ prefetch: 3 })];
  bench.give();
  assert.equal(gotOf(one, two), ['ac', 'bde']);
  one.settle('a');
  assert.equal(gotOf(one, two), ['acf', 'bde']);
  assert.equal(bench.removed, [1]);
  assert.is(bench.dispatcher.unsettled, 5);
});

test('a consumer that is not ready is left out until it says so', () => {
  const bench = filled('abc');
  const [one, two] = [bench.attach({ prefetch: 1 }), bench.attach({ prefetch: 5 })];
  two.open = false;
  bench.give();
  assert.equal(gotOf(one, two), ['a', '']);
  two.open = true;
  assert.equal(gotOf(one, two), ['a', '']);
  two.consumption?.pump();
  assert.equal(gotOf(one, two), ['a', 'bc']);
});

test('consumers of a lower priority get what those of a higher one have no room for', () => {
  const bench = filled('abcde');
  const [low, high] = [bench.attach({ priority: -5 }), bench.attach({ priority: 5, prefetch: 2 })];
  bench.give();
  assert.equal(gotOf(low, high), ['cde', 'ab']);
  bench.add('f');
  high.settle('a');
  bench.give();
  assert.equal(gotOf(low, high), ['cde', 'abf']);
});

test('nothing is asked for without consumers, and what they have room for, and little more, with them', () => {
  const bench = new Bench();
  assert.is(bench.wanted, 0);
  const consumer = bench.attach({ prefetch: 10 });
  assert.is(bench.wanted, 20);
  consumer.consumption?.cancel();
  bench.attach({ prefetch: 1_000_000 });
  assert.ok(bench.wanted <= 4096 + 256 + 20, String(bench.wanted));
});

test('where messages have priorities, none is held ready: it would be in the way of a higher one', () => {
  const bench = filled('abc');
  bench.dispatcher.announce(5);
  const consumer = bench.attach({ prefetch: 1 });
  assert.is(bench.wanted, 1);
  bench.give();
  assert.equal([consumer.got, bench.wanted], [['a'], 0]);
});

test('with the last consumer, all goes back to the source, with how often it was delivered', () => {
  const bench = filled('abc');
  const consumer = bench.attach({ prefetch: 2 });
  bench.give();
  consumer.consumption?.cancel();
  assert.equal(bench.released, ['1 0 1', '2 0 1', '3 0 0']);
  const { consumers, waiting, unsettled } = bench.dispatcher;
  assert.equal({ consumers, waiting, unsettled }, { consumers: 0, waiting: 0, unsettled: 0 });
});

test('what a consumer that goes has not settled comes first, marked as redelivered', () => {
  const bench = filled('abcd');
  const one = bench.attach({ prefetch: 2 });
  const two = bench.attach({ prefetch: 1 });
  bench.give();
  assert.equal(gotOf(one, two), ['ac', 'b']);
  one.consumption?.cancel();
  for (const body of ['b', 'a', 'c']) two.settle(body);
  assert.equal(two.got, ['b', 'a*', 'c*', 'd']);
  assert.equal(
    two.deliveries.map(({ count }) => count),
    [1, 2, 2, 1],
  );
  one.settle('a');
  assert.equal(bench.removed, [2, 1, 3], 'what it settles afterwards means nothing');
});

test('given back: after a time that doubles with each delivery, up to a limit, or as the consumer wants', () => {
  const bench = filled('a', new Bench({ retryMilliseconds: 100, retryMaxMilliseconds: 300 }));
  const consumer = bench.attach({ prefetch: 1 });
  bench.give();
  const release = (deliveries: number, delay?: number): string | undefined => {
    consumer.settle('a', 'requeue', delay);
    const entry = { id: 1, message: consumer.messages[0], deliveries, redelivered: true };
    const { message } = entry;
    if (message !== undefined) bench.dispatcher.take([{ ...entry, message }]);
    return bench.released.at(-1);
  };
  assert.equal([release(1), release(2), release(3)], ['1 100 1', '1 200 2', '1 300 3']);
  assert.is(release(4, 7000), '1 7000 4');
  consumer.settle('a', 'requeue', 0);
  assert.is(consumer.got.length, 6, 'at once');
});

test('a message that was delivered as often as is allowed is given up, as is one that is rejected', () => {
  const bench = filled('abc', new Bench({ maxDeliveries: 2 }));
  const consumer = bench.attach({ prefetch: 1 });
  bench.give();
  consumer.settle('a', 'requeue');
  // At once, whatever it would have waited.
  consumer.settle('a', 'requeue', 5000);
  consumer.settle('b', 'reject');
  bench.give();
  assert.equal(consumer.got, ['a', 'a*', 'b', 'c']);
  assert.equal(bench.dead, ['a deliveries 2', 'b rejected 1']);
});

test('a consumer that stays silent loses its message to another; its late answer means nothing', async () => {
  const bench = filled('ab', new Bench({ ackMilliseconds: 1000 }));
  const [one, two] = [bench.attach({ prefetch: 1 }), bench.attach({ prefetch: 2 })];
  bench.give();
  await bench.clock.advance(600);
  two.settle('b');
  one.open = false;
  await bench.clock.advance(399);
  assert.equal(two.got, ['b']);
  await bench.clock.advance(1);
  assert.equal(two.got, ['b', 'a*']);
  one.settle('a');
  assert.equal(bench.removed, [2]);
  two.settle('a');
  assert.equal(bench.removed, [2, 1]);
});

test('an expired message is not delivered', async () => {
  const bench = new Bench({ messageMilliseconds: 5000 });
  bench.add('a', { expiresAt: bench.clock.now() + 100 });
  bench.add('b');
  const consumer = bench.attach({ prefetch: 1 });
  consumer.open = false;
  bench.give();
  await bench.clock.advance(100);
  bench.dispatcher.sweep();
  assert.equal(bench.dead, ['a expired 0']);
  await bench.clock.advance(4900);
  consumer.open = true;
  consumer.consumption?.pump();
  assert.equal([consumer.got, bench.dead], [[], ['a expired 0', 'b expired 0']]);
});

test('a single active consumer: the first; when it goes, the next by priority and age', () => {
  const bench = filled('abcd', new Bench({ singleActiveConsumer: true }));
  const first = bench.attach({ prefetch: 1 });
  const [second, third] = [bench.attach({ prefetch: 2 }), bench.attach({ prefetch: 2, priority: 1 })];
  bench.give();
  assert.equal(gotOf(first, second, third), ['a', '', '']);
  first.consumption?.cancel();
  assert.equal(gotOf(first, second, third), ['a', '', 'a*b']);
  third.consumption?.cancel();
  assert.is(second.got[0], 'a*');
});

test('an exclusive consumer is refused beside others, and others beside it', () => {
  const bench = new Bench();
  const plain = bench.attach();
  assert.throws(() => bench.attach({ exclusive: true }), /only one/);
  plain.consumption?.cancel();
  const exclusive = bench.attach({ exclusive: true });
  assert.throws(() => bench.attach(), /exclusive/);
  exclusive.consumption?.cancel();
  bench.attach();
});

test('a consumer that throws is dropped, and its messages go to others', () => {
  const bench = filled('ab');
  const bad = bench.attach({ prefetch: 5, priority: 1 });
  const good = bench.attach();
  bad.onTake = () => {
    throw new Error('a consumer with an error');
  };
  bench.give();
  bench.clock.settle();
  assert.equal([bad.got, bad.error?.code, bench.dispatcher.consumers], [['a'], 'internal', 1]);
  assert.is(bench.logged.length, 1);
  assert.ok(good.got.includes('b'));
});

test('a consumer may settle, give back, or go while it is given a message', async () => {
  const bench = filled('abc');
  const consumer = bench.attach({ prefetch: 1 });
  let returned = 0;
  consumer.onTake = (body) => {
    if (body === 'd') consumer.consumption?.cancel();
    else if (body === 'b' && returned++ < 3) consumer.settle(body, 'requeue');
    else consumer.settle(body);
  };
  bench.give();
  await bench.clock.settle();
  assert.equal(consumer.got, ['a', 'b', 'c', 'b*', 'b*', 'b*'], 'each time in another turn');
  assert.equal(bench.removed, [1, 3, 2]);
  for (const body of 'de') bench.add(body);
  bench.give();
  assert.equal([consumer.got.at(-1), bench.dispatcher.consumers, bench.released.at(-2)], ['d', 0, '4 0 1']);
});

test('at the end consumers are told why, and what is not settled goes back; nothing does when the source is lost', () => {
  for (const lost of [false, true]) {
    const bench = filled('abc');
    const consumer = bench.attach({ prefetch: 1 });
    bench.give();
    bench.dispatcher.close(new BrokerError('unavailable'), lost);
    assert.is(consumer.error?.code, 'unavailable');
    assert.is(bench.released.length, lost ? 0 : 2);
  }
});

test.run();
