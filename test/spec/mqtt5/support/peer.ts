import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Address } from '../../../../src/broker.ts';
import type { TestBroker } from '../../../support/broker.ts';
import { Inbox } from '../../../support/inbox.ts';
import { type Bytes, type Connect, connect, join, pingreq } from '../../../support/mqtt-bytes.ts';
import { type Received, readPacket } from './strict.ts';

/** How bytes travel: in one piece or each by itself. */
export interface Way {
  readonly name: string;
  readonly webSocket: boolean;
  readonly split: boolean;
}

export const TCP: Way = { name: 'TCP', webSocket: false, split: false };
export const TCP_SPLIT: Way = { name: 'TCP, byte by byte', webSocket: false, split: true };
export const WEBSOCKET: Way = { name: 'WebSocket', webSocket: true, split: false };
export const WEBSOCKET_SPLIT: Way = { name: 'WebSocket, a frame a byte', webSocket: true, split: true };
export const WAYS = [TCP, TCP_SPLIT, WEBSOCKET, WEBSOCKET_SPLIT];

interface Carrier {
  send(bytes: Buffer): void;
  pause(): void;
  resume(): void;
  destroy(): void;
}

/**
 * A client that sends any bytes and lets the server send only what MQTT 5.0 allows: `strict.ts` for each packet, and of
 * their order CONNACK first and once, nothing behind a refusal or DISCONNECT.
 */
export class Peer {
  readonly #inbox = new Inbox<Received | Error>();
  readonly #way: Way;
  #carrier: Carrier | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #greeted = false;
  #last = false;

  private constructor(way: Way) {
    this.#way = way;
  }

  /** A connection on which nothing has been said. */
  static async open(server: TestBroker, way: Way = TCP): Promise<Peer> {
    const peer = new Peer(way);
    peer.#carrier = await (way.webSocket ? peer.#openWebSocket(server.http) : peer.#openTcp(server.mqtt));
    return peer;
  }

  /** A connection with its CONNACK, which must accept. */
  static async connect(
    server: TestBroker,
    fields: Connect = {},
    way: Way = TCP,
  ): Promise<Peer & { connack: Received }> {
    const peer = await Peer.open(server, way);
    await peer.send(connect(fields));
    const connack = await peer.expect(2);
    if (connack.reasons[0] !== 0) throw new Error(`CONNECT was refused: ${JSON.stringify(connack)}`);
    return Object.assign(peer, { connack });
  }

  async send(...parts: readonly Bytes[]): Promise<void> {
    const bytes = join(...parts);
    if (!this.#way.split) {
      this.#carrier?.send(bytes);
      return;
    }
    for (let at = 0; at < bytes.length; at++) {
      this.#carrier?.send(bytes.subarray(at, at + 1));
      await turn();
    }
  }

  async next(): Promise<Received> {
    const packet = await this.#inbox.next();
    if (packet instanceof Error) throw packet;
    return packet;
  }

  /** The next packet, which must be of this type. */
  async expect(type: number): Promise<Received> {
    const packet = await this.next();
    if (packet.type !== type) throw new Error(`expected packet type ${type}, got ${JSON.stringify(packet)}`);
    return packet;
  }

  /** Resolves when the server has closed the connection; returns what it sent before, all of it. */
  async end(): Promise<Received[]> {
    return (await this.#inbox.end()).map((packet) => {
      if (packet instanceof Error) throw packet;
      return packet;
    });
  }

  /** What has come until the server answered a ping: everything that was due. */
  async flush(): Promise<Received[]> {
    await this.send(pingreq());
    const packets: Received[] = [];
    for (let each = await this.next(); each.type !== 13; each = await this.next()) packets.push(each);
    return packets;
  }

  /** Does not read, until `resume`. */
  pause(): void {
    this.#carrier?.pause();
  }

  resume(): void {
    this.#carrier?.resume();
  }

  /** Goes without DISCONNECT. */
  destroy(): void {
    this.#carrier?.destroy();
  }

  async #openTcp({ host, port }: Address): Promise<Carrier> {
    const socket: Socket = connectTcp(port, host);
    await once(socket, 'connect');
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.#inbox.close());
    return {
      send: (bytes) => socket.write(bytes),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      destroy: () => socket.destroy(),
    };
  }

  async #openWebSocket({ host, port }: Address): Promise<Carrier> {
    const socket = new WebSocket(`ws://${host}:${port}/mqtt`, 'mqtt');
    socket.on('message', (data, binary) => {
      if (binary && Buffer.isBuffer(data)) this.#receive(data);
      else this.#inbox.push(new Error('a text frame from the server [MQTT-6.0.0-1]'));
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#inbox.close());
    await once(socket, 'open');
    return {
      send: (bytes) => socket.send(bytes, () => {}),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      destroy: () => socket.terminate(),
    };
  }

  #receive(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    try {
      for (let each = readPacket(this.#rest); each !== undefined; each = readPacket(this.#rest)) {
        this.#rest = this.#rest.subarray(each.bytes);
        this.#inOrder(each);
        this.#inbox.push(each);
      }
    } catch (error) {
      this.#rest = Buffer.alloc(0);
      this.#inbox.push(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #inOrder({ type, reasons: [reason = 0] }: Received): void {
    if (this.#last) throw new Error(`packet type ${type} behind the last one [MQTT-3.14.4-1]`);
    if (!this.#greeted && type !== 2 && type !== 15)
      throw new Error(`packet type ${type} before CONNACK [MQTT-3.2.0-1]`);
    if (this.#greeted && type === 2) throw new Error('a second CONNACK [MQTT-3.2.0-2]');
    this.#greeted ||= type === 2;
    this.#last = type === 14 || (type === 2 && reason !== 0);
  }
}
