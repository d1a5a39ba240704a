import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Address } from '../../../src/broker.ts';

/** MQTT 3.1.1 at QoS 1 for large numbers of messages: whole chunks are built, and read, by their bytes. */

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

/** Bodies here are shorter than 2 MiB. */
function packet(first: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  for (let rest = body.length; length.length === 0 || rest > 0; rest >>= 7) {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  }
  return Buffer.concat([Buffer.of(first, ...length), body]);
}

async function open({ host, port }: Address, clientId: string, clean: boolean): Promise<Socket> {
  const socket = connect(port, host);
  await once(socket, 'connect');
  socket.setNoDelay(true);
  socket.write(packet(0x10, text('MQTT'), Buffer.of(4, clean ? 2 : 0, 0, 0), text(clientId)));
  return socket;
}

/** Messages of one chunk, of which two are under way. */
const CHUNK = 1000;

/** Publishes `count` messages, whose payload is their number as text; each is acknowledged when this resolves. */
export async function flood(
  address: Address,
  count: number,
  topicOf: (number: number) => string,
  progress: (acknowledged: number) => void = () => {},
): Promise<void> {
  const socket = await open(address, `flood-${process.pid}-${count}`, true);
  let sent = 0;
  let received = -4;
  const send = (): void => {
    const parts: Buffer[] = [];
    for (let i = 0; i < CHUNK && sent < count; i++, sent++) {
      const id = (sent % (2 * CHUNK)) + 1;
      parts.push(packet(0x32, text(topicOf(sent)), Buffer.of(id >> 8, id & 0xff), Buffer.from(String(sent))));
    }
    if (parts.length > 0) socket.write(Buffer.concat(parts));
  };
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (chunk) => {
      const before = received < 0 ? -1 : Math.floor(received / 4 / CHUNK);
      // CONNACK and PUBACK have four bytes each.
      received += chunk.length;
      if (received < 0) return;
      if (before === -1) send();
      for (let i = before; i < Math.floor(received / 4 / CHUNK); i++) {
        send();
        progress(Math.floor(received / 4));
      }
      if (received / 4 >= count) resolve();
    });
  });
  socket.removeAllListeners('close');
  socket.destroy();
}

/** A subscriber with a session that lasts. It acknowledges what comes, and keeps the numbers. */
export class FastSubscriber {
  readonly numbers: number[] = [];
  sessionPresent = false;
  /** Milliseconds, of the last message. */
  lastAt = 0;
  readonly #clientId: string;
  #socket: Socket | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #answered: (() => void) | undefined;
  #wanted = Number.POSITIVE_INFINITY;
  #complete: (() => void) | undefined;

  constructor(clientId: string) {
    this.#clientId = clientId;
  }

  async connect(address: Address): Promise<void> {
    const socket = await open(address, this.#clientId, false);
    this.#socket = socket;
    this.#rest = Buffer.alloc(0);
    socket.on('error', () => {});
    const connack = this.#answer();
    socket.on('data', (chunk) => this.#read(chunk));
    await connack;
  }

  async subscribe(filter: string): Promise<void> {
    const suback = this.#answer();
    this.#socket?.write(packet(0x82, Buffer.of(0, 1), text(filter), Buffer.of(1)));
    await suback;
  }

  /** Resolves when so many messages have come. */
  received(count: number, milliseconds: number): Promise<void> {
    this.#wanted = count;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.#clientId}: ${this.numbers.length} of ${count} messages came`)),
        milliseconds,
      );
      this.#complete = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.numbers.length >= count) this.#complete();
    });
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  async disconnect(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.resume();
    const closed = once(socket, 'close');
    socket.end(Buffer.of(0xe0, 0));
    await closed;
  }

  destroy(): void {
    this.#socket?.destroy();
  }

  #answer(): Promise<void> {
    return new Promise((resolve) => {
      this.#answered = resolve;
    });
  }

  #read(chunk: Buffer): void {
    const buffer = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const acknowledgements: Buffer[] = [];
    let at = 0;
    while (at + 2 <= buffer.length) {
      let body = at + 1;
      let length = 0;
      let byte = 0x80;
      for (let shift = 0; (byte & 0x80) !== 0 && body < buffer.length; shift += 7) {
        byte = buffer[body++] ?? 0;
        length |= (byte & 0x7f) << shift;
      }
      const end = body + length;
      if ((byte & 0x80) !== 0 || end > buffer.length) break;
      this.#packet(buffer, at, body, end, acknowledgements);
      at = end;
    }
    this.#rest = Buffer.from(buffer.subarray(at));
    if (acknowledgements.length > 0) this.#socket?.write(Buffer.concat(acknowledgements));
  }

  #packet(buffer: Buffer, at: number, body: number, end: number, acknowledgements: Buffer[]): void {
    const first = buffer[at] ?? 0;
    if (first >> 4 === 3) {
      const id = body + 2 + buffer.readUInt16BE(body);
      acknowledgements.push(Buffer.of(0x40, 2, buffer[id] ?? 0, buffer[id + 1] ?? 0));
      this.numbers.push(Number(buffer.toString('latin1', id + 2, end)));
      this.lastAt = performance.now();
      if (this.numbers.length >= this.#wanted) this.#complete?.();
      return;
    }
    if (first === 0x20) this.sessionPresent = buffer[body] === 1;
    this.#answered?.();
    this.#answered = undefined;
  }
}
