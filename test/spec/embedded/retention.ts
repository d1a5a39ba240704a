import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Message } from '../../../src/core/message.ts';
import { eventually } from '../../support/eventually.ts';
import { message, newDirectory, Opened, textOf } from './support/opened.ts';

const test = suite('spec/embedded retention');
const KiB = 1024;
const SPAN = 20;

// Else a failure would keep the process.
test.after.each(() => Opened.stopAll());

function messages(from: number, count: number, topic = 't'): Message[] {
  return Array.from({ length: count }, (_, i) => message(topic, `${from + i} `.padEnd(KiB)));
}

test('by bytes: the oldest go, the newest stay and can be read, also after a restart', async () => {
  const directory = newDirectory();
  const options = { spanMessages: SPAN, retention: { bytes: 200 * KiB, seconds: 3600 } };
  let opened = await Opened.open(directory, options);
  for (let i = 0; i < 50; i++) await opened.appendAll(messages(i * 10, 10));
  // 200 messages are a little more than 200 KiB.
  await eventually('removal', () => opened.first >= 321);
  assert.is(opened.first, 321, 'no more than has to');
  const { first, next } = opened;
  assert.is(next, 501);
  const { messages: found, next: on } = await opened.read(1);
  assert.is(found[0]?.sequence, first, 'a read of what is gone begins with what is kept');
  assert.is(on, next);
  await opened.stop();
  opened = await Opened.open(directory, options);
  assert.is(opened.first, first);
  assert.is(opened.next, next);
  const numbers = (await opened.readAll(1, ['t'])).map((each) => Number(textOf(each)));
  assert.equal(
    numbers,
    Array.from({ length: next - first }, (_, i) => first - 1 + i),
  );
  await opened.stop();
});

test('by age: what is older goes, but for the span that is growing', async () => {
  const opened = await Opened.open(newDirectory(), {
    spanMessages: SPAN,
    retention: { bytes: 1024 * KiB, seconds: 60 },
  });
  await opened.appendAll(messages(0, 50));
  opened.clock.shift = 30_000;
  await opened.appendAll(messages(50, 50));
  opened.clock.shift = 65_000;
  await eventually('removal', () => opened.first >= 51);
  assert.is(opened.first, 51);
  assert.is((await opened.readAll()).length, 50);
  opened.clock.shift = 95_000;
  await opened.appendAll(messages(100, 5));
  await eventually('removal', () => opened.first >= 101);
  assert.equal(
    (await opened.readAll()).map((each) => Number(textOf(each))),
    [100, 101, 102, 103, 104],
  );
  await opened.stop();
});

test('everything can go by age; positions go on after a restart', async () => {
  const directory = newDirectory();
  const options = { spanMessages: SPAN, retention: { bytes: 1024 * KiB, seconds: 60 } };
  let opened = await Opened.open(directory, options);
  await opened.appendAll(messages(0, 30));
  opened.clock.shift = 120_000;
  await eventually('removal', () => opened.first === 31);
  assert.is(opened.next, 31);
  await opened.stop();
  opened = await Opened.open(directory, options);
  assert.is(opened.first, 31);
  assert.is(opened.next, 31);
  assert.equal(await opened.readAll(), []);
  await opened.stop();
});

test('reads go on while the log is cut behind them', async () => {
  const opened = await Opened.open(newDirectory(), {
    spanMessages: SPAN,
    retention: { bytes: 100 * KiB, seconds: 3600 },
  });
  let number = 0;
  const began = Date.now();
  for (let at = 1; opened.first < 300; ) {
    assert.ok(Date.now() - began < 10_000);
    await opened.appendAll(messages(number, 10));
    number += 10;
    const { messages: found, next } = await opened.read(at, ['t'], 7);
    for (const [i, each] of found.entries()) assert.is(each.sequence, (found[0]?.sequence ?? 0) + i);
    at = Math.max(next, opened.first);
  }
  await opened.stop();
});

test.run();
