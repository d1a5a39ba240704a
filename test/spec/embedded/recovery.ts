import { ClassicLevel } from 'classic-level';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { message, newDirectory, Opened, textOf } from './support/opened.ts';

/**
 * A write that fails although its bytes are in the journal, as when a disk takes them and the fsync behind them fails:
 * LevelDB then takes nothing more, and shows what was in the write when it is opened again.
 */

const test = suite('spec/embedded recovery');
// Else a failure would keep the process.
test.after.each(() => Opened.stopAll());
const batch = ClassicLevel.prototype.batch;
let failing = false;

test.before(() => {
  Object.defineProperty(ClassicLevel.prototype, 'batch', {
    configurable: true,
    value: function (this: ClassicLevel): unknown {
      const made = batch.call(this);
      const write = made.write.bind(made);
      if (failing) {
        made.write = async (options?: object): Promise<void> => {
          await write(options ?? {});
          throw Object.assign(new Error('IO error: 000003.log: Input/output error'), { code: 'LEVEL_IO_ERROR' });
        };
      }
      return made;
    },
  });
});
test.after(() => {
  Object.defineProperty(ClassicLevel.prototype, 'batch', { configurable: true, value: batch });
});
test.after.each(() => {
  failing = false;
});

test('what was refused is not there when the store is open again, and can come again', async () => {
  const directory = newDirectory();
  const options = { spanMessages: 10 };
  let opened = await Opened.open(directory, options);
  await opened.appendAll(Array.from({ length: 25 }, (_, i) => message('a', `${i}`, `id ${i}`)));
  failing = true;
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      opened.append(message('a', `refused ${i}`, `later ${i}`)).then(
        () => 'appended',
        ({ code }) => code,
      ),
    ),
  );
  assert.equal(new Set(outcomes), new Set(['quota']));
  assert.is(opened.tailed.length, 25);
  failing = false;
  await eventually('open again', () => opened.backbone.notReady() === undefined);
  assert.is(opened.next, 26);
  await opened.appendAll(Array.from({ length: 40 }, (_, i) => message('a', `${25 + i}`, `later ${i}`)));
  await opened.append(message('a', 'a repetition', 'id 3'));
  const expected = Array.from({ length: 65 }, (_, i) => `${i}`);
  assert.equal((await opened.readAll()).map(textOf), expected);
  await opened.stop();
  opened = await Opened.open(directory, options);
  assert.equal((await opened.readAll(1, ['a'])).map(textOf), expected);
  await opened.stop();
});

test('a repetition of a message whose write fails is refused with it', async () => {
  const opened = await Opened.open(newDirectory());
  failing = true;
  const outcomes = await Promise.all(
    [message('a', '1', 'x'), message('a', '1', 'x')].map((each) =>
      opened.append(each).then(
        () => 'appended',
        ({ code }) => code,
      ),
    ),
  );
  assert.equal(outcomes, ['quota', 'quota']);
  failing = false;
  await opened.stop();
});

test('stopped while the store is away, it leaves nothing of what was refused', async () => {
  const directory = newDirectory();
  let opened = await Opened.open(directory);
  await opened.append(message('a', '1'));
  failing = true;
  const outcome = await opened.append(message('a', '2')).then(
    () => 'appended',
    () => 'refused',
  );
  assert.is(outcome, 'refused');
  failing = false;
  await opened.stop();
  opened = await Opened.open(directory);
  assert.equal((await opened.readAll()).map(textOf), ['1']);
  await opened.stop();
});

test.run();
