import { BrokerError } from '../../src/core/errors.ts';
import type { UserProperty } from '../../src/core/message.ts';
import { DELAY_FORM, FLAG_FORM, parseDelay, parseFlag, valueFault } from './values.ts';

/** What a client wants to become of a message of a queue or group that it refuses. */
export interface Rejection {
  readonly outcome: 'requeue' | 'reject';
  /** Milliseconds; undefined: as the queue is set. */
  readonly delay: number | undefined;
}

/** Reasons that say that the message is at fault, not the moment: nobody else can do more with it. */
const MESSAGE_AT_FAULT: ReadonlySet<number> = new Set([0x90, 0x99]);

/**
 * Of PUBACK or PUBREC with a reason of 0x80 or above: `requeue` and `delay` among its user properties say it; without
 * them, the reason does. Throws a BrokerError where they have wrong values.
 */
export function readRejection(reason: number, user: readonly UserProperty[] | undefined): Rejection {
  const requeue = user?.find(([name]) => name === 'requeue')?.[1];
  const wanted = requeue === undefined ? undefined : parseFlag(requeue);
  if (requeue !== undefined && wanted === undefined) throw valueFault('requeue', requeue, FLAG_FORM);
  const delay = user?.find(([name]) => name === 'delay')?.[1];
  if (delay === undefined) {
    return { outcome: (wanted ?? !MESSAGE_AT_FAULT.has(reason)) ? 'requeue' : 'reject', delay: undefined };
  }
  if (wanted === false) throw new BrokerError('fieldInvalid', 'delay is for a message that is requeued');
  const milliseconds = parseDelay(delay);
  if (milliseconds === undefined) throw valueFault('delay', delay, DELAY_FORM);
  return { outcome: 'requeue', delay: milliseconds };
}
