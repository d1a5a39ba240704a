import type { Counters } from '../../src/core/counters.ts';
import type { Message } from '../../src/core/message.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { writeAcknowledgement } from './encoder.ts';
import { OutboundAliases } from './outbound-aliases.ts';
import { TYPE, type Version } from './packets.ts';
import { BY_BOTH, BY_TOPIC, type Delivery, type Naming, publishBytes, writePublish } from './publish-encoder.ts';

/** `Terms.maximumPacketSize` of a client that names none. */
export const NO_MAXIMUM = 0x7fffffff;

/** What was agreed at login. */
export interface Terms {
  /** Receive Maximum of the client, or the server's own bound: messages it may have unacknowledged. */
  readonly window: number;
  /** Maximum Packet Size of the client, bytes. */
  readonly maximumPacketSize: number;
  /** Topic Aliases that may be set towards the client. */
  readonly topicAliases: number;
}

/** A connection as its session sees it. */
export class Link {
  readonly window: number;
  readonly #connection: Connection;
  readonly #version: Version;
  readonly #terms: Terms;
  readonly #clock: Clock;
  readonly #counters: Counters;
  /** Made with the first message: many clients only publish. */
  #aliases: OutboundAliases | undefined;

  constructor(connection: Connection, version: Version, terms: Terms, clock: Clock, counters: Counters) {
    this.window = terms.window;
    this.#connection = connection;
    this.#version = version;
    this.#terms = terms;
    this.#clock = clock;
    this.#counters = counters;
  }

  full(): boolean {
    return this.#connection.full();
  }

  /**
   * Whether the client takes packets of this size [MQTT-3.1.2-24], as the message would be sent now; if not, that is
   * counted.
   */
  fits(message: Message, delivery: Delivery): boolean {
    if (this.#terms.maximumPacketSize === NO_MAXIMUM || this.#takes(message, delivery, BY_TOPIC)) return true;
    const alias = this.#aliases?.find(message.topic) ?? 0;
    if (alias !== 0 && this.#takes(message, delivery, alias)) return true;
    this.#counters.droppedTooLarge++;
    return false;
  }

  publish(message: Message, delivery: Delivery): void {
    const now = message.properties === undefined ? 0 : this.#clock.now();
    this.#counters.delivered++;
    this.#counters.deliveredBytes += message.size;
    const { topicAliases } = this.#terms;
    const naming = topicAliases === 0 ? BY_TOPIC : this.#naming(message, delivery, topicAliases);
    writePublish(this.#connection, message, this.#version, delivery, now, naming);
  }

  /** Of a message that is written right after this: what the client learns of aliases, it learns in this order. */
  #naming(message: Message, delivery: Delivery, topicAliases: number): Naming {
    this.#aliases ??= new OutboundAliases(topicAliases);
    const known = this.#aliases.find(message.topic);
    if (known !== 0) return known;
    // A message that would be too large with an alias goes without.
    if (!this.#takes(message, delivery, BY_BOTH)) return BY_TOPIC;
    const learnt = this.#aliases.learn(message.topic);
    return learnt === 0 ? BY_TOPIC : BY_BOTH | learnt;
  }

  #takes(message: Message, delivery: Delivery, naming: Naming): boolean {
    const { maximumPacketSize } = this.#terms;
    return (
      maximumPacketSize === NO_MAXIMUM || publishBytes(message, this.#version, delivery, naming) <= maximumPacketSize
    );
  }

  pubrel(packetId: number): void {
    writeAcknowledgement(this.#connection, TYPE.pubrel, this.#version, packetId, 0);
  }
}
