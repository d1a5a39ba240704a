import { fault, quoted } from './fault.ts';

/**
 * Numbers in selectors are Java's literals (JMS 2.0, 3.8.1.1): `7`, `7L`, `0x1F`, `017` (octal), `7.`, `.5`, `1E3`, `6.2F`.
 * Numbers in messages are texts, and decimal ones: `12`, `-3.5`, `+1e3`.
 */

/** A number that begins at `at`, and where it ends. */
export function numberAt(text: string, at: number): { readonly number: number; readonly end: number } {
  if (/^0x/i.test(text.slice(at, at + 2))) {
    const end = past(text, at + 2, isHex);
    if (end === at + 2) throw fault(end, 'digits of a hexadecimal number are expected');
    return exact(text, at, end, Number.parseInt(text.slice(at + 2, end), 16));
  }
  let end = past(text, at, isDigit);
  const whole = end;
  if (text[end] === '.') end = past(text, end + 1, isDigit);
  if (text[end] === 'e' || text[end] === 'E') end = exponent(text, end);
  if (end === whole) return exact(text, at, end, integer(text, at, end));
  const number = Number(text.slice(at, end));
  if (!Number.isFinite(number)) throw fault(at, 'a number that is too large; up to 1.7E308 is expected');
  return { number, end: /^[fd]$/i.test(text[end] ?? '') ? end + 1 : end };
}

function exponent(text: string, at: number): number {
  const digits = at + (text[at + 1] === '+' || text[at + 1] === '-' ? 2 : 1);
  const end = past(text, digits, isDigit);
  if (end === digits) throw fault(end, 'digits of an exponent are expected');
  return end;
}

function integer(text: string, at: number, end: number): number {
  const digits = text.slice(at, end);
  if (digits.length === 1 || !digits.startsWith('0')) return Number(digits);
  if (/[89]/.test(digits)) {
    throw fault(at, `${quoted(digits)} begins with 0, and so is octal; digits up to 7 are expected`);
  }
  return Number.parseInt(digits, 8);
}

/** Values are compared as doubles; what these cannot hold exactly would equal its neighbours. */
function exact(
  text: string,
  at: number,
  end: number,
  number: number,
): { readonly number: number; readonly end: number } {
  if (!Number.isSafeInteger(number)) {
    const advice = `up to ${Number.MAX_SAFE_INTEGER} is expected; compare longer ones as text, in single quotes`;
    throw fault(at, `a whole number that is too large; ${advice}`);
  }
  return { number, end: text[end] === 'l' || text[end] === 'L' ? end + 1 : end };
}

function past(text: string, from: number, is: (code: number) => boolean): number {
  let at = from;
  while (at < text.length && is(text.charCodeAt(at))) at++;
  return at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isHex(code: number): boolean {
  return isDigit(code) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66);
}

/** A longer text is no number: nobody writes so many digits, and a selector may ask for the same text many times. */
const LONGEST = 100;

/** What a header's text is as a number; NaN when it is none. */
export function numberOfText(text: string): number {
  if (text === '' || text.length > LONGEST) return Number.NaN;
  // Number() would also take white space, 0x1F and Infinity.
  for (let i = 0; i < text.length; i++) if (!isDecimal(text.charCodeAt(i))) return Number.NaN;
  const number = Number(text);
  return Number.isFinite(number) ? number : Number.NaN;
}

/** Digits, `.`, `+`, `-`, `e`, `E`. */
function isDecimal(code: number): boolean {
  return isDigit(code) || code === 0x2e || code === 0x2b || code === 0x2d || code === 0x65 || code === 0x45;
}
