import type { Counters } from '../core/counters.ts';
import type { BrokerError } from '../core/errors.ts';
import { Fifo } from '../core/fifo.ts';
import type { Message } from '../core/message.ts';
import type { Log } from '../ports/backbone.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger, Outbox, OutboxSink, Subscription } from '../ports/routing.ts';
import { type RetainedOf, RetainedReplays } from './retained-replays.ts';

export interface OutboxLimits {
  /** What is held in memory, and read from the log at once. */
  readonly outboxMessages: number;
  readonly outboxBytes: number;
}

interface Held {
  readonly message: Message;
  readonly subscriptions: readonly Subscription[];
}

/**
 * - `live`: has had all of the tail, except what it holds.
 * - `behind`: goes on at `#cursor`, by reading the log, when the sink is ready.
 * - `reading`: a read is under way.
 */
type State = 'live' | 'behind' | 'reading' | 'closed';

/**
 * The log is the queue: held here is only what a short pause of the client makes wait. When that is too much, it is
 * dropped from memory and read from the log again once the client takes messages, up to the tail.
 */
export class LogOutbox implements Outbox {
  readonly #sink: OutboxSink;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #logger: Logger;
  readonly #limits: OutboxLimits;
  readonly #held = new Fifo<Held>();
  #heldBytes = 0;
  /** Most clients have no retained messages waiting. */
  #replays: RetainedReplays | undefined;
  #state: State = 'live';
  /** Per shard, the next sequence to read; meaningful unless live. */
  #cursor: number[] = [];
  #pumping = false;
  /** Reads begun. */
  #reads = 0;

  /** `from`: where to begin in the log; else with what comes from now on. */
  constructor(
    sink: OutboxSink,
    log: Log,
    clock: Clock,
    counters: Counters,
    logger: Logger,
    limits: OutboxLimits,
    from?: readonly number[],
  ) {
    this.#sink = sink;
    this.#log = log;
    this.#clock = clock;
    this.#counters = counters;
    this.#logger = logger;
    this.#limits = limits;
    if (from !== undefined) {
      this.#cursor = Array.from({ length: log.shards }, (_, shard) => from[shard] ?? log.next(shard));
      this.#state = this.#caughtUp() ? 'live' : 'behind';
    }
  }

  deliver(message: Message, subscriptions: readonly Subscription[]): void {
    if (this.#state !== 'live') return;
    if (this.#held.size === 0 && this.#replays === undefined && this.#sink.ready()) {
      this.#send(message, subscriptions, false);
    } else if (this.#held.size < this.#limits.outboxMessages && this.#heldBytes < this.#limits.outboxBytes) {
      this.#hold(message.keep(), subscriptions);
    } else {
      this.#cursor = this.#tail();
      this.#cursor[message.shard] = message.sequence;
      this.#state = 'behind';
    }
  }

  replay(subscription: Subscription, match: RetainedOf): void {
    if (this.#state === 'closed') return;
    this.#replays ??= new RetainedReplays();
    this.#replays.add(subscription, match);
    this.pump();
  }

  forget(subscription: Subscription): void {
    this.#replays?.remove(subscription);
    if (this.#replays?.empty) this.#replays = undefined;
  }

  pump(): void {
    // Sending may end in a call back here, when the sink is ready again at once.
    if (this.#pumping || this.#state === 'closed') return;
    this.#pumping = true;
    try {
      this.#pump();
    } finally {
      this.#pumping = false;
    }
  }

  #pump(): void {
    this.#drainReplays();
    if (this.#replays !== undefined) return;
    this.#drain();
    if (this.#state === 'behind' && this.#held.size === 0 && this.#sink.ready()) this.#read();
  }

  positions(): readonly number[] {
    const positions = this.#state === 'live' ? this.#tail() : [...this.#cursor];
    for (const { message } of this.#held) {
      positions[message.shard] = Math.min(positions[message.shard] ?? message.sequence, message.sequence);
    }
    return positions;
  }

  close(): void {
    this.#state = 'closed';
    this.#held.clear();
    this.#replays?.clear();
    this.#replays = undefined;
  }

  #batch(shard: number, messages: readonly Message[], next: number): void {
    for (const message of messages) {
      const subscriptions = this.#sink.select(message);
      if (subscriptions.length > 0) this.#hold(message, subscriptions);
    }
    this.#cursor[shard] = next;
    this.#state = this.#caughtUp() ? 'live' : 'behind';
    this.pump();
  }

  #failed(error: BrokerError): void {
    this.#state = 'behind';
    this.#logger.warn({ err: error }, 'reading the log failed; trying again');
    this.#clock.schedule(RETRY, () => this.pump());
  }

  #read(): void {
    for (let shard = 0; shard < this.#log.shards; shard++) {
      let from = this.#cursor[shard] ?? 0;
      const first = this.#log.first(shard);
      if (from < first) {
        this.#sink.lost(first - from, shard, first);
        from = first;
        this.#cursor[shard] = first;
      }
      if (from < this.#log.next(shard)) {
        this.#state = 'reading';
        const { outboxMessages, outboxBytes } = this.#limits;
        // A read that was under way when the client went, and ends after it came back, is not this one.
        const read = ++this.#reads;
        const current = (): boolean => read === this.#reads && this.#state === 'reading';
        this.#log.read(shard, from, this.#sink.filters(), outboxMessages, outboxBytes, {
          batch: (of, messages, next) => current() && this.#batch(of, messages, next),
          failed: (error) => current() && this.#failed(error),
        });
        return;
      }
    }
    this.#state = 'live';
  }

  #drain(): void {
    while (this.#held.size > 0 && this.#sink.ready()) {
      const held = this.#held.shift();
      if (held === undefined) return;
      this.#heldBytes -= held.message.size;
      this.#send(held.message, held.subscriptions, false);
    }
  }

  #drainReplays(): void {
    const replays = this.#replays;
    if (replays === undefined) return;
    replays.drain(
      () => this.#sink.ready(),
      (message, subscriptions) => this.#send(message, subscriptions, true),
    );
    if (replays.empty && this.#replays === replays) this.#replays = undefined;
  }

  #send(message: Message, subscriptions: readonly Subscription[], replayed: boolean): void {
    if (message.properties !== undefined && message.expired(this.#clock.now())) this.#counters.droppedExpired++;
    else this.#sink.send(message, subscriptions, replayed);
  }

  #hold(message: Message, subscriptions: readonly Subscription[]): void {
    this.#heldBytes += message.size;
    this.#held.push({ message, subscriptions });
  }

  #caughtUp(): boolean {
    for (let shard = 0; shard < this.#log.shards; shard++) {
      if ((this.#cursor[shard] ?? 0) < this.#log.next(shard)) return false;
    }
    return true;
  }

  #tail(): number[] {
    return Array.from({ length: this.#log.shards }, (_, shard) => this.#log.next(shard));
  }
}

/** Milliseconds until a failed read is tried again. */
const RETRY = 1000;
