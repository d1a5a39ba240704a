import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answer,
  CLEAN,
  connect,
  disconnect,
  field,
  hex,
  join,
  NONE,
  packet,
  pingreq,
  publish,
  section,
  subscribe,
  u16,
  u32,
  unsubscribe,
  WILL_FLAG,
  WILL_RETAIN,
  will,
} from './support/bytes.ts';
import { Bench, TCP, TCP_SPLIT, WAYS } from './support/peer.ts';
import { propertyOf } from './support/strict.ts';

/** MQTT 5.0, 3.1: CONNECT, what it must be, and what is refused. Sessions and wills are in 3-01-session and 3-01-will. */

const test = suite('mqtt5/3.1 connect');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

for (const way of WAYS) {
  test(`[MQTT-3.1.0-1] [MQTT-3.14.0-1] a first packet that is not CONNECT: closed, nothing said, ${way.name}`, async () => {
    for (const [name, bytes] of [
      ['PUBLISH', publish('a', 'x')],
      ['PUBLISH at QoS 1', publish('a', 'x', { qos: 1 })],
      ['PUBACK', answer(4, 1)],
      ['PUBREC', answer(5, 1)],
      ['PUBREL', answer(6, 1)],
      ['PUBCOMP', answer(7, 1)],
      ['SUBSCRIBE', subscribe(1, [['a', 0]])],
      ['UNSUBSCRIBE', unsubscribe(1, ['a'])],
      ['PINGREQ', pingreq()],
      ['DISCONNECT', disconnect()],
      ['AUTH', packet(0xf0, [0x18], section([0x15], field('X')))],
      ['CONNACK', packet(0x20, [0, 0], NONE)],
      ['SUBACK', packet(0x90, u16(1), NONE, [0])],
      ['UNSUBACK', packet(0xb0, u16(1), NONE, [0])],
      ['PINGRESP', packet(0xd0)],
      ['type 0', packet(0)],
      ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
      ['TLS', hex('16 0301 0200 0100 01fc 0303')],
    ] as const)
      assert.is(await bench.refusal(join(bytes, connect()), way), 0, name);
  });

  test(`[MQTT-3.1.0-2] a second CONNECT is a protocol error, whatever is in it, ${way.name}`, async () => {
    for (const [what, bytes] of [
      ['the same again', connect()],
      ['an earlier version', connect({ level: 4 })],
      ['an unknown version', connect({ level: 6 })],
      ['another name', connect({ name: 'HTTP' })],
      ['reserved flag', connect({ flags: 3 })],
      ['no content', packet(0x10)],
    ] as const) {
      assert.is(await bench.fault(bytes, way), 0x82, what);
      const peer = await bench.open(way);
      await peer.send(connect(), bytes, pingreq());
      assert.equal(
        (await peer.end()).map(({ type, reasons }) => [type, reasons[0]]),
        [
          [2, 0],
          [14, 0x82],
        ],
        `at once: ${what}`,
      );
    }
  });
}

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

for (const way of WAYS) {
  test(`[MQTT-3.1.4-5] packets sent right behind CONNECT, before CONNACK, are served behind it, ${way.name}`, async () => {
    const peer = await bench.open(way);
    await peer.send(
      connect({ clientId: 'eager' }),
      subscribe(3, [['eager', 0]]),
      publish('eager', 'x'),
      pingreq(),
      disconnect(),
    );
    assert.equal(
      (await peer.end()).map(({ type }) => type),
      [2, 9, 3, 13],
    );
  });

  test(`[MQTT-3.1.4-6] nothing behind a CONNECT that is refused is processed, ${way.name}`, async () => {
    const watcher = await bench.connect();
    await watcher.send(subscribe(1, [['refused', 0]]));
    await watcher.expect(9);
    const properties = section([0x15], field('no such method'));
    assert.is(await bench.refusal(join(connect({ properties }), publish('refused', 'x'), pingreq()), way), 0x8c);
    assert.is(await bench.refusal(join(connect({ flags: 3 }), publish('refused', 'x')), way), 0x81);
    assert.equal(await watcher.flush(), []);
  });
}

test('[MQTT-3.1.4-3] a client that is connected already is taken over: DISCONNECT 0x8E and closed', async () => {
  for (const way of WAYS) {
    const first = await bench.connect({ clientId: 'twin' }, way);
    const second = await bench.connect({ clientId: 'twin' }, way);
    assert.equal(
      (await first.end()).map(({ type, reasons }) => [type, reasons[0]]),
      [[14, 0x8e]],
    );
    assert.equal(await second.flush(), []);
    await second.send(disconnect());
    await second.end();
  }
});

test('[MQTT-3.1.4-3] many at once with one identifier: one is left', async () => {
  const peers = await Promise.all(Array.from({ length: 10 }, () => bench.open()));
  await Promise.all(peers.map((peer) => peer.send(connect({ clientId: 'crowd' }))));
  const last = await bench.connect({ clientId: 'crowd' });
  for (const peer of peers) {
    const packets = await peer.end();
    assert.ok(packets.length <= 2, JSON.stringify(packets));
  }
  assert.equal(await last.flush(), []);
});

test('[MQTT-3.1.2-22] [MQTT-3.2.2-22] nothing heard for 1.5 times the keep alive: DISCONNECT 0x8D and closed; any packet counts', async () => {
  const [silent, alive] = [await bench.connect({ keepAlive: 1 }), await bench.connect({ keepAlive: 1 })];
  const from = performance.now();
  const noise = setInterval(() => void alive.send(publish('noise', '')), 500);
  const [last] = await silent.end();
  assert.equal([last?.type, last?.reasons[0]], [14, 0x8d]);
  const took = performance.now() - from;
  assert.ok(took > 1450 && took < 4000, `${took} ms`);
  await alive.flush();
  clearInterval(noise);
});

test('[MQTT-3.1.2-29] Request Problem Information 0: reasons in CONNACK and DISCONNECT at most', async () => {
  const quiet = section([0x17, 0]);
  const requests: readonly (readonly [Buffer, number])[] = [
    [publish('$SYS/x', '', { qos: 1 }), 4],
    [publish('$SYS/x', '', { qos: 2 }), 5],
    [answer(6, 77), 7],
    [subscribe(1, [['bad/#/filter', 0]]), 9],
    [unsubscribe(1, ['never']), 11],
  ];
  for (const [request, type] of requests) {
    const peer = await bench.connect({ properties: quiet });
    await peer.send(request);
    const told = await peer.expect(type);
    assert.equal([propertyOf(told, 0x1f), propertyOf(told, 0x26)], [undefined, undefined]);
  }
});

test('[MQTT-3.1.2-28] Response Information comes only where it is asked for', async () => {
  assert.is(propertyOf((await bench.connect()).connack, 0x1a), undefined);
  assert.is(propertyOf((await bench.connect({ properties: section([0x19, 0]) })).connack, 0x1a), undefined);
  assert.ok(propertyOf((await bench.connect({ properties: section([0x19, 1]) })).connack, 0x1a));
});

test('[MQTT-3.1.2-24] [MQTT-3.1.2-25] what is larger than the client takes is not sent, and counted; what follows is', async () => {
  const { counters } = bench.server.broker;
  const before = counters.droppedTooLarge;
  const peer = await bench.connect({ properties: section([0x27], u32(100)) });
  await peer.send(subscribe(1, [['size', 1]]));
  await peer.expect(9);
  const publisher = await bench.connect();
  for (const qos of [0, 1] as const) {
    // 2 of fixed header, 6 of topic, 1 of properties, and the identifier.
    const most = 100 - 9 - 2 * qos;
    await publisher.send(
      publish('size', 'x'.repeat(most + 1), { qos }),
      publish('size', 'y'.repeat(most), { qos, id: 2 }),
    );
    const message = await peer.expect(3);
    assert.equal([message.payload.toString(), message.bytes], ['y'.repeat(most), 100]);
    if (qos === 1) await peer.send(answer(4, message.id));
  }
  assert.is(counters.droppedTooLarge, before + 2);
  assert.equal(await peer.flush(), []);
});

test('[MQTT-3.1.2-27] no aliases to a client that allows none', async () => {
  for (const properties of [NONE, section([0x22], u16(0))]) {
    const peer = await bench.connect({ properties });
    await peer.send(subscribe(1, [['no/alias', 0]]));
    await peer.expect(9);
    for (let i = 0; i < 20; i++) await peer.send(publish('no/alias', 'x'));
    for (const message of (await peer.flush()).filter(({ type }) => type === 3))
      assert.equal([message.topic, propertyOf(message, 0x23)], ['no/alias', undefined]);
  }
});

test('[MQTT-3.1.4-1] CONNECT is checked before anything is done: a refused one leaves a session as it was', async () => {
  const properties = section([0x11], u32(60));
  const first = await bench.connect({ clientId: 'kept', properties });
  assert.is(await bench.refusal(connect({ clientId: 'kept', flags: CLEAN | 0x38, properties })), 0x81);
  assert.is(await bench.refusal(connect({ clientId: 'kept', flags: CLEAN | WILL_FLAG, rest: will('#', '') })), 0x90);
  assert.equal(await first.flush(), [], 'not taken over');
  await first.send(disconnect());
  await first.end();
  assert.is(await bench.refusal(connect({ clientId: 'kept', flags: 3 })), 0x81);
  assert.ok((await bench.connect({ clientId: 'kept', flags: 0, properties })).connack.sessionPresent);
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
