import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { RawJson } from '../../support/json-client.ts';
import { RawMqtt } from '../../support/mqtt-client.ts';
import { header, RawStomp } from '../../support/stomp-client.ts';
import { VECTORS } from '../security/support/vectors.ts';

/** Who may log in with user name and password, by every protocol, and what is said to whom may not. */

const test = suite('crossing/logins');
let server: TestBroker;

const GOOD: readonly (readonly [string, string])[] = [
  ['alice', 'of alice: \u00e9'],
  ['reader', 'pencil'],
  ['writer', 'pencil'],
];
/** Neither with a name or password missing. */
const BAD: readonly (readonly [string, string])[] = [
  ['alice', 'of alice'],
  ['alice', ''],
  ['reader', 'Pencil'],
  ['nobody', 'pencil'],
  ['', 'pencil'],
];

test.before(async () => {
  const users = [
    { name: 'alice', password: GOOD[0]?.[1] ?? '' },
    { name: 'reader', password: VECTORS[0].verifier },
    { name: 'writer', password: VECTORS[1].verifier },
  ];
  server = await startBroker({ security: { users } });
});
test.after(() => server.broker.stop());

const connect = { cmd: 'connect', protocolId: 'MQTT', clientId: 'c', clean: true, keepalive: 0 } as const;

for (const [version, wrong, missing] of [
  [3, 4, 5],
  [4, 4, 5],
  [5, 0x86, 0x87],
] as const) {
  test(`MQTT ${version}: user name and password; refused with ${wrong}, and without any with ${missing}`, async () => {
    const protocol = { protocolVersion: version, protocolId: version === 3 ? 'MQIsdp' : 'MQTT' } as const;
    for (const [username, password] of GOOD) {
      const client = await RawMqtt.open(server.mqtt, version);
      // Packets behind CONNECT wait for the check of the password (3.1.4.2), and then have their effect.
      client.socket.cork();
      client.send({ ...connect, ...protocol, username, password: Buffer.from(password) });
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }] });
      client.send({ cmd: 'publish', topic: 'a', payload: username, qos: 0, dup: false, retain: false });
      client.socket.uncork();
      const connack = await client.expect('connack');
      assert.is(connack.reasonCode ?? connack.returnCode, 0, username);
      await client.expect('suback');
      assert.is((await client.expect('publish')).payload.toString(), username);
      client.destroy();
    }
    const refused = async (credentials: object): Promise<unknown> => {
      const client = await RawMqtt.open(server.mqtt, version);
      client.send({ ...connect, ...protocol, ...credentials });
      client.send({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false });
      const [connack, ...others] = await client.end();
      assert.is(others.length, 0);
      return connack?.cmd === 'connack' ? (connack.reasonCode ?? connack.returnCode) : connack;
    };
    for (const [username, password] of BAD)
      assert.is(await refused({ username, password: Buffer.from(password) }), wrong, `${username} ${password}`);
    assert.is(await refused({}), missing);
    assert.is(await refused({ username: 'alice' }), missing);
  });
}

test('STOMP: login and passcode; refused with an ERROR', async () => {
  for (const [login, passcode] of GOOD) {
    const client = await RawStomp.open(server.stomp);
    client.socket.cork();
    client.send('CONNECT', { 'accept-version': '1.2', login, passcode, receipt: 'r' });
    client.send('SUBSCRIBE', { id: '1', destination: '/topic/a' });
    client.send('SEND', { destination: '/topic/a' }, login);
    client.socket.uncork();
    await client.expect('CONNECTED');
    assert.is(header(await client.expect('RECEIPT'), 'receipt-id'), 'r');
    assert.is(`${(await client.expect('MESSAGE')).body}`, login);
    client.destroy();
  }
  for (const headers of [...BAD.map(([login, passcode]) => ({ login, passcode })), {}]) {
    const client = await RawStomp.open(server.stomp);
    client.send('CONNECT', { 'accept-version': '1.2', receipt: 'r', ...headers });
    client.send('SEND', { destination: '/topic/a', receipt: 's' }, 'x');
    const frames = await client.end();
    assert.equal(
      frames.map(({ command }) => command),
      ['ERROR'],
    );
    const [error] = frames;
    assert.is(error && header(error, 'receipt-id'), 'r');
    assert.match(`${error?.body}`, 'expected in the headers login and passcode');
  }
});

test('WebSocket JSON: userName and password; refused with an error and a goodbye', async () => {
  for (const [userName, password] of GOOD) {
    for (const session of [{}, { clientId: `kept-${userName}`, sessionSeconds: 10 }]) {
      const client = await RawJson.open(server.http);
      client.send({ type: 'hello', id: 'h', userName, password, ...session });
      client.send({ type: 'subscribe', subscription: 's', filter: 'a', id: 1 });
      client.send({ type: 'publish', topic: 'a', payload: userName });
      assert.is((await client.expect('hello')).id, 'h');
      const both = [await client.next(), await client.next()];
      assert.equal(both.map(({ type }) => type).sort(), ['ack', 'message']);
      assert.is(both.find(({ type }) => type === 'message')?.payload, userName);
      client.destroy();
    }
  }
  for (const [userName, password] of [...BAD, []]) {
    const client = await RawJson.open(server.http);
    client.send({ type: 'hello', id: 'h', userName, password });
    client.send({ type: 'publish', topic: 'a', payload: 'x', durable: true, id: 2 });
    const [error, goodbye, ...others] = await client.end();
    const code = userName === undefined ? 'notAuthorized' : 'badCredentials';
    assert.equal([error?.type, error?.code, error?.id], ['error', code, 'h']);
    assert.equal([goodbye?.type, goodbye?.code], ['goodbye', code]);
    assert.is(others.length, 0);
  }
});

test('limits.passwordChecksWaiting: who comes on top is told that the server is busy', async () => {
  const limits = { passwordChecks: 1, passwordChecksWaiting: 0 };
  const strong = { users: [{ name: 'alice', password: 'x' }], scramIterations: 200_000 };
  const busy = await startBroker({ limits, security: strong });
  try {
    const username = 'alice';
    const [first, second] = [await RawMqtt.open(busy.mqtt, 5), await RawMqtt.open(busy.mqtt, 5)];
    const stomp = await RawStomp.open(busy.stomp);
    const json = await RawJson.open(busy.http);
    first.send({ ...connect, protocolVersion: 5, username, password: Buffer.from('x') });
    await new Promise((resolve) => setImmediate(resolve));
    second.send({ ...connect, protocolVersion: 5, clientId: 'd', username, password: Buffer.from('x') });
    stomp.send('CONNECT', { 'accept-version': '1.2', login: username, passcode: 'x' });
    json.send({ type: 'hello', userName: username, password: 'x' });
    const all = [first.expect('connack'), second.expect('connack')] as const;
    const reasons = (await Promise.all(all)).map(({ reasonCode }) => reasonCode);
    assert.equal(reasons.sort(), [0, 0x89]);
    assert.match(`${(await stomp.expect('ERROR')).body}`, 'Try again later');
    assert.is((await json.expect('error')).code, 'busy');
    first.destroy();
  } finally {
    await busy.broker.stop();
  }
});

test('an authorizer of the program and security.users: one of them', async () => {
  try {
    await startBroker(
      { security: { users: [{ name: 'a', password: 'b' }] } },
      { authorizer: { authenticate: () => 'notAuthorized', mayPublish: () => true, maySubscribe: () => true } },
    );
  } catch (error) {
    assert.match(String(error), /security\.users and an authorizer/);
    return;
  }
  assert.unreachable();
});

test.run();
