import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { QueueEntry } from '../../../src/ports/queue-store.ts';
import { HeldQueue, queued, textOf } from '../../contract/support/held-queue.ts';
import { eventually } from '../../support/eventually.ts';
import { ShiftedClock } from '../../support/shifted-clock.ts';
import { failNext } from './support/faulty-writes.ts';
import { newDirectory, Opened } from './support/opened.ts';

/**
 * Random operations on a queue against a list: what comes, in which order, and what is left after closing, stopping,
 * purging, and writes that fail. Payloads are large and the memory for them is small, so that most of it is read from the
 * disk.
 */

const RUNS = 8;
const STEPS = 120;
const OPTIONS = { cacheBytes: 128 * 1024, sync: 'always' } as const;
/** Milliseconds a delayed message waits, of a clock that goes on only when it is told to. */
const DELAY = 20;
/** Milliseconds of the machine's clock in which what is due is read. */
const READ = 100;

const test = suite('spec/embedded queues model');

test.after.each(() => Opened.stopAll());

interface Item {
  readonly text: string;
  readonly priority: number;
  readonly size: number;
  id: number;
  dueAt: number;
  deliveries: number;
  released: boolean;
  taken: boolean;
  /** It was taken, and is not to come before it is asked for. */
  passed: boolean;
  /** It was taken when the others were purged: the store has it as one that may have been given out. */
  moved: boolean;
  /** It was given out; and it may have been, for all that a store knows that was stopped. */
  given: boolean;
  maybe: boolean;
}

/** Nothing has become of it yet. */
const FRESH = {
  deliveries: 0,
  released: false,
  taken: false,
  passed: false,
  moved: false,
  given: false,
  maybe: false,
};

/** Stands still, and opens a store that failed again at once. */
class Impatient extends ShiftedClock {
  #now = super.now();

  override now(): number {
    return this.#now + this.shift;
  }

  override schedule(delay: number, task: () => void): ReturnType<ShiftedClock['schedule']> {
    return super.schedule(delay === 1000 ? 1 : delay, task);
  }
}

class Run {
  readonly seed: number;
  readonly directory = newDirectory();
  readonly clock = new Impatient();
  items: Item[] = [];
  entries = new Map<Item, QueueEntry>();
  #random: number;
  #pushed = 0;
  #opened: Opened | undefined;
  #queue: HeldQueue | undefined;

  constructor(seed: number) {
    this.seed = seed;
    this.#random = seed;
  }

  get queue(): HeldQueue {
    if (this.#queue === undefined) throw new Error('not open');
    return this.#queue;
  }

  /** 0 to `below` - 1. */
  next(below: number): number {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#random / 2 ** 32) * below);
  }

  async open(): Promise<void> {
    this.#opened ??= await Opened.open(this.directory, OPTIONS, this.clock);
    this.#queue = await HeldQueue.open(this.#opened.backbone.queues, 'q');
  }

  async stop(): Promise<void> {
    await this.#opened?.stop();
    this.#opened = undefined;
  }

  /** Several at once, in one write. */
  async push(): Promise<void> {
    const count = 1 + this.next(12);
    const size = [10, 3000, 40_000][this.next(3)] ?? 0;
    const pushes: Promise<boolean>[] = [];
    for (let i = 0; i < count; i++) {
      const text = `${this.#pushed++} ${'x'.repeat(size)}`;
      const priority = this.next(4) === 0 ? this.next(3) : 0;
      const dueAt = this.next(8) === 0 ? this.clock.now() + DELAY : 0;
      this.items.push({ text, priority, size: text.length, id: 0, dueAt, ...FRESH });
      pushes.push(this.queue.push(queued(text, { priority, ...(dueAt > 0 && { deliverAt: dueAt }) })));
    }
    await Promise.all(pushes);
  }

  async take(): Promise<void> {
    if (this.items.some(({ taken, dueAt }) => !taken && dueAt > this.clock.now()) && this.next(2) === 0) {
      this.clock.shift += DELAY;
      await sleep(READ);
      // As slow as the disk is: what is due has been read and written by then.
      for (let i = 0; i < 3; i++) await this.browse();
    }
    const now = this.clock.now();
    const due = this.items.filter(({ taken, passed, dueAt }) => !taken && !passed && dueAt <= now);
    const expected = due.sort(
      (a, b) => b.priority - a.priority || Number(b.released) - Number(a.released) || this.#place(a) - this.#place(b),
    );
    expected.length = Math.min(expected.length, 1 + this.next(30));
    const entries = await this.queue.get(expected.length);
    assert.equal(
      entries.map(summary),
      expected.map(({ text }) => text.slice(0, 8)),
    );
    for (const [i, item] of expected.entries()) {
      const entry = entries[i];
      assert.ok(entry !== undefined && (item.id === 0 || item.id === entry.id));
      assert.is(entry.deliveries, item.deliveries);
      if (item.given) assert.is(entry.redelivered, true);
      if (!item.given && !item.maybe) assert.is(entry.redelivered, false);
      item.id = entry.id;
      item.taken = true;
      item.given = false;
      this.entries.set(item, entry);
    }
  }

  remove(): void {
    for (const item of this.#someTaken()) {
      this.queue.store.remove(item.id);
      this.items.splice(this.items.indexOf(item), 1);
    }
  }

  release(): void {
    for (const item of this.#someTaken()) {
      item.dueAt = this.next(3) === 0 ? this.clock.now() + DELAY : 0;
      item.deliveries += this.next(2);
      item.given = item.deliveries > 0 || (this.entries.get(item)?.redelivered ?? false);
      item.released = true;
      item.taken = false;
      this.queue.store.release(item.id, item.dueAt, item.deliveries);
    }
  }

  pass(): void {
    for (const item of this.#someTaken()) {
      item.given = this.entries.get(item)?.redelivered ?? false;
      item.taken = false;
      item.passed = true;
      this.queue.store.pass(item.id);
    }
  }

  /** All that was passed over, or some, beside what was not. */
  revisit(): void {
    const all = this.next(2) === 0;
    const some = this.items.filter(({ passed, id }) => all || (id > 0 && this.next(passed ? 2 : 9) === 0));
    this.queue.store.revisit(all ? undefined : some.map(({ id }) => id));
    for (const item of some) item.passed = false;
  }

  async close(): Promise<void> {
    await this.queue.store.close();
    for (const item of this.items) {
      item.maybe ||= item.passed && item.moved;
      item.passed = false;
      if (!item.taken) continue;
      item.taken = false;
      item.released = true;
      item.given = true;
    }
    await this.open();
  }

  async restart(): Promise<void> {
    await this.stop();
    for (const item of this.items) {
      item.maybe = true;
      item.passed = false;
      item.given ||= item.taken;
      item.taken = false;
    }
    await this.open();
  }

  async purge(): Promise<void> {
    const kept = this.items.filter(({ taken }) => taken);
    assert.is(await this.queue.store.purge(), this.items.length - kept.length);
    this.items = kept;
    for (const item of kept) {
      item.released = true;
      item.moved = true;
    }
  }

  async browse(): Promise<void> {
    const found: string[] = [];
    for (let after: number | undefined = 0; after !== undefined; ) {
      const portion: Awaited<ReturnType<HeldQueue['store']['browse']>> = await this.queue.store.browse(
        after,
        1 + this.next(20),
      );
      found.push(...portion.entries.map(summary));
      after = portion.next;
    }
    assert.equal(
      found,
      this.items.map(({ text }) => text.slice(0, 8)),
    );
  }

  /** What was pushed with it is refused, what was settled is so. */
  async fail(): Promise<void> {
    failNext(this.next(2) === 0 ? 'gone' : 'there');
    const id = `id ${this.#pushed}`;
    const attempts = [this.queue.push(queued('refused')), this.queue.push(queued('refused', { priority: 5 }, id))];
    this.remove();
    this.release();
    for (const attempt of await Promise.allSettled([...attempts, this.queue.store.flushed()]))
      assert.is(attempt.status, 'rejected');
    await eventually('the store is open again', () => this.#opened?.backbone.notReady() === undefined);
    assert.is(await this.pushKnown(id), false, 'what was refused has not been here');
  }

  async pushKnown(id: string): Promise<boolean> {
    this.items.push({
      text: `${this.#pushed}`,
      priority: 0,
      size: `${this.#pushed}`.length,
      id: 0,
      dueAt: 0,
      ...FRESH,
    });
    return this.queue.push(queued(`${this.#pushed++}`, undefined, id));
  }

  check(): void {
    assert.is(this.queue.store.messages, this.items.length);
    assert.is(
      this.queue.store.bytes,
      this.items.reduce((sum, { size }) => sum + size, 0),
    );
    assert.is(this.queue.lostTimes, 0);
  }

  #someTaken(): Item[] {
    return this.items.filter(({ taken }) => taken && this.next(3) > 0);
  }

  /** Items are in the order of their ids. */
  #place(item: Item): number {
    return this.items.indexOf(item);
  }
}

function summary(entry: QueueEntry): string {
  return textOf(entry).slice(0, 8);
}

const ONLY = process.env.MODEL_SEED;
const SEEDS = ONLY === undefined ? Array.from({ length: RUNS }, (_, i) => i + 1) : [Number(ONLY)];

for (const seed of SEEDS) {
  test(`random operations, seed ${seed}`, async () => {
    const run = new Run(seed);
    await run.open();
    for (let i = 0; i < STEPS; i++) {
      const dice = run.next(100);
      if (dice < 30) await run.push();
      else if (dice < 60) await run.take();
      else if (dice < 69) run.remove();
      else if (dice < 77) run.pass();
      else if (dice < 80) run.revisit();
      else if (dice < 87) run.release();
      else if (dice < 91) await run.browse();
      else if (dice < 94) await run.close();
      else if (dice < 96) await run.restart();
      else if (dice < 98) await run.fail();
      else await run.purge();
      run.check();
    }
    await run.stop();
  });
}

test.run();
