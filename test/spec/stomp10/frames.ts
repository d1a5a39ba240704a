import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { frameOf, one } from '../stomp/support/decode.ts';
import { expectError } from '../stomp/support/expect-error.ts';
import { Harness } from '../stomp/support/harness.ts';

/** Where 1.0 differs from the later versions; what is the same is run with 1.0 in `../stomp12/frames`. */

const test = suite('STOMP 1.0 frames');

test('STOMP 1.0, Augmented BNF: a line ends with LF; clients that write CR LF are understood', () => {
  assert.is(one('SEND\na:1\r2\n\n\0', '1.0'), frameOf(['a=1\r2']));
  assert.is(one('SEND\r\na:1\r\n\r\nbody\0', '1.0'), frameOf(['a=1'], 'body'));
  assert.is(one('SEND\na:1\r\n\n\0', '1.0'), frameOf(['a=1']), 'as space at the end of a value');
});

test('STOMP 1.0, SUBSCRIBE: its body is ignored', () => {
  for (const length of [[], ['content-length:8']]) {
    const client = Harness.open().connect('1.0');
    client.send('SUBSCRIBE', ['destination:/topic/a', 'receipt:1', ...length], 'whatever');
    assert.is(client.frame().command, 'RECEIPT');
    client.send('SEND', ['destination:/topic/a'], 'x');
    assert.equal(client.bodies(), ['x']);
  }
});

test('STOMP 1.0, Frames: a body in any other frame than SEND and SUBSCRIBE is an ERROR', () => {
  for (const command of ['BEGIN', 'COMMIT', 'ABORT', 'ACK', 'UNSUBSCRIBE', 'DISCONNECT']) {
    const client = Harness.open().connect('1.0');
    client.send(command, ['transaction:t', 'message-id:1', 'destination:/topic/a', 'receipt:1'], 'body');
    expectError(client, 'a frame other than SEND has a body', '1');
  }
});

test.run();
