import type { Message } from '../message.ts';
import { fault } from './fault.ts';
import type { Read, Scalar } from './names.ts';
import { numberOfText } from './number.ts';

/** TRUE, FALSE, or unknown (undefined). */
export type Condition = (message: Message) => boolean | undefined;

/** A number; NULL (undefined), or NaN, which is of another type: neither equal nor unequal to a number, not less or more. */
export type Numeric = (message: Message) => number | undefined;

/** What operators have at their sides. A header's type is what is asked of it: see `numberOf`, `truthOf`. */
export type Operand =
  | { readonly kind: 'condition'; readonly at: number; readonly holds: Condition }
  | { readonly kind: 'number'; readonly at: number; readonly value: Numeric }
  | { readonly kind: 'text'; readonly at: number; readonly text: string }
  | { readonly kind: 'header'; readonly at: number; readonly read: Read };

/** Headers are texts in most protocols: one that is a number counts as one. NaN when it is none. */
export function numberOf(value: Scalar): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? numberOfText(value) : Number.NaN;
}

/** In the same way `true` and `false`, in capitals or not. undefined when it is neither. */
export function truthOf(value: Scalar): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') return undefined;
  if (value.length === 4 && value.toLowerCase() === 'true') return true;
  return value.length === 5 && value.toLowerCase() === 'false' ? false : undefined;
}

export function textOf(value: Scalar): string {
  return typeof value === 'string' ? value : String(value);
}

/** What it says is so, or not; a header that says neither `true` nor `false` is FALSE, being of another type. */
export function conditionOf(operand: Operand): Condition {
  if (operand.kind === 'condition') return operand.holds;
  if (operand.kind !== 'header') throw unlike(operand, 'a condition');
  const { read } = operand;
  return (message) => {
    const value = read(message);
    return value === undefined ? undefined : (truthOf(value) ?? false);
  };
}

export function numericOf(operand: Operand): Numeric {
  if (operand.kind === 'number') return operand.value;
  if (operand.kind !== 'header') throw unlike(operand, 'a number or the name of a header');
  const { read } = operand;
  return (message) => {
    const value = read(message);
    return value === undefined ? undefined : numberOf(value);
  };
}

/** What only headers are asked. */
export function headerOf(operand: Operand, operator: string): Read {
  if (operand.kind === 'header') return operand.read;
  throw fault(operand.at, `${operator} behind a ${operand.kind}; the name of a header is expected there`);
}

export function unlike(operand: Operand, expected: string): Error {
  return fault(operand.at, `a ${operand.kind === 'header' ? 'name' : operand.kind} where ${expected} is expected`);
}
