import type { Counters } from '../../core/counters.ts';
import { BrokerError } from '../../core/errors.ts';
import type { Start } from '../../core/start.ts';
import { DURABLE_GROUP } from '../../core/topic.ts';
import type { QueueEntry } from '../../ports/queue-store.ts';
import type { Consumer, GroupOptions, GroupStatus, Membership } from '../../ports/queues.ts';
import type { Claim, Logger, Place, SessionOwner, Sessions } from '../../ports/routing.ts';
import { Dispatcher } from '../dispatch/dispatcher.ts';
import type { DeadReason } from '../dispatch/rules.ts';
import { GROUP_KEYS } from '../session-record.ts';
import { startOf } from '../start.ts';
import { differenceOf, kindOf, selectorOf } from './kind.ts';
import { lagOf } from './lag.ts';
import { GroupMembership } from './membership.ts';
import { decodeGroup, encodeGroup, type GroupRecord } from './record.ts';
import { shareOf } from './share.ts';
import { LogSource, type SourceContext } from './source.ts';

export interface GroupContext extends SourceContext {
  readonly sessions: Sessions;
  readonly counters: Counters;
  readonly logger: Logger;
  /** Name of this node. */
  readonly node: string;
}

/** To whom all groups belong: to no user. */
export const GROUPS = '';

/** Under which a group's place is kept. */
export function keyOf(name: string, filter: string): string {
  return GROUP_KEYS + shareOf(name, filter);
}

/**
 * A group on the node that has it: its members, and its place in the log, which is kept as sessions are. It is there as
 * long as it has members.
 */
export class LogGroup implements SessionOwner {
  /** Resolves when it is open; rejects with a BrokerError when it cannot be, or its members left before. */
  readonly opened: Promise<void>;
  readonly #name: string;
  readonly #filter: string;
  readonly #context: GroupContext;
  readonly #closed: () => void;
  readonly #source: LogSource;
  readonly #members = new Set<GroupMembership>();
  /** What its first member said. */
  #first: GroupOptions | undefined;
  /** What is kept of it, until the source goes on from there. */
  #record: GroupRecord;
  #keptFor = 0;
  #forget = true;
  #dispatcher: Dispatcher | undefined;
  #place: Place | undefined;
  #state: 'opening' | 'open' | 'closed' = 'opening';

  /** `closed`: it has no members any more, or cannot go on here. */
  constructor(name: string, filter: string, context: GroupContext, closed: () => void) {
    this.#name = name;
    this.#filter = filter;
    this.#context = context;
    this.#closed = closed;
    const { counters, logger } = context;
    this.#source = new LogSource(filter, context, {
      take: (entries) => this.#dispatcher?.take(entries),
      changed: () => this.#place?.changed(),
      flushed: () => this.#place?.save() ?? Promise.resolve(),
      expired: (count) => {
        counters.droppedExpired += count;
      },
      lost: (count) => {
        counters.droppedOvertaken += count;
        logger.warn({ group: name, filter, count }, 'the log no longer has messages a group had not seen');
      },
    });
    const positions = context.router.positions();
    this.#record = { ordered: false, selector: '', keptFor: 0, forget: true, positions, unsettled: [] };
    this.opened = this.#open();
    this.opened.catch((error: unknown) => this.#failed(error));
  }

  get empty(): boolean {
    return this.#members.size === 0;
  }

  join(consumer: Consumer, options: GroupOptions): Membership {
    const member = new GroupMembership(consumer, options, (left, forget) => this.#left(left, forget));
    this.#members.add(member);
    this.#first ??= options;
    this.#keptFor = Math.max(this.#keptFor, options.keptFor);
    // Nothing comes to it before it has its membership.
    if (this.#state === 'open') this.#context.clock.defer(() => this.#admit(member));
    return member;
  }

  async status(): Promise<GroupStatus> {
    await this.opened;
    const { log, router, node } = this.#context;
    const positions = this.#source.positions() ?? this.#record.positions;
    const ends = router.positions();
    const unsettled = this.#dispatcher?.unsettled ?? this.#source.size;
    // Some are read already, and with no member yet.
    const read = this.#source.size - unsettled;
    return {
      name: this.#name,
      filter: this.#filter,
      node,
      positions,
      ends,
      ordered: this.#record.ordered,
      lag: read + (await lagOf(log, this.#filter, positions, ends)),
      unsettled,
      members: this.#members.size,
    };
  }

  async move(to: Start): Promise<void> {
    await this.opened;
    const positions = await startOf(this.#context.log, to, this.#filter);
    if (this.#state !== 'open') throw unavailable();
    this.#dispatcher?.purge();
    this.#source.move(positions);
    await this.#place?.save();
  }

  /** Asks those again that were not ready. */
  sweep(): void {
    this.#dispatcher?.sweep();
  }

  /** Gives it up, with all members. */
  end(error: BrokerError): void {
    if (this.#state === 'closed') return;
    // They have not left, and may be back on another node.
    if (this.#wanted()) this.#forget = false;
    this.#endAll(error);
    this.close();
  }

  /** It is kept as long as one of its members wanted; not at all when they all let go of it. */
  close(): void {
    if (this.#state === 'closed') return;
    const opened = this.#state === 'open';
    this.#state = 'closed';
    this.#closed();
    if (opened) this.#leave();
  }

  // --- opening ------------------------------------------------------------------------------------------------------

  async #open(): Promise<void> {
    const { sessions } = this.#context;
    const place = await sessions.open(this.#claim(), this);
    const kept = place.kept && this.#read(place.kept);
    place.kept = undefined;
    if (kept !== undefined) this.#record = kept;
    else {
      try {
        this.#record = await this.#begin();
      } catch (error) {
        place.leave(0);
        throw error;
      }
    }
    this.#keptFor = Math.max(this.#keptFor, this.#record.keptFor);
    this.#forget &&= this.#record.forget;
    this.#place = place;
    if (!this.#gone()) await this.#source.restore(this.#record.unsettled);
    if (this.#gone()) {
      this.#leave();
      throw unavailable();
    }
    this.#dispatcher = this.#dispatch();
    this.#source.begin(this.#record.positions);
    place.listens(true);
    // Who is told that there is a group may rely on its place.
    const saved = place.save();
    if (kept === undefined) await saved;
    if (this.#gone()) {
      this.#leave();
      throw unavailable();
    }
    this.#state = 'open';
    for (const member of this.#members) this.#admit(member);
  }

  #claim(): Claim {
    const kept = (): number => this.#keptFor;
    return {
      key: keyOf(this.#name, this.#filter),
      principal: GROUPS,
      clean: false,
      // Members that come later may want it to be kept for longer.
      get keptFor() {
        return Math.max(1, kept());
      },
      ...(this.#name.startsWith(DURABLE_GROUP) ? { filter: this.#filter } : {}),
    };
  }

  /** What a new group is, and where it begins: with what comes since it was asked for, or as its first member says. */
  async #begin(): Promise<GroupRecord> {
    if (this.#first === undefined)
      throw new BrokerError('notFound', `there is no group ${this.#name} of ${this.#filter}`);
    const { start } = this.#first;
    const kind = kindOf(this.#first);
    this.#source.only(selectorOf(kind));
    if (start.from === 'new') return { ...this.#record, ...kind };
    return { ...this.#record, ...kind, positions: await startOf(this.#context.log, start, this.#filter) };
  }

  #read(bytes: Uint8Array): GroupRecord | undefined {
    const { logger } = this.#context;
    const fields = { group: this.#name, filter: this.#filter };
    try {
      const record = decodeGroup(bytes);
      if (this.#first !== undefined && kindOf(this.#first).selector !== record.selector) {
        logger.info(fields, 'a group begins anew: its selector is another one than before');
        return undefined;
      }
      this.#source.only(selectorOf(record));
      return record;
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof BrokerError)) throw error;
      logger.error({ ...fields, err: error }, 'a stored group cannot be read; it begins anew');
      return undefined;
    }
  }

  #dispatch(): Dispatcher {
    const { clock, limits, logger } = this.#context;
    const { queueMemoryBytes: memoryBytes, consumerBytes, heldMessages } = limits;
    const options = {
      keys: this.#record.ordered ? 'sticky' : 'none',
      ackMilliseconds: 0,
      retryMilliseconds: 0,
      retryMaxMilliseconds: 0,
      maxDeliveries: 0,
      messageMilliseconds: 0,
      singleActiveConsumer: false,
      memoryBytes,
      consumerBytes,
      heldMessages,
    } as const;
    return new Dispatcher(this.#source, options, clock, logger, {
      dead: (entry, reason) => this.#dead(entry, reason),
    });
  }

  #dead(entry: QueueEntry, reason: DeadReason): void {
    const { counters } = this.#context;
    if (reason === 'expired') counters.droppedExpired++;
    else counters.droppedQueue++;
    this.#source.remove(entry.id);
  }

  #failed(error: unknown): void {
    if (this.#state === 'closed') return;
    const { logger } = this.#context;
    if (!(error instanceof BrokerError)) logger.error({ err: error, group: this.#name }, 'a group could not be opened');
    const told = error instanceof BrokerError ? error : new BrokerError('internal');
    this.#state = 'closed';
    this.#closed();
    this.#endAll(told);
  }

  // --- members ------------------------------------------------------------------------------------------------------

  #admit(member: GroupMembership): void {
    const dispatcher = this.#dispatcher;
    if (member.gone || dispatcher === undefined) return;
    const { clientId, prefetch } = member.options;
    const difference = differenceOf(this.#name, this.#record, kindOf(member.options));
    if (difference === undefined) {
      const options = { clientId, prefetch, priority: 0, exclusive: false };
      member.attach((consumer) => dispatcher.attach(consumer, options));
      return;
    }
    this.#members.delete(member);
    member.ended(new BrokerError('fieldInvalid', difference));
    if (this.empty) this.close();
  }

  #left(member: GroupMembership, forget: boolean): void {
    if (!this.#members.delete(member)) return;
    this.#forget &&= forget;
    if (this.empty) this.close();
  }

  #endAll(error: BrokerError): void {
    const members = [...this.#members];
    this.#members.clear();
    this.#dispatcher?.close(error);
    for (const member of members) member.ended(error);
  }

  /** A member is there that wants it to be kept. */
  #wanted(): boolean {
    for (const { options } of this.#members) if (options.keptFor > 0) return true;
    return false;
  }

  // --- the place ----------------------------------------------------------------------------------------------------

  /** Its state may change at every wait. */
  #gone(): boolean {
    return this.#state === 'closed';
  }

  #leave(): void {
    this.#place?.leave(this.#forget ? 0 : this.#keptFor);
    this.#source.close();
  }

  /** Another node opens it, which it does when this one no longer owns it. */
  takenOver(): void {
    this.end(unavailable());
  }

  encode(): Uint8Array {
    const { ordered, selector } = this.#record;
    const begun = this.#source.positions();
    const positions = begun ?? this.#record.positions;
    return encodeGroup({
      ordered,
      selector,
      positions,
      keptFor: this.#keptFor,
      forget: this.#forget && !this.#wanted(),
      unsettled: begun === undefined ? this.#record.unsettled : this.#source.unsettled(positions),
    });
  }
}

function unavailable(): BrokerError {
  return new BrokerError('unavailable', 'the group is not on this node any more');
}
