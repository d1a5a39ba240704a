import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import type { Message } from '../../../src/core/message.ts';
import { parseSelector } from '../../../src/core/selector.ts';
import { condition, values } from './support/reference-selector.ts';
import { messageOf, refusal, selects } from './support/selecting.ts';

const LIMITS = { selectorBytes: 65_535, selectorDepth: 64 };

test('any condition is what the reference says, and so is its contrary', () => {
  let unknown = 0;
  fc.assert(
    fc.property(condition, fc.array(values, { minLength: 1, maxLength: 5 }), ({ text, value }, all) => {
      const selector = parseSelector(text, LIMITS);
      const contrary = parseSelector(`NOT (${text})`, LIMITS);
      for (const each of all) {
        const headers = Object.entries(each).flatMap(([name, raw]) =>
          raw === undefined ? [] : [[name, raw] as const],
        );
        const message = messageOf(headers);
        const expected = value(each);
        if (expected === 0.5) unknown++;
        assert.is(selector.matches(message), expected === 1, text);
        assert.is(contrary.matches(message), expected === 0, `NOT (${text})`);
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(unknown > 100, `${unknown} were unknown`);
});

const WORDS = ['a', 'b-c', '"d"', "'x'", '1', '.5', '0x', '1e', 'TRUE', 'NULL', 'NOT', 'AND', 'OR', 'IN', 'IS', 'LIKE'];
const MORE = [
  'BETWEEN',
  'ESCAPE',
  '(',
  ')',
  ',',
  '=',
  '<>',
  '<',
  '>=',
  '+',
  '-',
  '*',
  '/',
  '%',
  "'",
  '"',
  '.',
  'JMSx',
  '@',
];

test('whatever it is given, it reads it or throws a BrokerError', () => {
  const tokens = fc.array(fc.constantFrom(...WORDS, ...MORE), { maxLength: 12 }).map((each) => each.join(' '));
  const garbage = fc.oneof(tokens, fc.string({ unit: 'binary' }), fc.string());
  let read = 0;
  fc.assert(
    fc.property(garbage, values, (text, headers) => {
      const error = refusal(text, LIMITS);
      if (error !== undefined) {
        assert.instance(error, BrokerError, `${text}: ${error}`);
        return;
      }
      read++;
      const given = Object.entries(headers).flatMap(([name, raw]) => (raw === undefined ? [] : [[name, raw] as const]));
      assert.type(parseSelector(text, LIMITS).matches(messageOf(given)), 'boolean');
    }),
    { numRuns: 5000 },
  );
  assert.ok(read > 5, `${read} were read`);
});

const WILDCARDS: ReadonlyMap<string, string> = new Map([
  ['%', '.*'],
  ['_', '.'],
]);

test('LIKE is what a regular expression says, also over many words of bits', () => {
  const part = fc.constantFrom('a', 'b', '𝄞', '%', '_', 'ab', 'aaaa');
  const pattern = fc.array(part, { maxLength: 60 });
  const text = fc.array(fc.constantFrom('a', 'b', '𝄞', 'aaaaaaaaaaaaaaaa', 'abababababab'), { maxLength: 20 });
  fc.assert(
    fc.property(pattern, text, (parts, pieces) => {
      const regular = parts.map((each) => WILDCARDS.get(each) ?? each).join('');
      const value = pieces.join('');
      // Fewer wildcards, as the regular expression's time doubles with each.
      fc.pre(parts.filter((each) => each === '%').length < 4);
      assert.is(selects(`p LIKE '${parts.join('')}'`, { p: value }), new RegExp(`^${regular}$`, 'su').test(value));
    }),
  );
});

test('a pattern that fits its own text, at any length', () => {
  for (let length = 0; length <= 130; length++) {
    const own = 'x'.repeat(length);
    assert.ok(selects(`p LIKE '${own}'`, { p: own }), `${length}`);
    assert.not.ok(selects(`p LIKE '${own}'`, { p: `${own}x` }), `${length}`);
    assert.ok(selects(`p LIKE '${'_'.repeat(length)}%'`, { p: own }), `${length}`);
    assert.not.ok(selects(`p LIKE '${'_'.repeat(length)}_%'`, { p: own }), `${length}`);
  }
});

test('LIKE says the same of short texts and of long ones, which are searched otherwise', () => {
  for (const filling of ['', 'x'.repeat(252), 'x'.repeat(253), 'é𝄞'.repeat(90), 'ab'.repeat(400)]) {
    for (const [pattern, value, fits] of [
      ['ab%', `ab${filling}`, true],
      ['ab%', `b${filling}`, false],
      ['%ba', `${filling}ba`, true],
      ['%ba', `${filling}bb`, false],
      ['%𝄞𝄞%', `${filling}𝄞𝄞${filling}`, true],
      ['%𝄞𝄞%', filling, false],
      ['a%zz%c', `a${filling}zz${filling}c`, true],
      ['a%zz%c', `a${filling}z${filling}c`, false],
      ['a%a', `a${filling}`, false],
      [`%${'q'.repeat(70)}z%`, `${filling}${'q'.repeat(100)}z`, true],
      [`%${'q'.repeat(70)}z%`, `${filling}${'q'.repeat(69)}z`, false],
    ] as const) {
      assert.is(selects(`p LIKE '${pattern}'`, { p: value }), fits, `${pattern} of ${value.length} units`);
    }
  }
});

test('no text is slow for a pattern: time grows with its length, not faster', () => {
  const selector = parseSelector(`p LIKE '${'%a_'.repeat(330)}%b'`, LIMITS);
  const [short, long] = [8_000, 64_000].map((length) => messageOf({ p: 'a'.repeat(length) }));
  /** Of the processor, microseconds: others may be at work, too. */
  const time = (message: Message | undefined): number => {
    const begun = process.cpuUsage();
    assert.is(message && selector.matches(message), false);
    const { user, system } = process.cpuUsage(begun);
    return user + system;
  };
  let [shortest, longest] = [time(short), time(long)];
  for (let i = 0; i < 20; i++) {
    shortest = Math.min(shortest, time(short));
    longest = Math.min(longest, time(long));
  }
  // Eight times as long; squared it would be 64 times.
  assert.ok(longest < shortest * 32, `${shortest} µs for 8,000 characters, ${longest} µs for 64,000`);
});

test.run();
