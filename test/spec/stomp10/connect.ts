import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Harness } from '../stomp/support/harness.ts';

/** Where 1.0 differs from the later versions; what is the same is run with 1.0 in `../stomp12/connect`. */

const test = suite('STOMP 1.0 connecting');

test('STOMP 1.0, Connecting: CONNECT needs no header; CONNECTED has the session', () => {
  const harness = Harness.open();
  const client = harness.open();
  client.write('CONNECT\n\n\0');
  const { command, headers } = client.frame();
  assert.is(command, 'CONNECTED');
  assert.match(headers.session ?? '', /^[0-9a-f]{16}$/);
});

test('STOMP 1.0, Connecting: there are no heart-beats', () => {
  for (const heartBeat of ['heart-beat:1000,1000', 'heart-beat:nonsense']) {
    for (const accepted of [[], ['accept-version:1.0']]) {
      const harness = Harness.open();
      const client = harness.open();
      client.send('CONNECT', [...accepted, heartBeat]);
      const { command, headers } = client.frame();
      assert.equal([command, headers['heart-beat']], ['CONNECTED', undefined]);
      assert.is(harness.clock.timers.size, 0);
    }
  }
});

test('STOMP 1.0, Connecting: its clients may write CR LF, too', () => {
  const client = Harness.open().open();
  client.write('CONNECT\r\nlogin: a\r\n\r\n\0\r\nSUBSCRIBE\r\ndestination: /topic/a\r\nreceipt: 1\r\n\r\n\0');
  const [connected, receipt] = client.frames();
  assert.equal([connected?.command, receipt?.headers['receipt-id']], ['CONNECTED', '1']);
});

test.run();
