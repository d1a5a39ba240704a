import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Headers, selects, truth } from './support/selecting.ts';

/** Titles cite the clause of JMS 2.0 that is followed; those without one say what this broker chose. */

/** Conditions over headers, with what they are. */
function are(expected: 'T' | 'F' | '?', conditions: readonly string[], headers: Headers = {}): void {
  for (const each of conditions) assert.is(truth(each, headers), expected, each);
}

const T = 'a = 1';
const F = 'a = 2';
const U = 'absent = 1';
const ONE = { a: '1' };

test('JMS 2.0, 3.8.1.2: AND', () => {
  are('T', [`${T} AND ${T}`], ONE);
  are('F', [`${T} AND ${F}`, `${F} AND ${T}`, `${F} AND ${F}`, `${F} AND ${U}`, `${U} AND ${F}`], ONE);
  are('?', [`${T} AND ${U}`, `${U} AND ${T}`, `${U} AND ${U}`], ONE);
});

test('JMS 2.0, 3.8.1.2: OR', () => {
  are('T', [`${T} OR ${T}`, `${T} OR ${F}`, `${F} OR ${T}`, `${T} OR ${U}`, `${U} OR ${T}`], ONE);
  are('F', [`${F} OR ${F}`], ONE);
  are('?', [`${F} OR ${U}`, `${U} OR ${F}`, `${U} OR ${U}`], ONE);
});

test('JMS 2.0, 3.8.1.2: NOT', () => {
  are('F', [`NOT ${T}`], ONE);
  are('T', [`NOT ${F}`, `NOT NOT ${T}`], ONE);
  are('?', [`NOT ${U}`, `NOT NOT ${U}`], ONE);
});

test('JMS 2.0, 3.8.1.2: comparison and arithmetic with NULL are unknown', () => {
  const comparisons = ['=', '<>', '<', '<=', '>', '>='].flatMap((each) => [`x ${each} 1`, `1 ${each} x`]);
  are('?', [...comparisons, "x = 'a'", "x <> 'a'", 'x = y', 'x = a', 'x = TRUE', 'TRUE <> x', 'x'], ONE);
  are('?', ['x + 1 = 2', '1 - x = 2', 'x * 0 = 0', '0 / x = 0', '-x = 1', 'x + y = 2', 'a * (x + 1) > 0'], ONE);
  are('?', ['x BETWEEN 0 AND 2', 'a BETWEEN x AND 2', 'a BETWEEN 0 AND x', 'x NOT BETWEEN 0 AND 2'], ONE);
  are('F', ['a BETWEEN 2 AND x', 'a BETWEEN x AND 0'], ONE);
  are('T', ['a NOT BETWEEN 2 AND x', 'a NOT BETWEEN x AND 0'], ONE);
  are('?', ["x IN ('1')", "x NOT IN ('1')", "x LIKE '%'", "x NOT LIKE '%'"], ONE);
});

test('JMS 2.0, 3.8.1.2: IS NULL and IS NOT NULL are never unknown; an empty header is not NULL', () => {
  are('T', ['x IS NULL', 'a IS NOT NULL', 'e IS NOT NULL', 'x is null AND a Is Not Null'], { ...ONE, e: '' });
  are('F', ['x IS NOT NULL', 'a IS NULL', 'e IS NULL'], { ...ONE, e: '' });
});

test('JMS 2.0, 3.8.1.1: evaluation is NOT before AND before OR, comparison and arithmetic before these', () => {
  are('T', ['TRUE OR TRUE AND FALSE', 'NOT FALSE AND TRUE', 'NOT FALSE OR TRUE', 'NOT a = 2'], ONE);
  are('F', ['(TRUE OR TRUE) AND FALSE', 'NOT (FALSE OR TRUE)', 'NOT TRUE AND FALSE', 'NOT a = 1'], ONE);
  are('T', ['2 + 3 * 4 = 14', '(2 + 3) * 4 = 20', '10 - 2 - 3 = 5', '16 / 4 / 2 = 2', '7 % 4 * 2 = 6', '1 + 1 < 3']);
  are('T', ['-2 + 3 = 1', '-(2 + 3) = -5', '2 * -3 = -6', '2 - -3 = 5', '- - 2 = 2', '+2 = 2', '1 -1 = 0', '1-1 = 0']);
  are('T', ['a BETWEEN 0 AND 2 AND TRUE', 'a BETWEEN 0 + 1 AND 2 * 3', 'NOT a BETWEEN 2 AND 3'], ONE);
  are('T', ['(((a)) = ((1)))', '((a = 1) AND ((TRUE)))', '(1 < 2) = (3 < 4)', '(a = 1) = TRUE'], ONE);
});

test('JMS 2.0, 3.8.1.1: string literals are in single quotes, doubled where they are meant', () => {
  are('T', ["a = 'it''s'"], { a: "it's" });
  are('T', ["a = ''''"], { a: "'" });
  are('T', ["a = ''"], { a: '' });
  are('T', [`a = 'say "x" and\n%'`], { a: 'say "x" and\n%' });
  are('T', ["a = 'é 𝄞 NOT'"], { a: 'é 𝄞 NOT' });
  are('F', ["a = 'X'", "a = 'x '"], { a: 'x' });
});

test('JMS 2.0, 3.8.1.1: numeric literals, exact and approximate, are those of Java', () => {
  are('T', [
    '7 = 7',
    '-957 = 0 - 957',
    '+62 = 62',
    '7. = 7',
    '-95.7 < -95',
    '+6.2 > 6',
    '7E3 = 7000',
    '-57.9E2 = -5790',
  ]);
  are('T', [
    '.5 = 0.5',
    '1e-2 = 0.01',
    '1E+2 = 100',
    '7L = 7',
    '7l = 7',
    '0x1F = 31',
    '0XfFL = 255',
    '017 = 15',
    '0 = 0',
  ]);
  are('T', ['6.2F = 6.2', '6.2d = 6.2', '1e3D = 1000', '09.5 = 9.5', '9007199254740991 = 9007199254740991L']);
});

test('JMS 2.0, 3.8.1.1: keywords and TRUE and FALSE are not case-sensitive', () => {
  are(
    'T',
    ["not a in ('2') AnD a like '_' Or false", "a Between 1 aNd 1 and a iS nOt nUlL and a LiKe '1' EsCaPe '!'"],
    ONE,
  );
  are('T', ['true', 'True = TRUE', 'NOT false']);
});

test('JMS 2.0, 3.8.1.1: identifiers are those of Java, and case-sensitive', () => {
  are('T', ["_a$1 = 'x'", "Ünï_çødé = 'y'", "a.b.c = 'z'", "NOTE = 'n'", "INx = 'i'"], {
    _a$1: 'x',
    Ünï_çødé: 'y',
    'a.b.c': 'z',
    NOTE: 'n',
    INx: 'i',
  });
  are('?', ["A = '1'"], ONE);
});

test('JMS 2.0, 3.8.1.1: BETWEEN has both its ends in it', () => {
  are('T', ['a BETWEEN 1 AND 1', 'a BETWEEN 0 AND 1', 'a NOT BETWEEN 2 AND 3', 'a BETWEEN-1 AND 2'], ONE);
  are('F', ['a BETWEEN 2 AND 3', 'a NOT BETWEEN 1 AND 1', 'a BETWEEN 3 AND 0'], ONE);
});

test('JMS 2.0, 3.8.1.1: IN has texts, one or more', () => {
  are('T', ["c IN ('UK')", "c IN ('US','UK', 'France')", "c NOT IN ('US')", "c in ( 'UK' )"], { c: 'UK' });
  are('F', ["c IN ('uk', 'U', 'UK ')", "c NOT IN ('US', 'UK')"], { c: 'UK' });
});

test('JMS 2.0, 3.8.1.1: in LIKE _ is any one character and % any number of them', () => {
  const yes = ['12%3', '12993', '%', '1%', '%3', '_____', '1___3', '%2%9%', '%%', '1_99%_', '%_', '%3%'];
  are(
    'T',
    yes.map((each) => `p LIKE '${each}'`),
    { p: '12993' },
  );
  are('F', ["p LIKE '1299'", "p LIKE '____'", "p LIKE '______'", "p LIKE '%4%'", "p LIKE '2%'", "p LIKE '%9'"], {
    p: '12993',
  });
  for (const each of ['1234', "'", '']) are('F', ["p LIKE '12%3'"], { p: each });
  are('T', ["p LIKE 'l_se'", "p NOT LIKE 'lo_se'"], { p: 'lose' });
  are('F', ["p LIKE 'l_se'"], { p: 'loose' });
  are('T', ["p LIKE ''", "p LIKE '%'", "p NOT LIKE '_'"], { p: '' });
  are('T', ["p LIKE '_𝄞_'", "p LIKE '___'", "p NOT LIKE '____'"], { p: 'a𝄞b' });
  are('T', ["p LIKE 'a%b'", "p LIKE 'a_b'"], { p: 'a\nb' });
  are('F', ["p LIKE 'a.b'", "p LIKE 'a*'", "p LIKE '[a]%'", "p LIKE 'A%'"], { p: 'axb' });
});

test('JMS 2.0, 3.8.1.1: ESCAPE takes the meaning of _ and %', () => {
  are('T', ["u LIKE '\\_%' ESCAPE '\\'", "u LIKE '|_foo' ESCAPE '|'"], { u: '_foo' });
  are('F', ["u LIKE '\\_%' ESCAPE '\\'", "u LIKE 'b\\_r' ESCAPE '\\'"], { u: 'bar' });
  are('T', ["u LIKE '100!%' ESCAPE '!'", "u LIKE '1%!%' ESCAPE '!'", "u NOT LIKE '100!_' ESCAPE '!'"], { u: '100%' });
  are('T', ["u LIKE 'a!!b' ESCAPE '!'", "u LIKE 'a%%b' ESCAPE 'x'"], { u: 'a!b' });
  are('T', ["u LIKE 'a''%b' ESCAPE ''''"], { u: 'a%b' });
  // Before anything else it is itself, as in ActiveMQ; so it is at the end.
  are('T', ["u LIKE '!a!b!' ESCAPE '!'"], { u: '!a!b!' });
  are('T', ["u LIKE '%%a%_' ESCAPE '%'"], { u: '%a_' });
});

test('JMS 2.0, 3.8.1.1: values of unlike types are not compared: FALSE, also unequal', () => {
  const headers = { t: 'abc', e: '', n: '5', s: ' 5', h: '0x5', i: 'Infinity', b: 'true' };
  for (const name of ['t', 'e', 's', 'h', 'i', 'b']) {
    are(
      'F',
      ['=', '<>', '<', '<=', '>', '>='].map((each) => `${name} ${each} 5`),
      headers,
    );
    are('F', [`${name} BETWEEN 0 AND 9`, `${name} NOT BETWEEN 0 AND 9`, `${name} + 1 > 0`, `-${name} < 0`], headers);
  }
  are('F', ['t = TRUE', 't <> TRUE', 'n = FALSE', 'n <> FALSE', 'TRUE = e', 't', 'n', 'e'], headers);
});

test('a header that is a number counts as one; compared with a text, its characters count', () => {
  const headers = { p: '12', q: '12.0', r: '-3.5e1', z: '007', big: '9007199254740993' };
  are(
    'T',
    ['p > 10', 'p = 12', 'p = 12.0', 'q = 12', 'p <> 13', 'p + 1 = 13', 'r = -35', 'z = 7', 'p > r', 'p >= q'],
    headers,
  );
  are('T', ["p = '12'", "p <> '12.0'", "q LIKE '12._'", 'p <> q', 'p = p', "big = '9007199254740993'"], headers);
  assert.is(truth('n = 1', { n: `1.${'0'.repeat(98)}` }), 'T', 'at most 100 characters');
  assert.is(truth('n = 1', { n: `1.${'0'.repeat(99)}` }), 'F');
  are('F', ["p = '012'", 'p < 10', 'p = q', 'big = 9007199254740991'], headers);
  are('T', ['p / 5 = 2.4', 'p % 5 = 2', 'p / 0 > 1', '-p / 0 < 1'], headers);
});

test('a header that is true or false, in capitals or not, counts as such', () => {
  const headers = { t: 'true', f: 'FALSE', o: 'yes' };
  are(
    'T',
    ['t', 'NOT f', 't = TRUE', 'f = FALSE', 't <> FALSE', 'f <> t', 't AND NOT f', "t = 'true'", 'NOT o'],
    headers,
  );
  are('F', ['f', 'o', 't = FALSE', 'o = TRUE', 'o = FALSE', "t = 'TRUE'", 't = (1 = 2)'], headers);
});

test('hyphens are in names where no space is around them', () => {
  const headers = { 'content-kind': 'x', a: '5', b: '2', 'a-1': 'y', 'in-reply': 'z', 'x--y': 'w' };
  are(
    'T',
    ["content-kind = 'x'", "a-1 = 'y'", "in-reply = 'z'", 'a - b = 3', 'a -b = 3', 'a- b = 3', '5-a = 0'],
    headers,
  );
  are(
    'T',
    ["hyphenated_props:content-kind = 'x'", 'no_hyphenated_props:a-b = 3', 'no_hyphenated_props:a-1=4'],
    headers,
  );
});

test('a name in double quotes is any text', () => {
  const headers = { 'x--y': 'w', 'a b': '1', NOT: '2', '"': '3', ünï: '4', 'a:b': '5' };
  are('T', [`"x--y" = 'w'`, '"a b" = 1', '"NOT" = 2', '"""" = 3', '"ünï" = 4', `"a:b" IN ('5')`], headers);
});

test("ActiveMQ's prefixes may be there", () => {
  const both = 'convert_string_expressions:hyphenated_props:my-price > 10';
  assert.ok(selects(both, { 'my-price': '12' }));
  assert.ok(selects('convert_string_expressions: a = 1', ONE));
  assert.not.ok(selects(both, { 'my-price': '9' }));
});

test('the first of a repeated header counts', () => {
  assert.ok(
    selects('a = 1', [
      ['a', '1'],
      ['a', '2'],
    ]),
  );
  assert.not.ok(
    selects('a = 2', [
      ['a', '1'],
      ['a', '2'],
    ]),
  );
});

test.run();
