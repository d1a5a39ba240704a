import { BrokerError } from '../../src/core/errors.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { QueueReceiver, QueueStore, QueueStores } from '../../src/ports/queue-store.ts';
import { shortId } from '../shared/ids.ts';
import type { Commit, Write } from './commit.ts';
import { type DedupLimits, Ids } from './ids.ts';
import { KIND } from './keys.ts';
import { EmbeddedQueue } from './queue.ts';
import { Alarm } from './queue-alarm.ts';
import { RecordChunk } from './queue-block.ts';
import { droppedKey, droppedNumber, numberEnd, numberKey, queueNameKey, totalsKey } from './queue-keys.ts';
import { QueuePart } from './queue-part.ts';
import { Windows } from './queue-windows.ts';
import type { Store, Value } from './store.ts';

/** LevelDB gives the disk's room back when it compacts; for so much it is asked to. */
const COMPACT_BYTES = 64 * 1024 * 1024;

/** What queues share. */
export interface QueueParts {
  readonly commit: Commit;
  readonly clock: Clock;
  readonly chunk: RecordChunk;
  readonly ids: Ids;
  readonly windows: Windows;
  readonly alarm: Alarm;
  readonly store: Store | undefined;
  /** What the window of ids calls a message's. */
  idOf(identity: number, dedupId: string): string;
  /** A new part of the pending write. */
  begin(queue: EmbeddedQueue): QueuePart;
  newNumber(): number;
  /** What is to be written when a queue has got a number. */
  named(queue: EmbeddedQueue): readonly (readonly [Buffer, Buffer])[];
  /** What has this number is to go: so many bytes of payloads, as far as is known. */
  drop(number: number, bytes: number): void;
  leave(queue: EmbeddedQueue): void;
  warn(error: unknown, queue: string): void;
}

/** The queues in the store. Their changes are part of the same writes as the log's and the state's. */
export class EmbeddedQueueStores implements QueueStores, QueueParts {
  readonly commit: Commit;
  readonly clock: Clock;
  readonly chunk = new RecordChunk();
  readonly ids: Ids;
  readonly windows: Windows;
  readonly alarm: Alarm;
  readonly warn: (error: unknown, queue: string) => void;
  readonly #open = new Map<string, EmbeddedQueue>();
  store: Store | undefined;
  /** The highest number of a queue. */
  #highest = 0;
  /** Of the pending write, for ids. */
  #sequence = 1;
  /** Removal of what has been purged and destroyed, one after the other. */
  #dropping: Promise<void> = Promise.resolve();

  constructor(
    commit: Commit,
    dedup: DedupLimits,
    cacheBytes: number,
    clock: Clock,
    warn: (error: unknown, queue: string) => void,
  ) {
    this.commit = commit;
    this.clock = clock;
    this.ids = new Ids(KIND.queueIds, dedup, clock);
    this.windows = new Windows(cacheBytes);
    this.alarm = new Alarm(clock);
    this.warn = warn;
  }

  /** One that is open is taken over: its receiver hears that it is lost. */
  async open(name: string, receiver: QueueReceiver): Promise<QueueStore> {
    const before = this.#open.get(name);
    if (before !== undefined) await before.lose();
    const { store } = this;
    if (store === undefined) throw this.commit.closed ?? new BrokerError('unavailable');
    const value = await store.get(queueNameKey(name));
    if (value === undefined) {
      const number = this.newNumber();
      const queue = new EmbeddedQueue(name, number, number, undefined, receiver, this);
      this.#open.set(name, queue);
      await queue.flushed();
      return queue;
    }
    try {
      const number = value.readUInt32LE(0);
      const totals = await store.get(totalsKey(number));
      if (totals === undefined) throw new RangeError('the totals of a queue are missing');
      const queue = new EmbeddedQueue(name, number, value.readUInt32LE(4), totals, receiver, this);
      this.#open.set(name, queue);
      return queue;
    } catch (error) {
      throw error instanceof RangeError ? store.damaged(error.message) : error;
    }
  }

  idOf(identity: number, dedupId: string): string {
    return `${identity}\0${shortId(dedupId)}`;
  }

  begin(queue: EmbeddedQueue): QueuePart {
    const part = new QueuePart(queue, this.#sequence);
    this.commit.pending.queues.push(part);
    this.commit.touched();
    return part;
  }

  newNumber(): number {
    return ++this.#highest;
  }

  named({ name, number, identity }: EmbeddedQueue): readonly (readonly [Buffer, Buffer])[] {
    return [
      [queueNameKey(name), twoNumbers(number, identity)],
      [totalsKey(0), twoNumbers(this.#highest, 0)],
    ];
  }

  drop(number: number, bytes: number): void {
    this.#dropping = this.#dropping.then(() => this.#remove(number, bytes));
  }

  leave(queue: EmbeddedQueue): void {
    this.windows.leave(queue);
    if (this.#open.get(queue.name) === queue) this.#open.delete(queue.name);
  }

  async load(store: Store): Promise<void> {
    const highest: Value = await store.get(totalsKey(0));
    this.#highest = Math.max(this.#highest, highest?.readUInt32LE(0) ?? 0);
    this.#sequence = Math.max(this.#sequence, (await this.ids.load(store)) + 1);
    const range = { gte: numberKey(KIND.queueDropped, 0, 0), lt: Buffer.of(KIND.queueDropped + 1) };
    await store.each(range, (key) => {
      this.drop(droppedNumber(key), 0);
      return true;
    });
    this.store = store;
  }

  /** What was open goes on. */
  resume(): void {
    for (const queue of this.#open.values()) queue.resume();
  }

  close(): void {
    this.store = undefined;
    this.alarm.stop();
  }

  /** Resolves when it does nothing with the store any more. */
  async idle(): Promise<void> {
    await this.#dropping;
  }

  seal(write: Write): void {
    const ids: string[] = [];
    for (const part of write.queues) {
      part.owner.seal(part, write.changes);
      for (const id of part.ids) ids.push(id);
    }
    if (ids.length > 0) write.changes.push(this.ids.entry(this.#sequence, ids));
    this.#sequence++;
  }

  durable(write: Write): void {
    for (const part of write.queues) part.owner.durable(part);
  }

  failed(write: Write, error: BrokerError): void {
    for (const part of write.queues) part.owner.failed(part, error);
  }

  async trim(store: Store): Promise<void> {
    await this.ids.trim(this.#sequence, store);
  }

  async #remove(number: number, bytes: number): Promise<void> {
    const { store } = this;
    // Else it is removed when the store is opened again.
    if (store === undefined) return;
    try {
      for (const kind of [KIND.queued, KIND.queueDue]) {
        await store.clear({ gte: numberKey(kind, number, 0), lt: numberEnd(kind, number) });
      }
      await store.write([[droppedKey(number), undefined]], false);
      if (bytes < COMPACT_BYTES || this.store === undefined) return;
      await store.compact(numberKey(KIND.queued, number, 0), numberEnd(KIND.queued, number));
    } catch {
      // A store that fails says so to the next write, which closes it.
    }
  }
}

function twoNumbers(a: number, b: number): Buffer {
  const value = Buffer.allocUnsafe(8);
  value.writeUInt32LE(a, 0);
  value.writeUInt32LE(b, 4);
  return value;
}
