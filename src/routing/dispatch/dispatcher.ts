import { BrokerError } from '../../core/errors.ts';
import type { Selector } from '../../core/selector.ts';
import type { Clock } from '../../ports/clock.ts';
import type { QueueEntry, QueueReceiver, QueueSource } from '../../ports/queue-store.ts';
import type { Consumer, ConsumerOptions, Consumption, Outcome } from '../../ports/queues.ts';
import type { Logger } from '../../ports/routing.ts';
import { Alarm } from './alarm.ts';
import { Demand } from './demand.ts';
import { priorityOf } from './entries.ts';
import type { KeyState } from './keys.ts';
import { Member, type MemberHost, Unsettled } from './member.ts';
import { Members } from './members.ts';
import { type Giver, Placement } from './placement.ts';
import { Returns } from './returns.ts';
import type { DeadReason, DispatcherHandlers, DispatcherOptions, Selecting } from './rules.ts';
import * as rules from './rules.ts';
import { Selection } from './selection.ts';
import { Waiting } from './waiting.ts';

/**
 * Gives the messages of a source to consumers: to those of the highest priority that are ready, each in its turn. What is
 * taken from the source and cannot be given yet waits here; it is little, and none when there are no consumers.
 */
export class Dispatcher implements Pick<QueueReceiver, 'take'>, MemberHost, Giver {
  readonly #source: QueueSource;
  readonly #options: DispatcherOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #handlers: DispatcherHandlers;
  readonly #members: Members;
  readonly #waiting = new Waiting();
  readonly #window = this.#waiting.window;
  readonly #keys = this.#waiting.keys;
  readonly #demand: Demand;
  readonly #alarm: Alarm;
  /** undefined where consumers cannot select. */
  readonly #selection: Selection | undefined;
  readonly #placement: Placement;
  readonly #returns: Returns;
  #unsettled = 0;
  #lastNumber = 0;
  #dispatching = false;
  #headExpiresAt = 0;
  #closed = false;

  constructor(
    source: QueueSource,
    options: DispatcherOptions,
    clock: Clock,
    logger: Logger,
    handlers: DispatcherHandlers,
    selecting?: Selecting,
  ) {
    this.#source = source;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#handlers = handlers;
    this.#members = new Members(options.singleActiveConsumer);
    this.#demand = new Demand(source, options.memoryBytes);
    this.#alarm = new Alarm(clock, () => this.#tick());
    if (selecting !== undefined) {
      const expiryOf = (entry: QueueEntry): number => rules.expiryOf(entry, options);
      this.#selection = new Selection({ ...selecting, demand: this.#demand, window: this.#window, expiryOf });
    }
    this.#placement = new Placement(options.keys, this.#waiting, this.#members, this.#selection, this);
    this.#returns = new Returns({
      source,
      options,
      clock,
      handlers,
      waiting: this.#waiting,
      demand: this.#demand,
      alarm: this.#alarm,
      selection: this.#selection,
    });
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
    return this.#waiting.size + (this.#selection?.ready ?? 0);
  }

  /** Looked at, and left in the source until someone comes who selects it, or has room for it. */
  get passed(): number {
    return this.#selection?.passed ?? 0;
  }

  /** Without consumers: before this time (milliseconds since 1970) nothing expires, as far as is known. */
  get headExpiresAt(): number {
    return this.#headExpiresAt;
  }

  /**
   * Messages may come during the call. Throws a BrokerError (`quota`) when it or another one wants to be the only consumer.
   */
  attach(consumer: Consumer, options: ConsumerOptions, selector?: Selector): Consumption {
    this.#members.check(options);
    const seed = this.#options.keys === 'sticky' ? this.#members.seedOf(options.clientId) : 0;
    const member = new Member(this, consumer, options, seed, this.#options.consumerBytes, selector);
    this.#selection?.join(member, this.#members.all);
    this.#members.add(member);
    if (this.#options.keys === 'sticky') this.#keys.unparkAll();
    this.#dispatch();
    return member;
  }

  take(entries: readonly QueueEntry[]): void {
    this.#demand.came(entries);
    this.#selection?.came(entries);
    for (const entry of entries) {
      if (priorityOf(entry) > 0) this.#demand.prioritised = true;
      if (this.#demand.accepts(entry)) this.#window.add(entry);
      else this.#source.release(entry.id, 0, entry.deliveries);
    }
    this.#dispatch();
    if (this.consumers === 0 && !this.#closed) this.#demand.probeOn();
  }

  /** A message of this priority is on its way to the source: those of lower ones are not to be in its way. */
  announce(priority: number): void {
    if (priority === 0 && !this.#demand.prioritised) return;
    this.#demand.prioritised = true;
    this.#dispatch();
  }

  /**
   * To be called every second or so. Drops what expired while it waited, also where there are no consumers; asks those again
   * that were not ready.
   */
  sweep(): void {
    this.#selection?.sweep(this.#clock.now());
    if (this.#selection?.active) this.#selection.bringBackAll();
    for (const entry of this.#waiting.takeSome((each) => rules.isExpired(each, this.#options, this.#clock)))
      this.#drop(entry, 'expired');
    for (const member of this.#members.all) this.#revive(member);
    this.#dispatch();
  }

  /**
   * Takes messages from the source although no consumer wants them, to drop those that are expired, or `excess`: first so many,
   * then more as long as all go. The others go back.
   */
  probe(count: number): void {
    if (this.#closed) return;
    this.#selection?.recallOldest(count);
    this.#demand.probe(count, this.#window.size, this.consumers === 0);
    this.#dispatch();
  }

  /** There have been no consumers for a while: what they passed over is as if it had never been looked at. */
  forgetSelectors(): void {
    if (this.consumers === 0) this.#selection?.forget();
  }

  /** Another one may be the first. */
  forgetHead(): void {
    this.#headExpiresAt = 0;
  }

  /** Removes all that is not with a consumer. Says how many those were. */
  purge(): number {
    this.#selection?.bringBackAll();
    this.#selection?.clear();
    const waiting = this.#waiting.takeAll();
    for (const { id } of waiting) this.#source.remove(id);
    this.#demand.emptied();
    return waiting.length;
  }

  /**
   * Its consumers are told why nothing more comes. All that is not settled goes back to the source, unless that is `lost`.
   */
  close(error: BrokerError, lost = false): void {
    this.#closed = true;
    this.#alarm.cancel();
    const members = [...this.#members.all];
    this.#selection?.bringBackAll();
    for (const member of members) {
      this.#members.remove(member);
      if (!lost) for (const { entry, count } of member.held.values()) this.#source.release(entry.id, 0, count);
      member.held.clear();
    }
    this.#unsettled = 0;
    // What waits for its retry, too: else those behind it of the same key would come before it.
    const waiting = this.#waiting.takeAll();
    if (!lost) for (const entry of waiting) this.#returns.putBack(entry);
    for (const member of members) member.end(error, this.#logger);
  }

  // --- what members ask for -----------------------------------------------------------------------------------------

  settle(member: Member, delivery: number, outcome: Outcome, delay: number | undefined): void {
    const settled = member.held.get(delivery);
    if (settled === undefined) return;
    this.#settle(member, settled, outcome, delay);
    this.#keys.unparkFor(member);
    this.#dispatch();
  }

  #settle(member: Member, settled: Unsettled, outcome: Outcome, delay: number | undefined): void {
    const { entry, count, key } = settled;
    member.drop(settled);
    this.#unsettled--;
    if (outcome === 'accept') this.#source.remove(entry.id);
    else if (outcome === 'reject') this.#handlers.dead(entry, 'rejected', count);
    else this.#returns.giveBack(settled, delay ?? rules.backOff(count, this.#options), this.#dispatching);
    this.#members.count(member, 1);
    if (key !== undefined) this.#keys.tookBack(key);
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
    this.#selection?.leave(member, this.consumers === 0);
    for (const settled of member.held.values()) {
      this.#unsettled--;
      this.#returns.giveBack(settled, 0, this.#dispatching);
      if (settled.key !== undefined) this.#keys.tookBack(settled.key);
    }
    member.held.clear();
    this.#keys.unparkAll();
    this.#headExpiresAt = 0;
    this.#dispatch();
  }

  /** It may have room again. */
  #revive(member: Member): void {
    if (member.ringed || member.gone) return;
    this.#members.enter(member);
    this.#keys.unparkFor(member);
  }

  failed(member: Member, error: unknown): void {
    const { clientId } = member.options;
    this.#logger.error({ err: error, clientId }, 'internal error of a consumer; it is dropped');
    this.cancel(member);
    member.end(new BrokerError('internal'), this.#logger);
  }

  // --- giving -------------------------------------------------------------------------------------------------------

  #dispatch(): void {
    if (this.#dispatching || this.#closed) return;
    this.#dispatching = true;
    const selection = this.#selection;
    // Those that have a key may have had older messages to take first.
    if (selection?.active && this.#keys.size > 0) for (const each of this.#members.all) this.#keys.unparkFor(each);
    do while (this.#next());
    while (selection?.active && selection.serve());
    this.#dispatching = false;
    if (this.consumers === 0) this.#leave();
    // What no consumer has room for would be in the way of a higher priority that comes later.
    else if (this.#demand.prioritised && this.#window.size > 0) this.#returns.putBackReady();
    if (this.#waiting.resumes) this.#clock.defer(this.#resume);
    if (this.#closed || this.consumers === 0 || this.#keys.size >= this.#options.heldMessages) return;
    if (selection?.active) this.#demand.serveSome(this.#members, selection.most());
    else this.#demand.serve(this.#members, this.#window.size);
  }

  /** Nothing is held without consumers: it goes to the source, which records how often it was delivered. */
  #leave(): void {
    const [head] = this.#returns.putBackReady();
    if (head === undefined) return;
    this.#headExpiresAt = rules.expiryOf(head, this.#options);
    this.#demand.found();
  }

  readonly #resume = (): void => {
    this.#waiting.resume();
    this.#dispatch();
  };

  /** Sees to the first message that waits. False when there is nothing to be done with it. */
  #next(): boolean {
    const entry = this.#window.first;
    if (entry === undefined) return false;
    const reason = rules.reasonOf(entry, this.#options, this.#clock, this.#handlers);
    if (reason === undefined) return this.#placement.place(entry);
    this.#window.shift();
    this.#drop(entry, reason);
    return true;
  }

  give(member: Member, entry: QueueEntry, state: KeyState | undefined): void {
    const { ackMilliseconds } = this.#options;
    const now = ackMilliseconds > 0 ? this.#clock.now() : 0;
    const given = new Unsettled(++this.#lastNumber, entry, state, now);
    member.hold(given);
    this.#demand.went(entry);
    this.#members.count(member, -1);
    this.#unsettled++;
    if (state !== undefined) this.#keys.gave(state, member);
    if (ackMilliseconds > 0) this.#alarm.set(now + ackMilliseconds);
    try {
      member.consumer.take(entry.message, given);
    } catch (error) {
      this.failed(member, error);
    }
  }

  #drop(entry: QueueEntry, reason: DeadReason): void {
    this.#demand.went(entry);
    this.#handlers.dead(entry, reason, entry.deliveries);
    const key = entry.message.properties?.key;
    const state = key === undefined ? undefined : this.#keys.get(key);
    if (state !== undefined) this.#keys.passed(state);
  }

  // --- time ---------------------------------------------------------------------------------------------------------

  #tick(): void {
    if (this.#closed) return;
    const now = this.#clock.now();
    this.#keys.due(now);
    const { ackMilliseconds } = this.#options;
    const oldest = ackMilliseconds > 0 ? this.#takeBackSilent(now - ackMilliseconds) : undefined;
    if (oldest !== undefined) this.#alarm.set(oldest + ackMilliseconds);
    if (this.#keys.nextDue !== undefined) this.#alarm.set(this.#keys.nextDue);
    this.#dispatch();
  }

  /** Takes back what was given at `until` or earlier. Says when the oldest that is left was given. */
  #takeBackSilent(until: number): number | undefined {
    let oldest: number | undefined;
    for (const member of this.#members.all) {
      for (const settled of member.held.values()) {
        if (settled.at > until) {
          oldest = Math.min(oldest ?? settled.at, settled.at);
          break;
        }
        this.#settle(member, settled, 'requeue', 0);
      }
      this.#keys.unparkFor(member);
    }
    return oldest;
  }
}
