import { Fifo } from '../../src/core/fifo.ts';
import { Heap } from '../../src/core/heap.ts';
import type { Message } from '../../src/core/message.ts';
import type { QueueEntry } from '../../src/ports/queue-store.ts';
import type { Arrival } from './ack-replies.ts';
import type { Lane, LaneHost, LaneReceiver } from './lane.ts';
import { Passed, type PassedOver } from './passed.ts';

/** A message that the server has given to this node: it waits to be wanted, or is taken. */
export class Held implements QueueEntry {
  readonly id: number;
  readonly message: Message;
  readonly deliveries: number;
  readonly redelivered: boolean;
  readonly buffer: LaneBuffer;
  /** Times that the server gave it. */
  readonly delivered: number;
  /** The number of this delivery; another one when the server gives it once more. */
  consumed: number;
  taken = false;

  constructor(
    id: number,
    message: Message,
    deliveries: number,
    buffer: LaneBuffer,
    delivered: number,
    consumed: number,
  ) {
    this.id = id;
    this.message = message;
    this.deliveries = deliveries;
    this.redelivered = deliveries > 0;
    this.buffer = buffer;
    this.delivered = delivered;
    this.consumed = consumed;
  }
}

/** Milliseconds that what was never given waits for what was released at once, and comes first. */
const RETURN = 1_000;

/** Messages of one priority that came and are not taken: more than were wanted, as another priority had some as well. */
export class LaneBuffer {
  readonly lane: Lane;
  /** Of this priority that are taken. */
  taken = 0;
  /** Released messages that come at once; until when they are waited for. */
  returning = 0;
  #returningUntil = 0;
  readonly #again = new Heap<Held>((a, b) => a.id < b.id);
  readonly #fresh = new Fifo<Held>();
  /** Passed over, of those that the server had given more than once, and of the others; and of these, what is here again. */
  readonly #passedAgain: Passed;
  readonly #passedFresh: Passed;
  readonly #revisited = new Fifo<Held>();

  constructor(lane: Lane, subject: string, host: LaneHost, receiver: LaneReceiver) {
    this.lane = lane;
    this.#passedAgain = new Passed(lane, host, subject, receiver);
    this.#passedFresh = new Passed(lane, host, subject, receiver);
  }

  get size(): number {
    return this.#again.size + this.#revisited.size + this.#fresh.size;
  }

  add(held: Held): void {
    if (held.delivered > 1) this.#again.push(held);
    else this.#fresh.push(held);
  }

  /** One that was passed over is here. */
  addBack(held: Held, passed: PassedOver): void {
    if (passed.again) this.#again.push(held);
    else this.#revisited.push(held);
  }

  pass({ id, deliveries, delivered, consumed }: Held): void {
    const passed = delivered > 1 ? this.#passedAgain : this.#passedFresh;
    passed.add({ id, deliveries, delivered, consumed, again: delivered > 1 });
  }

  passed(id: number): PassedOver | undefined {
    return this.#passedAgain.get(id) ?? this.#passedFresh.get(id);
  }

  /** The server gives again what was passed over. False when it is none of that. */
  keptPassed(arrival: Arrival): boolean {
    return this.#passedAgain.arrived(arrival) || this.#passedFresh.arrived(arrival);
  }

  *allPassed(): Generator<PassedOver> {
    yield* this.#passedAgain.values();
    yield* this.#passedFresh.values();
  }

  revisit(ids?: readonly number[]): void {
    this.#passedAgain.revisit(ids);
    this.#passedFresh.revisit(ids);
  }

  awaitReturn(now: number): void {
    this.returning++;
    this.#returningUntil = now + RETURN;
  }

  /** The next in order; undefined when there is none, or 'wait' when it is on its way. */
  next(now: number): Held | 'wait' | undefined {
    if (this.#passedAgain.read()) return 'wait';
    const again = this.#again.pop();
    if (again !== undefined) return again;
    if (this.returning > 0 && now < this.#returningUntil) return 'wait';
    const revisited = this.#revisited.shift();
    if (revisited !== undefined) return revisited;
    if (this.#passedFresh.read()) return 'wait';
    return this.#fresh.shift() ?? (this.lane.awaits ? 'wait' : undefined);
  }

  /** None is left. */
  clear(): Held[] {
    this.#passedAgain.clear();
    this.#passedFresh.clear();
    const all = [...this.#revisited.take(), ...this.#fresh.take()];
    for (let held = this.#again.pop(); held !== undefined; held = this.#again.pop()) all.push(held);
    return all;
  }
}
