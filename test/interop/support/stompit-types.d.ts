/** What the tests use of the package stompit, which comes without types. */
declare module 'stompit' {
  import type { EventEmitter } from 'node:events';
  import type { Socket, TcpNetConnectOpts } from 'node:net';
  import type { Writable } from 'node:stream';

  namespace stompit {
    type Headers = Record<string, string | number>;

    interface Receipted {
      onReceipt?: () => void;
    }

    interface Message {
      readonly headers: Readonly<Record<string, string>>;
      readString(encoding: BufferEncoding, callback: (error: Error | null, body: string) => void): void;
    }

    interface Subscription {
      unsubscribe(): void;
    }

    interface Transaction {
      send(headers: Headers, options?: Receipted): Writable;
      commit(options?: Receipted): void;
      abort(options?: Receipted): void;
    }

    interface Client extends EventEmitter {
      readonly headers: Readonly<Record<string, string>>;
      send(headers: Headers, options?: Receipted): Writable;
      subscribe(headers: Headers, listener: (error: Error | null, message: Message) => void): Subscription;
      ack(message: Message, headers?: Headers, options?: Receipted): void;
      nack(message: Message, headers?: Headers, options?: Receipted): void;
      begin(name?: string): Transaction;
      disconnect(callback: (error: Error | null) => void): void;
      destroy(): void;
    }

    interface ConnectOptions {
      host: string;
      port: number;
      timeout?: number;
      connectHeaders?: Headers;
      /** In place of node:net's. */
      connect?: (options: TcpNetConnectOpts, onConnect: () => void) => Socket;
    }
  }

  const stompit: {
    connect(
      options: stompit.ConnectOptions,
      callback: (error: Error | null, client: stompit.Client) => void,
    ): stompit.Client;
  };
  export default stompit;
  export type Client = stompit.Client;
  export type Headers = stompit.Headers;
  export type Message = stompit.Message;
  export type Receipted = stompit.Receipted;
}
