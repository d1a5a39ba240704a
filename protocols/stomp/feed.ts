import type { Counters } from '../../src/core/counters.ts';
import type { Message, Publisher } from '../../src/core/message.ts';
import type { Principal } from '../../src/ports/authorizer.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { type Envelope, Stamp, writeMessage } from './message-encoder.ts';
import type { Names } from './names.ts';
import type { SubscribeRequest } from './subscribe.ts';
import { VERSION, type Version } from './version.ts';

/** What a subscription says about acknowledgements (STOMP 1.2, SUBSCRIBE ack Header). */
export type AckMode = 'auto' | 'client' | 'client-individual';

/** A connection as its subscriptions see it. */
export interface Link {
  readonly connection: Connection;
  readonly services: Services;
  readonly counters: Counters;
  readonly names: Names;
  readonly version: Version;
  readonly session: string;
  readonly clientId: string;
  /** The client chose its id itself. */
  readonly named: boolean;
  readonly principal: Principal;
  readonly publisher: Publisher;
  /** The client is leaving or gone: nothing more is sent to it. */
  over: boolean;
}

/** Feeds of one subscription to several destinations: they number their messages together, and share its window. */
export class Together {
  readonly stamp = new Stamp();
  readonly feeds: Feed[] = [];
  /** Of topics, in order: what several match goes by the first of them alone. */
  readonly filters: string[] = [];
  /** Several messages are being settled: none is sent until all are. */
  settling = false;

  /** Whether an acknowledgement is for all messages before it, too. */
  get cumulative(): boolean {
    return this.feeds[0]?.cumulative ?? false;
  }

  unacknowledged(): number {
    let count = 0;
    for (const each of this.feeds) count += each.unacknowledged;
    return count;
  }
}

/**
 * What goes to one subscription: its MESSAGE frames, and which of them are unacknowledged.
 *
 * A message's id is `<session>-<subscription>-<number>`: unique beyond the connection, and all that is needed to find
 * what an ACK is for. The same text is the value of `ack` in 1.2.
 */
export class Feed {
  readonly #link: Link;
  readonly #mode: AckMode;
  readonly #window: number;
  readonly #envelope: Envelope;
  readonly #stamp: Stamp;
  readonly #together: Together | undefined;
  /** Clients that read frame by frame take what comes first for the answer, which it is from RabbitMQ and ActiveMQ. */
  #answered: boolean;
  /** By number, in order: the number of the delivery; 0 where there is no one to tell that it is settled. */
  #unsettled: Map<number, number> | undefined;

  /** `redelivers`: a message may be given back, and come again. */
  constructor(link: Link, subscription: number, request: SubscribeRequest, redelivers: boolean) {
    const { rawId, ack: mode, prefetch, positions, filter, own, together } = request;
    this.#link = link;
    this.#together = together;
    this.#stamp = together?.stamp ?? new Stamp();
    together?.feeds.push(this);
    this.#mode = mode;
    this.#window = prefetch;
    this.#answered = !request.receipted;
    const named = rawId === undefined ? '' : `subscription:${rawId}\n`;
    const prefix = `${link.session}-${subscription}-`;
    this.#envelope = {
      version: link.version,
      start: Buffer.from(`MESSAGE\n${named}message-id:${prefix}`, 'latin1'),
      // [STOMP 1.2, MESSAGE]: `ack` where an acknowledgement is expected; earlier versions use message-id.
      ack: mode !== 'auto' && link.version === VERSION.v12 ? Buffer.from(`\nack:${prefix}`) : undefined,
      webSocket: link.connection.peer.transport === 'websocket',
      positions,
      redelivers,
      own: own === undefined ? undefined : { topic: filter, line: Buffer.from(`destination:${own}\n`, 'latin1') },
    };
  }

  /** Messages may be sent from now on. */
  answered(): void {
    this.#answered = true;
  }

  /** Whether the prefetch window has room. */
  get open(): boolean {
    if (!this.#answered) return false;
    const together = this.#together;
    if (together !== undefined) return !together.settling && together.unacknowledged() < this.#window;
    return this.#unsettled === undefined || this.#unsettled.size < this.#window;
  }

  get unacknowledged(): number {
    return this.#unsettled?.size ?? 0;
  }

  /** Whether messages wait for an acknowledgement: else they are settled by being sent. */
  get acknowledged(): boolean {
    return this.#mode !== 'auto';
  }

  /** Whether an acknowledgement is for all messages before it, too. */
  get cumulative(): boolean {
    return this.#mode === 'client';
  }

  /** A message of a topic; `retain`: it was retained before. */
  send(message: Message, delivery: number, redelivered: boolean, retain: boolean): void {
    this.#stamp.retain = retain;
    this.deliver(message, delivery, 1, redelivered);
    this.#stamp.retain = false;
  }

  /** A message, given to a consumer for the `count`th time. */
  deliver(message: Message, delivery: number, count: number, redelivered: boolean): void {
    const stamp = this.#stamp;
    const number = ++stamp.number;
    stamp.count = count;
    stamp.redelivered = redelivered;
    if (this.#mode !== 'auto') {
      this.#unsettled ??= new Map();
      this.#unsettled.set(number, delivery);
    }
    const link = this.#link;
    link.counters.delivered++;
    link.counters.deliveredBytes += message.size;
    writeMessage(link.connection, message, this.#envelope, stamp, link);
  }

  /** Says that there are no more messages; `message` has the destination, and no body. */
  end(message: Message): void {
    const stamp = this.#stamp;
    stamp.number++;
    stamp.count = 1;
    stamp.redelivered = false;
    stamp.end = true;
    writeMessage(this.#link.connection, message, this.#envelope, stamp, this.#link);
    stamp.end = false;
  }

  issued(number: number): boolean {
    return number >= 1 && number <= this.#stamp.number;
  }

  unsettled(number: number): boolean {
    return this.#unsettled?.has(number) ?? false;
  }

  /** What is unacknowledged and would be settled with this message, itself included; 0 for what needs no settling. */
  deliveries(number: number): number[] {
    const deliveries: number[] = [];
    for (const [each, delivery] of this.#unsettled ?? [])
      if (each === number || (each < number && this.cumulative)) deliveries.push(delivery);
    return deliveries;
  }

  /**
   * The client is done with a message, in mode `client` with all before it, too. Returns the deliveries that are settled
   * by this, in order; none when the message was settled before. Where there are several feeds, it may be another one's.
   */
  settle(number: number): number[] {
    const unsettled = this.#unsettled;
    if (unsettled === undefined || (this.#together === undefined && !unsettled.has(number))) return [];
    if (this.#mode === 'client-individual') return [this.settleOne(number) ?? 0];
    const deliveries: number[] = [];
    for (const [each, eachDelivery] of unsettled) {
      if (each > number) break;
      unsettled.delete(each);
      deliveries.push(eachDelivery);
    }
    return deliveries;
  }

  /** The same, of that message alone: its delivery, or undefined. */
  settleOne(number: number): number | undefined {
    const delivery = this.#unsettled?.get(number);
    this.#unsettled?.delete(number);
    return delivery;
  }

  /** The subscription ends: what it has not settled, it will not. */
  close(): void {
    this.#unsettled = undefined;
  }
}
