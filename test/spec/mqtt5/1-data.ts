import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answer,
  type Bytes,
  connect,
  disconnect,
  field,
  hex,
  join,
  NONE,
  packet,
  publish,
  section,
  subscribe,
  u16,
  unsubscribe,
  WILL_FLAG,
  will,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { TCP, TCP_SPLIT, WAYS } from './support/peer.ts';
import { propertyOf } from './support/strict.ts';

/** MQTT 5.0, 1.5: data representation. */

const test = suite('mqtt5/1 data');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

/** Every string field of what clients send, around its content. */
const STRINGS: readonly (readonly [name: string, (content: Bytes) => Buffer])[] = [
  ['Topic Name', (content) => publish(content, 'x')],
  ['Content Type', (content) => publish('a', 'x', { properties: section([0x03], field(content)) })],
  ['Response Topic', (content) => publish('a', 'x', { properties: section([0x08], field(content)) })],
  ['User Property name', (content) => publish('a', 'x', { properties: section([0x26], field(content), field('v')) })],
  ['User Property value', (content) => publish('a', 'x', { properties: section([0x26], field('n'), field(content)) })],
  ['User Property of SUBSCRIBE', (content) => subscribe(1, [['a', 0]], section([0x26], field(content), field('v')))],
  ['Topic Filter of SUBSCRIBE [MQTT-3.8.3-1]', (content) => subscribe(1, [[content, 0]])],
  [
    'second Topic Filter of SUBSCRIBE',
    (content) =>
      subscribe(1, [
        ['a', 0],
        [content, 0],
      ]),
  ],
  ['Topic Filter of UNSUBSCRIBE [MQTT-3.10.3-1]', (content) => unsubscribe(1, [content])],
  ['Reason String of PUBACK', (content) => answer(4, 1, [0x80], section([0x1f], field(content)))],
  ['Reason String of PUBREC', (content) => answer(5, 1, [0x80], section([0x1f], field(content)))],
  ['Reason String of PUBREL', (content) => answer(6, 1, [0x92], section([0x1f], field(content)))],
  ['Reason String of PUBCOMP', (content) => answer(7, 1, [0x92], section([0x1f], field(content)))],
  ['Reason String of DISCONNECT', (content) => disconnect([0x80], section([0x1f], field(content)))],
];

/** The same of CONNECT, where CONNACK tells. */
const CONNECT_STRINGS: readonly (readonly [name: string, (content: Bytes) => Buffer])[] = [
  ['Client Identifier', (content) => connect({ clientId: content })],
  ['User Name', (content) => connect({ flags: 0x82, rest: [field(content)] })],
  ['Will Topic', (content) => connect({ flags: 2 | WILL_FLAG, rest: will(content, 'x') })],
  ['Authentication Method', (content) => connect({ properties: section([0x15], field(content)) })],
  ['User Property', (content) => connect({ properties: section([0x26], field('n'), field(content)) })],
  ...[
    ['Content Type', 0x03],
    ['Response Topic', 0x08],
  ].map(([name, id]): readonly [string, (content: Bytes) => Buffer] => [
    `${name} of the will`,
    (content) => connect({ flags: 2 | WILL_FLAG, rest: will('a', 'x', section([Number(id)], field(content))) }),
  ]),
];

const ILL_FORMED: readonly (readonly [what: string, bytes: string])[] = [
  ['the surrogate U+D800', '61 eda080'],
  ['the surrogate U+DFFF', 'edbfbf 61'],
  ['a pair of surrogates (CESU-8)', 'eda0bdedb880'],
  ['U+0000 in two bytes', 'c080'],
  ['an overlong two byte form', 'c1bf'],
  ['an overlong three byte form', 'e09fbf'],
  ['an overlong four byte form', 'f08fbfbf'],
  ['a code point above U+10FFFF', 'f4908080'],
  ['a continuation byte by itself', '80'],
  ['a sequence that ends early', '61 e282'],
  ['a sequence that is broken off', 'e28261'],
  ['the byte FF', '61 ff'],
  ['Latin-1', 'e9 74 e9'],
];

for (const [name, build] of STRINGS) {
  test(`[MQTT-1.5.4-1] ${name}: ill-formed UTF-8 is a malformed packet`, async () => {
    for (const [what, bytes] of ILL_FORMED) assert.is(await bench.fault(build(hex(bytes))), 0x81, what);
  });
  test(`[MQTT-1.5.4-2] ${name}: U+0000 makes it malformed`, async () => {
    for (const bytes of ['00', '6100', '0061', '610062']) assert.is(await bench.fault(build(hex(bytes))), 0x81, bytes);
  });
}

for (const [name, build] of CONNECT_STRINGS) {
  test(`[MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-3.1.3-4] [MQTT-3.1.3-11] [MQTT-3.1.3-12] CONNECT, ${name}: ill-formed UTF-8 and U+0000 are refused with 0x81`, async () => {
    for (const [what, bytes] of [...ILL_FORMED, ['U+0000', '610062'] as const])
      assert.is(await bench.refusal(build(hex(bytes))), 0x81, what);
  });
}

test('[MQTT-1.5.4-1] well-formed text of one to four bytes a character goes through as it is', async () => {
  const peer = await bench.connect();
  const name = 'a\u007f\u0080\u07ff\u0800\ud7ff\ue000\ufffd\u{10000}\u{2a6d4}\u{10ffff}';
  await peer.send(subscribe(1, [[name, 0]]));
  await peer.expect(9);
  const user = section([0x26], field(name), field(name), [0x03], field(name), [0x08], field(name));
  await peer.send(publish(name, 'x', { properties: user }));
  const message = await peer.expect(3);
  assert.is(message.topic, name);
  assert.equal(propertyOf(message, 0x26), { name, value: name });
  assert.equal([propertyOf(message, 0x03), propertyOf(message, 0x08)], [name, name]);
});

test('[MQTT-1.5.4-3] U+FEFF is a character like any other: not skipped, not stripped', async () => {
  const peer = await bench.connect();
  const mark = '\ufeff';
  await peer.send(
    subscribe(1, [
      [`${mark}a`, 0],
      ['a', 0],
      [`b${mark}`, 0],
    ]),
  );
  await peer.expect(9);
  const properties = section([0x26], field(`${mark}n`), field(mark), [0x03], field(`${mark}t`));
  await peer.send(publish(`${mark}a`, `${mark}x`, { properties }), publish(`b${mark}`, ''));
  const [first, second, ...more] = await peer.flush();
  assert.equal([first?.topic, second?.topic, more.length], [`${mark}a`, `b${mark}`, 0]);
  assert.equal(first?.payload, Buffer.from(`${mark}x`));
  assert.equal(first && propertyOf(first, 0x26), { name: `${mark}n`, value: mark });
  assert.is(first && propertyOf(first, 0x03), `${mark}t`);
});

test('1.5.4 a string has up to 65,535 bytes; an empty one is one', async () => {
  const peer = await bench.connect();
  await peer.send(subscribe(1, [['long', 0]]));
  await peer.expect(9);
  for (const text of ['x'.repeat(65_535), '']) {
    await peer.send(publish('long', '', { properties: section([0x03], field(text)) }));
    assert.is(propertyOf(await peer.expect(3), 0x03), text);
  }
});

test('1.5.4 1.5.6 a length that reaches beyond the packet or its properties is malformed', async () => {
  for (const bytes of [
    packet(0x30, u16(9), hex('61 00')),
    packet(0x30, field('a'), section([0x03], u16(2), hex('61')), hex('6161')),
    packet(0x30, field('a'), section([0x09], u16(2), hex('61')), hex('6161')),
    packet(0x30, field('a'), section([0x26], field('n'), u16(2), hex('61')), hex('6161')),
    packet(0x82, u16(1), NONE, u16(3), hex('6161 00')),
    packet(0xa2, u16(1), NONE, u16(3), hex('6161')),
  ])
    assert.is(await bench.fault(bytes), 0x81, bytes.toString('hex'));
  assert.is(await bench.refusal(packet(0x10, field('MQTT'), [5, 2], u16(60), NONE, u16(3), hex('6161'))), 0x81);
});

test('1.5.6 Binary Data has any bytes, and up to 65,535 of them', async () => {
  const peer = await bench.connect();
  await peer.send(subscribe(1, [['data', 0]]));
  await peer.expect(9);
  for (const data of [hex('00ff80c080eda080'), Buffer.alloc(65_535, 0xfe), Buffer.alloc(0)]) {
    await peer.send(publish('data', '', { properties: section([0x09], field(data)) }));
    assert.equal(propertyOf(await peer.expect(3), 0x09), data);
  }
});

test('[MQTT-1.5.5-1] a Variable Byte Integer that is longer than it must be is malformed', async () => {
  for (const way of [TCP, TCP_SPLIT]) {
    for (const [what, bytes] of [
      ['Remaining Length 0 of PINGREQ in two bytes', 'c0 80 00'],
      ['Remaining Length 4 in two bytes', '30 84 00 0001 61 00'],
      ['Remaining Length 4 in three bytes', '30 84 80 00 0001 61 00'],
      ['Remaining Length 4 in four bytes', '30 84 80 80 00 0001 61 00'],
      ['Property Length 0 in two bytes', '30 05 0001 61 80 00'],
      ['Property Length 2 in three bytes', '30 08 0001 61 82 80 00 01 00'],
      ['property identifier 1 in two bytes', '30 07 0001 61 03 81 00 00'],
      ['Subscription Identifier 1 in two bytes', '82 0a 0001 03 0b 81 00 0001 61 00'],
      ['Property Length 0 of SUBSCRIBE in four bytes', '82 0a 0001 80 80 80 00 0001 61 00'],
    ] as const)
      assert.is(await bench.fault(hex(bytes), way), 0x81, `${what}, ${way.name}`);
  }
  assert.is(
    await bench.refusal(hex('10 8d 00 00044d515454 05 02 003c 00 0000')),
    0,
    'of CONNECT: no version known yet',
  );
  assert.is(await bench.refusal(hex('10 0e 00044d515454 05 02 003c 80 00 0000')), 0x81, 'Property Length of CONNECT');
});

test('1.5.5 a Variable Byte Integer of more than four bytes is malformed', async () => {
  for (const way of [TCP, TCP_SPLIT]) {
    for (const bytes of [
      '30 80 80 80 80 01',
      '30 ff ff ff ff 7f',
      '30 80 80 80 80 00',
      '30 09 0001 61 80 80 80 80 01 00',
      '82 0e 0001 06 0b 80 80 80 80 01 0001 61 00',
    ])
      assert.is(await bench.fault(hex(bytes), way), 0x81, `${bytes}, ${way.name}`);
    assert.is(await bench.refusal(hex('10 80 80 80 80 01'), way), 0);
  }
});

test('1.5.5 lengths on both sides of each step of the encoding', async () => {
  for (const way of WAYS.filter(({ split }) => !split)) {
    const peer = await bench.connect({}, way);
    await peer.send(subscribe(1, [['n', 0]]));
    await peer.expect(9);
    for (const length of [127, 128, 16_383, 16_384]) {
      // Topic and Property Length are four bytes of it.
      const payload = Buffer.alloc(length - 4, length & 0xff);
      await peer.send(publish('n', payload));
      const message = await peer.expect(3);
      assert.is(message.payload.length, payload.length, way.name);
      assert.ok(message.payload.equals(payload));
    }
    const long = 'v'.repeat(16_384 - 4);
    for (const size of [119, 120, 121, 16_000]) {
      const value = long.slice(0, size);
      await peer.send(publish('n', 'x', { properties: section([0x03], field(value)) }));
      assert.is(propertyOf(await peer.expect(3), 0x03), value);
    }
    peer.destroy();
  }
});

test('1.5.5 Subscription Identifiers of one to four bytes come back as they are', async () => {
  const peer = await bench.connect();
  for (const [i, identifier] of ['01', '7f', '8001', 'ff7f', '808001', 'ffff7f', '80808001', 'ffffff7f'].entries()) {
    await peer.send(subscribe(1, [[`id/${i}`, 0]], section([0x0b], hex(identifier))));
    await peer.expect(9);
    await peer.send(publish(`id/${i}`, ''));
    const value = [...hex(identifier)].reduce((sum, byte, at) => sum + (byte & 0x7f) * 128 ** at, 0);
    assert.is(propertyOf(await peer.expect(3), 0x0b), value);
  }
});

test('[MQTT-1.5.7-1] a pair has both its strings; a name may come twice, with any values', async () => {
  const peer = await bench.connect();
  await peer.send(subscribe(1, [['pairs', 0]]));
  await peer.expect(9);
  const pairs = [
    ['a', '1'],
    ['b', ''],
    ['a', '1'],
    ['', 'no name'],
    ['a', '2'],
    ['', ''],
  ] as const;
  const properties = section(...pairs.map(([name, value]) => join([0x26], field(name), field(value))));
  await peer.send(publish('pairs', '', { properties }));
  const message = await peer.expect(3);
  assert.equal(
    message.properties,
    pairs.map(([name, value]) => [0x26, { name, value }]),
  );
  assert.is(await bench.fault(publish('pairs', '', { properties: section([0x26], field('only a name')) })), 0x81);
});

test.run();
