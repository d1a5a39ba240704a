import { connect, type Socket } from 'node:net';
import mqttPacket from 'mqtt-packet';
import type { Address } from '../../../src/broker.ts';

/**
 * An MQTT client that keeps its half of the session as the specification says (MQTT 5.0, 4.1 and 4.3), whatever happens
 * to the connection or the server: what it has not completed it sends again, and a QoS 2 message it knows by its
 * identifier it does not take twice.
 */
export class PersistentClient {
  readonly clientId: string;
  readonly #address: () => Address;
  readonly #version: 4 | 5;
  #socket: Socket | undefined;
  #wanted = false;
  #connected = false;
  #everConnected = false;
  #retry: NodeJS.Timeout | undefined;
  #nextId = 0;
  readonly #outgoing = new Map<number, { packet: mqttPacket.IPublishPacket | undefined; tag: number }>();
  readonly #incoming = new Set<number>();
  #subscription: { topic: string; qos: 0 | 1 | 2 } | undefined;
  #subscribed: (() => void) | undefined;
  /** Sessions the server should have had. */
  sessionsLost = 0;
  refused = 0;
  onMessage: (topic: string, payload: string) => void = () => {};
  /** The server has taken responsibility for the message: PUBACK or PUBREC. */
  onAcknowledged: (tag: number) => void = () => {};
  onRoom: () => void = () => {};
  /**
   * Until the next connection, what the server says is not heard (`deaf`), or what the client says is not sent (`mute`):
   * as when the network goes a moment before the server does.
   */
  impaired: 'no' | 'deaf' | 'mute' = 'no';

  constructor(clientId: string, address: () => Address, version: 4 | 5) {
    this.clientId = clientId;
    this.#address = address;
    this.#version = version;
  }

  get unfinished(): number {
    return this.#outgoing.size;
  }

  get connected(): boolean {
    return this.#connected;
  }

  start(): void {
    this.#wanted = true;
    if (this.#socket === undefined) this.#open();
  }

  /** Leaves, with or without a DISCONNECT; the session stays. */
  stop(politely: boolean): void {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const socket = this.#socket;
    if (politely && this.#connected) {
      this.#send({ cmd: 'disconnect', reasonCode: 0 });
      socket?.end();
    } else {
      socket?.destroy();
    }
    this.#gone(socket);
  }

  /** Loses the connection, and makes another. */
  drop(): void {
    const socket = this.#socket;
    socket?.destroy();
    this.#gone(socket);
  }

  /** Resolves when the server has acknowledged the subscription. */
  subscribe(topic: string, qos: 0 | 1 | 2): Promise<void> {
    this.#subscription = { topic, qos };
    return new Promise((resolve) => {
      this.#subscribed = resolve;
      if (this.#connected) this.#sendSubscribe();
    });
  }

  /** `tag` comes back in `onAcknowledged`. */
  publish(topic: string, payload: string, qos: 1 | 2, tag: number): void {
    do this.#nextId = (this.#nextId % 0xffff) + 1;
    while (this.#outgoing.has(this.#nextId));
    const packet = { cmd: 'publish', topic, payload, qos, dup: false, retain: false, messageId: this.#nextId } as const;
    this.#outgoing.set(this.#nextId, { packet, tag });
    if (this.#connected) this.#send(packet);
  }

  #open(): void {
    const { host, port } = this.#address();
    const socket = connect(port, host);
    this.#socket = socket;
    this.impaired = 'no';
    const parser = mqttPacket.parser({ protocolVersion: this.#version });
    parser.on('packet', (packet) => this.#socket === socket && this.#receive(packet));
    socket.on('data', (chunk) => this.impaired !== 'deaf' && parser.parse(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.#gone(socket));
    socket.on('connect', () =>
      this.#send({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: this.#version,
        clientId: this.clientId,
        clean: false,
        keepalive: 30,
        ...(this.#version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
      }),
    );
  }

  #gone(socket: Socket | undefined): void {
    if (socket === undefined || this.#socket !== socket) return;
    this.#socket = undefined;
    this.#connected = false;
    if (this.#wanted) this.#retry = setTimeout(() => this.#open(), 25);
  }

  #send(packet: mqttPacket.Packet): void {
    if (this.impaired !== 'mute') this.#socket?.write(mqttPacket.generate(packet, { protocolVersion: this.#version }));
  }

  #sendSubscribe(): void {
    if (this.#subscription !== undefined)
      this.#send({ cmd: 'subscribe', messageId: 0xffff, subscriptions: [this.#subscription] });
  }

  #receive(packet: mqttPacket.Packet): void {
    if (packet.cmd === 'connack') this.#welcome(packet);
    else if (packet.cmd === 'suback') {
      this.#subscribed?.();
      this.#subscribed = undefined;
    } else if (packet.cmd === 'publish') this.#message(packet);
    else if (packet.cmd === 'pubrel') {
      this.#incoming.delete(packet.messageId ?? 0);
      this.#send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 });
    } else if (packet.cmd === 'puback' || packet.cmd === 'pubrec') this.#acknowledged(packet);
    else if (packet.cmd === 'pubcomp') {
      this.#outgoing.delete(packet.messageId ?? 0);
      this.onRoom();
    }
  }

  #welcome({ sessionPresent, returnCode, reasonCode }: mqttPacket.IConnackPacket): void {
    if ((this.#version === 5 ? reasonCode : returnCode) !== 0) {
      this.#socket?.destroy();
      return;
    }
    if (!sessionPresent) {
      if (this.#everConnected) this.sessionsLost++;
      this.#incoming.clear();
    }
    this.#everConnected = true;
    this.#connected = true;
    if (!sessionPresent || this.#subscribed !== undefined) this.#sendSubscribe();
    for (const [messageId, { packet }] of this.#outgoing) {
      if (packet === undefined) this.#send({ cmd: 'pubrel', messageId });
      else this.#send({ ...packet, dup: true });
    }
    this.onRoom();
  }

  #message(packet: mqttPacket.IPublishPacket): void {
    const { qos, messageId = 0, topic } = packet;
    const known = qos === 2 && this.#incoming.has(messageId);
    if (qos === 2) this.#incoming.add(messageId);
    if (!known) this.onMessage(topic, packet.payload.toString());
    if (qos === 1) this.#send({ cmd: 'puback', messageId });
    if (qos === 2) this.#send({ cmd: 'pubrec', messageId });
  }

  #acknowledged({ cmd, messageId = 0, reasonCode = 0 }: mqttPacket.IPubackPacket | mqttPacket.IPubrecPacket): void {
    const sent = this.#outgoing.get(messageId);
    if (sent === undefined) {
      if (cmd === 'pubrec') this.#send({ cmd: 'pubrel', messageId, reasonCode: this.#version === 5 ? 0x92 : 0 });
      return;
    }
    if (reasonCode >= 0x80) {
      this.refused++;
      this.#outgoing.delete(messageId);
      this.onRoom();
      return;
    }
    this.onAcknowledged(sent.tag);
    if (cmd === 'puback') {
      this.#outgoing.delete(messageId);
      this.onRoom();
    } else {
      sent.packet = undefined;
      this.#send({ cmd: 'pubrel', messageId });
    }
  }
}
