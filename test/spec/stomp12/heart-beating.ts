import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { agreed, readHeartBeat } from '../../../protocols/stomp/heart-beat.ts';
import { Harness, type TestClient } from '../stomp/support/harness.ts';

/** Heart-beating, which 1.1 and 1.2 word in the same way; 1.0 has none (`../stomp10/connect`). */

const test = suite('STOMP 1.2 heart-beating');

/** Shortest interval that the server of these tests agrees to, both ways; milliseconds. */
const LEAST = 100;

interface Offer {
  readonly version?: '1.1' | '1.2';
  readonly transport?: 'tcp' | 'websocket';
}

function open(harness: Harness, offer: string, { version = '1.2', transport = 'tcp' }: Offer = {}): TestClient {
  const client = harness.open(transport);
  client.send('CONNECT', [`accept-version:${version}`, `heart-beat:${offer}`]);
  const { command, headers } = client.frame();
  assert.equal([command, headers['heart-beat']], ['CONNECTED', `${LEAST},${LEAST}`]);
  return client;
}

/** When heart-beats came within the next `milliseconds`, from now on. */
function beatsWithin(harness: Harness, client: TestClient, milliseconds: number): number[] {
  const seen: number[] = [];
  for (let at = 1; at <= milliseconds; at++) {
    harness.clock.advance(1);
    for (const { command } of client.frames()) {
      assert.is(command, 'EOL');
      seen.push(at);
    }
  }
  return seen;
}

for (const version of ['1.1', '1.2'] as const) {
  for (const transport of ['tcp', 'websocket'] as const) {
    const how = { version, transport };

    test(`STOMP ${version}, Heart-beating: the server sends within MAX(<sx>,<cy>), over ${transport}`, () => {
      for (const [wanted, interval] of [
        [1, LEAST],
        [LEAST, LEAST],
        [101, 101],
        [1000, 1000],
      ] as const) {
        const harness = Harness.open();
        const client = open(harness, `0,${wanted}`, how);
        const seen = [0, ...beatsWithin(harness, client, interval * 10)];
        assert.ok(seen.length > 10, `${seen.length} at ${wanted}`);
        for (const [i, at] of seen.entries()) {
          const before = seen[i - 1];
          if (before === undefined) continue;
          assert.ok(at - before <= interval, `${at - before} ms`);
          assert.ok(at - before >= interval / 2, 'not much more often than asked for');
        }
      }
    });

    test(`STOMP ${version}, Heart-beating: each is one line end, over ${transport}`, () => {
      const harness = Harness.open();
      const client = open(harness, '0,1000', how);
      client.connection.texts.length = 0;
      harness.clock.advance(1000);
      assert.is(client.connection.take().toString(), '\n');
      assert.equal(client.connection.texts, [true], 'one message, of text');
    });

    test(`STOMP ${version}, Heart-beating: a client must be heard within MAX(<cx>,<sy>) and a margin, over ${transport}`, () => {
      for (const [offered, interval] of [
        [1, LEAST],
        [1000, 1000],
      ] as const) {
        const harness = Harness.open();
        const client = open(harness, `${offered},0`, how);
        for (let i = 0; i < 10; i++) {
          // Late by half an interval: timing is not exact.
          harness.clock.advance(interval * 1.5);
          client.write('\n');
        }
        assert.not(client.closed);
        harness.clock.advance(interval * 2 - 1);
        assert.not(client.closed);
        harness.clock.advance(1);
        const { command, headers, body } = client.frame();
        assert.equal([command, headers.message], ['ERROR', 'nothing was heard for too long']);
        assert.match(String(body), /heart-beat[\s\S]*Send a line end/);
        assert.ok(client.closed);
        assert.is(harness.clock.timers.size, 0);
      }
    });
  }

  test(`STOMP ${version}, Heart-beating: 0 on either side means none that way`, () => {
    for (const [offer, timers] of [
      ['0,0', 0],
      ['1000,0', 1],
      ['0,1000', 1],
      ['1000,1000', 2],
    ] as const) {
      const harness = Harness.open();
      const client = open(harness, offer, { version });
      assert.is(harness.clock.timers.size, timers, offer);
      if (offer.endsWith(',0')) assert.equal(beatsWithin(harness, client, 1500), []);
      if (offer.startsWith('0,')) {
        harness.clock.advance(1_000_000);
        assert.not(client.closed, offer);
      }
    }
  });

  test(`STOMP ${version}, Heart-beating: a missing header is 0,0`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    assert.is(harness.clock.timers.size, 0);
    harness.clock.advance(1_000_000);
    assert.equal(client.frames(), []);
    assert.not(client.closed);
  });

  test(`STOMP ${version}, Heart-beating: what is not two numbers is an ERROR`, () => {
    for (const offer of ['', '1', '1,', ',1', '-1,0', '0,-1', 'a,b', '1,2,3', '1.5,2', '1e3,0', '+1,0', '0x10,0']) {
      assert.throws(() => readHeartBeat(offer), /two numbers/, offer);
      const client = Harness.open().open();
      client.send('CONNECT', [`accept-version:${version}`, `heart-beat:${offer}`]);
      assert.is(client.frame().command, 'ERROR');
      assert.ok(client.closed);
    }
  });
}

test('STOMP 1.2, Heart-beating: any new data is a sign of life, whole frames or not', () => {
  const harness = Harness.open();
  const client = open(harness, '1000,0');
  const pieces = [
    '\n',
    '\r\n',
    'SEND\nde',
    'stination:/topic/a\n',
    '\n',
    'x',
    '\0',
    'SEND\ndestination:/topic/a\n\n\0',
  ];
  for (const piece of [...pieces, ...pieces]) {
    harness.clock.advance(1900);
    client.write(piece);
    assert.not(client.closed, JSON.stringify(piece));
  }
  harness.clock.advance(2000);
  assert.ok(client.closed);
});

test('STOMP 1.2, Heart-beating: so are bytes of a WebSocket message that is not there in full', () => {
  const harness = Harness.open();
  const client = open(harness, '1000,0', { transport: 'websocket' });
  for (let i = 0; i < 10; i++) {
    harness.clock.advance(1900);
    client.connection.received += 100;
    assert.not(client.closed);
  }
  harness.clock.advance(4000);
  assert.ok(client.closed);
});

test('STOMP 1.2, Heart-beating: what the server sends does not put it off', () => {
  const harness = Harness.open();
  const client = open(harness, '1000,1000');
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  for (let i = 0; i < 3; i++) {
    harness.publish('a', 'x');
    harness.clock.advance(700);
  }
  assert.is(client.frames().at(-1)?.command, 'ERROR', 'nothing was heard of the client');
});

test('STOMP 1.2, Heart-beating: MAX of the two, none where one is 0', () => {
  assert.equal([agreed(0, 500), agreed(500, 0), agreed(500, 100), agreed(100, 500)], [0, 0, 500, 500]);
  assert.equal(readHeartBeat(undefined), { sends: 0, wants: 0 });
  assert.equal(readHeartBeat('10,20'), { sends: 10, wants: 20 });
});

test('a client that is not read from is not taken for dead', () => {
  const harness = Harness.open();
  const client = open(harness, '1000,0');
  client.connection.stuck = true;
  harness.clock.advance(10_000);
  assert.not(client.closed);
  client.connection.stuck = false;
  harness.clock.advance(4000);
  assert.ok(client.closed);
});

test('a full connection gets no heart-beats: they would only add to what waits', () => {
  const harness = Harness.open();
  const client = open(harness, '0,1000');
  client.connection.stuck = true;
  harness.clock.advance(10_000);
  assert.equal(client.frames(), []);
});

test('timers end with the connection', () => {
  for (const end of ['drop', 'disconnect', 'error'] as const) {
    const harness = Harness.open();
    const client = open(harness, '1000,1000');
    assert.is(harness.clock.timers.size, 2);
    if (end === 'drop') client.drop();
    else client.send(end === 'error' ? 'NONSENSE' : 'DISCONNECT');
    assert.is(harness.clock.timers.size, 0, end);
  }
});

test('STOMP 1.2, Heart-beating: there is no largest number, but the longest interval fits a timer', () => {
  for (const huge of ['2147483648', '9223372036854775807', '9'.repeat(100)]) {
    const harness = Harness.open();
    const client = open(harness, `${huge},${huge}`);
    assert.is(harness.clock.timers.size, 2, huge);
    for (const timer of harness.clock.timers) assert.ok(timer.at - harness.clock.now() < 2 ** 31);
    harness.clock.advance(1_000_000);
    assert.equal(client.frames(), [], huge);
    assert.not(client.closed);
  }
});

test.run();
