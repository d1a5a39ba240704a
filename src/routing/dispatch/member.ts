import type { BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { Selector } from '../../core/selector.ts';
import type { QueueEntry } from '../../ports/queue-store.ts';
import type { Consumer, ConsumerOptions, Consumption, Delivery, Outcome } from '../../ports/queues.ts';
import type { Logger } from '../../ports/routing.ts';
import type { KeyState } from './keys.ts';
import type { SelectorLane } from './selector-lane.ts';

/** A message that is with a consumer. */
export class Unsettled implements Delivery {
  readonly number: number;
  readonly entry: QueueEntry;
  readonly key: KeyState | undefined;
  /** When it was given, milliseconds since 1970; 0 where that does not matter. */
  readonly at: number;

  constructor(number: number, entry: QueueEntry, key: KeyState | undefined, at: number) {
    this.number = number;
    this.entry = entry;
    this.key = key;
    this.at = at;
  }

  get message(): Message {
    return this.entry.message;
  }

  get count(): number {
    return this.entry.deliveries + 1;
  }

  get redelivered(): boolean {
    return this.entry.redelivered || this.entry.deliveries > 0;
  }
}

/** What a member needs of its dispatcher. */
export interface MemberHost {
  settle(member: Member, delivery: number, outcome: Outcome, delay: number | undefined): void;
  flushed(): Promise<void>;
  pumped(member: Member): void;
  cancel(member: Member): void;
  /** An error of the consumer's own code. */
  failed(member: Member, error: unknown): void;
}

/** One consumer of a dispatcher, with what it has unsettled, in the order of delivery. */
export class Member implements Consumption {
  readonly opened = Promise.resolve();
  readonly consumer: Consumer;
  readonly options: ConsumerOptions;
  readonly held = new Map<number, Unsettled>();
  /** Of those. */
  #bytes = 0;
  /** Keys of which messages wait for this member. */
  readonly waiting = new Set<KeyState>();
  /** By which keys choose among members. */
  readonly seed: number;
  /** It is among those that may take a message, as far as is known. */
  ringed = false;
  /** undefined: it takes everything. */
  readonly selector: Selector | undefined;
  /** Of its selector, where anyone selects. */
  lane: SelectorLane | undefined;
  gone = false;
  readonly #host: MemberHost;
  readonly #mostBytes: number;

  constructor(
    host: MemberHost,
    consumer: Consumer,
    options: ConsumerOptions,
    seed: number,
    mostBytes: number,
    selector: Selector | undefined,
  ) {
    this.selector = selector;
    this.#mostBytes = mostBytes;
    this.#host = host;
    this.consumer = consumer;
    this.options = options;
    this.seed = seed;
  }

  /** How many more it may have. */
  get room(): number {
    return this.options.prefetch - this.held.size;
  }

  hold(given: Unsettled): void {
    this.held.set(given.number, given);
    this.#bytes += given.message.weight;
  }

  drop({ number, message }: Unsettled): void {
    this.held.delete(number);
    this.#bytes -= message.weight;
  }

  available(): boolean {
    if (this.gone || this.held.size >= this.options.prefetch || this.#bytes >= this.#mostBytes) return false;
    try {
      return this.consumer.ready();
    } catch (error) {
      this.#host.failed(this, error);
      return false;
    }
  }

  /** Tells the consumer that nothing more comes. */
  end(error: BrokerError, logger: Logger): void {
    try {
      this.consumer.ended(error);
    } catch (fault) {
      logger.error({ err: fault, clientId: this.options.clientId }, 'internal error of a consumer at its end');
    }
  }

  settle(delivery: number, outcome: Outcome, delay?: number): void {
    this.#host.settle(this, delivery, outcome, delay);
  }

  holds(delivery: number): boolean {
    return this.held.has(delivery);
  }

  settled(): Promise<void> {
    return this.#host.flushed();
  }

  pump(): void {
    this.#host.pumped(this);
  }

  cancel(): void {
    this.#host.cancel(this);
  }
}
