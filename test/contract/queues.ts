import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Message, type Properties } from '../../src/core/message.ts';
import type { QueueStores } from '../../src/ports/queue-store.ts';
import { eventually } from '../support/eventually.ts';
import { HeldQueue, queued, textOf } from './support/held-queue.ts';

/** What every store of queues owes the one who owns a queue. Runners beside this file hand in an adapter each. */

export interface QueueStoresFactory {
  readonly name: string;
  /** On an empty store, ready. Ids of messages are remembered for 120 s. */
  create(): Promise<QueueStores>;
  /** The same store in another process, as it were: the one before has ended, without closing its queues. */
  restart(): Promise<QueueStores>;
  /** Puts the clock forward; left out where the time is someone else's. */
  forward?(milliseconds: number): void;
  end(): Promise<void>;
}

/** Milliseconds in which nothing comes that is not to come. */
const QUIET = 100;
/** Milliseconds that a message waits in these tests; a store needs less to store it. */
const DELAY = 300;

export function queuesContract({ name, create, restart, forward, end }: QueueStoresFactory): void {
  const test = suite(`contract/queues ${name}`);
  let stores: QueueStores;
  let queue: HeldQueue;

  test.before.each(async () => {
    stores = await create();
    queue = await HeldQueue.open(stores, 'q');
  });
  test.after.each(end);

  async function reopened(): Promise<HeldQueue> {
    await queue.store.close();
    queue = await HeldQueue.open(stores, 'q');
    return queue;
  }

  async function restarted(): Promise<HeldQueue> {
    stores = await restart();
    queue = await HeldQueue.open(stores, 'q');
    return queue;
  }

  async function nothingComes(): Promise<void> {
    const before = queue.taken.length;
    await sleep(QUIET);
    assert.equal(queue.taken.slice(before).map(textOf), []);
  }

  test('a new queue is empty', async () => {
    assert.is(queue.store.messages, 0);
    assert.is(queue.store.bytes, 0);
    assert.equal(await queue.store.browse(0, 10), { entries: [], next: undefined });
    await queue.store.flushed();
    queue.store.want(1);
    await nothingComes();
  });

  test('messages come in the order in which they were stored, ids ascend, none was with anyone before', async () => {
    await queue.pushAll('a', 'b', 'c');
    const entries = await queue.get(3);
    assert.equal(entries.map(textOf), ['a', 'b', 'c']);
    for (const { deliveries, redelivered, message } of entries)
      assert.equal([deliveries, redelivered, message.sequence], [0, false, 0]);
    const ids = entries.map(({ id }) => id);
    assert.equal(
      ids,
      [...new Set(ids)].sort((a, b) => a - b),
    );
    assert.ok((ids[0] ?? 0) > 0);
  });

  test('what is wanted before there is any comes when it is pushed', async () => {
    queue.store.want(2);
    await queue.pushAll('a', 'b', 'c');
    assert.equal((await queue.came(2, 0)).map(textOf), ['a', 'b']);
    await nothingComes();
  });

  test('no more come than are wanted; wants add up', async () => {
    await queue.pushAll(...'abcdef');
    assert.equal(await queue.texts(1), ['a']);
    await nothingComes();
    queue.store.want(1);
    queue.store.want(2);
    assert.equal((await queue.came(3, 1)).map(textOf), ['b', 'c', 'd']);
    await nothingComes();
    queue.store.want(5);
    await queue.came(2, 4);
    await queue.pushAll(...'ghijk');
    await queue.came(3, 6);
    await nothingComes();
    assert.is(queue.taken.map(textOf).join(''), 'abcdefghi');
  });

  test('a higher priority comes first, in each the older one', async () => {
    for (const [i, priority] of [0, 9, undefined, 4, 9, 1].entries())
      await queue.push(queued(`${i}`, priority === undefined ? undefined : { priority }));
    assert.equal(await queue.texts(6), ['1', '4', '3', '5', '0', '2']);
  });

  test('a message has all that was published', async () => {
    const properties: Properties = {
      contentType: 'text/plain',
      textPayload: true,
      responseTopic: 'answers/here',
      correlation: Uint8Array.of(0, 1, 255),
      expiresAt: 4_000_000_000_000,
      user: [
        ['a', '1'],
        ['a', ''],
        ['', 'ü'],
      ],
      key: 'customer 7',
      messageId: 'order 8',
      priority: 5,
      deliverAt: 1000,
    };
    const pushed = queued('häppy', properties);
    await queue.push(pushed);
    const check = ({ message }: { readonly message: Message }): void => {
      const { correlation, ...others } = message.properties ?? {};
      const { correlation: expected, ...rest } = properties;
      assert.equal(others, rest);
      assert.equal([...(correlation ?? [])], [...(expected ?? [])]);
      assert.is(textOf({ message }), 'häppy');
      assert.equal([message.topic, message.qos, message.retain], ['$queue/q', 1, false]);
      assert.equal([message.publisher.clientId, message.publisher.protocol], ['c', 'stomp']);
      assert.is(message.timestamp, 1234);
      assert.is(message.sequence, 0);
    };
    check(await queue.one());
    await restarted();
    check(await queue.one());
  });

  test('a message that the log has, too, has no position in the queue', async () => {
    const both = queued('both');
    const done = queue.push(both);
    both.sequence = 77;
    await done;
    assert.is((await queue.one()).message.sequence, 0);
    assert.is(both.sequence, 77);
  });

  test('its bytes are copied during the call', async () => {
    const chunk = Buffer.from('payload');
    const borrowed = new Message('$queue/q', chunk, 0, 7, 1, false, undefined, { clientId: 'c', protocol: 'mqtt' }, 1);
    const done = queue.push(borrowed);
    chunk.fill(0);
    await done;
    assert.equal(await queue.texts(1), ['payload']);
  });

  test('empty and large payloads, a few of each', async () => {
    const payloads = ['', 'x'.repeat(70_000), '', 'y'.repeat(300_000), 'z'];
    await queue.pushAll(...payloads);
    assert.is(queue.store.bytes, 370_001);
    await restarted();
    assert.is(queue.store.bytes, 370_001);
    assert.equal(await queue.texts(5), payloads);
  });

  test('messages and bytes count everything until it is removed', async () => {
    const count = (): number[] => [queue.store.messages, queue.store.bytes];
    await queue.pushAll('a', 'bb', 'ccc');
    await queue.push(queued('later', { deliverAt: Date.now() + 60_000 }));
    assert.equal(count(), [4, 11]);
    const [a, bb] = await queue.get(2);
    assert.equal(count(), [4, 11]);
    assert.ok(a !== undefined && bb !== undefined);
    queue.store.release(bb.id, Date.now() + 60_000, 1);
    assert.equal(count(), [4, 11]);
    await queue.remove(a);
    assert.equal(count(), [3, 10]);
    await reopened();
    assert.equal(count(), [3, 10]);
    await restarted();
    assert.equal(count(), [3, 10]);
  });

  test('many messages come in order, some at a time, across a restart', async () => {
    const payloads = Array.from({ length: 3000 }, (_, i) => `${i}`);
    await queue.pushAll(...payloads);
    const came: string[] = [];
    for (const portion of [1, 999, 1000]) {
      const entries = await queue.get(portion);
      came.push(...entries.map(textOf));
      await queue.remove(...entries);
      if (portion === 999) await restarted();
    }
    came.push(...(await queue.texts(1000)));
    assert.equal(came, payloads);
  });

  test('a released message comes again before what was never taken, with its deliveries', async () => {
    await queue.pushAll('a', 'b', 'c', 'd');
    const [a, b] = await queue.get(2);
    assert.ok(a !== undefined && b !== undefined);
    queue.store.release(b.id, 0, 1);
    queue.store.release(a.id, 0, 0);
    const entries = await queue.get(4);
    assert.equal(entries.map(textOf), ['a', 'b', 'c', 'd']);
    assert.equal(
      entries.map(({ deliveries }) => deliveries),
      [0, 1, 0, 0],
    );
    assert.equal(
      entries.map(({ redelivered }) => redelivered),
      [false, true, false, false],
    );
    assert.equal([entries[0]?.id, entries[1]?.id], [a.id, b.id]);
  });

  test('what is released goes before what was never taken in its own priority only', async () => {
    await queue.push(queued('low'));
    const low = await queue.one();
    await queue.push(queued('high', { priority: 1 }));
    await queue.push(queued('low too'));
    queue.store.release(low.id, 0, 3);
    assert.equal(await queue.texts(3), ['high', 'low', 'low too']);
  });

  test('a message released with a time comes then, not before', async () => {
    await queue.pushAll('a', 'b');
    const a = await queue.one();
    const dueAt = Date.now() + DELAY;
    queue.store.release(a.id, dueAt, 2);
    assert.equal(await queue.texts(2).catch(() => []), ['b', 'a']);
    assert.ok(Date.now() >= dueAt - 1, `${dueAt - Date.now()} ms early`);
    assert.equal([queue.taken[2]?.deliveries, queue.taken[2]?.redelivered, queue.taken[2]?.id], [2, true, a.id]);
  });

  test('a message with a time of delivery comes then; what is due goes by its id', async () => {
    const deliverAt = Date.now() + DELAY;
    await queue.push(queued('first', { deliverAt }));
    await queue.push(queued('long ago', { deliverAt: 1 }));
    await queue.pushAll('a', 'b', 'c');
    assert.equal(await queue.texts(2), ['long ago', 'a']);
    await sleep(deliverAt - Date.now() + QUIET);
    assert.equal(await queue.texts(3), ['first', 'b', 'c']);
    assert.is(queue.taken[2]?.redelivered, false);
  });

  test('messages that are due later come in the order of their times, each at its own', async () => {
    const now = Date.now();
    queue.store.want(3);
    for (const [payload, delay] of [
      ['c', 3],
      ['a', 1],
      ['b', 2],
    ] as const)
      await queue.push(queued(payload, { deliverAt: now + delay * DELAY }));
    for (const [i, payload] of ['a', 'b', 'c'].entries()) {
      await eventually(payload, () => queue.taken.length > i);
      assert.ok(Date.now() >= now + (i + 1) * DELAY - 1);
    }
    assert.equal(queue.taken.map(textOf), ['a', 'b', 'c']);
  });

  test('what is due later is so after a restart, and what became due meanwhile comes', async () => {
    const now = Date.now();
    await queue.pushAll('x');
    await queue.push(queued('soon', { deliverAt: now + DELAY, priority: 3 }));
    await queue.push(queued('far', { deliverAt: now + 60_000 }));
    const x = await queue.one();
    queue.store.release(x.id, now + 3 * DELAY, 4);
    await queue.store.flushed();
    await restarted();
    queue.store.want(3);
    await queue.came(2, 0);
    assert.ok(Date.now() >= now + 3 * DELAY - 1);
    assert.equal(queue.taken.map(textOf), ['soon', 'x']);
    assert.equal([queue.taken[1]?.deliveries, queue.taken[1]?.redelivered], [4, true]);
    await nothingComes();
    assert.is(queue.store.messages, 3);
  });

  test('what is removed does not come again; what is not, does, and may have been given out', async () => {
    await queue.pushAll('a', 'b', 'c', 'd');
    const [a, b, c] = await queue.get(3);
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    await queue.remove(b);
    await restarted();
    const again = await queue.get(3);
    assert.equal(again.map(textOf), ['a', 'c', 'd']);
    assert.equal(
      again.slice(0, 2),
      again.slice(0, 2).filter(({ redelivered }) => redelivered),
    );
    assert.equal([again[0]?.id, again[1]?.id], [a.id, c.id]);
    await queue.remove(...again);
    await restarted();
    assert.is(queue.store.messages, 0);
    queue.store.want(1);
    await nothingComes();
  });

  test('closing gives up what is taken; the rest is as it was', async () => {
    await queue.pushAll('a', 'b', 'c');
    const [a] = await queue.get(2);
    assert.ok(a !== undefined);
    queue.store.remove(a.id);
    const before = queue.taken.length;
    const old = queue;
    await reopened();
    const again = await queue.get(2);
    assert.equal(again.map(textOf), ['b', 'c']);
    assert.equal(
      again.map(({ redelivered }) => redelivered),
      [true, false],
    );
    assert.is(old.taken.length, before, 'nothing comes to the one that closed it');
  });

  test('deliveries and what was released before are known after a restart', async () => {
    await queue.pushAll('a', 'b', 'c');
    const [a, b, c] = await queue.get(3);
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    queue.store.release(a.id, 0, 0);
    queue.store.release(b.id, 0, 5);
    queue.store.release(c.id, 0, 1);
    await queue.store.flushed();
    await restarted();
    const again = await queue.get(3);
    assert.equal(
      again.map(({ deliveries }) => deliveries),
      [0, 5, 1],
    );
    assert.equal([again[1]?.redelivered, again[2]?.redelivered], [true, true]);
    await queue.pushAll('d');
    queue.store.release(c.id, 0, 2);
    queue.store.want(2);
    assert.equal((await queue.came(2, 3)).map(textOf).sort(), ['c', 'd']);
  });

  test('ids go on ascending after everything was removed, and after a restart', async () => {
    await queue.pushAll('a');
    const first = await queue.one();
    await queue.remove(first);
    await restarted();
    await queue.pushAll('b');
    const second = await queue.one();
    assert.ok(second.id > first.id);
    await queue.remove(second);
    await reopened();
    await queue.pushAll('c');
    assert.ok((await queue.one()).id > second.id);
  });

  test('an id that was stored is not stored again, and said to be repeated', async () => {
    assert.is(await queue.push(queued('1', undefined, 'id')), false);
    assert.is(await queue.push(queued('2', undefined, 'id')), true);
    const [third, fourth, fifth] = await Promise.all([
      queue.push(queued('3', undefined, 'other')),
      queue.push(queued('4', undefined, 'other')),
      queue.push(queued('5')),
    ]);
    assert.equal([third, fourth, fifth], [false, true, false]);
    assert.is(queue.store.messages, 3);
    await queue.remove(...(await queue.get(3)));
    assert.equal(queue.taken.map(textOf), ['1', '3', '5']);
    assert.is(await queue.push(queued('6', undefined, 'id')), true, 'also when it has been removed');
    assert.is(queue.store.messages, 0);
  });

  test('ids are known after closing and after a restart, each in its queue', async () => {
    await queue.push(queued('1', undefined, 'id'));
    await reopened();
    assert.is(await queue.push(queued('2', undefined, 'id')), true);
    await restarted();
    assert.is(await queue.push(queued('3', undefined, 'id')), true);
    const other = await HeldQueue.open(stores, 'q2');
    assert.is(await other.push(queued('4', undefined, 'id')), false);
    assert.equal([queue.store.messages, other.store.messages], [1, 1]);
  });

  if (forward !== undefined) {
    test('an id is forgotten when its time is over', async () => {
      await queue.push(queued('1', undefined, 'id'));
      forward(119_000);
      assert.is(await queue.push(queued('2', undefined, 'id')), true);
      forward(2000);
      assert.is(await queue.push(queued('3', undefined, 'id')), false);
      assert.is(queue.store.messages, 2);
    });
  }

  test('browsing shows everything by id, in portions, and takes nothing', async () => {
    await queue.pushAll('a', 'b');
    await queue.push(queued('urgent', { priority: 9 }));
    await queue.push(queued('later', { deliverAt: Date.now() + 60_000 }));
    await queue.pushAll('c', 'd');
    const [urgent, a, b] = await queue.get(3);
    assert.ok(a !== undefined && b !== undefined && urgent !== undefined);
    queue.store.release(a.id, Date.now() + 60_000, 2);
    await queue.remove(b);
    const all: string[] = [];
    let after: number | undefined = 0;
    for (let portions = 0; after !== undefined; portions++) {
      assert.ok(portions < 10);
      const { entries, next }: Awaited<ReturnType<typeof queue.store.browse>> = await queue.store.browse(after, 2);
      assert.ok(entries.length <= 2);
      for (const { id } of entries) assert.ok(id > (after ?? 0));
      all.push(...entries.map((entry) => `${textOf(entry)} ${entry.deliveries}`));
      after = next;
    }
    assert.equal(all, ['a 2', 'urgent 0', 'later 0', 'c 0', 'd 0']);
    assert.is(queue.store.messages, 5);
    assert.equal(await queue.texts(2), ['c', 'd']);
  });

  test('purging removes what was not taken, and says how many those were', async () => {
    await queue.pushAll(...'abcdef');
    await queue.push(queued('later', { deliverAt: Date.now() + DELAY }));
    const [a, b, c] = await queue.get(3);
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    queue.store.release(c.id, 0, 1);
    assert.is(await queue.store.purge(), 5);
    assert.equal([queue.store.messages, queue.store.bytes], [2, 2]);
    queue.store.want(2);
    await sleep(DELAY);
    await nothingComes();
    await queue.pushAll('new');
    queue.store.release(a.id, 0, 1);
    await queue.came(2, 3);
    assert.equal(queue.taken.slice(3).map(textOf).sort(), ['a', 'new']);
    await queue.remove(b);
    await restarted();
    assert.equal((await queue.get(2)).map(textOf).sort(), ['a', 'new']);
    assert.is(queue.store.messages, 2);
    assert.is(await queue.store.purge(), 0);
  });

  test('a destroyed queue is gone with all that was in it, and can be made anew', async () => {
    await queue.push(queued('a', undefined, 'id'));
    await queue.push(queued('later', { deliverAt: Date.now() + DELAY }));
    await queue.one();
    await queue.store.destroy();
    queue = await HeldQueue.open(stores, 'q');
    assert.equal([queue.store.messages, queue.store.bytes], [0, 0]);
    queue.store.want(1);
    await sleep(DELAY);
    await nothingComes();
    assert.is(await queue.push(queued('b', undefined, 'id')), false);
    await restarted();
    assert.equal(await queue.texts(1), ['b']);
  });

  test('queues do not mix, whatever their names', async () => {
    const names = ['a', 'a.b', 'a/b', 'a*', '*', '>', ' ', 'ü', 'Ü', '日本', '😀', '\u0000', 'x'.repeat(1024), 'q2'];
    const held = await Promise.all(names.map((each) => HeldQueue.open(stores, each)));
    await Promise.all(held.map((each, i) => each.pushAll(`${i} one`, `${i} two`)));
    for (const [i, each] of held.entries()) {
      assert.equal(await each.texts(1), [`${i} one`]);
      if (i % 2 === 0) await each.remove(...each.taken);
    }
    await held[0]?.store.purge();
    await held[1]?.store.destroy();
    await restarted();
    assert.is(queue.store.messages, 0);
    for (const [i, each] of names.entries()) {
      const again = await HeldQueue.open(stores, each);
      const expected = i < 2 ? [] : i % 2 === 0 ? [`${i} two`] : [`${i} one`, `${i} two`];
      assert.is(again.store.messages, expected.length, each);
      assert.equal(await again.texts(expected.length), expected);
    }
  });

  test('a queue that is closed takes nothing', async () => {
    await queue.store.close();
    await queue.push(queued('a')).then(
      () => assert.unreachable(),
      (error: unknown) => assert.match(String(error), /not open/),
    );
    await queue.store.close();
  });

  test('what was asked for before closing is durable', async () => {
    await queue.pushAll('a');
    const a = await queue.one();
    const pushed = queue.push(queued('b'));
    queue.store.remove(a.id);
    await queue.store.close();
    await pushed;
    await restarted();
    assert.equal(await queue.texts(1), ['b']);
    assert.is(queue.store.messages, 1);
  });

  test('nobody was told that a queue is lost', () => {
    assert.is(queue.lostTimes, 0);
  });

  test.run();
}
