import { BrokerError } from '../../src/core/errors.ts';

/** Values of user properties that are the server's own, and what is said of wrong ones. */

/** The fault of a user property of ours whose value is not one that is taken. */
export function valueFault(name: string, value: string, expected: string): BrokerError {
  const shown = value.length > 80 ? `${value.slice(0, 80)}…` : value;
  return new BrokerError('fieldInvalid', `${name} is ${JSON.stringify(shown)}; ${expected} is expected`);
}

export const FLAG_FORM = 'true or false';

export function parseFlag(text: string): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

const LONGEST_DELAY = 366 * 86_400_000;
export const DELAY_FORM = `a whole number from 0 to ${LONGEST_DELAY} (milliseconds)`;

export function parseDelay(text: string): number | undefined {
  return /^[0-9]{1,11}$/.test(text) && Number(text) <= LONGEST_DELAY ? Number(text) : undefined;
}
