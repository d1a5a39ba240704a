import { BrokerError } from '../errors.ts';

/** The selector as a whole is not taken. */
export function refused(why: string): BrokerError {
  return new BrokerError('fieldInvalid', `the selector ${why}`);
}

/** What is wrong at a place of it, which is told as people count: from 1. */
export function fault(at: number, what: string): BrokerError {
  return refused(`cannot be read at character ${at + 1}: ${what}`);
}

/** A part of the selector, shown within a sentence. */
export function quoted(part: string): string {
  return JSON.stringify(part.length > 40 ? `${part.slice(0, 40)}…` : part);
}
