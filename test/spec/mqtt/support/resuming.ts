import * as assert from 'uvu/assert';
import type { Address } from '../../../../src/broker.ts';
import { type Packet, RawMqtt } from '../../../support/mqtt-client.ts';
import type { Publish } from './rig.ts';
import { TopicNames } from './topic-names.ts';

/** Clients with sessions of their own, as the specification wants them, whose connections are lost again and again. */

const EXPIRY = 600;
const ALIASES = 4;

/** Numbers from 0 to 1, always the same for a seed. */
export function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

/** What each client does: goes through connections until there is nothing more to do. */
abstract class Resuming {
  readonly #address: Address;
  readonly #clientId: string;
  readonly #receiveMaximum: number;
  readonly random: () => number;
  connections = 0;

  constructor(address: Address, clientId: string, seed: number, receiveMaximum = 20) {
    this.#address = address;
    this.#clientId = clientId;
    this.#receiveMaximum = receiveMaximum;
    this.random = chance(seed);
  }

  protected abstract begin(client: RawMqtt): void;
  /** False when all is done. */
  protected abstract take(client: RawMqtt, packet: Packet): boolean;

  /** `cuts`: how many connections are lost in the middle, after so many packets at most. */
  async run(cuts: number, packets: number): Promise<void> {
    for (;;) {
      const client = await this.open();
      let left = this.connections <= cuts ? Math.floor(this.random() * packets) : Number.POSITIVE_INFINITY;
      this.begin(client);
      try {
        for (; left > 0; left--) if (!this.take(client, await client.next())) return;
      } finally {
        client.destroy();
      }
    }
  }

  async open(): Promise<RawMqtt & { connack: { sessionPresent: boolean } }> {
    const client = await RawMqtt.connect(this.#address, {
      clientId: this.#clientId,
      protocolVersion: 5,
      clean: this.connections === 0,
      properties: {
        sessionExpiryInterval: EXPIRY,
        receiveMaximum: this.#receiveMaximum,
        topicAliasMaximum: ALIASES,
      },
    });
    assert.is(client.connack.sessionPresent, this.connections > 0);
    this.connections++;
    return client;
  }
}

/**
 * Takes numbered messages: `TOPIC` and QoS of each are a stream of their own, whose numbers begin at 0. Each stream must come
 * in order: nothing is left out, at QoS 2 nothing comes twice, and at QoS 1 what is repeated is so in order, on a new
 * connection, with DUP.
 */
export class OrderedReceiver extends Resuming {
  /** How many messages of each stream are still to come. */
  readonly #left: Map<string, number>;
  readonly #next = new Map<string, number>();
  /** Identifiers of QoS 2 messages that have come and are not released, and their streams. */
  readonly #received = new Map<number, string>();
  /** On this connection. */
  #inflight = new Map<number, string>();
  #last = new Map<string, number>();
  #names = new TopicNames(ALIASES);
  readonly #window: number;
  readonly #steady: boolean;
  repeated = 0;

  /** `steady`: senders lose no connection, so that at QoS 1 they repeat nothing. */
  constructor(
    address: Address,
    seed: number,
    { window, steady, streams, count }: { window: number; steady: boolean; streams: readonly string[]; count: number },
  ) {
    super(address, `receiver-${seed}`, seed, window);
    this.#window = window;
    this.#steady = steady;
    this.#left = new Map(streams.map((stream) => [stream, count]));
  }

  protected begin(): void {
    this.#inflight = new Map();
    this.#last = new Map();
    this.#names = new TopicNames(ALIASES);
  }

  protected take(client: RawMqtt, packet: Packet): boolean {
    if (packet.cmd === 'publish') {
      this.#publish(packet);
      const messageId = packet.messageId ?? 0;
      client.send(packet.qos === 1 ? { cmd: 'puback', messageId } : { cmd: 'pubrec', messageId });
      if (packet.qos === 1) this.#inflight.delete(messageId);
    } else if (packet.cmd === 'pubrel') {
      const messageId = packet.messageId ?? 0;
      assert.is(packet.reasonCode ?? 0, 0);
      this.#received.delete(messageId);
      this.#inflight.delete(messageId);
      client.send({ cmd: 'pubcomp', messageId });
    } else throw new Error(`unexpected: ${JSON.stringify(packet)}`);
    return this.#received.size > 0 || [...this.#left.values()].some((left) => left > 0);
  }

  #publish(packet: Publish): void {
    const stream = `${this.#names.of(packet)} ${packet.qos}`;
    const number = Number(packet.payload.toString());
    const id = packet.messageId ?? 0;
    const what = `${stream}: ${number}, identifier ${id}`;
    assert.not(this.#inflight.has(id), `[MQTT-2.2.1-4] ${what}`);
    this.#inflight.set(id, what);
    assert.ok(this.#inflight.size <= this.#window, `[MQTT-3.3.4-9] ${this.#inflight.size} in flight`);
    const last = this.#last.get(stream);
    const inOrder = last === undefined || number === last + 1 || (packet.qos === 1 && !this.#steady && number <= last);
    assert.ok(inOrder, `[MQTT-4.6.0-1] ${what} behind ${last}`);
    this.#last.set(stream, number);
    const next = this.#next.get(stream) ?? 0;
    assert.ok(number <= next, `[MQTT-4.6.0-5] ${what}, expected ${next}`);
    if (number < next) {
      assert.ok(packet.dup || !this.#steady, `[MQTT-3.3.1-1] ${what} again`);
      this.repeated++;
    }
    const known = this.#received.get(id);
    if (packet.qos === 2 && known !== undefined) {
      assert.is(known, `${stream} ${number}`, 'the same identifier is the same message');
      return;
    }
    if (packet.qos === 2) {
      assert.is(number, next, `[MQTT-4.3.3-1] ${what} twice`);
      this.#received.set(id, `${stream} ${number}`);
    }
    if (number < next) return;
    this.#next.set(stream, number + 1);
    this.#left.set(stream, (this.#left.get(stream) ?? 0) - 1);
  }
}

interface Unsettled {
  readonly topic: string;
  readonly number: number;
  readonly qos: 1 | 2;
  released: boolean;
}

/** Sends numbered messages, and again in order what was not settled when a connection was lost. */
export class OrderedSender extends Resuming {
  readonly #topics: readonly string[];
  readonly #count: number;
  readonly #unsettled = new Map<number, Unsettled>();
  #sent = 0;
  #id = 0;

  constructor(address: Address, seed: number, topics: readonly string[], count: number) {
    super(address, `sender-${seed}`, seed);
    this.#topics = topics;
    this.#count = count;
  }

  protected begin(client: RawMqtt): void {
    for (const [messageId, each] of this.#unsettled) if (each.released) client.send({ cmd: 'pubrel', messageId });
    for (const [messageId, each] of this.#unsettled) if (!each.released) this.#publish(client, messageId, each, true);
    this.#fill(client);
  }

  #publish(client: RawMqtt, messageId: number, { topic, number, qos }: Unsettled, dup: boolean): void {
    client.publish(topic, `${number}`, { qos, messageId, dup });
  }

  #fill(client: RawMqtt): void {
    const streams = this.#topics.length * 2;
    while (this.#unsettled.size < 20 && this.#sent < this.#count * streams) {
      const stream = this.#sent % streams;
      const topic = this.#topics[stream >> 1] ?? '';
      const number = Math.floor(this.#sent / streams);
      const each: Unsettled = { topic, number, qos: (stream & 1) === 0 ? 1 : 2, released: false };
      this.#sent++;
      do this.#id = (this.#id % 60) + 1;
      while (this.#unsettled.has(this.#id));
      this.#unsettled.set(this.#id, each);
      this.#publish(client, this.#id, each, false);
    }
  }

  protected take(client: RawMqtt, packet: Packet): boolean {
    if (packet.cmd !== 'puback' && packet.cmd !== 'pubrec' && packet.cmd !== 'pubcomp')
      throw new Error(`unexpected: ${JSON.stringify(packet)}`);
    const messageId = packet.messageId ?? 0;
    // 0x92: PUBCOMP had come before the connection was lost, and was not read.
    assert.ok([0, packet.cmd === 'pubcomp' ? 0x92 : 0].includes(packet.reasonCode ?? 0), `${packet.reasonCode}`);
    const each = this.#unsettled.get(messageId);
    if (packet.cmd === 'pubrec') {
      if (each !== undefined) {
        // PUBRELs are sent in the order of this, and sent again so [MQTT-4.6.0-4].
        this.#unsettled.delete(messageId);
        this.#unsettled.set(messageId, { ...each, released: true });
      }
      client.send({ cmd: 'pubrel', messageId });
    } else {
      const first = [...this.#unsettled].find(([, { qos, released }]) => qos === each?.qos && (qos === 1 || released));
      assert.is(first?.[0], messageId, `[MQTT-4.6.0-2] ${packet.cmd} in order`);
      this.#unsettled.delete(messageId);
      this.#fill(client);
    }
    return this.#unsettled.size > 0;
  }
}
