import type { BrokerExtras } from '../../../../src/broker.ts';
import type { ConfigInput } from '../../../../src/config/load.ts';
import { startBroker, type TestBroker } from '../../../support/broker.ts';
import { type Packet, RawMqtt } from '../../../support/mqtt-client.ts';
import { type ConnectParts, connect, MqttWire } from '../../../support/mqtt-wire.ts';

export type Client = Awaited<ReturnType<typeof RawMqtt.connect>>;

/** A session that outlives its connection. */
export const lasting = { clean: false, properties: { sessionExpiryInterval: 600 } };

/** The same in the words of a version. */
export const lastingOf = (version: number): object => (version === 5 ? lasting : { clean: false });

/** A broker for each test, or for some, and clients that are gone with it. */
export class Rig {
  readonly #version: 3 | 4 | 5;
  #server: TestBroker | undefined;
  readonly #clients: (RawMqtt | MqttWire)[] = [];

  constructor(version: 3 | 4 | 5 = 5) {
    this.#version = version;
  }

  get server(): TestBroker {
    if (this.#server === undefined) throw new Error('the broker is not started');
    return this.#server;
  }

  async start(config: ConfigInput = {}, extras: BrokerExtras = {}): Promise<void> {
    this.#server = await startBroker(config, extras);
  }

  async stop(): Promise<void> {
    this.leave();
    await this.#server?.broker.stop();
  }

  /** All clients are gone. */
  leave(): void {
    for (const each of this.#clients.splice(0)) each.destroy();
  }

  /** Of the rig's version, unless `options` say otherwise. */
  async client(clientId: string, options: object = {}): Promise<Client> {
    const connected = await RawMqtt.connect(this.server.mqtt, { clientId, protocolVersion: this.#version, ...options });
    this.#clients.push(connected);
    return connected;
  }

  /** A connection on which nothing has been said. */
  async wire(): Promise<MqttWire> {
    const opened = await MqttWire.open(this.server.mqtt);
    this.#clients.push(opened);
    return opened;
  }

  /** One that has its CONNACK, with code 0. */
  async connected(parts: ConnectParts = {}): Promise<MqttWire> {
    const opened = await this.wire();
    opened.send(connect(parts));
    const connack = await opened.next();
    if (!/^20..0.00/.test(connack)) throw new Error(`CONNECT was refused: ${connack}`);
    return opened;
  }
}

/** Numbers as payloads. */
export const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `${from + i}`);

/** User properties by name. */
export type Named = Record<string, string | string[]>;

/** mqtt-packet writes nothing at all for an empty set of them. */
function user(userProperties: Named): object {
  return Object.keys(userProperties).length === 0 ? {} : { properties: { userProperties } };
}

/** Publishes at QoS 1, one after the other, and sees each acknowledged. */
export async function publish(
  publisher: RawMqtt,
  topic: string,
  payloads: readonly (string | number)[],
  userProperties: Named = {},
): Promise<void> {
  for (const [i, payload] of payloads.entries())
    publisher.publish(topic, `${payload}`, { qos: 1, messageId: i + 1, ...user(userProperties) });
  for (const _ of payloads) {
    const { reasonCode, properties } = await publisher.expect('puback');
    if ((reasonCode ?? 0) >= 0x80) throw new Error(`${reasonCode}: ${properties?.reasonString}`);
  }
}

/** SUBSCRIBE with user properties; resolves with the codes and the reason in SUBACK. */
export async function subscribe(
  client: RawMqtt,
  filters: string | readonly string[],
  userProperties: Named = {},
  qos: 0 | 1 | 2 = 1,
): Promise<{ readonly codes: number[]; readonly reason: string }> {
  const topics = typeof filters === 'string' ? [filters] : filters;
  const subscriptions = topics.map((topic) => ({ topic, qos }));
  client.send({ cmd: 'subscribe', messageId: 9, subscriptions, ...user(userProperties) });
  const { granted, properties } = await client.expect('suback');
  return { codes: granted.map(Number), reason: properties?.reasonString ?? '' };
}

export type Publish = Extract<Packet, { cmd: 'publish' }>;

export function textOf(packet: Publish): string {
  return packet.payload.toString();
}

export function propertyOf(packet: Publish, name: string): string | string[] | undefined {
  return packet.properties?.userProperties?.[name];
}

/** The next so many messages, which stay unacknowledged. */
export async function hold(client: RawMqtt, count: number): Promise<Publish[]> {
  const seen: Publish[] = [];
  while (seen.length < count) seen.push(await client.expect('publish'));
  return seen;
}

/** The next so many messages, each acknowledged as it comes. `answer`: what else PUBACK has. */
export async function receive(client: RawMqtt, count: number, answer: object = {}): Promise<Publish[]> {
  const seen: Publish[] = [];
  while (seen.length < count) {
    const [packet] = await hold(client, 1);
    if (packet === undefined) continue;
    seen.push(packet);
    client.send({ cmd: 'puback', messageId: packet.messageId ?? 0, ...answer });
  }
  return seen;
}
