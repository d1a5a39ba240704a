/** What a protocol sees of a connection, whether it is a TCP socket or a WebSocket. */

export interface Peer {
  /** Address and port as text, for logs. */
  readonly name: string;
  readonly loopback: boolean;
  readonly transport: 'tcp' | 'websocket';
}

/**
 * Where a session writes. Output is collected and written once per turn of the event loop; nothing here blocks, copies
 * twice or calls back per frame.
 *
 * A frame is written as `begin(total)`, then pieces that add up to `total`: `reserve(n)` makes room for n bytes in
 * `buffer` and returns their offset (read `buffer` after the call, it may have been changed); `attach` adds
 * bytes by reference, which must not change afterwards.
 */
export interface Connection {
  readonly peer: Peer;
  readonly buffer: Buffer;
  /** Bytes that have come from the peer, also those of a WebSocket message that is not there in full: a sign of life. */
  readonly received: number;
  /**
   * Starts a protocol frame of `total` bytes. On a WebSocket `text` makes it a text message, where frames are messages and
   * the peer's first message was text, too: who begins with a binary one gets binary ones only.
   */
  begin(total: number, text?: boolean): void;
  reserve(bytes: number): number;
  attach(bytes: Uint8Array): void;
  /**
   * Whether the output limit is reached, even after trying to write. What may be dropped or wait should be; answers
   * that must be written may be (the peer is not read from meanwhile, so that they are bounded too).
   * `Channel.drained` is called when there is room again.
   */
  full(): boolean;
  /** Stops and starts reading from the peer: the way to slow a publisher down. Calls nest. */
  pause(): void;
  resume(): void;
  /** Writes what is collected, then closes. `reason` is for the log; empty for an orderly end. */
  end(reason: string): void;
}
