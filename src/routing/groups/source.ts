import { Heap } from '../../core/heap.ts';
import type { Message } from '../../core/message.ts';
import type { Selector } from '../../core/selector.ts';
import { TopicMatcher } from '../../core/topic-matcher.ts';
import type { Log } from '../../ports/backbone.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Limits } from '../../ports/limits.ts';
import type { QueueEntry, QueueSource } from '../../ports/queue-store.ts';
import type { Outbox, OutboxSink, Router, Subscriber, Subscription } from '../../ports/routing.ts';
import { recall } from '../recall.ts';
import type { Unsettled } from './record.ts';

/** For so many members that have all they may have: bytes. */
const FULL_MEMBERS = 16;

const NONE: readonly Subscription[] = [];

export interface SourceContext {
  readonly log: Log;
  readonly clock: Clock;
  readonly router: Router;
  readonly limits: Pick<Limits, 'queueMemoryBytes' | 'consumerBytes' | 'heldMessages' | 'groupMessages'>;
  outbox(sink: OutboxSink, from?: readonly number[]): Outbox;
}

export interface SourceReceiver {
  take(entries: readonly QueueEntry[]): void;
  /** What is to be kept has changed. */
  changed(): void;
  flushed(): Promise<void>;
  /** The log no longer had so many messages at most. */
  lost(count: number): void;
  /** So many were too old to be given to a member. */
  expired(count: number): void;
}

interface Delayed {
  readonly entry: QueueEntry;
  readonly dueAt: number;
}

/**
 * A place in the log as a source of messages: a cursor, and the messages before it that are not settled. Read is only what
 * is wanted; at the tail, messages come from the router.
 */
export class LogSource implements QueueSource, Subscriber, OutboxSink {
  /** None: `noLocal` is not allowed here [MQTT-3.8.3-4]. */
  readonly clientId = '';
  readonly #context: SourceContext;
  readonly #receiver: SourceReceiver;
  readonly #filters: readonly string[];
  readonly #matcher: TopicMatcher;
  readonly #subscription: Subscription;
  readonly #subscriptions: readonly Subscription[];
  #selector: Selector | undefined;
  /** Not settled: given to the receiver, about to be, or come back. Ids ascend with the order in which they were read. */
  readonly #unsettled = new Map<number, QueueEntry>();
  #unsettledBytes = 0;
  /** Messages that are with members, or came back: at so many, no others are read. */
  readonly #window: number;
  readonly #most: number;
  /** Of those, what came back, in the order of the log, and what did so for later. */
  readonly #returned = new Heap<QueueEntry>((a, b) => a.id < b.id);
  readonly #delayed = new Heap<Delayed>((a, b) => a.dueAt < b.dueAt);
  #due: { readonly at: number; readonly timer: Timer } | undefined;
  /** Of those, what is given at the end of this turn. */
  #given: QueueEntry[] = [];
  #lastId = 0;
  #wanted = 0;
  #outbox: Outbox | undefined;
  #scheduled = false;
  readonly #turn = (): void => this.#give();

  constructor(filter: string, context: SourceContext, receiver: SourceReceiver) {
    this.#context = context;
    this.#window = context.limits.groupMessages;
    this.#most = context.limits.queueMemoryBytes + FULL_MEMBERS * context.limits.consumerBytes;
    this.#receiver = receiver;
    this.#filters = [filter];
    this.#matcher = new TopicMatcher(this.#filters);
    const flags = { qos: 2, noLocal: false, retainAsPublished: true, identifier: 0 } as const;
    this.#subscription = { ...flags, subscriber: this, filter, id: '', since: [], logged: true };
    this.#subscriptions = [this.#subscription];
  }

  /** Of its messages only those; undefined: all. Said before `begin`. */
  only(selector: Selector | undefined): void {
    this.#selector = selector;
  }

  /** Reads what was not settled again. Resolves when it is there; nothing is given before `begin`. */
  restore(unsettled: readonly Unsettled[]): Promise<void> {
    const { log, clock } = this.#context;
    const deliveries = new Map(unsettled.map((each) => [`${each.shard}-${each.sequence}`, each.deliveries]));
    return new Promise((done) => {
      recall(log, clock, unsettled, {
        message: (message) => {
          const count = deliveries.get(`${message.shard}-${message.sequence}`) ?? 0;
          this.#returned.push(this.#hold(message, count, true));
        },
        missing: () => this.#receiver.lost(1),
        done,
      });
    });
  }

  /** Goes on in the log from there. */
  begin(positions: readonly number[]): void {
    this.#context.router.subscribe(this.#subscription);
    this.#outbox = this.#context.outbox(this, positions);
    this.#schedule();
  }

  /** Goes on from there instead; what came back is forgotten, what was given stays. */
  move(positions: readonly number[]): void {
    this.#wanted += this.#given.length;
    for (const { id } of this.#given.splice(0)) this.#settle(id);
    for (let entry = this.#returned.pop(); entry !== undefined; entry = this.#returned.pop()) this.#settle(entry.id);
    for (let each = this.#delayed.pop(); each !== undefined; each = this.#delayed.pop()) this.#settle(each.entry.id);
    this.#outbox?.close();
    this.#outbox = this.#context.outbox(this, positions);
    this.#schedule();
  }

  close(): void {
    if (this.#outbox === undefined) return;
    this.#context.router.unsubscribe(this.#subscription);
    this.#outbox.close();
    this.#due?.timer.cancel();
    this.#wanted = 0;
  }

  /** What is before it was given to members; undefined before `begin`. */
  positions(): readonly number[] | undefined {
    return this.#outbox?.positions();
  }

  get size(): number {
    return this.#unsettled.size;
  }

  /** Messages before `positions` that are not settled, in order, each once. */
  unsettled(positions: readonly number[]): readonly Unsettled[] {
    const all: Unsettled[] = [];
    for (const { message, deliveries } of this.#unsettled.values()) {
      const { shard, sequence } = message;
      // The others are read again.
      if (sequence < (positions[shard] ?? 0)) all.push({ shard, sequence, deliveries });
    }
    all.sort((a, b) => a.shard - b.shard || a.sequence - b.sequence);
    // After a move one may be with two members.
    return all.filter(({ shard, sequence }, i) => shard !== all[i - 1]?.shard || sequence !== all[i - 1]?.sequence);
  }

  // --- QueueSource --------------------------------------------------------------------------------------------------

  want(count: number): void {
    this.#wanted += count;
    this.#schedule();
  }

  remove(id: number): void {
    this.#settle(id);
    this.#receiver.changed();
    if (this.#wanted > 0) this.#schedule();
  }

  release(id: number, dueAt: number, deliveries: number): void {
    const held = this.#unsettled.get(id);
    if (held === undefined) return;
    const entry = { id, message: held.message, deliveries, redelivered: held.redelivered || deliveries > 0 };
    this.#unsettled.set(id, entry);
    if (dueAt > this.#context.clock.now()) {
      this.#delayed.push({ entry, dueAt });
      this.#wait();
    } else {
      this.#returned.push(entry);
      if (this.#wanted > 0) this.#schedule();
    }
  }

  flushed(): Promise<void> {
    return this.#receiver.flushed();
  }

  // --- from the log -------------------------------------------------------------------------------------------------

  deliver(message: Message): void {
    if (message.qos > 0 && this.#selects(message)) this.#outbox?.deliver(message, this.#subscriptions);
  }

  ready(): boolean {
    return (
      this.#wanted > 0 &&
      this.#returned.size === 0 &&
      this.#unsettled.size < this.#window &&
      this.#unsettledBytes < this.#most
    );
  }

  send(message: Message): void {
    this.#wanted--;
    this.#given.push(this.#hold(message.keep(), 0, false));
    this.#receiver.changed();
    this.#schedule();
  }

  filters(): readonly string[] {
    return this.#filters;
  }

  select(message: Message): readonly Subscription[] {
    return this.#matcher.has(message.topic) && this.#selects(message) ? this.#subscriptions : NONE;
  }

  #selects(message: Message): boolean {
    return this.#selector === undefined || this.#selector.matches(message);
  }

  lost(count: number): void {
    this.#receiver.lost(count);
  }

  // --- giving -------------------------------------------------------------------------------------------------------

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#context.clock.defer(this.#turn);
  }

  /** Gives what is wanted and there: first what came back. */
  #give(): void {
    this.#giveReturned();
    this.#outbox?.pump();
    this.#scheduled = false;
    // With what the outbox has sent meanwhile.
    const given = this.#given;
    if (given.length === 0) return;
    this.#given = [];
    this.#receiver.take(given);
  }

  #giveReturned(): void {
    if (this.#outbox === undefined) return;
    while (this.#wanted > 0) {
      const entry = this.#returned.pop();
      if (entry === undefined) break;
      if (entry.message.expired(this.#context.clock.now())) {
        this.#settle(entry.id);
        this.#receiver.expired(1);
      } else {
        this.#wanted--;
        this.#given.push(entry);
      }
    }
  }

  #hold(message: Message, deliveries: number, redelivered: boolean): QueueEntry {
    const entry = { id: ++this.#lastId, message, deliveries, redelivered };
    this.#unsettled.set(entry.id, entry);
    this.#unsettledBytes += message.weight;
    return entry;
  }

  #settle(id: number): void {
    const entry = this.#unsettled.get(id);
    if (entry === undefined) return;
    this.#unsettled.delete(id);
    this.#unsettledBytes -= entry.message.weight;
  }

  /** Until the first of the delayed ones is due. */
  #wait(): void {
    const at = this.#delayed.peek()?.dueAt;
    if (at === undefined || at === this.#due?.at) return;
    this.#due?.timer.cancel();
    const timer = this.#context.clock.schedule(Math.max(0, at - this.#context.clock.now()), () => this.#overdue());
    this.#due = { at, timer };
  }

  #overdue(): void {
    this.#due = undefined;
    const now = this.#context.clock.now();
    for (let first = this.#delayed.peek(); first !== undefined && first.dueAt <= now; first = this.#delayed.peek()) {
      this.#delayed.pop();
      this.#returned.push(first.entry);
    }
    this.#wait();
    this.#schedule();
  }
}
