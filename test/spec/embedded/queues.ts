import { existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { QueueEntry, QueueReceiver, QueueStore } from '../../../src/ports/queue-store.ts';
import { HeldQueue, queued, textOf } from '../../contract/support/held-queue.ts';
import { Child } from '../../support/child.ts';
import { eventually } from '../../support/eventually.ts';
import { slowNext } from './support/faulty-writes.ts';
import { newDirectory, Opened } from './support/opened.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const ROUNDS = 6;
/** Messages under way at any time. */
const IN_FLIGHT = 200;

function listOf(directory: string): string {
  return `${directory}.settled`;
}

/**
 * Pushes numbered messages and removes all but every tenth of what comes, until it is killed. Writes what is certain to a
 * file: `+` for what is stored, `-` for what is removed, `*` for what was given out.
 */
async function workForEver(directory: string, from: number): Promise<void> {
  const list = openSync(listOf(directory), 'w');
  const { backbone } = await Opened.open(directory, { sync: 'always' });
  let number = from;
  const receiver: QueueReceiver = {
    lost() {
      throw new Error('lost');
    },
    take(entries: readonly QueueEntry[]): void {
      const removed: string[] = [];
      for (const entry of entries) {
        writeSync(list, `*${textOf(entry)}\n`);
        if (Number(textOf(entry)) % 10 === 0) continue;
        store.remove(entry.id);
        removed.push(`-${textOf(entry)}\n`);
      }
      void store.flushed().then(() => writeSync(list, removed.join('')));
      store.want(entries.length);
    },
  };
  const store: QueueStore = await backbone.queues.open('work', receiver);
  const pushed = {
    appended(token: number): void {
      writeSync(list, `+${token}\n`);
      push();
    },
    refused(_: number, error: Error): void {
      throw error;
    },
  };
  const push = (): void => {
    store.push(queued(`${number}`, number % 7 === 0 ? { priority: 1 } : undefined, `id ${number}`), pushed, number);
    number++;
  };
  store.want(IN_FLIGHT);
  for (let i = 0; i < IN_FLIGHT; i++) push();
}

/** What the killed one wrote; the last line may be cut off. */
function readList(directory: string): { stored: Set<string>; removed: Set<string>; given: Set<string> } {
  const lines = readFileSync(listOf(directory), 'utf8').split('\n').slice(0, -1);
  const of = (sign: string): Set<string> =>
    new Set(lines.filter((line) => line.startsWith(sign)).map((line) => line.slice(1)));
  return { stored: of('+'), removed: of('-'), given: of('*') };
}

const [, , mode, directory, from] = process.argv;
if (mode === 'work' && directory !== undefined) {
  await workForEver(directory, Number(from));
} else {
  const test = suite('spec/embedded queues');
  test.after.each(() => Opened.stopAll());

  test('after SIGKILL, what is stored and not removed comes, what is removed does not, and what was given out says so', async () => {
    const where = newDirectory();
    let next = 0;
    /** In the queue for certain, and perhaps. */
    let certain = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const child = new Child(process.execPath, [import.meta.filename, 'work', where, `${next}`]);
      await eventually(
        'a removal',
        () => existsSync(listOf(where)) && readFileSync(listOf(where), 'utf8').includes('-'),
        10_000,
      );
      await sleep(Math.random() * 200);
      child.kill('SIGKILL');
      assert.is((await child.ended).stderr, '');
      const { stored, removed, given } = readList(where);
      rmSync(listOf(where));
      for (const each of stored) certain.add(each);
      for (const each of removed) certain.delete(each);

      const opened = await Opened.open(where);
      const queue = await HeldQueue.open(opened.backbone.queues, 'work');
      const entries = await queue.get(queue.store.messages);
      const texts = entries.map(textOf);
      assert.is(new Set(texts).size, texts.length, 'nothing twice');
      const there = new Set(texts);
      for (const each of certain) {
        // What is being removed while it is killed may be there or not.
        if (!there.has(each)) assert.ok(given.has(each) && Number(each) % 10 !== 0, `${each} is stored`);
      }
      for (const each of removed) assert.not(there.has(each), `${each} is removed`);
      for (const entry of entries)
        if (given.has(textOf(entry))) assert.ok(entry.redelivered, `${textOf(entry)} was given out`);
      assert.is(
        queue.store.bytes,
        texts.reduce((sum, text) => sum + text.length, 0),
      );
      next = texts.reduce((highest, text) => Math.max(highest, Number(text)), next) + 1;
      for (const each of [...stored].slice(-1)) {
        assert.is(await queue.push(queued(each, undefined, `id ${each}`)), true, 'its id is known');
        next = Math.max(next, Number(each) + 1);
      }
      certain = there;
      await opened.stop();
    }
  });

  test('1,000,000 waiting messages cost disk, not memory, and are there at once', async () => {
    const COUNT = 1_000_000;
    const where = newDirectory();
    let opened = await Opened.open(where);
    let queue = await HeldQueue.open(opened.backbone.queues, 'full');
    const memory = (): number => {
      globalThis.gc?.();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = memory();
    const began = performance.now();
    let stored = 0;
    const receiver = {
      appended: () => void stored++,
      refused: (_: number, error: Error) => assert.unreachable(error.message),
    };
    const payload = 'x'.repeat(100);
    for (let pushed = 0; pushed < COUNT; ) {
      for (let i = 0; i < 5000; i++) queue.store.push(queued(payload), receiver, pushed++);
      await eventually('they are stored', () => stored === pushed);
    }
    const seconds = (performance.now() - began) / 1000;
    const more = memory() - before;
    assert.ok(more < 30 * MiB, `${more / MiB} MiB more`);
    await opened.stop();

    opened = await Opened.open(where);
    const reopening = performance.now();
    queue = await HeldQueue.open(opened.backbone.queues, 'full');
    assert.equal([queue.store.messages, queue.store.bytes], [COUNT, COUNT * 100]);
    const first = await queue.one();
    const milliseconds = performance.now() - reopening;
    assert.ok(milliseconds < 2000, `${milliseconds} ms`);
    assert.is(textOf(first), payload);
    assert.is(await queue.store.purge(), COUNT - 1);
    await queue.remove(first);
    assert.is(queue.store.messages, 0);
    console.log(
      `measured: ${(more / MiB).toFixed(1)} MiB more memory, stored in ${seconds.toFixed(1)} s, opened in ${milliseconds.toFixed(0)} ms`,
    );
  });

  test('10,000 queues with some messages each', async () => {
    const COUNT = 10_000;
    const where = newDirectory();
    let opened = await Opened.open(where);
    const open = (): Promise<HeldQueue[]> =>
      Promise.all(Array.from({ length: COUNT }, (_, i) => HeldQueue.open(opened.backbone.queues, `queue ${i}`)));
    const began = performance.now();
    let queues = await open();
    await Promise.all(queues.map((queue, i) => queue.pushAll(`${i} a`, `${i} b`)));
    const made = performance.now() - began;
    await opened.stop();

    queues = [];
    opened = await Opened.open(where);
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    const reopening = performance.now();
    queues = await open();
    const again = performance.now() - reopening;
    globalThis.gc?.();
    const each = (process.memoryUsage().heapUsed - before) / COUNT;
    for (const [i, queue] of queues.entries()) {
      assert.is(queue.store.messages, 2);
      if (i % 1000 === 0) assert.equal(await queue.texts(2), [`${i} a`, `${i} b`]);
    }
    assert.ok(each < 2 * KiB, `${each} bytes each`);
    assert.ok(made < 20_000 && again < 10_000, `${made} ms, ${again} ms`);
    console.log(
      `measured: ${COUNT} queues made and filled in ${made.toFixed(0)} ms, opened in ${again.toFixed(0)} ms, ${each.toFixed(0)} bytes each`,
    );
  });

  test('a queue whose messages are damaged is lost, said so, and the others go on', async () => {
    const where = newDirectory();
    let opened = await Opened.open(where);
    await (await HeldQueue.open(opened.backbone.queues, 'damaged')).pushAll('a');
    await (await HeldQueue.open(opened.backbone.queues, 'sound')).pushAll('b');
    await opened.stop();
    const db = new ClassicLevel<Buffer, Buffer>(where, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
    const [entry] = await db.iterator({ gte: Buffer.from('Q'), lt: Buffer.from('R') }).all();
    assert.ok(entry !== undefined);
    const [key, value] = entry;
    value.writeUInt8(value.readUInt8(20) ^ 1, 20);
    await db.put(key, value);
    await db.close();
    opened = await Opened.open(where);
    const damaged = await HeldQueue.open(opened.backbone.queues, 'damaged');
    const sound = await HeldQueue.open(opened.backbone.queues, 'sound');
    damaged.store.want(1);
    await eventually('it is lost', () => damaged.lostTimes === 1);
    assert.equal(damaged.taken, []);
    const line = opened.lines.find(({ level }) => level === 'error');
    assert.match(line?.text ?? '', 'the queue cannot be read');
    assert.equal(await sound.texts(1), ['b']);
  });

  test('a queue with a backlog does not hold up what comes while it is worked off', async () => {
    const opened = await Opened.open(newDirectory());
    const queue = await HeldQueue.open(opened.backbone.queues, 'q');
    const payload = 'x'.repeat(10 * KiB);
    const push = (from: number): Promise<void> =>
      queue.pushAll(...Array.from({ length: 100 }, (_, i) => `${from + i} ${payload}`));
    for (let from = 0; from < 500; from += 100) await push(from);
    const numbers: number[] = [];
    for (let from = 500; from < 1000; from += 100) {
      const [entries] = await Promise.all([queue.get(150), push(from)]);
      numbers.push(...entries.map((entry) => Number.parseInt(textOf(entry), 10)));
      await queue.remove(...entries);
    }
    numbers.push(...(await queue.get(250)).map((entry) => Number.parseInt(textOf(entry), 10)));
    assert.equal(
      numbers,
      Array.from({ length: 1000 }, (_, i) => i),
    );
  });

  test('what is due before it is stored comes all the same', async () => {
    const opened = await Opened.open(newDirectory(), { sync: 'always' });
    const queue = await HeldQueue.open(opened.backbone.queues, 'q');
    const now = opened.clock.now();
    await queue.push(queued('stored in time', { deliverAt: now + 100 }));
    slowNext(300);
    const late = queue.push(queued('stored late', { deliverAt: now + 50 }));
    assert.equal((await queue.texts(2)).sort(), ['stored in time', 'stored late']);
    await late;

    for (const entry of [...queue.taken]) {
      slowNext(100);
      queue.store.release(entry.id, opened.clock.now() + 20, 1);
    }
    assert.is((await queue.texts(2)).length, 2);
  });

  test.run();
}
