import type { Message } from '../../src/core/message.ts';
import type { Limits } from '../../src/ports/limits.ts';
import type { Outcome } from '../../src/ports/queues.ts';
import { Refusal, shown } from './refusal.ts';
import type { StompSubscription } from './subscription.ts';

/** An ACK or NACK that waits for its COMMIT. */
export interface HeldAck {
  readonly subscription: StompSubscription;
  readonly number: number;
  readonly outcome: Outcome;
  readonly delay: number | undefined;
}

/** What is done at once. */
export interface Actions {
  readonly messages: readonly Message[];
  readonly acks: readonly HeldAck[];
  /** That its frames ask for, as they stand in them. */
  readonly receipts: readonly string[];
}

/** What was sent within a transaction, in order. */
export class Transaction implements Actions {
  readonly messages: Message[] = [];
  readonly acks: HeldAck[] = [];
  receipts: string[] = [];
  bytes = 0;
}

const SMALLER = 'COMMIT it in smaller parts; else the limit has to be raised.';

/** The open transactions of a connection, bounded in number, frames and bytes. */
export class Transactions {
  readonly #open = new Map<string, Transaction>();
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  begin(id: string): void {
    if (this.#open.has(id)) {
      throw new Refusal(
        'protocol',
        `the transaction ${shown(id)} has begun already`,
        'COMMIT or ABORT it, or choose another name.',
        'Bad transaction',
      );
    }
    if (this.#open.size >= this.#limits.transactions) {
      const detail = `${this.#open.size} transactions are open (limits.transactions)`;
      throw new Refusal('quota', detail, 'COMMIT or ABORT one of them first.', 'Transaction limit exceeded');
    }
    this.#open.set(id, new Transaction());
  }

  /** The transaction that a frame of `bytes` bytes is added to; `actions`: the messages of it, where there are several. */
  grow(id: string, bytes: number, actions: number): Transaction {
    const transaction = this.#get(id);
    transaction.bytes += bytes;
    const { transactionActions, transactionBytes } = this.#limits;
    if (transaction.messages.length + transaction.acks.length + actions > transactionActions) {
      const detail = `more than ${transactionActions} frames in a transaction (limits.transactionActions)`;
      throw new Refusal('quota', detail, SMALLER, 'Transaction too large');
    }
    if (transaction.bytes > transactionBytes) {
      const detail = `more than ${transactionBytes} bytes in a transaction (limits.transactionBytes)`;
      throw new Refusal('quota', detail, SMALLER, 'Transaction too large');
    }
    return transaction;
  }

  /** Frames of open ones have asked for receipts. */
  get holdsReceipts(): boolean {
    for (const { receipts } of this.#open.values()) if (receipts.length > 0) return true;
    return false;
  }

  /** Takes out the receipts that are still to be given. */
  takeReceipts(): string[] {
    return [...this.#open.values()].flatMap((transaction) => {
      const { receipts } = transaction;
      transaction.receipts = [];
      return receipts;
    });
  }

  /** Takes it out, to be applied or dropped. */
  end(id: string): Transaction {
    const transaction = this.#get(id);
    this.#open.delete(id);
    return transaction;
  }

  #get(id: string): Transaction {
    const transaction = this.#open.get(id);
    if (transaction === undefined) {
      const detail = `there is no transaction ${shown(id)}`;
      throw new Refusal('protocol', detail, 'BEGIN it first, on this connection.', 'Bad transaction');
    }
    return transaction;
  }
}
