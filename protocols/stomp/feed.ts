import type { Counters } from '../../src/core/counters.ts';
import type { Message, Publisher } from '../../src/core/message.ts';
import type { Principal } from '../../src/ports/authorizer.ts';
import type { Services } from '../../src/ports/routing.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { type Envelope, writeMessage } from './message-encoder.ts';
import type { Names } from './names.ts';
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
  #lastNumber = 0;
  /** By number, in order: the queue's delivery number; 0 for messages of topics. */
  #unsettled: Map<number, number> | undefined;

  /** `id`: as the client wrote it, a character per byte. */
  constructor(link: Link, subscription: number, id: string | undefined, mode: AckMode, window: number) {
    this.#link = link;
    this.#mode = mode;
    this.#window = window;
    const named = id === undefined ? '' : `subscription:${id}\n`;
    const prefix = `${link.session}-${subscription}-`;
    this.#envelope = {
      version: link.version,
      start: Buffer.from(`MESSAGE\n${named}message-id:${prefix}`, 'latin1'),
      // [STOMP 1.2, MESSAGE]: `ack` where an acknowledgement is expected; earlier versions use message-id.
      ack: mode !== 'auto' && link.version === VERSION.v12 ? Buffer.from(`\nack:${prefix}`) : undefined,
      webSocket: link.connection.peer.transport === 'websocket',
    };
  }

  /** Whether the prefetch window has room. */
  get open(): boolean {
    return this.#unsettled === undefined || this.#unsettled.size < this.#window;
  }

  /** Whether messages wait for an acknowledgement: else they are settled by being sent. */
  get acknowledged(): boolean {
    return this.#mode !== 'auto';
  }

  send(message: Message, delivery: number, redelivered: boolean, retain: boolean): void {
    const number = ++this.#lastNumber;
    if (this.#mode !== 'auto') {
      this.#unsettled ??= new Map();
      this.#unsettled.set(number, delivery);
    }
    const link = this.#link;
    link.counters.delivered++;
    writeMessage(link.connection, message, this.#envelope, number, redelivered, retain, link);
  }

  issued(number: number): boolean {
    return number >= 1 && number <= this.#lastNumber;
  }

  unsettled(number: number): boolean {
    return this.#unsettled?.has(number) ?? false;
  }

  /**
   * The client is done with a message, in mode `client` with all before it, too. Returns the deliveries that are settled
   * by this, in order; none when the message was settled before.
   */
  settle(number: number): number[] {
    const unsettled = this.#unsettled;
    const delivery = unsettled?.get(number);
    if (unsettled === undefined || delivery === undefined) return [];
    if (this.#mode === 'client-individual') {
      unsettled.delete(number);
      return [delivery];
    }
    const deliveries: number[] = [];
    for (const [each, eachDelivery] of unsettled) {
      if (each > number) break;
      unsettled.delete(each);
      deliveries.push(eachDelivery);
    }
    return deliveries;
  }

  /** The subscription ends: what it has not settled, it will not. */
  close(): void {
    this.#unsettled = undefined;
  }
}
