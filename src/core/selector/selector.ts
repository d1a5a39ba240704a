import type { Message } from '../message.ts';
import { fault, refused } from './fault.ts';
import { tokensOf } from './lexer.ts';
import type { Naming } from './names.ts';
import { conditionOf } from './operand.ts';
import { Parser } from './parser.ts';

/**
 * Message selectors: conditions over what a message carries, in the part of SQL-92 that JMS 2.0 (3.8.1) defines. A
 * selector is read once, into closures; messages it holds for are those for which it is TRUE, not FALSE or unknown.
 */

/** A selector, understood. */
export interface Selector {
  readonly text: string;
  matches(message: Message): boolean;
}

export interface SelectorLimits {
  /** Of one selector's text, bytes. */
  readonly selectorBytes: number;
  /** Of parentheses within parentheses. */
  readonly selectorDepth: number;
}

/**
 * Throws a BrokerError (`fieldInvalid`) that says where and what was expected. Bounded by `limits`. `naming` is asked
 * first what a name stands for.
 */
export function parseSelector(text: string, limits: SelectorLimits, naming?: Naming): Selector {
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.selectorBytes) {
    throw refused(`has ${bytes} bytes; at most ${limits.selectorBytes} are taken (limits.selectorBytes)`);
  }
  const { start, hyphens } = prefixesOf(text);
  const parser = new Parser(text, tokensOf(text, start, hyphens), limits.selectorDepth, naming);
  const whole = parser.whole();
  if (whole.kind === 'text' || whole.kind === 'number') {
    throw fault(whole.at, `the whole is a ${whole.kind}; a condition is expected, such as price > 10`);
  }
  const holds = conditionOf(whole);
  return { text, matches: (message) => holds(message) === true };
}

/**
 * What ActiveMQ's users write before a selector, where conversion of texts to numbers and hyphens in names are not what
 * is usual. Here they are, and only the contrary of the second changes anything.
 */
const PREFIXES: readonly (readonly [prefix: string, hyphens: boolean | undefined])[] = [
  ['convert_string_expressions:', undefined],
  ['hyphenated_props:', true],
  ['no_hyphenated_props:', false],
];

function prefixesOf(text: string): { readonly start: number; readonly hyphens: boolean } {
  let start = 0;
  let hyphens = true;
  for (;;) {
    const found = PREFIXES.find(([prefix]) => text.startsWith(prefix, start));
    if (found === undefined) return { start, hyphens };
    start += found[0].length;
    hyphens = found[1] ?? hyphens;
  }
}
