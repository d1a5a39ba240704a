import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BoundedDerivation } from '../../../src/security/key-derivation.ts';
import { formatVerifier, makeVerifier, parseVerifier } from '../../../src/security/verifier.ts';
import { VECTORS } from './support/vectors.ts';

const test = suite('security: verifiers');
const [{ verifier = '' } = {}] = VECTORS;

test('RFC 5802, 3: StoredKey and ServerKey of the vectors', async () => {
  const derivation = new BoundedDerivation({ passwordChecks: 1, passwordChecksWaiting: 9 });
  for (const { verifier: text, password } of VECTORS) {
    const parsed = parseVerifier(text);
    if (typeof parsed === 'string') throw new Error(parsed);
    assert.is(formatVerifier(await makeVerifier(derivation, password, parsed)), text);
  }
});

test('what is no verifier is refused in words that do not show it', () => {
  const [, keys = ''] = /\$.*\$(.*)$/.exec(verifier) ?? [];
  const table: [string, RegExp][] = [
    [verifier.replace('SHA-256', 'SHA-1'), /^is not of the form SCRAM-SHA-256\$/],
    [verifier.replace('SHA-256', 'SHA-512'), /^has a StoredKey that is not Base64 of 64 bytes/],
    [verifier.replace('4096', '4095'), /^has 4095 iterations; 4096 to 10000000/],
    [verifier.replace('4096', '10000001'), /^has 10000001 iterations/],
    [verifier.replace('4096', '4e3'), /form/],
    [verifier.replace('4096:', '4096'), /form/],
    [verifier.replace(keys, ''), /form|StoredKey/],
    [verifier.replace('==$', '$'), /^has a salt that is not Base64/],
    [verifier.replace(/:.{24}\$/, ':AAAA$'), /^has a salt that is not Base64 of 8 to 64 bytes/],
    [verifier.slice(0, -1), /^has a ServerKey that is not Base64 of 32 bytes/],
    [verifier.slice(0, -4), /ServerKey/],
    [`${verifier}\n`, /ServerKey|form/],
    [`${verifier}:`, /form/],
    ['SCRAM-SHA-256', /form/],
    ['', /form/],
  ];
  for (const [text, wanted] of table) {
    const fault = parseVerifier(text);
    assert.type(fault, 'string', text);
    assert.match(String(fault), wanted, text);
    assert.not.match(String(fault), /dzbZ|WG5d|W22Z/, 'nothing of it');
  }
});

test.run();
