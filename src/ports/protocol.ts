import type { ProtocolName } from '../core/message.ts';
import type { Connection } from './transport.ts';

/** A protocol the broker speaks: what its listener and the WebSocket endpoint need to know of it. */
export interface Protocol {
  readonly name: ProtocolName;
  readonly webSocket: WebSocketBinding;
  /** A new connection; what it sends goes to the channel. */
  open(connection: Connection): Channel;
}

export interface WebSocketBinding {
  readonly path: string;
  /** In order of preference. */
  readonly subprotocols: readonly string[];
  /** Whether a connection without a subprotocol is this protocol's, by its path. */
  readonly subprotocolRequired: boolean;
  /** Kinds of WebSocket message that clients may send. */
  readonly accepts: 'binary' | 'text' | 'any';
  /**
   * `stream`: message boundaries mean nothing, one message carries all frames of a turn.
   * `frame`: each frame is one message, both ways.
   */
  readonly framing: 'stream' | 'frame';
}

/** One connection's protocol state. Never throws for anything a peer sends. */
export interface Channel {
  /**
   * Bytes from the peer. They are borrowed: what is kept must be copied. On a WebSocket with framing `frame` a chunk
   * is a whole message. `now`: milliseconds since 1970.
   */
  receive(chunk: Buffer, now: number): void;
  /** The connection has room again after `full()` said it had not. */
  drained(): void;
  /** About once a second, for time limits of seconds. */
  tick(now: number): void;
  /** The connection is gone, by whichever side. Called once, last. */
  closed(): void;
  /** The server ends this connection (shut-down, slow reader, an operator …): say so as the protocol does and end the connection. */
  shutdown(code: 'administrative' | 'shutdown' | 'slowReader' | 'tooLarge' | 'malformed' | 'internal'): void;
}
