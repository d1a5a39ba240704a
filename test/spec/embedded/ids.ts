import { ClassicLevel } from 'classic-level';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { ShiftedClock } from '../../support/shifted-clock.ts';
import { message, newDirectory, Opened, textOf } from './support/opened.ts';

const test = suite('spec/embedded ids');
// Else a failure would keep the process.
test.after.each(() => Opened.stopAll());

test('an id is known for its time, over restarts, and not longer', async () => {
  const directory = newDirectory();
  const clock = new ShiftedClock();
  let opened = await Opened.open(directory, {}, clock);
  await opened.appendAll([message('a', '1', 'x'), message('a', '2'), message('a', '3', 'ü')]);
  clock.shift = 60_000;
  await opened.append(message('a', '4', 'later'));
  await opened.stop();
  opened = await Opened.open(directory, {}, clock);
  await opened.appendAll([message('a', 'again', 'x'), message('a', 'again', 'ü'), message('a', 'again', 'later')]);
  assert.is(opened.next, 5);
  clock.shift = 121_000;
  await opened.stop();
  opened = await Opened.open(directory, {}, clock);
  await opened.appendAll([message('a', '5', 'x'), message('a', 'again', 'later')]);
  assert.equal((await opened.readAll()).map(textOf), ['1', '2', '3', '4', '5']);
  await opened.stop();
});

test('no more ids are remembered than agreed, the newest', async () => {
  const directory = newDirectory();
  const options = { dedup: { seconds: 120, messages: 10 } };
  let opened = await Opened.open(directory, options);
  for (let i = 0; i < 30; i++) await opened.append(message('a', `${i}`, `${i}`));
  await opened.stop();
  opened = await Opened.open(directory, options);
  await opened.appendAll([message('a', 'again', '29'), message('a', 'again', '20')]);
  assert.is(opened.next, 31);
  await opened.append(message('a', 'new', '5'));
  assert.is(opened.next, 32);
  await opened.stop();
});

test('ids leave the store with the window', async () => {
  const directory = newDirectory();
  const clock = new ShiftedClock();
  const options = { dedup: { seconds: 10, messages: 1000 } };
  const opened = await Opened.open(directory, options, clock);
  await opened.append(message('a', '1', 'x'));
  for (let i = 0; i < 4; i++) {
    clock.shift += 6000;
    await eventually('the store is looked at', () => clock.ring());
  }
  await opened.stop();
  const db = new ClassicLevel<string, string>(directory);
  assert.equal(await db.keys({ gte: 'I', lt: 'J' }).all(), []);
  await db.close();
});

test.run();
