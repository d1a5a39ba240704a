import type { Clock } from '../../ports/clock.ts';
import type { QueueEntry, SelectiveSource } from '../../ports/queue-store.ts';

/** Why a message is not delivered any more. */
export type DeadReason = 'rejected' | 'expired' | 'deliveries' | 'overflow';

export interface DispatcherHandlers {
  /** Given up. It is for the handler to remove it from the source. `deliveries`: how often it was given to a consumer. */
  dead(entry: QueueEntry, reason: DeadReason, deliveries: number): void;
  /** Whether there is still too much, so that the next message is to go (`overflow`). Without it, there never is. */
  excess?(): boolean;
}

/** Where consumers may select. */
export interface Selecting {
  /** The dispatcher's source. */
  readonly source: SelectiveSource;
  /** Messages that are passed over, before no more are asked for. */
  readonly most: number;
  /** There are so many: those behind them are not looked at. */
  full(): void;
}

export interface DispatcherOptions {
  /**
   * What `properties.key` means. `one`: messages of a key are with one consumer at a time. `sticky`: with the same one, too,
   * as long as none comes or goes. `none`: nothing.
   */
  readonly keys: 'none' | 'one' | 'sticky';
  /** As in QueueSettings. */
  readonly ackMilliseconds: number;
  readonly retryMilliseconds: number;
  readonly retryMaxMilliseconds: number;
  readonly maxDeliveries: number;
  readonly messageMilliseconds: number;
  readonly singleActiveConsumer: boolean;
  /**
   * Bytes (`Message.weight`) of what waits here: at so many, no more is asked for. And of what one consumer has unsettled: it
   * gets no more then.
   */
  readonly memoryBytes: number;
  readonly consumerBytes: number;
  /** Messages that wait behind others of their key, or for their retry, before no more are asked for. */
  readonly heldMessages: number;
}

/** When a message is given up, milliseconds since 1970. */
export function expiryOf({ message }: QueueEntry, { messageMilliseconds }: DispatcherOptions): number {
  const own = message.properties?.expiresAt ?? Number.POSITIVE_INFINITY;
  return messageMilliseconds > 0 ? Math.min(own, message.timestamp + messageMilliseconds) : own;
}

export function isExpired(entry: QueueEntry, options: DispatcherOptions, clock: Pick<Clock, 'now'>): boolean {
  const expiry = expiryOf(entry, options);
  // Most never do: then the time is not asked for.
  return expiry !== Number.POSITIVE_INFINITY && expiry <= clock.now();
}

/** Whether a message that was delivered so often is not to be again. */
export function isExhausted(deliveries: number, { maxDeliveries }: DispatcherOptions): boolean {
  return maxDeliveries > 0 && deliveries >= maxDeliveries;
}

/** Milliseconds until a message that was delivered so often, and given back, is tried again. */
export function backOff(deliveries: number, { retryMilliseconds, retryMaxMilliseconds }: DispatcherOptions): number {
  // 2^36 milliseconds are more than the longest there is.
  return Math.min(retryMilliseconds * 2 ** Math.min(deliveries - 1, 36), retryMaxMilliseconds);
}

/** Why a message that is the next is given up instead; undefined when it is not. */
export function reasonOf(
  entry: QueueEntry,
  options: DispatcherOptions,
  clock: Pick<Clock, 'now'>,
  handlers: DispatcherHandlers,
): DeadReason | undefined {
  if (isExpired(entry, options, clock)) return 'expired';
  if (isExhausted(entry.deliveries, options)) return 'deliveries';
  return handlers.excess?.() ? 'overflow' : undefined;
}
