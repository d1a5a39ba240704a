import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { Child } from '../../support/child.ts';
import { message, newDirectory, Opened } from './support/opened.ts';

const KiB = 1024;

async function failure(attempt: Promise<unknown>): Promise<BrokerError> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

const [, , mode, directory] = process.argv;
if (mode === 'open' && directory !== undefined) {
  console.log((await failure(Opened.open(directory))).message);
} else {
  const test = suite('spec/embedded refusals');
  // Else a failure would keep the process.
  test.after.each(() => Opened.stopAll());

  test('a second broker on the directory is refused, in another process and in this one', async () => {
    const where = newDirectory();
    const opened = await Opened.open(where);
    const text = `the directory ${where} is used by another broker (backbone.embedded.directory)`;
    const child = new Child(process.execPath, [import.meta.filename, 'open', where]);
    assert.is((await child.ended).stdout.trim(), text);
    const error = await failure(Opened.open(where));
    assert.is(error.message, text);
    assert.is(error.code, 'unavailable');
    await opened.append(message('a', '1'));
    await opened.stop();
    await (await Opened.open(where)).stop();
  });

  test('a directory that cannot be made is named', async () => {
    const file = newDirectory();
    writeFileSync(file, '');
    const { message: text } = await failure(Opened.open(join(file, 'store')));
    assert.match(text, join(file, 'store'));
    assert.match(text, 'cannot be opened: ENOTDIR');
    assert.match(text, 'backbone.embedded.directory');
  });

  test('a store of a later format, and what is no store, are left alone', async () => {
    for (const [key, value, expected] of [
      ['V', 2, 'a store of format 2; this version of Trimaran knows format 1'],
      ['x', 1, 'a LevelDB of something else'],
    ] as const) {
      const where = newDirectory();
      const db = new ClassicLevel<string, Buffer>(where, { valueEncoding: 'buffer' });
      await db.put(key, Buffer.of(value));
      await db.close();
      const { message: text } = await failure(Opened.open(where));
      assert.match(text, `the directory ${where} holds ${expected}`);
      await (await failure(Opened.open(where))).message;
    }
  });

  test('bytes that have changed on the disk are refused by name, and none of them comes as a message', async () => {
    const where = newDirectory();
    const options = { spanMessages: 100 };
    let opened = await Opened.open(where, options);
    const text = Array.from({ length: 40 }, (_, i) => String.fromCharCode(33 + i)).join('');
    for (let i = 0; i < 50; i++)
      await opened.appendAll(Array.from({ length: 20 }, () => message('a', text + Math.random())));
    await opened.stop();
    // Opening moves what is in the journal to a table.
    opened = await Opened.open(where, options);
    await opened.stop();
    for (const name of readdirSync(where).filter((each) => each.endsWith('.ldb'))) {
      const bytes = readFileSync(join(where, name));
      // In the first two thirds: the spans there are closed and not read on opening, and LevelDB's own tables are behind.
      for (let at = Math.floor(bytes.length * 0.5); at < bytes.length * 0.55; at += 10)
        bytes.writeUInt8(bytes.readUInt8(at) ^ 0x01, at);
      writeFileSync(join(where, name), bytes);
    }
    opened = await Opened.open(where, options);
    const error = await failure(opened.readAll());
    assert.match(error.message, `the store in ${where} is damaged`);
    assert.ok(opened.lines.some(({ level }) => level === 'warn'));
    await opened.append(message('a', 'it still takes messages'));
    await opened.stop();
  });

  test('a damaged end of the log is refused at the start', async () => {
    const where = newDirectory();
    await (await Opened.open(where)).stop();
    const db = new ClassicLevel<Buffer, Buffer>(where, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
    await db.put(Buffer.from('B\0\0\0\0\0\0\0\x01'), Buffer.from('no block at all'));
    await db.close();
    const error = await failure(Opened.open(where));
    assert.is(error.message, `the store in ${where} is damaged: a wrong checksum (backbone.embedded.directory)`);
  });

  test('beyond half of pendingBytes it is congested, beyond all of it messages are refused, until they are durable', async () => {
    const opened = await Opened.open(newDirectory(), { pendingBytes: 100 * KiB, sync: 'always' });
    const { log, state } = opened.backbone;
    const outcomes: Promise<string>[] = [];
    const append = (): void => {
      outcomes.push(
        opened.append(message('a', 'x'.repeat(KiB))).then(
          () => 'appended',
          (error: BrokerError) => error.message,
        ),
      );
    };
    for (let i = 0; i < 40; i++) append();
    assert.not(log.congested());
    for (let i = 0; i < 20; i++) append();
    assert.ok(log.congested());
    for (let i = 0; i < 60; i++) append();
    const put = state.put('sessions', 'k', Buffer.from('v'));
    const { code } = await failure(put);
    assert.is(code, 'quota', 'what goes with a message is refused with it');
    const all = await Promise.all(outcomes);
    const taken = all.indexOf(all.find((each) => each !== 'appended') ?? '');
    assert.ok(taken > 90 && taken < 100, `${taken} taken`);
    assert.ok(all.slice(taken).every((each) => each.includes('backbone.pendingBytes')));
    assert.is(opened.next, taken + 1);
    assert.not(log.congested());
    await opened.append(message('a', 'again'));
    await opened.stop();
  });

  test('a put that is taken does not have its message refused', async () => {
    const opened = await Opened.open(newDirectory(), { pendingBytes: 100 * KiB });
    const results: Promise<boolean>[] = [];
    for (let i = 0; i < 20; i++) {
      results.push(
        opened.backbone.state.put('retained', `${i}`, Buffer.alloc(9 * KiB)).then(
          () => true,
          () => false,
        ),
      );
      results.push(
        opened.append(message('a', 'x'.repeat(KiB))).then(
          () => true,
          () => false,
        ),
      );
    }
    const outcomes = await Promise.all(results);
    assert.ok(outcomes.includes(false) && outcomes.includes(true));
    for (let i = 0; i < outcomes.length; i += 2) assert.is(outcomes[i], outcomes[i + 1]);
    await opened.stop();
  });

  test('after a stop everything is refused, in words', async () => {
    const opened = await Opened.open(newDirectory());
    const last = opened.append(message('a', '1'));
    const stopped = opened.stop();
    const refused = failure(opened.append(message('a', '2')));
    await last;
    assert.is((await refused).message, 'the store is being closed');
    await stopped;
    assert.is(opened.backbone.notReady(), 'the store is being closed');
    assert.is((await failure(opened.backbone.state.get('wills', 'k'))).code, 'unavailable');
    assert.is((await failure(opened.read(1))).code, 'unavailable');
  });

  test.run();
}
