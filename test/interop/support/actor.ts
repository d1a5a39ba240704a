import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import mqttPacket, { type IConnackPacket, type IPublishPacket, type ISubackPacket, type Packet } from 'mqtt-packet';
import type { Address } from '../../../src/broker.ts';
import type { Seen } from './mqttjs.ts';
import { within } from './within.ts';

export interface Will {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

export interface Terms {
  readonly clientId: string;
  readonly clean: boolean;
  readonly will: Will | undefined;
  /** It acknowledges what comes; else it comes again on its next connection. */
  readonly acknowledges: boolean;
}

type Ack = Exclude<Packet, IPublishPacket>;

/**
 * A client of MQTT 3.1.1 that does one thing after the other, each to its end, and notes all messages in the order in which they
 * come.
 */
export class Actor {
  readonly received: Seen[] = [];
  readonly #socket: Socket;
  readonly #terms: Terms;
  readonly #acks: Ack[] = [];
  readonly #closed: Promise<unknown>;
  #wake: (() => void) | undefined;
  #open = true;
  #lastId = 0;

  private constructor(socket: Socket, terms: Terms) {
    this.#socket = socket;
    this.#terms = terms;
    const parser = mqttPacket.parser({ protocolVersion: 4 });
    parser.on('packet', (packet) => this.#take(packet));
    socket.on('data', (chunk) => parser.parse(chunk));
    socket.on('error', () => {});
    this.#closed = new Promise((resolve) => socket.once('close', resolve)).then(() => {
      this.#open = false;
      this.#wake?.();
    });
  }

  static async connect({ host, port }: Address, terms: Terms): Promise<[Actor, IConnackPacket]> {
    const socket = connect(port, host).setNoDelay(true);
    await once(socket, 'connect');
    const actor = new Actor(socket, terms);
    const { clientId, clean, will } = terms;
    actor.#send({ cmd: 'connect', clientId, clean, keepalive: 0, ...(will !== undefined && { will }) });
    const connack = await actor.#ack('connack');
    if (connack.cmd !== 'connack') throw new Error('unreachable');
    return [actor, connack];
  }

  /** False once the broker has closed it. */
  get open(): boolean {
    return this.#open;
  }

  /** The SUBACK's codes. */
  async subscribe(filters: readonly { topic: string; qos: 0 | 1 | 2 }[]): Promise<ISubackPacket['granted']> {
    const messageId = this.#nextId();
    this.#send({ cmd: 'subscribe', messageId, subscriptions: [...filters] });
    const suback = await this.#ack('suback', messageId);
    return suback.cmd === 'suback' ? suback.granted : [];
  }

  async unsubscribe(filters: readonly string[]): Promise<void> {
    const messageId = this.#nextId();
    this.#send({ cmd: 'unsubscribe', messageId, unsubscriptions: [...filters] });
    await this.#ack('unsuback', messageId);
  }

  async publish(message: Will): Promise<void> {
    const messageId = this.#nextId();
    this.#send({ cmd: 'publish', dup: false, messageId, ...message });
    if (message.qos === 1) await this.#ack('puback', messageId);
    if (message.qos < 2) return this.ping();
    await this.#ack('pubrec', messageId);
    this.#send({ cmd: 'pubrel', messageId });
    await this.#ack('pubcomp', messageId);
  }

  async ping(): Promise<void> {
    this.#send({ cmd: 'pingreq' });
    await this.#ack('pingresp');
  }

  /** Resolves when the broker has closed it, too. */
  async end(): Promise<void> {
    this.#send({ cmd: 'disconnect' });
    await this.closed();
  }

  closed(): Promise<unknown> {
    return within('the close of the connection', this.#closed, 5000);
  }

  /** Without DISCONNECT. */
  drop(): void {
    this.#socket.destroy();
  }

  #send(packet: Packet): void {
    this.#socket.write(mqttPacket.generate(packet));
  }

  #nextId(): number {
    return ++this.#lastId;
  }

  async #ack(cmd: Ack['cmd'], messageId?: number): Promise<Ack> {
    const deadline = performance.now() + 5000;
    for (;;) {
      const index = this.#acks.findIndex((each) => each.cmd === cmd && each.messageId === messageId);
      const [found] = index < 0 ? [] : this.#acks.splice(index, 1);
      if (found !== undefined) return found;
      if (!this.#open) throw new Error(`${this.#terms.clientId} was closed, and waited for ${cmd}`);
      const left = deadline - performance.now();
      if (left < 0) throw new Error(`${this.#terms.clientId} waited for ${cmd}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  #take(packet: Packet): void {
    if (packet.cmd === 'publish') {
      const { topic, payload, qos, retain, messageId = 0 } = packet;
      this.received.push({ topic, payload: payload.toString(), qos, retain });
      if (qos > 0 && this.#terms.acknowledges) this.#send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId });
    } else if (packet.cmd === 'pubrel') {
      this.#send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 });
    } else {
      this.#acks.push(packet);
      this.#wake?.();
    }
  }
}
