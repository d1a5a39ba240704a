import { type Held, LaneBuffer } from './held.ts';
import { Lane, type LaneHost, type LaneReceiver } from './lane.ts';
import type { PassedOver } from './passed.ts';
import type { QueueNames } from './queue-names.ts';

/** A queue's lanes, one for each priority that its messages have had, in the order in which they are served. */
export class Lanes {
  readonly #name: string;
  readonly #names: QueueNames;
  readonly #host: LaneHost;
  readonly #receiver: LaneReceiver;
  readonly #byPriority: (LaneBuffer | undefined)[] = [];
  #all: readonly LaneBuffer[] = [];

  constructor(name: string, names: QueueNames, host: LaneHost, receiver: LaneReceiver) {
    this.#name = name;
    this.#names = names;
    this.#host = host;
    this.#receiver = receiver;
  }

  get all(): readonly LaneBuffer[] {
    return this.#all;
  }

  /** `more`: messages may be in it, when it is made. */
  of(priority: number, more = false): LaneBuffer {
    const known = this.#byPriority[priority];
    if (known !== undefined) return known;
    const description = `Queue ${this.#name.slice(0, 1000)}${priority === 0 ? '' : `, priority ${priority}`}`;
    const { consumer, subject } = { consumer: this.#names.consumer(priority), subject: this.#names.lane(priority) };
    const lane = new Lane(priority, consumer, subject, description, more, this.#host, this.#receiver);
    const buffer = new LaneBuffer(lane, subject, this.#host, this.#receiver);
    this.#byPriority[priority] = buffer;
    this.#all = [...this.#all, buffer].sort((a, b) => b.lane.priority - a.lane.priority);
    return buffer;
  }

  has(priority: number): boolean {
    return this.#byPriority[priority] !== undefined;
  }

  /** It is acknowledged, and still there. */
  isRemoved(priority: number, id: number): boolean {
    return this.#byPriority[priority]?.lane.removals.has(id) === true;
  }

  /** All that was to be removed is. */
  get removed(): boolean {
    return this.#all.every(({ lane }) => lane.removals.pending === 0);
  }

  /** Takes so many that came, and sees to it that more come when those were fewer. */
  take(wanted: number, now: number): Held[] {
    const taken: Held[] = [];
    for (const buffer of this.#all) if (takeFrom(buffer, taken, wanted, now)) break;
    const left = wanted - taken.length;
    for (const { lane, size, returning } of this.#all) lane.request(Math.max(left - size, returning && 1));
    return taken;
  }

  /** What was passed over, or these of it, comes again. */
  revisit(ids?: readonly number[]): void {
    for (const buffer of this.#all) buffer.revisit(ids);
  }

  passed(id: number): PassedOver | undefined {
    for (const buffer of this.#all) {
      const passed = buffer.passed(id);
      if (passed !== undefined) return passed;
    }
    return undefined;
  }

  /** Passed over, and not given to consumers as often as by the server, which the next owner could not tell. */
  *misjudged(): Generator<PassedOver> {
    for (const buffer of this.#all)
      for (const passed of buffer.allPassed()) if (passed.deliveries !== passed.delivered) yield passed;
  }

  async flushed(): Promise<void> {
    await Promise.all(this.#all.map(({ lane }) => lane.removals.flushed()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map(({ lane }) => lane.close()));
  }

  /** With those of priorities that have no messages now. */
  async destroy(): Promise<void> {
    for (let priority = 0; priority <= 9; priority++) await this.of(priority).lane.destroy();
  }

  stop(): void {
    for (const { lane } of this.#all) lane.stop();
  }

  tick(now: number): void {
    for (const { lane } of this.#all) lane.tick(now);
  }

  down(): void {
    for (const { lane } of this.#all) lane.down();
  }

  up(): void {
    for (const { lane } of this.#all) lane.up();
  }
}

/** Whether lower priorities have to wait. */
function takeFrom(buffer: LaneBuffer, taken: Held[], wanted: number, now: number): boolean {
  while (taken.length < wanted) {
    const next = buffer.next(now);
    if (next === undefined) return false;
    if (next === 'wait') return true;
    next.taken = true;
    buffer.taken++;
    taken.push(next);
  }
  return true;
}
