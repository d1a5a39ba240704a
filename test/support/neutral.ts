import type { TestBroker } from './broker.ts';
import { RawJson } from './json-client.ts';
import { RawMqtt } from './mqtt-client.ts';
import {
  jsonFields,
  mqttProperties,
  type Neutral,
  ofFrame,
  ofJson,
  ofPacket,
  stompHeaders,
  toDestination,
} from './neutral-forms.ts';
import { header, RawStomp, type StompFrame } from './stomp-client.ts';

/** One interface over the three protocols, so that one test runs for every ordered pair of them. */

export interface NeutralClient {
  /** Resolves when the broker has it. */
  publish(message: Neutral): Promise<void>;
  /** `filter` with `+` and a last `#`. Resolves when the subscription stands. */
  subscribe(filter: string): Promise<void>;
  next(): Promise<Neutral>;
  close(): void;
}

export const PROTOCOLS = ['mqtt', 'stomp', 'websocket'] as const;
export type ProtocolName = (typeof PROTOCOLS)[number];

let clients = 0;

export async function neutralClient(protocol: ProtocolName, broker: TestBroker): Promise<NeutralClient> {
  const clientId = `${protocol}-${++clients}`;
  if (protocol === 'mqtt') return new MqttNeutral(await RawMqtt.connect(broker.mqtt, { clientId, protocolVersion: 5 }));
  if (protocol === 'stomp') return new StompNeutral(await RawStomp.connect(broker.stomp, { 'client-id': clientId }));
  return new JsonNeutral(await RawJson.connect(broker.http, { clientId }));
}

class MqttNeutral implements NeutralClient {
  readonly #client: RawMqtt;

  constructor(client: RawMqtt) {
    this.#client = client;
  }

  async publish(message: Neutral): Promise<void> {
    const { topic, payload, retain = false, durable = false } = message;
    const properties = mqttProperties(message);
    this.#client.publish(topic, payload, { retain, qos: durable ? 1 : 0, messageId: 1, properties });
    if (durable) await this.#client.expect('puback');
    else await this.#client.flush();
  }

  async subscribe(filter: string): Promise<void> {
    await this.#client.subscribe(filter, 1);
  }

  async next(): Promise<Neutral> {
    const packet = await this.#client.expect('publish');
    if (packet.qos === 1 && packet.messageId !== undefined)
      this.#client.send({ cmd: 'puback', messageId: packet.messageId });
    return ofPacket(packet);
  }

  close(): void {
    this.#client.destroy();
  }
}

class StompNeutral implements NeutralClient {
  readonly #client: RawStomp;
  #receipt = 0;
  #subscription = 0;
  readonly #early: StompFrame[] = [];

  constructor(client: RawStomp) {
    this.#client = client;
  }

  async publish(message: Neutral): Promise<void> {
    const headers = stompHeaders(message);
    if (message.durable !== true) {
      this.#client.send('SEND', headers, message.payload);
      await this.#client.flush();
      return;
    }
    const receipt = `r${++this.#receipt}`;
    this.#client.send('SEND', [...headers, ['receipt', receipt]], message.payload);
    if (header(await this.#client.expect('RECEIPT'), 'receipt-id') !== receipt) throw new Error('another receipt');
  }

  async subscribe(filter: string): Promise<void> {
    const receipt = `s${++this.#subscription}`;
    this.#client.send('SUBSCRIBE', { id: receipt, destination: toDestination(filter), receipt });
    // The receipt may come behind retained messages.
    for (let frame = await this.#client.next(); frame.command !== 'RECEIPT'; frame = await this.#client.next())
      this.#early.push(frame);
  }

  async next(): Promise<Neutral> {
    return ofFrame(this.#early.shift() ?? (await this.#client.expect('MESSAGE')));
  }

  close(): void {
    this.#client.destroy();
  }
}

class JsonNeutral implements NeutralClient {
  readonly #client: RawJson;

  constructor(client: RawJson) {
    this.#client = client;
  }

  async publish(message: Neutral): Promise<void> {
    await this.#client.request({ type: 'publish', ...jsonFields(message) });
  }

  async subscribe(filter: string): Promise<void> {
    await this.#client.request({ type: 'subscribe', filter });
  }

  async next(): Promise<Neutral> {
    return ofJson(await this.#client.expect('message'));
  }

  close(): void {
    this.#client.destroy();
  }
}
