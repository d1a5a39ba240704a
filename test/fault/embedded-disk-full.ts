import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerError } from '../../src/core/errors.ts';
import { HeldQueue, queued, textOf as queuedText } from '../contract/support/held-queue.ts';
import { message, Opened, textOf } from '../spec/embedded/support/opened.ts';
import { eventually } from '../support/eventually.ts';

/** A disk that is full: what was acknowledged stays, what was refused never was, and all is well when there is room. */

const MiB = 1024 * 1024;
const test = suite('fault/embedded-disk-full');
const folder = mkdtempSync(join(tmpdir(), 'trimaran-full-'));
const mounted = new Set<string>();
process.on('exit', () => {
  for (const path of mounted) spawnSync('umount', ['--lazy', path]);
  rmSync(folder, { recursive: true, force: true });
});

/** The words of a command's failure; undefined when it went well. */
function fault(command: string, ...args: string[]): string | undefined {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? undefined : `${command}: ${error?.message ?? stderr.trim().replaceAll('\n', ' ')}`;
}

/** Each mounts a file system of 70 MB at a path, or says why it cannot be done here. */
const FILE_SYSTEMS = {
  tmpfs: (path: string) => fault('mount', '-t', 'tmpfs', '-o', 'size=70m', 'tmpfs', path),
  ext4: (path: string) => {
    const image = `${path}.img`;
    return (
      fault('truncate', '--size=70M', image) ??
      fault('mkfs.ext4', '-q', '-m', '0', image) ??
      fault('mount', '-o', 'loop', image, path)
    );
  },
} as const;

function failure(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'it went well',
    (error: Error) => error.message,
  );
}

let opened: Opened;
// Else a failure would keep the process, and the process its mounts.
test.after.each(() => opened.stop());

async function fillAndEmpty(path: string): Promise<void> {
  const ballast = join(path, 'ballast');
  writeFileSync(ballast, Buffer.alloc(40 * MiB, 1));
  const directory = join(path, 'store');
  const options = { sync: 'always', spanMessages: 1000 } as const;
  opened = await Opened.open(directory, options);
  const { log, state } = opened.backbone;

  const acknowledged: string[] = [];
  const refused: BrokerError[] = [];
  let number = 0;
  const append = (): Promise<void> => {
    const name = `${number++} `;
    // Random, or compression makes room.
    const payload = Buffer.concat([Buffer.from(name), randomBytes(3000)]);
    state.put('sessions', 'last', Buffer.from(name)).catch(() => {});
    return opened.append(message(`t/${number % 5}`, payload)).then(
      () => void acknowledged.push(name),
      (error: BrokerError) => void refused.push(error),
    );
  };
  while (refused.length === 0 && number < 60_000) await Promise.all(Array.from({ length: 300 }, append));
  assert.ok(acknowledged.length > 1000, `${acknowledged.length} acknowledged`);
  for (const error of refused) {
    assert.is(error.code, 'quota');
    assert.match(error.message, 'the store is full or its disk fails: ');
    assert.match(error.message, `backbone.embedded.directory ${directory}`);
  }

  await sleep(1500);
  assert.match(opened.backbone.notReady() ?? '', 'the store is full');
  const before = refused.length;
  await append();
  assert.is(refused.length, before + 1, 'refused at once');
  assert.is(log.next(0), acknowledged.length + 1);
  assert.is(await failure(opened.read(1)), 'the store is not open');
  assert.match(await failure(state.get('sessions', 'last')), 'the store is full');
  const quiet = /^Messages and sessions are kept/;
  const loud = (): string[] =>
    opened.lines.filter(({ level, text }) => level !== 'debug' && !quiet.test(text)).map(({ text }) => text);
  assert.equal(loud(), ['messages are refused until the store takes them']);

  rmSync(ballast);
  await eventually('it takes messages again', () => opened.backbone.notReady() === undefined);
  assert.is(loud().at(-1), 'the store takes messages again');
  const check = async (): Promise<void> => {
    const names = (await opened.readAll()).map((each) => textOf(each).slice(0, textOf(each).indexOf(' ') + 1));
    assert.is(names.length, acknowledged.length);
    assert.equal(names, acknowledged, 'those acknowledged, and no others');
    const last = await state.get('sessions', 'last');
    if (last !== undefined) assert.is(Buffer.from(last.value).toString(), acknowledged.at(-1), 'the state with them');
  };
  await check();
  for (let i = 0; i < 50; i++) await append();
  assert.is(refused.length, before + 1);
  await check();
  await opened.stop();
  opened = await Opened.open(directory, options);
  const names = (await opened.readAll()).map((each) => textOf(each).slice(0, textOf(each).indexOf(' ') + 1));
  assert.equal(names, acknowledged);
  console.log(`measured: ${acknowledged.length} messages acknowledged, ${refused.length} refused`);
}

/** A queue goes on where it was: what was removed meanwhile stays so, and what was refused never was in it. */
async function fillQueue(path: string): Promise<void> {
  const ballast = join(path, 'ballast');
  writeFileSync(ballast, Buffer.alloc(40 * MiB, 1));
  const directory = join(path, 'queues');
  opened = await Opened.open(directory, { sync: 'always' });
  let queue = await HeldQueue.open(opened.backbone.queues, 'q');
  const acknowledged: number[] = [];
  const refused: BrokerError[] = [];
  let number = 0;
  const push = (): Promise<void> => {
    const each = number++;
    return queue.push(queued(`${each} ${randomBytes(2000).toString('base64')}`)).then(
      () => void acknowledged.push(each),
      (error: BrokerError) => void refused.push(error),
    );
  };
  while (refused.length === 0 && number < 60_000) await Promise.all(Array.from({ length: 300 }, push));
  for (const error of refused) assert.is(error.code, 'quota');
  const numbersOf = async (count: number): Promise<number[]> =>
    (await queue.get(count)).map((entry) => Number.parseInt(queuedText(entry), 10));
  assert.is(queue.store.messages, acknowledged.length);
  rmSync(ballast);
  await eventually('it takes messages again', () => opened.backbone.notReady() === undefined);
  assert.equal(await numbersOf(500), acknowledged.slice(0, 500));
  await queue.remove(...queue.taken);
  await Promise.all(Array.from({ length: 50 }, push));
  await opened.stop();
  opened = await Opened.open(directory, { sync: 'always' });
  queue = await HeldQueue.open(opened.backbone.queues, 'q');
  assert.is(queue.store.messages, acknowledged.length - 500);
  assert.equal(
    await numbersOf(acknowledged.length - 500),
    acknowledged.slice(500),
    'those acknowledged, and no others',
  );
  assert.is(queue.lostTimes, 0);
  console.log(`measured: ${acknowledged.length} messages in the queue, ${refused.length} refused`);
}

for (const [name, mount] of Object.entries(FILE_SYSTEMS)) {
  const title = `a full ${name}`;
  const path = join(folder, name);
  mkdirSync(path);
  const why = mount(path);
  if (why === undefined) {
    mounted.add(path);
    test(title, () => fillAndEmpty(path));
    test(`${title}, and a queue`, () => {
      rmSync(join(path, 'store'), { recursive: true });
      return fillQueue(path);
    });
  } else {
    console.log(`skipped: ${title}: ${why}`);
    test.skip(title);
    test.skip(`${title}, and a queue`);
  }
}

test.run();
