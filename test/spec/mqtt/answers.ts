import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { reasonIn, type Told } from '../../../protocols/mqtt/reasons.ts';
import { FAULTS, type FaultCode } from '../../../src/core/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { type Packet, RawMqtt } from '../../support/mqtt-client.ts';
import { MqttHarness } from './support/harness.ts';
import { type Client, lasting, Rig } from './support/rig.ts';

/** MQTT 5.0: with which reasons the server answers, refuses and disconnects, and to whom it says why in words. */

const test = suite('mqtt/answers');
const rig = new Rig();
test.before(() => rig.start({ limits: { packetBytes: 4096, inflightIn: 2, keepAliveSeconds: 100 } }));
test.after(() => rig.stop());
test.after.each(() => rig.leave());

// --- 2.4: codes and their packets ----------------------------------------------------------------------------------

/** Table 2-6, and the tables of each packet. */
const CODES: Record<Told, readonly number[]> = {
  connack: [
    ...[0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c],
    ...[0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f],
  ],
  publish: [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  subscribe: [0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  disconnect: [
    ...[
      0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
    ],
    ...[0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2],
  ],
};

function isFault(code: string): code is FaultCode {
  return Object.hasOwn(FAULTS, code);
}

for (const [packet, told] of [
  ['[MQTT-3.2.2-8] CONNACK', 'connack'],
  ['[MQTT-3.4.2-1] [MQTT-3.5.2-1] PUBACK and PUBREC', 'publish'],
  ['[MQTT-3.9.3-2] SUBACK', 'subscribe'],
  ['[MQTT-3.14.2-1] DISCONNECT', 'disconnect'],
] as const) {
  test(`${packet}: every fault has one of the packet's own codes`, () => {
    for (const code of Object.keys(FAULTS)) {
      if (isFault(code)) assert.ok(CODES[told].includes(reasonIn(told, code)), `${code}: ${reasonIn(told, code)}`);
    }
  });
}

// --- DISCONNECT -----------------------------------------------------------------------------------------------------

function reasonOf(packets: readonly Packet[]): number | undefined {
  const last = packets.at(-1);
  return last?.cmd === 'disconnect' ? last.reasonCode : undefined;
}

const FAULTY: readonly (readonly [string, number, (client: Client) => void])[] = [
  ['malformed', 0x81, (client) => client.write(Buffer.from([0x31, 0xff, 0xff, 0xff, 0xff, 0x01]))],
  ['a protocol error', 0x82, (client) => client.publish('', 'x')],
  ['a packet too large', 0x95, (client) => client.publish('a', Buffer.alloc(5000))],
  ['a topic alias', 0x94, (client) => client.publish('a', 'x', { properties: { topicAlias: 65_535 } })],
  [
    'Receive Maximum',
    0x93,
    (client) => {
      for (const messageId of [1, 2, 3]) client.publish('a', 'x', { qos: 2, messageId });
    },
  ],
];
for (const [what, reason, act] of FAULTY) {
  test(`4.13 DISCONNECT 0x${reason.toString(16)}: ${what}`, async () => {
    const client = await rig.client('c');
    act(client);
    assert.is(reasonOf(await client.end()), reason);
  });
}

test('[MQTT-3.1.4-3] DISCONNECT 0x8e: taken over', async () => {
  const first = await rig.client('twice');
  await rig.client('twice');
  assert.is(reasonOf(await first.end()), 0x8e);
});

test('[MQTT-3.1.2-22] DISCONNECT 0x8d: nothing was heard for 1.5 times the Keep Alive, or the Server Keep Alive', async () => {
  const broker = new MqttHarness({ keepAliveSeconds: 100 });
  for (const [keepalive, silence] of [
    [10, 15],
    [0, 150],
    [1000, 150],
  ] as const) {
    const client = await broker.connect('c', { keepalive });
    const { clock } = broker.harness;
    clock.advance(silence * 1000);
    client.channel.tick(clock.now());
    assert.equal(client.take(), [], `${silence} s`);
    clock.advance(1000);
    client.channel.tick(clock.now());
    assert.is(reasonOf(client.take()), 0x8d);
    await client.drop();
  }
});

test('DISCONNECT 0x98 where an operator ends the connection, 0x8b where the server ends; the session stays', async () => {
  for (const [code, reason] of [
    ['administrative', 0x98],
    ['shutdown', 0x8b],
    ['slowReader', 0x97],
  ] as const) {
    const broker = new MqttHarness();
    const client = await broker.connect('c', lasting);
    client.channel.shutdown(code);
    assert.is(reasonOf(client.take()), reason);
    assert.ok(client.connection.ended !== undefined);
    await client.drop();
    const back = broker.open();
    await back.send({ cmd: 'connect', protocolVersion: 5, keepalive: 60, clientId: 'c', ...lasting });
    const [connack] = back.take();
    assert.ok(connack?.cmd === 'connack' && connack.sessionPresent);
  }
});

test('3.2.2.3.16 Server Keep Alive is said where the client has another one', async () => {
  for (const [keepalive, told] of [
    [100, undefined],
    [101, 100],
    [0, 100],
    [1, undefined],
  ] as const) {
    assert.is((await rig.client('c', { keepalive })).connack.properties?.serverKeepAlive, told);
  }
});

// --- the end of a session -------------------------------------------------------------------------------------------

const expiry = (seconds: number): object => ({ properties: { sessionExpiryInterval: seconds } });

test('[MQTT-3.14.2-2] 3.14.2.2.2 DISCONNECT changes the Session Expiry Interval, but not from 0', async () => {
  for (const [asked, changed, present] of [
    [600, 0, false],
    [600, 1, true],
    [1, 600, true],
    [0, 0, false],
  ] as const) {
    const client = await rig.client('c', { clean: true, ...expiry(asked) });
    client.send({ cmd: 'disconnect', reasonCode: 0, ...expiry(changed) });
    assert.equal(await client.end(), []);
    assert.is((await rig.client('c', { clean: false })).connack.sessionPresent, present, `${asked} to ${changed}`);
  }
  const ending = await rig.client('c');
  ending.send({ cmd: 'disconnect', reasonCode: 0, ...expiry(600) });
  assert.is(reasonOf(await ending.end()), 0x82);
});

test('3.14.2.2.2 the changed interval is what counts, and no more than limits.sessionExpirySeconds', async () => {
  for (const [changed, most, kept] of [
    [50, 1000, 50],
    [4_294_967_295, 1000, 1000],
  ] as const) {
    const broker = new MqttHarness({ sessionExpirySeconds: most });
    for (const [wait, present] of [
      [kept - 1, true],
      [kept + 1, false],
    ] as const) {
      const client = await broker.connect('c', { clean: true, ...expiry(10) });
      await client.send({ cmd: 'disconnect', reasonCode: 0, ...expiry(changed) });
      await client.drop();
      broker.harness.clock.advance(wait * 1000);
      const back = broker.open();
      await back.send({ cmd: 'connect', clientId: 'c', protocolVersion: 5, keepalive: 60, clean: false });
      const [connack] = back.take();
      assert.is(connack?.cmd === 'connack' && connack.sessionPresent, present, `after ${wait} s`);
      await back.drop();
    }
  }
});

test('[MQTT-3.1.3-9] the will waits its delay, no longer than the session, and not at all when the client is back', async () => {
  const will = (delay: number): object => {
    const properties = { willDelayInterval: delay };
    return { will: { topic: 'w', payload: Buffer.from(`${delay}`), qos: 1, retain: false, properties } };
  };
  const broker = new MqttHarness();
  const { clock } = broker.harness;
  const watcher = await broker.connect('watcher', { keepalive: 0 });
  await watcher.subscribe('w', 0);
  const texts = async (seconds: number): Promise<string[]> => {
    clock.advance(seconds * 1000);
    await broker.turn();
    return watcher.take().flatMap((packet) => (packet.cmd === 'publish' ? [`${packet.payload}`] : []));
  };
  const lose = async (session: number, delay: number): Promise<void> => {
    const client = await broker.connect('c', { clean: false, ...expiry(session), ...will(delay) });
    await client.drop();
  };
  await lose(100, 20);
  assert.equal([await texts(19), await texts(2)], [[], ['20']]);
  await lose(10, 30);
  assert.equal([await texts(9), await texts(2)], [[], ['30']], 'the session is over');
  await lose(100, 40);
  assert.equal(await texts(39), []);
  const back = await broker.connect('c', { clean: false, ...expiry(100) });
  assert.equal(await texts(10), [], 'cancelled');
  await back.send({ cmd: 'disconnect' });
  await back.drop();
  assert.equal(await texts(200), []);
});

// --- words ----------------------------------------------------------------------------------------------------------

/** Each makes the server say why, in another packet; what it says. */
const SAYING: readonly (readonly [Packet['cmd'], (client: RawMqtt) => void])[] = [
  ['puback', (client) => client.publish('$no', 'x', { qos: 1, messageId: 1 })],
  ['pubrec', (client) => client.publish('$no', 'x', { qos: 2, messageId: 1 })],
  ['suback', (client) => client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/b#', qos: 0 }] })],
  ['disconnect', (client) => client.publish('', 'x')],
];

function words(packet: Packet): string | undefined {
  return 'properties' in packet && packet.properties !== undefined && 'reasonString' in packet.properties
    ? packet.properties.reasonString
    : undefined;
}

for (const [cmd, act] of SAYING) {
  test(`[MQTT-3.1.2-29] a Reason String in ${cmd}: unless the client wants no problem information`, async () => {
    for (const requestProblemInformation of [undefined, true, false]) {
      const properties = requestProblemInformation === undefined ? {} : { requestProblemInformation };
      const client = await rig.client('c', { properties });
      act(client);
      const packet = await client.expect(cmd);
      assert.is((words(packet)?.length ?? 0) > 0, requestProblemInformation !== false);
    }
  });

  test(`[MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.9.2-1] [MQTT-3.14.2-3] ${cmd}: never beyond the Maximum Packet Size`, async () => {
    const plain = await rig.client('c');
    act(plain);
    const { length = 0 } = await plain.expect(cmd);
    for (const maximumPacketSize of [30, length - 20, length, length + 30]) {
      const client = await rig.client('c', { properties: { maximumPacketSize } });
      act(client);
      const packet = await client.expect(cmd);
      assert.ok((packet.length ?? 0) + 2 <= maximumPacketSize, `${packet.length} of ${maximumPacketSize}`);
      assert.is(words(packet) !== undefined, maximumPacketSize > length, `${maximumPacketSize}`);
    }
  });
}

async function refusal(properties: object): Promise<Packet> {
  const raw = await RawMqtt.open(rig.server.mqtt, 5);
  const will = { topic: 'a/#', payload: Buffer.of(1), qos: 0, retain: false } as const;
  raw.send({ cmd: 'connect', clientId: 'c', protocolVersion: 5, clean: true, keepalive: 60, will, properties });
  return raw.expect('connack');
}

test('[MQTT-3.2.2-19] CONNACK that refuses: words unless they are not wanted, or too much', async () => {
  assert.ok((words(await refusal({}))?.length ?? 0) > 20);
  assert.is(words(await refusal({ requestProblemInformation: false })), undefined);
  assert.is(words(await refusal({ maximumPacketSize: 30 })), undefined);
});

test('[MQTT-3.1.2-24] a client that CONNACK is too large for is refused: 0x95', async () => {
  const raw = await RawMqtt.open(rig.server.mqtt, 5);
  const properties = { maximumPacketSize: 7 };
  raw.send({ cmd: 'connect', clientId: 'c', protocolVersion: 5, clean: true, keepalive: 60, properties });
  const { reasonCode, length = 0 } = await raw.expect('connack');
  assert.equal([reasonCode, length + 2 <= 7], [0x95, true]);
});

test('[MQTT-3.1.2-24] CONNACK leaves out what a client can do without where there is no room for it', async () => {
  for (const [maximumPacketSize, ...left] of [
    [100, 'receiveMaximum', 'maximumPacketSize', 'topicAliasMaximum', 'responseInformation'],
    [45, 'receiveMaximum', 'maximumPacketSize', 'topicAliasMaximum'],
    [16, 'receiveMaximum', 'maximumPacketSize', 'topicAliasMaximum'],
    [15, 'receiveMaximum', 'maximumPacketSize'],
    [12, 'receiveMaximum'],
    [8, 'receiveMaximum'],
  ] as const) {
    const { connack } = await rig.client('c', { properties: { maximumPacketSize, requestResponseInformation: true } });
    assert.ok((connack.length ?? 0) + 2 <= maximumPacketSize);
    assert.equal(Object.keys(connack.properties ?? {}).sort(), [...left].sort(), `${maximumPacketSize}`);
  }
});

test('[MQTT-3.1.2-24] SUBACK and UNSUBACK that are too large are as if sent, and counted', async () => {
  const { counters } = rig.server.broker;
  const before = counters.droppedTooLarge;
  const client = await rig.client('c', { properties: { maximumPacketSize: 60 } });
  const filters = Array.from({ length: 70 }, (_, i) => `f/${i}`);
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 0 })) });
  client.publish('f/69', 'x');
  assert.is((await client.expect('publish')).topic, 'f/69');
  client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: filters });
  client.publish('f/69', 'x');
  assert.equal(await client.flush(), []);
  assert.is(counters.droppedTooLarge - before, 2);
});

// --- codes per filter -----------------------------------------------------------------------------------------------

test('[MQTT-3.8.4-6] [MQTT-3.9.3-1] [MQTT-3.11.3-1] SUBACK and UNSUBACK have a code for each filter, in order', async () => {
  const client = await rig.client('c');
  const topics = ['a', 'a/b#', 'b', '$share/g', '$reply/someone', '$queue/', 'c'];
  const subscriptions = topics.map((topic, i) => ({ topic, qos: i === 2 ? (2 as const) : (1 as const) }));
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions });
  assert.equal((await client.expect('suback')).granted, [1, 0x8f, 2, 0x8f, 0x87, 0x8f, 1]);
  client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['b', 'never', 'a/b#', 'b', 'a'] });
  assert.equal((await client.expect('unsuback')).granted, [0, 0x11, 0x11, 0x11, 0]);
});

test('[MQTT-3.6.2-1] [MQTT-3.7.2-1] PUBREL and PUBREC of what is not there: 0x92', async () => {
  const client = await rig.client('c');
  client.send({ cmd: 'pubrel', messageId: 7 });
  assert.is((await client.expect('pubcomp')).reasonCode, 0x92);
  client.send({ cmd: 'pubrec', messageId: 7 });
  assert.is((await client.expect('pubrel')).reasonCode, 0x92);
});

test('a client that may not do a thing is told 0x87, and goes on', async () => {
  await rig.stop();
  const authorizer = {
    authenticate: () => ({ name: 'ann' }),
    mayPublish: (_: unknown, topic: string) => topic !== 'secret',
    maySubscribe: (_: unknown, filter: string) => filter !== 'secret',
  };
  await rig.start({}, { authorizer });
  const client = await rig.client('c');
  assert.equal(await client.subscribe('secret'), [0x87]);
  assert.equal(await client.subscribe('$share/g/secret'), [0x87]);
  client.publish('secret', 'x', { qos: 1, messageId: 1 });
  assert.is((await client.expect('puback')).reasonCode, 0x87);
  client.publish('open', 'x', { qos: 1, messageId: 1, properties: { responseTopic: 'secret' } });
  assert.is((await client.expect('puback')).reasonCode, 0x87);
  const raw = await RawMqtt.open(rig.server.mqtt, 5);
  const will = { topic: 'secret', payload: Buffer.of(1), qos: 0, retain: false } as const;
  raw.send({ cmd: 'connect', clientId: 'w', protocolVersion: 5, clean: true, keepalive: 60, will });
  assert.is((await raw.expect('connack')).reasonCode, 0x87);
  await eventually('it goes on', async () => (await client.flush()).length === 0);
});

test.run();
