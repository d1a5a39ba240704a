import { BrokerError } from '../../core/errors.ts';
import { Fifo } from '../../core/fifo.ts';
import type { Message } from '../../core/message.ts';
import type { Consumer, Delivery, Membership, Outcome } from '../../ports/queues.ts';
import type { OwnerLink } from './owner-link.ts';

/** What a consumer of this node has at the owner, and messages from there that it is not ready for: its prefetch at most. */
export class RemoteHold implements Membership {
  readonly opened: Promise<void>;
  readonly #number: number;
  readonly #consumer: Consumer;
  readonly #link: OwnerLink;
  readonly #waiting = new Fifo<{ readonly message: Message; readonly delivery: Delivery }>();
  #open: () => void = () => {};
  #refuse: (error: BrokerError) => void = () => {};
  #pumping = false;
  #over = false;
  /** The last flush, as long as nothing was settled since, and it is not known what became of it. */
  #flushing: Promise<void> | undefined;

  constructor(number: number, consumer: Consumer, link: OwnerLink) {
    this.#number = number;
    this.#consumer = consumer;
    this.#link = link;
    this.opened = new Promise((open, refuse) => {
      this.#open = open;
      this.#refuse = refuse;
    });
  }

  settle(delivery: number, outcome: Outcome, delay?: number): void {
    if (this.#over) return;
    this.#flushing = undefined;
    this.#link.ask.settle(this.#number, delivery, outcome, delay);
  }

  /** Only the owner knows what it has taken back. */
  holds(): boolean {
    return !this.#over;
  }

  settled(): Promise<void> {
    if (this.#over) return Promise.reject(new BrokerError('unavailable', 'it is not consumed any more'));
    if (this.#flushing !== undefined) return this.#flushing;
    const flushing = this.#link.flush(this.#number).finally(() => {
      if (this.#flushing === flushing) this.#flushing = undefined;
    });
    this.#flushing = flushing;
    return flushing;
  }

  pump(): void {
    // Taking may end in a call back here, when the consumer is ready again at once.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#over && this.#waiting.size > 0 && this.#consumer.ready()) {
        const next = this.#waiting.shift();
        if (next !== undefined) this.#consumer.take(next.message, next.delivery);
      }
    } finally {
      this.#pumping = false;
    }
  }

  cancel(): void {
    this.#leave(undefined);
  }

  leave(forget: boolean): void {
    this.#leave(forget);
  }

  #leave(forget: boolean | undefined): void {
    this.#over = true;
    this.#waiting.clear();
    this.#link.cancel(this.#number, forget);
  }

  open(): void {
    this.#open();
  }

  end(error: BrokerError): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting.clear();
    this.#refuse(error);
    this.#consumer.ended(error);
  }

  deliver(message: Message, delivery: Delivery): void {
    if (this.#over) return;
    if (this.#waiting.size === 0 && !this.#pumping && this.#consumer.ready()) this.#consumer.take(message, delivery);
    else this.#waiting.push({ message, delivery });
  }
}
