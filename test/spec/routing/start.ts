import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryLog } from '../../../adapters/memory/log.ts';
import { BrokerError } from '../../../src/core/errors.ts';
import { matches } from '../../../src/core/filter.ts';
import { Message } from '../../../src/core/message.ts';
import { parseStart, type Start } from '../../../src/core/start.ts';
import type { Log, ReadReceiver } from '../../../src/ports/backbone.ts';
import { MAX_LAST, startOf } from '../../../src/routing/start.ts';
import { SystemClock } from '../../../src/system-clock.ts';
import { newDirectory, Opened } from '../embedded/support/opened.ts';

const test = suite('routing/start');

test.after.each(() => Opened.stopAll());

const publisher = { clientId: 'p', protocol: 'mqtt' } as const;

function message(topic: string, timestamp: number, bytes = 10): Message {
  return new Message(topic, Buffer.alloc(bytes), 0, bytes, 1, false, undefined, publisher, timestamp);
}

function append(log: Log, messages: readonly Message[]): Promise<unknown> {
  return Promise.all(
    messages.map(
      (each) =>
        new Promise<void>((resolve, reject) =>
          log.append(each, { appended: () => resolve(), refused: (_, error) => reject(error) }, 0),
        ),
    ),
  );
}

async function at(log: Log, text: string, filter = '#'): Promise<readonly number[]> {
  const start = parseStart(text);
  if (start === undefined) throw new Error(`${text} is no start`);
  return startOf(log, start, filter);
}

async function refusal(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof BrokerError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing was refused';
}

async function memoryLog(bytes = 64 * 1024 * 1024): Promise<Log> {
  const log = new MemoryLog(bytes, { seconds: 120, messages: 1000 }, new SystemClock());
  log.open({ live() {}, liveShared() {}, tail() {}, unheard() {} });
  return log;
}

const LOGS: readonly (readonly [string, () => Promise<Log>])[] = [
  ['memory', memoryLog],
  ['embedded', async () => (await Opened.open(newDirectory(), { spanMessages: 64 })).backbone.log],
];

for (const [name, open] of LOGS) {
  test(`${name}: every form finds its place among 3000 messages`, async () => {
    const log = await open();
    // Sequence s has time 1000 + s; every hundredth is rare.
    for (let part = 0; part < 3; part++) {
      const some = Array.from({ length: 1000 }, (_, i) => part * 1000 + i + 1);
      await append(
        log,
        some.map((s) => message(s % 100 === 0 ? 'rare' : 'often', 1000 + s)),
      );
    }
    for (const [text, filter, expected] of [
      ['new', '#', 3001],
      ['first', '#', 1],
      ['last 0', '#', 3001],
      ['last 1', '#', 3000],
      ['last 10', '#', 2991],
      ['last 1', 'often', 2999],
      ['last 1', 'rare', 3000],
      ['last 7', 'rare', 2400],
      ['last 100', 'rare', 100],
      ['last 2999', '#', 2],
      ['last 100000', '#', 1],
      ['last 3', 'nothing', 3001],
      ['time 0', '#', 1],
      ['time 1001', '#', 1],
      ['time 1002', 'rare', 2],
      ['time 2500', '#', 1500],
      ['time 4000', '#', 3000],
      ['time 4001', '#', 3001],
      ['time 1970-01-01T00:00:02Z', '#', 1000],
      ['position 0-0', '#', 1],
      ['position 0-1234', '#', 1234],
      ['position 0-3001', '#', 3001],
    ] as const) {
      assert.equal(await at(log, text, filter), [expected], `${text} of ${filter}`);
    }
  });

  test(`${name}: of an empty log every place is its beginning`, async () => {
    const log = await open();
    for (const text of ['new', 'first', 'last 5', 'time 5', 'position 0-1'])
      assert.equal(await at(log, text), [1], text);
    assert.match(
      await refusal(at(log, 'position 0-2')),
      'fieldInvalid: start is position 0-2; the log is empty, and goes on with 0-1',
    );
  });
}

test('what cannot be is refused, saying what can', async () => {
  const log = await memoryLog();
  await append(log, [message('t', 1), message('t', 2)]);
  assert.is(await refusal(at(log, 'position 0-4')), 'fieldInvalid: start is position 0-4; the log has 0-1 to 0-2');
  assert.is(await refusal(at(log, 'position 1-1')), 'fieldInvalid: start is position 1-1; the log has shard 0 alone');
  assert.is(
    await refusal(at(log, `last ${MAX_LAST + 1}`)),
    'fieldInvalid: start is last 100001; a whole number from 0 to 100000 is expected',
  );
  for (const start of [
    { from: 'last', count: -1 },
    { from: 'last', count: 1.5 },
    { from: 'time', time: Number.NaN },
  ] as const satisfies readonly Start[]) {
    assert.match(await refusal(startOf(log, start, '#')), 'fieldInvalid');
  }
});

test('after retention the first is the first that is kept', async () => {
  const log = await memoryLog(100_000);
  await append(
    log,
    Array.from({ length: 300 }, (_, i) => message('t', i + 1, 1000)),
  );
  const first = log.first(0);
  assert.ok(first > 100);
  for (const text of ['first', 'position 0-1', 'time 5', 'last 300']) assert.equal(await at(log, text), [first], text);
});

test('a log that cannot be read says so', async () => {
  const opened = await Opened.open(newDirectory());
  await append(opened.backbone.log, [message('t', 1)]);
  await opened.stop();
  for (const text of ['last 1', 'time 1']) assert.match(await refusal(at(opened.backbone.log, text)), 'unavailable');
});

interface Kept {
  readonly sequence: number;
  readonly topic: string;
  readonly timestamp: number;
}

/** Shards with gaps, whose reads give a message more than was asked for now and then, as is allowed. */
class GappyLog implements Log {
  readonly #kept: readonly (readonly Kept[])[];
  readonly shards: number;
  looked = 0;

  constructor(kept: readonly (readonly Kept[])[]) {
    this.#kept = kept;
    this.shards = kept.length;
  }

  first(shard: number): number {
    return this.#kept[shard]?.[0]?.sequence ?? 1;
  }

  next(shard: number): number {
    return (this.#kept[shard]?.at(-1)?.sequence ?? 0) + 1;
  }

  append(): void {}

  congested(): boolean {
    return false;
  }

  read(
    shard: number,
    sequence: number,
    filters: readonly string[] | undefined,
    count: number,
    _bytes: number,
    receiver: ReadReceiver,
  ): void {
    const wanted = (each: Kept, i: number): boolean =>
      filters === undefined || i % 5 === 0 || filters.some((filter) => matches(filter, each.topic));
    const found = (this.#kept[shard] ?? []).filter((each) => each.sequence >= sequence).filter(wanted);
    const messages = found.slice(0, Math.min(count, 7)).map((each) => {
      const made = message(each.topic, each.timestamp);
      made.shard = shard;
      made.sequence = each.sequence;
      return made;
    });
    this.looked += messages.length;
    const last = messages[messages.length - 1];
    const next = messages.length < found.length && last !== undefined ? last.sequence + 1 : this.next(shard);
    queueMicrotask(() => receiver.batch(shard, messages, next));
  }
}

const shardOf = fc
  .array(
    fc.record({ gap: fc.integer({ min: 1, max: 400 }), step: fc.nat(500), late: fc.nat(400), mine: fc.boolean() }),
    {
      maxLength: 80,
      size: 'max',
    },
  )
  .map((steps) => {
    let [sequence, time] = [0, 100_000];
    return steps.map(({ gap, step, late, mine }): Kept => {
      sequence += gap;
      time += step;
      return { sequence, topic: mine ? 'mine' : 'other', timestamp: time - late };
    });
  });

test('with gaps, messages a little out of order in time, and shards', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(shardOf, { minLength: 1, maxLength: 2 }),
      fc.nat(110),
      fc.integer({ min: 1, max: 40 }),
      async (kept, percent, count) => {
        const latest = kept[0]?.at(-1)?.timestamp ?? 100_000;
        const time = 99_600 + Math.floor(((latest - 99_600) * percent) / 100);
        const log = new GappyLog(kept);
        const since = await startOf(log, { from: 'time', time }, 'mine');
        for (const [shard, each] of kept.entries()) {
          const begin = since[shard] ?? 0;
          // Nothing of that time or later is left out, and what it begins with is of that time.
          assert.not(each.some(({ sequence, timestamp }) => sequence < begin && timestamp >= time));
          const found = each.find(({ sequence }) => sequence >= begin);
          assert.ok(found === undefined || found.timestamp >= time);
        }
        const last = await startOf(log, { from: 'last', count }, 'mine');
        const mine = kept.map((each) => each.filter(({ topic }) => topic === 'mine'));
        const got = mine.map((each, shard) => each.filter(({ sequence }) => sequence >= (last[shard] ?? 0)));
        const all = mine.flat().length;
        const many = got.flat().length;
        if (kept.length === 1) assert.is(many, Math.min(all, count));
        else assert.ok(many >= Math.min(all, count));
      },
    ),
    { numRuns: 300 },
  );
});

test('the last few are found without reading the log, and a time with few reads', async () => {
  const kept = Array.from({ length: 20_000 }, (_, i) => ({ sequence: i + 1, topic: 'mine', timestamp: i * 1000 }));
  const log = new GappyLog([kept]);
  assert.equal(await startOf(log, { from: 'last', count: 3 }, 'mine'), [19_998]);
  assert.ok(log.looked < 300, `${log.looked} for the last 3`);
  log.looked = 0;
  assert.equal(await startOf(log, { from: 'time', time: 5_000_000 }, 'mine'), [5001]);
  assert.ok(log.looked < 50, `${log.looked} for a time`);
});

test.run();
