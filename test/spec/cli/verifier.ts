import { Readable } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseArguments, UsageError } from '../../../src/cli/arguments.ts';
import { verifierText } from '../../../src/cli/verifier.ts';
import { VECTORS } from '../security/support/vectors.ts';

const test = suite('cli: verifier');

function verifier(input: string | Buffer, ...args: string[]): Promise<string> {
  const invocation = parseArguments(['verifier', ...args]);
  return verifierText(invocation, Readable.from([Buffer.from(input)]), { write: () => assert.unreachable() });
}

test('the first line of the input becomes a verifier, with another salt each time', async () => {
  const one = await verifier('pencil\r\nno part of it\n');
  assert.match(one, /^SCRAM-SHA-256\$4096:[\w+/]{22}==\$[\w+/]{43}=:[\w+/]{43}=\n$/);
  assert.is.not(await verifier('pencil'), one);
  const strong = await verifier('pencil', '--method', 'SCRAM-SHA-512', '--iterations', '5000');
  assert.match(strong, /^SCRAM-SHA-512\$5000:[\w+/]{22}==\$[\w+/]{86}==:[\w+/]{86}==\n$/);
});

test('a terminal is asked for it', async () => {
  const input = Object.assign(Readable.from([Buffer.from('pencil\n')]), { isTTY: true });
  const shown: string[] = [];
  await verifierText(parseArguments(['verifier']), input, { write: (text) => shown.push(text) });
  assert.match(shown.join(), /^Password/);
});

test('what is refused, and in which words', async () => {
  const table: [string | Buffer, string[], RegExp][] = [
    ['', [], /^expected a password, in UTF-8/],
    ['\nx', [], /^expected a password/],
    [Buffer.of(0x78, 0xff), [], /^expected a password/],
    ['x\0', [], /^expected a password/],
    ['x'.repeat(70_000), [], /^found no line end within 65536 bytes/],
    [VECTORS[0].verifier, [], /^found a verifier on the standard input, expected a password/],
    ['x', ['--method', 'MD5'], /^--method MD5: expected SCRAM-SHA-512 or SCRAM-SHA-256/],
    ['x', ['--iterations', '1'], /^--iterations 1: expected a whole number from 4096 to 10000000/],
    ['x', ['--iterations', '1e6'], /^--iterations 1e6: expected/],
  ];
  for (const [input, args, wanted] of table) {
    try {
      await verifier(input, ...args);
    } catch (error) {
      assert.instance(error, UsageError);
      assert.match(error instanceof UsageError ? error.message : '', wanted);
      continue;
    }
    assert.unreachable(String(input).slice(0, 20));
  }
});

test.run();
