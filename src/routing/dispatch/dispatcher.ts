import { BrokerError } from '../../core/errors.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { QueueEntry, QueueReceiver, QueueSource } from '../../ports/queue-store.ts';
import type { Consumer, ConsumerOptions, Consumption, Outcome } from '../../ports/queues.ts';
import type { Logger } from '../../ports/routing.ts';
import { EntryList, priorityOf } from './entries.ts';
import { type KeyState, KeyTable } from './keys.ts';
import { Member, type MemberHost, Unsettled } from './member.ts';
import { hashOf, Members } from './members.ts';

/** Of what consumers have room for, the most that is asked for at once, and the most that is held ready beyond it. */
const MOST_WANTED = 4096;
const AHEAD = 256;
/** Messages that wait behind others of their key, or for their retry, before no more are asked for. */
const MOST_HELD = 4096;

/** Why a message is not delivered any more. */
export type DeadReason = 'rejected' | 'expired' | 'deliveries' | 'overflow';

export interface DispatcherOptions {
  /**
   * What `properties.key` means. `one`: messages of a key are with one consumer at a time. `sticky`: with the same one, too,
   * as long as none comes or goes. `none`: nothing.
   */
  readonly keys: 'none' | 'one' | 'sticky';
  /** As in QueueSettings. */
  readonly ackMilliseconds: number;
  readonly retryMilliseconds: number;
  readonly retryMaxMilliseconds: number;
  readonly maxDeliveries: number;
  readonly messageMilliseconds: number;
  readonly singleActiveConsumer: boolean;
}

export interface DispatcherHandlers {
  /** Given up. It is for the handler to remove it from the source. `deliveries`: how often it was given to a consumer. */
  dead(entry: QueueEntry, reason: DeadReason, deliveries: number): void;
  /** Whether there is still too much, so that the next message is to go (`overflow`). Without it, there never is. */
  excess?(): boolean;
}

/**
 * Gives the messages of a source to consumers: to those of the highest priority that are ready, each in its turn. What is
 * taken from the source and cannot be given yet waits here; it is little, and none when there are no consumers.
 */
export class Dispatcher implements Pick<QueueReceiver, 'take'>, MemberHost {
  readonly #source: QueueSource;
  readonly #options: DispatcherOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #handlers: DispatcherHandlers;
  readonly #members: Members;
  readonly #window = new EntryList();
  readonly #keys: KeyTable;
  /** Asked for, and not come yet. */
  #coming = 0;
  #unsettled = 0;
  #lastNumber = 0;
  /** Some have a priority: those held ready would be in the way of higher ones. */
  #prioritised = false;
  #dispatching = false;
  /** Without consumers, messages that are looked at to see whether they are to be dropped. */
  #probing = 0;
  #headExpiresAt = 0;
  /** Given back during the dispatch: for another turn, so that a consumer that gives back all does not hold up the rest. */
  #again: QueueEntry[] = [];
  #timer: Timer | undefined;
  #timerAt = 0;
  #closed = false;

  constructor(
    source: QueueSource,
    options: DispatcherOptions,
    clock: Clock,
    logger: Logger,
    handlers: DispatcherHandlers,
  ) {
    this.#source = source;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#handlers = handlers;
    this.#members = new Members(options.singleActiveConsumer);
    this.#keys = new KeyTable(this.#window);
  }

  /** With consumers. */
  get unsettled(): number {
    return this.#unsettled;
  }

  get consumers(): number {
    return this.#members.all.size;
  }

  /** Taken from the source, and not with consumers. */
  get waiting(): number {
    return this.#window.size + this.#keys.size + this.#again.length;
  }

  /** Without consumers: before this time (milliseconds since 1970) nothing expires, as far as is known. */
  get headExpiresAt(): number {
    return this.#headExpiresAt;
  }

  /** Nothing is with it, and nobody. */
  get idle(): boolean {
    return this.consumers === 0 && this.waiting === 0 && this.#unsettled === 0;
  }

  /**
   * Messages may come during the call. Throws a BrokerError (`quota`) when it or another one wants to be the only consumer.
   */
  attach(consumer: Consumer, options: ConsumerOptions): Consumption {
    const { all } = this.#members;
    const [first] = all;
    if (first?.options.exclusive) throw new BrokerError('quota', 'there is an exclusive consumer');
    if (first !== undefined && options.exclusive)
      throw new BrokerError('quota', `an exclusive consumer is to be the only one; there are ${all.size} others`);
    let seed = hashOf(options.clientId);
    if (this.#options.keys === 'sticky') while ([...all].some((each) => each.seed === seed)) seed++;
    const member = new Member(this, consumer, options, seed);
    this.#members.add(member);
    if (this.#options.keys === 'sticky') this.#keys.unparkAll();
    this.#dispatch();
    return member;
  }

  take(entries: readonly QueueEntry[]): void {
    this.#coming = Math.max(0, this.#coming - entries.length);
    for (const entry of entries) {
      if (priorityOf(entry) > 0) this.#prioritised = true;
      this.#window.add(entry);
    }
    this.#dispatch();
    if (this.#probing === 0 || this.#closed || this.consumers > 0) return;
    // All were dropped: there may be more like them.
    this.#probing = Math.min(this.#probing * 4, AHEAD);
    if (this.#coming < this.#probing) this.#want(this.#probing - this.#coming);
  }

  /** A message of this priority is on its way to the source: those of lower ones are not to be in its way. */
  announce(priority: number): void {
    if (priority === 0 && !this.#prioritised) return;
    this.#prioritised = true;
    const { last } = this.#window;
    if (last !== undefined && priorityOf(last) < priority) this.#giveBackWaiting();
  }

  /**
   * To be called every second or so. Drops what expired while it waited, also where there are no consumers; asks those again
   * that were not ready.
   */
  sweep(): void {
    const now = this.#clock.now();
    for (const entry of this.#window.take((each) => this.#expired(each, now))) this.#drop(entry, 'expired');
    for (const member of this.#members.all) this.#revive(member);
    this.#dispatch();
  }

  /**
   * Takes messages from the source although no consumer wants them, to drop those that are expired, or `excess`: first so many,
   * then more as long as all go. The others go back.
   */
  probe(count: number): void {
    if (this.#closed) return;
    if (this.consumers === 0) this.#probing = Math.min(count, AHEAD);
    const wanted = Math.min(count, AHEAD) - this.#coming - this.#window.size;
    if (wanted > 0) this.#want(wanted);
    this.#dispatch();
  }

  /** Another message may be the first now. */
  forgetHead(): void {
    this.#headExpiresAt = 0;
  }

  /** Removes all that is not with a consumer. Says how many those were. */
  purge(): number {
    const waiting = [...this.#takeWaiting(), ...this.#keys.takeDelayed().map(({ entry }) => entry)];
    for (const { id } of waiting) this.#source.remove(id);
    return waiting.length;
  }

  /**
   * Its consumers are told why nothing more comes. All that is not settled goes back to the source, unless that is `lost`.
   */
  close(error: BrokerError, lost = false): void {
    this.#closed = true;
    this.#timer?.cancel();
    const members = [...this.#members.all];
    for (const member of members) {
      this.#members.remove(member);
      if (!lost) for (const { entry, count } of member.held.values()) this.#source.release(entry.id, 0, count);
      member.held.clear();
    }
    this.#unsettled = 0;
    const delayed = this.#keys.takeDelayed();
    const waiting = this.#takeWaiting();
    if (!lost) {
      for (const { id, deliveries } of waiting) this.#source.release(id, 0, deliveries);
      for (const { entry, dueAt } of delayed) this.#source.release(entry.id, dueAt, entry.deliveries);
    }
    for (const member of members) this.#end(member, error);
  }

  // --- what members ask for -----------------------------------------------------------------------------------------

  settle(member: Member, delivery: number, outcome: Outcome, delay: number | undefined): void {
    const settled = member.held.get(delivery);
    if (settled === undefined) return;
    member.held.delete(delivery);
    this.#unsettled--;
    const { entry, count } = settled;
    if (outcome === 'accept') this.#source.remove(entry.id);
    else if (outcome === 'reject') this.#handlers.dead(entry, 'rejected', count);
    else this.#giveBack(settled, delay ?? this.#backOff(count));
    this.#members.count(member, 1);
    this.#release(settled.key);
    this.#keys.unparkFor(member);
    this.#dispatch();
  }

  flushed(): Promise<void> {
    return this.#source.flushed();
  }

  pumped(member: Member): void {
    this.#revive(member);
    this.#dispatch();
  }

  cancel(member: Member): void {
    if (member.gone) return;
    this.#members.remove(member);
    for (const settled of member.held.values()) {
      this.#unsettled--;
      this.#giveBack(settled, 0);
      this.#release(settled.key);
    }
    member.held.clear();
    this.#keys.unparkAll();
    this.#headExpiresAt = 0;
    this.#dispatch();
  }

  failed(member: Member, error: unknown): void {
    this.#logger.error(
      { err: error, clientId: member.options.clientId },
      'internal error of a consumer; it is dropped',
    );
    this.cancel(member);
    this.#end(member, new BrokerError('internal'));
  }

  #end(member: Member, error: BrokerError): void {
    try {
      member.consumer.ended(error);
    } catch (fault) {
      this.#logger.error({ err: fault, clientId: member.options.clientId }, 'internal error of a consumer at its end');
    }
  }

  // --- giving -------------------------------------------------------------------------------------------------------

  #dispatch(): void {
    if (this.#dispatching || this.#closed) return;
    this.#dispatching = true;
    const now = this.#clock.now();
    while (this.#next(now));
    this.#dispatching = false;
    if (this.consumers === 0) this.#leave();
    if (this.#again.length > 0) this.#clock.defer(this.#resume);
    this.#ask();
  }

  /** Nothing is held without consumers: it goes to the source, which records how often it was delivered. */
  #leave(): void {
    const head = this.#window.first;
    if (head === undefined && this.#keys.size === 0) return;
    if (head !== undefined) {
      this.#headExpiresAt = this.#expiryOf(head);
      this.#probing = 0;
    }
    this.#giveBackWaiting();
  }

  readonly #resume = (): void => {
    for (const entry of this.#again.splice(0)) this.#window.add(entry);
    this.#dispatch();
  };

  /** Sees to the first message that waits. False when there is nothing to be done with it. */
  #next(now: number): boolean {
    const entry = this.#window.first;
    if (entry === undefined) return false;
    const { maxDeliveries } = this.#options;
    let reason: DeadReason | undefined;
    if (this.#expired(entry, now)) reason = 'expired';
    else if (maxDeliveries > 0 && entry.deliveries >= maxDeliveries) reason = 'deliveries';
    else if (this.#handlers.excess?.()) reason = 'overflow';
    if (reason === undefined) return this.#place(entry, now);
    this.#window.shift();
    this.#drop(entry, reason);
    return true;
  }

  #place(entry: QueueEntry, now: number): boolean {
    const key = this.#options.keys === 'none' ? undefined : entry.message.properties?.key;
    const state = key === undefined ? undefined : this.#keys.get(key);
    if (state?.blocks(entry)) {
      this.#window.shift();
      this.#keys.park(state, entry, state.awaited);
      return true;
    }
    const holder = key === undefined ? undefined : this.#holder(key, state);
    const member = holder === undefined ? this.#members.next() : this.#members.free(holder) ? holder : undefined;
    // Asking it may have changed everything.
    if (this.#window.first !== entry) return true;
    if (member === undefined && holder === undefined) return false;
    this.#window.shift();
    if (member === undefined) this.#keys.park(this.#keys.grow(key ?? ''), entry, holder);
    else this.#give(member, entry, key === undefined ? undefined : this.#keys.grow(key), now);
    return true;
  }

  /** The one who must have the next message of this key; undefined: anyone may. */
  #holder(key: string, state: KeyState | undefined): Member | undefined {
    if (state !== undefined && state.unsettled > 0) return state.holder;
    return this.#options.keys === 'sticky' ? this.#members.of(key) : undefined;
  }

  #give(member: Member, entry: QueueEntry, state: KeyState | undefined, now: number): void {
    const given = new Unsettled(++this.#lastNumber, entry, state, now);
    member.held.set(given.number, given);
    this.#members.count(member, -1);
    this.#unsettled++;
    if (state !== undefined) {
      state.holder = member;
      state.unsettled++;
      this.#keys.unpark(state);
    }
    const { ackMilliseconds } = this.#options;
    if (ackMilliseconds > 0) this.#arm(now + ackMilliseconds);
    try {
      member.consumer.take(entry.message, given);
    } catch (error) {
      this.failed(member, error);
    }
  }

  #expired(entry: QueueEntry, now: number): boolean {
    return this.#expiryOf(entry) <= now;
  }

  #expiryOf({ message }: QueueEntry): number {
    const { messageMilliseconds } = this.#options;
    const own = message.properties?.expiresAt ?? Number.POSITIVE_INFINITY;
    return messageMilliseconds > 0 ? Math.min(own, message.timestamp + messageMilliseconds) : own;
  }

  #drop(entry: QueueEntry, reason: DeadReason): void {
    this.#handlers.dead(entry, reason, entry.deliveries);
    const key = entry.message.properties?.key;
    const state = key === undefined ? undefined : this.#keys.get(key);
    if (state !== undefined) this.#keys.passed(state);
  }

  // --- taking back --------------------------------------------------------------------------------------------------

  #giveBack({ entry: { id, message }, count, key }: Unsettled, delay: number): void {
    const entry = { id, message, deliveries: count, redelivered: true };
    const { maxDeliveries } = this.#options;
    if (maxDeliveries > 0 && count >= maxDeliveries) {
      this.#handlers.dead(entry, 'deliveries', count);
      return;
    }
    const dueAt = this.#clock.now() + delay;
    if (delay <= 0 && !this.#dispatching) {
      this.#window.add(entry);
    } else if (key !== undefined) {
      // Those behind it wait, too.
      this.#keys.delay(key, entry, dueAt);
      this.#arm(dueAt);
    } else if (delay <= 0) {
      this.#again.push(entry);
    } else {
      this.#source.release(id, dueAt, count);
    }
  }

  /** Milliseconds until a message that was delivered so often is tried again. */
  #backOff(deliveries: number): number {
    const { retryMilliseconds, retryMaxMilliseconds } = this.#options;
    // 2^30 times a millisecond is more than the longest there is.
    return Math.min(retryMilliseconds * 2 ** Math.min(deliveries - 1, 30), retryMaxMilliseconds);
  }

  /** One of the key is with nobody any more. */
  #release(state: KeyState | undefined): void {
    if (state === undefined) return;
    state.unsettled--;
    if (state.unsettled === 0) state.holder = undefined;
    this.#keys.passed(state);
  }

  #revive(member: Member): void {
    if (member.ringed || member.gone) return;
    this.#members.enter(member);
    this.#keys.unparkFor(member);
  }

  /** What waits, except for its retry. */
  #takeWaiting(): QueueEntry[] {
    return [...this.#again.splice(0), ...this.#window.take(), ...this.#keys.takeParked()];
  }

  #giveBackWaiting(): void {
    for (const { id, deliveries } of this.#takeWaiting()) this.#source.release(id, 0, deliveries);
  }

  // --- asking for more ----------------------------------------------------------------------------------------------

  #ask(): void {
    if (this.#closed || this.consumers === 0 || this.#keys.size >= MOST_HELD) return;
    const ahead = this.#prioritised ? 0 : Math.min(AHEAD, this.#members.prefetch);
    const target = Math.min(this.#members.room, MOST_WANTED) + ahead;
    const has = this.#coming + this.#window.size;
    // Many small portions cost more than a few large ones.
    if (has < target && (has === 0 || (target - has) * 4 >= target)) this.#want(target - has);
  }

  #want(count: number): void {
    this.#coming += count;
    this.#source.want(count);
  }

  // --- time ---------------------------------------------------------------------------------------------------------

  #arm(at: number): void {
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.schedule(at - this.#clock.now(), this.#tick);
  }

  readonly #tick = (): void => {
    this.#timer = undefined;
    if (this.#closed) return;
    const now = this.#clock.now();
    this.#keys.due(now);
    const { ackMilliseconds } = this.#options;
    const oldest = ackMilliseconds > 0 ? this.#takeBackSilent(now - ackMilliseconds) : undefined;
    if (oldest !== undefined) this.#arm(oldest + ackMilliseconds);
    if (this.#keys.nextDue !== undefined) this.#arm(this.#keys.nextDue);
    this.#dispatch();
  };

  /** Takes back what was given at `until` or earlier. Says when the oldest that is left was given. */
  #takeBackSilent(until: number): number | undefined {
    let oldest: number | undefined;
    for (const member of this.#members.all) {
      for (const settled of member.held.values()) {
        if (settled.at > until) {
          oldest = Math.min(oldest ?? settled.at, settled.at);
          break;
        }
        this.settle(member, settled.number, 'requeue', 0);
      }
    }
    return oldest;
  }
}
