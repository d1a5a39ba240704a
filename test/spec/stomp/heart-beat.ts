import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { agreed, readHeartBeat } from '../../../protocols/stomp/heart-beat.ts';
import { Harness } from './support/harness.ts';

const beat = suite('STOMP heart-beats');

function open(harness: Harness, offer: string, transport: 'tcp' | 'websocket' = 'tcp') {
  const client = harness.open(transport);
  client.send('CONNECT', ['accept-version:1.2', `heart-beat:${offer}`]);
  const { command, headers } = client.frame();
  assert.is(command, 'CONNECTED');
  assert.is(headers['heart-beat'], '100,100');
  return client;
}

beat('1.2, Heart-beating: none unless both sides agree, else the larger of the two', () => {
  assert.is(agreed(0, 500), 0);
  assert.is(agreed(500, 0), 0);
  assert.is(agreed(500, 100), 500);
  assert.is(agreed(100, 500), 500);
});

beat('1.2, Heart-beating: the header is two numbers, missing is 0,0', () => {
  assert.equal(readHeartBeat(undefined), { sends: 0, wants: 0 });
  assert.equal(readHeartBeat('10,20'), { sends: 10, wants: 20 });
  for (const offer of ['', '1', '1,', '-1,0', 'a,b', '1,2,3', '1.5,2', '99999999999999999,0']) {
    assert.throws(() => readHeartBeat(offer), /two numbers/, offer);
    const client = Harness.open().open();
    client.send('CONNECT', ['accept-version:1.2', `heart-beat:${offer}`]);
    assert.is(client.frame().command, 'ERROR');
    assert.ok(client.closed);
  }
});

beat('1.2, Heart-beating: with 0,0 there is no timer', () => {
  const harness = Harness.open();
  open(harness, '0,0');
  assert.is(harness.clock.timers.size, 0);
});

beat('1.2, Heart-beating: the server sends at least as often as agreed', () => {
  for (const transport of ['tcp', 'websocket'] as const) {
    const harness = Harness.open();
    const client = open(harness, '0,1000', transport);
    for (let i = 0; i < 10; i++) {
      harness.clock.advance(1000);
      assert.ok(client.frames().length >= 1, `in second ${i}`);
    }
  }
});

beat('1.2, Heart-beating: a client that asks for less than the minimum gets the minimum', () => {
  const harness = Harness.open();
  const client = open(harness, '0,1');
  harness.clock.advance(1000);
  const { length } = client.frames();
  assert.ok(length >= 10 && length <= 13, `${length} in a second at 100 ms`);
});

beat('1.2, Heart-beating: silence beyond the margin is an ERROR and the end; any byte is a sign of life', () => {
  const harness = Harness.open();
  const client = open(harness, '1000,0');
  for (let i = 0; i < 5; i++) {
    harness.clock.advance(1500);
    client.write(i % 2 === 0 ? '\n' : 'SE');
    if (i % 2 === 1) client.write('ND\ndestination:/topic/a\n\n\0');
  }
  assert.not(client.closed);
  harness.clock.advance(1999);
  assert.not(client.closed);
  harness.clock.advance(1);
  assert.match(String(client.frame().body), 'heart-beat');
  assert.ok(client.closed);
  assert.is(harness.clock.timers.size, 0);
});

beat('a client that is not read from is not taken for dead', () => {
  const harness = Harness.open();
  const client = open(harness, '1000,0');
  client.connection.stuck = true;
  harness.clock.advance(10_000);
  assert.not(client.closed);
  client.connection.stuck = false;
  harness.clock.advance(4000);
  assert.ok(client.closed);
});

beat('a full connection gets no heart-beats: they would only add to what waits', () => {
  const harness = Harness.open();
  const client = open(harness, '0,1000');
  client.connection.stuck = true;
  harness.clock.advance(10_000);
  assert.equal(client.frames(), []);
});

beat('timers end with the connection', () => {
  for (const end of ['drop', 'disconnect'] as const) {
    const harness = Harness.open();
    const client = open(harness, '1000,1000');
    assert.is(harness.clock.timers.size, 2);
    if (end === 'drop') client.drop();
    else client.send('DISCONNECT');
    assert.is(harness.clock.timers.size, 0, end);
  }
});

beat('the longest interval fits a timer', () => {
  const harness = Harness.open();
  open(harness, '999999999999999,999999999999999');
  for (const timer of harness.clock.timers) assert.ok(timer.at - harness.clock.now() < 2 ** 31);
});

beat.run();
