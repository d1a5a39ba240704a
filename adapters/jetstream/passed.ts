import type { Arrival } from './ack-replies.ts';
import { explain } from './connection.ts';
import type { Lane, LaneHost, LaneReceiver } from './lane.ts';

/** Messages of one read, at most: fewer, where those that are to come again lie apart; and bytes. */
const READ = 500;
const READ_BYTES = 4 * 1024 * 1024;
/** Milliseconds until another attempt. */
const AGAIN = 500;
/** Milliseconds in which the server does not give it again: longer than it may take. */
const ASLEEP = 24 * 3_600_000;

/** What is known of a message that was passed over; the rest is in the stream. */
export interface PassedOver {
  readonly id: number;
  readonly deliveries: number;
  /** It goes before those that the server had given once only. */
  readonly again: boolean;
  delivered: number;
  consumed: number;
}

/**
 * Messages of one lane that were passed over. The server is told to keep them to itself, and what is to come again is read from the
 * stream, so that the server does not count another delivery.
 */
export class Passed {
  readonly #lane: Lane;
  readonly #host: LaneHost;
  readonly #subject: string;
  readonly #receiver: LaneReceiver;
  readonly #all = new Map<number, PassedOver>();
  /** Of those, what is to come again, by ascending id from `#next` on, and how many those are. */
  #again: number[] = [];
  #next = 0;
  #count = READ;
  #reading = false;

  constructor(lane: Lane, host: LaneHost, subject: string, receiver: LaneReceiver) {
    this.#lane = lane;
    this.#host = host;
    this.#subject = subject;
    this.#receiver = receiver;
  }

  get(id: number): PassedOver | undefined {
    return this.#all.get(id);
  }

  values(): Iterable<PassedOver> {
    return this.#all.values();
  }

  add(passed: PassedOver): void {
    this.#all.set(passed.id, passed);
    this.#lane.release(passed.id, passed.consumed, ASLEEP);
  }

  /** The server gives it in spite of that. False when it is not passed over. */
  arrived({ id, consumed, delivered }: Arrival): boolean {
    const passed = this.#all.get(id);
    if (passed === undefined) return false;
    passed.consumed = consumed;
    passed.delivered = delivered;
    this.#lane.release(id, consumed, ASLEEP);
    return true;
  }

  /** These come again, when they are wanted; without: all. */
  revisit(ids: Iterable<number> = this.#all.keys()): void {
    const again = this.#again.slice(this.#next);
    for (const id of ids) if (this.#all.has(id)) again.push(id);
    this.#again = [...new Set(again)].sort((a, b) => a - b);
    this.#next = 0;
  }

  clear(): void {
    this.#all.clear();
    this.#again = [];
    this.#next = 0;
  }

  /** Reads some of those that are to come again. False when there are none. */
  read(): boolean {
    if (this.#next >= this.#again.length) return false;
    if (!this.#reading && this.#host.connection.up) {
      this.#reading = true;
      void this.#read();
    }
    return true;
  }

  async #read(): Promise<void> {
    const first = this.#again[this.#next] ?? 0;
    try {
      const { messages, all } = await this.#host.direct.portion(first, this.#subject, this.#count, READ_BYTES);
      this.#reading = false;
      const last = all ? Infinity : (messages[messages.length - 1]?.sequence ?? first);
      const bySequence = new Map(messages.map((each) => [each.sequence, each]));
      let come = 0;
      for (let id = this.#again[this.#next]; id !== undefined && id <= last; id = this.#again[this.#next]) {
        this.#next++;
        const passed = this.#all.get(id);
        const stored = bySequence.get(id);
        this.#all.delete(id);
        if (passed === undefined) continue;
        if (stored !== undefined) {
          come++;
          this.#receiver.revisited(this.#lane, passed, stored);
        } else {
          // Someone has removed it, or the replica that answered is behind: then the server gives it.
          this.#lane.release(id, passed.consumed, 0);
        }
      }
      // Where they lie apart, what is between them is read for nothing.
      this.#count = come * 4 > messages.length ? Math.min(READ, this.#count * 2) : Math.max(1, this.#count >> 1);
      this.#receiver.resumed();
    } catch (error) {
      const { clock, connection, logger } = this.#host;
      if (connection.up) logger.debug({ error: explain(error) }, 'What was passed over cannot be read yet');
      clock.schedule(AGAIN, () => {
        this.#reading = false;
        this.#receiver.resumed();
      });
    }
  }
}
