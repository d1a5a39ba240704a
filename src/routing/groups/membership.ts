import type { BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { Consumer, Consumption, Delivery, GroupOptions, Membership, Outcome } from '../../ports/queues.ts';

/** A member of a group on the node that has it: waits until the group is open, then is one of its consumers. */
export class GroupMembership implements Membership, Consumer {
  readonly opened: Promise<void>;
  readonly options: GroupOptions;
  readonly #consumer: Consumer;
  readonly #left: (member: GroupMembership, forget: boolean) => void;
  #consumption: Consumption | undefined;
  #gone = false;
  #open = (): void => {};
  #refuse = (_error: BrokerError): void => {};

  constructor(consumer: Consumer, options: GroupOptions, left: (member: GroupMembership, forget: boolean) => void) {
    this.#consumer = consumer;
    this.options = options;
    this.#left = left;
    this.opened = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#refuse = reject;
    });
    // Not everyone waits for it; `ended` says the same.
    this.opened.catch(() => {});
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** `attach` may ask for messages at once; they come when there is something to settle them with. */
  attach(attach: (consumer: Consumer) => Consumption): void {
    this.#consumption = attach(this);
    this.#consumption.pump();
    this.#open();
  }

  // --- Consumer -----------------------------------------------------------------------------------------------------

  ready(): boolean {
    return this.#consumption !== undefined && this.#consumer.ready();
  }

  take(message: Message, delivery: Delivery): void {
    this.#consumer.take(message, delivery);
  }

  ended(error: BrokerError): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#left(this, false);
    this.#refuse(error);
    this.#consumer.ended(error);
  }

  // --- Membership ---------------------------------------------------------------------------------------------------

  settle(delivery: number, outcome: Outcome, delay?: number): void {
    this.#consumption?.settle(delivery, outcome, delay);
  }

  holds(delivery: number): boolean {
    return this.#consumption?.holds(delivery) ?? false;
  }

  settled(): Promise<void> {
    return this.#consumption?.settled() ?? Promise.resolve();
  }

  pump(): void {
    this.#consumption?.pump();
  }

  cancel(): void {
    this.leave(false);
  }

  leave(forget: boolean): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#consumption?.cancel();
    this.#left(this, forget);
    // Whoever still waits for it has gone by itself.
    this.#open();
  }
}
