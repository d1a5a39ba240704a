import { BrokerError } from '../../src/core/errors.ts';
import { QUEUE_PREFIX } from '../../src/core/topic.ts';
import type { Services } from '../../src/ports/routing.ts';
import { type Deletion, readDeletion } from './durable.ts';
import { DurableSubscription, deleteStored } from './durable-subscription.ts';
import { writeReceipt } from './encoder.ts';
import type { Link } from './feed.ts';
import type { Frame } from './frame.ts';
import { type Completion, Publications, type PublicationsOwner } from './publications.ts';
import { QueueSubscription } from './queue-subscription.ts';
import { Refusal, shown } from './refusal.ts';
import { readSend } from './send.ts';
import { readSubscribe, type SubscribeRequest } from './subscribe.ts';
import { type Effect, type Outcome, type StompSubscription, Subscriptions } from './subscription.ts';
import { TopicSubscription } from './topic-subscription.ts';
import { type HeldAck, Transactions } from './transactions.ts';
import { VERSION } from './version.ts';
import { HEADER } from './words.ts';

/** The connection of a client, as far as the client must reach it. */
export interface ClientOwner {
  /** A message was not taken in, after its frame was handled. */
  failed(error: BrokerError, receipt: string | undefined): void;
  /** All that the client sent has had its effect. */
  settled(): void;
}

const NO_ACKS: readonly HeldAck[] = [];

/** A client that has logged in: what its frames do. Throws a Refusal for those that are not taken. */
export class StompClient implements PublicationsOwner {
  readonly #services: Services;
  readonly #link: Link;
  readonly #owner: ClientOwner;
  readonly #publications: Publications;
  /** Made when needed: many clients only send. */
  #subscriptions: Subscriptions | undefined;
  #transactions: Transactions | undefined;
  /** Frames whose effect is awaited. */
  #awaited = 0;
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

  /** Whether the connection is not read from until messages are durable. */
  get paused(): boolean {
    return this.#publications.paused;
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
    this.#subscriptions?.close();
    this.#subscriptions = undefined;
    this.#transactions = undefined;
  }

  // --- SEND ---------------------------------------------------------------------------------------------------------

  send(frame: Frame, now: number): void {
    const message = readSend(frame, this.#link, now);
    if (frame.has(HEADER.transaction)) {
      this.#hold(frame).messages.push(message.keep());
      this.receipt(frame);
    } else if (frame.has(HEADER.receipt)) {
      this.#publications.publishAll([message], { receipt: frame.raw(HEADER.receipt), acks: NO_ACKS });
    } else {
      this.#publications.publish(message);
    }
  }

  // --- subscriptions ------------------------------------------------------------------------------------------------

  subscribe(frame: Frame): void {
    const { authorizer, limits } = this.#services;
    const request = readSubscribe(frame, this.#link);
    const { destination, filter, id, durable } = request;
    this.#subscriptions ??= new Subscriptions();
    const subscriptions = this.#subscriptions;
    if (subscriptions.find(id, destination) !== undefined) {
      const which = id === undefined ? `with the destination ${shown(destination)}` : `with the id ${shown(id)}`;
      throw taken(which);
    }
    if (durable !== undefined && subscriptions.findDurable(durable.key) !== undefined) throw taken(durable.title);
    if (subscriptions.size >= limits.subscriptionsPerSession) {
      throw new Refusal(
        'quota',
        `SUBSCRIBE: ${subscriptions.size} subscriptions already (limits.subscriptionsPerSession)`,
      );
    }
    if (!authorizer.maySubscribe(this.#link.principal, filter)) {
      throw new Refusal('notAuthorized', `SUBSCRIBE: not allowed to subscribe to ${shown(destination)}`);
    }
    const subscription = this.#subscription(request, subscriptions.nextNumber);
    subscriptions.add(subscription);
    this.#confirm([subscription.start()], frame.raw(HEADER.receipt));
  }

  #subscription(request: SubscribeRequest, number: number): StompSubscription {
    const { filter, durable } = request;
    if (filter.startsWith(QUEUE_PREFIX)) {
      return new QueueSubscription(this.#link, number, request, filter.slice(QUEUE_PREFIX.length));
    }
    if (durable === undefined) return new TopicSubscription(this.#link, number, request);
    return new DurableSubscription(this.#link, number, request, durable, (error) => {
      this.#owner.failed(error, undefined);
    });
  }

  unsubscribe(frame: Frame): void {
    const deletion = readDeletion(frame, this.#link);
    const receipt = frame.raw(HEADER.receipt);
    const named = deletion?.durable;
    const subscription = this.#toUnsubscribe(frame, deletion);
    if (subscription === undefined && named === undefined) {
      throw new Refusal(
        'protocol',
        'UNSUBSCRIBE: there is no such subscription',
        deletion === undefined
          ? 'The header id of a SUBSCRIBE on this connection is expected.'
          : 'One that this connection does not have is known by id and destination: send both.',
      );
    }
    if (subscription !== undefined) {
      this.#subscriptions?.remove(subscription);
      this.#confirm([subscription.unsubscribe(deletion !== undefined)], receipt);
    } else if (named !== undefined) {
      this.#confirm([deleteStored(this.#services, named.key, this.#link.principal.name)], receipt);
    }
  }

  /** By what it is kept as, else by id; in 1.0 also by destination (STOMP 1.0, UNSUBSCRIBE). */
  #toUnsubscribe(frame: Frame, deletion: Deletion | undefined): StompSubscription | undefined {
    const id = frame.text(HEADER.id);
    if (deletion?.durable !== undefined) {
      const own = this.#subscriptions?.findDurable(deletion.durable.key);
      const other = id === undefined ? undefined : this.#subscriptions?.find(id, '');
      if (other === undefined || other === own) return own;
      if (deletion.byId && other.durable === undefined) return other;
      throw new Refusal(
        'protocol',
        `UNSUBSCRIBE: the subscription with the id ${shown(id ?? '')} is not the durable one that is to be deleted`,
        'Leave the header id out where the durable subscription is known by another name.',
      );
    }
    const destination = frame.text(HEADER.destination);
    const version10 = this.#link.version === VERSION.v10;
    if (id !== undefined) return this.#subscriptions?.find(id, '');
    if (!version10 || destination === undefined) {
      const headers = version10 ? 'id and destination' : 'id';
      throw new Refusal(
        'protocol',
        `UNSUBSCRIBE without the header ${headers}`,
        'It says which subscription is meant.',
      );
    }
    return this.#subscriptions?.findByDestination(destination);
  }

  /**
   * ACK (`accept`) and NACK. A message that was settled before, also by the end of its subscription, stays so: the
   * client could not know when it sent this. Only a transaction depends on it.
   */
  settle(frame: Frame, command: 'ACK' | 'NACK'): void {
    const outcome: Outcome = command === 'ACK' ? 'accept' : frame.find('requeue') === 'false' ? 'reject' : 'requeue';
    const { subscription, number } = this.#delivered(frame, command);
    if (frame.has(HEADER.transaction)) {
      const { acks } = this.#hold(frame);
      if (subscription === 'gone' || !subscription.unsettled(number)) throw settledOtherwise(command);
      acks.push({ subscription, number, outcome });
    } else if (subscription !== 'gone') {
      subscription.settle(number, outcome);
      // A receipt says that the message does not come again, whatever happens.
      this.#confirm(frame.has(HEADER.receipt) ? [subscription.stored()] : [], frame.raw(HEADER.receipt));
      return;
    }
    this.receipt(frame);
  }

  /**
   * What an ACK is for: `id` since 1.2, `message-id` before. Since ids are unique in the connection, the header
   * `subscription` of 1.1 adds nothing; clients written for RabbitMQ leave it out or mix it up.
   */
  #delivered(frame: Frame, command: string): { subscription: StompSubscription | 'gone'; number: number } {
    const header = this.#link.version === VERSION.v12 ? 'id' : 'message-id';
    const text = frame.text(header === 'id' ? HEADER.id : HEADER.messageId);
    if (text === undefined) {
      const where = header === 'id' ? 'the header ack' : 'the header message-id';
      throw new Refusal('protocol', `${command} without the header ${header}`, `It is ${where} of the MESSAGE meant.`);
    }
    const parts = /^([0-9a-f]+)-([0-9]{1,9})-([0-9]{1,15})$/.exec(text);
    const own = parts !== null && parts[1] === this.#link.session;
    const subscription = own ? this.#subscriptions?.numbered(Number(parts[2])) : undefined;
    const number = own ? Number(parts[3]) : 0;
    if (subscription === undefined || (subscription !== 'gone' && !subscription.issued(number))) {
      throw new Refusal(
        'protocol',
        `${command}: no message with the ${header} ${shown(text)} was delivered on this connection`,
        'What was delivered on an earlier connection has been given back.',
      );
    }
    return { subscription, number };
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

  /** Its receipt, like that of a SEND, is only given for durable messages: where it is asked for, all of them are. */
  commit(frame: Frame): void {
    const { messages, acks } = this.#table().end(named(frame, 'COMMIT'));
    for (const { subscription, number } of acks) {
      if (!subscription.unsettled(number)) throw settledOtherwise('COMMIT');
    }
    const receipt = frame.raw(HEADER.receipt);
    const durable = receipt !== undefined || acks.length > 0;
    const logged = durable ? messages.map((each) => (each.qos > 0 ? each : each.with(1, each.retain))) : messages;
    this.#publications.publishAll(logged, { receipt, acks });
  }

  #hold(frame: Frame): ReturnType<Transactions['grow']> {
    return this.#table().grow(frame.text(HEADER.transaction) ?? '', frame.bodyEnd - frame.start);
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

  /** Says so when all of it is durable. */
  #confirm(effects: readonly Effect[], receipt: string | undefined): void {
    const awaited = effects.filter((each) => each !== undefined);
    if (awaited.length === 0) {
      if (receipt !== undefined) writeReceipt(this.#link.connection, receipt);
      return;
    }
    this.#awaited++;
    Promise.all(awaited).then(
      () => {
        this.#awaited--;
        if (this.#closed) return;
        if (receipt !== undefined) writeReceipt(this.#link.connection, receipt);
        this.idle();
      },
      (error: unknown) => {
        this.#awaited--;
        if (error instanceof BrokerError) this.#owner.failed(error, receipt);
        else {
          this.#services.logger.error(
            { err: error, clientId: this.#link.clientId },
            'a subscription could not be kept',
          );
          this.#owner.failed(new BrokerError('internal'), receipt);
        }
      },
    );
  }

  completed({ acks, receipt }: Completion): void {
    // The connection may be gone: then what it had not acknowledged has been given back.
    if (this.#closed) return;
    for (const { subscription, number, outcome } of acks) subscription.settle(number, outcome);
    const settled = receipt === undefined ? [] : [...new Set(acks.map((each) => each.subscription))];
    this.#confirm(
      settled.map((each) => each.stored()),
      receipt,
    );
  }

  failed(error: BrokerError, completion: Completion | undefined): void {
    this.#owner.failed(error, completion?.receipt);
  }

  idle(): void {
    if (!this.busy) this.#owner.settled();
  }
}

function taken(which: string): Refusal {
  const detail = `SUBSCRIBE: there is a subscription ${which} already`;
  return new Refusal('protocol', detail, 'Choose another id, or UNSUBSCRIBE first.');
}

function named(frame: Frame, command: string): string {
  const id = frame.text(HEADER.transaction);
  if (id === undefined)
    throw new Refusal('protocol', `${command} without the header transaction`, 'It names the transaction.');
  return id;
}

/** Whole or not at all: a transaction cannot settle what is settled. */
function settledOtherwise(command: string): Refusal {
  const detail = `${command}: a message of the transaction was settled otherwise before, or its subscription has ended`;
  return new Refusal('protocol', detail, 'Nothing of the transaction was done.');
}
