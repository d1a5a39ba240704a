import type { TestBroker } from './broker.ts';
import { RawJson } from './json-client.ts';
import { RawMqtt } from './mqtt-client.ts';
import { header, RawStomp, type StompFrame } from './stomp-client.ts';

/** One interface over the three protocols, so that one test runs for every ordered pair of them. */

/** A message as a test means it; topics in MQTT form, correlation as bytes. */
export interface Neutral {
  readonly topic: string;
  readonly payload: Buffer;
  readonly contentType?: string | undefined;
  readonly replyTo?: string | undefined;
  readonly correlation?: Buffer | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt?: number | undefined;
  readonly headers?: readonly (readonly [string, string])[] | undefined;
  readonly messageId?: string | undefined;
  readonly durable?: boolean | undefined;
  readonly retain?: boolean | undefined;
}

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
    // mqtt-packet takes user properties as an object of lists: order holds while names are grouped.
    const userProperties: Record<string, string[]> = {};
    for (const [name, value] of message.headers ?? []) {
      userProperties[name] ??= [];
      userProperties[name].push(value);
    }
    if (message.messageId !== undefined) userProperties['message-id'] = [message.messageId];
    const properties = {
      ...(message.contentType === undefined ? {} : { contentType: message.contentType }),
      ...(message.replyTo === undefined ? {} : { responseTopic: message.replyTo }),
      ...(message.correlation === undefined ? {} : { correlationData: message.correlation }),
      ...(message.expiresAt === undefined
        ? {}
        : { messageExpiryInterval: Math.round((message.expiresAt - Date.now()) / 1000) }),
      ...(Object.keys(userProperties).length === 0 ? {} : { userProperties }),
    };
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
    const properties = packet.properties ?? {};
    const headers = Object.entries(properties.userProperties ?? {}).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((each): [string, string] => [name, each]),
    );
    return {
      topic: packet.topic,
      payload: Buffer.from(packet.payload),
      contentType: properties.contentType,
      replyTo: properties.responseTopic,
      correlation: properties.correlationData,
      expiresAt:
        properties.messageExpiryInterval === undefined
          ? undefined
          : Date.now() + properties.messageExpiryInterval * 1000,
      headers: headers.filter(([name]) => name !== 'message-id'),
      messageId: headers.find(([name]) => name === 'message-id')?.[1],
      durable: packet.qos > 0,
      retain: packet.retain,
    };
  }

  close(): void {
    this.#client.destroy();
  }
}

/** Only what the tests' topics need; the bijection over all topics is tested by itself. */
const toDestination = (topic: string): string =>
  `/topic/${topic.replaceAll('.', '%2E').replaceAll('/', '.').replaceAll('+', '*')}`;
const fromDestination = (text: string): string => decodeURIComponent(text.replace('/topic/', '').replaceAll('.', '/'));

const STANDARD = new Set(
  'subscription message-id destination content-length content-type reply-to correlation-id expires persistent retain ack redelivered amqp-message-id timestamp'.split(
    ' ',
  ),
);

class StompNeutral implements NeutralClient {
  readonly #client: RawStomp;
  #receipt = 0;
  #subscription = 0;
  readonly #early: StompFrame[] = [];

  constructor(client: RawStomp) {
    this.#client = client;
  }

  async publish(message: Neutral): Promise<void> {
    const headers: [string, string][] = [['destination', toDestination(message.topic)]];
    const add = (name: string, value: string | undefined): void => {
      if (value !== undefined) headers.push([name, value]);
    };
    add('content-type', message.contentType);
    add('reply-to', message.replyTo === undefined ? undefined : toDestination(message.replyTo));
    add('correlation-id', message.correlation === undefined ? undefined : correlationText(message.correlation));
    add('expires', message.expiresAt === undefined ? undefined : String(message.expiresAt));
    add('message-id', message.messageId);
    add('retain', message.retain === true ? 'true' : undefined);
    headers.push(...(message.headers ?? []).map(([name, value]): [string, string] => [name, value]));
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
    const frame = this.#early.shift() ?? (await this.#client.expect('MESSAGE'));
    const get = (name: string): string | undefined => header(frame, name);
    const [replyTo, correlation, expires] = [get('reply-to'), get('correlation-id'), get('expires')];
    return {
      topic: fromDestination(get('destination') ?? ''),
      payload: frame.body,
      contentType: get('content-type'),
      replyTo: replyTo === undefined ? undefined : fromDestination(replyTo),
      correlation: correlation === undefined ? undefined : correlationBytes(correlation),
      expiresAt: expires === undefined ? undefined : Number(expires),
      headers: frame.headers.filter(([name]) => !STANDARD.has(name) && name !== 'user.message-id'),
      messageId: get('amqp-message-id'),
      durable: get('persistent') === 'true',
      retain: get('retain') === 'true',
    };
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
    const { topic, payload, contentType, replyTo, correlation, expiresAt, headers, messageId, durable, retain } =
      message;
    const text = payload.toString();
    const body = Buffer.from(text).equals(payload) ? { payload: text } : { payloadBase64: payload.toString('base64') };
    const correlationId = correlation === undefined ? undefined : correlationText(correlation);
    await this.#client.request({
      type: 'publish',
      topic,
      ...body,
      contentType,
      replyTo,
      correlationId,
      expiresAt,
      headers,
      messageId,
      durable,
      retain,
    });
  }

  async subscribe(filter: string): Promise<void> {
    await this.#client.request({ type: 'subscribe', filter });
  }

  async next(): Promise<Neutral> {
    const message = await this.#client.expect('message');
    const text = (name: string): string | undefined => (typeof message[name] === 'string' ? message[name] : undefined);
    const pairs = Array.isArray(message.headers)
      ? message.headers.map(([name, value]): [string, string] => [String(name), String(value)])
      : [];
    const correlation = text('correlationId');
    const base64 = text('payloadBase64');
    return {
      topic: text('topic') ?? '',
      payload: base64 === undefined ? Buffer.from(text('payload') ?? '') : Buffer.from(base64, 'base64'),
      contentType: text('contentType'),
      replyTo: text('replyTo'),
      correlation: correlation === undefined ? undefined : correlationBytes(correlation),
      expiresAt: typeof message.expiresAt === 'number' ? message.expiresAt : undefined,
      headers: pairs.filter(([name]) => name !== 'message-id'),
      messageId: text('messageId'),
      durable: message.durable === true,
      retain: message.retain === true,
    };
  }

  close(): void {
    this.#client.destroy();
  }
}

function correlationText(bytes: Buffer): string {
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) && ![...text].some((each) => each < ' ')
    ? text
    : `base64:${bytes.toString('base64')}`;
}

function correlationBytes(text: string): Buffer {
  return text.startsWith('base64:') ? Buffer.from(text.slice(7), 'base64') : Buffer.from(text);
}
