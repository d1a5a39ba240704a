import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND } from '../../../protocols/stomp/words.ts';
import type { UserProperty } from '../../../src/core/message.ts';
import { frameOf, one, VERSIONS } from '../stomp/support/decode.ts';
import { expectError } from '../stomp/support/expect-error.ts';
import { Harness } from '../stomp/support/harness.ts';
import { Logins } from '../stomp/support/logins.ts';

/** Value Encoding: what is the same in 1.1 and in 1.0 is run with them. */

const test = suite('STOMP 1.2 value encoding');

test('STOMP 1.2, Value Encoding: \\r \\n \\c \\\\ are decoded, in names and values', () => {
  assert.is(one('SEND\na\\cb:\\r\\n\\c\\\\n\n\n\0'), frameOf(['a:b=\r\n:\\n']));
  assert.is(one('SEND\n\\r\\n\\c\\\\:x\n\n\0'), frameOf(['\r\n:\\=x']));
  assert.is(one('SEND\na:\\\\c\\\\\\c\n\n\0'), frameOf(['a=\\c\\:']), 'each backslash once');
});

test('STOMP 1.2, Value Encoding: undefined escape sequences are fatal, wherever they stand', () => {
  for (const line of ['a:\\t', 'a:\\', 'a:x\\', 'a\\b:x', 'a:\\N', 'a:\\R', 'a:\\\\\\', 'a\\:b', 'a:\\0', 'a:\\é']) {
    const client = Harness.open().connect();
    client.send('SEND', ['receipt:7', line, 'destination:/topic/a']);
    expectError(client, 'a backslash that begins no escape sequence', '7');
  }
});

test('STOMP 1.2, Value Encoding: so they are in every frame and header, also in those that nobody reads', () => {
  for (const command of ['SUBSCRIBE', 'UNSUBSCRIBE', 'BEGIN', 'COMMIT', 'ABORT', 'ACK', 'NACK', 'DISCONNECT']) {
    const client = Harness.open().connect();
    client.send(command, ['receipt:7', 'nobody-reads:\\t']);
    expectError(client, 'a backslash that begins no escape sequence', '7');
  }
});

const ROWS: readonly (readonly [version: '1.0' | '1.1' | '1.2', name: string, value: string, line: string])[] = [
  ['1.2', 'a', '\r\n:\\', 'a:\\r\\n\\c\\\\'],
  ['1.2', 'a:b\\c\r\n', '', 'a\\cb\\\\c\\r\\n:'],
  ['1.1', 'a', '\n:\\', 'a:\\n\\c\\\\'],
  ['1.1', 'a:b\\c\n', '', 'a\\cb\\\\c\\n:'],
  ['1.0', 'a', ':\\n\\', 'a::\\n\\'],
];

for (const [version, name, value, line] of ROWS) {
  test(`STOMP ${version}, Value Encoding: MESSAGE has ${JSON.stringify([name, value])} encoded`, () => {
    const harness = Harness.open();
    const user: readonly UserProperty[] = [[name, value]];
    for (const fanout of [1, 2]) {
      const clients = Array.from({ length: fanout }, () => harness.connect(version));
      for (const client of clients) client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
      harness.publish('a', 'x', { user });
      for (const client of clients) {
        assert.ok(client.frame().lines.includes(line));
        client.drop();
      }
    }
  });
}

for (const [version, value] of [
  ['1.2', 'a\\cb\\\\\\n\\ré'],
  ['1.1', 'a\\cb\\\\\\né'],
  ['1.0', 'a:b\\cé'],
] as const) {
  test(`STOMP ${version}, Value Encoding: subscription, receipt-id and user headers come back as they were encoded`, () => {
    const client = Harness.open().connect(version);
    client.send('SUBSCRIBE', [`id:${value}`, 'destination:/topic/a', `receipt:${value}`]);
    assert.is(client.frame().headers['receipt-id'], value);
    client.send('SEND', ['destination:/topic/a', `x:${value}`]);
    const { headers } = client.frame();
    assert.equal([headers.subscription, headers.x], [value, value]);
    client.send('SEND', [`receipt:${value}`]);
    expectError(client, 'header destination', value);
  });
}

for (const [version, destination] of [
  ['1.2', '/topic/x\\cy\\\\z'],
  ['1.1', '/topic/x\\cy\\\\z'],
  ['1.0', '/topic/x:y\\z'],
] as const) {
  test(`STOMP ${version}, Value Encoding: destinations are decoded and encoded`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', `destination:${destination}`]);
    harness.publish('x:y\\z', 'one');
    client.send('SEND', [`destination:${destination}`], 'two');
    const frames = client.frames();
    assert.equal(
      frames.map(({ body }) => String(body)),
      ['one', 'two'],
    );
    for (const { headers } of frames) assert.is(headers.destination, destination);
  });
}

for (const version of VERSIONS.keys()) {
  test(`STOMP ${version}, Value Encoding: CONNECT and CONNECTED have no escapes`, () => {
    assert.is(
      one('CONNECT\npasscode:a\\cb\\x\\\n\n\0', 'login'),
      frameOf(['passcode=a\\cb\\x\\'], '', COMMAND.connect),
    );
    const logins = new Logins();
    const client = Harness.open({}, logins).open();
    client.send('CONNECT', [`accept-version:${version}`, 'login:a:b\\c\\t\\n', 'host:\\x']);
    assert.is(client.frame().command, 'CONNECTED');
    assert.equal(logins.seen, ['a:b\\c\\t\\n/-']);
  });

  test(`STOMP ${version}, Value Encoding: commands and headers are UTF-8`, () => {
    assert.is(one('SEND\ndestination:/topic/é☕\nñ:😀\n\n\0', version), frameOf(['destination=/topic/é☕', 'ñ=😀']));
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xc3], [0xf5, 0x80, 0x80, 0x80]]) {
      for (const [before, after] of [
        ['a:', ''],
        ['a', ':x'],
      ]) {
        const line = Buffer.concat([Buffer.from(`SEND\n${before}`), Buffer.from(bytes), Buffer.from(`${after}\n\n\0`)]);
        assert.is(one(line, version), 'malformed', bytes.join());
      }
    }
  });

  test(`STOMP ${version}, Value Encoding: a body is bytes, of whatever encoding`, () => {
    const body = Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80]);
    const client = Harness.open().connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    client.send('SEND', ['destination:/topic/a'], body);
    assert.equal(client.frame().body, body);
  });
}

for (const version of ['1.1', '1.2'] as const) {
  test(`STOMP ${version}, Value Encoding: headers are never trimmed or padded`, () => {
    assert.is(one('SEND\n a : \tb \t\n\n\0', version), frameOf([' a = \tb \t']));
    const client = Harness.open().connect(version);
    client.send('SUBSCRIBE', ['id: 1 ', 'destination:/topic/a', 'receipt: r ']);
    assert.is(client.frame().headers['receipt-id'], ' r ');
    client.send('SEND', ['destination:/topic/a', ' x : y ', 'empty:', 'blank: '], 'b');
    const { headers, lines } = client.frame();
    assert.is(headers.subscription, ' 1 ');
    assert.ok(lines.includes(' x : y ') && lines.includes('empty:') && lines.includes('blank: '));
    client.send('SEND', ['destination: /topic/a']);
    expectError(client, 'destination');
  });

  test(`STOMP ${version}, Value Encoding: nor is content-length`, () => {
    for (const value of [' 5', '5 ']) assert.is(one(`SEND\ncontent-length:${value}\n\nhello\0`, version), 'malformed');
  });

  test(`STOMP ${version}, Value Encoding: nor are login and passcode`, () => {
    const logins = new Logins();
    const client = Harness.open({}, logins).open();
    client.send('CONNECT', [`accept-version:${version}`, 'login: me ', 'passcode: secret ']);
    assert.is(client.frame().command, 'CONNECTED');
    assert.equal(logins.seen, [' me / secret ']);
  });
}

test.run();
