import * as fc from 'fast-check';
import { suite } from 'uvu';
import type { Properties } from '../../src/core/message.ts';
import { QueueWorld, type Recorder } from '../spec/routing/support/queues.ts';
import { type Color, type ModelConsumer, QueueModel, type Rules } from './support/queue-model.ts';

/**
 * Producers and consumers of one queue at random, with time passing and processes killed: everything that happens is what a
 * simple model of a queue allows. `node dist/test/sim/queues.js RUNS SEED` repeats a run, or makes it longer.
 */

const RUNS = Number(process.argv[2] ?? 300);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);

interface Pushed {
  readonly key: string | undefined;
  readonly priority: number;
  readonly delay: number;
  readonly ttl: number;
  readonly id: string | undefined;
  readonly color: Color;
}

interface Consuming {
  readonly model: ModelConsumer;
  readonly recorder: Recorder;
}

/** And what each is true of. */
const SELECTORS = new Map<string | undefined, (color: Color) => boolean>([
  ["color = 'red'", (color) => color === 'red'],
  ["color <> 'red'", (color) => color === 'blue'],
  ["color IN ('red', 'blue')", (color) => color !== undefined],
  ['color IS NULL', (color) => color === undefined],
]);

class Real {
  readonly world: QueueWorld;
  readonly model: QueueModel;
  readonly consumers: Consuming[] = [];
  #pushed = 0;
  #attached = 0;
  /** What was found out during a delivery. */
  #fault: unknown;

  constructor(rules: Rules) {
    this.world = new QueueWorld({ ...rules, deadLetterQueue: 'dead' });
    this.model = new QueueModel(rules);
  }

  get now(): number {
    return this.world.clock.now();
  }

  push(of: Pushed, told = true): void {
    const number = ++this.#pushed;
    const properties: { -readonly [K in keyof Properties]: Properties[K] } = {};
    if (of.key !== undefined) properties.key = of.key;
    if (of.priority > 0) properties.priority = of.priority;
    if (of.delay > 0) properties.deliverAt = this.now + of.delay;
    if (of.ttl > 0) properties.expiresAt = this.now + of.ttl;
    if (of.id !== undefined) properties.messageId = of.id;
    if (of.color !== undefined) properties.user = [['color', of.color]];
    this.world.push(String(number), properties, 'q', number);
    if (!told) return;
    const stored = this.model.push(number, this.now, of);
    this.#expected.push(stored ? String(number) : `${number} repeated`);
  }

  readonly #expected: string[] = [];

  attach(prefetch: number, priority: number, selector?: string): void {
    const name = `c${++this.#attached}`;
    const model = { name, prefetch, priority, selects: SELECTORS.get(selector) ?? (() => true) };
    this.model.consumers.add(model);
    this.model.selecting ||= selector !== undefined;
    const world = this.world;
    const options = { clientId: name, prefetch, priority, exclusive: false, selector };
    const recorder: Recorder = world.consumer(options, (body, delivery) => {
      try {
        this.model.taken(model, Number(body), delivery, this.now);
      } catch (error) {
        this.#fault ??= error;
      }
    });
    this.consumers.push({ model, recorder });
  }

  /** One of the messages that are with consumers. */
  settle(which: number, outcome: 'accept' | 'requeue' | 'reject', delay?: number): void {
    const held = this.consumers.flatMap((each) => this.model.held(each.model).map((row) => ({ each, row })));
    const chosen = held[which % Math.max(1, held.length)];
    if (chosen === undefined) return;
    const { each, row } = chosen;
    this.model.settle(row, outcome, this.now, delay);
    each.recorder.settle(String(row.number), outcome, delay);
  }

  cancel(which: number): void {
    const [chosen] = this.consumers.splice(which % Math.max(1, this.consumers.length), 1);
    if (chosen === undefined) return;
    this.model.cancel(chosen.model, this.now);
    chosen.recorder.consumption?.cancel();
  }

  async end(killed: boolean): Promise<void> {
    this.model.end(this.now, killed);
    this.consumers.length = 0;
    if (killed) await this.world.crash();
    else await this.world.restart();
  }

  async purge(): Promise<void> {
    if (!this.world.queues.list().includes('q')) return;
    this.model.purge();
    const purged = this.world.queues.purge('q');
    await this.world.settle();
    await purged;
  }

  async check(): Promise<void> {
    await this.world.settle();
    if (this.#fault !== undefined) throw this.#fault;
    this.model.checkIdle(this.now);
    const answers = this.world.answers.join();
    if (answers !== this.#expected.join()) throw new Error(`answered ${answers}, expected ${this.#expected.join()}`);
    this.model.step++;
  }

  /** Everything comes to its end: no message is lost, none is there twice. */
  async finish(): Promise<void> {
    this.attach(1000, 0);
    await this.world.clock.advance(100_000);
    await this.check();
    await this.world.clock.advance(10_000);
    const [left, dead] = [await this.world.bodies('q'), await this.world.bodies('dead')];
    this.model.checkEnd(left.map(Number), dead.map(Number));
  }
}

type Command = { readonly text: string; run(real: Real): void | Promise<void> };

const pushed = fc.record({
  key: fc.constantFrom(undefined, undefined, 'a', 'b'),
  priority: fc.constantFrom(0, 0, 0, 0, 4, 9),
  delay: fc.constantFrom(0, 0, 0, 0, 1000, 5000),
  ttl: fc.constantFrom(0, 0, 0, 0, 3000, 20_000),
  id: fc.constantFrom(undefined, undefined, undefined, 'i', 'j'),
  color: fc.constantFrom<Color>(undefined, 'red', 'red', 'blue'),
});
const which = fc.nat(7);
const push = pushed.map((of): Command => ({ text: `push ${JSON.stringify(of)}`, run: (real) => real.push(of) }));
const attach = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(1), fc.constantFrom(undefined, ...SELECTORS.keys())).map(
  ([prefetch, priority, selector]): Command => ({
    text: `attach ${prefetch} ${priority} ${selector}`,
    run: (real) => real.attach(prefetch, priority, selector),
  }),
);
const settle = fc
  .tuple(
    which,
    fc.constantFrom('accept', 'accept', 'requeue', 'reject'),
    fc.constantFrom(undefined, undefined, 0, 2000),
  )
  .map(
    ([n, outcome, delay]): Command => ({
      text: `${outcome} ${n} ${delay}`,
      run: (real) => real.settle(n, outcome, delay),
    }),
  );
const cancel = which.map((n): Command => ({ text: `cancel ${n}`, run: (real) => real.cancel(n) }));
const time = fc
  .constantFrom(100, 500, 1000, 4000, 10_000)
  .map((ms): Command => ({ text: `time ${ms}`, run: (real) => real.world.clock.advance(ms) }));
const ends = fc.constantFrom<Command>(
  { text: 'crash', run: (real) => real.end(true) },
  { text: 'restart', run: (real) => real.end(false) },
  { text: 'purge', run: (real) => real.purge() },
  {
    text: 'push, crash',
    run: async (real) => {
      await real.world.settle();
      // Nobody was told that it is there.
      real.push({ key: undefined, priority: 0, delay: 0, ttl: 0, id: 'j', color: undefined }, false);
      await real.end(true);
    },
  },
);
const command = fc.oneof(
  { weight: 8, arbitrary: push },
  { weight: 3, arbitrary: attach },
  { weight: 10, arbitrary: settle },
  { weight: 2, arbitrary: cancel },
  { weight: 4, arbitrary: time },
  { weight: 1, arbitrary: ends },
);
const rules = fc.record({
  maxDeliveries: fc.constantFrom(0, 3),
  retryMilliseconds: fc.constantFrom(0, 1000),
  retryMaxMilliseconds: fc.constant(3000),
  // Odd, so that time-outs do not fall on the millisecond in which something else happens.
  ackMilliseconds: fc.constantFrom(0, 0, 5003),
});

const test = suite('sim/queues');

test(`${RUNS} queues are what the model allows, seed ${SEED}`, () =>
  fc.assert(
    fc.asyncProperty(
      rules,
      fc.array(command.map(named), { maxLength: 60, size: 'max' }),
      async (settings, commands) => {
        const real = new Real(settings);
        await real.world.start();
        for (const each of commands) {
          await each.run(real);
          await real.check();
        }
        await real.finish();
      },
    ),
    { numRuns: RUNS, seed: SEED, includeErrorInReport: true },
  ));

/** Shown as its text where a run fails. */
function named(command: Command): Command {
  return Object.assign(command, { [fc.toStringMethod]: () => command.text });
}

test.run();
