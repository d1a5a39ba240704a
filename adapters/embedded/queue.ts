import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { QueueReceiver, QueueStore } from '../../src/ports/queue-store.ts';
import { type Past, type QueueBlock, singleBlock } from './queue-block.ts';
import { browse } from './queue-browse.ts';
import { Due, type DueOwner } from './queue-due.ts';
import { Giving, type GivingOwner } from './queue-giving.ts';
import { droppedKey, LATER, laneOf, queueNameKey, releasedLane, totalsKey } from './queue-keys.ts';
import { pastOf, type TakenEntry } from './queue-lane.ts';
import { Lanes } from './queue-lanes.ts';
import type { PartOwner, QueuePart } from './queue-part.ts';
import { decodeTotals, encodeTotals, NO_TOTALS } from './queue-totals.ts';
import type { QueueParts } from './queues.ts';
import type { Change, Store, Value } from './store.ts';

/** A queue that is open: its lanes, what was given out of them, and what of it is on the way to the store. */
export class EmbeddedQueue implements QueueStore, PartOwner, DueOwner, GivingOwner {
  readonly name: string;
  number: number;
  /** The first number it had: ids of messages are remembered by it. */
  readonly identity: number;
  messages: number;
  bytes: number;
  readonly #receiver: QueueReceiver;
  readonly #parts: QueueParts;
  readonly #lanes: Lanes;
  readonly #due: Due;
  #nextId: number;
  readonly #taken = new Map<number, TakenEntry>();
  readonly #giving: Giving;
  /** What is in the next write, and in the one under way. */
  #pending: QueuePart | undefined;
  #sealed: QueuePart | undefined;
  #closing: Promise<void> | undefined;

  /** `totals`: undefined for a new one. Throws RangeError when they are not such. */
  constructor(
    name: string,
    number: number,
    identity: number,
    totals: Value,
    receiver: QueueReceiver,
    parts: QueueParts,
  ) {
    const { messages, bytes, nextId, due, lanes } = totals === undefined ? NO_TOTALS : decodeTotals(totals);
    this.name = name;
    this.number = number;
    this.identity = identity;
    this.messages = messages;
    this.bytes = bytes;
    this.#nextId = nextId;
    this.#lanes = new Lanes(lanes, parts.windows);
    this.#due = new Due(due, this, parts);
    this.#giving = new Giving(this, this.#lanes, parts);
    this.#receiver = receiver;
    this.#parts = parts;
    if (totals === undefined) this.#part().name = 'put';
    parts.alarm.set(this.#due);
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  want(count: number): void {
    this.#giving.want(count);
  }

  push(message: Message, receiver: AppendReceiver, token: number): void {
    const { commit, clock, ids, chunk } = this.#parts;
    const refusal = this.closed ? closedError() : commit.refusal();
    if (refusal !== undefined) {
      clock.defer(() => receiver.refused(token, refusal));
      return;
    }
    const { dedupId } = message;
    if (dedupId !== undefined) {
      const id = this.#parts.idOf(this.identity, dedupId);
      const sequence = ids.find(id);
      if (sequence !== undefined) {
        this.#repeated(sequence, message, receiver, token);
        return;
      }
      ids.add(id, this.#part().sequence);
      this.#part().ids.push(id);
    }
    const part = this.#part();
    const { priority = 0, deliverAt = 0 } = message.properties ?? {};
    const lane = laneOf(priority, false);
    const dueAt = deliverAt === 0 ? 0 : this.#due.later(deliverAt);
    chunk.write(message);
    if (dueAt > 0) part.delay(lane, dueAt, this.#nextId++, chunk, message);
    else part.add(lane, this.#nextId++, chunk, message);
    part.messages.push(message);
    part.receivers.push(receiver);
    part.tokens.push(token);
    part.bytes += message.size;
    this.messages++;
    this.bytes += message.size;
    commit.appended(chunk.end - chunk.start);
  }

  remove(id: number): void {
    const entry = this.#takeBack(id);
    if (entry === undefined) return;
    this.#strike(entry);
    this.messages--;
    this.bytes -= entry.message.size;
    if (this.#parts.commit.united) this.#part().withdrawn.push(entry);
  }

  release(id: number, dueAt: number, deliveries: number): void {
    const entry = this.#takeBack(id);
    if (entry === undefined) return;
    const lane = releasedLane(entry.block.lane);
    const later = this.#due.later(dueAt);
    const past = { deliveries, redelivered: entry.redelivered || deliveries > 0, lane, dueAt: later };
    this.#strike(entry);
    if (later > 0) this.#single(entry, LATER, past);
    else this.#release(entry, lane, past);
  }

  /** At once, so that nothing overtakes it. */
  #release(entry: TakenEntry, lane: number, past: Past): void {
    const block = this.#single(entry, lane, past);
    const released = this.#lanes.get(lane);
    released.mark = Math.max(released.mark, entry.id);
    released.arrive(block);
  }

  pass(id: number): void {
    const entry = this.#takeBack(id);
    entry?.block.pass(entry.index, !entry.redelivered);
  }

  revisit(ids?: readonly number[]): void {
    if (this.closed) return;
    this.#lanes.revisit(ids);
    this.#giving.soon();
  }

  flushed(): Promise<void> {
    const refusal = this.#parts.commit.closed;
    if (refusal !== undefined) return Promise.reject(refusal);
    const part = this.#pending ?? this.#sealed;
    if (part !== undefined) return new Promise((resolve, reject) => part.settles.push({ resolve, reject }));
    return this.closed ? Promise.reject(closedError()) : Promise.resolve();
  }

  async browse(after: number, count: number): ReturnType<QueueStore['browse']> {
    // So that it need not be asked what is on its way.
    await this.flushed();
    const { store } = this.#parts;
    if (store === undefined) throw closedError();
    return browse(store, this.number, this.#lanes, after, count);
  }

  /**
   * The queue gets another number, what was taken goes with it, and whatever the old one has is removed in the background:
   * however much it is.
   */
  async purge(): Promise<number> {
    const refusal = this.closed ? closedError() : this.#parts.commit.closed;
    if (refusal !== undefined) throw refusal;
    const part = this.#part();
    const purged = this.messages - this.#taken.size - part.messages.length;
    part.renumber(this.number, this.bytes);
    part.name = 'put';
    this.number = this.#parts.newNumber();
    this.#lanes.clear();
    this.#due.due = part.due;
    this.messages -= purged;
    this.bytes = part.bytes;
    for (const entry of this.#taken.values()) {
      this.bytes += entry.message.size;
      const block = this.#single(entry, releasedLane(entry.block.lane), pastOf(entry));
      block.giveAll();
      entry.block = block;
      entry.index = 0;
    }
    await this.flushed();
    return purged;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(() => {
      for (const entry of this.#taken.values()) {
        this.#strike(entry);
        this.#single(entry, releasedLane(entry.block.lane), pastOf(entry));
      }
      this.#lanes.unmark();
      this.#part();
    });
    return this.#closing;
  }

  destroy(): Promise<void> {
    this.#closing ??= this.#close(() => {
      const part = this.#part();
      part.renumber(this.number, this.bytes);
      part.name = 'remove';
      this.messages = 0;
      this.bytes = 0;
    });
    return this.#closing;
  }

  /** It is no longer its owner's. Resolves when nothing of it is on its way any more. */
  async lose(): Promise<void> {
    const told = this.closed;
    this.#closing ??= this.#close(() => {
      this.#part();
    });
    await this.#closing.catch(() => {});
    if (!told) this.#receiver.lost();
  }

  /** The store is there again. */
  resume(): void {
    this.#parts.alarm.set(this.#due);
    this.#giving.now();
  }

  /** Gives back the memory of what waits. */
  evict(): void {
    this.#lanes.evict();
  }

  moved(blocks: QueuePart['moved']): Promise<void> {
    this.#part().moved.push(...blocks);
    return this.flushed();
  }

  /** A store that is closed comes back; one that is damaged does not. */
  unreadable(error: unknown, store: Store): void {
    if (this.#parts.store !== store || this.closed) return;
    this.#parts.warn(error instanceof RangeError ? store.damaged(error.message) : error, this.name);
    void this.lose();
  }

  seal(part: QueuePart, changes: Change[]): void {
    // Durable by now, but what is in it has not arrived yet.
    const before = this.#sealed;
    this.#pending = undefined;
    this.#sealed = part;
    const { number } = this;
    for (const old of part.dropped) {
      changes.push([totalsKey(old.number), undefined], [droppedKey(old.number), Buffer.alloc(0)]);
    }
    if (part.name === 'remove') {
      part.number = number;
      changes.push([queueNameKey(this.name), undefined]);
      return;
    }
    if (part.name === 'put') changes.push(...this.#parts.named(this));
    part.encode(number, changes);
    if (!this.closed && (this.#giving.wanted > 0 || this.#taken.size > 0)) this.#lanes.markMade(part.made);
    const lanes = this.#lanes.places(before?.number === number ? [before, part] : [part], part.marks);
    const { messages, bytes } = this;
    const totals = { messages, bytes, nextId: this.#nextId, due: this.#due.due, lanes };
    changes.push([totalsKey(number), encodeTotals(totals)]);
  }

  durable(part: QueuePart): void {
    if (this.#sealed === part) this.#sealed = undefined;
    for (const old of part.dropped) this.#parts.drop(old.number, old.bytes);
    if (part.number === this.number && !this.closed) {
      this.#lanes.arrive(part);
      // The last write of a store that is being closed starts no timer.
      if (this.#parts.store !== undefined) this.#parts.alarm.set(this.#due);
      this.#parts.windows.use(this);
    }
    part.succeed();
    this.#giving.now();
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
      for (const { from } of part.moved) this.#due.due = Math.min(this.#due.due, from.past.dueAt);
    }
    if (!this.closed) {
      this.#part().adopt(part, current);
      for (const entry of part.withdrawn) this.#restore(entry);
    }
    part.fail(error);
  }

  /** What it was removed together with is not there: it comes again. */
  #restore(entry: TakenEntry): void {
    this.messages++;
    this.bytes += entry.message.size;
    const lane = releasedLane(entry.block.lane);
    this.#release(entry, lane, pastOf(entry));
  }

  #part(): QueuePart {
    this.#pending ??= this.#parts.begin(this);
    return this.#pending;
  }

  /** Acknowledged with the first of them. */
  #repeated(sequence: number, message: Message, receiver: AppendReceiver, token: number): void {
    const part = [this.#pending, this.#sealed].find((each) => each?.sequence === sequence);
    if (part === undefined) this.#parts.clock.defer(() => receiver.appended(token, message, true));
    else part.echoes.push({ message, receiver, token });
  }

  #takeBack(id: number): TakenEntry | undefined {
    const entry = this.closed ? undefined : this.#taken.get(id);
    if (entry !== undefined) this.#taken.delete(id);
    return entry;
  }

  /** Takes a message out of its block. */
  #strike({ block, index }: TakenEntry): void {
    block.remove(index);
    this.#part().struck.add(block);
    if (block.left === 0) this.#lanes.get(block.lane).removed(block);
  }

  /** Puts one in a block of its own. */
  #single({ id, message }: TakenEntry, lane: number, past: Past): QueueBlock {
    const block = singleBlock(this.number, lane, id, message, past);
    block.stored = false;
    this.#part().singles.add(block);
    return block;
  }

  async #close(change: () => void): Promise<void> {
    try {
      const refusal = this.#parts.commit.closed;
      if (refusal !== undefined) throw refusal;
      change();
      await this.flushed();
    } finally {
      this.#lanes.clear();
      this.#taken.clear();
      this.#parts.leave(this);
      this.#parts.alarm.remove(this.#due);
    }
  }

  given(entries: readonly TakenEntry[]): void {
    for (const entry of entries) this.#taken.set(entry.id, entry);
    this.#receiver.take(entries);
  }

  marked(higher: boolean): void {
    if (higher || (this.#pending === undefined && this.#sealed === undefined)) this.#part();
  }
}

function closedError(): BrokerError {
  return new BrokerError('unavailable', 'the queue is not open');
}
