import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import mqttPacket from 'mqtt-packet';
import { createWebSocketStream, WebSocket } from 'ws';
import type { Address } from '../../src/broker.ts';
import { Inbox } from './inbox.ts';

export type Packet = mqttPacket.Packet;

/** An MQTT client that sends and shows packets, no more: mqtt-packet is the second opinion on our codec. */
export class RawMqtt {
  readonly socket: Duplex;
  readonly #version: number;
  readonly #inbox = new Inbox<Packet>();

  private constructor(socket: Duplex, version: number) {
    this.socket = socket;
    this.#version = version;
    const parser = mqttPacket.parser({ protocolVersion: version });
    parser.on('packet', (packet) => this.#inbox.push(packet));
    socket.on('data', (chunk) => parser.parse(chunk));
    socket.on('error', () => {});
    // A WebSocket's stream stays half open.
    socket.on('end', () => socket.end());
    socket.on('close', () => this.#inbox.close());
  }

  /** A connection on which nothing has been said. */
  static async open({ host, port }: Address, version = 4): Promise<RawMqtt> {
    const socket = connect(port, host);
    await once(socket, 'connect');
    return new RawMqtt(socket, version);
  }

  /** The same over WebSocket. */
  static async openWebSocket({ host, port }: Address, version = 4): Promise<RawMqtt> {
    const socket = new WebSocket(`ws://${host}:${port}/mqtt`, 'mqtt');
    await once(socket, 'open');
    return new RawMqtt(createWebSocketStream(socket), version);
  }

  /** A connection with its CONNACK, which must accept. `open`: how the connection is made. */
  static async connect(
    address: Address,
    options: Partial<mqttPacket.IConnectPacket> & { clientId: string },
    open = RawMqtt.open,
  ): Promise<RawMqtt & { connack: mqttPacket.IConnackPacket }> {
    const version = options.protocolVersion ?? 4;
    const client = await open(address, version);
    client.send({
      cmd: 'connect',
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: 4,
      clean: true,
      keepalive: 60,
      ...options,
    });
    const connack = await client.next();
    if (connack.cmd !== 'connack' || (connack.returnCode ?? connack.reasonCode) !== 0) {
      throw new Error(`CONNECT was refused: ${JSON.stringify(connack)}`);
    }
    return Object.assign(client, { connack });
  }

  send(packet: Packet): void {
    this.socket.write(mqttPacket.generate(packet, { protocolVersion: this.#version }));
  }

  write(...bytes: (number | string | Uint8Array)[]): void {
    this.socket.write(
      Buffer.concat(bytes.map((each) => (typeof each === 'number' ? Buffer.of(each) : Buffer.from(each)))),
    );
  }

  next(): Promise<Packet> {
    return this.#inbox.next();
  }

  /** The next packet, which must be of this kind. */
  async expect<C extends Packet['cmd']>(cmd: C): Promise<Extract<Packet, { cmd: C }>> {
    const packet = await this.next();
    if (!isA(packet, cmd)) throw new Error(`expected ${cmd}, got ${JSON.stringify(packet)}`);
    return packet;
  }

  /** Resolves when the broker has closed the connection; returns what it sent before, all of it. */
  end(): Promise<Packet[]> {
    return this.#inbox.end();
  }

  /** What has come until the broker answered a ping: everything that was due. */
  async flush(): Promise<Packet[]> {
    this.send({ cmd: 'pingreq' });
    const packets: Packet[] = [];
    for (let packet = await this.next(); packet.cmd !== 'pingresp'; packet = await this.next()) packets.push(packet);
    return packets;
  }

  async subscribe(topic: string, qos: 0 | 1 | 2 = 0, options: object = {}): Promise<number[]> {
    this.send({ cmd: 'subscribe', messageId: 9999, subscriptions: [{ topic, qos, ...options }] });
    const suback = await this.expect('suback');
    return suback.granted.map(Number);
  }

  publish(topic: string, payload: string | Buffer, options: Partial<mqttPacket.IPublishPacket> = {}): void {
    this.send({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false, ...options });
  }

  destroy(): void {
    this.socket.destroy();
  }
}

function isA<C extends Packet['cmd']>(packet: Packet, cmd: C): packet is Extract<Packet, { cmd: C }> {
  return packet.cmd === cmd;
}
