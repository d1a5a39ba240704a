/** What the tests use of the package stompjs (2.3.3), which comes without types. */
declare module 'stompjs' {
  namespace stompjs {
    type Headers = Record<string, string | false>;

    interface Frame {
      readonly command: string;
      readonly headers: Record<string, string>;
      readonly body: string;
    }

    interface Message extends Frame {
      ack(headers?: Headers): void;
      nack(headers?: Headers): void;
    }

    interface Client {
      heartbeat: { outgoing: number; incoming: number };
      /** Gets what no subscription of its own is for. */
      onreceive?: (message: Message) => void;
      onreceipt?: (frame: Frame) => void;
      debug: ((text: string) => void) | null;
      connect(headers: Headers, connected: (frame: Frame) => void, failed: (reason: Frame | string) => void): void;
      disconnect(done: () => void, headers?: Headers): void;
      send(destination: string, headers: Headers, body: string): void;
      subscribe(
        destination: string,
        receive: (message: Message) => void,
        headers: Headers,
      ): { id: string; unsubscribe(): void };
      begin(transaction: string): void;
      commit(transaction: string): void;
      abort(transaction: string): void;
    }
  }

  const stompjs: {
    /** In place of the browser's. */
    WebSocketClass?: unknown;
    VERSIONS: { supportedVersions(): string };
    client(url: string, protocols?: string[]): stompjs.Client;
    overTCP(host: string, port: number): stompjs.Client;
  };
  export default stompjs;
  export type Client = stompjs.Client;
  export type Frame = stompjs.Frame;
}
