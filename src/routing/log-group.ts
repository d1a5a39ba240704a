import { matches } from '../core/filter.ts';
import type { Message } from '../core/message.ts';
import { Packer, Unpacker } from '../core/pack.ts';
import type { GroupReceiver, GroupSource, Log } from '../ports/backbone.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  Logger,
  Outbox,
  OutboxSink,
  Place,
  Position,
  Router,
  SessionOwner,
  Sessions,
  Subscriber,
  Subscription,
} from '../ports/routing.ts';
import { Fifo } from './fifo.ts';
import { recall } from './recall.ts';

const FORMAT = 1;
const NONE: readonly Subscription[] = [];

export interface LogGroupContext {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly router: Router;
  readonly sessions: Sessions;
  outbox(sink: OutboxSink, from?: readonly number[]): Outbox;
}

/**
 * A group's place in the log, where all of its members are on this node: a cursor, and the messages before it that are
 * with a member. It is kept as sessions are.
 */
export class LogGroup implements GroupSource, Subscriber, OutboxSink, SessionOwner {
  readonly clientId = '';
  readonly #context: LogGroupContext;
  readonly #receiver: GroupReceiver;
  readonly #subscription: Subscription;
  readonly #subscriptions: readonly Subscription[];
  readonly #keptFor: () => number;
  /** With a member, by delivery. */
  readonly #out = new Map<number, Message>();
  /** Given back, or left over from before: these go first. */
  readonly #returned = new Fifo<Message>();
  #lastDelivery = 0;
  #place: Place | undefined;
  #outbox: Outbox | undefined;
  #state: 'opening' | 'open' | 'closed' = 'opening';
  #forget = false;
  #pumping = false;

  constructor(name: string, filter: string, receiver: GroupReceiver, keptFor: () => number, context: LogGroupContext) {
    this.#context = context;
    this.#receiver = receiver;
    this.#keptFor = keptFor;
    const since = context.router.positions();
    const flags = { qos: 2, noLocal: false, retainAsPublished: true, identifier: 0 } as const;
    this.#subscription = { ...flags, subscriber: this, filter, id: '', since };
    this.#subscriptions = [this.#subscription];
    context.router.subscribe(this.#subscription);
    const claim = { key: `share:${name}/${filter}`, principal: '', clean: false, keptFor: Math.max(1, keptFor()) };
    context.sessions.open(claim, this).then(
      (place) => this.#opened(place, since),
      (error: unknown) => context.logger.error({ err: error, group: name, filter }, 'a group could not be opened'),
    );
  }

  #opened(place: Place, since: readonly number[]): void {
    this.#place = place;
    const kept = place.kept && this.#read(place.kept);
    place.kept = undefined;
    if (this.#state === 'closed') {
      this.#leave();
      return;
    }
    const begin = (): void => {
      if (this.#state !== 'opening') return;
      this.#state = 'open';
      this.#outbox = this.#context.outbox(this, kept?.cursor ?? since);
      void place.save();
      this.pump();
    };
    if (kept === undefined) begin();
    else {
      const { log, clock } = this.#context;
      recall(log, clock, kept.out, {
        message: (message) => this.#returned.push(message),
        missing: () => this.lost(1),
        done: begin,
      });
    }
  }

  // --- GroupSource --------------------------------------------------------------------------------------------------

  pump(): void {
    if (this.#state !== 'open' || this.#pumping) return;
    this.#pumping = true;
    while (this.#returned.size > 0 && this.#receiver.room() > 0) {
      const message = this.#returned.shift();
      if (message !== undefined) this.#give(message);
    }
    this.#pumping = false;
    if (this.#returned.size === 0) this.#outbox?.pump();
  }

  settle(delivery: number): void {
    if (this.#out.delete(delivery)) this.#place?.changed();
    this.pump();
  }

  giveBack(delivery: number): void {
    const message = this.#out.get(delivery);
    if (message === undefined) return;
    this.#out.delete(delivery);
    this.#returned.push(message);
    this.pump();
  }

  close(forget: boolean): void {
    this.#forget = forget;
    this.#context.router.unsubscribe(this.#subscription);
    const opened = this.#state === 'open';
    this.#state = 'closed';
    if (opened) this.#leave();
  }

  #leave(): void {
    this.#place?.leave(this.#forget ? 0 : this.#keptFor());
    this.#outbox?.close();
  }

  // --- from the log -------------------------------------------------------------------------------------------------

  deliver(message: Message): void {
    if (message.qos > 0) this.#outbox?.deliver(message, this.#subscriptions);
  }

  ready(): boolean {
    return this.#state === 'open' && this.#returned.size === 0 && this.#receiver.room() > 0;
  }

  send(message: Message): void {
    this.#give(message.keep());
    this.#place?.changed();
  }

  filters(): readonly string[] {
    return [this.#subscription.filter];
  }

  select(message: Message): readonly Subscription[] {
    return matches(this.#subscription.filter, message.topic) ? this.#subscriptions : NONE;
  }

  lost(count: number): void {
    const { filter } = this.#subscription;
    this.#context.logger.warn({ filter, count }, 'the log no longer has messages a group had not seen');
  }

  #give(message: Message): void {
    const delivery = ++this.#lastDelivery;
    this.#out.set(delivery, message);
    this.#receiver.take(message, delivery);
  }

  // --- the store ----------------------------------------------------------------------------------------------------

  /** Nobody else opens a group of this node's. */
  takenOver(): void {
    this.close(false);
  }

  encode(): Uint8Array {
    const packer = new Packer().integer(FORMAT).integers(this.#outbox?.positions() ?? this.#subscription.since);
    const out: Position[] = [...this.#out.values(), ...this.#returned];
    packer.integer(out.length);
    for (const { shard, sequence } of out) packer.integer(shard).integer(sequence);
    return packer.done();
  }

  #read(bytes: Uint8Array): { readonly cursor: readonly number[]; readonly out: readonly Position[] } | undefined {
    try {
      const unpacker = new Unpacker(bytes);
      if (unpacker.integer() !== FORMAT) throw new RangeError('a group of another format');
      const cursor = unpacker.integers();
      const out = Array.from({ length: unpacker.count() }, () => ({
        shard: unpacker.integer(),
        sequence: unpacker.integer(),
      }));
      return { cursor, out };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#context.logger.error({ err: error, filter: this.#subscription.filter }, 'a stored group cannot be read');
      return undefined;
    }
  }
}
