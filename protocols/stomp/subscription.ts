import type { Outcome } from '../../src/ports/queues.ts';
import type { DurableName } from './durable.ts';

/** Resolves when something is durable; undefined where nothing is to be waited for. */
export type Effect = Promise<void> | undefined;

export function allOf(effects: readonly Effect[]): Effect {
  const awaited = effects.filter((each) => each !== undefined);
  return awaited.length === 0 ? undefined : Promise.all(awaited).then(() => {});
}

/** A subscription of a connection, to a topic or a queue, as the connection sees it. */
export interface StompSubscription {
  /** Its header `id`; undefined where 1.0 clients give none. */
  readonly name: string | undefined;
  readonly destination: string;
  /** Its destinations, where there are several. */
  readonly parts?: number;
  /** What it is kept as after the connection; undefined when it is not. */
  readonly durable: DurableName | undefined;
  /** Whether its messages go to one of several, so that they can be given back. */
  readonly competes: boolean;
  /** Whether what is settled in it is durable together with what is published (`Unit.join`). */
  readonly joins: boolean;
  /** Begins: messages may come from now on, also during the call. Rejects with a BrokerError when it cannot. */
  start(): Effect;
  /** Where it is there: the RECEIPT that was asked for is out, and messages may be. */
  answered?(): void;
  /** Whether it sent a message with this number. */
  issued(number: number): boolean;
  /** Whether that is unacknowledged; and whether none of what would be settled with it was taken back meanwhile. */
  unsettled(number: number): boolean;
  holds(number: number): boolean;
  /**
   * ACK or NACK; nothing happens where the message was settled before. `delay`: milliseconds until what is given back comes
   * again; undefined: as the queue is set to.
   */
  settle(number: number, outcome: Outcome, delay: number | undefined): void;
  /** What has been settled so far is kept. */
  stored(): Effect;
  /**
   * Where it is there, it is what is called instead of `settle` if `joins`: these are settled in the write of this turn. What
   * becomes of that is told to `joined`, in the order of the calls; a failure is one of all that are not told yet.
   */
  join?(numbers: readonly number[]): void;
  joined?(durable: boolean): void;
  /** The connection may have room again. */
  pump(): void;
  /** The client ends it; `forever`: nothing is kept of a durable one. */
  unsubscribe(forever: boolean): Effect;
  /** The connection is gone. */
  close(): void;
}
