import type { Clock, Timer } from '../../src/ports/clock.ts';

interface Alarm {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
}

const MOST_TURNS = 20_000;

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  #order = 0;
  #random = 0;
  readonly #alarms = new Set<Alarm>();
  #deferred: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  schedule(delay: number, task: () => void): Timer {
    const alarm = { at: this.#now + Math.max(0, delay), order: this.#order++, task };
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
  }

  random(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => ++this.#random & 0xff);
  }

  /** Until nothing more happens without time passing. */
  async settle(): Promise<void> {
    for (let [quiet, turns] = [0, 0]; quiet < 2; quiet++, turns++) {
      if (turns === MOST_TURNS) throw new Error('it never comes to rest');
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#turn() || this.#ring(this.#now)) quiet = -1;
    }
  }

  async advance(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds;
    await this.settle();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#now = Math.max(this.#now, next.at);
      this.#ring(this.#now);
      await this.settle();
    }
    this.#now = until;
  }

  #turn(): boolean {
    const tasks = this.#deferred;
    this.#deferred = [];
    for (const task of tasks) task();
    return tasks.length > 0;
  }

  #next(until: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at > until) continue;
      if (first === undefined || alarm.at < first.at || (alarm.at === first.at && alarm.order < first.order))
        first = alarm;
    }
    return first;
  }

  #ring(until: number): boolean {
    const next = this.#next(until);
    if (next === undefined) return false;
    this.#alarms.delete(next);
    next.task();
    return true;
  }
}

/** The clock of a process that may be killed: then nothing of what it put off happens. */
export class MortalClock implements Clock {
  readonly #clock: Clock;
  #dead = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  schedule(delay: number, task: () => void): Timer {
    return this.#clock.schedule(delay, () => this.#live(task));
  }

  defer(task: () => void): void {
    this.#clock.defer(() => this.#live(task));
  }

  random(count: number): Uint8Array {
    return this.#clock.random(count);
  }

  get dead(): boolean {
    return this.#dead;
  }

  kill(): void {
    this.#dead = true;
  }

  #live(task: () => void): void {
    if (!this.#dead) task();
  }
}
