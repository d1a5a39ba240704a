import { fault, quoted } from './fault.ts';
import { numberAt } from './number.ts';

/** What a selector consists of. */
export interface Token {
  readonly kind: 'keyword' | 'name' | 'text' | 'number' | 'symbol' | 'end';
  /** Keywords in capitals; names and texts without their quotes. */
  readonly text: string;
  /** Of a number, its value. */
  readonly number: number;
  /** Where it stands: `[at, end)`. */
  readonly at: number;
  readonly end: number;
}

const KEYWORDS: ReadonlySet<string> = new Set([
  'AND',
  'BETWEEN',
  'ESCAPE',
  'FALSE',
  'IN',
  'IS',
  'LIKE',
  'NOT',
  'NULL',
  'OR',
  'TRUE',
]);

/** Longer ones before those that they begin with. */
const SYMBOLS: readonly string[] = ['<>', '<=', '>=', '=', '<', '>', '+', '-', '*', '/', '%', '(', ')', ','];
const WHITE_SPACE: ReadonlySet<string> = new Set([' ', '\t', '\n', '\r', '\f']);

/** Java's identifiers: one character at a time. */
const NAME_START = /^[\p{L}\p{Nl}\p{Sc}\p{Pc}]$/u;
const NAME_PART = /^[\p{L}\p{Nl}\p{Sc}\p{Pc}\p{Nd}\p{Mn}\p{Mc}.]$/u;

/** The tokens of `text` from `start` on; the last one is the end. `hyphens`: names may have them within. */
export function tokensOf(text: string, start: number, hyphens: boolean): Token[] {
  const tokens: Token[] = [];
  let at = start;
  while (at < text.length) {
    const char = charAt(text, at);
    if (WHITE_SPACE.has(char)) {
      at++;
      continue;
    }
    const token = tokenAt(text, at, char, hyphens);
    tokens.push(token);
    at = token.end;
  }
  tokens.push({ kind: 'end', text: '', number: 0, at, end: at });
  return tokens;
}

function tokenAt(text: string, at: number, char: string, hyphens: boolean): Token {
  if (NAME_START.test(char)) return wordAt(text, at, hyphens);
  if (char === "'") return quotedAt(text, at, 'text');
  if (char === '"') return quotedAt(text, at, 'name');
  if (isDigit(char) || (char === '.' && isDigit(charAt(text, at + 1)))) {
    const { number, end } = numberAt(text, at);
    if (NAME_PART.test(charAt(text, end))) {
      throw fault(end, `${quoted(charAt(text, end))} follows a number; an operator is expected`);
    }
    return { kind: 'number', text: '', number, at, end };
  }
  const symbol = SYMBOLS.find((each) => text.startsWith(each, at));
  if (symbol === undefined) throw fault(at, `${quoted(char)} begins nothing that a selector has`);
  return { kind: 'symbol', text: symbol, number: 0, at, end: at + symbol.length };
}

function wordAt(text: string, at: number, hyphens: boolean): Token {
  let end = at;
  for (;;) {
    const char = charAt(text, end);
    if (NAME_PART.test(char)) end += char.length;
    else if (hyphens && char === '-' && goesOn(text.slice(at, end), charAt(text, end + 1))) end++;
    else break;
  }
  const word = text.slice(at, end);
  const upper = word.toUpperCase();
  return KEYWORDS.has(upper)
    ? { kind: 'keyword', text: upper, number: 0, at, end }
    : { kind: 'name', text: word, number: 0, at, end };
}

/**
 * Whether a hyphen between `before` and `next` is a part of the name: with no space around it, it is, but in
 * `BETWEEN-1 AND-2`; else it subtracts.
 */
function goesOn(before: string, next: string): boolean {
  return NAME_PART.test(next) && !(isDigit(next) && KEYWORDS.has(before.toUpperCase()));
}

/** In quotes, which are doubled where they are meant themselves: `'` around texts, `"` around names. */
function quotedAt(text: string, at: number, kind: 'text' | 'name'): Token {
  const quote = charAt(text, at);
  let value = '';
  let from = at + 1;
  for (;;) {
    const close = text.indexOf(quote, from);
    if (close === -1) throw fault(at, `a ${kind} begins whose closing ${quote} is missing`);
    value += text.slice(from, close);
    if (text[close + 1] !== quote) {
      if (kind === 'name' && value === '') throw fault(at, 'an empty name; one of a header is expected');
      return { kind, text: value, number: 0, at, end: close + 1 };
    }
    value += quote;
    from = close + 2;
  }
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9';
}

/** The character there, two units where it is beyond the Basic Multilingual Plane; empty at the end. */
function charAt(text: string, at: number): string {
  const code = text.codePointAt(at);
  return code === undefined ? '' : String.fromCodePoint(code);
}
