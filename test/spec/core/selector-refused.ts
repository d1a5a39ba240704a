import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { LIMITS, refusal } from './support/selecting.ts';

/** Selectors that are not taken: where, counted from 1, and what was expected. */
const REFUSED: readonly (readonly [text: string, at: number, expected: RegExp])[] = [
  ['', 1, /ends here; a value is expected/],
  ['   ', 4, /ends here; a value/],
  ['price >', 8, /ends here; a value/],
  ['price > > 3', 9, /">"; a value/],
  ['a AND', 6, /ends here; a value/],
  ['a b', 3, /"b"; an operator, AND, OR or the end/],
  ['a = 1 = 1', 7, /"="; an operator, AND, OR or the end/],
  ['(a = 1', 7, /ends here; \) for the \( at character 1/],
  ['a = 1)', 6, /"\)"; an operator, AND, OR or the end/],
  ['a = NULL', 5, /"NULL"; a value/],
  ['a = NOT b', 5, /"NOT"; a value/],
  ['a IS 1', 6, /"1"; NULL or NOT NULL/],
  ['a IS NOT TRUE', 10, /"TRUE"; NULL is expected/],
  ['a NOT 1', 7, /"1"; BETWEEN, IN or LIKE behind NOT/],
  ['a BETWEEN 1', 12, /ends here; AND and the upper end of BETWEEN/],
  ["a IN 'x'", 6, /"'x'"; \( and a list of texts/],
  ['a IN ()', 7, /"\)"; a text in single quotes/],
  ['a IN (1, 2)', 7, /"1"; a text in single quotes/],
  ["a IN ('x' 'y')", 11, /"'y'"; , or \)/],
  ['a LIKE b', 8, /"b"; a pattern in single quotes/],
  ["a LIKE 'b' ESCAPE", 18, /ends here; a character in single quotes/],
  ["a LIKE 'b' ESCAPE 'xy'", 19, /ESCAPE "xy"; a single character/],
  ["a LIKE 'b' ESCAPE ''", 19, /a single character/],
  ["'a' LIKE 'b'", 1, /LIKE behind a text; the name of a header/],
  ['1 IS NULL', 1, /IS NULL behind a number; the name of a header/],
  ["(a = 1) IN ('x')", 2, /IN behind a condition; the name of a header/],
  ["a > 'x'", 5, /a text where a number or the name of a header is expected/],
  ['a > TRUE', 5, /a condition where a number/],
  ["'x' = 1", 1, /a text where a number/],
  ["'x' = TRUE", 1, /a text where a condition is expected/],
  ['1 = TRUE', 5, /a condition where a number/],
  ["a BETWEEN '1' AND 2", 11, /a text where a number/],
  ["a + 'x' = 1", 5, /a text where a number/],
  ["-'x' = 1", 2, /a text where a number/],
  ['1 AND a', 1, /a number where a condition is expected/],
  ["a OR 'x'", 6, /a text where a condition is expected/],
  ['NOT 1', 5, /a number where a condition is expected/],
  ['1 + a', 1, /the whole is a number; a condition is expected/],
  ["'a'", 1, /the whole is a text; a condition is expected/],
  ["a = 'x", 5, /a text begins whose closing ' is missing/],
  ['"a = 1', 1, /a name begins whose closing " is missing/],
  ['"" = 1', 1, /an empty name/],
  ['a @ 1', 3, /"@" begins nothing/],
  ['a != 1', 3, /"!" begins nothing/],
  ['a == 1', 4, /"="; a value/],
  ['a = 1e', 7, /digits of an exponent/],
  ['a = 0x', 7, /digits of a hexadecimal number/],
  ['a = 08', 5, /"08" begins with 0, and so is octal/],
  ['a = 5b', 6, /"b" follows a number; an operator/],
  ['a = 1e999', 5, /too large; up to 1.7E308/],
  ['a = 9007199254740992', 5, /too large; up to 9007199254740991 is expected; compare longer ones as text/],
  ["no_convert_string_expressions:a = 'x'", 30, /":" begins nothing/],
  ['a\u0000 = 1', 2, /"\\u0000" begins nothing/],
];

for (const [text, at, expected] of REFUSED) {
  test(`${JSON.stringify(text)} is refused at character ${at}`, () => {
    const error = refusal(text);
    assert.instance(error, BrokerError);
    if (!(error instanceof BrokerError)) return;
    assert.is(error.code, 'fieldInvalid');
    assert.match(error.message, `the selector cannot be read at character ${at}: `);
    assert.match(error.message, expected);
  });
}

test('the bytes of a selector are bounded', () => {
  const text = `a = '${'é'.repeat(40)}'`;
  const bytes = Buffer.byteLength(text);
  assert.is(refusal(text, { ...LIMITS, selectorBytes: bytes }), undefined);
  const error = refusal(text, { ...LIMITS, selectorBytes: bytes - 1 });
  assert.match(String(error), `the selector has ${bytes} bytes; at most ${bytes - 1} are taken (limits.selectorBytes)`);
});

test('parentheses within parentheses are bounded; what is beside each other is not', () => {
  const nested = (depth: number): string => `${'('.repeat(depth)}a = 1${')'.repeat(depth)}`;
  assert.is(refusal(nested(16)), undefined);
  assert.match(
    String(refusal(nested(17))),
    /at character 17: parentheses nest deeper than 16 \(limits.selectorDepth\)/,
  );
  assert.is(
    refusal(Array.from({ length: 40 }, () => nested(16)).join(' OR '), { ...LIMITS, selectorBytes: 9999 }),
    undefined,
  );
});

test('however long a list of operators is, it is read and evaluated without nesting', () => {
  const limits = { selectorBytes: 65_535, selectorDepth: 0 };
  for (const [part, by] of [
    ['a', ' OR '],
    ['a', ' AND '],
    ['NOT', ' '],
    ['1', '+'],
    ['1', '*'],
    ['-', ' '],
  ]) {
    const all = Array.from({ length: 10_000 }, () => part).join(by);
    const text = part === 'NOT' ? `${all} a` : part === '-' ? `${all} 1 = 1` : part === '1' ? `${all} > 0` : all;
    assert.is(refusal(text, limits), undefined, text.slice(0, 20));
  }
});

test.run();
