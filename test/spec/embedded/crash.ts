import { existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../../support/child.ts';
import { eventually } from '../../support/eventually.ts';
import { message, newDirectory, Opened, textOf } from './support/opened.ts';

/** A broker that is killed at any moment has everything it acknowledged, when it is back. */

const ROUNDS = 8;
/** Messages under way at any time. */
const IN_FLIGHT = 50;
const SPAN = 200;
const OPTIONS = { spanMessages: SPAN, sync: 'always' } as const;

function listOf(directory: string): string {
  return `${directory}.acknowledged`;
}

/** Appends numbered messages, each behind a put of its number, until it is killed; writes the numbers acknowledged to a file. */
async function appendForEver(directory: string): Promise<void> {
  const acknowledged = openSync(listOf(directory), 'w');
  const { backbone, next } = await Opened.open(directory, OPTIONS);
  let number = next;
  const receiver = {
    appended(token: number): void {
      // A file: a pipe that is full would not take it, and what is written is there after SIGKILL.
      writeSync(acknowledged, `${token}\n`);
      if (token % IN_FLIGHT === 0) for (let i = 0; i < IN_FLIGHT; i++) append();
    },
    refused(_: number, error: Error): void {
      throw error;
    },
  };
  const append = (): void => {
    void backbone.state.put('sessions', 'last', Buffer.from(`${number}`));
    backbone.log.append(message(`t/${number % 7}`, `${number}`, `id ${number}`), receiver, number);
    number++;
  };
  for (let i = 0; i < IN_FLIGHT * 2; i++) append();
}

const [, , mode, directory] = process.argv;
if (mode === 'append' && directory !== undefined) {
  await appendForEver(directory);
} else {
  const test = suite('spec/embedded crash');

  test('what is acknowledged is there after SIGKILL, in order, and the state with it', async () => {
    const where = newDirectory();
    let before = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const child = new Child(process.execPath, [import.meta.filename, 'append', where]);
      const list = (): string => (existsSync(listOf(where)) ? readFileSync(listOf(where), 'utf8') : '');
      await eventually('a message', () => list().includes('\n'), 10_000);
      await sleep(Math.random() * 200);
      child.kill('SIGKILL');
      const { stderr } = await child.ended;
      assert.is(stderr, '');
      // The last line may be cut off.
      const acknowledged = Number(list().split('\n').at(-2));
      rmSync(listOf(where));
      assert.ok(acknowledged > before);
      const opened = await Opened.open(where, OPTIONS);
      assert.is(opened.first, 1);
      assert.ok(opened.next > acknowledged, `${opened.next} > ${acknowledged}`);
      const all = await opened.readAll();
      assert.is(all.length, opened.next - 1);
      for (const [i, each] of all.entries()) assert.ok(textOf(each) === `${i + 1}` && each.sequence === i + 1);
      const filtered = await opened.readAll(1, ['t/3']);
      assert.is(filtered.length, all.filter(({ topic }) => topic === 't/3').length);
      const last = await opened.backbone.state.get('sessions', 'last');
      assert.is(
        Number(Buffer.from(last?.value ?? '')),
        opened.next - 1,
        'put and message are there together or not at all',
      );
      await opened.append(message('again', '', `id ${acknowledged}`));
      assert.equal(opened.tailed, [], 'its id is known');
      before = acknowledged;
      await opened.stop();
    }
  });

  test.run();
}
