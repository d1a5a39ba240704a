import type { Message, Receipted, Client as StompitClient } from 'stompit';
import type { Address } from '../../../src/broker.ts';
import { eventually } from '../../support/eventually.ts';
import type { Client, Headers, Received, StompPeer, Terms } from './stomp-peer.ts';
import { Stompit } from './stompit.ts';

type Transaction = ReturnType<StompitClient['begin']>;

/**
 * It throws an ERROR with `content-type:text/plain` and a content-length, as RabbitMQ and this broker send it, where nobody can catch
 * it (an error event of the frame, which has no listener; of Node 14 and later). An application is told by the process, and so is a test.
 */
let told: ((error: Error) => void) | undefined;
process.on('uncaughtException', (error) => {
  if (told === undefined || !('longMessage' in error)) throw error;
  told(error);
});

/** `stompit` for the steps that are the same with each client. */
class StompitPeer implements StompPeer {
  readonly version: string;
  readonly #client: Stompit;
  readonly #messages = new WeakMap<Received, Message>();
  readonly #ends = new Map<string, () => void>();
  readonly #transactions = new Map<string, Transaction>();
  #error: Received | undefined;

  constructor(client: Stompit) {
    this.#client = client;
    this.version = client.client.headers.version ?? '1.0';
  }

  get closed(): boolean {
    return this.#client.closed;
  }

  send(destination: string, body: string, headers: Headers = {}): Promise<void> {
    if (headers.transaction === undefined) return this.#client.send(destination, body, headers);
    this.#client.client.send({ ...headers, destination }).end(body);
    return Promise.resolve();
  }

  async subscribe(destination: string, headers: Headers = {}): Promise<void> {
    this.#ends.set(destination, await this.#client.subscribe(destination, headers));
  }

  unsubscribe(destination: string): Promise<void> {
    this.#ends.get(destination)?.();
    return this.send('/topic/nobody', '');
  }

  ack(message: Received, headers: Headers = {}): Promise<void> {
    return this.#settle('ack', message, headers);
  }

  nack(message: Received, headers: Headers = {}): Promise<void> {
    return this.#settle('nack', message, headers);
  }

  begin(transaction: string): Promise<void> {
    this.#transactions.set(transaction, this.#client.client.begin(transaction));
    return this.send('/topic/nobody', '');
  }

  commit(transaction: string): Promise<void> {
    return this.#end(transaction, (ending, options) => ending.commit(options));
  }

  abort(transaction: string): Promise<void> {
    return this.#end(transaction, (ending, options) => ending.abort(options));
  }

  async next(): Promise<Received> {
    const { message, body } = await this.#client.next();
    const received = { headers: message.headers, body };
    this.#messages.set(received, message);
    return received;
  }

  async provoke(destination: string): Promise<void> {
    told = (error) => {
      const body = 'longMessage' in error ? String(error.longMessage) : '';
      this.#error = { headers: { message: error.message }, body };
    };
    this.#client.client.send({ destination }).end('x');
  }

  refusal(): Promise<Received> {
    return eventually('ERROR', () => this.#error);
  }

  async leave(): Promise<boolean> {
    await this.#client.end();
    return true;
  }

  destroy(): void {
    this.#client.destroy();
  }

  async #settle(what: 'ack' | 'nack', received: Received, headers: Headers): Promise<void> {
    const message = this.#messages.get(received);
    if (message === undefined) return;
    const { client } = this.#client;
    if (headers.transaction !== undefined) client[what](message, { ...headers });
    else await this.#client.receipt((onReceipt) => client[what](message, { ...headers }, { onReceipt }));
  }

  #end(name: string, act: (transaction: Transaction, options: Receipted) => void): Promise<void> {
    return this.#client.receipt((onReceipt) => {
      const transaction = this.#transactions.get(name);
      if (transaction !== undefined) act(transaction, { onReceipt });
    });
  }
}

async function connect(address: Address, { version, login, passcode, heartBeat }: Terms): Promise<StompPeer> {
  const refused = new Promise<never>((_, reject) => {
    told = reject;
  });
  const connected = Stompit.connect(address, {
    'accept-version': version,
    ...(login !== undefined && { login }),
    ...(passcode !== undefined && { passcode }),
    ...(heartBeat !== undefined && { 'heart-beat': heartBeat.join(',') }),
  });
  // It does not answer after a refusal.
  connected.catch(() => {});
  return new StompitPeer(await Promise.race([connected, refused]));
}

export const stompit: Client = {
  name: 'stompit',
  versions: ['1.0', '1.1', '1.2'],
  beats: ['1.1', '1.2'],
  nacks: ['1.0', '1.1', '1.2'],
  waits: true,
  readsPieces: true,
  transport: 'stomp',
  connect,
  end: async () => {},
};
