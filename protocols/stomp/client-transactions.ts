import type { BrokerError } from '../../src/core/errors.ts';
import type { Limits } from '../../src/ports/limits.ts';
import { Commit, type CommitOwner } from './commit.ts';
import type { Frame } from './frame.ts';
import type { Publications } from './publications.ts';
import { Refusal } from './refusal.ts';
import type { Effect } from './subscription.ts';
import { type Actions, type Transaction, Transactions } from './transactions.ts';
import { HEADER } from './words.ts';

/** The client, as far as its transactions must reach it. */
export interface TransactionsOwner {
  /** A COMMIT is under way: after its frame no further one is looked at until it is `through`. */
  committing(): void;
  through(): void;
  /** Is told when all of `settled` is durable, too. */
  confirm(settled: readonly Effect[], receipt: string | undefined, repeated: boolean): void;
  /** Nothing of a transaction was done. */
  refused(error: BrokerError, receipt: string | undefined): void;
}

/** What a client does all at once: its transactions, and the COMMIT of one. Throws a Refusal for frames that are not taken. */
export class ClientTransactions implements CommitOwner {
  readonly #limits: Limits;
  readonly #publications: Publications;
  readonly #owner: TransactionsOwner;
  /** Made when needed. */
  #open: Transactions | undefined;
  /** It is not through yet: frames behind it wait, so that they settle nothing before it does. */
  #committing: Commit | undefined;

  constructor(limits: Limits, publications: Publications, owner: TransactionsOwner) {
    this.#limits = limits;
    this.#publications = publications;
    this.#owner = owner;
  }

  /** Whether a COMMIT is under way. */
  get busy(): boolean {
    return this.#committing !== undefined;
  }

  begin(frame: Frame): void {
    this.#table().begin(nameIn(frame, 'BEGIN'));
  }

  abort(frame: Frame): void {
    this.#table().end(nameIn(frame, 'ABORT'));
  }

  commit(frame: Frame): void {
    this.apply(this.#table().end(nameIn(frame, 'COMMIT')), frame.raw(HEADER.receipt));
  }

  /** The transaction that a frame names, which it is added to; `actions`: the messages of it, where there are several. */
  hold(frame: Frame, actions = 1): Transaction {
    const id = frame.text(HEADER.transaction) ?? '';
    const transaction = this.#table().grow(id, frame.bodyEnd - frame.start, actions);
    const receipt = frame.raw(HEADER.receipt);
    if (receipt !== undefined) transaction.receipts.push(receipt);
    return transaction;
  }

  /** All of it, or nothing. */
  apply(actions: Actions, receipt: string | undefined): void {
    const commit = new Commit(actions, receipt, this);
    const begun = this.#publications.publishAll(commit);
    if (begun === undefined) commit.begin();
    else void begun.then(() => commit.begin());
    if (commit.through) return;
    this.#committing = commit;
    this.#owner.committing();
  }

  /** Frames of open transactions have asked for receipts. */
  get holdsReceipts(): boolean {
    return this.#open?.holdsReceipts ?? false;
  }

  /** Takes out the receipts that the frames of open transactions ask for. */
  takeReceipts(): string[] {
    return this.#open?.takeReceipts() ?? [];
  }

  /** Aborts what is open. */
  close(): void {
    this.#open = undefined;
  }

  // --- from the COMMIT ----------------------------------------------------------------------------------------------

  through(commit: Commit): void {
    if (this.#committing !== commit) return;
    this.#committing = undefined;
    this.#owner.through();
  }

  /** Its frames are answered with it: their effect is there no sooner. */
  committed({ receipts, receipt }: Commit, settled: readonly Effect[], repeated: boolean): void {
    for (const each of receipts) this.#owner.confirm(settled, each, repeated);
    this.#owner.confirm(settled, receipt, repeated);
  }

  refused({ receipt }: Commit, error: BrokerError): void {
    this.#committing = undefined;
    this.#owner.refused(error, receipt);
  }

  #table(): Transactions {
    this.#open ??= new Transactions(this.#limits);
    return this.#open;
  }
}

function nameIn(frame: Frame, command: string): string {
  const id = frame.text(HEADER.transaction);
  if (id !== undefined) return id;
  const detail = `${command} without the header transaction`;
  throw new Refusal('protocol', detail, 'It names the transaction.', 'Missing transaction');
}
