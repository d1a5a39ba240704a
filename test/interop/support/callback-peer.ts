import { eventually } from '../../support/eventually.ts';
import { Inbox } from '../../support/inbox.ts';
import type { Headers, Received, StompPeer, Terms } from './stomp-peer.ts';
import { within } from './within.ts';

/** `stompjs` 2.3.3 and `webstomp-client` are of one make: callbacks, and no receipt but where a call takes headers. */

export interface CallbackFrame {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** As the libraries hand it to an application. */
export interface CallbackMessage extends CallbackFrame {
  ack(headers: Headers): unknown;
  nack(headers: Headers): unknown;
}

export interface Library {
  connect(headers: Headers, connected: (frame: CallbackFrame) => void, failed: (reason: unknown) => void): void;
  disconnect(): void;
  send(destination: string, body: string, headers: Headers): void;
  /** How to end it. */
  subscribe(destination: string, receive: (message: CallbackMessage) => void, headers: Headers): () => void;
  begin(transaction: string): void;
  commit(transaction: string): void;
  abort(transaction: string): void;
  onReceipt(receive: (frame: CallbackFrame) => void): void;
}

interface Common extends Pick<Library, 'begin' | 'commit' | 'abort'> {
  onreceipt?(frame: CallbackFrame): void;
}

/** What both libraries have in the same form. */
export function commonOf(client: Common): Pick<Library, 'begin' | 'commit' | 'abort' | 'onReceipt'> {
  return {
    begin: (transaction) => client.begin(transaction),
    commit: (transaction) => client.commit(transaction),
    abort: (transaction) => client.abort(transaction),
    onReceipt: (receive) => {
      client.onreceipt = receive;
    },
  };
}

export class CallbackPeer implements StompPeer {
  version = '';
  closed = false;
  readonly #library: Library;
  readonly #inbox = new Inbox<Received>();
  readonly #receipts = new Set<string>();
  readonly #messages = new WeakMap<Received, CallbackMessage>();
  readonly #ends = new Map<string, () => void>();
  #error: Received | undefined;
  #ids = 0;

  private constructor(library: Library) {
    this.#library = library;
    library.onReceipt(({ headers }) => this.#receipts.add(headers['receipt-id'] ?? ''));
  }

  static async connect(library: Library, { login, passcode }: Terms): Promise<CallbackPeer> {
    const peer = new CallbackPeer(library);
    const headers = { ...(login !== undefined && { login }), ...(passcode !== undefined && { passcode }) };
    const connected = new Promise<CallbackFrame>((resolve, reject) => {
      library.connect(headers, resolve, (reason) => {
        if (isFrame(reason)) peer.#error = plain(reason);
        else peer.#close();
        reject(new Error(isFrame(reason) ? `ERROR ${reason.headers.message}` : 'the connection is closed'));
      });
    });
    peer.version = (await within('CONNECTED', connected)).headers.version ?? '1.0';
    return peer;
  }

  async send(destination: string, body: string, headers: Headers = {}): Promise<void> {
    await this.#receipt((receipt) => this.#library.send(destination, body, { ...headers, ...receipt }), headers);
  }

  async subscribe(destination: string, headers: Headers = {}): Promise<void> {
    await this.#receipt((receipt) => {
      const take = (message: CallbackMessage) => this.take(message);
      this.#ends.set(destination, this.#library.subscribe(destination, take, { ...headers, ...receipt }));
    });
  }

  unsubscribe(destination: string): Promise<void> {
    this.#ends.get(destination)?.();
    return this.#fence();
  }

  async ack(message: Received, headers: Headers = {}): Promise<void> {
    await this.#receipt((receipt) => this.#messages.get(message)?.ack({ ...headers, ...receipt }), headers);
  }

  async nack(message: Received, headers: Headers = {}): Promise<void> {
    await this.#receipt((receipt) => this.#messages.get(message)?.nack({ ...headers, ...receipt }), headers);
  }

  begin(transaction: string): Promise<void> {
    this.#library.begin(transaction);
    return this.#fence();
  }

  commit(transaction: string): Promise<void> {
    this.#library.commit(transaction);
    return this.#fence();
  }

  abort(transaction: string): Promise<void> {
    this.#library.abort(transaction);
    return this.#fence();
  }

  next(): Promise<Received> {
    return this.#inbox.next();
  }

  async provoke(destination: string): Promise<void> {
    this.#library.send(destination, 'x', {});
  }

  refusal(): Promise<Received> {
    return eventually('ERROR', () => this.#error);
  }

  async leave(): Promise<boolean> {
    this.destroy();
    return false;
  }

  destroy(): void {
    if (!this.closed) this.#library.disconnect();
    this.#close();
  }

  take(message: CallbackMessage): void {
    const received = plain(message);
    this.#messages.set(received, message);
    this.#inbox.push(received);
  }

  #close(): void {
    this.closed = true;
    this.#inbox.close();
  }

  async #receipt(act: (headers: { readonly receipt: string }) => void, headers: Headers = {}): Promise<void> {
    const receipt = `receipt-${++this.#ids}`;
    act({ receipt });
    if (headers.transaction === undefined) await eventually(receipt, () => this.#receipts.has(receipt));
  }

  /** The broker takes frames in order: what it answers later says that it has done what came before. */
  #fence(): Promise<void> {
    return this.send('/topic/nobody', '');
  }
}

function isFrame(reason: unknown): reason is CallbackFrame {
  return typeof reason === 'object' && reason !== null && 'headers' in reason && 'body' in reason;
}

function plain({ headers, body }: CallbackFrame): Received {
  return { headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value ?? ''])), body };
}
