import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { UserProperty } from '../../../src/core/message.ts';
import { VERSIONS } from '../stomp/support/decode.ts';
import { expectError } from '../stomp/support/expect-error.ts';
import type { ServerFrame } from '../stomp/support/frames.ts';
import { Harness, type TestClient } from '../stomp/support/harness.ts';
import { Logins } from '../stomp/support/logins.ts';

/** Repeated Header Entries, in 1.2 and 1.1; 1.0 does not speak of them, and is served in the same way. */

const test = suite('STOMP 1.2 repeated header entries');

function listening(version: '1.0' | '1.1' | '1.2'): TestClient {
  const client = Harness.open().connect(version);
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  return client;
}

function linesOf({ lines }: ServerFrame, name: string): string[] {
  return lines.filter((line) => line.startsWith(`${name}:`));
}

for (const version of VERSIONS.keys()) {
  test(`STOMP ${version}, Repeated Header Entries: the first of each header is its value`, () => {
    const client = listening(version);
    client.send('SEND', ['destination:/topic/a', 'destination:/topic/b', 'receipt:1', 'receipt:2', 'content-type:a/b']);
    client.send(
      'SEND',
      ['destination:/topic/a', 'content-length:3', 'content-length:1', 'content-type:a/b', 'content-type:c/d'],
      'a\0b',
    );
    const frames = client.frames();
    assert.equal(
      frames.flatMap(({ headers }) => headers['receipt-id'] ?? []),
      ['1'],
    );
    const [, second] = frames.filter(({ command }) => command === 'MESSAGE');
    assert.is(String(second?.body), 'a\0b');
    assert.is(second?.headers['content-type'], 'a/b');
  });

  test(`STOMP ${version}, Repeated Header Entries: so it is in CONNECT`, () => {
    const logins = new Logins();
    const client = Harness.open({}, logins).open();
    client.send('CONNECT', [`accept-version:${version}`, 'accept-version:9.9', 'login:a', 'login:b']);
    assert.is(client.frame().headers.version, version);
    assert.equal(logins.seen, ['a/-']);
  });

  test(`STOMP ${version}, Repeated Header Entries: so it is in SUBSCRIBE, and in headers that are found by name`, () => {
    const client = listening(version);
    client.send('SUBSCRIBE', ['id:2', 'id:3', 'destination:/topic/b', 'destination:/topic/c', 'ack:auto', 'ack:x']);
    client.send('SUBSCRIBE', ['id:4', 'destination:/topic/d', 'no-local:false', 'no-local:true']);
    client.send('SEND', ['destination:/topic/b'], 'x');
    client.send('SEND', ['destination:/topic/d'], 'y');
    assert.equal(
      client.frames().map(({ headers }) => headers.subscription),
      ['2', '4'],
    );
  });

  test(`STOMP ${version}, Repeated Header Entries: a message keeps all of them, in order`, () => {
    const client = listening(version);
    client.send('SEND', ['destination:/topic/a', 'foo:World', 'bar:1', 'foo:Hello', 'foo:World', 'foo:']);
    const frame = client.frame();
    assert.equal(linesOf(frame, 'foo'), ['foo:World', 'foo:Hello', 'foo:World', 'foo:']);
    assert.is(frame.headers.foo, 'World');
    assert.ok(frame.lines.indexOf('foo:World') < frame.lines.indexOf('bar:1'));
    assert.ok(frame.lines.indexOf('bar:1') < frame.lines.indexOf('foo:Hello'));
  });

  test(`STOMP ${version}, Repeated Header Entries: none of a message repeats one of the frame's own`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    const own = ['destination', 'message-id', 'subscription', 'ack', 'content-length', 'content-type', 'receipt-id'];
    harness.publish('a', 'x', { contentType: 'a/b', user: own.map((name): UserProperty => [name, 'forged']) });
    const frame = client.frame();
    for (const name of own) assert.ok(linesOf(frame, name).length <= 1, name);
    for (const name of own.slice(0, 3)) assert.is.not(frame.headers[name], 'forged');
  });
}

test('STOMP 1.2, Repeated Header Entries: a later one does not mend the first', () => {
  const client = listening('1.2');
  client.send('SEND', ['destination:/nowhere/x', 'destination:/topic/a']);
  expectError(client, '/nowhere/x');
});

test.run();
