import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Principal } from '../../../src/ports/authorizer.ts';
import { startBroker } from '../../support/broker.ts';
import { header, RawStomp } from '../../support/stomp-client.ts';
import { expectError } from './support/expect-error.ts';
import { Harness } from './support/harness.ts';
import { Logins } from './support/logins.ts';

/** `stomp.implicitConnect` and `stomp.defaultUser`, as RabbitMQ has them. */

const test = suite('STOMP implicit connect and default user');

const implicitConnect = { implicitConnect: true };
const defaultUser = { name: 'guest', password: 'p:w' };

test('without it the first frame must be CONNECT', () => {
  const client = Harness.open().open();
  client.send('SUBSCRIBE', ['destination:/topic/a', 'receipt:1']);
  expectError(client, 'the first frame is not CONNECT', '1');
});

test('the first frame logs in and is served; there is no CONNECTED', async () => {
  const logins = new Logins();
  const harness = Harness.open({}, logins, {}, { ...implicitConnect, defaultUser });
  const client = harness.open();
  client.write('\nSUBSCRIBE\nid:1\ndestination:/topic/a\nreceipt:1\n\n\0SEND\ndestination:/topic/a\n\nx\0SEN');
  client.write('D\ndestination:/topic/a\n\ny\0');
  assert.equal(
    (await client.later()).map(({ command, body }) => `${command} ${body}`),
    ['RECEIPT ', 'MESSAGE x', 'MESSAGE y'],
  );
  assert.equal(logins.seen, ['guest/p:w']);
  assert.is(client.connection.pauses, 0);
  assert.is(harness.counters.packetsReceived, 3, 'the first one is not counted twice');
});

test('the rules are those of STOMP 1.0, for the first frame, too', async () => {
  const harness = Harness.open({}, {}, {}, implicitConnect);
  const client = harness.open();
  client.write('SUBSCRIBE\r\nid: a\\cb \r\ndestination: /topic/a\r\nack: client\r\n\r\nbody\0');
  client.send('SEND', ['destination: /topic/a', 'x:\\t'], 'x');
  const [message] = await client.later();
  assert.equal([message?.headers.subscription, message?.headers.x], ['a\\cb', '\\t']);
  assert.is(message?.headers.ack, undefined);
  assert.is(harness.clock.timers.size, 0, 'no heart-beats');
});

test('any frame will do, and what is wrong with it is its own ERROR', async () => {
  const harness = Harness.open({}, {}, {}, implicitConnect);
  const sent = harness.open();
  sent.write('SEND\ndestination:/topic/a\nreceipt:1\n\nx\0DISCONNECT\nreceipt:2\n\n\0');
  assert.equal(
    (await sent.later()).map(({ headers }) => headers['receipt-id']),
    ['1', '2'],
  );
  assert.ok(sent.closed);
  const wrong = harness.open();
  wrong.send('COMMIT', ['transaction:t', 'receipt:3']);
  await wrong.turn();
  expectError(wrong, 'no transaction "t"', '3');
  const malformed = harness.open();
  malformed.write('SEND\nnocolon\n\n\0');
  expectError(malformed, 'nocolon');
});

test('CONNECT logs in as ever, and there is no second login after an implicit one', async () => {
  const harness = Harness.open({}, {}, {}, implicitConnect);
  const client = harness.connect('1.2');
  client.send('SEND', ['destination:/topic/a', 'receipt:1']);
  assert.is(client.frame().command, 'RECEIPT');
  const late = harness.open();
  late.send('BEGIN', ['transaction:t']);
  await late.turn();
  late.send('CONNECT', ['accept-version:1.2']);
  expectError(late, 'a second CONNECT');
});

test('a default user that is refused: the same ERROR as for any login, with the receipt of the first frame', async () => {
  const verdicts = ['badCredentials', Promise.resolve('badCredentials' as const)] as const;
  for (const verdict of verdicts) {
    const harness = Harness.open({}, { authenticate: () => verdict }, {}, { ...implicitConnect, defaultUser });
    const client = harness.open();
    client.write('SEND\ndestination:/topic/a\nreceipt:1\n\nx\0SEND\ndestination:/topic/a\n\nx\0');
    await client.turn();
    expectError(client, 'wrong user name or password', '1');
    assert.is(harness.counters.received, 0);
  }
});

test('while the default user is being checked, frames wait; it must not take longer than limits.loginSeconds', async () => {
  const checks: ((verdict: Principal) => void)[] = [];
  const authenticate = (): Promise<Principal> => new Promise((resolve) => checks.push(resolve));
  const harness = Harness.open({}, { authenticate }, {}, implicitConnect);
  const [client, gone, late] = [harness.open(), harness.open(), harness.open()];
  for (const each of [client, gone, late]) each.write('SEND\ndestination:/topic/a\nreceipt:1\n\nx\0');
  assert.equal(await client.later(), []);
  assert.is(client.connection.pauses, 1);
  gone.drop();
  for (const check of checks.slice(0, 2)) check({ name: 'x' });
  assert.equal(
    (await client.later()).map(({ command }) => command),
    ['RECEIPT'],
  );
  assert.equal(await gone.later(), []);
  harness.clock.advance(10_001);
  harness.tick(late);
  expectError(late, 'limits.loginSeconds');
  checks[2]?.({ name: 'x' });
  assert.equal(await late.later(), []);
  assert.is(harness.counters.received, 1);
});

test('a CONNECT with neither login nor passcode is the default user; with one of them it is who it says', () => {
  const logins = new Logins();
  const harness = Harness.open({}, logins, {}, { defaultUser });
  for (const version of ['1.0', '1.1', '1.2']) {
    for (const headers of [[], ['login:a', 'passcode:b'], ['login:a'], ['passcode:b'], ['login:', 'passcode:']]) {
      const client = harness.open();
      client.send('CONNECT', [`accept-version:${version}`, 'host:x', ...headers]);
      assert.is(client.frame().command, 'CONNECTED');
    }
    assert.equal(logins.seen.splice(0), ['guest/p:w', 'a/b', 'a/-', '-/b', '/']);
  }
});

test('with users, over a socket: the default user, and nobody else without a password', async () => {
  const users = [
    { name: 'guest', password: 'p:w' },
    { name: 'other', password: 'x' },
  ];
  const { broker, stomp } = await startBroker({ security: { users }, stomp: { ...implicitConnect, defaultUser } });
  try {
    const silent = await RawStomp.open(stomp);
    silent.send('SUBSCRIBE', { id: '1', destination: '/topic/a', receipt: 'r' });
    assert.is(header(await silent.expect('RECEIPT'), 'receipt-id'), 'r');
    const plain = await RawStomp.connect(stomp);
    plain.send('SEND', { destination: '/topic/a' }, 'hello');
    assert.is(String((await silent.expect('MESSAGE')).body), 'hello');
    const wrong = await RawStomp.open(stomp);
    wrong.send('CONNECT', { 'accept-version': '1.2', host: 'x', login: 'other' });
    assert.is((await wrong.end()).at(-1)?.command, 'ERROR');
    for (const each of [silent, plain]) each.destroy();
  } finally {
    await broker.stop();
  }
});

test.run();
