import * as assert from 'uvu/assert';
import type { Delivery } from '../../../src/ports/queues.ts';

/** What a queue has promised, in the plainest form: every message as a row, every delivery checked against all of them. */

export interface Rules {
  readonly maxDeliveries: number;
  readonly retryMilliseconds: number;
  readonly retryMaxMilliseconds: number;
  readonly ackMilliseconds: number;
}

/** What a test knows of a consumer. */
export interface ModelConsumer {
  readonly name: string;
  readonly prefetch: number;
  readonly priority: number;
  readonly selects: (color: Color) => boolean;
}

/** What selectors ask for; messages without are of no colour. */
export type Color = 'red' | 'blue' | undefined;

interface Row {
  readonly number: number;
  readonly color: Color;
  readonly key: string | undefined;
  readonly priority: number;
  readonly expiresAt: number;
  readonly storedAt: number;
  /** `gone`: given up, here or in the dead-letter queue already; `maybe`: or purged; `done`: accepted, or purged. */
  state: 'waiting' | 'with' | 'gone' | 'maybe' | 'done';
  consumer: ModelConsumer | undefined;
  since: number;
  dueAt: number;
  /** It was never due so far: others of its key need not wait for it. */
  delayed: boolean;
  /** It waited for a time: it comes behind those that were held ready meanwhile. */
  late: boolean;
  deliveries: number;
  /** The process was killed: it may have forgotten some of the deliveries. */
  fuzzy: boolean;
  /** It waited in a process that was killed, which may have been about to give it to someone. */
  doubtful: boolean;
  /** The step in which it came to wait. */
  step: number;
}

export class QueueModel {
  readonly rules: Rules;
  readonly rows: Row[] = [];
  readonly consumers = new Set<ModelConsumer>();
  readonly ids = new Set<string>();
  /** When a consumer's messages were taken back last: it is asked again once all are. */
  readonly #freedAt = new Map<ModelConsumer, number>();
  /** This process has seen a priority: before, some messages are held ready, and a higher one may come behind them. */
  #prioritised = false;
  /** Some consumer does not take everything. */
  selecting = false;
  /** Counts what the test does. */
  step = 0;

  constructor(rules: Rules) {
    this.rules = rules;
  }

  /** False when it repeats one. */
  push(
    number: number,
    now: number,
    of: {
      key?: string | undefined;
      priority: number;
      delay: number;
      ttl: number;
      id?: string | undefined;
      color?: Color;
    },
  ): boolean {
    if (of.id !== undefined && this.ids.has(of.id)) return false;
    if (of.id !== undefined) this.ids.add(of.id);
    this.#prioritised ||= of.priority > 0;
    this.rows.push({
      number,
      key: of.key,
      color: of.color,
      priority: of.priority,
      storedAt: now,
      expiresAt: of.ttl === 0 ? Number.POSITIVE_INFINITY : now + of.ttl,
      state: 'waiting',
      consumer: undefined,
      since: 0,
      dueAt: now + of.delay,
      delayed: of.delay > 0,
      late: of.delay > 0,
      deliveries: 0,
      fuzzy: false,
      doubtful: false,
      step: this.step,
    });
    return true;
  }

  held(consumer: ModelConsumer): Row[] {
    return this.rows.filter((row) => row.state === 'with' && row.consumer === consumer);
  }

  /** Time-outs, and the end of messages, up to now. */
  pass(now: number): void {
    const { ackMilliseconds } = this.rules;
    for (const row of this.rows) {
      if (row.state === 'with' && ackMilliseconds > 0 && row.since + ackMilliseconds <= now) this.#back(row, 0, now);
      if (row.state === 'waiting' && row.expiresAt <= now) row.state = 'gone';
    }
  }

  taken(consumer: ModelConsumer, number: number, delivery: Delivery, now: number): void {
    this.pass(now);
    const row = this.rows.find((each) => each.number === number);
    const what = `message ${number}, given to ${consumer.name} at ${now},`;
    if (row === undefined) throw new Error(`${what} was never stored`);
    assert.is(row.state, 'waiting', `${what} is ${row.state}`);
    assert.ok(row.dueAt <= now, `${what} is due at ${row.dueAt}`);
    assert.ok(consumer.selects(row.color), `${what} is ${row.color}, which it does not select`);
    assert.ok(this.held(consumer).length < consumer.prefetch, `${what} is more than the prefetch`);
    if (row.fuzzy)
      assert.ok(delivery.count <= row.deliveries + 1 && delivery.redelivered, `${what} count, killed before`);
    else {
      assert.is(delivery.count, row.deliveries + 1, `${what} count`);
      if (!row.doubtful) assert.is(delivery.redelivered, row.deliveries > 0, `${what} redelivered`);
    }
    this.#checkKey(row, consumer, what);
    this.#checkOrder(row, consumer, now, what);
    this.#prioritised ||= row.priority > 0;
    row.state = 'with';
    row.consumer = consumer;
    row.since = now;
    row.deliveries = delivery.count;
    row.fuzzy = false;
    row.doubtful = false;
    row.delayed = false;
  }

  #checkKey(row: Row, consumer: ModelConsumer, what: string): void {
    if (row.key === undefined) return;
    for (const other of this.rows) {
      if (other === row || other.key !== row.key) continue;
      if (other.state === 'with') assert.is(other.consumer, consumer, `${what} has the key of ${other.number}`);
      // One that this consumer does not select is left for others.
      const behind =
        other.number < row.number && other.priority === row.priority && !other.delayed && consumer.selects(other.color);
      const overtaken = this.#overtakes(row, other);
      assert.not(
        behind && other.state === 'waiting' && !overtaken,
        `${what} is before ${other.number} of the same key`,
      );
    }
  }

  /** Whether nothing but a consumer is missing for its delivery. */
  #free(row: Row, now: number): boolean {
    if (row.state !== 'waiting' || row.dueAt > now) return false;
    if (row.key === undefined) return true;
    return !this.rows.some(
      (other) =>
        other !== row &&
        other.key === row.key &&
        (other.state === 'with' ||
          (other.state === 'waiting' && (other.number < row.number || other.priority > row.priority))),
    );
  }

  /** It was taken when the other one, which nobody selected, was passed over: what was taken before comes first. */
  #overtakes(row: Row, other: Row): boolean {
    return this.selecting && (row.deliveries > 0 || row.doubtful) && other.deliveries === 0;
  }

  #checkOrder(row: Row, consumer: ModelConsumer, now: number, what: string): void {
    for (const other of this.rows) {
      if (other === row || other.step === this.step || other.dueAt === now || !this.#free(other, now)) continue;
      if (!consumer.selects(other.color)) continue;
      // What was held back behind others of its key does not wait for others again.
      assert.not(
        this.#prioritised && other.priority > row.priority && row.key === undefined,
        `${what} is before ${other.number}, of a higher priority`,
      );
      const first = other.number < row.number && other.priority === row.priority && row.deliveries === 0;
      assert.not(
        first && !row.fuzzy && !other.late && !this.#overtakes(row, other),
        `${what} is before ${other.number}, which is older`,
      );
    }
    if (row.key !== undefined) return;
    for (const other of this.consumers) {
      if (other.priority > consumer.priority && other.selects(row.color) && this.#freedAt.get(other) !== now)
        assert.is(this.held(other).length, other.prefetch, `${what} is for ${other.name}, of a higher priority`);
    }
  }

  settle(row: Row, outcome: 'accept' | 'requeue' | 'reject', now: number, delay?: number): void {
    if (outcome === 'accept') row.state = 'done';
    else if (outcome === 'reject') row.state = 'gone';
    else this.#back(row, delay ?? this.#backOff(row.deliveries), now);
  }

  #backOff(deliveries: number): number {
    const { retryMilliseconds, retryMaxMilliseconds } = this.rules;
    return Math.min(retryMilliseconds * 2 ** (deliveries - 1), retryMaxMilliseconds);
  }

  #back(row: Row, delay: number, now: number): void {
    const { maxDeliveries } = this.rules;
    row.state = maxDeliveries > 0 && row.deliveries >= maxDeliveries ? 'gone' : 'waiting';
    if (row.consumer !== undefined) this.#freedAt.set(row.consumer, now);
    row.consumer = undefined;
    row.dueAt = now + delay;
    row.late = delay > 0;
    row.step = this.step;
  }

  cancel(consumer: ModelConsumer, now: number): void {
    this.consumers.delete(consumer);
    for (const row of this.held(consumer)) this.#back(row, 0, now);
  }

  /** The process ends; `killed`: before it could write down how often messages were delivered. */
  end(now: number, killed: boolean): void {
    this.#prioritised = false;
    for (const consumer of [...this.consumers]) {
      this.consumers.delete(consumer);
      for (const row of this.held(consumer)) {
        row.state = 'waiting';
        row.dueAt = now;
        row.fuzzy ||= killed;
        this.#exhaust(row);
      }
    }
    for (const row of this.rows) {
      if (row.state !== 'waiting') continue;
      row.doubtful ||= killed;
      row.fuzzy ||= killed && row.deliveries > 0;
      row.step = this.step;
      // Retries of messages with a key are not remembered: at once, and in order.
      if (row.key !== undefined && !row.delayed) row.dueAt = now;
    }
  }

  #exhaust(row: Row): void {
    const { maxDeliveries } = this.rules;
    if (!row.fuzzy && maxDeliveries > 0 && row.deliveries >= maxDeliveries) row.state = 'gone';
  }

  purge(): void {
    for (const row of this.rows) {
      if (row.state === 'waiting') row.state = 'done';
      else if (row.state === 'gone') row.state = 'maybe';
    }
  }

  /** When nothing happens any more, no consumer has room for a message that waits. */
  checkIdle(now: number): void {
    this.pass(now);
    const roomy = [...this.consumers].filter((consumer) => this.held(consumer).length < consumer.prefetch);
    if (roomy.length === 0) return;
    for (const row of this.rows) {
      const taker = roomy.find((consumer) => consumer.selects(row.color));
      if (taker !== undefined && this.#free(row, now))
        throw new Error(`message ${row.number} waits, and ${taker.name} has room for it`);
    }
  }

  /** At the end: what is in which queue. */
  checkEnd(left: readonly number[], dead: readonly number[]): void {
    for (const row of this.rows) {
      const times = [left, dead].map((list) => list.filter((each) => each === row.number).length);
      const expected = { done: [0, 0], gone: [0, 1], waiting: [1, 0], with: [1, 0] };
      if (row.state !== 'maybe') assert.equal(times, expected[row.state], `message ${row.number}, ${row.state}`);
    }
  }
}
