import { once } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import type { Address } from '../../src/broker.ts';
import { Inbox } from './inbox.ts';
import * as bytes from './mqtt-bytes.ts';

/**
 * MQTT without a codec: packets as hexadecimal digits, spaces between them as one likes. For tests that are about single
 * bits, and about bytes that no codec would write; `mqtt-bytes.ts` has the same as bytes.
 */

/** Bytes without a length: a payload. */
export function raw(content: string | Uint8Array): string {
  return Buffer.from(content).toString('hex');
}

/** A string or binary data with its length (MQTT 5.0, 1.5.4 and 1.5.6). */
export function data(content: string | Uint8Array): string {
  return raw(bytes.field(content));
}

export function byte(value: number): string {
  return raw(Uint8Array.of(value));
}

export function word(value: number): string {
  return raw(Uint8Array.from(bytes.u16(value)));
}

/** A packet of these parts: the first byte, the remaining length, the rest. */
export function packet(first: number, ...parts: readonly string[]): string {
  return raw(bytes.packet(first, ...parts.map(bytes.hex)));
}

export interface ConnectParts {
  readonly name?: string;
  readonly level?: number;
  readonly flags?: number;
  readonly keepAlive?: number;
  /** With their length; of level 5 only. */
  readonly properties?: string;
  /** The payload: the client identifier and what follows. */
  readonly payload?: string;
}

/** CONNECT; without more, of MQTT 3.1.1 with Clean Session and the client identifier `c`. */
export function connect(parts: ConnectParts = {}): string {
  const level = parts.level ?? 4;
  const name = parts.name ?? (level === 3 ? 'MQIsdp' : 'MQTT');
  const { flags = 0x02, keepAlive = 60, properties = level === 5 ? '00' : '', payload = data('c') } = parts;
  return packet(0x10, data(name), byte(level), byte(flags), word(keepAlive), properties, payload);
}

/** A connection that sends and shows such packets. */
export class MqttWire {
  readonly socket: Socket;
  readonly #inbox = new Inbox<string>();
  #rest = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.#cut(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.#inbox.close());
  }

  static async open({ host, port }: Address): Promise<MqttWire> {
    const socket = dial(port, host);
    await once(socket, 'connect');
    return new MqttWire(socket);
  }

  /** All in one write. */
  send(...packets: readonly string[]): void {
    this.socket.write(bytes.hex(packets.join('')));
  }

  next(): Promise<string> {
    return this.#inbox.next();
  }

  /** So many packets. */
  async take(count: number): Promise<string[]> {
    const packets: string[] = [];
    while (packets.length < count) packets.push(await this.next());
    return packets;
  }

  /** Resolves when the broker has closed the connection, with what came before. */
  end(): Promise<string[]> {
    return this.#inbox.end();
  }

  /** What came until the broker answered a PINGREQ: everything that was due. */
  async flush(): Promise<string[]> {
    this.send('c000');
    const packets: string[] = [];
    for (let next = await this.next(); next !== 'd000'; next = await this.next()) packets.push(next);
    return packets;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #cut(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      let length = 0;
      let at = 1;
      for (let shift = 0; ; shift += 7) {
        const digit = this.#rest[at++];
        if (digit === undefined) return;
        length += (digit & 0x7f) * 2 ** shift;
        if (digit < 0x80) break;
      }
      if (this.#rest.length < at + length) return;
      this.#inbox.push(this.#rest.toString('hex', 0, at + length));
      this.#rest = this.#rest.subarray(at + length);
    }
  }
}
