import { Client, type IMessage, type StompConfig, type StompHeaders, Versions } from '@stomp/stompjs';
import { WebSocket } from 'ws';
import type { Address } from '../../../src/broker.ts';
import { Inbox } from '../../support/inbox.ts';
import { within } from './within.ts';

/** The npm package `@stomp/stompjs` as it is, over the WebSocket of `ws`, with waiting that ends. */
export class StompJs {
  readonly client: Client;
  readonly #inbox = new Inbox<IMessage>();
  #receipts = 0;

  private constructor({ host, port }: Address, config: StompConfig) {
    const versions = config.stompVersions ?? Versions.default;
    this.client = new Client({
      reconnectDelay: 0,
      heartbeatIncoming: 0,
      heartbeatOutgoing: 0,
      webSocketFactory: () => new WebSocket(`ws://${host}:${port}/stomp`, versions.protocolVersions()),
      ...config,
    });
  }

  static async connect(address: Address, config: StompConfig = {}): Promise<StompJs> {
    const made = new StompJs(address, config);
    const { client } = made;
    try {
      await within(
        'CONNECTED',
        new Promise<void>((resolve, reject) => {
          client.onConnect = () => resolve();
          client.onStompError = ({ headers, body }) => reject(new Error(`ERROR ${headers.message}: ${body}`));
          client.onWebSocketError = () => reject(new Error('the WebSocket failed'));
          client.activate();
        }),
      );
      return made;
    } catch (error) {
      made.destroy();
      throw error;
    }
  }

  /** Subscribes, and returns how to end that; resolves when the broker has it. */
  async subscribe(destination: string, headers: StompHeaders = {}): Promise<() => Promise<void>> {
    const [receipt, arrived] = this.#receipt();
    const { unsubscribe } = this.client.subscribe(destination, (message) => this.#inbox.push(message), {
      ...headers,
      receipt,
    });
    await arrived;
    return async () => {
      const [last, gone] = this.#receipt();
      unsubscribe({ receipt: last });
      await gone;
    };
  }

  /** Resolves when the broker has answered with a receipt. */
  async send(destination: string, body: string | Uint8Array, headers: StompHeaders = {}): Promise<void> {
    const [receipt, arrived] = this.#receipt();
    this.client.publish({
      destination,
      ...(typeof body === 'string' ? { body } : { binaryBody: body }),
      headers: { ...headers, receipt },
    });
    await arrived;
  }

  /** Ends a transaction, and resolves when the broker has done it. Its library's own way takes no receipt. */
  async settle(act: (headers: StompHeaders) => void): Promise<void> {
    const [receipt, arrived] = this.#receipt();
    act({ receipt });
    await arrived;
  }

  next(): Promise<IMessage> {
    return this.#inbox.next();
  }

  /** The bodies of all that came until a message of its own has come back. */
  async flush(): Promise<string[]> {
    const mark = `/topic/flush.${Math.floor(Math.random() * 1e9)}`;
    const end = await this.subscribe(mark);
    await this.send(mark, '');
    const bodies: string[] = [];
    for (let each = await this.next(); each.headers.destination !== mark; each = await this.next())
      bodies.push(each.body);
    await end();
    return bodies;
  }

  /** DISCONNECT with its receipt, then the end of the connection. */
  async end(): Promise<void> {
    await within('the end of the connection', this.client.deactivate());
  }

  /** Closes without DISCONNECT. */
  destroy(): void {
    this.client.deactivate({ force: true }).catch(() => {});
  }

  #receipt(): [string, Promise<void>] {
    const id = `receipt-${++this.#receipts}`;
    return [id, within(id, new Promise<void>((resolve) => this.client.watchForReceipt(id, () => resolve())))];
  }
}
