import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { VERSIONS } from '../stomp/support/decode.ts';
import { Harness, limits, type TestClient } from '../stomp/support/harness.ts';

/** Size Limits, and those that are this server's: each from the configuration, each with its ERROR, in every version. */

const test = suite('STOMP 1.2 size limits');

/** An ERROR that names the limit, says what to do, and is the end. */
function expectLimit(client: TestClient, message: string, key: keyof typeof limits, receipt?: string): void {
  const last = client.frames().at(-1);
  assert.is(last?.command, 'ERROR', key);
  assert.is(last?.headers.message, message);
  assert.is(last?.headers['receipt-id'], receipt);
  assert.match(String(last?.body), new RegExp(`\\(limits\\.${key}\\)\\.\\n.{10,}\\n$`));
  assert.ok(client.closed);
}

const TOO_LARGE = 'larger than this server takes';

for (const version of VERSIONS.keys()) {
  const headers = (count: number) => ['destination:/topic/a', 'receipt:1', ...Array(count - 2).fill('a:b')];
  const line = (bytes: number) => ['destination:/topic/a', 'receipt:1', `a:${'x'.repeat(bytes - 2)}`];
  /** User properties would be too many, or too long, before header lines are. */
  const generous = { userProperties: 1000, userPropertyBytes: 100_000 };

  test(`STOMP ${version}, Size Limits: the number of headers in a frame`, () => {
    const most = Harness.open(generous).connect(version);
    most.send('SEND', headers(limits.stompHeaders));
    assert.is(most.frame().command, 'RECEIPT');
    for (const command of ['SEND', 'SUBSCRIBE', 'DISCONNECT']) {
      const client = Harness.open(generous).connect(version);
      client.send(command, headers(limits.stompHeaders + 1));
      expectLimit(client, TOO_LARGE, 'stompHeaders', '1');
    }
    const before = Harness.open().open();
    before.send('CONNECT', [`accept-version:${version}`, ...Array(limits.stompHeaders).fill('a:b')]);
    expectLimit(before, TOO_LARGE, 'stompHeaders');
  });

  test(`STOMP ${version}, Size Limits: the length of a header line`, () => {
    const longest = Harness.open(generous).connect(version);
    longest.send('SEND', line(limits.stompHeaderBytes));
    assert.is(longest.frame().command, 'RECEIPT');
    const client = Harness.open(generous).connect(version);
    client.send('SEND', line(limits.stompHeaderBytes + 1));
    expectLimit(client, TOO_LARGE, 'stompHeaderBytes', '1');
    const before = Harness.open().open();
    before.send('CONNECT', [`accept-version:${version}`, `passcode:${'x'.repeat(limits.stompHeaderBytes)}`]);
    expectLimit(before, TOO_LARGE, 'stompHeaderBytes');
  });

  test(`STOMP ${version}, Size Limits: the size of a frame and so of its body`, () => {
    const packetBytes = 2000;
    const send = (bytes: number, length: boolean) => {
      const counted = length ? 'content-length:1000000\n'.replace('1000000', String(bytes)) : '';
      return `SEND\ndestination:/topic/a\nreceipt:1\n${counted}\n${'x'.repeat(bytes)}\0`;
    };
    for (const length of [true, false]) {
      const head = send(1000, length).length - 1000;
      const largest = Harness.open({ packetBytes }).connect(version);
      largest.write(send(packetBytes - head, length));
      assert.is(largest.frame().command, 'RECEIPT');
      const client = Harness.open({ packetBytes }).connect(version);
      client.write(send(packetBytes - head + 1, length));
      expectLimit(client, TOO_LARGE, 'packetBytes', '1');
    }
    const announced = Harness.open({ packetBytes }).connect(version);
    announced.write('SEND\ndestination:/topic/a\nreceipt:1\ncontent-length:99999999999999999999999\n\n');
    expectLimit(announced, TOO_LARGE, 'packetBytes', '1');
  });

  test(`STOMP ${version}, Size Limits: they hold while a frame is still arriving`, () => {
    const rows: readonly (readonly [pieces: readonly string[], key: keyof typeof limits])[] = [
      [['SEND\n', 'a:b\n'.repeat(10), 'a:b\n'.repeat(10)], 'stompHeaders'],
      [['SEND\na:', 'x'.repeat(200), 'x'.repeat(200)], 'stompHeaderBytes'],
      [['SEND\ndestination:/topic/a\n\n', 'x'.repeat(1500), 'x'.repeat(1500)], 'packetBytes'],
      [['SEND\ncontent-length:2000\n', '\n'], 'packetBytes'],
    ];
    for (const [pieces, key] of rows) {
      const client = Harness.open({ packetBytes: 2000 }).connect(version);
      for (const piece of pieces) {
        assert.not(client.closed);
        client.write(piece);
      }
      expectLimit(client, TOO_LARGE, key);
    }
  });

  test(`STOMP ${version}: open transactions, frames in one, and their bytes`, () => {
    const many = Harness.open().connect(version);
    for (let i = 0; i < limits.transactions; i++) many.send('BEGIN', [`transaction:${i}`]);
    many.send('ABORT', ['transaction:0']);
    many.send('BEGIN', ['transaction:again']);
    assert.equal(many.frames(), []);
    many.send('BEGIN', ['transaction:more', 'receipt:1']);
    expectLimit(many, 'Transaction limit exceeded', 'transactions', '1');

    const send = ['destination:/topic/a', 'transaction:t'];
    const long = Harness.open().connect(version);
    long.send('BEGIN', ['transaction:t']);
    for (let i = 0; i < limits.transactionActions; i++) long.send('SEND', send);
    assert.equal(long.frames(), []);
    long.send('SEND', [...send, 'receipt:2']);
    expectLimit(long, 'Transaction too large', 'transactionActions', '2');

    const big = Harness.open().connect(version);
    big.send('BEGIN', ['transaction:t']);
    big.send('SEND', send, 'x'.repeat(limits.transactionBytes / 2));
    assert.equal(big.frames(), []);
    big.send('SEND', [...send, 'receipt:3'], 'x'.repeat(limits.transactionBytes / 2));
    expectLimit(big, 'Transaction too large', 'transactionBytes', '3');
    // A frame counts without the null byte that ends it.
    const head = `SEND\n${send.join('\n')}\n\n`.length;
    for (const over of [0, 1]) {
      const exact = Harness.open().connect(version);
      exact.send('BEGIN', ['transaction:t']);
      exact.send('SEND', send, 'x'.repeat(500 - head));
      exact.send('SEND', send, 'x'.repeat(limits.transactionBytes - 500 - head + over));
      assert.is(exact.closed, over === 1);
    }
  });
}

test('before a login, frames are smaller', () => {
  const loginPacketBytes = 300;
  const connect = (bytes: number) => {
    const head = 'CONNECT\naccept-version:1.2\nreceipt:1\n\n';
    return `${head}${'\n'.repeat(bytes - head.length - 1)}\0`;
  };
  const largest = Harness.open({ loginPacketBytes }).open();
  largest.write(connect(loginPacketBytes));
  assert.is(largest.frames()[0]?.command, 'CONNECTED');
  for (const pieces of [[connect(loginPacketBytes + 1)], [...connect(loginPacketBytes + 1)]]) {
    const client = Harness.open({ loginPacketBytes }).open();
    for (const piece of pieces) client.write(piece);
    expectLimit(client, TOO_LARGE, 'loginPacketBytes', '1');
  }
  const head = Harness.open({ loginPacketBytes }).open();
  head.write(`CONNECT\n${`a:${'x'.repeat(100)}\n`.repeat(3)}`);
  expectLimit(head, TOO_LARGE, 'loginPacketBytes');
});

test('a login must be there within limits.loginSeconds, whatever comes before it and however slowly', () => {
  const rows: readonly (readonly [name: string, piece: (second: number) => string])[] = [
    ['nothing', () => ''],
    ['line ends', () => '\n'],
    ['line ends as in 1.2', () => '\r\n\r\n'],
    ['null bytes', () => '\0'],
    ['a command', (second) => 'CONNECT'[second] ?? ''],
    ['headers', (second) => (second === 0 ? 'CONNECT\n' : 'a:b\n')],
    ['a header', (second) => (second === 0 ? 'CONNECT\na:' : 'x')],
    ['a body', (second) => (second === 0 ? 'CONNECT\naccept-version:1.2\n\n' : '\n')],
  ];
  for (const [name, piece] of rows) {
    const harness = Harness.open();
    const client = harness.open();
    for (let second = 0; second < limits.loginSeconds; second++) {
      client.write(piece(second));
      harness.clock.advance(1000);
      harness.tick(client);
      assert.not(client.closed, name);
    }
    harness.clock.advance(1000);
    harness.tick(client);
    const { command, headers, body } = client.frame();
    assert.equal([command, headers.message], ['ERROR', 'nothing was heard for too long'], name);
    assert.match(String(body), /\(limits\.loginSeconds\)\.\n.{10,}\n$/);
    assert.ok(client.closed);
  }
});

test('who has logged in may be silent', () => {
  const harness = Harness.open();
  const client = harness.connect();
  harness.clock.advance(1_000_000);
  harness.tick(client);
  assert.not(client.closed);
});

test.run();
