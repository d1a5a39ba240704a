import type { Address } from '../../../src/broker.ts';

/** What the same steps are done with, whatever the client: each has an adapter to this. */

export type Headers = Readonly<Record<string, string>>;

export interface Received {
  readonly headers: Headers;
  readonly body: string;
}

export interface Terms {
  readonly version: string;
  readonly login?: string;
  readonly passcode?: string;
  /** Milliseconds between what the client sends, and between what it wants. */
  readonly heartBeat?: readonly [number, number];
}

/**
 * One connection. What is asked of it resolves when the broker has done it, and fails in time; with the header `transaction`, when it
 * is sent: the broker answers it with the COMMIT.
 */
export interface StompPeer {
  /** As the broker answered. */
  readonly version: string;
  readonly closed: boolean;
  send(destination: string, body: string, headers?: Headers): Promise<void>;
  subscribe(destination: string, headers?: Headers): Promise<void>;
  unsubscribe(destination: string): Promise<void>;
  ack(message: Received, headers?: Headers): Promise<void>;
  nack(message: Received, headers?: Headers): Promise<void>;
  begin(transaction: string): Promise<void>;
  commit(transaction: string): Promise<void>;
  abort(transaction: string): Promise<void>;
  next(): Promise<Received>;
  /** Sends what is wrong, without waiting for an answer. */
  provoke(destination: string): Promise<void>;
  /** The ERROR frame, when it comes. */
  refusal(): Promise<Received>;
  /** The library's own end of a connection; says whether it has waited for a receipt. */
  leave(): Promise<boolean>;
  /** Closes, whatever goes on. */
  destroy(): void;
}

export interface Client {
  readonly name: string;
  readonly versions: readonly string[];
  /** Versions in which it keeps heart-beats. */
  readonly beats: readonly string[];
  /** Versions in which it has NACK. */
  readonly nacks: readonly string[];
  /** It waits for the receipt of its DISCONNECT. */
  readonly waits: boolean;
  /** It puts together what the network took apart: else a frame must come in one piece, and alone. */
  readonly readsPieces: boolean;
  /** STOMP over TCP or HTTP. */
  readonly transport: 'stomp' | 'http';
  connect(address: Address, terms: Terms): Promise<StompPeer>;
  /** After the last connection: what it has beside them goes. */
  end(): Promise<void>;
}
