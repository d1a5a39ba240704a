import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeldQueue, queued, textOf } from './held-queue.ts';
import { DELAY, Fixture, type QueueStoresFactory } from './queue-fixture.ts';

/** What a store of queues knows after a time, a restart, and what was done to the queue as a whole. */
export function queuesKept(factory: QueueStoresFactory): void {
  const test = suite(`contract/queues kept ${factory.name}`);
  const on = new Fixture(factory);
  const { forward } = factory;
  test.before.each(() => on.begin());
  test.after.each(() => on.end());

  test('what is removed does not come again; what is not, does, and may have been given out', async () => {
    await on.queue.pushAll('a', 'b', 'c', 'd');
    const [a, b, c] = await on.queue.get(3);
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    await on.queue.remove(b);
    await on.restarted();
    const again = await on.queue.get(3);
    assert.equal(again.map(textOf), ['a', 'c', 'd']);
    assert.equal(
      again.slice(0, 2),
      again.slice(0, 2).filter(({ redelivered }) => redelivered),
    );
    assert.equal([again[0]?.id, again[1]?.id], [a.id, c.id]);
    await on.queue.remove(...again);
    await on.restarted();
    assert.is(on.queue.store.messages, 0);
    on.queue.store.want(1);
    await on.nothingComes();
  });

  test('closing gives up what is taken; the rest is as it was', async () => {
    await on.queue.pushAll('a', 'b', 'c');
    const [a] = await on.queue.get(2);
    assert.ok(a !== undefined);
    on.queue.store.remove(a.id);
    const before = on.queue.taken.length;
    const old = on.queue;
    await on.reopened();
    const again = await on.queue.get(2);
    assert.equal(again.map(textOf), ['b', 'c']);
    assert.equal(
      again.map(({ redelivered }) => redelivered),
      [true, false],
    );
    assert.is(old.taken.length, before, 'nothing comes to the one that closed it');
  });

  test('deliveries and what was released before are known after a restart', async () => {
    await on.queue.pushAll('a', 'b', 'c');
    const [a, b, c] = await on.queue.get(3);
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    on.queue.store.release(a.id, 0, 0);
    on.queue.store.release(b.id, 0, 5);
    on.queue.store.release(c.id, 0, 1);
    await on.queue.store.flushed();
    await on.restarted();
    const again = await on.queue.get(3);
    assert.equal(
      again.map(({ deliveries }) => deliveries),
      [0, 5, 1],
    );
    assert.equal([again[1]?.redelivered, again[2]?.redelivered], [true, true]);
    await on.queue.pushAll('d');
    on.queue.store.release(c.id, 0, 2);
    on.queue.store.want(2);
    assert.equal((await on.queue.came(2, 3)).map(textOf).sort(), ['c', 'd']);
  });

  test('ids go on ascending after everything was removed, and after a restart', async () => {
    await on.queue.pushAll('a');
    const first = await on.queue.one();
    await on.queue.remove(first);
    await on.restarted();
    await on.queue.pushAll('b');
    const second = await on.queue.one();
    assert.ok(second.id > first.id);
    await on.queue.remove(second);
    await on.reopened();
    await on.queue.pushAll('c');
    assert.ok((await on.queue.one()).id > second.id);
  });

  test('an id that was stored is not stored again, and said to be repeated', async () => {
    assert.is(await on.queue.push(queued('1', undefined, 'id')), false);
    assert.is(await on.queue.push(queued('2', undefined, 'id')), true);
    const [third, fourth, fifth] = await Promise.all([
      on.queue.push(queued('3', undefined, 'other')),
      on.queue.push(queued('4', undefined, 'other')),
      on.queue.push(queued('5')),
    ]);
    assert.equal([third, fourth, fifth], [false, true, false]);
    assert.is(on.queue.store.messages, 3);
    await on.queue.remove(...(await on.queue.get(3)));
    assert.equal(on.queue.taken.map(textOf), ['1', '3', '5']);
    assert.is(await on.queue.push(queued('6', undefined, 'id')), true, 'also when it has been removed');
    assert.is(on.queue.store.messages, 0);
  });

  test('ids are known after closing and after a restart, each in its queue', async () => {
    await on.queue.push(queued('1', undefined, 'id'));
    await on.reopened();
    assert.is(await on.queue.push(queued('2', undefined, 'id')), true);
    await on.restarted();
    assert.is(await on.queue.push(queued('3', undefined, 'id')), true);
    const other = await HeldQueue.open(on.stores, 'q2');
    assert.is(await other.push(queued('4', undefined, 'id')), false);
    assert.equal([on.queue.store.messages, other.store.messages], [1, 1]);
  });

  if (forward !== undefined) {
    test('an id is forgotten when its time is over', async () => {
      await on.queue.push(queued('1', undefined, 'id'));
      forward(119_000);
      assert.is(await on.queue.push(queued('2', undefined, 'id')), true);
      forward(2000);
      assert.is(await on.queue.push(queued('3', undefined, 'id')), false);
      assert.is(on.queue.store.messages, 2);
    });
  }

  test('browsing shows everything by id, in portions, and takes nothing', async () => {
    await on.queue.pushAll('a', 'b');
    await on.queue.push(queued('urgent', { priority: 9 }));
    await on.queue.push(queued('later', { deliverAt: Date.now() + 60_000 }));
    await on.queue.pushAll('c', 'd');
    const [urgent, a, b] = await on.queue.get(3);
    assert.ok(a !== undefined && b !== undefined && urgent !== undefined);
    on.queue.store.release(a.id, Date.now() + 60_000, 2);
    await on.queue.remove(b);
    const all: string[] = [];
    let after: number | undefined = 0;
    for (let portions = 0; after !== undefined; portions++) {
      assert.ok(portions < 10);
      const { entries, next }: Awaited<ReturnType<typeof on.queue.store.browse>> = await on.queue.store.browse(
        after,
        2,
      );
      assert.ok(entries.length <= 2);
      for (const { id } of entries) assert.ok(id > (after ?? 0));
      all.push(...entries.map((entry) => `${textOf(entry)} ${entry.deliveries}`));
      after = next;
    }
    assert.equal(all, ['a 2', 'urgent 0', 'later 0', 'c 0', 'd 0']);
    assert.is(on.queue.store.messages, 5);
    assert.equal(await on.queue.texts(2), ['c', 'd']);
  });

  test('purging removes what was not taken, and says how many those were', async () => {
    await on.queue.pushAll(...'abcdef');
    await on.queue.push(queued('later', { deliverAt: Date.now() + DELAY }));
    const [a, b, c] = await on.queue.get(3);
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    on.queue.store.release(c.id, 0, 1);
    assert.is(await on.queue.store.purge(), 5);
    assert.equal([on.queue.store.messages, on.queue.store.bytes], [2, 2]);
    on.queue.store.want(2);
    await sleep(DELAY);
    await on.nothingComes();
    await on.queue.pushAll('new');
    on.queue.store.release(a.id, 0, 1);
    await on.queue.came(2, 3);
    assert.equal(on.queue.taken.slice(3).map(textOf).sort(), ['a', 'new']);
    await on.queue.remove(b);
    await on.restarted();
    assert.equal((await on.queue.get(2)).map(textOf).sort(), ['a', 'new']);
    assert.is(on.queue.store.messages, 2);
    assert.is(await on.queue.store.purge(), 0);
  });

  test('a destroyed queue is gone with all that was in it, and can be made anew', async () => {
    await on.queue.push(queued('a', undefined, 'id'));
    await on.queue.push(queued('later', { deliverAt: Date.now() + DELAY }));
    await on.queue.one();
    await on.queue.store.destroy();
    await on.open();
    assert.equal([on.queue.store.messages, on.queue.store.bytes], [0, 0]);
    on.queue.store.want(1);
    await sleep(DELAY);
    await on.nothingComes();
    assert.is(await on.queue.push(queued('b', undefined, 'id')), false);
    await on.restarted();
    assert.equal(await on.queue.texts(1), ['b']);
  });

  test('queues do not mix, whatever their names', async () => {
    const names = ['a', 'a.b', 'a/b', 'a*', '*', '>', ' ', 'ü', 'Ü', '日本', '😀', '\u0000', 'x'.repeat(1024), 'q2'];
    const held = await Promise.all(names.map((each) => HeldQueue.open(on.stores, each)));
    await Promise.all(held.map((each, i) => each.pushAll(`${i} one`, `${i} two`)));
    for (const [i, each] of held.entries()) {
      assert.equal(await each.texts(1), [`${i} one`]);
      if (i % 2 === 0) await each.remove(...each.taken);
    }
    await held[0]?.store.purge();
    await held[1]?.store.destroy();
    await on.restarted();
    assert.is(on.queue.store.messages, 0);
    for (const [i, each] of names.entries()) {
      const again = await HeldQueue.open(on.stores, each);
      const expected = i < 2 ? [] : i % 2 === 0 ? [`${i} two`] : [`${i} one`, `${i} two`];
      assert.is(again.store.messages, expected.length, each);
      assert.equal(await again.texts(expected.length), expected);
    }
  });

  test('a queue that is closed takes nothing', async () => {
    await on.queue.store.close();
    await on.queue.push(queued('a')).then(
      () => assert.unreachable(),
      (error: unknown) => assert.match(String(error), /not open/),
    );
    await on.queue.store.close();
  });

  test('what was asked for before closing is durable', async () => {
    await on.queue.pushAll('a');
    const a = await on.queue.one();
    const pushed = on.queue.push(queued('b'));
    on.queue.store.remove(a.id);
    await on.queue.store.close();
    await pushed;
    await on.restarted();
    assert.equal(await on.queue.texts(1), ['b']);
    assert.is(on.queue.store.messages, 1);
  });

  test.run();
}
