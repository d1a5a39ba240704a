import type { Counters } from '../core/counters.ts';
import type { BrokerError } from '../core/errors.ts';
import type { Message } from '../core/message.ts';
import type { AppendReceiver } from '../ports/backbone.ts';

/** Of messages of which nobody hears what becomes of them. */
export const NOBODY: AppendReceiver = { appended() {}, refused() {} };

/** Of messages whose publisher waits for nothing: it is not told of those that are refused. */
export class Untold implements AppendReceiver {
  readonly #counters: Counters;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  appended(): void {}

  refused(): void {
    this.#counters.droppedQueue++;
  }
}

/** Tells of a message once all of its stores have it, or one of them has not. */
export class All implements AppendReceiver {
  readonly #receiver: AppendReceiver;
  readonly #message: Message;
  #left: number;
  #repeated: boolean | undefined;

  constructor(stores: number, message: Message, receiver: AppendReceiver) {
    this.#left = stores;
    this.#message = message;
    this.#receiver = receiver;
  }

  /** `repeated`: the log had it; what is in queues by another way does not count. */
  appended(token: number, message: Message, repeated?: boolean): void {
    if (message === this.#message) this.#repeated ||= repeated;
    if (--this.#left === 0) this.#receiver.appended(token, this.#message, this.#repeated);
  }

  refused(token: number, error: BrokerError): void {
    if (this.#left > 0) this.#receiver.refused(token, error);
    this.#left = 0;
  }
}
