import type { BrokerError } from '../core/errors.ts';
import type { Message } from '../core/message.ts';
import type { QueueStores } from './queue-store.ts';

/**
 * What keeps the stream and carries it between nodes. One contract suite (`test/contract`) holds every adapter to what
 * is said here.
 */
export interface Backbone {
  /** Connects or opens; afterwards messages may come. */
  start(receiver: BackboneReceiver): Promise<void>;
  /** Makes durable what was appended and put, then closes. */
  stop(): Promise<void>;
  /** undefined when messages are taken, else why not, in words. */
  notReady(): string | undefined;
  readonly log: Log;
  readonly live: Live;
  readonly state: State;
  readonly cluster: Cluster;
  readonly queues: QueueStores;
  /**
   * Only there where the store can do this: what `work` appends, pushes and puts during the call, and removes from queues,
   * becomes durable together, or none of it does; then what was removed comes again, redelivered. With an error nothing is
   * taken in now, and `work` was not called.
   */
  together?(work: () => void): BrokerError | undefined;
}

export interface BackboneReceiver {
  /** A live message from another node, for all but shared subscriptions. */
  live(message: Message): void;
  /** One for the shared subscription `share`, of which no other node gets it. */
  liveShared(message: Message, share: string): void;
  /** The log's tail, on every node, in log order: each batch once, never before it is durable. */
  tail(messages: readonly Message[]): void;
  /**
   * A live message of this node with this `responseTopic` has found no subscriber on any other node. Only said where it is
   * known.
   */
  unheard(responseTopic: string): void;
}

/** Messages that are not kept, to other nodes that have subscribers for them. */
export interface Live {
  /**
   * `served`: shared subscriptions (`NAME/FILTER`) of which a member on this node has had it. False when there is certainly
   * nobody on another node.
   */
  publish(message: Message, served: readonly string[]): boolean;
  /**
   * This node's first subscription with this filter came, or its last one went. With `share`: of the shared subscription
   * of that name.
   */
  interest(filter: string, wanted: boolean, share?: string): void;
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
   * to `tail`. A message whose `dedupId` was taken in before, not longer ago than the configured window, is not taken in
   * again: `appended` says so as if it were.
   */
  append(message: Message, receiver: AppendReceiver, token: number): void;
  /** So much waits to become durable that publishers should not be read from. */
  congested(): boolean;
  /**
   * Reads from `sequence` on, later, never during the call: at most `count` messages, and no further ones once their
   * payloads have `bytes`. With `filters` (internal form), only messages whose topic one of them matches are wanted;
   * others may come, too. The messages may be used as long as wanted.
   */
  read(
    shard: number,
    sequence: number,
    filters: readonly string[] | undefined,
    count: number,
    bytes: number,
    receiver: ReadReceiver,
  ): void;
}

export interface AppendReceiver {
  /** It hears of live messages (QoS 0) for queues, too (`Router.publish`), which are as durable as others there. */
  readonly hearsAll?: boolean;
  /** Durable. `repeated`: it had been taken in before, by its id, and was not again. */
  appended(token: number, message: Message, repeated?: boolean): void;
  /** Not taken in. */
  refused(token: number, error: BrokerError): void;
}

export interface ReadReceiver {
  /** `next`: where to go on. Equal to `Log.next` when everything was read. */
  batch(shard: number, messages: readonly Message[], next: number): void;
  failed(error: BrokerError): void;
}

/**
 * Kinds of entries: clients' sessions and subscriptions, retained messages by topic, wills by client, settings of queues by name,
 * filters of durable subscriptions by session.
 */
export type Bucket = 'sessions' | 'retained' | 'wills' | 'queues' | 'durables';

export interface Entry {
  readonly value: Uint8Array;
  /** Ascends with every change of the bucket. */
  readonly revision: number;
}

/**
 * Of an entry that one node writes: what it knows of it. Each write with it that is taken notes its revision here. The first
 * one is always taken; a later one only if no other node has written since.
 */
export interface Fence {
  /** Of the last write; 0: none yet. */
  revision: number;
}

/**
 * Small durable entries that every node sees. Keys are any non-empty text of at most 2 KiB. What is put or removed
 * before a message is appended is durable no later than that message; operations on one key take effect in order, and a
 * `get` sees what was put before it.
 *
 * `expected` is the revision the entry must have, 0 for none; or a fence, which is looked at when all before it on this key has
 * taken effect, so that a writer need not wait for one write before the next; where there are no other nodes it holds nobody
 * back. Rejects with a BrokerError when the store does not take it.
 */
export interface State {
  /** Whether what is put in the turn in which a message is appended, before it, is there exactly when the message is. */
  readonly atomic: boolean;
  get(bucket: Bucket, key: string): Promise<Entry | undefined>;
  /** Resolves with the new revision once durable; with undefined when the entry is not as `expected`. */
  put(bucket: Bucket, key: string, value: Uint8Array, expected?: number | Fence): Promise<number | undefined>;
  /** The same; of what is not there, too. */
  remove(bucket: Bucket, key: string, expected?: number | Fence): Promise<number | undefined>;
  /** Every entry, in no order; resolves after the last. */
  scan(bucket: Bucket, visit: (key: string, entry: Entry) => void): Promise<void>;
  /**
   * Changes from now on, of every node, this one included, in the order of their revisions; `entry` is undefined for a
   * removal. False where there are no other nodes: then nothing comes.
   */
  watch(bucket: Bucket, changed: (key: string, entry: Entry | undefined, revision: number) => void): boolean;
}

export interface ClusterReceiver {
  /** Another node claims this client: resolves when its connection here is gone and its state has been put. */
  yieldClient(clientId: string): Promise<void>;
  /** A node's lease has run out, or it said that it ends: its clients are gone. Every other node hears of it. */
  nodeLost(node: string): void;
  /** Another node has a key that this one owned, because this one was taken for lost. */
  disowned(key: string): void;
  /** From another node, in the order in which it sent. */
  received(node: string, bytes: Uint8Array): void;
  /** What was sent, to this node or by it, may be lost: the way between the nodes was interrupted, and is there again. */
  interrupted(): void;
}

/** Which node has which client, and what else one node has for all. Nodes talk to each other here. */
export interface Cluster {
  /** Who hears of other nodes; given before `Backbone.start`. */
  join(receiver: ClusterReceiver): void;
  /** This node's name, another one at every start. */
  readonly node: string;
  /** There never is another node, nor an application that reads the log by itself: who listens is known here. */
  readonly alone: boolean;
  /** Whether a node of this name runs, as far as is known. */
  alive(node: string): boolean;
  /** Resolves when this node has the client; whichever other one had it has yielded it, or is gone. */
  claim(clientId: string): Promise<void>;
  /** This node's connection of the client is gone. */
  release(clientId: string): void;
  /**
   * The node that has this key: this one from now on, where none has it, or the one that had it is lost. Nobody yields. If this
   * node had it and does no longer, that is found out here (`disowned`).
   * Rejects with a BrokerError when that cannot be found out.
   */
  own(key: string): Promise<string>;
  /** This node no longer has it. Resolves when others can. */
  disown(key: string): Promise<void>;
  /**
   * To another node that runs: there in the order of sending, or not at all, when either node ends (`nodeLost`) or the way is
   * interrupted (`interrupted`). The bytes are copied, or written, before the call returns.
   */
  send(node: string, bytes: Uint8Array): void;
}
