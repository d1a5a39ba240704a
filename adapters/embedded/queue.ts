import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { QueueEntry, QueueReceiver, QueueStore } from '../../src/ports/queue-store.ts';
import type { Sleeper } from './queue-alarm.ts';
import { type Past, type QueueBlock, readBlock, singleBlock } from './queue-block.ts';
import { browse } from './queue-browse.ts';
import { blockKey, droppedKey, LATER, laneOf, queueNameKey, releasedLane, totalsKey } from './queue-keys.ts';
import { Lane, type TakenEntry } from './queue-lane.ts';
import type { PartOwner, QueuePart } from './queue-part.ts';
import { readDue, readLane } from './queue-reads.ts';
import { decodeTotals, encodeTotals } from './queue-totals.ts';
import type { QueueParts } from './queues.ts';
import type { Change, Store, Value } from './store.ts';

/** A queue that is open: its lanes, what was given out of them, and what of it is on the way to the store. */
export class EmbeddedQueue implements QueueStore, PartOwner, Sleeper {
  readonly name: string;
  messages = 0;
  bytes = 0;
  /** Nothing is due before. */
  due = Infinity;
  number: number;
  /** The first number it had: ids of messages are remembered by it. */
  readonly identity: number;
  readonly #receiver: QueueReceiver;
  readonly #parts: QueueParts;
  #nextId = 1;
  #lanes: (Lane | undefined)[] = [];
  readonly #taken = new Map<number, TakenEntry>();
  #wanted = 0;
  /** What is in the next write, and in the one under way. */
  #pending: QueuePart | undefined;
  #sealed: QueuePart | undefined;
  #giving = false;
  #reading = false;
  #moving = false;
  /** Of what came to be due later while the store is asked what is due. */
  #dueMeanwhile = Infinity;
  #closed: Promise<void> | undefined;
  readonly #give = (): void => {
    this.#giving = false;
    this.#giveNow();
  };

  /** `totals`: undefined for a new one. Throws RangeError when they are not such. */
  constructor(
    name: string,
    number: number,
    identity: number,
    totals: Value,
    receiver: QueueReceiver,
    parts: QueueParts,
  ) {
    this.name = name;
    this.number = number;
    this.identity = identity;
    this.#receiver = receiver;
    this.#parts = parts;
    if (totals === undefined) {
      this.#part().name = 'put';
      return;
    }
    const { messages, bytes, nextId, due, lanes } = decodeTotals(totals);
    this.messages = messages;
    this.bytes = bytes;
    this.#nextId = nextId;
    this.due = due;
    for (const { number: lane, head, mark } of lanes) this.#lanes[lane] = new Lane(lane, head, mark, parts.windows);
    parts.alarm.set(this);
  }

  want(count: number): void {
    this.#wanted += count;
    if (this.#giving || this.#closed !== undefined) return;
    this.#giving = true;
    this.#parts.clock.defer(this.#give);
  }

  push(message: Message, receiver: AppendReceiver, token: number): void {
    const parts = this.#parts;
    const refusal = this.#closed === undefined ? parts.commit.refusal() : closedError();
    if (refusal !== undefined) {
      parts.clock.defer(() => receiver.refused(token, refusal));
      return;
    }
    const id = message.dedupId === undefined ? undefined : parts.idOf(this.identity, message.dedupId);
    if (id !== undefined) {
      const sequence = parts.ids.find(id);
      if (sequence !== undefined) {
        this.#repeated(sequence, message, receiver, token);
        return;
      }
    }
    const part = this.#part();
    if (id !== undefined) {
      parts.ids.add(id, part.sequence);
      part.ids.push(id);
    }
    const { priority = 0, deliverAt } = message.properties ?? {};
    const { chunk } = parts;
    chunk.write(message);
    const lane = laneOf(priority, false);
    const dueAt = deliverAt === undefined ? 0 : this.#later(deliverAt);
    if (dueAt > 0) {
      part.delay(lane, dueAt, this.#nextId++, chunk, message);
    } else {
      part.add(lane, this.#nextId++, chunk, message);
    }
    part.messages.push(message);
    part.receivers.push(receiver);
    part.tokens.push(token);
    part.bytes += message.size;
    this.messages++;
    this.bytes += message.size;
    parts.commit.appended(chunk.end - chunk.start);
  }

  remove(id: number): void {
    const entry = this.#takeBack(id);
    if (entry === undefined) return;
    this.#strike(entry);
    this.messages--;
    this.bytes -= entry.message.size;
  }

  release(id: number, dueAt: number, deliveries: number): void {
    const entry = this.#takeBack(id);
    if (entry === undefined) return;
    const lane = releasedLane(entry.block.lane);
    const later = this.#later(dueAt);
    const past = { deliveries, redelivered: entry.redelivered || deliveries > 0, lane, dueAt: later };
    const block = this.#putApart(entry, later > 0 ? LATER : lane, past);
    if (later > 0) return;
    // At once, so that nothing overtakes it.
    const released = this.#lane(lane);
    released.mark = Math.max(released.mark, id);
    released.arrive(block);
  }

  flushed(): Promise<void> {
    const part = this.#pending ?? this.#sealed;
    const refusal = this.#parts.commit.closed;
    if (refusal !== undefined) return Promise.reject(refusal);
    if (part !== undefined) return new Promise((resolve, reject) => part.settles.push({ resolve, reject }));
    return this.#closed === undefined ? Promise.resolve() : Promise.reject(closedError());
  }

  async browse(
    after: number,
    count: number,
  ): Promise<{ readonly entries: readonly QueueEntry[]; readonly next: number | undefined }> {
    // So that it need not be asked what is on its way.
    await this.flushed();
    const store = this.#parts.store;
    if (store === undefined) throw closedError();
    return browse(store, this.number, this.#lanes, after, count);
  }

  /**
   * The queue gets another number, what was taken goes with it, and whatever the old one has is removed in the background:
   * however much it is.
   */
  async purge(): Promise<number> {
    this.#checkOpen();
    const part = this.#part();
    const purged = this.messages - this.#taken.size - part.messages.length;
    part.renumber(this.number);
    part.name = 'put';
    this.number = this.#parts.newNumber();
    for (const lane of this.#lanes) lane?.evict();
    this.#lanes = [];
    this.due = part.due;
    this.messages -= purged;
    this.bytes = part.bytes;
    for (const entry of this.#taken.values()) {
      this.bytes += entry.message.size;
      const block = this.#single(entry, releasedLane(entry.block.lane), pastOf(entry));
      block.next = block.count;
      block.touched = true;
      entry.block = block;
      entry.index = 0;
    }
    await this.flushed();
    return purged;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close(() => {
      for (const entry of this.#taken.values()) {
        this.#putApart(entry, releasedLane(entry.block.lane), pastOf(entry));
      }
      for (const lane of this.#lanes) lane?.unmark();
      this.#part();
    });
    return this.#closed;
  }

  destroy(): Promise<void> {
    this.#closed ??= this.#close(() => {
      const part = this.#part();
      part.renumber(this.number);
      part.name = 'remove';
      this.messages = 0;
      this.bytes = 0;
    });
    return this.#closed;
  }

  /** It is no longer its owner's. Resolves when nothing of it is on its way any more. */
  async lose(): Promise<void> {
    const told = this.#closed !== undefined;
    this.#closed ??= this.#close(() => {});
    await this.#closed.catch(() => {});
    if (!told) this.#receiver.lost();
  }

  /** The store is there again. */
  resume(): void {
    this.#parts.alarm.set(this);
    this.#giveNow();
  }

  /** Gives back the memory of what waits. */
  evict(): void {
    for (const lane of this.#lanes) lane?.evict();
  }

  awake(): void {
    if (!this.#moving && this.#closed === undefined) void this.#moveDue();
  }

  seal(part: QueuePart, changes: Change[]): void {
    // Durable by now, but what is in it has not arrived yet.
    const arriving = this.#sealed;
    this.#pending = undefined;
    this.#sealed = part;
    const number = this.number;
    for (const old of part.dropped) {
      changes.push([totalsKey(old), undefined], [droppedKey(old), Buffer.alloc(0)]);
    }
    if (part.name === 'remove') {
      part.number = number;
      changes.push([queueNameKey(this.name), undefined]);
      return;
    }
    if (part.name === 'put') changes.push(...this.#parts.named(this));
    part.encode(number, changes);
    const lanes = [];
    const wanted = this.#wanted > 0 || this.#taken.size > 0;
    for (const block of part.made) {
      // What is wanted can be given out as soon as it is durable.
      const lane = block.lane === LATER ? undefined : this.#lane(block.lane);
      if (wanted && lane?.unread === undefined && lane !== undefined && this.#closed === undefined) {
        lane.mark = Math.max(lane.mark, block.last);
      }
    }
    for (const lane of this.#lanes) {
      if (lane === undefined) continue;
      const head = headOf(lane, [part, ...(arriving?.number === number ? [arriving] : [])]);
      const mark = head === undefined ? 0 : lane.mark;
      part.marks.push({ lane, mark });
      if (head !== undefined) lanes.push({ number: lane.number, head, mark });
    }
    const { messages, bytes, due } = this;
    changes.push([totalsKey(number), encodeTotals({ messages, bytes, nextId: this.#nextId, due, lanes })]);
  }

  durable(part: QueuePart): void {
    if (this.#sealed === part) this.#sealed = undefined;
    for (const number of part.dropped) this.#parts.drop(number);
    const current = part.number === this.number && part.name !== 'remove';
    if (current) this.#arrive(part);
    for (let i = 0; i < part.messages.length; i++) {
      const message = part.messages[i];
      if (message !== undefined) part.receivers[i]?.appended(part.tokens[i] ?? 0, message, false);
    }
    for (const { message, receiver, token } of part.echoes) receiver.appended(token, message, true);
    for (const { resolve } of part.settles) resolve();
    this.#giveNow();
    // From here on they are not new any more.
    for (const block of part.made) block.messages = undefined;
  }

  failed(part: QueuePart, error: BrokerError): void {
    if (this.#sealed === part) this.#sealed = undefined;
    if (this.#pending === part) this.#pending = undefined;
    const current = part.number === 0 || part.number === this.number;
    if (current) {
      this.messages -= part.messages.length;
      this.bytes -= part.bytes;
      for (const { from } of part.moved) this.due = Math.min(this.due, from.past.dueAt);
    }
    if (this.#closed === undefined) this.#part().adopt(part, current);
    for (const [i, receiver] of part.receivers.entries()) receiver.refused(part.tokens[i] ?? 0, error);
    for (const { receiver, token } of part.echoes) receiver.refused(token, error);
    for (const { reject } of part.settles) reject(error);
  }

  #part(): QueuePart {
    this.#pending ??= this.#parts.begin(this);
    return this.#pending;
  }

  #lane(number: number): Lane {
    let lane = this.#lanes[number];
    if (lane === undefined) {
      lane = new Lane(number, Infinity, 0, this.#parts.windows);
      this.#lanes[number] = lane;
    }
    return lane;
  }

  #checkOpen(): void {
    const refusal = this.#closed === undefined ? this.#parts.commit.closed : closedError();
    if (refusal !== undefined) throw refusal;
  }

  /** Acknowledged with the first of them. */
  #repeated(sequence: number, message: Message, receiver: AppendReceiver, token: number): void {
    const part = [this.#pending, this.#sealed].find((each) => each?.sequence === sequence);
    if (part === undefined) this.#parts.clock.defer(() => receiver.appended(token, message, true));
    else part.echoes.push({ message, receiver, token });
  }

  #takeBack(id: number): TakenEntry | undefined {
    const entry = this.#closed === undefined ? this.#taken.get(id) : undefined;
    if (entry !== undefined) this.#taken.delete(id);
    return entry;
  }

  /** Takes a message out of its block. */
  #strike({ block, index }: TakenEntry): void {
    block.remove(index);
    this.#part().struck.add(block);
    if (block.left === 0) this.#lane(block.lane).removed(block);
  }

  #putApart(entry: TakenEntry, lane: number, past: Past): QueueBlock {
    this.#strike(entry);
    return this.#single(entry, lane, past);
  }

  #single({ id, message }: TakenEntry, lane: number, past: Past): QueueBlock {
    const block = singleBlock(this.number, lane, id, message, past);
    block.stored = false;
    this.#part().singles.add(block);
    if (lane !== LATER) this.#lane(lane);
    return block;
  }

  /** When something is due, in whole milliseconds; 0 when it is due now. */
  #later(dueAt: number): number {
    if (!(dueAt > this.#parts.clock.now())) return 0;
    const at = Math.min(Math.ceil(dueAt), Number.MAX_SAFE_INTEGER);
    this.due = Math.min(this.due, at);
    this.#dueMeanwhile = Math.min(this.#dueMeanwhile, at);
    return at;
  }

  async #close(change: () => void): Promise<void> {
    try {
      const refusal = this.#parts.commit.closed;
      if (refusal !== undefined) throw refusal;
      change();
      await this.flushed();
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    this.evict();
    this.#taken.clear();
    this.#lanes = [];
    this.#parts.alarm.remove(this);
    this.#parts.leave(this);
  }

  #arrive(part: QueuePart): void {
    for (const { lane, mark } of part.marks) lane.stored = mark;
    for (const block of part.struck) if (block.left === 0) this.#lane(block.lane).forgotten(block);
    if (this.#closed !== undefined) return;
    for (const block of part.made) if (block.lane !== LATER) this.#lane(block.lane).arrive(block);
    for (const block of part.singles) {
      block.stored = true;
      if (block.lane !== LATER) this.#lane(block.lane).arrive(block);
    }
    for (const { to } of part.moved) this.#lane(to.lane).arrive(to);
    this.#parts.alarm.set(this);
    this.#parts.windows.use(this);
  }

  #giveNow(): void {
    if (this.#wanted === 0 || this.#closed !== undefined || this.#reading) return;
    const entries: TakenEntry[] = [];
    for (const lane of this.#lanes) {
      if (lane === undefined) continue;
      const stop = lane.take(this.#wanted - entries.length, entries);
      if (stop === undefined) break;
      if (stop === 'empty') continue;
      // Those of lower priority come behind it.
      if (stop === 'unread') void this.#read(lane);
      else this.#mark(lane);
      break;
    }
    if (entries.length === 0) return;
    this.#wanted -= entries.length;
    for (const entry of entries) this.#taken.set(entry.id, entry);
    this.#receiver.take(entries);
  }

  #mark(lane: Lane): void {
    const before = lane.mark;
    lane.raise();
    if (lane.mark > before || (this.#pending === undefined && this.#sealed === undefined)) this.#part();
  }

  async #read(lane: Lane): Promise<void> {
    const { store } = this.#parts;
    if (store === undefined) return;
    const { number } = this;
    const { lacking, unread } = lane;
    this.#reading = true;
    try {
      if (lacking !== undefined) {
        const value = await store.get(blockKey(number, lane.number, lacking.first), false);
        if (value === undefined) throw new RangeError(`the message ${lacking.first} of a queue is missing`);
        lane.found(lacking, readBlock(number, lane.number, lacking.first, value, undefined).value ?? value);
      } else if (unread !== undefined) {
        lane.reading();
        const { blocks, next } = await readLane(store, number, lane.number, unread);
        lane.read(blocks, next);
      }
    } catch (error) {
      if (lacking === undefined) lane.read([]);
      this.#unreadable(error, store);
    } finally {
      this.#reading = false;
    }
    if (number !== this.number || this.#closed !== undefined) {
      // Another one's by now.
      lane.evict();
    }
    this.#parts.windows.use(this);
    this.#giveNow();
  }

  async #moveDue(): Promise<void> {
    const { store } = this.#parts;
    if (store === undefined) return;
    const { number } = this;
    this.#moving = true;
    this.#dueMeanwhile = Infinity;
    try {
      const { moved, next } = await readDue(store, number, this.due, this.#parts.clock.now());
      if (number !== this.number || this.#closed !== undefined) return;
      const part = this.#part();
      for (const each of moved) {
        part.moved.push(each);
        this.#lane(each.to.lane);
      }
      this.due = Math.min(next, this.#dueMeanwhile);
      await this.flushed();
    } catch (error) {
      this.#unreadable(error, store);
    } finally {
      this.#moving = false;
      if (this.#closed === undefined && this.#parts.store !== undefined) this.#parts.alarm.set(this);
    }
  }

  /** A store that is closed comes back; one that is damaged does not. */
  #unreadable(error: unknown, store: Store): void {
    if (this.#parts.store !== store || this.#closed !== undefined) return;
    this.#parts.warn(error instanceof RangeError ? store.damaged(error.message) : error, this.name);
    void this.lose();
  }
}

/** Where the lane begins with what is being written. */
function headOf(lane: Lane, parts: readonly QueuePart[]): number | undefined {
  let head = lane.head ?? Infinity;
  const look = (block: QueueBlock): void => {
    if (block.lane === lane.number && block.left > 0) head = Math.min(head, block.first);
  };
  for (const { made, singles, moved } of parts) {
    made.forEach(look);
    singles.forEach(look);
    for (const { to } of moved) look(to);
  }
  return head === Infinity ? undefined : head;
}

/** Of what was given out, when it is to be so no more. */
function pastOf({ block, deliveries }: TakenEntry): Past {
  return { deliveries, redelivered: true, lane: releasedLane(block.lane), dueAt: 0 };
}

function closedError(): BrokerError {
  return new BrokerError('unavailable', 'the queue is not open');
}
