import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saslprep } from '../../../src/security/saslprep.ts';

const test = suite('security: SASLprep');

test('RFC 4013, 3: the examples', () => {
  const table: [string, string | undefined][] = [
    ['I\u00adX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['\u0007', undefined],
    ['\u0627\u0031', undefined],
  ];
  for (const [given, wanted] of table) assert.is(saslprep(given), wanted, JSON.stringify(given));
});

test('RFC 4013, 2: spaces become spaces, compositions one form, and what may not be is refused', () => {
  const table: [string, string | undefined][] = [
    ['', ''],
    ['a b~', 'a b~'],
    ['a\u00a0b\u3000c', 'a b c'],
    ['u\u0308', '\u00fc'],
    ['\u1e9b\u0323', '\u1e69'],
    ['pass\ufeffword', 'password'],
    ['\u{1f511}', '\u{1f511}'],
    ['\u0000', undefined],
    ['a\u0085', undefined],
    ['\ud800', undefined],
    ['\ue000', undefined],
    ['\uffff', undefined],
    ['\u{e0041}', undefined],
    ['\u200e', undefined],
    ['\ufffd', undefined],
    ['\u0378', undefined],
    // From right to left: begins and ends so, and has no letters of the other kind.
    ['\u0627\u0031\u0628', '\u0627\u0031\u0628'],
    ['\u05d0', '\u05d0'],
    ['\u05d0a\u05d0', undefined],
    ['1\u05d0', undefined],
  ];
  for (const [given, wanted] of table) assert.is(saslprep(given), wanted, JSON.stringify(given));
});

test('property: what is prepared stays as it is when it is prepared again', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const prepared = saslprep(text);
      if (prepared !== undefined) assert.is(saslprep(prepared), prepared);
    }),
    { numRuns: 2000 },
  );
});

test('UAX #15, 13: more than 30 combining marks in a row are refused, however long the text, at once', () => {
  assert.is(saslprep(`a${'\u0323'.repeat(30)}`)?.length, 30, 'one of them is part of the letter');
  const long = 32_000;
  for (const marks of ['\u0301\u0316', '\uff9e\u0301', '\uff9f', '\u3099\u0301', '\u00ad\u0301\u034f\u0316']) {
    const began = performance.now();
    assert.ok(saslprep(`a${marks.repeat(long / marks.length)}`) === undefined, JSON.stringify(marks));
    // In order it takes seconds.
    assert.ok(performance.now() - began < 200, JSON.stringify(marks));
  }
});

test.run();
