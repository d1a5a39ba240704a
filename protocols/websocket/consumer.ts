import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { Consumption, Delivery, GroupMember, Outcome } from '../../src/ports/queues.ts';
import { quote, RequestError } from './codec.ts';
import { messagePrefix, positionField } from './encoder.ts';
import type { KeptFeed } from './kept-session.ts';
import type { Link } from './link.ts';
import type { Feed, GroupRequest, QueueRequest } from './subscribe.ts';

/** A subscription to a queue, or a place in a group. What its client has not settled when it goes is given to others. */
export class JsonConsumer implements Feed, GroupMember {
  readonly name: string;
  readonly #link: Link;
  readonly #request: QueueRequest | GroupRequest;
  /** Seconds a group is kept for this client's sake. */
  readonly #keptFor: number;
  readonly #ended: (error: BrokerError) => void;
  readonly #prefix: Buffer;
  readonly #positions: boolean;
  #consumption: Consumption | undefined;
  #leave: (forget: boolean) => void = () => {};
  #state: 'opening' | 'open' | 'over' = 'opening';
  /** Ends the wait for the opening, which may never come to its own end. */
  #resolve: () => void = () => {};
  #reject: (error: BrokerError) => void = () => {};
  /** Several messages are being given back: none is taken until all are, so that their order stays. */
  #settling = false;
  /** The highest delivery there was. */
  #last = 0;

  /** `ended`: it has come to its end by itself, after it was open. */
  constructor(link: Link, request: QueueRequest | GroupRequest, keptFor: number, ended: (error: BrokerError) => void) {
    this.name = request.name;
    this.#link = link;
    this.#request = request;
    this.#keptFor = keptFor;
    this.#ended = ended;
    this.#positions = request.kind === 'group' && request.positions;
    const queue = request.kind === 'queue' ? `"queue":${quote(request.queue)},` : '';
    this.#prefix = messagePrefix(request.name, false, queue);
  }

  /** Resolves when messages may come, once it is pumped; rejects with a BrokerError when none will. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      const consumption = this.#request.kind === 'queue' ? this.#consume(this.#request) : this.#join(this.#request);
      this.#consumption = consumption;
      consumption.opened.then(
        () => {
          if (this.#state === 'opening') this.#state = 'open';
          resolve();
        },
        (error: unknown) => {
          this.#state = 'over';
          reject(error);
        },
      );
    });
  }

  #consume({ queue, prefetch, priority, exclusive, selector, settings }: QueueRequest): Consumption {
    const { clientId, services } = this.#link;
    const options = { clientId, prefetch, priority, exclusive, selector: selector?.text };
    const consumption = services.queues.consume(queue, this, options, settings);
    this.#leave = () => consumption.cancel();
    return consumption;
  }

  #join({ group, filter, prefetch, ordered, selector, start }: GroupRequest): Consumption {
    const { clientId, services } = this.#link;
    const options = { clientId, prefetch, keptFor: this.#keptFor, ordered, selector: selector?.text, start };
    const membership = services.groups.join(group, filter, this, options);
    this.#leave = (forget) => membership.leave(forget);
    return membership;
  }

  // --- GroupMember --------------------------------------------------------------------------------------------------

  ready(): boolean {
    const { answers, connection } = this.#link;
    return this.#state === 'open' && !this.#settling && !answers.over && !connection.full();
  }

  take(message: Message, { number, count, redelivered }: Delivery): void {
    const { connection, encoder, services } = this.#link;
    const { auto } = this.#request;
    let fields = auto ? '' : `"delivery":${number},`;
    if (count > 1) fields += `"deliveryCount":${count},`;
    if (redelivered) fields += '"redelivered":true,';
    if (this.#positions && message.sequence > 0) fields += positionField(message);
    this.#last = number;
    encoder.write(connection, this.#prefix, message, false, fields);
    services.counters.delivered++;
    services.counters.deliveredBytes += message.size;
    if (auto) this.#consumption?.settle(number, 'accept');
  }

  takeLive(message: Message): boolean {
    const { connection, encoder, services } = this.#link;
    if (!this.ready()) return false;
    if (message.properties !== undefined && message.expired(services.clock.now())) {
      services.counters.droppedExpired++;
      return true;
    }
    encoder.write(connection, this.#prefix, message, message.fanout > 1);
    services.counters.delivered++;
    services.counters.deliveredBytes += message.size;
    return true;
  }

  ended(error: BrokerError): void {
    const before = this.#state;
    this.#state = 'over';
    if (before === 'opening') this.#reject(error);
    else if (before === 'open') this.#ended(error);
  }

  // --- from the client ----------------------------------------------------------------------------------------------

  /** Throws a RequestError when that cannot be meant. What is settled already, or was taken back, stays as it is. */
  settle(deliveries: readonly number[], field: string, outcome: Outcome, delay: number | undefined): void {
    if (this.#request.auto) {
      const text = 'messages of this subscription are settled when they are sent (acknowledge is auto)';
      throw new RequestError('fieldInvalid', 'subscription', text);
    }
    const unknown = deliveries.find((each) => each > this.#last);
    if (unknown !== undefined) {
      const text = `there was no delivery ${unknown} of this subscription; the delivery of a message is expected`;
      throw new RequestError('fieldInvalid', field, text);
    }
    this.#settling = true;
    for (const each of deliveries) this.#consumption?.settle(each, outcome, delay);
    this.#settling = false;
    this.#consumption?.pump();
  }

  /** Resolves when all that is settled so far is durably so. */
  settled(): Promise<void> {
    return this.#consumption?.settled() ?? Promise.resolve();
  }

  pump(): void {
    this.#consumption?.pump();
  }

  close(forget: boolean): void {
    const before = this.#state;
    this.#state = 'over';
    if (before === 'over') return;
    this.#leave(forget);
    this.#resolve();
  }

  kept(): KeptFeed {
    return { request: this.#request.text, settled: [], sent: [] };
  }
}
