import { like } from './like.ts';
import { and, not, or } from './logic.ts';
import type { Read, Scalar } from './names.ts';
import {
  type Condition,
  conditionOf,
  type Numeric,
  numberOf,
  numericOf,
  type Operand,
  textOf,
  truthOf,
  unlike,
} from './operand.ts';

/**
 * Comparisons. With NULL on a side they are unknown; with values of unlike types they are FALSE, also `<>`
 * (JMS 2.0, 3.8.1.2).
 */

type Relation = (left: number, right: number) => boolean;

/** NaN is in none of these relations. */
const RELATIONS: ReadonlyMap<string, Relation> = new Map<string, Relation>([
  ['=', (left, right) => left === right],
  ['<>', (left, right) => left < right || left > right],
  ['<', (left, right) => left < right],
  ['<=', (left, right) => left <= right],
  ['>', (left, right) => left > right],
  ['>=', (left, right) => left >= right],
]);

/** undefined when `operator` is none of comparison. */
export function compare(operator: string, left: Operand, right: Operand): Condition | undefined {
  const relation = RELATIONS.get(operator);
  if (relation === undefined) return undefined;
  if (operator === '=' || operator === '<>') return equality(operator === '=', relation, left, right);
  return numbers(numericOf(left), numericOf(right), relation);
}

function numbers(left: Numeric, right: Numeric, relation: Relation): Condition {
  return (message) => {
    const a = left(message);
    const b = right(message);
    return a === undefined || b === undefined ? undefined : relation(a, b);
  };
}

/** `equal`: that they are, not that they are not. */
function equality(equal: boolean, relation: Relation, left: Operand, right: Operand): Condition {
  if (left.kind === 'number' || right.kind === 'number') return numbers(numericOf(left), numericOf(right), relation);
  if (left.kind === 'condition' || right.kind === 'condition') return truths(equal, left, right);
  if (left.kind === 'text') {
    if (right.kind === 'header') return text(equal, right.read, left.text);
    const same = left.text === right.text;
    return () => same === equal;
  }
  return right.kind === 'text' ? text(equal, left.read, right.text) : headers(equal, relation, left.read, right.read);
}

function text(equal: boolean, read: Read, wanted: string): Condition {
  return (message) => {
    const value = read(message);
    return value === undefined ? undefined : (textOf(value) === wanted) === equal;
  };
}

/** A condition and another one, or a header. */
function truths(equal: boolean, left: Operand, right: Operand): Condition {
  if (left.kind === 'header') return truths(equal, right, left);
  const condition = conditionOf(left);
  if (right.kind === 'condition') {
    const other = right.holds;
    return (message) => {
      const a = condition(message);
      const b = other(message);
      return a === undefined || b === undefined ? undefined : (a === b) === equal;
    };
  }
  if (right.kind !== 'header') throw unlike(right, 'a condition or the name of a header');
  const { read } = right;
  return (message) => {
    const a = condition(message);
    const value = read(message);
    if (a === undefined || value === undefined) return undefined;
    const b = truthOf(value);
    return b !== undefined && (a === b) === equal;
  };
}

/** Two texts are equal if they are the same characters; a text and a number, if they are the same number. */
function headers(equal: boolean, relation: Relation, left: Read, right: Read): Condition {
  return (message) => {
    const a = left(message);
    const b = right(message);
    if (a === undefined || b === undefined) return undefined;
    if (typeof a === 'number' || typeof b === 'number') return relation(numberOf(a), numberOf(b));
    if (typeof a === 'string' && typeof b === 'string') return (a === b) === equal;
    return sameTruth(equal, a, b);
  };
}

function sameTruth(equal: boolean, left: Scalar, right: Scalar): boolean {
  const a = truthOf(left);
  const b = truthOf(right);
  return a !== undefined && b !== undefined && (a === b) === equal;
}

/** `value >= low AND value <= high`; NOT BETWEEN is `value < low OR value > high` (JMS 2.0, 3.8.1.1). */
export function between(negated: boolean, value: Numeric, low: Numeric, high: Numeric): Condition {
  return negated
    ? or([numbers(value, low, (a, b) => a < b), numbers(value, high, (a, b) => a > b)])
    : and([numbers(value, low, (a, b) => a >= b), numbers(value, high, (a, b) => a <= b)]);
}

export function isIn(negated: boolean, read: Read, texts: ReadonlySet<string>): Condition {
  return (message) => {
    const value = read(message);
    return value === undefined ? undefined : texts.has(textOf(value)) !== negated;
  };
}

export function isLike(negated: boolean, read: Read, pattern: string, escaping: string | undefined): Condition {
  const fits = like(pattern, escaping);
  const condition: Condition = (message) => {
    const value = read(message);
    return value === undefined ? undefined : fits(textOf(value));
  };
  return negated ? not(condition) : condition;
}

export function isNull(negated: boolean, read: Read): Condition {
  return (message) => (read(message) === undefined) !== negated;
}
