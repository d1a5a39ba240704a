import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Step } from '../../../src/ports/authentication.ts';
import type { Authorizer } from '../../../src/ports/authorizer.ts';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { RawMqtt } from '../../support/mqtt-client.ts';
import { ScramClient, type ScramMethod } from '../../support/scram-client.ts';
import { AGAIN, answer, asking, auth, begin, CONTINUE, connected, ending, exchange } from './support/exchange.ts';

/** Enhanced authentication (MQTT 5.0, 4.12) between CONNECT and CONNACK. */

const test = suite('mqtt/authentication');
let server: TestBroker;

const PASSWORD = 'a lighthouse';
const METHODS: readonly ScramMethod[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];
const alice = (method: ScramMethod = 'SCRAM-SHA-256'): ScramClient => new ScramClient(method, 'alice', PASSWORD);
const METHOD = { authenticationMethod: 'SCRAM-SHA-256' };

test.before(async () => {
  const users = [
    { name: 'alice', password: PASSWORD },
    { name: 'bob', password: 'of bob' },
  ];
  server = await startBroker({ security: { users }, limits: { loginSeconds: 2 } });
});
test.after(() => server.broker.stop());

for (const method of METHODS) {
  test(`[MQTT-4.12.0-2] [MQTT-4.12.0-5] ${method}: AUTH and CONNACK have the method, CONNACK proves the server`, async () => {
    const scram = alice(method);
    const client = await begin(server, asking(scram));
    const challenge = await answer(client, scram);
    assert.is(challenge.properties?.authenticationMethod, method);
    const connack = await client.expect('connack');
    assert.is(connack.reasonCode, 0);
    assert.is(connack.properties?.authenticationMethod, method);
    assert.ok(scram.verifies(connack.properties?.authenticationData));
    assert.ok(connack.properties?.assignedClientIdentifier, 'all else is there as well');
    await client.subscribe('a', 1);
    client.publish('a', 'x', { qos: 1, messageId: 1 });
    assert.is((await client.expect('publish')).topic, 'a');
    client.destroy();
  });
}

test('4.12: without Authentication Data in CONNECT the server asks for it by an AUTH that has none', async () => {
  const scram = alice();
  const client = await begin(server, METHOD);
  const asked = await client.expect('auth');
  assert.equal([asked.reasonCode, { ...asked.properties }], [CONTINUE, METHOD]);
  auth(client, CONTINUE, asking(scram));
  await answer(client, scram);
  assert.is((await client.expect('connack')).reasonCode, 0);
  client.destroy();
});

test('[MQTT-4.12.0-1] a method that is not offered: 0x8C, which says what is', async () => {
  for (const authenticationMethod of ['GS2-KRB5', 'SCRAM-SHA-1', 'scram-sha-256', '']) {
    const { end, count, text } = await ending(await begin(server, { authenticationMethod }));
    assert.equal([end, count], ['connack 8c', 1], authenticationMethod);
    assert.match(text, /SCRAM-SHA-512 and SCRAM-SHA-256 are offered/);
  }
});

test('[MQTT-4.12.0-4] a wrong password and an unknown user: 0x86, in the same words', async () => {
  const texts: string[] = [];
  for (const method of METHODS) {
    for (const scram of [new ScramClient(method, 'alice', 'a lighthous'), new ScramClient(method, 'carol', PASSWORD)]) {
      const { end, count, text } = await ending(await exchange(server, scram));
      assert.equal([end, count], ['connack 86', 1]);
      texts.push(text);
    }
  }
  assert.is(new Set(texts).size, 1, texts.join());
});

test('[MQTT-4.12.0-4] data that is none of the method: 0x87, which says what is wrong', async () => {
  const first = await ending(await begin(server, { ...METHOD, authenticationData: Buffer.from('hello') }));
  assert.equal([first.end, first.count], ['connack 87', 1]);
  assert.match(first.text, /not a client-first-message/);
  const client = await begin(server, asking(alice()));
  await client.expect('auth');
  auth(client, CONTINUE, { ...METHOD, authenticationData: Buffer.from([0xff]) });
  const second = await ending(client);
  assert.is(second.end, 'connack 87');
  assert.match(second.text, /not UTF-8/);
});

test('1.5.6: data whose answer would be more than a property holds is refused: 0x87', async () => {
  const client = await begin(server, METHOD);
  await client.expect('auth');
  const authenticationData = Buffer.from(`n,,n=alice,r=${'a'.repeat(65_480)}`);
  auth(client, CONTINUE, { ...METHOD, authenticationData });
  const { end, text } = await ending(client);
  assert.is(end, 'connack 87');
  assert.match(text, /r= has more than 1024 characters/);
});

test('1.5.6: a method of the program that gives more than a property holds, or breaks, ends its connection alone: 0x80', async () => {
  const step: Step = { kind: 'challenge', data: Buffer.alloc(0x10000) };
  const answers: (() => Promise<Step>)[] = [async () => step, () => Promise.reject(new Error('broken'))];
  for (const respond of answers) {
    const authorizer: Authorizer = {
      authenticate: () => ({ name: 'anyone' }),
      mechanisms: { names: ['M'], begin: () => ({ respond }) },
      mayPublish: () => true,
      maySubscribe: () => true,
    };
    const silent = { debug() {}, info() {}, warn() {}, error() {} };
    const other = await startBroker({}, { authorizer, logger: silent });
    const { end, count } = await ending(await begin(other, { authenticationMethod: 'M' }));
    assert.equal([end, count], ['connack 80', 1]);
    await other.broker.stop();
  }
});

test('[MQTT-3.1.2-30] before CONNACK nothing but AUTH and DISCONNECT may come', async () => {
  const packets: [string, string][] = [
    ['PUBLISH', '30 04 0001 61 00'],
    ['SUBSCRIBE', '82 07 0001 00 0001 61 00'],
    ['PINGREQ', 'c0 00'],
    ['a second CONNECT', '10 0d 00044d515454 05 02 003c 00 0000'],
  ];
  for (const [what, hex] of packets) {
    const client = await begin(server, asking(alice()));
    await client.expect('auth');
    client.write(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    const { end, text } = await ending(client);
    assert.is(end, 'connack 82', what);
    assert.match(text, 'MQTT-3.1.2-30');
  }
  // In one piece with the CONNECT, and with the AUTH that would have been the last one.
  const pipelined = await begin(server, asking(alice()));
  pipelined.send({ cmd: 'pingreq' });
  assert.is((await ending(pipelined)).end, 'connack 82');
  const scram = alice();
  const last = await begin(server, asking(scram));
  last.socket.cork();
  await answer(last, scram);
  last.send({ cmd: 'pingreq' });
  last.socket.uncork();
  assert.is((await ending(last)).end, 'connack 82');
});

test('4.12: the client may end the exchange by DISCONNECT, or by a close', async () => {
  const client = await begin(server, asking(alice()));
  await client.expect('auth');
  client.write(0xe0, 0x00);
  assert.equal(await client.end(), []);
  const gone = await begin(server, asking(alice()));
  gone.destroy();
  (await connected(server, alice())).destroy();
});

test('[MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.15.2-1] AUTH out of place: 0x82', async () => {
  const data = alice().first();
  const wrong: [string, number, object, RegExp][] = [
    [
      'another method',
      CONTINUE,
      { authenticationMethod: 'SCRAM-SHA-512', authenticationData: data },
      /MQTT-4\.12\.0-5/,
    ],
    ['no method', CONTINUE, { authenticationData: data }, /without an Authentication Method/],
    ['0x19', AGAIN, { ...METHOD, authenticationData: data }, /0x19.* before/],
    ['0x00', 0, METHOD, /MQTT-3\.15\.2-1/],
  ];
  for (const [what, reason, properties, words] of wrong) {
    const client = await begin(server, asking(alice()));
    await client.expect('auth');
    auth(client, reason, properties);
    const { end, text } = await ending(client);
    assert.is(end, 'connack 82', what);
    assert.match(text, words, what);
  }
});

test('[MQTT-3.15.1-1] 3.15.2: AUTH that is malformed, and what its properties may not be', async () => {
  // `15`: method "SCRAM-SHA-256", in hexadecimal.
  const method = '15000d534352414d2d5348412d323536';
  const table: [string, string, number][] = [
    ['reserved flags [MQTT-3.15.1-1]', `f1 12 18 10 ${method}`, 0x81],
    ['a reason that is not in the table [MQTT-3.15.2-1]', `f0 12 17 10 ${method}`, 0x82],
    ['nothing at all, which means 0x00', 'f0 00', 0x82],
    ['no properties', 'f0 01 18', 0x82],
    ['the method twice', `f0 22 18 20 ${method} ${method}`, 0x82],
    ['the data twice', `f0 18 18 16 ${method} 160000 160000`, 0x82],
    ['the reason string twice', `f0 18 18 16 ${method} 1f0000 1f0000`, 0x82],
    ['a property of other packets', `f0 17 18 15 ${method} 1100000000`, 0x81],
    ['properties beyond the packet', `f0 12 18 20 ${method}`, 0x81],
    ['content behind them', `f0 13 18 10 ${method} 00`, 0x81],
  ];
  for (const [what, hex, reason] of table) {
    const client = await begin(server, asking(alice()));
    await client.expect('auth');
    client.write(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    assert.is((await ending(client)).end, `connack ${reason.toString(16)}`, what);
  }
});

test('3.15.2.2.4 a Reason String and User Properties in AUTH do no harm', async () => {
  const scram = alice();
  const client = await begin(server, METHOD);
  await client.expect('auth');
  auth(client, CONTINUE, { ...asking(scram), reasonString: 'why not', userProperties: { a: ['1', '2'] } });
  await answer(client, scram);
  assert.is((await client.expect('connack')).reasonCode, 0);
  client.destroy();
});

test('[MQTT-4.12.0-6] [MQTT-4.12.0-7] with no method in CONNECT neither side has AUTH', async () => {
  const options = {
    clientId: 'plain',
    protocolVersion: 5,
    username: 'alice',
    password: Buffer.from(PASSWORD),
  } as const;
  const client = await RawMqtt.connect(server.mqtt, options);
  assert.is(client.connack.properties?.authenticationMethod, undefined);
  auth(client, AGAIN, asking(alice()));
  const { end, text } = await ending(client);
  assert.is(end, 'disconnect 82');
  assert.match(text, 'MQTT-4.12.0-7');
});

test('2.1.2 before MQTT 5 there is no AUTH', async () => {
  const options = { clientId: 'old', username: 'alice', password: Buffer.from(PASSWORD) };
  const client = await RawMqtt.connect(server.mqtt, options);
  client.write(0xf0, 0x00);
  assert.equal(await client.end(), []);
});

test('3.1.2.11.10 Authentication Data without a method is a protocol error', async () => {
  const client = await begin(server, { authenticationData: alice().first() });
  const packets = await client.end();
  assert.ok(packets.every((packet) => packet.cmd === 'connack' && packet.reasonCode === 0x82));
});

test('3.1.3.5 a user name beside the method is that of the user, and a password is too much', async () => {
  (await connected(server, alice(), { username: 'alice' })).destroy();
  const other = await ending(await exchange(server, alice(), { username: 'bob' }));
  assert.is(other.end, 'connack 86');
  assert.match(other.text, /user name in CONNECT is not the one that was proven/);
  const password = { username: 'alice', password: Buffer.from(PASSWORD) };
  const both = await ending(await begin(server, asking(alice()), password));
  assert.is(both.end, 'connack 86');
  assert.match(both.text, /a password beside the authentication method/);
});

test('[MQTT-3.1.2-24] an AUTH that is larger than the client takes ends the exchange: 0x95', async () => {
  const { end, count } = await ending(await begin(server, { ...asking(alice()), maximumPacketSize: 60 }));
  assert.equal([end, count], ['connack 95', 1]);
  const scram = alice();
  (await connected(server, scram, { properties: { ...asking(scram), maximumPacketSize: 400 } })).destroy();
});

test('3.1.4: limits.loginSeconds is for the whole exchange, whatever comes', async () => {
  const began = performance.now();
  const client = await begin(server, METHOD);
  await client.expect('auth');
  const steps = setTimeout(() => auth(client, CONTINUE, asking(alice())), 1000);
  const packets = await client.end();
  clearTimeout(steps);
  assert.equal(
    packets.map(({ cmd }) => cmd),
    ['auth'],
  );
  const seconds = (performance.now() - began) / 1000;
  assert.ok(seconds > 1.9 && seconds < 4.5, `${seconds}`);
});

test('[MQTT-3.1.2-22] the keep alive begins after the exchange, however long that took', async () => {
  const scram = alice();
  const client = await begin(server, asking(scram), { keepalive: 1 });
  await new Promise((resolve) => setTimeout(resolve, 1600));
  await answer(client, scram);
  await client.expect('connack');
  const began = performance.now();
  assert.is((await ending(client)).end, 'disconnect 8d');
  assert.ok(performance.now() - began > 1400, 'not for the silence before');
});

test('[MQTT-4.12.0-5] a session belongs to who was proven, by whichever method', async () => {
  const lasting = { clientId: 'mine', clean: false };
  const keep = { sessionExpiryInterval: 60 };
  const first = alice();
  const client = await connected(server, first, { ...lasting, properties: { ...asking(first), ...keep } });
  client.send({ cmd: 'disconnect', reasonCode: 0 });
  await client.end();
  const again = await RawMqtt.connect(server.mqtt, {
    ...lasting,
    protocolVersion: 5,
    username: 'alice',
    password: Buffer.from(PASSWORD),
    properties: keep,
  });
  assert.ok(again.connack.sessionPresent);
  const bob = new ScramClient('SCRAM-SHA-256', 'bob', 'of bob');
  assert.is((await ending(await exchange(server, bob, lasting))).end, 'connack 85');
  again.publish('x', 'still there', { qos: 1, messageId: 1 });
  await again.expect('puback');
  again.destroy();
});

test.run();
