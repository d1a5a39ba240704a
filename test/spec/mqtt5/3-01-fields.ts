import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CLEAN,
  connect,
  disconnect,
  field,
  hex,
  join,
  NONE,
  section,
  subscribe,
  u32,
  WILL_FLAG,
  WILL_RETAIN,
  will,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { TCP, TCP_SPLIT } from './support/peer.ts';
import { propertyOf } from './support/strict.ts';

/** MQTT 5.0, 3.1.2 and 3.1.3: the fields of CONNECT. */

const test = suite('mqtt5/3.1 fields');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

test('[MQTT-3.1.2-1] another protocol name: closed without a word', async () => {
  for (const name of [
    '',
    'mqtt',
    'MQTt',
    'MQT',
    'MQTTT',
    'MQIsdp\u0020',
    'HTTP',
    'AMQP',
    '\ufeffMQTT',
    'x'.repeat(1000),
  ])
    for (const level of [3, 4, 5, 6]) assert.is(await bench.refusal(connect({ name, level })), 0, `${name} ${level}`);
  assert.is(await bench.refusal(connect({ name: hex('4d5154c0') })), 0, 'not UTF-8');
});

test('[MQTT-3.1.2-2] unknown levels above 5: CONNACK 0x84 in the form of MQTT 5', async () => {
  for (const way of [TCP, TCP_SPLIT])
    for (const level of [6, 7, 8, 64, 127, 255])
      assert.is(await bench.refusal(connect({ level }), way), 0x84, `${level}`);
});

test('[MQTT-3.1.2-2] unknown levels below 5: CONNACK 0x01 in the form of MQTT 3.1.1', async () => {
  // 0x83 and 0x84 are those of bridges of mosquitto, which take this answer and come again without the bit.
  for (const [name, level] of [
    ['MQTT', 0],
    ['MQTT', 1],
    ['MQTT', 2],
    ['MQTT', 3],
    ['MQTT', 0x80],
    ['MQTT', 0x83],
    ['MQTT', 0x84],
    ['MQIsdp', 0],
    ['MQIsdp', 2],
    ['MQIsdp', 4],
    ['MQIsdp', 5],
    ['MQIsdp', 0x83],
  ] as const) {
    const socket = await bench.raw();
    socket.write(connect({ name, level, properties: [] }));
    assert.is((await socket.end()).toString('hex'), '20020001', `${name} ${level}`);
  }
});

test('[MQTT-3.1.2-3] the reserved flag set is malformed', async () => {
  for (const flags of [1, 3, 0x83, 0xc3]) assert.is(await bench.refusal(connect({ flags })), 0x81, `${flags}`);
});

test('[MQTT-3.1.2-11] [MQTT-3.1.2-13] Will QoS or Will Retain without a will, [MQTT-3.1.2-12] Will QoS 3: malformed', async () => {
  for (const flags of [0x08, 0x10, 0x18, 0x20, 0x28, 0x38]) {
    assert.is(await bench.refusal(connect({ flags: CLEAN | flags })), 0x81, `${flags}`);
    const rest = will('a', 'x');
    if ((flags & 0x18) === 0x18)
      assert.is(await bench.refusal(connect({ flags: CLEAN | WILL_FLAG | flags, rest })), 0x81, `${flags} with a will`);
    else await bench.connect({ flags: CLEAN | WILL_FLAG | flags, rest });
  }
});

test('[MQTT-3.1.2-9] [MQTT-3.1.2-16] … [MQTT-3.1.2-19] fields are there as the flags say, neither more nor less', async () => {
  const [user, password] = [field('user'), field(hex('00ff'))];
  for (const [what, flags, rest] of [
    ['a will without its payload', WILL_FLAG, [NONE, field('a')]],
    ['a will without its properties', WILL_FLAG, [field('a'), field('x')]],
    ['no will at all', WILL_FLAG, []],
    ['a will that no flag is for', 0, will('a', 'x')],
    ['no user name', 0x80, []],
    ['a user name that no flag is for', 0, [user]],
    ['no password', 0xc0, [user]],
    ['a password that no flag is for', 0x80, [user, password]],
    ['neither user name nor password', 0xc0, []],
  ] as const)
    assert.is(await bench.refusal(connect({ flags: CLEAN | flags, rest })), 0x81, what);
  for (const [flags, rest] of [
    [0x80, [user]],
    [0xc0, [user, password]],
    // Unlike MQTT 3.1.1 (3.1.2.9).
    [0x40, [password]],
    [0xc0, [field(''), field('')]],
    [0xc0 | WILL_FLAG, [...will('a', ''), user, password]],
  ] as const)
    await bench.connect({ flags: CLEAN | flags, rest });
});

test('[MQTT-3.1.3-1] [MQTT-3.1.3-3] the order: identifier, will properties, topic, payload, user name, password', async () => {
  const watcher = await bench.connect();
  await watcher.send(subscribe(1, [['order/will', 0]]));
  await watcher.expect(9);
  const rest = [...will('order/will', 'payload', section([0x03], field('type'))), field('name'), field('secret')];
  const peer = await bench.connect({ flags: 0xc0 | CLEAN | WILL_FLAG, clientId: 'order', rest });
  peer.destroy();
  const message = await watcher.expect(3);
  assert.equal([message.payload.toString(), propertyOf(message, 0x03)], ['payload', 'type']);
});

test('3.1.2.11.9 [MQTT-4.12.0-1] Authentication Data without a method is a protocol error; an unknown method is 0x8C', async () => {
  const data = join([0x16], field('data'));
  const method = join([0x15], field('no such method'));
  assert.is(await bench.refusal(connect({ properties: section(data) })), 0x82);
  assert.is(await bench.refusal(connect({ properties: section(method) })), 0x8c);
  assert.is(await bench.refusal(connect({ properties: section(method, data) })), 0x8c);
  assert.is(await bench.refusal(connect({ properties: section(method, method) })), 0x82, 'a method twice');
  assert.is(await bench.refusal(connect({ properties: section(method, data, data) })), 0x82, 'data twice');
});

test('[MQTT-3.1.3-5] identifiers of 1 to 23 letters and digits, and [MQTT-3.1.3-4] any other text up to the limit', async () => {
  for (const clientId of [
    '0',
    'z',
    '0123456789abcdefghijklm',
    'nopqrstuvwxyzABCDEFGHIJ',
    'KLMNOPQRSTUVWXYZ',
    'x'.repeat(24),
    'a b/+#$é\u{1f600}',
    'y'.repeat(1024),
  ]) {
    const { connack } = await bench.connect({ clientId });
    assert.is(propertyOf(connack, 0x12), undefined, 'none assigned');
  }
});

test('[MQTT-3.1.3-8] an identifier that is not taken: CONNACK 0x85 and closed', async () => {
  assert.is(await bench.refusal(connect({ clientId: 'x'.repeat(1025) })), 0x85);
});

test('[MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] an empty identifier is assigned a new one, with Clean Start 0 too', async () => {
  const seen = new Set<string>();
  for (const flags of [CLEAN, 0, CLEAN, 0]) {
    const { connack } = await bench.connect({ flags });
    assert.not(connack.sessionPresent);
    const assigned = propertyOf(connack, 0x12);
    assert.ok(typeof assigned === 'string' && assigned.length > 0);
    seen.add(`${assigned}`);
  }
  assert.is(seen.size, 4);
});

test('[MQTT-3.1.3-7] an assigned identifier is one like any other: the session is found by it', async () => {
  const properties = section([0x11], u32(60));
  const first = await bench.connect({ properties });
  const clientId = `${propertyOf(first.connack, 0x12)}`;
  await first.send(disconnect());
  await first.end();
  const { connack } = await bench.connect({ clientId, flags: 0, properties });
  assert.ok(connack.sessionPresent);
});

test('a will topic that is no topic name: 0x90; one that clients may not publish to: 0x87', async () => {
  for (const [topic, reason] of [
    ['a/+', 0x90],
    ['#', 0x90],
    ['', 0x90],
    ['$SYS/x', 0x87],
    ['$share/g/x', 0x87],
  ] as const)
    assert.is(
      await bench.refusal(connect({ flags: CLEAN | WILL_FLAG | WILL_RETAIN, rest: will(topic, '') })),
      reason,
      topic,
    );
});

test.run();
