import type { Counters } from '../../src/core/counters.ts';
import type { Message } from '../../src/core/message.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { writeAcknowledgement } from './encoder.ts';
import { TYPE, type Version } from './packets.ts';
import { type Delivery, publishBytes, writePublish } from './publish-encoder.ts';

/** `Terms.maximumPacketSize` of a client that names none. */
export const NO_MAXIMUM = Number.POSITIVE_INFINITY;

/** What was agreed at login. */
export interface Terms {
  readonly version: Version;
  /** Receive Maximum of the client, or the server's own bound: messages it may have unacknowledged. */
  readonly window: number;
  /** Maximum Packet Size of the client, bytes. */
  readonly maximumPacketSize: number;
}

/** A connection as its session sees it. */
export class Link {
  readonly window: number;
  readonly #connection: Connection;
  readonly #terms: Terms;
  readonly #clock: Clock;
  readonly #counters: Counters;

  constructor(connection: Connection, terms: Terms, clock: Clock, counters: Counters) {
    this.window = terms.window;
    this.#connection = connection;
    this.#terms = terms;
    this.#clock = clock;
    this.#counters = counters;
  }

  full(): boolean {
    return this.#connection.full();
  }

  /** Whether the client takes packets of this size [MQTT-3.1.2-24]; if not, that is counted. */
  fits(message: Message, delivery: Delivery): boolean {
    const { maximumPacketSize, version } = this.#terms;
    if (maximumPacketSize === NO_MAXIMUM || publishBytes(message, version, delivery) <= maximumPacketSize) return true;
    this.#counters.droppedTooLarge++;
    return false;
  }

  publish(message: Message, delivery: Delivery): void {
    const now = message.properties === undefined ? 0 : this.#clock.now();
    this.#counters.delivered++;
    this.#counters.deliveredBytes += message.size;
    writePublish(this.#connection, message, this.#terms.version, delivery, now);
  }

  pubrel(packetId: number): void {
    writeAcknowledgement(this.#connection, TYPE.pubrel, this.#terms.version, packetId, 0);
  }
}
