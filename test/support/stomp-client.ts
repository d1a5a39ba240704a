import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Address } from '../../src/broker.ts';
import { Inbox } from './inbox.ts';

export interface StompFrame {
  readonly command: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** A STOMP 1.2 client that sends and shows frames, written from the specification and sharing no code with the broker. */
export class RawStomp {
  readonly socket: Socket;
  readonly #inbox = new Inbox<StompFrame>();
  #bytes = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#parse();
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#inbox.close());
  }

  static async open({ host, port }: Address): Promise<RawStomp> {
    const socket = connect(port, host);
    await once(socket, 'connect');
    return new RawStomp(socket);
  }

  static async connect(address: Address, headers: Record<string, string> = {}): Promise<RawStomp> {
    const client = await RawStomp.open(address);
    client.send('CONNECT', { 'accept-version': '1.2', host: 'test', ...headers });
    await client.expect('CONNECTED');
    return client;
  }

  send(
    command: string,
    headers: Record<string, string> | readonly (readonly [string, string])[] = {},
    body: string | Buffer = '',
  ): void {
    const pairs = Array.isArray(headers) ? headers : Object.entries(headers);
    const bytes = Buffer.from(body);
    const bare = command === 'CONNECT';
    const lines = pairs.map(([name, value]) => (bare ? `${name}:${value}` : `${escaped(name)}:${escaped(value)}`));
    if (bytes.length > 0) lines.push(`content-length:${bytes.length}`);
    this.socket.write(Buffer.concat([Buffer.from(`${[command, ...lines].join('\n')}\n\n`), bytes, Buffer.of(0)]));
  }

  next(): Promise<StompFrame> {
    return this.#inbox.next();
  }

  async expect(command: string): Promise<StompFrame> {
    const frame = await this.next();
    if (frame.command !== command)
      throw new Error(`expected ${command}, got ${frame.command} ${JSON.stringify(frame.headers)} ${frame.body}`);
    return frame;
  }

  end(): Promise<StompFrame[]> {
    return this.#inbox.end();
  }

  /** Resolves when the broker has done all that was sent before; returns the frames that came until then. */
  async flush(): Promise<StompFrame[]> {
    const receipt = `flush-${Math.random()}`;
    // An unsubscription that matters to no one: every server must answer its receipt.
    this.send('SUBSCRIBE', { id: receipt, destination: `/topic/${receipt.slice(8)}` });
    this.send('UNSUBSCRIBE', { id: receipt, receipt });
    const frames: StompFrame[] = [];
    for (let frame = await this.next(); frame.command !== 'RECEIPT'; frame = await this.next()) frames.push(frame);
    return frames;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #parse(): void {
    while (true) {
      while (this.#bytes[0] === 10 || this.#bytes[0] === 13) this.#bytes = this.#bytes.subarray(1);
      const blank = this.#bytes.indexOf('\n\n');
      if (blank === -1) return;
      const [command = '', ...lines] = this.#bytes.toString('utf8', 0, blank).split('\n');
      const bare = command === 'CONNECTED';
      const headers = lines.map((line): [string, string] => {
        const colon = line.indexOf(':');
        const [name, value] = [line.slice(0, colon), line.slice(colon + 1)];
        return bare ? [name, value] : [unescaped(name), unescaped(value)];
      });
      const length = headers.find(([name]) => name === 'content-length')?.[1];
      const end = length === undefined ? this.#bytes.indexOf(0, blank + 2) : blank + 2 + Number(length);
      if (end === -1 || end >= this.#bytes.length) return;
      if (this.#bytes[end] !== 0) throw new Error('no null byte where the content-length says');
      this.#inbox.push({ command, headers, body: Buffer.from(this.#bytes.subarray(blank + 2, end)) });
      this.#bytes = this.#bytes.subarray(end + 1);
    }
  }
}

/** The first value of a header: later ones do not count. */
export function header(frame: StompFrame, name: string): string | undefined {
  return frame.headers.find(([each]) => each === name)?.[1];
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\r', '\\r').replaceAll('\n', '\\n').replaceAll(':', '\\c');
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, code: string) => ({ r: '\r', n: '\n', c: ':', '\\': '\\' })[code] ?? '?');
}
