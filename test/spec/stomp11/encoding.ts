import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { frameOf, one } from '../stomp/support/decode.ts';
import { expectError } from '../stomp/support/expect-error.ts';
import { Harness } from '../stomp/support/harness.ts';

/** Where 1.1 differs from 1.2; what is the same is run with 1.1 in `../stomp12/encoding`. */

const test = suite('STOMP 1.1 value encoding');

test('STOMP 1.1, Value Encoding: \\n \\c \\\\ are decoded, in names and values', () => {
  assert.is(one('SEND\na\\cb:\\n\\c\\\\n\n\n\0', '1.1'), frameOf(['a:b=\n:\\n']));
  assert.is(one('SEND\n\\n\\c\\\\:x\n\n\0', '1.1'), frameOf(['\n:\\=x']));
});

test('STOMP 1.1, Value Encoding: undefined escape sequences are fatal, \\r among them', () => {
  for (const line of ['a:\\r', 'a\\r:b', 'a:\\t', 'a:\\', 'a:\\\\\\', 'a:\\N']) {
    const client = Harness.open().connect('1.1');
    client.send('SEND', ['receipt:7', line, 'destination:/topic/a']);
    expectError(client, 'There are \\n, \\c and \\\\', '7');
  }
});

test('STOMP 1.1, Value Encoding: what it cannot express is left out of MESSAGE, and counted', () => {
  const harness = Harness.open();
  const client = harness.connect('1.1');
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  const user = [
    ['a', 'x\ry'],
    ['b', 'z'],
  ] as const;
  harness.publish('a', 'x', { user });
  const { lines } = client.frame();
  assert.ok(lines.includes('b:z') && !lines.some((line) => line.startsWith('a:')));
  assert.is(harness.counters.droppedHeaders, 1);
});

test.run();
