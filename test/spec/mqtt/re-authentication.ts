import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { RawMqtt } from '../../support/mqtt-client.ts';
import { ScramClient } from '../../support/scram-client.ts';
import { AGAIN, answer, asking, auth, CONTINUE, connected, ending } from './support/exchange.ts';

/** Re-authentication of a connection that is being served (MQTT 5.0, 4.12.1). */

const test = suite('mqtt/re-authentication');
let server: TestBroker;

const alice = (password = 'of alice'): ScramClient => new ScramClient('SCRAM-SHA-512', 'alice', password);
const METHOD = { authenticationMethod: 'SCRAM-SHA-512' };

test.before(async () => {
  const users = ['alice', 'bob'].map((name) => ({ name, password: `of ${name}` }));
  server = await startBroker({ security: { users } });
});
test.after(() => server.broker.stop());

test('[MQTT-4.12.1-1] AUTH 0x19, 0x18, 0x00: with the method, and as often as one likes', async () => {
  const client = await connected(server, alice());
  for (let round = 0; round < 3; round++) {
    const scram = alice();
    auth(client, AGAIN, asking(scram));
    await answer(client, scram);
    const success = await client.expect('auth');
    assert.is(success.reasonCode ?? 0, 0);
    assert.is(success.properties?.authenticationMethod, METHOD.authenticationMethod);
    assert.ok(scram.verifies(success.properties?.authenticationData), 'the server proves itself again');
  }
  assert.equal(await client.flush(), []);
  client.destroy();
});

test('4.12.1 messages go on meanwhile, both ways, by the authentication before', async () => {
  const client = await connected(server, alice());
  await client.subscribe('on/#', 1);
  const scram = alice();
  auth(client, AGAIN, METHOD);
  client.publish('on/1', 'x', { qos: 1, messageId: 1 });
  const asked = await client.expect('auth');
  assert.equal([asked.reasonCode, asked.properties?.authenticationData], [CONTINUE, undefined]);
  const seen: string[] = [];
  const next = async (): Promise<void> => {
    const packet = await client.next();
    seen.push(packet.cmd);
    if (packet.cmd === 'publish') client.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
  };
  await next();
  await next();
  auth(client, CONTINUE, asking(scram));
  client.publish('on/2', 'y', { qos: 0 });
  const final = await client.next();
  const other = await client.next();
  const challenge = final.cmd === 'auth' ? final : other;
  assert.equal([final.cmd, other.cmd].sort(), ['auth', 'publish']);
  if (challenge.cmd !== 'auth') throw new Error('no challenge');
  auth(client, CONTINUE, { ...METHOD, authenticationData: scram.final(challenge.properties?.authenticationData) });
  await client.expect('auth');
  assert.equal(seen.sort(), ['puback', 'publish']);
  // Its subscription is there as before.
  client.publish('on/3', 'z');
  assert.is((await client.expect('publish')).topic, 'on/3');
  client.destroy();
});

test('[MQTT-4.12.1-2] a failure: DISCONNECT 0x87, the close, and the will', async () => {
  const watcher = await RawMqtt.connect(server.mqtt, {
    clientId: 'watcher',
    username: 'bob',
    password: Buffer.from('of bob'),
  });
  await watcher.subscribe('wills/#');
  const table: [string, ScramClient, RegExp][] = [
    ['wrong', alice('of nobody'), /wrong user name or password/],
    ['unknown', new ScramClient('SCRAM-SHA-512', 'carol', 'x'), /wrong user name or password/],
    ['other', new ScramClient('SCRAM-SHA-512', 'bob', 'of bob'), /re-authentication as another user/],
  ];
  for (const [what, scram, words] of table) {
    const will = { topic: `wills/${what}`, payload: Buffer.from('x'), qos: 0, retain: false };
    const client = await connected(server, alice(), { will });
    auth(client, AGAIN, asking(scram));
    await answer(client, scram);
    const { end, count, text } = await ending(client);
    assert.equal([end, count], ['disconnect 87', 1], what);
    assert.match(text, words);
    assert.is((await watcher.expect('publish')).topic, `wills/${what}`);
  }
  watcher.destroy();
});

test('[MQTT-4.12.1-2] data that is none of the method: DISCONNECT 0x87', async () => {
  const client = await connected(server, alice());
  auth(client, AGAIN, { ...METHOD, authenticationData: Buffer.from('n,,n=alice') });
  assert.is((await ending(client)).end, 'disconnect 87');
});

test('[MQTT-4.12.1-1] another method, or AUTH out of place: DISCONNECT 0x82', async () => {
  const first = alice().first();
  const table: [string, (client: RawMqtt) => void][] = [
    ['another method', (c) => auth(c, AGAIN, { authenticationMethod: 'SCRAM-SHA-256', authenticationData: first })],
    ['no method', (c) => auth(c, AGAIN, { authenticationData: first })],
    ['0x18 where none is awaited', (c) => auth(c, CONTINUE, asking(alice()))],
    ['0x00', (c) => auth(c, 0, METHOD)],
    [
      '0x19 twice',
      (c) => {
        auth(c, AGAIN, asking(alice()));
        auth(c, AGAIN, asking(alice()));
      },
    ],
  ];
  for (const [what, act] of table) {
    const client = await connected(server, alice());
    act(client);
    const { end } = await ending(client);
    assert.is(end, 'disconnect 82', what);
  }
});

test('4.12.1 a client that leaves in the middle of it leaves as any other', async () => {
  const client = await connected(server, alice());
  auth(client, AGAIN, asking(alice()));
  await client.expect('auth');
  client.send({ cmd: 'disconnect', reasonCode: 0 });
  assert.equal(await client.end(), []);
});

test.run();
