import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND } from '../../../protocols/stomp/words.ts';
import { decode, frameOf, one, VERSIONS } from '../stomp/support/decode.ts';
import { expectError } from '../stomp/support/expect-error.ts';
import { Harness, type TestClient } from '../stomp/support/harness.ts';

/** STOMP Frames, Body, content-length, content-type, Augmented BNF; what 1.1 and 1.0 say in the same way is run with them. */

const test = suite('STOMP 1.2 frames');

/** A client that listens to what it sends to `/topic/a`. */
function listening(version: '1.0' | '1.1' | '1.2'): TestClient {
  const client = Harness.open().connect(version);
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  return client;
}

for (const version of VERSIONS.keys()) {
  test(`STOMP ${version}, Frames: a command, headers, a blank line, the body, a null byte`, () => {
    assert.is(
      one('SEND\ndestination:/topic/a\nx:1\n\nhello\0', version),
      frameOf(['destination=/topic/a', 'x=1'], 'hello'),
    );
    assert.is(one('SEND\n\n\0', version), frameOf([]), 'no headers, no body');
    assert.is(one('SEND\na:1\n\n\n\nx\n\0', version), frameOf(['a=1'], '\n\nx\n'), 'line ends of the body are its own');
  });

  test(`STOMP ${version}, Frames: line ends between frames mean nothing`, () => {
    const eol = version === '1.2' ? '\r\n' : '\n';
    const seen = decode(
      [`\n${eol}SEND\n\n\0\n${eol}${eol}SEND\n\n\0SEND\n\n\0\n`, '\n\n', `SEND\n\n\0${eol}`],
      version,
    );
    assert.equal(seen, [frameOf([]), frameOf([]), frameOf([]), frameOf([])]);
  });

  test(`STOMP ${version}, Frames: as in RabbitMQ, so are null bytes`, () => {
    assert.equal(decode(['\n\0SEND\n\n\0\n\0', '\0\0\nSEND\n\n\0'], version), [frameOf([]), frameOf([])]);
    assert.equal(decode(['\0\n\0CONNECT\n\n\0'], 'login'), [frameOf([], '', COMMAND.connect)]);
  });

  test(`STOMP ${version}, Frames: names of commands and headers are case sensitive`, () => {
    for (const command of ['send', 'Send', 'SENd']) assert.is(one(`${command}\na:b\n\n\0`, version), 'malformed');
    const client = Harness.open().connect(version);
    client.send('SEND', ['Destination:/topic/a', 'receipt:1']);
    expectError(client, 'header destination', '1');
  });

  test(`STOMP ${version}, Frames: what is no command of clients is an ERROR`, () => {
    for (const command of ['FOO', 'SENDS', 'SEN', 'GET', 'X', 'SUBSCRIBED', 'UNSUBSCRIBED']) {
      const client = Harness.open().connect(version);
      client.send(command, ['destination:/topic/a', 'receipt:1']);
      expectError(client, 'command');
    }
  });

  test(`STOMP ${version}, header content-length: so many bytes are read, whatever they are`, () => {
    assert.is(one('SEND\ncontent-length:6\n\na\0b\0\n\0\0', version), frameOf(['content-length=6'], 'a\0b\0\n\0'));
    assert.is(one('SEND\ncontent-length:0\n\n\0', version), frameOf(['content-length=0']));
    assert.is(one('SEND\ncontent-length:0003\n\nabc\0', version), frameOf(['content-length=0003'], 'abc'));
    const seen = decode(['SEND\ncontent-length:7\n\nSEND\n\n\0\0SEND\n\n\0'], version);
    assert.equal(seen, [frameOf(['content-length=7'], 'SEND\n\n\0'), frameOf([])], 'a frame within a body is none');
  });

  test(`STOMP ${version}, header content-length: bytes, not characters`, () => {
    const body = Buffer.from('é☕').toString('latin1');
    assert.is(one('SEND\ncontent-length:5\n\né☕\0', version), frameOf(['content-length=5'], body));
    assert.is(one('SEND\ncontent-length:2\n\né☕\0', version), 'malformed');
  });

  test(`STOMP ${version}, header content-length: without it the first null byte ends the frame`, () => {
    const seen = decode(['SEND\n\na\0SEND\n\nb\0'], version);
    assert.equal(seen, [frameOf([], 'a'), frameOf([], 'b')]);
  });

  test(`STOMP ${version}, header content-length: the null byte must stand where it says`, () => {
    for (const length of [0, 1, 4]) {
      const client = Harness.open().connect(version);
      client.send('SEND', ['destination:/topic/a', 'receipt:7', `content-length:${length}`], 'hello');
      expectError(client, `${length} bytes of body that content-length declares`, '7');
    }
    assert.equal(decode(['SEND\ncontent-length:7\n\nhello\0', 'x!\0'], version), ['malformed'], 'seven are awaited');
  });

  test(`STOMP ${version}, header content-length: what is no number of bytes is an ERROR`, () => {
    for (const value of ['-1', '+5', '', '5a', '0x5', '5.0', '5e0', 'NaN', '٥', '5 5', '5,5', '5:', '5/']) {
      const client = Harness.open().connect(version);
      client.send('SEND', ['destination:/topic/a', 'receipt:7', `content-length:${value}`], 'hello');
      expectError(client, 'content-length is not a number of bytes', '7');
    }
  });

  test(`STOMP ${version}, header content-length: every MESSAGE has it, in bytes`, () => {
    for (const body of ['', 'é', 'a\0b\0', '\0', 'x'.repeat(300), `${'x'.repeat(20_000)}\0y`]) {
      const client = listening(version);
      client.send('SEND', ['destination:/topic/a', `content-length:${Buffer.byteLength(body)}`], body);
      const { headers, body: got } = client.frame();
      assert.is(headers['content-length'], String(Buffer.byteLength(body)));
      assert.is(String(got), body);
    }
  });

  test(`STOMP ${version}, header content-type: passed on as it is, and not made up`, () => {
    for (const type of ['text/plain', 'text/html;charset=utf-16', 'application/xml;charset=utf-8', 'image/png']) {
      const client = listening(version);
      client.send(
        'SEND',
        ['destination:/topic/a', `content-type:${type}`, 'content-length:2'],
        Buffer.from('é', 'utf16le'),
      );
      const { headers, body } = client.frame();
      assert.is(headers['content-type'], type);
      assert.equal(body, Buffer.from('é', 'utf16le'));
    }
    const client = listening(version);
    client.send('SEND', ['destination:/topic/a'], 'text');
    assert.is(client.frame().headers['content-type'], undefined);
  });

  test(`STOMP ${version}, Augmented BNF: what is no frame is an ERROR`, () => {
    const rows: readonly string[] = [
      'SEND \n\n\0',
      'SEND\n:x\n\n\0',
      'SEND\nnocolon\n\n\0',
      'SEND\na:1\0',
      'SEND\0',
      'SEND\n\0',
      'SEND:\n\n\0',
      ' SEND\n\n\0',
      'SEND\rdestination:/topic/a\r\r\0',
      '\u0016\u0003\u0001\u0002\u0000\u0001',
      '{"json":1}',
      'VERYLONGCOMMAND',
    ];
    for (const row of rows) assert.is(one(row, version), 'malformed', JSON.stringify(row));
  });

  test(`STOMP ${version}, Augmented BNF: a value ends with its line, whatever colons it has, and may be empty`, () => {
    assert.is(one('SEND\nurl:http://a:80/\n\n\0', version), frameOf(['url=http://a:80/']));
    assert.is(one('SEND\nempty:\n\n\0', version), frameOf(['empty=']));
  });

  test(`STOMP ${version}, Frames: frames are what they are, however the stream is cut`, () => {
    const stream = Buffer.from(
      '\nSEND\ndestination:/topic/é\ncontent-length:4\n\na\0b\0\0\n\nSEND\nx:y\n\nbody\0SUBSCRIBE\nid:0\n\n\0\n',
    );
    const whole = decode([stream], version);
    assert.is(whole.length, 3);
    for (let i = 0; i <= stream.length; i++) {
      assert.equal(decode([stream.subarray(0, i), stream.subarray(i)], version), whole, `cut at ${i}`);
    }
    const bytes = [...stream].map((byte) => Buffer.of(byte));
    assert.equal(decode(bytes, version), whole, 'byte by byte');
  });
}

/** Commands with all the headers they need, in any version. */
const OTHERS: readonly (readonly string[])[] = [
  ['SUBSCRIBE', 'id:2', 'destination:/topic/b'],
  ['UNSUBSCRIBE', 'id:1', 'destination:/topic/a'],
  ['BEGIN', 'transaction:t'],
  ['COMMIT', 'transaction:t'],
  ['ABORT', 'transaction:t'],
  ['ACK', 'id:1', 'message-id:1'],
  ['NACK', 'id:1', 'message-id:1'],
  ['DISCONNECT'],
];

for (const version of ['1.1', '1.2'] as const) {
  test(`STOMP ${version}, Body: of clients' frames only SEND has one`, () => {
    for (const [command = '', ...headers] of OTHERS) {
      for (const length of [[], ['content-length:4']]) {
        const client = listening(version);
        client.send(command, [...headers, 'receipt:1', ...length], 'body');
        expectError(client, 'a frame other than SEND has a body', '1');
      }
    }
    const client = Harness.open().open();
    client.send('CONNECT', [`accept-version:${version}`, 'host:x'], 'body');
    expectError(client, 'a frame other than SEND has a body');
  });

  test(`STOMP ${version}, Body: line ends in its place are let pass`, () => {
    const client = listening(version);
    client.send('BEGIN', ['transaction:t', 'receipt:1'], '\r\n\n');
    assert.is(client.frame().command, 'RECEIPT');
  });
}

test('STOMP 1.2, header content-length: all frames may have it', () => {
  for (const [command = '', ...headers] of OTHERS.filter(([name]) => name !== 'ACK' && name !== 'NACK')) {
    const client = listening('1.2');
    if (command === 'COMMIT' || command === 'ABORT') client.send('BEGIN', headers);
    client.send(command, [...headers, 'content-length:0', 'receipt:1']);
    assert.is(client.frame().command, 'RECEIPT', command);
  }
  const client = Harness.open().open();
  client.send('CONNECT', ['accept-version:1.2', 'content-length:0']);
  assert.is(client.frame().command, 'CONNECTED');
});

test('STOMP 1.2, Augmented BNF: a line ends with LF, or with CR LF, each as it likes', () => {
  assert.is(one('SEND\r\na:1\r\nb:2\n\r\nhello\r\n\0'), frameOf(['a=1', 'b=2'], 'hello\r\n'));
  assert.is(one('SEND\na:1\r\n\n\0'), frameOf(['a=1']));
  assert.is(one('SEND\r\n\r\n\0\r\n'), frameOf([]));
  const client = listening('1.2');
  client.write('SEND\r\ndestination:/topic/a\r\ncontent-length:2\r\n\r\nhi\0\r\n');
  assert.equal(client.bodies(), ['hi']);
});

test('STOMP 1.2, Augmented BNF: a carriage return elsewhere in a header is an ERROR', () => {
  for (const line of ['a:b\rc', 'a\r:c', 'a:\r\r', '\ra:b']) {
    assert.is(one(`SEND\n${line}\n\n\0`), 'malformed', JSON.stringify(line));
  }
});

test('STOMP 1.2, Frames: with CR LF, frames are what they are however the stream is cut', () => {
  const stream = Buffer.from('\r\nSEND\r\na:é\r\ncontent-length:3\r\n\r\n\r\n\0\0\r\nSEND\r\n\r\nb\r\n\0\r\n');
  const whole = decode([stream]);
  assert.equal(whole, [frameOf(['a=é', 'content-length=3'], '\r\n\0'), frameOf([], 'b\r\n')]);
  for (let i = 0; i <= stream.length; i++) {
    assert.equal(decode([stream.subarray(0, i), stream.subarray(i)]), whole, `cut at ${i}`);
  }
});

test.run();
