import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import stompit, { type Headers, type Message, type Client as StompitClient } from 'stompit';
import type { Address } from '../../../src/broker.ts';
import { Inbox } from '../../support/inbox.ts';
import { within } from './within.ts';

interface Received {
  readonly message: Message;
  readonly body: string;
}

/** The npm package `stompit` as it is. Its methods call back; those without a callback can have a receipt. */
export class Stompit {
  readonly client: StompitClient;
  /** Its socket is closed. */
  closed = false;
  readonly #inbox = new Inbox<Received>();

  private constructor(client: StompitClient) {
    this.client = client;
    // It has errors that its listeners are told of, too.
    client.on('error', () => {});
  }

  static async connect(address: Address, connectHeaders: Headers = {}): Promise<Stompit> {
    let socket: Socket | undefined;
    const connected = new Promise<StompitClient>((resolve, reject) => {
      const open = (options: TcpNetConnectOpts, onOpen: () => void): Socket => {
        // It writes a frame in pieces, which would wait for each other's acknowledgements.
        socket = connect(options, onOpen).setNoDelay(true);
        return socket;
      };
      stompit.connect({ ...address, timeout: 5000, connectHeaders, connect: open }, (error, client) => {
        if (error === null) resolve(client);
        else reject(error);
      });
    });
    const made = new Stompit(await within('CONNECTED', connected));
    socket?.on('close', () => {
      made.closed = true;
    });
    return made;
  }

  /** Resolves when the broker has answered what `act` sends with a receipt. */
  receipt(act: (onReceipt: () => void) => void): Promise<void> {
    return within('RECEIPT', new Promise<void>((resolve) => act(resolve)));
  }

  send(destination: string, body: string | Buffer, headers: Headers = {}): Promise<void> {
    return this.receipt((onReceipt) => this.client.send({ ...headers, destination }, { onReceipt }).end(body));
  }

  /** Resolves when the broker has the subscription: it takes frames in order, so a later receipt says so. */
  async subscribe(destination: string, headers: Headers = {}): Promise<() => void> {
    const subscription = this.client.subscribe({ ...headers, destination }, (error, message) => {
      if (error !== null) return;
      message.readString('utf8', (fault, body) => {
        if (fault === null) this.#inbox.push({ message, body });
      });
    });
    await this.send('/topic/nobody', '');
    return () => subscription.unsubscribe();
  }

  next(): Promise<Received> {
    return this.#inbox.next();
  }

  async flush(): Promise<string[]> {
    const mark = `/topic/flush.${Math.floor(Math.random() * 1e9)}`;
    const end = await this.subscribe(mark);
    await this.send(mark, '');
    const bodies: string[] = [];
    for (let each = await this.next(); each.message.headers.destination !== mark; each = await this.next())
      bodies.push(each.body);
    end();
    return bodies;
  }

  destroy(): void {
    this.client.destroy();
  }

  async end(): Promise<void> {
    const ended = new Promise<void>((resolve, reject) => {
      this.client.disconnect((error) => (error === null ? resolve() : reject(error)));
    });
    await within('the end of the connection', ended);
  }
}
