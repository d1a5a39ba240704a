import mqttPacket from 'mqtt-packet';
import { createMqtt } from '../../../../protocols/mqtt/index.ts';
import type { Channel, Protocol } from '../../../../src/ports/protocol.ts';
import type { Packet } from '../../../support/mqtt-client.ts';
import { FakeConnection, Harness } from '../../stomp/support/harness.ts';

const EVERYTHING = {
  maximumQos: 2,
  retain: true,
  wildcards: true,
  subscriptionIdentifiers: true,
  sharedSubscriptions: true,
  validatePayloadFormat: false,
};

/** MQTT 5 over the real routing, with connections that only the test sees and time that passes when it says so. */
export class MqttHarness {
  readonly harness: Harness;
  readonly #protocol: Protocol;

  constructor(...parts: Parameters<typeof Harness.open>) {
    this.harness = Harness.open(...parts);
    this.#protocol = createMqtt(this.harness.services, EVERYTHING);
  }

  /** What was due has happened. */
  turn(): Promise<void> {
    return this.harness.turn();
  }

  open(): HarnessClient {
    return new HarnessClient(this.harness, this.#protocol);
  }

  /** A client with its CONNACK, which is taken. */
  async connect(clientId: string, options: Partial<mqttPacket.IConnectPacket> = {}): Promise<HarnessClient> {
    const client = this.open();
    const fixed = { cmd: 'connect', protocolVersion: 5, clean: true, keepalive: 60 } as const;
    await client.send({ ...fixed, clientId, ...options });
    const [connack] = client.take();
    if (connack?.cmd !== 'connack' || connack.reasonCode !== 0) throw new Error(`refused: ${JSON.stringify(connack)}`);
    return client;
  }
}

export class HarnessClient {
  readonly connection = new FakeConnection('tcp');
  readonly channel: Channel;
  readonly #harness: Harness;

  constructor(harness: Harness, protocol: Protocol) {
    this.#harness = harness;
    this.channel = protocol.open(this.connection);
  }

  /** Sends these in one piece; resolves when what follows of it has happened. */
  async send(...packets: Packet[]): Promise<void> {
    const bytes = Buffer.concat(packets.map((each) => mqttPacket.generate(each, { protocolVersion: 5 })));
    this.channel.receive(bytes, this.#harness.clock.now());
    await this.#harness.turn();
  }

  async publish(topic: string, options: Partial<mqttPacket.IPublishPacket> = {}): Promise<void> {
    await this.send({ cmd: 'publish', topic, payload: 'x', qos: 0, dup: false, retain: false, ...options });
  }

  /** SUBSCRIBE to one filter; its SUBACK is taken, what follows that is left. */
  async subscribe(topic: string, qos: 0 | 1 | 2, userProperties?: Record<string, string>): Promise<Packet[]> {
    const properties = userProperties === undefined ? {} : { properties: { userProperties } };
    await this.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }], ...properties });
    const [suback, ...rest] = this.take();
    if (suback?.cmd !== 'suback' || Number(suback.granted[0]) > 2)
      throw new Error(`not SUBACK: ${JSON.stringify(suback)}`);
    return rest;
  }

  /** What came since the last call. */
  take(): Packet[] {
    const packets: Packet[] = [];
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    parser.on('packet', (packet) => packets.push(packet));
    parser.parse(this.connection.take());
    return packets;
  }

  /** The connection is gone, without a goodbye. */
  async drop(): Promise<void> {
    this.channel.closed();
    await this.#harness.turn();
  }
}
