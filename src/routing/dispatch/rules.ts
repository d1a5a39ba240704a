import type { QueueEntry } from '../../ports/queue-store.ts';

/** Why a message is not delivered any more. */
export type DeadReason = 'rejected' | 'expired' | 'deliveries' | 'overflow';

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
}

/** When a message is given up, milliseconds since 1970. */
export function expiryOf({ message }: QueueEntry, { messageMilliseconds }: DispatcherOptions): number {
  const own = message.properties?.expiresAt ?? Number.POSITIVE_INFINITY;
  return messageMilliseconds > 0 ? Math.min(own, message.timestamp + messageMilliseconds) : own;
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
