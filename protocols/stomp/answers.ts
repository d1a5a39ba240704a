import { BrokerError } from '../../src/core/errors.ts';
import { writeReceipt } from './encoder.ts';
import type { Link } from './feed.ts';
import { allOf, type Effect } from './subscription.ts';

/** The client, as far as what became of its frames must reach it. */
export interface AnswersOwner {
  failed(error: BrokerError, receipt: string | undefined): void;
  /** The effect of a frame has come about. */
  idle(): void;
}

/** What is told of a frame with a receipt: `error`: only when it has failed, the rest comes from elsewhere. */
export type Answer = 'receipt' | 'duplicate' | 'error';

/** Tells a client what became of its frames: receipts strictly after the effect, else why there is none. */
export class Answers {
  readonly #link: Link;
  readonly #owner: AnswersOwner;
  #awaited = 0;
  #closed = false;

  constructor(link: Link, owner: AnswersOwner) {
    this.#link = link;
    this.#owner = owner;
  }

  /** Frames whose effect is awaited. */
  get awaited(): number {
    return this.#awaited;
  }

  /** The connection is gone: nothing is told any more. */
  close(): void {
    this.#closed = true;
  }

  /** The effect is there. */
  receipt(receipt: string | undefined, repeated = false): void {
    if (receipt !== undefined && !this.#closed) writeReceipt(this.#link.connection, receipt, repeated);
  }

  /** Says so when all of it is durable. */
  confirm(effects: readonly Effect[], receipt: string | undefined, repeated = false): void {
    if (!this.#closed) this.await(allOf(effects), receipt, repeated ? 'duplicate' : 'receipt');
  }

  /** Answers once that has come about, or says why it has not. */
  await(effect: Effect, receipt: string | undefined, answer: Answer = 'receipt'): void {
    if (effect === undefined) {
      this.#answer(receipt, answer);
      return;
    }
    this.#awaited++;
    effect.then(
      () => {
        this.#awaited--;
        if (this.#closed) return;
        this.#answer(receipt, answer);
        this.#owner.idle();
      },
      (error: unknown) => {
        this.#awaited--;
        this.#owner.failed(this.#known(error), receipt);
      },
    );
  }

  #answer(receipt: string | undefined, answer: Answer): void {
    if (answer !== 'error') this.receipt(receipt, answer === 'duplicate');
  }

  #known(error: unknown): BrokerError {
    if (error instanceof BrokerError) return error;
    const { services, clientId } = this.#link;
    services.logger.error({ err: error, clientId }, 'what a frame asked for could not be done');
    return new BrokerError('internal');
  }
}
