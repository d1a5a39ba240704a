import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Message, type Properties } from '../../src/core/message.ts';
import { eventually } from '../support/eventually.ts';
import { queued, textOf } from './support/held-queue.ts';
import { DELAY, Fixture, QUIET, type QueueStoresFactory } from './support/queue-fixture.ts';
import { queuesKept } from './support/queues-kept.ts';
import { queuesPassed } from './support/queues-passed.ts';

/** What every store of queues owes the one who owns a queue. Runners beside this file hand in an adapter each. */
export function queuesContract(factory: QueueStoresFactory): void {
  queuesGive(factory);
  queuesKept(factory);
  queuesPassed(factory);
}

/** What comes, when, and in which order. */
function queuesGive(factory: QueueStoresFactory): void {
  const test = suite(`contract/queues ${factory.name}`);
  const on = new Fixture(factory);
  test.before.each(() => on.begin());
  test.after.each(() => on.end());

  test('a new queue is empty', async () => {
    assert.is(on.queue.store.messages, 0);
    assert.is(on.queue.store.bytes, 0);
    assert.equal(await on.queue.store.browse(0, 10), { entries: [], next: undefined });
    await on.queue.store.flushed();
    on.queue.store.want(1);
    await on.nothingComes();
  });

  test('messages come in the order in which they were stored, ids ascend, none was with anyone before', async () => {
    await on.queue.pushAll('a', 'b', 'c');
    const entries = await on.queue.get(3);
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
    on.queue.store.want(2);
    await on.queue.pushAll('a', 'b', 'c');
    assert.equal((await on.queue.came(2, 0)).map(textOf), ['a', 'b']);
    await on.nothingComes();
  });

  test('no more come than are wanted; wants add up', async () => {
    await on.queue.pushAll(...'abcdef');
    assert.equal(await on.queue.texts(1), ['a']);
    await on.nothingComes();
    on.queue.store.want(1);
    on.queue.store.want(2);
    assert.equal((await on.queue.came(3, 1)).map(textOf), ['b', 'c', 'd']);
    await on.nothingComes();
    on.queue.store.want(5);
    await on.queue.came(2, 4);
    await on.queue.pushAll(...'ghijk');
    await on.queue.came(3, 6);
    await on.nothingComes();
    assert.is(on.queue.taken.map(textOf).join(''), 'abcdefghi');
  });

  test('a higher priority comes first, in each the older one', async () => {
    for (const [i, priority] of [0, 9, undefined, 4, 9, 1].entries())
      await on.queue.push(queued(`${i}`, priority === undefined ? undefined : { priority }));
    assert.equal(await on.queue.texts(6), ['1', '4', '3', '5', '0', '2']);
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
    await on.queue.push(pushed);
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
    check(await on.queue.one());
    await on.restarted();
    check(await on.queue.one());
  });

  test('a message that the log has, too, has no position in the queue', async () => {
    const both = queued('both');
    const done = on.queue.push(both);
    both.sequence = 77;
    await done;
    assert.is((await on.queue.one()).message.sequence, 0);
    assert.is(both.sequence, 77);
  });

  test('its bytes are copied during the call', async () => {
    const chunk = Buffer.from('payload');
    const borrowed = new Message('$queue/q', chunk, 0, 7, 1, false, undefined, { clientId: 'c', protocol: 'mqtt' }, 1);
    const done = on.queue.push(borrowed);
    chunk.fill(0);
    await done;
    assert.equal(await on.queue.texts(1), ['payload']);
  });

  test('empty and large payloads, a few of each', async () => {
    const payloads = ['', 'x'.repeat(70_000), '', 'y'.repeat(300_000), 'z'];
    await on.queue.pushAll(...payloads);
    assert.is(on.queue.store.bytes, 370_001);
    await on.restarted();
    assert.is(on.queue.store.bytes, 370_001);
    assert.equal(await on.queue.texts(5), payloads);
  });

  test('messages and bytes count everything until it is removed', async () => {
    const count = (): number[] => [on.queue.store.messages, on.queue.store.bytes];
    await on.queue.pushAll('a', 'bb', 'ccc');
    await on.queue.push(queued('later', { deliverAt: Date.now() + 60_000 }));
    assert.equal(count(), [4, 11]);
    const [a, bb] = await on.queue.get(2);
    assert.equal(count(), [4, 11]);
    assert.ok(a !== undefined && bb !== undefined);
    on.queue.store.release(bb.id, Date.now() + 60_000, 1);
    assert.equal(count(), [4, 11]);
    await on.queue.remove(a);
    assert.equal(count(), [3, 10]);
    await on.reopened();
    assert.equal(count(), [3, 10]);
    await on.restarted();
    assert.equal(count(), [3, 10]);
  });

  test('many messages come in order, some at a time, across a restart', async () => {
    const payloads = Array.from({ length: 3000 }, (_, i) => `${i}`);
    await on.queue.pushAll(...payloads);
    const came: string[] = [];
    for (const portion of [1, 999, 1000]) {
      const entries = await on.queue.get(portion);
      came.push(...entries.map(textOf));
      await on.queue.remove(...entries);
      if (portion === 999) await on.restarted();
    }
    came.push(...(await on.queue.texts(1000)));
    assert.equal(came, payloads);
  });

  test('a released message comes again before what was never taken, with its deliveries', async () => {
    await on.queue.pushAll('a', 'b', 'c', 'd');
    const [a, b] = await on.queue.get(2);
    assert.ok(a !== undefined && b !== undefined);
    on.queue.store.release(b.id, 0, 1);
    on.queue.store.release(a.id, 0, 0);
    const entries = await on.queue.get(4);
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
    await on.queue.push(queued('low'));
    const low = await on.queue.one();
    await on.queue.push(queued('high', { priority: 1 }));
    await on.queue.push(queued('low too'));
    on.queue.store.release(low.id, 0, 3);
    assert.equal(await on.queue.texts(3), ['high', 'low', 'low too']);
  });

  test('a message released with a time comes then, not before', async () => {
    await on.queue.pushAll('a', 'b');
    const a = await on.queue.one();
    const dueAt = Date.now() + DELAY;
    on.queue.store.release(a.id, dueAt, 2);
    assert.equal(await on.queue.texts(2).catch(() => []), ['b', 'a']);
    assert.ok(Date.now() >= dueAt - 1, `${dueAt - Date.now()} ms early`);
    assert.equal(
      [on.queue.taken[2]?.deliveries, on.queue.taken[2]?.redelivered, on.queue.taken[2]?.id],
      [2, true, a.id],
    );
  });

  test('a message with a time of delivery comes then; what is due goes by its id', async () => {
    const deliverAt = Date.now() + DELAY;
    await on.queue.push(queued('first', { deliverAt }));
    await on.queue.push(queued('long ago', { deliverAt: 1 }));
    await on.queue.pushAll('a', 'b', 'c');
    assert.equal(await on.queue.texts(2), ['long ago', 'a']);
    await sleep(deliverAt - Date.now() + QUIET);
    assert.equal(await on.queue.texts(3), ['first', 'b', 'c']);
    assert.is(on.queue.taken[2]?.redelivered, false);
  });

  test('messages that are due later come in the order of their times, each at its own', async () => {
    const now = Date.now();
    on.queue.store.want(3);
    for (const [payload, delay] of [
      ['c', 3],
      ['a', 1],
      ['b', 2],
    ] as const)
      await on.queue.push(queued(payload, { deliverAt: now + delay * DELAY }));
    for (const [i, payload] of ['a', 'b', 'c'].entries()) {
      await eventually(payload, () => on.queue.taken.length > i);
      assert.ok(Date.now() >= now + (i + 1) * DELAY - 1);
    }
    assert.equal(on.queue.taken.map(textOf), ['a', 'b', 'c']);
  });

  test('what is due later is so after a restart, and what became due meanwhile comes', async () => {
    const now = Date.now();
    await on.queue.pushAll('x');
    await on.queue.push(queued('soon', { deliverAt: now + DELAY, priority: 3 }));
    await on.queue.push(queued('far', { deliverAt: now + 60_000 }));
    const x = await on.queue.one();
    on.queue.store.release(x.id, now + 3 * DELAY, 4);
    await on.queue.store.flushed();
    await on.restarted();
    on.queue.store.want(3);
    await on.queue.came(2, 0);
    assert.ok(Date.now() >= now + 3 * DELAY - 1);
    assert.equal(on.queue.taken.map(textOf), ['soon', 'x']);
    assert.equal([on.queue.taken[1]?.deliveries, on.queue.taken[1]?.redelivered], [4, true]);
    await on.nothingComes();
    assert.is(on.queue.store.messages, 3);
  });

  test.run();
}
