import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { QueueEntry } from '../../../src/ports/queue-store.ts';
import { queued, textOf } from './held-queue.ts';
import { Fixture, type QueueStoresFactory } from './queue-fixture.ts';

/** What a store of queues owes to consumers that select: messages are passed over, and come again when they are asked for. */
export function queuesPassed(factory: QueueStoresFactory): void {
  const test = suite(`contract/queues passed ${factory.name}`);
  const on = new Fixture(factory);
  test.before.each(() => on.begin());
  test.after.each(() => on.end());

  /** Pushes so many, and takes them. */
  const take = async (...payloads: string[]): Promise<QueueEntry[]> => {
    await on.queue.pushAll(...payloads);
    return on.queue.get(payloads.length);
  };
  const pass = (...entries: readonly (QueueEntry | undefined)[]): void => {
    for (const entry of entries) if (entry !== undefined) on.queue.store.pass(entry.id);
  };
  const seen = ({ id, deliveries, redelivered }: QueueEntry): unknown => [id, deliveries, redelivered];

  test('what is passed over does not come again by itself, and is in the queue', async () => {
    pass(...(await take('a', 'b')));
    on.queue.store.want(3);
    await on.nothingComes();
    await on.queue.pushAll('c');
    assert.equal((await on.queue.came(1, 2)).map(textOf), ['c']);
    assert.is(on.queue.store.messages, 3);
    const { entries } = await on.queue.store.browse(0, 10);
    assert.equal(entries.map((entry) => `${textOf(entry)} ${entry.deliveries} ${entry.redelivered}`).slice(0, 2), [
      'a 0 false',
      'b 0 false',
    ]);
  });

  test('all of it comes again in its place, as it was', async () => {
    const [a, b, c] = await take('a', 'b', 'c');
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    pass(c, a);
    await on.queue.pushAll('d');
    on.queue.store.revisit();
    const again = await on.queue.get(3);
    assert.equal(again.map(textOf), ['a', 'c', 'd']);
    assert.equal(again.slice(0, 2).map(seen), [a, c].map(seen));
    await on.queue.remove(...again, b);
    assert.is(on.queue.store.messages, 0);
  });

  test('what is wanted already comes as soon as it is revisited', async () => {
    pass(...(await take('a', 'b')));
    on.queue.store.want(2);
    await on.nothingComes();
    on.queue.store.revisit();
    assert.equal((await on.queue.came(2, 2)).map(textOf), ['a', 'b']);
    await on.nothingComes();
  });

  test('some of it comes again, the rest when that is asked for; others are left alone', async () => {
    const all = await take(...'abcdefgh');
    const [a, , c, , e, , , h] = all;
    assert.ok(a !== undefined && c !== undefined && e !== undefined && h !== undefined);
    pass(...all.slice(0, 7));
    // One is taken, one was never there.
    on.queue.store.revisit([e.id, c.id, h.id, h.id + 1000]);
    on.queue.store.want(8);
    const again = await on.queue.came(2, 8);
    assert.equal(again.slice(0, 2).map(textOf), ['c', 'e']);
    await on.nothingComes();
    pass(...again);
    on.queue.store.revisit();
    assert.equal((await on.queue.came(6, 10)).map(textOf).slice(0, 6), ['a', 'b', 'c', 'd', 'e', 'f']);
    await on.nothingComes();
    assert.equal(await on.queue.texts(1), ['g']);
  });

  test('a higher priority goes first, and what was released before what was never taken', async () => {
    const [a, b] = await take('a', 'b');
    assert.ok(a !== undefined && b !== undefined);
    on.queue.store.release(b.id, 0, 2);
    const again = await on.queue.one();
    assert.equal(seen(again), [b.id, 2, true]);
    pass(a, again);
    await on.queue.push(queued('high', { priority: 5 }));
    pass(await on.queue.one());
    await on.queue.push(queued('higher', { priority: 6 }));
    on.queue.store.revisit();
    const all = await on.queue.get(4);
    assert.equal(all.map(textOf), ['higher', 'high', 'b', 'a']);
    assert.equal(all.slice(2).map(seen), [
      [b.id, 2, true],
      [a.id, 0, false],
    ]);
  });

  test('it is removed and released like any other once it came again', async () => {
    const [a, b] = await take('a', 'b');
    assert.ok(a !== undefined && b !== undefined);
    pass(a, b);
    // Not taken: nothing happens.
    on.queue.store.remove(a.id);
    on.queue.store.release(b.id, 0, 7);
    assert.is(on.queue.store.messages, 2);
    on.queue.store.revisit();
    const [first, second] = await on.queue.get(2);
    assert.equal(
      [first, second].map((each) => each && seen(each)),
      [a, b].map(seen),
    );
    await on.queue.remove(a);
    on.queue.store.release(b.id, 0, 1);
    assert.equal(seen(await on.queue.one()), [b.id, 1, true]);
    assert.is(on.queue.store.messages, 1);
  });

  test('a queue that is closed has it as what was never taken', async () => {
    const [a, b] = await take('a', 'b');
    pass(a, b);
    await on.queue.pushAll('c');
    await on.reopened();
    const again = await on.queue.get(3);
    assert.equal(again.map(textOf), ['a', 'b', 'c']);
    for (const { deliveries, redelivered } of again) assert.equal([deliveries, redelivered], [0, false]);
  });

  test('after a crash it is there, and may be said to have been given', async () => {
    const [a, b, c] = await take('a', 'b', 'c');
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    pass(a, c);
    await on.queue.remove(b);
    await on.restarted();
    assert.equal(await on.queue.texts(2), ['a', 'c']);
    assert.is(on.queue.store.messages, 2);
  });

  test('purging removes it', async () => {
    const [a, b] = await take('a', 'b');
    assert.ok(a !== undefined && b !== undefined);
    pass(a);
    assert.is(await on.queue.store.purge(), 1);
    on.queue.store.revisit();
    on.queue.store.want(1);
    await on.nothingComes();
    await on.queue.pushAll('c');
    assert.equal((await on.queue.came(1, 2)).map(textOf), ['c']);
    await on.queue.remove(b, ...on.queue.taken.slice(2));
    assert.is(on.queue.store.messages, 0);
  });

  test('many are passed over, some come again at a time, across a restart', async () => {
    const payloads = Array.from({ length: 3000 }, (_, i) => `${i}`);
    await on.queue.pushAll(...payloads);
    const all: QueueEntry[] = [];
    for (let portion = 0; portion < 3; portion++) {
      const entries = await on.queue.get(1000);
      pass(...entries);
      all.push(...entries);
    }
    const some = all.filter((_, i) => i % 100 === 7);
    on.queue.store.revisit(some.map(({ id }) => id));
    const came = await on.queue.get(some.length);
    assert.equal(came.map(textOf), some.map(textOf));
    await on.queue.remove(...came);
    on.queue.store.revisit();
    const rest = [...(await on.queue.get(1000)), ...(await on.queue.get(970))];
    assert.equal(rest.map(textOf), payloads.filter((_, i) => i % 100 !== 7).slice(0, 1970));
    await on.restarted();
    const left = [...(await on.queue.get(2000)), ...(await on.queue.get(970))];
    assert.equal(left.map(textOf).sort(), payloads.filter((_, i) => i % 100 !== 7).sort());
  });

  test.run();
}
