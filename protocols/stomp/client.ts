import { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { PartialSettings } from '../../src/core/queue-settings.ts';
import type { Outcome } from '../../src/ports/queues.ts';
import type { Services } from '../../src/ports/routing.ts';
import { readNack } from './acknowledgement.ts';
import { ClientSubscriptions } from './client-subscriptions.ts';
import { Commit, type CommitOwner, canBeSettled, settledOtherwise } from './commit.ts';
import { writeReceipt } from './encoder.ts';
import type { Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { Publications, type PublicationsOwner } from './publications.ts';
import { queueOf, readSettings, requireSettings } from './queue-fields.ts';
import { Refusal } from './refusal.ts';
import { readSend, readSendToSeveral, type TemporaryNames } from './send.ts';
import type { Effect } from './subscription.ts';
import { type Actions, Transactions } from './transactions.ts';
import { HEADER } from './words.ts';

/** The connection of a client, as far as the client must reach it. */
export interface ClientOwner {
  /** A message was not taken in, after its frame was handled. */
  failed(error: BrokerError, receipt: string | undefined): void;
  /** All that the client sent has had its effect. */
  settled(): void;
  /** After the frame at hand no further one is looked at until `proceed`. */
  hold(): void;
  proceed(): void;
}

/** What is told of a frame with a receipt: `error`: only when it has failed, the rest comes from elsewhere. */
type Answer = 'receipt' | 'duplicate' | 'error';

/** A client that has logged in: what its frames do. Throws a Refusal for those that are not taken. */
export class StompClient implements PublicationsOwner, CommitOwner, TemporaryNames {
  readonly #services: Services;
  readonly #link: Link;
  readonly #owner: ClientOwner;
  readonly #publications: Publications;
  /** Made when needed: many clients only send. */
  #subscriptions: ClientSubscriptions | undefined;
  #transactions: Transactions | undefined;
  /** Frames whose effect is awaited. */
  #awaited = 0;
  /** Of those, SENDs and SUBSCRIBEs that wait until their queue is as they say; what is sent after them waits, too. */
  #declaring = 0;
  /** A COMMIT that is not through yet: frames behind it wait, so that they settle nothing before it does. */
  #committing: Commit | undefined;
  #closed = false;

  constructor(link: Link, owner: ClientOwner) {
    const { services } = link;
    this.#services = services;
    this.#link = link;
    this.#owner = owner;
    this.#publications = new Publications(services.router, services.backlog(link.connection), this);
  }

  /** Whether frames have been handled whose effect is still to come. */
  get busy(): boolean {
    return this.#publications.underWay > 0 || this.#awaited > 0;
  }

  /** Whether the connection is not read from until messages are durable, or a queue is made. */
  get paused(): boolean {
    return this.#publications.paused || this.#declaring > 0 || this.#committing !== undefined;
  }

  pump(): void {
    this.#subscriptions?.pump();
  }

  /** The client wants to go: it gets no more messages, but its own still have their effect. `told`: and waits for it. */
  leave(told: boolean): void {
    this.#link.over = true;
    if (told) this.#confirm(this.#subscriptions?.stored() ?? [], undefined);
  }

  /** The connection is gone, or going: its transactions are aborted, what it has not acknowledged is given back. */
  close(): void {
    this.#link.over = true;
    this.#closed = true;
    this.#transactions = undefined;
    // What a COMMIT under way has acknowledged is still its own; one that has not begun is aborted.
    if (this.#committing === undefined || this.#publications.held) this.#endSubscriptions();
  }

  #endSubscriptions(): void {
    this.#subscriptions?.close();
    this.#subscriptions = undefined;
  }

  // --- SEND ---------------------------------------------------------------------------------------------------------

  send(frame: Frame, now: number): void {
    const message = readSend(frame, this.#link, this, now);
    if (message === undefined) {
      this.#sendToSeveral(frame, readSendToSeveral(frame, this.#link, this, now));
      return;
    }
    const queue = queueOf(message.topic);
    const { limits } = this.#services;
    const settings = queue === undefined ? undefined : readSettings(frame, { command: 'SEND', queue, limits });
    requireSettings(settings, this.#link);
    const receipt = frame.raw(HEADER.receipt);
    if (queue !== undefined && settings !== undefined) this.#declare(queue, settings, receipt);
    if (frame.has(HEADER.transaction)) {
      this.#hold(frame).messages.push(message.keep());
    } else if (receipt === undefined) {
      this.#publications.publish(message);
    } else {
      this.#publications.publishReceipted(message, receipt);
    }
  }

  /** As a transaction of them: one RECEIPT, when all are durable. */
  #sendToSeveral(frame: Frame, messages: readonly Message[]): void {
    const receipt = frame.raw(HEADER.receipt);
    const { limits } = this.#services;
    // What is wrong with one of them is said before anything is done.
    const wanted = messages.flatMap(({ topic }) => {
      const queue = queueOf(topic);
      const settings = queue === undefined ? undefined : readSettings(frame, { command: 'SEND', queue, limits });
      requireSettings(settings, this.#link);
      return queue === undefined || settings === undefined ? [] : [{ queue, settings }];
    });
    for (const { queue, settings } of wanted) this.#declare(queue, settings, receipt);
    if (frame.has(HEADER.transaction)) {
      this.#hold(frame, messages.length).messages.push(...messages);
    } else {
      this.#apply({ messages, acks: [], receipts: [] }, receipt);
    }
  }

  #declare(queue: string, settings: PartialSettings, receipt: string | undefined): void {
    this.#await(this.#holdUntil(this.#services.queues.declare(queue, settings)), receipt, 'error');
  }

  /** What is sent from now on waits until a queue is made as a frame says, or is found to be so. */
  async #holdUntil(declared: Promise<unknown>): Promise<void> {
    const { connection } = this.#link;
    this.#declaring++;
    connection.pause();
    this.#publications.hold();
    await declared;
    connection.resume();
    if (--this.#declaring === 0 && !this.#closed) this.#publications.release();
  }

  topicOf(destination: string): string {
    return this.#subscribed().topicOf(destination);
  }

  answersTo(destination: string, raw: string): string {
    return this.#subscribed().answersTo(destination, raw);
  }

  #subscribed(): ClientSubscriptions {
    this.#subscriptions ??= new ClientSubscriptions(this.#link, (error) => this.#owner.failed(error, undefined));
    return this.#subscriptions;
  }

  // --- subscriptions ------------------------------------------------------------------------------------------------

  subscribe(frame: Frame): void {
    const subscriptions = this.#subscribed();
    const effect = subscriptions.subscribe(frame);
    const begun = effect !== undefined && subscriptions.declares ? this.#holdUntil(effect) : effect;
    this.#await(begun, frame.raw(HEADER.receipt));
  }

  unsubscribe(frame: Frame): void {
    this.#await(this.#subscribed().unsubscribe(frame), frame.raw(HEADER.receipt));
  }

  /**
   * A message that was settled before, also by the end of its subscription, stays so: the client could not know when it
   * sent this. Only a transaction depends on it.
   */
  ack(frame: Frame): void {
    this.#settle(frame, 'ACK', 'accept', undefined);
  }

  nack(frame: Frame): void {
    const { outcome, delay } = readNack(frame);
    this.#settle(frame, 'NACK', outcome, delay);
  }

  #settle(frame: Frame, command: 'ACK' | 'NACK', outcome: Outcome, delay: number | undefined): void {
    const subscriptions = this.#subscribed();
    const subscription = subscriptions.delivered(frame, command);
    const { number } = subscriptions;
    if (delay !== undefined && subscription !== 'gone' && !subscription.competes) {
      const detail = 'the header delay of NACK is for messages of queues and groups';
      throw new Refusal('fieldInvalid', detail, 'There is no one else to give this one to; leave it out.');
    }
    if (frame.has(HEADER.transaction)) {
      const { acks } = this.#hold(frame);
      if (subscription === 'gone' || !canBeSettled({ subscription, number })) throw settledOtherwise(command);
      acks.push({ subscription, number, outcome, delay });
      return;
    }
    if (subscription !== 'gone') {
      subscription.settle(number, outcome, delay);
      // A receipt says that the message does not come again, whatever happens.
      const receipt = frame.raw(HEADER.receipt);
      if (receipt !== undefined) this.#await(subscription.stored(), receipt);
      return;
    }
    this.receipt(frame);
  }

  // --- transactions -------------------------------------------------------------------------------------------------

  begin(frame: Frame): void {
    this.#transactions ??= new Transactions(this.#services.limits);
    this.#transactions.begin(named(frame, 'BEGIN'));
    this.receipt(frame);
  }

  abort(frame: Frame): void {
    this.#table().end(named(frame, 'ABORT'));
    this.receipt(frame);
  }

  commit(frame: Frame): void {
    this.#apply(this.#table().end(named(frame, 'COMMIT')), frame.raw(HEADER.receipt));
  }

  /** All of it, or nothing. */
  #apply(actions: Actions, receipt: string | undefined): void {
    const commit = new Commit(actions, receipt, this);
    const begun = this.#publications.publishAll(commit);
    if (begun === undefined) commit.begin();
    else void begun.then(() => commit.begin());
    if (commit.through) return;
    this.#committing = commit;
    this.#owner.hold();
  }

  through(commit: Commit): void {
    if (this.#committing !== commit) return;
    this.#committing = undefined;
    if (this.#closed) this.#endSubscriptions();
    else this.#owner.proceed();
  }

  /** Its frames are answered with it: their effect is there no sooner. */
  committed({ receipts, receipt }: Commit, settled: readonly Effect[], repeated: boolean): void {
    if (this.#closed) return;
    for (const each of receipts) this.#confirm(settled, each, repeated);
    this.#confirm(settled, receipt, repeated);
  }

  get holdsReceipts(): boolean {
    return this.#transactions?.holdReceipts ?? false;
  }

  giveHeldReceipts(): void {
    for (const receipt of this.#transactions?.takeReceipts() ?? []) writeReceipt(this.#link.connection, receipt);
  }

  refused({ receipt }: Commit, error: BrokerError): void {
    this.#committing = undefined;
    if (this.#closed) this.#endSubscriptions();
    else this.#owner.failed(error, receipt);
  }

  #hold(frame: Frame, actions = 1): ReturnType<Transactions['grow']> {
    const id = frame.text(HEADER.transaction) ?? '';
    const transaction = this.#table().grow(id, frame.bodyEnd - frame.start, actions);
    const receipt = frame.raw(HEADER.receipt);
    if (receipt !== undefined) transaction.receipts.push(receipt);
    return transaction;
  }

  #table(): Transactions {
    this.#transactions ??= new Transactions(this.#services.limits);
    return this.#transactions;
  }

  // --- what became of it --------------------------------------------------------------------------------------------

  /** The frame's effect is there: says so where it was asked for. */
  receipt(frame: Frame): void {
    const receipt = frame.raw(HEADER.receipt);
    if (receipt !== undefined) writeReceipt(this.#link.connection, receipt);
  }

  receipted(receipt: string, repeated: boolean): void {
    if (!this.#closed) writeReceipt(this.#link.connection, receipt, repeated);
  }

  /** Says so when all of it is durable. */
  #confirm(effects: readonly Effect[], receipt: string | undefined, repeated = false): void {
    const awaited = effects.filter((each) => each !== undefined);
    const all = awaited.length > 0 ? Promise.all(awaited).then(() => {}) : undefined;
    this.#await(all, receipt, repeated ? 'duplicate' : 'receipt');
  }

  /** Answers once that has come about, or says why it has not. */
  #await(effect: Effect, receipt: string | undefined, answer: Answer = 'receipt'): void {
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
        this.idle();
      },
      (error: unknown) => {
        this.#awaited--;
        if (error instanceof BrokerError) this.#owner.failed(error, receipt);
        else {
          this.#services.logger.error(
            { err: error, clientId: this.#link.clientId },
            'what a frame asked for could not be done',
          );
          this.#owner.failed(new BrokerError('internal'), receipt);
        }
      },
    );
  }

  #answer(receipt: string | undefined, answer: Answer): void {
    if (receipt === undefined || answer === 'error') return;
    writeReceipt(this.#link.connection, receipt, answer === 'duplicate');
  }

  failed(error: BrokerError, receipt: string | undefined): void {
    this.#owner.failed(error, receipt);
  }

  idle(): void {
    if (!this.busy) this.#owner.settled();
  }
}

function named(frame: Frame, command: string): string {
  const id = frame.text(HEADER.transaction);
  if (id === undefined)
    throw new Refusal(
      'protocol',
      `${command} without the header transaction`,
      'It names the transaction.',
      'Missing transaction',
    );
  return id;
}
