import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Bench } from './support/source.ts';

const test = suite('routing/dispatch keys');

/** Messages of the keys `a`, `b`, …: `a1` is of key `a`; `-1` has none. */
function filled(bodies: string, bench = new Bench()): Bench {
  for (const body of bodies.split(' ')) bench.add(body, body.startsWith('-') ? undefined : { key: body.charAt(0) });
  return bench;
}

test('messages of one key are with one consumer, in order; others pass by', () => {
  const bench = filled('a1 a2 b1 -1 a3');
  const [one, two] = [bench.attach({ prefetch: 1 }), bench.attach({ prefetch: 2 })];
  bench.give();
  assert.equal([one.got, two.got], [['a1'], ['b1', '-1']]);
  one.settle('a1');
  assert.equal(one.got, ['a1', 'a2']);
  two.settle('-1');
  assert.equal(
    [one.got, two.got],
    [
      ['a1', 'a2'],
      ['b1', '-1'],
    ],
    'the key stays where some of it is unsettled',
  );
  one.consumption?.cancel();
  assert.equal(two.got, ['b1', '-1', 'a2*']);
  two.settle('b1');
  assert.equal(two.got.at(-1), 'a3');
});

test('a key is free again when all of it is settled', () => {
  const bench = filled('a1');
  const [one, two] = [bench.attach({ prefetch: 1 }), bench.attach({ prefetch: 1 })];
  bench.give();
  one.settle('a1');
  bench.add('a2', { key: 'a' });
  bench.give();
  assert.equal([one.got, two.got], [['a1'], ['a2']]);
});

test('a message that waits for its retry holds back those behind it of its key, and no others', async () => {
  const bench = filled('a1 a2 b1');
  const consumer = bench.attach({ prefetch: 1 });
  bench.give();
  consumer.settle('a1', 'requeue', 1000);
  assert.equal(consumer.got, ['a1', 'b1']);
  consumer.settle('b1');
  await bench.clock.advance(999);
  assert.equal(consumer.got, ['a1', 'b1']);
  await bench.clock.advance(1);
  consumer.settle('a1');
  assert.equal(consumer.got, ['a1', 'b1', 'a1*', 'a2']);
});

test('those behind one that is given up go on', async () => {
  const bench = new Bench({ maxDeliveries: 2 });
  bench.add('a1', { key: 'a', expiresAt: bench.clock.now() + 500 });
  bench.add('a2', { key: 'a' });
  const consumer = bench.attach({ prefetch: 1 });
  bench.give();
  consumer.settle('a1', 'requeue', 10_000);
  await bench.clock.advance(500);
  assert.equal([consumer.got, bench.dead], [['a1', 'a2'], ['a1 expired 1']]);
  bench.add('a3', { key: 'a' });
  bench.give();
  consumer.settle('a2', 'requeue', 0);
  consumer.settle('a2', 'requeue', 0);
  assert.equal(consumer.got, ['a1', 'a2', 'a2*', 'a3']);
});

test('a purge takes what waits behind others of its key, or for its retry, and nothing is held back by it', () => {
  const bench = filled('a1 a2 a3');
  const consumer = bench.attach({ prefetch: 1 });
  bench.give();
  consumer.settle('a1', 'requeue', 1000);
  assert.is(bench.dispatcher.purge(), 3);
  assert.equal([...bench.removed].sort(), [1, 2, 3]);
  bench.add('a4', { key: 'a' });
  bench.give();
  assert.equal(consumer.got, ['a1', 'a4']);
});

test('few enough wait behind others of their key', () => {
  const bench = new Bench({ heldMessages: 1000 });
  bench.attach({ prefetch: 1 });
  for (let i = 0; i < 10_000; i++) bench.add(`a${i}`, { key: 'a' });
  bench.give();
  assert.ok(bench.dispatcher.waiting < 1000 + 512, String(bench.dispatcher.waiting));
});

test('sticky keys stay with a consumer as long as none comes or goes, and are spread over all', () => {
  const bench = new Bench({ keys: 'sticky' });
  const consumers = ['x', 'y', 'z'].map((clientId) => bench.attach({ clientId }));
  const holders = (round: number): Map<string, number> => {
    for (let key = 0; key < 60; key++) bench.add(`${key}:${round}`, { key: String(key) });
    bench.give();
    const found = new Map<string, number>();
    for (const [i, { got, unsettled }] of consumers.entries()) {
      for (const body of unsettled.keys()) found.set(body.split(':')[0] ?? '', i);
      consumers[i]?.settleAll();
      got.length = 0;
    }
    return found;
  };
  const [first, second] = [holders(1), holders(2)];
  assert.equal(first, second);
  assert.is(new Set(first.values()).size, 3);
  consumers[2]?.consumption?.cancel();
  const third = holders(3);
  const moved = [...third].filter(([key, holder]) => first.get(key) !== holder);
  assert.ok(
    moved.length > 0 && moved.every(([key]) => first.get(key) === 2),
    'only the keys of the one that went moved',
  );
});

test('a sticky key waits for its consumer, and moves with what is unsettled when that one goes', () => {
  const bench = new Bench({ keys: 'sticky' });
  const consumers = ['x', 'y'].map((clientId) => bench.attach({ clientId, prefetch: 1 }));
  for (let i = 1; i <= 3; i++) bench.add(`a${i}`, { key: 'a' });
  bench.give();
  const [holder, other] = consumers[0]?.got.length === 1 ? consumers : [...consumers].reverse();
  assert.equal([holder?.got, other?.got], [['a1'], []]);
  holder?.consumption?.cancel();
  for (const body of ['a1', 'a2', 'a3']) other?.settle(body);
  assert.equal(other?.got, ['a1*', 'a2', 'a3']);
});

test('what waits for a consumer with a sticky key goes to another when that one goes', () => {
  const bench = new Bench({ keys: 'sticky' });
  const [one, two] = ['x', 'y'].map((clientId) => bench.attach({ clientId, prefetch: 1 }));
  for (let i = 0; i < 20; i++) bench.add(String(i), { key: String(i) });
  bench.give();
  one?.consumption?.cancel();
  for (let i = 0; i < 20; i++) {
    two?.settleAll();
    bench.give();
  }
  assert.is(two?.got.length, 20);
});

test.run();
