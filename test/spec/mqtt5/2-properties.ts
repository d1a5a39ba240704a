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
  publish,
  section,
  subscribe,
  u16,
  u32,
  unsubscribe,
  vbi,
  WILL_FLAG,
  will,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { TCP, TCP_SPLIT, type Way, WEBSOCKET } from './support/peer.ts';

/** MQTT 5.0, 2.2.2.2: every property in every packet that clients send (AUTH is in 3-15), right and wrong. */

const test = suite('mqtt5/2 properties');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

/** A valid value of each property (table 2-4). */
const VALUES: ReadonlyMap<number, Bytes> = new Map<number, Bytes>([
  [0x01, [1]],
  [0x02, u32(60)],
  [0x03, field('text/plain')],
  [0x08, field('answers')],
  [0x09, field('data')],
  [0x0b, vbi(7)],
  [0x11, u32(0)],
  [0x12, field('assigned')],
  [0x13, u16(60)],
  [0x15, field('METHOD')],
  [0x16, field('data')],
  [0x17, [1]],
  [0x18, u32(0)],
  [0x19, [0]],
  [0x1a, field('information')],
  [0x1c, field('server')],
  [0x1f, field('reason')],
  [0x21, u16(10)],
  [0x22, u16(10)],
  [0x23, u16(1)],
  [0x24, [1]],
  [0x25, [1]],
  [0x26, join(field('n'), field('v'))],
  [0x27, u32(1000)],
  [0x28, [1]],
  [0x29, [1]],
  [0x2a, [1]],
]);
/** Identifiers that no property has. */
const UNKNOWN = [0, 4, 5, 6, 7, 0x0a, 0x0c, 0x10, 0x14, 0x1b, 0x1d, 0x1e, 0x20, 0x2b, 0x7f, 0x80, 0x4000, 0xfffffff];

interface Kind {
  readonly name: string;
  /** Properties it may have. */
  readonly allowed: readonly number[];
  /** Answered in CONNACK. */
  readonly first?: boolean;
  build(...properties: readonly Bytes[]): Buffer;
}

const MESSAGE = [0x01, 0x02, 0x03, 0x08, 0x09, 0x26];
const KINDS: readonly Kind[] = [
  {
    name: 'CONNECT',
    // Authentication Method and Data are in 3-01 and 3-15.
    allowed: [0x11, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27],
    first: true,
    build: (...properties) => connect({ properties: section(...properties) }),
  },
  {
    name: 'the will',
    allowed: [...MESSAGE, 0x18],
    first: true,
    build: (...properties) => connect({ flags: 2 | WILL_FLAG, rest: will('a', 'x', section(...properties)) }),
  },
  {
    name: 'PUBLISH',
    allowed: [...MESSAGE, 0x23],
    build: (...properties) => publish('a', 'x', { properties: section(...properties) }),
  },
  ...([4, 5, 6, 7] as const).map((type) => ({
    name: ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'][type - 4] ?? '',
    allowed: [0x1f, 0x26],
    build: (...properties: readonly Bytes[]) => answer(type, 9, [0], section(...properties)),
  })),
  {
    name: 'SUBSCRIBE',
    allowed: [0x0b, 0x26],
    build: (...properties) => subscribe(1, [['a', 0]], section(...properties)),
  },
  { name: 'UNSUBSCRIBE', allowed: [0x26], build: (...properties) => unsubscribe(1, ['a'], section(...properties)) },
  {
    name: 'DISCONNECT',
    allowed: [0x11, 0x1f, 0x26],
    build: (...properties) => disconnect([0], section(...properties)),
  },
];

/** What becomes of a packet: the reason it is refused with, or 0. */
async function outcome({ first, name }: Kind, bytes: Buffer, way: Way = TCP): Promise<number> {
  const peer = first ? await bench.open(way) : await bench.connect({}, way);
  await peer.send(bytes);
  if (!first && name !== 'DISCONNECT') await peer.send(hex('c000'));
  for (;;) {
    if (!first && name === 'DISCONNECT') return (await peer.end())[0]?.reasons[0] ?? 0;
    const packet = await peer.next();
    if (packet.type !== 2 && packet.type !== 13 && packet.type !== 14) continue;
    const [reason = 0] = packet.reasons;
    if (reason === 0) peer.destroy();
    else assert.equal(await peer.end(), []);
    return reason;
  }
}

const one = (id: number): Buffer => join(vbi(id), VALUES.get(id) ?? [0]);
const hexOf = (id: number): string => `0x${id.toString(16)}`;

for (const kind of KINDS) {
  test(`2.2.2.2 ${kind.name} takes ${kind.allowed.map(hexOf).join(', ')}`, async () => {
    for (const way of [TCP, TCP_SPLIT, WEBSOCKET]) {
      for (const id of kind.allowed) assert.is(await outcome(kind, kind.build(one(id)), way), 0, hexOf(id));
      assert.is(await outcome(kind, kind.build(...kind.allowed.map(one)), way), 0, 'all');
      assert.is(await outcome(kind, kind.build(...[...kind.allowed].reverse().map(one)), way), 0, 'in any order');
    }
  });

  test(`2.2.2.2 ${kind.name}: a property of other packets, or of none, is malformed`, async () => {
    for (const id of [...VALUES.keys(), ...UNKNOWN]) {
      if (kind.allowed.includes(id) || (kind.name === 'CONNECT' && (id === 0x15 || id === 0x16))) continue;
      // These two may stand in the packet, but not in the client's [MQTT-3.3.4-6] (3.14.2.2.5).
      const expected =
        (kind.name === 'PUBLISH' && id === 0x0b) || (kind.name === 'DISCONNECT' && id === 0x1c) ? 0x82 : 0x81;
      assert.is(await outcome(kind, kind.build(one(id))), expected, hexOf(id));
      const [fine = 0x26] = kind.allowed;
      assert.is(await outcome(kind, kind.build(one(fine), one(id))), expected, `${hexOf(id)} behind another`);
    }
  });

  test(`${kind.name}: a property twice is a protocol error, but User Property is not`, async () => {
    for (const id of kind.allowed) {
      const expected = id === 0x26 ? 0 : 0x82;
      assert.is(await outcome(kind, kind.build(one(id), one(id))), expected, hexOf(id));
      assert.is(await outcome(kind, kind.build(one(id), one(0x26), one(id))), expected, `${hexOf(id)}, apart`);
    }
  });

  test(`${kind.name}: a property without its value, or with part of it, is malformed`, async () => {
    for (const id of kind.allowed) {
      const bytes = one(id);
      for (let length = 1; length < bytes.length; length++)
        assert.is(await outcome(kind, kind.build(bytes.subarray(0, length))), 0x81, `${hexOf(id)} ${length}`);
    }
  });
}

const kindOf = (name: string): Kind => {
  const kind = KINDS.find((each) => each.name === name);
  if (kind === undefined) throw new Error(name);
  return kind;
};

/** Values that are well formed and not allowed. */
for (const [clause, name, id, values] of [
  ['3.1.2.11.3 Receive Maximum', 'CONNECT', 0x21, [u16(0)]],
  ['3.1.2.11.4 Maximum Packet Size', 'CONNECT', 0x27, [u32(0)]],
  ['3.1.2.11.6 Request Response Information', 'CONNECT', 0x19, [[2], [0xff]]],
  ['3.1.2.11.7 Request Problem Information', 'CONNECT', 0x17, [[2], [0xff]]],
  ['3.1.3.2.3 Payload Format Indicator', 'the will', 0x01, [[2], [0xff]]],
  ['3.1.3.2.6 Response Topic', 'the will', 0x08, [field('a/+'), field('#'), field('')]],
  ['3.3.2.3.2 Payload Format Indicator', 'PUBLISH', 0x01, [[2], [0xff]]],
  ['[MQTT-3.3.2-14] Response Topic', 'PUBLISH', 0x08, [field('a/+'), field('#'), field('a#'), field('')]],
  ['3.8.2.1.2 Subscription Identifier', 'SUBSCRIBE', 0x0b, [vbi(0)]],
] as const) {
  test(`${clause} of ${name}: ${values.length === 1 ? 'a value' : 'values'} out of range: protocol error`, async () => {
    for (const value of values) {
      for (const way of [TCP, TCP_SPLIT]) {
        const bytes = kindOf(name).build(join([id], value));
        assert.is(await outcome(kindOf(name), bytes, way), 0x82, join(value).toString('hex'));
      }
    }
  });
}

/** The ends of each range. */
for (const [clause, name, id, values] of [
  ['3.1.2.11.2 Session Expiry Interval', 'CONNECT', 0x11, [u32(0), u32(1), u32(0xffffffff)]],
  ['3.1.2.11.3 Receive Maximum', 'CONNECT', 0x21, [u16(1), u16(0xffff)]],
  ['3.1.2.11.4 Maximum Packet Size', 'CONNECT', 0x27, [u32(0xffffffff), u32(0xfffffff)]],
  ['3.1.2.11.5 Topic Alias Maximum', 'CONNECT', 0x22, [u16(0), u16(0xffff)]],
  ['3.1.3.2.2 Will Delay Interval', 'the will', 0x18, [u32(0), u32(0xffffffff)]],
  ['3.1.3.2.4 Message Expiry Interval', 'the will', 0x02, [u32(0), u32(0xffffffff)]],
  ['3.3.2.3.2 Payload Format Indicator', 'PUBLISH', 0x01, [[0], [1]]],
  ['3.3.2.3.3 Message Expiry Interval', 'PUBLISH', 0x02, [u32(0), u32(1), u32(0xffffffff)]],
  ['3.3.2.3.6 Correlation Data', 'PUBLISH', 0x09, [field(''), field(Buffer.alloc(65_535, 0xff))]],
  ['3.8.2.1.2 Subscription Identifier', 'SUBSCRIBE', 0x0b, [vbi(1), vbi(0xfffffff)]],
  ['3.14.2.2.2 Session Expiry Interval', 'DISCONNECT', 0x11, [u32(0)]],
] as const) {
  test(`${clause} of ${name}: the ends of its range are taken`, async () => {
    for (const value of values) {
      const bytes = kindOf(name).build(join([id], value));
      assert.is(await outcome(kindOf(name), bytes), 0, join(value).subarray(0, 8).toString('hex'));
    }
  });
}

test('more User Properties than the limit: 0x97, in number or in bytes', async () => {
  const many = Array.from({ length: 65 }, () => one(0x26));
  const large = [join([0x26], field('n'), field('v'.repeat(16_384)))];
  for (const properties of [many, large]) {
    assert.is(await outcome(kindOf('CONNECT'), kindOf('CONNECT').build(...properties)), 0x97);
    assert.is(await outcome(kindOf('PUBLISH'), kindOf('PUBLISH').build(...properties)), 0x97);
  }
  assert.is(await outcome(kindOf('PUBLISH'), kindOf('PUBLISH').build(...many.slice(1))), 0);
});

test('properties belong to MQTT 5: before, a packet with them is another packet', async () => {
  const before = { level: 4, clientId: 'old' };
  const peer = await bench.open();
  await peer.send(connect({ ...before, properties: section(one(0x11)) }));
  assert.equal(await peer.end(), [], 'CONNECT: bytes behind its content');
});

test.run();
