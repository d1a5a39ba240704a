import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { matches } from '../../../src/core/filter.ts';
import type { Message } from '../../../src/core/message.ts';
import { message, newDirectory, Opened, textOf } from './support/opened.ts';

const test = suite('spec/embedded reads');
// Else a failure would keep the process.
test.after.each(() => Opened.stopAll());
const SPAN = 50;

const topic = fc
  .array(fc.constantFrom('a', 'b', 'c', 'ä', '', '$x'), { minLength: 1, maxLength: 3 })
  .map((words) => words.join('/'));
const filter = fc.oneof(
  topic,
  fc.array(fc.constantFrom('a', 'b', 'ä', '+', ''), { minLength: 1, maxLength: 3 }).map((words) => words.join('/')),
  fc.constantFrom('#', 'a/#', '+/#', '#/b', '+/b/#'),
);
/** A turn's messages; now and then a large one, which has a block of its own. */
const turn = fc.array(fc.record({ topic, size: fc.constantFrom(0, 1, 10, 3000, 70_000), id: fc.option(fc.nat(30)) }), {
  minLength: 1,
  maxLength: 80,
});
const query = fc.record({
  filters: fc.option(fc.array(filter, { minLength: 1, maxLength: 4 }), { nil: undefined }),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  count: fc.constantFrom(1, 7, 1000),
  bytes: fc.constantFrom(1, 5000, 1024 * 1024),
});

const shape = (each: Message): string => `${each.sequence} ${each.topic} ${textOf(each)}`;

async function check(
  opened: Opened,
  model: readonly Message[],
  queries: readonly (typeof query extends fc.Arbitrary<infer Q> ? Q : never)[],
): Promise<void> {
  await Promise.all(
    queries.map(async ({ filters, from, count, bytes }) => {
      const start = 1 + Math.floor(from * model.length);
      const wanted = (each: Message): boolean =>
        each.sequence >= start && (filters?.some((each2) => matches(each2, each.topic)) ?? true);
      const found: Message[] = [];
      const end = opened.next;
      for (let at = start; at < end; ) {
        const { messages, next } = await opened.read(at, filters, count, bytes);
        assert.ok(next > at && messages.length <= count);
        assert.ok(messages.slice(0, -1).reduce((sum, each) => sum + each.size, 0) < bytes, 'no more than is asked for');
        found.push(...messages);
        at = next;
      }
      // Compared as one text each: a difference is short enough to be read.
      assert.equal(found.map(shape).join('\n').length, model.filter(wanted).map(shape).join('\n').length);
      assert.ok(
        found.map(shape).join('\n') === model.filter(wanted).map(shape).join('\n'),
        'what was appended, in order',
      );
    }),
  );
}

test('reads over spans, blocks and writes bring what was appended, also after a restart', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(turn, { minLength: 1, maxLength: 8 }),
      fc.array(query, { minLength: 1, maxLength: 8 }),
      async (turns, queries) => {
        const directory = newDirectory();
        const options = { spanMessages: SPAN, cacheBytes: 200_000 };
        let opened = await Opened.open(directory, options);
        const model: Message[] = [];
        const seen = new Set<number>();
        let number = 0;
        for (const [i, each] of turns.entries()) {
          const messages = each.map(({ topic: name, size, id }) =>
            message(name, `${number++}`.padEnd(size), id === null ? undefined : `${id}`),
          );
          const appended = opened.appendAll(messages);
          for (const [j, { id }] of each.entries()) {
            const made = messages[j];
            if (made !== undefined && (id === null || !seen.has(id))) model.push(made);
            if (id !== null) seen.add(id);
          }
          await appended;
          if (i === 3) {
            await check(opened, model, queries);
            await opened.stop();
            opened = await Opened.open(directory, options);
            assert.is(opened.next, model.length + 1);
          }
        }
        assert.equal(
          model.map((each) => each.sequence),
          model.map((_, i) => i + 1),
        );
        await check(opened, model, queries);
        await opened.stop();
      },
    ),
    { numRuns: 100, interruptAfterTimeLimit: 12_000 },
  );
});

test('a read of what is seldom costs what it brings', async () => {
  const opened = await Opened.open(newDirectory(), { spanMessages: SPAN });
  for (let i = 0; i < 100; i++) {
    await opened.appendAll(
      Array.from({ length: SPAN }, (_, j) => message(i === 70 && j === 20 ? 'rare' : 'usual', `${i}`)),
    );
  }
  let calls = 0;
  const found: Message[] = [];
  for (let at = 1; at < opened.next; calls++) {
    const { messages, next } = await opened.read(at, ['rare']);
    found.push(...messages);
    at = next;
  }
  assert.equal(
    found.map((each) => each.sequence),
    [70 * SPAN + 21],
  );
  assert.ok(calls < 10, `${calls} calls`);
  await opened.stop();
});

test('reads go on while messages are appended, and see none that is not durable', async () => {
  const opened = await Opened.open(newDirectory(), { spanMessages: SPAN, sync: 'always' });
  let at = 1;
  let number = 0;
  const found: string[] = [];
  const appending: Promise<void>[] = [];
  while (number < 3000) {
    for (let i = 0; i < 37; i++) appending.push(opened.append(message(`t/${number % 3}`, `${number++}`)));
    const { messages, next } = await opened.read(at, ['t/1']);
    assert.ok(next <= opened.next);
    found.push(...messages.map(textOf));
    at = next;
  }
  await Promise.all(appending);
  found.push(...(await opened.readAll(at, ['t/1'])).map(textOf));
  assert.equal(
    found,
    Array.from({ length: number }, (_, i) => `${i}`).filter((_, i) => i % 3 === 1),
  );
  await opened.stop();
});

test.run();
