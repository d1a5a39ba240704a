import type { IPubackPacket, IPublishPacket, ISubackPacket } from 'mqtt-packet';
import type { Address } from '../../../../src/broker.ts';
import { type Packet, RawMqtt } from '../../../support/mqtt-client.ts';
import { delivered, mqttProperties, type Neutral, ofPacket, userProperties } from '../../../support/neutral-forms.ts';
import { answerOf, type Participant, Refused, Sorter, type Source, type Taken, wishesOf } from './participant.ts';

const isMessage = (packet: Packet): packet is IPublishPacket => packet.cmd === 'publish';
const isAnswer = (packet: Packet): packet is IPubackPacket | ISubackPacket =>
  packet.cmd === 'puback' || packet.cmd === 'suback';

/** Of PUBACK, where nobody else can do more with the message. */
const PAYLOAD_INVALID = 0x99;
const UNSPECIFIED = 0x80;

/** MQTT 5, or 3.1.1 (version 4), which can say little: a payload, and that it came. */
export class MqttParticipant implements Participant {
  readonly #version: 4 | 5;
  readonly #client: RawMqtt;
  readonly #sorter: Sorter<Packet>;
  /** Response Information. */
  readonly #replies: string;
  #asked = 0;

  private constructor(version: 4 | 5, client: RawMqtt, replies: string) {
    this.#version = version;
    this.#client = client;
    this.#sorter = new Sorter(() => client.next());
    this.#replies = replies;
  }

  static async connect(version: 4 | 5, address: Address, clientId: string): Promise<MqttParticipant> {
    const asking = version === 5 ? { properties: { requestResponseInformation: true } } : {};
    const client = await RawMqtt.connect(address, { clientId, protocolVersion: version, ...asking });
    return new MqttParticipant(version, client, client.connack.properties?.responseInformation ?? '');
  }

  async send(message: Neutral): Promise<{ duplicate: boolean }> {
    const { topic, payload, durable = false } = message;
    const properties = this.#version === 5 ? { properties: mqttProperties(message) } : {};
    this.#client.publish(topic, payload, { qos: durable ? 1 : 0, messageId: 1, ...properties });
    return { duplicate: durable && (await this.#answer()).duplicate };
  }

  async consume(source: Source): Promise<void> {
    const { topic, group } = source;
    const filter = group === undefined ? topic : `$share/${group}/${topic}`;
    const wishes = this.#version === 5 ? wishesOf(source) : [];
    // mqtt-packet does not write an empty list as one.
    const properties = wishes.length === 0 ? {} : { properties: { userProperties: userProperties(wishes) } };
    this.#client.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: filter, qos: 1 }], ...properties });
    await this.#answer();
  }

  async #answer(): Promise<{ duplicate: boolean }> {
    const packet = await this.#sorter.take(isAnswer).catch((error: unknown) => {
      throw new Refused('closed', String(error));
    });
    const code = packet.cmd === 'suback' ? Number(packet.granted[0]) : (packet.reasonCode ?? 0);
    if (code >= 0x80) throw new Refused(`0x${code.toString(16)}`, packet.properties?.reasonString ?? '');
    return { duplicate: packet.properties?.userProperties?.duplicate === 'true' };
  }

  async take(): Promise<Taken> {
    const packet = await this.#sorter.take(isMessage);
    const message = delivered(ofPacket(packet));
    return {
      ...message,
      accept: () => this.#acknowledge(packet),
      giveBack: (delay) => {
        const user = delay === undefined ? {} : { properties: { userProperties: { delay: String(delay) } } };
        if (this.#version === 4) this.close();
        else this.#acknowledge(packet, { reasonCode: UNSPECIFIED, ...user });
      },
      reject: () => this.#acknowledge(packet, { reasonCode: PAYLOAD_INVALID }),
      answer: (payload) => this.send(answerOf(message, payload)),
    };
  }

  #acknowledge({ qos, messageId }: IPublishPacket, rest: Partial<IPubackPacket> = {}): void {
    if (qos > 0 && messageId !== undefined) this.#client.send({ cmd: 'puback', messageId, ...rest });
  }

  async ask(question: Neutral): Promise<Neutral> {
    const [replyTo, correlation] = [`${this.#replies}/answers`, Buffer.from(`mqtt ${++this.#asked}`)];
    if (this.#asked === 1) await this.consume({ topic: replyTo });
    await this.send({ ...question, replyTo, correlation });
    const packet = await this.#sorter.take(isMessage);
    this.#acknowledge(packet);
    const answer = ofPacket(packet);
    if (answer.correlation?.equals(correlation) !== true) throw new Error('an answer to something else');
    return answer;
  }

  close(): void {
    this.#client.destroy();
  }
}
