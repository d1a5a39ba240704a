import type { Outcome } from '../../src/ports/queues.ts';
import type { Frame } from './frame.ts';
import { Refusal } from './refusal.ts';
import { LONGEST_DELAY, readFlag, readWhole } from './values.ts';
import { NAMES } from './words.ts';

/** What an ACK or NACK says. */

const DASH = 0x2d;
const ZERO = 0x30;
/** Digits of a number of a subscription, and of a message. */
const SUBSCRIPTION_DIGITS = 9;
const MESSAGE_DIGITS = 15;

/** Which message is meant, from its id `<session>-<subscription>-<number>`. One is filled in for frame after frame. */
export class MessageId {
  subscription = 0;
  number = 0;

  /** False when `buffer[start, end)` is not the id of a message of this session. */
  read(buffer: Buffer, start: number, end: number, session: string): boolean {
    let at = start + session.length;
    if (at >= end || buffer[at] !== DASH) return false;
    for (let i = 0; i < session.length; i++) if (buffer[start + i] !== session.charCodeAt(i)) return false;
    const from = ++at;
    let subscription = 0;
    for (; at < end && buffer[at] !== DASH; at++) subscription = withDigit(subscription, buffer[at]);
    if (at === from || at - from > SUBSCRIPTION_DIGITS || at === end) return false;
    const second = ++at;
    let number = 0;
    for (; at < end; at++) number = withDigit(number, buffer[at]);
    if (at === second || at - second > MESSAGE_DIGITS) return false;
    this.subscription = subscription;
    this.number = number;
    return !Number.isNaN(subscription + number);
  }
}

/** NaN when the byte is none. */
function withDigit(value: number, byte = 0): number {
  return byte >= ZERO && byte <= ZERO + 9 ? value * 10 + byte - ZERO : Number.NaN;
}

/** What a NACK asks for. */
export interface Rejection {
  readonly outcome: Outcome;
  /** Milliseconds until what is given back comes again; undefined when it does not say. */
  readonly delay: number | undefined;
}

export function readNack(frame: Frame): Rejection {
  const requeue = readFlag(frame, NAMES.requeue, 'NACK') ?? true;
  const delay = readWhole(frame, NAMES.delay, 'NACK', { min: 0, max: LONGEST_DELAY, unit: 'milliseconds' });
  if (delay !== undefined && !requeue) {
    const detail = 'NACK with requeue:false and the header delay';
    throw new Refusal('fieldInvalid', detail, 'What is not given back does not come again; leave one of them out.');
  }
  return { outcome: requeue ? 'requeue' : 'reject', delay };
}
