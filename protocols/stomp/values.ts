import type { Frame } from './frame.ts';
import { Refusal, shown } from './refusal.ts';

/** Values of headers of the frames that come seldom. A wrong one is refused, by name and with what is allowed. */

/** Milliseconds that a message can be made to wait: 366 days. */
export const LONGEST_DELAY = 366 * 86_400_000;

export interface Found {
  readonly name: string;
  readonly text: string;
}

/** The first of these headers that is there. */
export function findFirst(frame: Frame, names: readonly string[]): Found | undefined {
  for (const name of names) {
    const text = frame.find(name);
    if (text !== undefined) return { name, text };
  }
  return undefined;
}

/** Python's clients write `True` and `False`, which RabbitMQ understands. */
export function parseFlag(text: string): boolean | undefined {
  if (text === 'true' || text === 'True') return true;
  return text === 'false' || text === 'False' ? false : undefined;
}

/** `true` or `false`; undefined where none of the headers is there. */
export function readFlag(frame: Frame, names: readonly string[], command: string): boolean | undefined {
  const found = findFirst(frame, names);
  if (found === undefined) return undefined;
  const value = parseFlag(found.text);
  if (value === undefined) throw wrong(found, command, 'true or false');
  return value;
}

/** A whole number of that range; undefined where none of the headers is there. */
export function readWhole(
  frame: Frame,
  names: readonly string[],
  command: string,
  { min, max, unit }: { readonly min: number; readonly max: number; readonly unit: string },
): number | undefined {
  const found = findFirst(frame, names);
  if (found === undefined) return undefined;
  const value = /^-?[0-9]{1,15}$/.test(found.text) ? Number(found.text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw wrong(found, command, `a whole number from ${min} to ${max}${unit === '' ? '' : ` (${unit})`}`);
}

/** The value is not one of those allowed. */
export function wrong({ name, text }: Found, command: string, allowed: string): Refusal {
  return new Refusal(
    'fieldInvalid',
    `the header ${name} of ${command} is ${shown(text)}; ${allowed} is expected`,
    'Correct it, or leave it out.',
  );
}

/** Refuses headers that would promise what is not done here; `false` in them asks for nothing. */
export function refuseAll(frame: Frame, command: string, headers: readonly (readonly string[])[], where: string): void {
  for (const name of headers.flat()) {
    const text = frame.find(name);
    if (text === undefined || parseFlag(text) === false) continue;
    throw new Refusal('fieldInvalid', `the header ${name} of ${command} is for ${where}`, 'Leave it out.');
  }
}
