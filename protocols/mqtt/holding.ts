import { BrokerError } from '../../src/core/errors.ts';
import type { Message, UserProperty } from '../../src/core/message.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type {
  Consumption,
  Delivery,
  GroupMember,
  Groups,
  Membership,
  Outcome,
  Queues,
} from '../../src/ports/queues.ts';
import { effectiveQos, extrasOf, liveDelivery } from './delivery.ts';
import { kindOf, parseShared, queueName } from './filters.ts';
import type { Outgoing } from './outgoing.ts';
import type { Extras } from './publish-encoder.ts';
import type { Rejection } from './rejection.ts';
import type { SubscriptionOptions } from './session-state.ts';
import { readWishes } from './wishes.ts';

/** Milliseconds until a queue or group that could not be served is asked for again. */
const RETRY = 1000;

/** Who consumes, and how messages get to the client. */
export interface HoldingContext {
  readonly clientId: string;
  /** Seconds a group is kept for this session's sake. */
  readonly keptFor: number;
  /** Receive Maximum: messages it has unacknowledged at most. */
  readonly window: number;
  readonly services: {
    readonly queues: Pick<Queues, 'consume'>;
    readonly groups: Pick<Groups, 'join'>;
    readonly clock: Pick<Clock, 'schedule'>;
  };
  readonly outgoing: Pick<Outgoing, 'connected' | 'ready' | 'roomy' | 'fits' | 'send' | 'sendLive'>;
}

export type ConsumeOptions = Omit<SubscriptionOptions, 'cursor'>;

/** Who keeps it. */
export interface HoldingOwner {
  ended(error: BrokerError): void;
  /** It never began. */
  failed(): void;
  /** It was asked to finish, and all that the client had is settled. */
  finished(): void;
}

/**
 * - `opening`: asked for. `open`: messages come, from the next `pump` on.
 * - `finishing`: takes no more, and ends when the client has settled what it has.
 * - `over`: what is still settled concerns nobody.
 */
type State = 'opening' | 'open' | 'finishing' | 'over';

/** One session's consumer of a queue, or member of a group. */
export class Holding implements GroupMember {
  readonly #context: HoldingContext;
  readonly #queue: boolean;
  /** One entry. */
  #options: readonly [ConsumeOptions];
  #owner: HoldingOwner | undefined;
  #state: State = 'opening';
  #consumption: Consumption | undefined;
  #membership: Membership | undefined;
  /** Messages with the client, not settled. */
  #unsettled = 0;
  #opened: Promise<void> = Promise.resolve();
  /** Unsubscribed before it was open: whoever waits for that is let go. */
  #release: (() => void) | undefined;
  #timer: Timer | undefined;
  /** What it ended with before it was open. */
  #fault: BrokerError | undefined;

  constructor(options: ConsumeOptions, context: HoldingContext) {
    this.#options = [options];
    this.#context = context;
    this.#queue = kindOf(options.filter) === 'queue';
  }

  get options(): ConsumeOptions {
    return this.#options[0];
  }

  /** By one that asks for the same in the end: what it is to the queue or group stays. */
  replace(options: ConsumeOptions): void {
    this.#options = [options];
  }

  get opened(): Promise<void> {
    return this.#opened;
  }

  begin(owner: HoldingOwner): void {
    this.#owner = owner;
    const { opened } = this.#consume();
    const released = new Promise<void>((resolve) => {
      this.#release = resolve;
    });
    const done = opened.then(
      () => {
        if (this.#fault !== undefined) this.#fail(owner, this.#fault);
        else if (this.#state === 'opening') this.#state = 'open';
      },
      (error: unknown) => this.#fail(owner, error instanceof BrokerError ? error : new BrokerError('internal')),
    );
    this.#opened = Promise.race([done, released]);
  }

  #fail(owner: HoldingOwner, error: BrokerError): void {
    if (this.#state !== 'opening') return;
    this.#state = 'over';
    owner.failed();
    throw error;
  }

  #consume(): Consumption {
    const { clientId, window, keptFor, services } = this.#context;
    const { filter, wishes } = this.options;
    const {
      consumerPriority: priority,
      exclusive,
      settings,
      ordered,
      start,
      ...rest
    } = readWishes(wishes, kindOf(filter));
    const prefetch = Math.min(rest.prefetch ?? window, window);
    if (this.#queue) {
      const options = { clientId, prefetch, priority, exclusive };
      const given = Object.keys(settings).length === 0 ? undefined : settings;
      this.#consumption = services.queues.consume(queueName(filter), this, options, given);
      return this.#consumption;
    }
    const { name, filter: inner } = parseShared(filter);
    const options = { clientId, prefetch, keptFor, ordered, start: start ?? ({ from: 'new' } as const) };
    this.#membership = services.groups.join(name, inner, this, options);
    this.#consumption = this.#membership;
    return this.#membership;
  }

  /** Begins once more later, unless it is to end before. */
  retry(again: () => void): void {
    this.#timer = this.#context.services.clock.schedule(RETRY, again);
  }

  finish(): void {
    if (this.#state !== 'over') this.#state = 'finishing';
    this.#release?.();
    this.#timer?.cancel();
    this.#finishIfDone();
  }

  leave(forget: boolean): void {
    this.#timer?.cancel();
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#release?.();
    if (this.#membership !== undefined) this.#membership.leave(forget);
    else this.#consumption?.cancel();
  }

  #finishIfDone(): void {
    if (this.#state === 'finishing' && this.#unsettled === 0) this.leave(true);
    if (this.#state === 'over') this.#owner?.finished();
  }

  pump(): void {
    if (this.#state !== 'over') this.#consumption?.pump();
  }

  // --- of what is consumed ------------------------------------------------------------------------------------------

  ready(): boolean {
    return this.#state === 'open' && this.#context.outgoing.ready();
  }

  take(message: Message, delivery: Delivery): void {
    this.#unsettled++;
    const { outgoing } = this.#context;
    const { filter, retainAsPublished } = this.options;
    const { number } = delivery;
    // A queue is there for acknowledged delivery: the subscription alone says how its messages come.
    const qos = this.#queue ? this.options.qos : effectiveQos(message, this.#options);
    const extras = this.#extras(delivery);
    const sent = {
      qos,
      shard: message.shard,
      sequence: message.sequence,
      message: message.sequence === 0 ? message : undefined,
      retain: !this.#queue && message.retain && retainAsPublished,
      released: false,
      source: filter,
      holding: this,
      delivery: number,
    };
    if (!outgoing.connected) this.settle(number, 'requeue');
    else if (!outgoing.fits(message, sent, extras)) this.tooLarge(number);
    else if (qos > 0) outgoing.send(message, sent, extras);
    else {
      outgoing.sendLive(message, { qos, retain: sent.retain, dup: false, packetId: 0, extras });
      this.settle(number, 'accept');
    }
  }

  #extras({ count, redelivered }: Delivery): Extras | undefined {
    if (!redelivered) return extrasOf(this.#options);
    const user: UserProperty[] = [['redelivered', 'true']];
    if (count > 1) user.push(['delivery-count', String(count)]);
    return extrasOf(this.#options, user);
  }

  takeLive(message: Message): boolean {
    const { outgoing } = this.#context;
    if (this.#state !== 'open' || !outgoing.roomy()) return false;
    outgoing.sendLive(message, liveDelivery(message, this.#options));
    return true;
  }

  ended(error: BrokerError): void {
    // Before it is open, `opened` says so.
    if (this.#state === 'opening') this.#fault = error;
    if (this.#state === 'opening' || this.#state === 'over') return;
    const finishing = this.#state === 'finishing';
    this.#state = 'over';
    if (finishing) this.#owner?.finished();
    else this.#owner?.ended(error);
  }

  // --- what becomes of a message ------------------------------------------------------------------------------------

  settle(delivery: number, outcome: Outcome, delay?: number): void {
    this.#unsettled--;
    if (this.#state === 'over') return;
    this.#consumption?.settle(delivery, outcome, delay);
    this.#finishIfDone();
  }

  /** For this client it is done with [MQTT-3.1.2-25]; of a queue, others look after it. */
  tooLarge(delivery: number): void {
    this.settle(delivery, this.#queue ? 'reject' : 'accept');
  }

  /** A group discards what a member refuses [MQTT-4.8.2-6], unless the member asks for more than the specification. */
  refuse(delivery: number, { outcome, delay }: Rejection, user: readonly UserProperty[] | undefined): void {
    const asked = user?.some(([name]) => name === 'requeue' || name === 'delay') ?? false;
    this.settle(delivery, this.#queue || asked ? outcome : 'accept', delay);
  }

  /** The connection of a session that ends with it is gone, before PUBREC for a QoS 2 message. */
  keepOne(delivery: number): void {
    if (!this.#queue) this.settle(delivery, 'accept');
  }
}
