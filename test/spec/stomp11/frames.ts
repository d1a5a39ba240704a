import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { frameOf, one } from '../stomp/support/decode.ts';

/** Where 1.1 differs from 1.2; what is the same is run with 1.1 in `../stomp12/frames`. */

const test = suite('STOMP 1.1 frames');

test('STOMP 1.1, Augmented BNF: a line ends with LF; a carriage return is part of the value', () => {
  assert.is(one('SEND\na:1\r\n\n\0', '1.1'), frameOf(['a=1\r']));
  assert.is(one('SEND\na:1\r2\n\n\0', '1.1'), frameOf(['a=1\r2']));
});

test('STOMP 1.1, Augmented BNF: who ends the line of the command with CR LF ends all lines so', () => {
  assert.is(one('SEND\r\na:1\r\n\r\nbody\0', '1.1'), frameOf(['a=1'], 'body'));
});

test.run();
