import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answer,
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
  will,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { TCP, TCP_SPLIT, WAYS, WEBSOCKET } from './support/peer.ts';

/** MQTT 5.0, 2: the fixed header, packet identifiers, and packets that are cut off or too long. */

const test = suite('mqtt5/2 packets');
const bench = new Bench({ limits: { packetBytes: 2000, loginPacketBytes: 1000 } });
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

/** A valid packet of each type that clients send once they are connected, PUBLISH and AUTH apart. */
const VALID: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['PUBACK', answer(4, 1)],
  ['PUBREC', answer(5, 1)],
  ['PUBREL', answer(6, 1)],
  ['PUBCOMP', answer(7, 1)],
  ['SUBSCRIBE', subscribe(1, [['a', 0]])],
  ['UNSUBSCRIBE', unsubscribe(1, ['a'])],
  ['PINGREQ', pingreq()],
  ['DISCONNECT', disconnect()],
];

for (const way of WAYS) {
  test(`[MQTT-2.1.3-1] reserved flags other than listed are malformed, ${way.name}`, async () => {
    for (const [name, bytes] of [...VALID, ['AUTH', packet(0xf0)] as const]) {
      for (let flags = 0; flags < 16; flags++) {
        const first = bytes[0] ?? 0;
        if ((first & 15) === flags) continue;
        assert.is(await bench.fault(join([(first & 0xf0) | flags], bytes.subarray(1)), way), 0x81, `${name} ${flags}`);
      }
    }
  });
}

test('[MQTT-2.1.3-1] CONNECT with reserved flags: the connection is closed', async () => {
  for (let flags = 1; flags < 16; flags++)
    assert.is(await bench.refusal(join([0x10 | flags], connect().subarray(1))), 0, `${flags}`);
});

for (const way of [TCP, TCP_SPLIT]) {
  test(`2.1.2 type 0 is malformed, types that only servers send are protocol errors, ${way.name}`, async () => {
    for (let flags = 0; flags < 16; flags++) assert.is(await bench.fault([flags, 0], way), 0x81, `type 0, ${flags}`);
    assert.is(await bench.fault(packet(0, u16(1), NONE), way), 0x81);
    for (const [name, bytes] of [
      ['CONNACK', packet(0x20, [0, 0], NONE)],
      ['CONNACK of 3.1.1', packet(0x20, [0, 0])],
      ['SUBACK', packet(0x90, u16(1), NONE, [0])],
      ['UNSUBACK', packet(0xb0, u16(1), NONE, [0])],
      ['PINGRESP', packet(0xd0)],
      ['CONNACK without content', packet(0x20)],
      ['SUBACK without content', packet(0x90)],
    ] as const)
      assert.is(await bench.fault(bytes, way), 0x82, name);
  });
}

test('2.1.4 a packet above limits.packetBytes is refused at its header, before limits.loginPacketBytes with nothing', async () => {
  const topic = join(u16(1), [0x61], NONE);
  for (const way of [TCP, TCP_SPLIT]) {
    assert.is((await bench.taken(publish('a', Buffer.alloc(2000 - 3 - 4)), TCP)).length, 0, 'exactly as large');
    assert.is(await bench.fault(join([0x30, 0xce, 0x0f], topic), way), 0x95, 'a byte more');
    assert.is(await bench.fault(hex('30 ff ff ff 7f'), way), 0x95, 'the largest there is');
    assert.is(await bench.refusal(hex('10 ff ff ff 7f'), way), 0, 'before CONNECT');
  }
});

test('3.2.2.2 a CONNECT that is too large: 0x95, where its version is there', async () => {
  const large = (level: number): Buffer => connect({ level, flags: 0x82, rest: [field('x'.repeat(1000))] });
  for (const way of [TCP, WEBSOCKET]) {
    assert.is(await bench.refusal(large(5), way), 0x95);
    assert.is(await bench.refusal(large(5).subarray(0, 12), way), 0x95, 'nobody waits for the rest');
    assert.is(await bench.refusal(large(4), way), 0, 'MQTT 3.1.1 has no code for it');
  }
});

test('[MQTT-2.2.1-3] packet identifier 0 is a protocol error, where there is one', async () => {
  for (const [name, bytes] of [
    ['PUBLISH at QoS 1', publish('a', '', { qos: 1, id: 0 })],
    ['PUBLISH at QoS 2', publish('a', '', { qos: 2, id: 0 })],
    ['PUBACK', answer(4, 0)],
    ['PUBREC', answer(5, 0)],
    ['PUBREL', answer(6, 0)],
    ['PUBCOMP', answer(7, 0)],
    ['SUBSCRIBE', subscribe(0, [['a', 0]])],
    ['UNSUBSCRIBE', unsubscribe(0, ['a'])],
  ] as const)
    assert.is(await bench.fault(bytes), 0x82, name);
});

test('[MQTT-2.2.1-2] PUBLISH at QoS 0 has no packet identifier, either way', async () => {
  const peer = await bench.connect();
  await peer.send(subscribe(1, [['no-id', 2]]));
  await peer.expect(9);
  await peer.send(packet(0x30, field('no-id'), NONE, hex('0001 00')));
  assert.equal((await peer.expect(3)).payload, hex('000100'), 'what looks like one is payload');
});

test('[MQTT-2.2.1-4] identifiers of the server are not 0 and not in use', async () => {
  const peer = await bench.connect();
  await peer.send(subscribe(1, [['ids', 2]]));
  await peer.expect(9);
  const publisher = await bench.connect();
  for (let i = 1; i <= 100; i++) await publisher.send(publish('ids', `${i}`, { qos: i % 2 === 0 ? 1 : 2, id: i }));
  const ids = new Set<number>();
  for (let i = 1; i <= 100; i++) ids.add((await peer.expect(3)).id);
  assert.is(ids.size, 100);
  assert.not(ids.has(0));
});

test('[MQTT-2.2.1-5] [MQTT-2.2.1-6] answers have the identifier of what they answer', async () => {
  const peer = await bench.connect();
  for (const id of [1, 0x1234, 0xffff]) {
    await peer.send(publish('a', '', { qos: 1, id }));
    assert.is((await peer.expect(4)).id, id);
    await peer.send(publish('a', '', { qos: 2, id }));
    assert.is((await peer.expect(5)).id, id);
    await peer.send(answer(6, id));
    assert.is((await peer.expect(7)).id, id);
    await peer.send(subscribe(id, [['b', 0]]));
    assert.is((await peer.expect(9)).id, id);
    await peer.send(unsubscribe(id, ['b']));
    assert.is((await peer.expect(11)).id, id);
  }
});

test('[MQTT-2.2.2-1] a packet without the Property Length it must have is malformed', async () => {
  for (const [name, bytes] of [
    ['PUBLISH', packet(0x30, field('a'))],
    ['PUBLISH at QoS 1', packet(0x32, field('a'), u16(1))],
    ['SUBSCRIBE', packet(0x82, u16(1))],
    ['UNSUBSCRIBE', packet(0xa2, u16(1))],
  ] as const)
    assert.is(await bench.fault(bytes), 0x81, name);
});

test('2.2.2.1 a Property Length beyond the packet, or one that cuts a property, is malformed', async () => {
  for (const [name, head] of [
    ['PUBLISH', packet(0x30, field('a'))],
    ['PUBACK', answer(4, 1, [0])],
    ['PUBREC', answer(5, 1, [0])],
    ['PUBREL', answer(6, 1, [0])],
    ['PUBCOMP', answer(7, 1, [0])],
    ['SUBSCRIBE', packet(0x82, u16(1))],
    ['UNSUBSCRIBE', packet(0xa2, u16(1))],
    ['DISCONNECT', disconnect([0])],
  ] as const) {
    const longer = (...more: readonly number[]): Buffer => packet(head[0] ?? 0, head.subarray(2), more);
    const user = join([0x26], field('n'), field('v'));
    for (const bytes of [
      longer(1),
      longer(user.length + 1, ...user),
      longer(user.length - 1, ...user),
      longer(1, ...user),
      longer(0x80),
      longer(0xff, 0xff, 0xff, 0x7f),
    ])
      assert.is(await bench.fault(bytes), 0x81, `${name} ${bytes.toString('hex')}`);
  }
});

/** Everything cut off that can be: the packet says how long it is, and is that long. */
function cuts(bytes: Buffer): Buffer[] {
  return Array.from({ length: bytes.length - 2 }, (_, length) => packet(bytes[0] ?? 0, bytes.subarray(2, 2 + length)));
}

test('2.1.4 a packet that ends before its content does is malformed, wherever that is', async () => {
  const user = join([0x26], field('n'), field('v'));
  const message = section([0x01, 1], [0x02], u32(9), [0x03], field('t'), [0x08], field('r'), [0x09], field('c'), user);
  for (const [name, bytes, whole] of [
    ['PUBLISH', publish('ab', '', { qos: 1, properties: message }), []],
    [
      'SUBSCRIBE',
      subscribe(
        1,
        [
          ['ab', 0],
          ['c', 1],
        ],
        section([0x0b, 5], user),
      ),
      [subscribe(1, [['ab', 0]], section([0x0b, 5], user))],
    ],
    ['UNSUBSCRIBE', unsubscribe(1, ['ab', 'c'], section(user)), [unsubscribe(1, ['ab'], section(user))]],
    ['PUBREL', answer(6, 1, [0], section([0x1f], field('r'), user)), [answer(6, 1), answer(6, 1, [0])]],
    ['DISCONNECT', disconnect([0], section([0x1f], field('r'), user)), [disconnect(), disconnect([0])]],
  ] as const) {
    for (const cut of cuts(bytes)) {
      if (whole.some((each) => each.equals(cut))) continue;
      // Without any filter: 3.8.3, 3.10.3.
      const expected = noFilter(cut) ? 0x82 : 0x81;
      assert.is(await bench.fault(cut), expected, `${name} ${cut.toString('hex')}`);
    }
  }
});

function noFilter(bytes: Buffer): boolean {
  const type = (bytes[0] ?? 0) >> 4;
  return (type === 8 || type === 10) && bytes.length > 4 && bytes.length === 5 + (bytes[4] ?? 0);
}

test('2.1.4 [MQTT-3.1.4-1] CONNECT that ends before its content does is refused', async () => {
  const user = join([0x26], field('n'), field('v'));
  const full = connect({
    flags: 0xee | WILL_FLAG,
    properties: section([0x11], u32(5), user),
    clientId: 'cut',
    rest: [...will('w', 'x', section([0x18], u32(5))), field('user'), field('password')],
  });
  for (const cut of cuts(full)) {
    // Up to the level there is no version to answer in.
    const expected = cut.length < 9 ? 0 : 0x81;
    assert.is(await bench.refusal(cut), expected, cut.toString('hex'));
  }
});

test('2.1.4 bytes behind the content of a packet are malformed', async () => {
  for (const [name, bytes] of [
    ['PUBACK', answer(4, 1, [0], NONE, [0])],
    ['PUBREC', answer(5, 1, [0], NONE, [0])],
    ['PUBREL', answer(6, 1, [0], NONE, [0])],
    ['PUBCOMP', answer(7, 1, [0], NONE, [0])],
    ['DISCONNECT', disconnect([0], NONE, [0])],
    ['PINGREQ', packet(0xc0, [0])],
    ['SUBSCRIBE', join(packet(0x82, u16(1), NONE, field('a'), [0, 0]))],
    ['UNSUBSCRIBE', packet(0xa2, u16(1), NONE, field('a'), [0])],
  ] as const)
    assert.is(await bench.fault(bytes), 0x81, name);
  assert.is(await bench.refusal(connect({ rest: [[0]] })), 0x81, 'CONNECT');
});

test('the bytes of aedes issue 612, which ended its process, end one connection', async () => {
  const peer = await bench.open();
  await peer.send(hex('10 10 00044d5154540502003c0321001400006202d301e0020020'));
  const packets = await peer.end();
  assert.is(packets[packets.length - 1]?.reasons[0], 0x81);
});

test('a packet of which the rest never comes is not waited for by the next connection', async () => {
  for (const bytes of ['30', '30 80', '30 05 0001 61', '10']) {
    const peer = bytes === '10' ? await bench.open() : await bench.connect();
    await peer.send(hex(bytes));
    peer.destroy();
  }
  assert.equal(await (await bench.connect()).flush(), []);
});

test('several packets in one piece, and packets in several pieces, are the same packets', async () => {
  for (const way of WAYS) {
    const peer = await bench.connect({}, way);
    await peer.send(
      subscribe(1, [['x', 1]]),
      publish('x', 'one'),
      publish('x', 'two'),
      unsubscribe(2, ['x']),
      publish('x', 'three'),
    );
    const packets = await peer.flush();
    assert.equal(
      packets.map(({ type, payload }) => (type === 3 ? payload.toString() : type)),
      [9, 'one', 'two', 11],
      way.name,
    );
    peer.destroy();
  }
});

test.run();
