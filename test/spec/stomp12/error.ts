import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { header, RawStomp } from '../../support/stomp-client.ts';
import { VERSIONS } from '../stomp/support/decode.ts';
import { Harness, type TestClient } from '../stomp/support/harness.ts';

/** ERROR, and Connection Lingering as far as it is about ERROR; what 1.1 and 1.0 say in the same way is run with them. */

const test = suite('STOMP 1.2 ERROR');

/** Frames that are refused, each for another reason, without the header `receipt`. */
const REFUSED: readonly (readonly [command: string, ...headers: string[]])[] = [
  ['SEND', 'x:y'],
  ['SEND', 'destination:/topic/a', 'transaction:none'],
  ['SEND', 'destination:/topic/a', 'expires:soon'],
  ['SUBSCRIBE', 'id:1'],
  ['SUBSCRIBE', 'id:1', 'destination:/topic/a', 'ack:maybe'],
  ['ACK', 'id:unheard-of', 'message-id:unheard-of'],
  ['NACK', 'id:unheard-of', 'message-id:unheard-of'],
  ['BEGIN'],
  ['COMMIT', 'transaction:none'],
  ['ABORT', 'transaction:none'],
  ['CONNECT', 'accept-version:1.2'],
  ['MESSAGE', 'destination:/topic/a'],
  ['SEND', 'destination:/topic/a', 'content-length:nonsense'],
];

for (const version of VERSIONS.keys()) {
  test(`STOMP ${version}, ERROR: message, receipt-id, content-type and content-length; a body that says more; then the end`, () => {
    for (const [command, ...headers] of REFUSED) {
      for (const receipt of [undefined, 'message-12345']) {
        const harness = Harness.open();
        const client = harness.connect(version);
        const lines = receipt === undefined ? headers : [`receipt:${receipt}`, ...headers];
        const frame = `${[command, ...lines].join('\n')}\n\n\0`;
        // What comes behind it must not be looked at.
        client.write(`${frame}SEND\ndestination:/topic/a\nreceipt:behind\n\nx\0`);
        const { command: answer, headers: said, body } = client.frame();
        const what = `${command} ${headers}`;
        assert.is(answer, 'ERROR', what);
        assert.is(said['receipt-id'], receipt, what);
        assert.is(said['content-type'], 'text/plain');
        assert.is(said['content-length'], String(body.length));
        assert.ok((said.message ?? '').length > 5, what);
        // What is wrong, and in a line of its own what to do.
        assert.match(String(body), /^.{10,}\n.{5,}\n$/, what);
        assert.ok(client.closed, what);
        client.write('SEND\ndestination:/topic/a\n\nx\0');
        assert.equal(client.connection.take().length, 0, 'it is the last frame');
        assert.is(harness.counters.received, 0, what);
      }
    }
  });

  test(`STOMP ${version}, ERROR: the receipt-id of a malformed frame, as far as it was read, and no other one`, () => {
    const harness = Harness.open();
    const other = harness.connect(version);
    other.send('SEND', ['destination:/topic/a', 'receipt:other']);
    const client = harness.connect(version);
    client.write('SEND\nreceipt:mine\nbad\n\n\0');
    assert.is(client.frame().headers['receipt-id'], 'mine');
    const foreign = harness.connect(version);
    foreign.send('SEND', ['receipt:é☕']);
    assert.is(foreign.frame().headers['receipt-id'], 'é☕');
    for (const rest of [
      'nocolon\n\n\0',
      `a:${'x'.repeat(300)}`,
      'a:b\n'.repeat(20),
      '\n'.padEnd(2_000_000, 'x'),
      '\0',
    ]) {
      const slow = harness.connect(version);
      for (const piece of ['SEND\nrec', 'eipt:mine\n', rest]) slow.write(piece);
      assert.is(slow.frame().headers['receipt-id'], 'mine', rest.slice(0, 10));
    }
    const late = harness.connect(version);
    late.write('SEND\n');
    other.send('SEND', ['destination:/topic/a', 'receipt:other']);
    late.write(`a:${'x'.repeat(300)}`);
    assert.is(late.frame().headers['receipt-id'], undefined);
    assert.ok(late.closed);
  });
}

for (const version of VERSIONS.keys()) {
  test(`STOMP ${version}, ERROR: a command that there is not has its receipt-id, too`, () => {
    const open = (): TestClient => Harness.open().connect(version);
    for (const frame of [
      'FOO\nreceipt:mine\n\n\0',
      'FOO\r\nx:y\r\nreceipt:mine\r\n\r\n\0',
      'FOO\nx:y\nreceipt:mine\nnocolon\n\n\0',
      'FOO\nreceipt:mine\ncontent-length:nonsense\n\nbody\0',
    ]) {
      for (const pieces of [[frame], [...frame]]) {
        const client = open();
        for (const piece of pieces) client.write(piece);
        const { command, headers, body } = client.frame();
        assert.equal([command, headers.message, headers['receipt-id']], ['ERROR', 'Bad command', 'mine'], frame);
        assert.match(String(body), 'FOO is not a command');
        assert.ok(client.closed);
      }
    }
    // Who speaks another protocol is not waited for.
    const client = open();
    client.write('PING\r\n');
    assert.equal([client.frame().headers['receipt-id'], client.closed], [undefined, true]);
  });
}

test('what is not about a frame is an ERROR, too, and says what to do', () => {
  for (const [code, message, advice] of [
    ['administrative', 'an operator has ended the connection', 'Ask the operator'],
    ['slowReader', 'the peer does not read what is sent to it', 'a smaller prefetch'],
    ['internal', 'an error of this server', 'Connect again'],
  ] as const) {
    const client = Harness.open().connect();
    client.channel.shutdown(code);
    const { headers, body } = client.frame();
    assert.is(headers.message, message);
    assert.match(String(body), advice);
    assert.ok(client.closed);
  }
});

test('a shut-down is an ERROR that says so', () => {
  const client = Harness.open().connect();
  client.channel.shutdown('shutdown');
  const { headers, body } = client.frame();
  assert.match(headers.message ?? '', 'shutting down');
  assert.match(String(body), 'Connect again in a while');
  assert.is(client.connection.ended, '');
  client.channel.shutdown('shutdown');
  client.drop();
});

test('at a shut-down, what waits for a client that has room again comes before the ERROR', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  client.connection.stuck = true;
  harness.publish('a', 'waits', undefined, 1);
  assert.equal(client.frames(), []);
  client.connection.stuck = false;
  client.channel.shutdown('shutdown');
  assert.equal(
    client.frames().map(({ command }) => command),
    ['MESSAGE', 'ERROR'],
  );
});

let running: TestBroker | undefined;
function server(): TestBroker {
  if (running === undefined) throw new Error('the broker is not started');
  return running;
}

test.before(async () => {
  running = await startBroker();
});
test.after(() => running?.broker.stop());

test('STOMP 1.2, Connection Lingering: an ERROR arrives, whatever its client sends meanwhile', async () => {
  // More than fits into the buffers on the way: closing a socket with unread bytes would reset it, and ERROR with it.
  const flood = Buffer.alloc(4 * 1024 * 1024, 'SEND\ndestination:/topic/a\n\nx\0');
  const clients = await Promise.all(Array.from({ length: 5 }, () => RawStomp.connect(server().stomp)));
  for (const client of clients) {
    client.send('ABORT', { transaction: 'none', receipt: '1' });
    client.socket.write(flood);
  }
  for (const client of clients) {
    const last = (await client.end()).at(-1);
    assert.is(last?.command, 'ERROR');
    assert.is(last === undefined ? '' : header(last, 'receipt-id'), '1');
  }
});

test('STOMP 1.2, Connection Lingering: clients may come and go rapidly', async () => {
  for (let i = 0; i < 20; i++) {
    const clients = await Promise.all(Array.from({ length: 10 }, () => RawStomp.connect(server().stomp)));
    for (const [at, client] of clients.entries()) {
      if (at % 2 === 0) client.destroy();
      else client.send('DISCONNECT', { receipt: 'bye' });
    }
    for (const [at, client] of clients.entries()) {
      if (at % 2 === 1) assert.is((await client.end()).at(-1)?.command, 'RECEIPT');
    }
  }
});

test('STOMP 1.2, Connecting: another protocol on this port gets its ERROR, and the end', async () => {
  for (const bytes of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\x10\x0c\0\x04MQTT\x04\x02\0\x0a\0\0']) {
    const client = await RawStomp.open(server().stomp);
    client.socket.write(bytes, 'latin1');
    const frames = await client.end();
    assert.equal(
      frames.map(({ command }) => command),
      ['ERROR'],
    );
    assert.match(String(frames[0]?.body), 'another protocol or port');
  }
});

test.run();
