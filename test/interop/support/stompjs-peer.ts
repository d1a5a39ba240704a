import { type IMessage, Versions } from '@stomp/stompjs';
import type { Address } from '../../../src/broker.ts';
import { eventually } from '../../support/eventually.ts';
import type { Client, Headers, Received, StompPeer, Terms } from './stomp-peer.ts';
import { StompJs } from './stompjs.ts';

/** `@stomp/stompjs` for the steps that are the same with each client. */
class StompJsPeer implements StompPeer {
  readonly #client: StompJs;
  readonly #messages = new WeakMap<Received, IMessage>();
  readonly #ends = new Map<string, () => Promise<void>>();
  #error: Received | undefined;

  constructor(client: StompJs) {
    this.#client = client;
    client.client.onStompError = ({ headers, body }) => {
      this.#error = { headers, body };
    };
  }

  get version(): string {
    return this.#client.client.connectedVersion ?? '';
  }

  get closed(): boolean {
    return !this.#client.client.connected;
  }

  send(destination: string, body: string, headers: Headers = {}): Promise<void> {
    if (headers.transaction === undefined) return this.#client.send(destination, body, headers);
    this.#client.client.publish({ destination, body, headers });
    return Promise.resolve();
  }

  async subscribe(destination: string, headers: Headers = {}): Promise<void> {
    this.#ends.set(destination, await this.#client.subscribe(destination, headers));
  }

  async unsubscribe(destination: string): Promise<void> {
    await this.#ends.get(destination)?.();
  }

  ack(message: Received, headers: Headers = {}): Promise<void> {
    return this.#settle(headers, (all) => this.#messages.get(message)?.ack(all));
  }

  nack(message: Received, headers: Headers = {}): Promise<void> {
    return this.#settle(headers, (all) => this.#messages.get(message)?.nack(all));
  }

  // The library's own ways to begin and end a transaction take no receipt; what comes behind it does.

  begin(transaction: string): Promise<void> {
    this.#client.client.begin(transaction);
    return this.send('/topic/nobody', '');
  }

  commit(transaction: string): Promise<void> {
    this.#client.client.commit(transaction);
    return this.send('/topic/nobody', '');
  }

  abort(transaction: string): Promise<void> {
    this.#client.client.abort(transaction);
    return this.send('/topic/nobody', '');
  }

  async #settle(headers: Headers, act: (headers: Headers) => void): Promise<void> {
    if (headers.transaction === undefined) await this.#client.settle((receipt) => act({ ...headers, ...receipt }));
    else act(headers);
  }

  async next(): Promise<Received> {
    const message = await this.#client.next();
    const received = { headers: message.headers, body: message.body };
    this.#messages.set(received, message);
    return received;
  }

  async provoke(destination: string): Promise<void> {
    this.#client.client.publish({ destination, body: 'x' });
  }

  refusal(): Promise<Received> {
    return eventually('ERROR', () => this.#error);
  }

  /** It closes when the receipt of its DISCONNECT has come. */
  async leave(): Promise<boolean> {
    await this.#client.end();
    return true;
  }

  destroy(): void {
    this.#client.destroy();
  }
}

async function connect(address: Address, { version, login, passcode, heartBeat }: Terms): Promise<StompPeer> {
  const [heartbeatOutgoing, heartbeatIncoming] = heartBeat ?? [0, 0];
  const client = await StompJs.connect(address, {
    stompVersions: new Versions([version]),
    connectHeaders: { ...(login !== undefined && { login }), ...(passcode !== undefined && { passcode }) },
    heartbeatOutgoing,
    heartbeatIncoming,
  });
  return new StompJsPeer(client);
}

export const stompJs: Client = {
  name: '@stomp/stompjs 7',
  versions: ['1.0', '1.1', '1.2'],
  beats: ['1.1', '1.2'],
  nacks: ['1.0', '1.1', '1.2'],
  waits: true,
  readsPieces: true,
  transport: 'http',
  connect,
  end: async () => {},
};
