import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { frameOf, one } from '../stomp/support/decode.ts';
import { Harness } from '../stomp/support/harness.ts';
import { Logins } from '../stomp/support/logins.ts';

/** Where 1.0 differs from the later versions; what is the same is run with 1.0 in `../stomp12/encoding`. */

const test = suite('STOMP 1.0 value encoding');

test('STOMP 1.0, Frames: there are no escapes', () => {
  assert.is(one('SEND\na\\n:\\c\\t\\\n\n\0', '1.0'), frameOf(['a\\n=\\c\\t\\']));
});

test('STOMP 1.0, Frames: space around names and values is left out, as in the examples of the specification', () => {
  assert.is(one('SEND\n a : \tb c\t \n\n\0', '1.0'), frameOf(['a=b c']));
  const client = Harness.open().connect('1.0');
  client.send('SUBSCRIBE', ['destination: /topic/a', 'ack: auto', 'id: 1', 'receipt: r']);
  assert.is(client.frame().headers['receipt-id'], 'r');
  client.send('SEND', ['destination: /topic/a', 'content-length: 3 ', 'x: y'], 'a\0b');
  const { headers, body } = client.frame();
  assert.equal([headers.subscription, headers.x, String(body)], ['1', 'y', 'a\0b']);
});

test('STOMP 1.0, Connecting: so it is in CONNECT, whose sender may speak 1.0', () => {
  const logins = new Logins();
  const client = Harness.open({}, logins).open();
  client.write('CONNECT\nlogin: me\npasscode: secret \ncontent-length: 0\n\n\0');
  assert.is(client.frame().command, 'CONNECTED');
  assert.equal(logins.seen, ['me/secret']);
});

test('STOMP 1.0, Frames: what it cannot express is left out of MESSAGE, and counted', () => {
  const harness = Harness.open();
  const client = harness.connect('1.0');
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  const user = [
    ['a', 'x\ny'],
    ['b', 'x\ry'],
    ['c:d', 'x'],
    ['e', 'f'],
  ] as const;
  harness.publish('a', 'x', { user });
  const { lines } = client.frame();
  assert.equal(
    lines.filter((line) => /^[a-f]:/.test(line)),
    ['e:f'],
  );
  assert.is(harness.counters.droppedHeaders, 3);
});

test.run();
