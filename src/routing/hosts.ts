import type { BrokerError } from '../core/errors.ts';
import type { Message } from '../core/message.ts';
import type { AppendReceiver } from '../ports/backbone.ts';
import type { Consumer, GroupOptions, Groups, Membership, Queues } from '../ports/queues.ts';

/**
 * What a node does for queues and groups that it owns (`Cluster.own`), whoever asks: its own clients, or another node for
 * its clients. `peers` decides which node is asked.
 */

export interface QueueHost extends Omit<Queues, 'list'> {
  /** Puts a message in the queue, which is made when it is missing; `receiver` hears of it, never during the call. */
  push(queue: string, message: Message, receiver: AppendReceiver, token: number): void;
  ready(queue: string): Promise<void> | undefined;
  full(queue: string, messages: number, bytes: number): BrokerError | undefined;
  /** Another node owns it now: ends its consumers (`unavailable`), and forgets it. */
  drop(queue: string): void;
}

export interface GroupHost extends Pick<Groups, 'status' | 'move' | 'delete'> {
  /** Logged messages of the group; live ones are each node's own affair. */
  consume(name: string, filter: string, consumer: Consumer, options: GroupOptions): Membership;
  drop(name: string, filter: string): void;
}

/** Where the router puts messages for queues, on whichever node they are. */
export interface QueueInlet {
  push(queue: string, message: Message, receiver: AppendReceiver, token: number): void;
  /**
   * undefined when what is pushed is in the store's hands at once, or goes to another node; else resolves when that may be so.
   * The queue is made when it is missing; rejects with a BrokerError when it cannot be.
   */
  ready(queue: string): Promise<void> | undefined;
  /** Why so many messages with so many bytes of payloads have no room, as far as is known on this node. */
  full(queue: string, messages: number, bytes: number): BrokerError | undefined;
  /** `nobody` is called, later, when the queue has no consumers; then it does not get the message. */
  request(queue: string, message: Message, nobody: () => void): void;
  /** Queues with a binding that matches the topic. */
  bound(topic: string): readonly string[];
}
