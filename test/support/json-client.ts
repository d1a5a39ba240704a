import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Address } from '../../src/broker.ts';
import { Inbox } from './inbox.ts';

export type Json = Record<string, unknown>;

/** A client of `trimaran.v1` that sends and shows messages. */
export class RawJson {
  readonly socket: WebSocket;
  readonly #inbox = new Inbox<Json>();
  #id = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => this.#inbox.push(JSON.parse(String(data))));
    socket.on('error', () => {});
    socket.on('close', () => this.#inbox.close());
  }

  static async open({ host, port }: Address): Promise<RawJson> {
    const socket = new WebSocket(`ws://${host}:${port}/ws`, 'trimaran.v1');
    const client = new RawJson(socket);
    await once(socket, 'open');
    return client;
  }

  static async connect(address: Address, hello: Json = {}): Promise<RawJson> {
    const client = await RawJson.open(address);
    client.send({ type: 'hello', ...hello });
    await client.expect('hello');
    return client;
  }

  send(message: Json): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Sends with an id and waits for its acknowledgement; messages that come first are an error. */
  async request(message: Json): Promise<void> {
    const id = ++this.#id;
    this.send({ ...message, id });
    const ack = await this.expect('ack');
    if (ack.id !== id) throw new Error(`expected the ack of ${id}, got ${JSON.stringify(ack)}`);
  }

  next(): Promise<Json> {
    return this.#inbox.next();
  }

  async expect(type: string): Promise<Json> {
    const message = await this.next();
    if (message.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(message)}`);
    return message;
  }

  end(): Promise<Json[]> {
    return this.#inbox.end();
  }

  destroy(): void {
    this.socket.terminate();
  }
}
