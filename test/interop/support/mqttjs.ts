import { Socket } from 'node:net';
import mqtt, {
  type IClientOptions,
  type IClientPublishOptions,
  type IClientSubscribeOptions,
  type IConnackPacket,
  type IPublishPacket,
  type ISubscriptionGrant,
  type MqttClient,
} from 'mqtt';
import { Inbox } from '../../support/inbox.ts';
import { within } from './within.ts';

/** What a test compares of a message. */
export interface Seen {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** The npm package `mqtt` as it is, with waiting that ends: it connects once, unless the test wants more. */
export class MqttJs {
  readonly client: MqttClient;
  readonly #inbox = new Inbox<IPublishPacket>();
  readonly #connacks = new Inbox<IConnackPacket>();

  private constructor(url: string, options: IClientOptions) {
    this.client = mqtt.connect(url, { reconnectPeriod: 0, connectTimeout: 5000, ...options });
    // The library leaves Nagle's algorithm on: a PUBLISH behind a PUBACK would wait for the kernel's delayed ACK, 40 ms.
    if (this.client.stream instanceof Socket) this.client.stream.setNoDelay(true);
    // Messages for a session that goes on come right behind the CONNACK.
    // The packet itself may have an alias in place of its topic.
    this.client.on('message', (topic, _payload, packet) => this.#inbox.push({ ...packet, topic }));
    this.client.on('connect', (connack) => this.#connacks.push(connack));
  }

  /** Connects, and fails with what the broker answered when it refuses. */
  static async connect(url: string, options: IClientOptions = {}): Promise<[MqttJs, IConnackPacket]> {
    const made = new MqttJs(url, options);
    const refused = new Promise<never>((_, reject) => {
      made.client.on('error', reject);
    });
    // Errors after the connection is made end it; the test sees that by what is missing.
    refused.catch(() => {});
    try {
      return [made, await within(`CONNACK from ${url}`, Promise.race([made.connack(), refused]))];
    } catch (error) {
      made.destroy();
      throw error;
    }
  }

  /** The next CONNACK: connect() has taken the first one. */
  connack(): Promise<IConnackPacket> {
    return this.#connacks.next();
  }

  async subscribe(
    filter: string | string[],
    options: IClientSubscribeOptions = { qos: 0 },
  ): Promise<ISubscriptionGrant[]> {
    return within('SUBACK', this.client.subscribeAsync(filter, options));
  }

  /** Resolves when the broker has acknowledged it, QoS 2 to the end. */
  async publish(topic: string, payload: string | Buffer, options: IClientPublishOptions = {}): Promise<void> {
    await within(`QoS ${options.qos ?? 0} to ${topic}`, this.client.publishAsync(topic, payload, options));
  }

  async unsubscribe(filter: string): Promise<void> {
    await within('UNSUBACK', this.client.unsubscribeAsync(filter));
  }

  next(): Promise<IPublishPacket> {
    return this.#inbox.next();
  }

  async seen(): Promise<Seen> {
    const { topic, payload, qos, retain } = await this.next();
    return { topic, payload: payload.toString(), qos, retain };
  }

  /**
   * All that came until what this client now sends itself has come back. The same QoS as that of the messages waited
   * for, since only those keep their order.
   */
  async flush(qos: 0 | 1 | 2 = 1): Promise<Seen[]> {
    const mark = `flush/${Math.random()}`;
    await this.subscribe(mark, { qos });
    await this.publish(mark, '', { qos });
    const seen: Seen[] = [];
    for (let each = await this.seen(); each.topic !== mark; each = await this.seen()) seen.push(each);
    await this.unsubscribe(mark);
    return seen;
  }

  /** DISCONNECT, and the end of the connection. */
  async end(): Promise<void> {
    await within('the end of the connection', this.client.endAsync());
  }

  /** Loses the connection without a DISCONNECT: the broker publishes the will. */
  async cut(): Promise<void> {
    const closed = this.closed();
    this.client.stream.destroy();
    await closed;
  }

  /** The end of the connection it has now, whoever ends it. */
  closed(): Promise<void> {
    return within('the close of the connection', new Promise((resolve) => this.client.once('close', resolve)));
  }

  destroy(): void {
    this.client.end(true);
  }
}
