import type { BrokerError } from '../core/errors.ts';
import type { Message } from '../core/message.ts';

/**
 * What keeps the stream and carries it between nodes. One contract suite (`test/contract`) holds every adapter to what
 * is said here.
 */
export interface Backbone {
  /** Connects or opens; afterwards messages may come. */
  start(receiver: BackboneReceiver): Promise<void>;
  /** Makes durable what was appended, then closes. */
  stop(): Promise<void>;
  /** undefined when messages are taken, else why not, in words. */
  notReady(): string | undefined;
  readonly log: Log;
  readonly live: Live;
}

export interface BackboneReceiver {
  /** A live message from another node. */
  live(message: Message): void;
  /** The log's tail, on every node, in log order: each batch once, never before it is durable. */
  tail(messages: readonly Message[]): void;
}

/** Messages that are not kept, to other nodes that have subscribers for them. */
export interface Live {
  publish(message: Message): void;
  /** This node's first subscription with this filter came, or its last one went. */
  interest(filter: string, wanted: boolean): void;
}

/**
 * The log. A position is (shard, sequence); sequences of a shard begin at 1, ascend, and may have gaps. Messages of one
 * topic are all in one shard.
 */
export interface Log {
  readonly shards: number;
  /** The first position kept, and the one after the last that `tail` has been given. */
  first(shard: number): number;
  next(shard: number): number;
  /**
   * Takes a message in. Its bytes are copied before the call returns, and the message is given its own (`adopt`).
   * `receiver` hears of it with `token`, later, never during the call: after the batch with the message has been given
   * to `tail`.
   */
  append(message: Message, receiver: AppendReceiver, token: number): void;
  /**
   * Reads from `sequence` on, later, never during the call: at most `count` messages, and no further ones once their
   * payloads have `bytes`. The messages may be used as long as wanted.
   */
  read(shard: number, sequence: number, count: number, bytes: number, receiver: ReadReceiver): void;
}

export interface AppendReceiver {
  /** Durable. */
  appended(token: number, message: Message): void;
  /** Not taken in. */
  refused(token: number, error: BrokerError): void;
}

export interface ReadReceiver {
  /** `next`: where to go on. Equal to `Log.next` when everything was read. */
  batch(shard: number, messages: readonly Message[], next: number): void;
  failed(error: BrokerError): void;
}
