import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { refused } from '../stomp/support/clauses.ts';
import { Harness } from '../stomp/support/harness.ts';

/** What SUBSCRIBE and UNSUBSCRIBE of 1.0 have of their own; what they share with later versions is in `../stomp12`. */

const test = suite('STOMP 1.0 SUBSCRIBE and UNSUBSCRIBE');

test('STOMP 1.0, SUBSCRIBE: an id is optional; with one, MESSAGE has a header subscription', () => {
  const harness = Harness.open();
  const client = harness.connect('1.0');
  client.send('SUBSCRIBE', ['destination:/topic/a']);
  client.send('SUBSCRIBE', ['destination:/topic/a', 'id:x']);
  harness.publish('a', 'one');
  assert.equal(
    client.frames().map(({ headers }) => headers.subscription),
    [undefined, 'x'],
  );
});

test('STOMP 1.0, SUBSCRIBE: without an id, once to a destination', () => {
  const client = Harness.open().connect('1.0');
  client.send('SUBSCRIBE', ['destination:/topic/a']);
  client.send('SUBSCRIBE', ['destination:/topic/b']);
  client.send('SUBSCRIBE', ['destination:/topic/a', 'receipt:r']);
  refused(client, 'r', 'there is a subscription with the destination "/topic/a" already');
});

test('STOMP 1.0, UNSUBSCRIBE: by destination, or by id if SUBSCRIBE had one', () => {
  const harness = Harness.open();
  for (const [subscribe, unsubscribe] of [
    [['destination: /topic/a'], ['destination:/topic/a']],
    [['destination:/topic/a', 'id:x'], ['id:x']],
    [['destination:/topic/a', 'id:x'], ['destination:/topic/a']],
  ] as const) {
    const client = harness.connect('1.0');
    client.send('SUBSCRIBE', subscribe);
    harness.publish('a', 'one');
    assert.equal(client.bodies(), ['one']);
    client.send('UNSUBSCRIBE', [...unsubscribe, 'receipt:r']);
    assert.is(client.frame().command, 'RECEIPT');
    harness.publish('a', 'two');
    assert.equal(client.frames(), []);
  }
});

test('STOMP 1.0, UNSUBSCRIBE: neither of them, or of nothing, is an ERROR', () => {
  for (const [lines, text] of [
    [[], 'UNSUBSCRIBE without the header id and destination'],
    [['destination:/topic/b'], 'no such subscription'],
  ] as const) {
    const client = Harness.open().connect('1.0');
    client.send('SUBSCRIBE', ['destination:/topic/a']);
    client.send('UNSUBSCRIBE', [...lines, 'receipt:r']);
    refused(client, 'r', text);
  }
});

test.run();
