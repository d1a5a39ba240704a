import { BrokerError } from '../../src/core/errors.ts';
import { Heap } from '../../src/core/heap.ts';
import type { Message } from '../../src/core/message.ts';
import type { AppendReceiver } from '../../src/ports/backbone.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { QueueEntry, QueueReceiver, QueueStore } from '../../src/ports/queue-store.ts';
import type { Kept, KeptEntry } from './kept.ts';

interface Stored {
  readonly receiver: AppendReceiver;
  readonly token: number;
  readonly message: Message;
  /** undefined for one that was repeated. */
  readonly entry: KeptEntry | undefined;
}

/** A queue while it is open. What is pushed in one turn becomes durable at its end, as with the stores on disk. */
export class MemoryQueueStore implements QueueStore {
  readonly #kept: Kept;
  readonly #receiver: QueueReceiver;
  readonly #clock: Clock;
  readonly #ended: (destroyed: boolean) => void;
  readonly #due = new Heap<KeptEntry>(comesFirst);
  /** Not due yet. */
  readonly #later = new Heap<KeptEntry>((a, b) => a.dueAt < b.dueAt);
  readonly #passed = new Map<number, KeptEntry>();
  #storing: Stored[] = [];
  #wanted = 0;
  #closed = false;
  #scheduled = false;
  #timer: Timer | undefined;
  /** When `#timer` fires. */
  #firesAt = Infinity;
  readonly #turnEnds = (): void => {
    this.#scheduled = false;
    this.#commit();
    this.#give();
  };
  readonly #timePasses = (): void => {
    this.#firesAt = Infinity;
    this.#give();
  };

  constructor(kept: Kept, receiver: QueueReceiver, clock: Clock, ended: (destroyed: boolean) => void) {
    this.#kept = kept;
    this.#receiver = receiver;
    this.#clock = clock;
    this.#ended = ended;
    for (const entry of kept.entries()) {
      if (entry.state === 'taken') {
        entry.released = true;
        entry.redelivered = true;
      }
      this.#wait(entry);
    }
  }

  get messages(): number {
    return this.#kept.messages;
  }

  get bytes(): number {
    return this.#kept.bytes;
  }

  want(count: number): void {
    this.#wanted += count;
    this.#schedule();
  }

  push(message: Message, receiver: AppendReceiver, token: number): void {
    if (this.#closed) {
      this.#clock.defer(() => receiver.refused(token, closedError()));
      return;
    }
    const repeated = this.#kept.repeats(message, this.#clock.now());
    const entry = repeated ? undefined : this.#kept.add(message);
    this.#storing.push({ receiver, token, message, entry });
    this.#schedule();
  }

  remove(id: number): void {
    const entry = this.#taken(id);
    if (entry !== undefined) this.#kept.remove(entry);
  }

  release(id: number, dueAt: number, deliveries: number): void {
    const entry = this.#taken(id);
    if (entry === undefined) return;
    entry.dueAt = dueAt;
    entry.deliveries = deliveries;
    entry.redelivered ||= deliveries > 0;
    entry.released = true;
    this.#wait(entry);
    this.#schedule();
  }

  pass(id: number): void {
    const entry = this.#taken(id);
    if (entry === undefined) return;
    entry.state = 'passed';
    this.#passed.set(id, entry);
  }

  revisit(ids: Iterable<number> = [...this.#passed.keys()]): void {
    for (const id of ids) {
      const entry = this.#passed.get(id);
      if (entry !== undefined) this.#wait(entry);
      this.#passed.delete(id);
    }
    this.#schedule();
  }

  async flushed(): Promise<void> {
    if (this.#closed) throw closedError();
  }

  async browse(
    after: number,
    count: number,
  ): Promise<{ readonly entries: readonly QueueEntry[]; readonly next: number | undefined }> {
    const entries: QueueEntry[] = [];
    for (const entry of this.#kept.entries(after)) {
      if (entry.state === 'storing') break;
      if (entries.length >= count) return { entries, next: entries.at(-1)?.id };
      entries.push(entryOf(entry));
    }
    return { entries, next: undefined };
  }

  async purge(): Promise<number> {
    // What was pushed before is stored with the turn.
    await new Promise<void>((resolve) => this.#clock.defer(resolve));
    if (this.#closed) throw closedError();
    const before = this.messages;
    for (const entry of this.#kept.entries()) if (isUntaken(entry)) this.#kept.remove(entry);
    this.#passed.clear();
    this.#due.clear();
    this.#later.clear();
    return before - this.messages;
  }

  async close(): Promise<void> {
    this.#commit();
    this.#end(false);
  }

  async destroy(): Promise<void> {
    this.#commit();
    this.#end(true);
  }

  /** Another one has it now. */
  lose(): void {
    this.abandon();
    this.#clock.defer(() => this.#receiver.lost());
  }

  /** Nobody hears of what is not durable. */
  abandon(): void {
    for (const { message, entry } of this.#storing) if (entry !== undefined) this.#kept.forget(message, entry);
    this.#storing = [];
    this.#end(false);
  }

  #end(destroyed: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#ended(destroyed);
  }

  #taken(id: number): KeptEntry | undefined {
    const entry = this.#closed ? undefined : this.#kept.get(id);
    return entry?.state === 'taken' ? entry : undefined;
  }

  #wait(entry: KeptEntry): void {
    entry.state = 'waiting';
    if (entry.dueAt > this.#clock.now()) this.#later.push(entry);
    else this.#due.push(entry);
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#clock.defer(this.#turnEnds);
  }

  #commit(): void {
    const storing = this.#storing;
    this.#storing = [];
    for (const { entry } of storing) if (entry !== undefined) this.#wait(entry);
    for (const { receiver, token, message, entry } of storing) receiver.appended(token, message, entry === undefined);
  }

  #give(): void {
    if (this.#closed) return;
    const now = this.#clock.now();
    for (let next = this.#later.peek(); next !== undefined && next.dueAt <= now; next = this.#later.peek()) {
      this.#later.pop();
      this.#due.push(next);
    }
    this.#awake(now);
    const entries: QueueEntry[] = [];
    while (this.#wanted > 0) {
      const entry = this.#due.pop();
      if (entry === undefined) break;
      entry.state = 'taken';
      this.#wanted--;
      entries.push(entryOf(entry));
    }
    if (entries.length > 0) this.#receiver.take(entries);
  }

  /** When the next one is due. */
  #awake(now: number): void {
    const dueAt = this.#later.peek()?.dueAt;
    if (dueAt === undefined || dueAt >= this.#firesAt) return;
    this.#timer?.cancel();
    this.#firesAt = dueAt;
    this.#timer = this.#clock.schedule(dueAt - now, this.#timePasses);
  }
}

/** The higher priority; in each what was taken before; then the older one. */
function comesFirst(a: KeptEntry, b: KeptEntry): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.released !== b.released) return a.released;
  return a.id < b.id;
}

function isUntaken({ state }: KeptEntry): boolean {
  return state === 'waiting' || state === 'passed';
}

function entryOf({ id, message, deliveries, redelivered }: KeptEntry): QueueEntry {
  return { id, message, deliveries, redelivered };
}

function closedError(): BrokerError {
  return new BrokerError('unavailable', 'the queue is not open');
}
