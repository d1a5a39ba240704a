import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { PartialSettings } from '../../src/core/queue-settings.ts';
import type { Outcome } from '../../src/ports/queues.ts';
import type { Services } from '../../src/ports/routing.ts';
import { readNack } from './acknowledgement.ts';
import { Answers, type AnswersOwner } from './answers.ts';
import { ClientSubscriptions } from './client-subscriptions.ts';
import { ClientTransactions, type TransactionsOwner } from './client-transactions.ts';
import { canBeSettled, settledOtherwise } from './commit.ts';
import type { Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { Publications, type PublicationsOwner } from './publications.ts';
import { queueOf, readSettings, requireSettings } from './queue-fields.ts';
import { Refusal } from './refusal.ts';
import { readSend, readSendToSeveral, type TemporaryNames } from './send.ts';
import type { Effect } from './subscription.ts';
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

/** A client that has logged in: what its frames do. Throws a Refusal for those that are not taken. */
export class StompClient implements AnswersOwner, PublicationsOwner, TransactionsOwner, TemporaryNames {
  readonly #services: Services;
  readonly #link: Link;
  readonly #owner: ClientOwner;
  readonly #answers: Answers;
  readonly #publications: Publications;
  /** Made when needed: many clients only send. */
  #subscriptions: ClientSubscriptions | undefined;
  #transactions: ClientTransactions | undefined;
  /** SENDs and SUBSCRIBEs that wait until their queue is as they say; what is sent after them waits, too. */
  #declaring = 0;
  #closed = false;

  constructor(link: Link, owner: ClientOwner) {
    const { services } = link;
    this.#services = services;
    this.#link = link;
    this.#owner = owner;
    this.#answers = new Answers(link, this);
    this.#publications = new Publications(services.router, services.backlog(link.connection), this);
  }

  /** Whether frames have been handled whose effect is still to come. */
  get busy(): boolean {
    return this.#publications.underWay > 0 || this.#answers.awaited > 0;
  }

  /** Whether the connection is not read from until messages are durable, or a queue is made. */
  get paused(): boolean {
    return this.#publications.paused || this.#declaring > 0 || this.#commits;
  }

  get #commits(): boolean {
    return this.#transactions?.busy ?? false;
  }

  pump(): void {
    this.#subscriptions?.pump();
  }

  /**
   * The client wants to go: it gets no more messages, and its transactions are aborted, but what it sent beside them still has its
   * effect. `told`: and waits for it.
   */
  leave(told: boolean): void {
    this.#link.over = true;
    this.#transactions?.close();
    if (told) this.#answers.confirm(this.#subscriptions?.stored() ?? [], undefined);
  }

  /** The connection is gone, or going: its transactions are aborted, what it has not acknowledged is given back. */
  close(): void {
    this.#link.over = true;
    this.#closed = true;
    this.#answers.close();
    this.#transactions?.close();
    // What a COMMIT under way has acknowledged is still its own; one that has not begun is aborted.
    if (!this.#commits || this.#publications.held) this.#endSubscriptions();
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
    const wanted = this.#settingsOf(frame, message);
    const receipt = frame.raw(HEADER.receipt);
    if (wanted !== undefined) this.#declare(wanted.queue, wanted.settings, receipt);
    if (frame.has(HEADER.transaction)) {
      this.#transacted().hold(frame).messages.push(message.keep());
    } else if (receipt === undefined) {
      // One that is logged for others' sake alone is not refused for their sake either.
      this.#publications.publish(message, message.qos === 0 || frame.isTrue(HEADER.persistent));
    } else {
      this.#publications.publishReceipted(message, receipt);
    }
  }

  /** What a SEND sets the queue to that its message goes to. */
  #settingsOf(frame: Frame, { topic }: Message): { queue: string; settings: PartialSettings } | undefined {
    const queue = queueOf(topic);
    if (queue === undefined) return undefined;
    const settings = readSettings(frame, { command: 'SEND', queue, limits: this.#services.limits });
    requireSettings(settings, this.#link);
    return settings && { queue, settings };
  }

  /** As a transaction of them: one RECEIPT, when all are durable. */
  #sendToSeveral(frame: Frame, messages: readonly Message[]): void {
    const receipt = frame.raw(HEADER.receipt);
    // What is wrong with one of them is said before anything is done.
    const wanted = messages.flatMap((message) => this.#settingsOf(frame, message) ?? []);
    for (const { queue, settings } of wanted) this.#declare(queue, settings, receipt);
    if (frame.has(HEADER.transaction)) {
      this.#transacted()
        .hold(frame, messages.length)
        .messages.push(...messages);
    } else {
      this.#transacted().apply({ messages, acks: [], receipts: [] }, receipt);
    }
  }

  #declare(queue: string, settings: PartialSettings, receipt: string | undefined): void {
    this.#answers.await(this.#holdUntil(this.#services.queues.declare(queue, settings)), receipt, 'error');
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
    const { subscription, effect, declares } = this.#subscribed().subscribe(frame);
    const begun = effect !== undefined && declares ? this.#holdUntil(effect) : effect;
    const receipt = frame.raw(HEADER.receipt);
    this.#answers.await(begun, receipt);
    if (receipt === undefined) return;
    // The RECEIPT first, then the messages.
    const answered = (): void => subscription.answered?.();
    if (begun === undefined) answered();
    else begun.then(answered, () => {});
  }

  unsubscribe(frame: Frame): void {
    this.#answers.await(this.#subscribed().unsubscribe(frame), frame.raw(HEADER.receipt));
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
      const { acks } = this.#transacted().hold(frame);
      if (subscription === 'gone' || !canBeSettled({ subscription, number })) throw settledOtherwise(command);
      acks.push({ subscription, number, outcome, delay });
      return;
    }
    if (subscription !== 'gone') {
      subscription.settle(number, outcome, delay);
      // A receipt says that the message does not come again, whatever happens.
      const receipt = frame.raw(HEADER.receipt);
      if (receipt !== undefined) this.#answers.await(subscription.stored(), receipt);
      return;
    }
    this.#receipt(frame);
  }

  // --- transactions -------------------------------------------------------------------------------------------------

  begin(frame: Frame): void {
    this.#transacted().begin(frame);
    this.#receipt(frame);
  }

  abort(frame: Frame): void {
    this.#transacted().abort(frame);
    this.#receipt(frame);
  }

  commit(frame: Frame): void {
    this.#transacted().commit(frame);
  }

  #transacted(): ClientTransactions {
    this.#transactions ??= new ClientTransactions(this.#services.limits, this.#publications, this);
    return this.#transactions;
  }

  get holdsReceipts(): boolean {
    return this.#transactions?.holdsReceipts ?? false;
  }

  giveHeldReceipts(): void {
    for (const receipt of this.#transactions?.takeReceipts() ?? []) this.#answers.receipt(receipt);
  }

  dropped({ code }: BrokerError): void {
    // What queues refuse they count themselves.
    if (code !== 'quota') this.#link.counters.droppedRefused++;
  }

  committing(): void {
    this.#owner.hold();
  }

  through(): void {
    if (this.#closed) this.#endSubscriptions();
    else this.#owner.proceed();
  }

  refused(error: BrokerError, receipt: string | undefined): void {
    if (this.#closed) this.#endSubscriptions();
    else this.#owner.failed(error, receipt);
  }

  // --- what became of it --------------------------------------------------------------------------------------------

  /** The frame's effect is there: says so where it was asked for. */
  #receipt(frame: Frame): void {
    this.#answers.receipt(frame.raw(HEADER.receipt));
  }

  receipted(receipt: string, repeated: boolean): void {
    this.#answers.receipt(receipt, repeated);
  }

  confirm(settled: readonly Effect[], receipt: string | undefined, repeated: boolean): void {
    this.#answers.confirm(settled, receipt, repeated);
  }

  failed(error: BrokerError, receipt: string | undefined): void {
    this.#owner.failed(error, receipt);
  }

  idle(): void {
    if (!this.busy) this.#owner.settled();
  }
}
