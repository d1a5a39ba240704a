import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answer,
  CLEAN,
  connect,
  disconnect,
  field,
  join,
  publish,
  section,
  subscribe,
  u16,
  u32,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { WAYS } from './support/peer.ts';
import { propertyOf } from './support/strict.ts';

/** MQTT 5.0, 3.2: CONNACK. What it announces of the server beside these is in test/spec/mqtt/capabilities. */

const test = suite('mqtt5/3.2 connack');
const bench = new Bench({ limits: { keepAliveSeconds: 100, inflightIn: 50, packetBytes: 5000, topicAliases: 7 } });
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

for (const way of WAYS) {
  test(`[MQTT-3.2.0-1] [MQTT-3.2.0-2] CONNACK comes first and once, also before what waits in a session, ${way.name}`, async () => {
    // The peer refuses anything before it, and a second one.
    const kept = { clientId: 'waits', flags: 0, properties: section([0x11], u32(60)) };
    const first = await bench.connect(kept);
    await first.send(subscribe(1, [['waits', 2]]));
    await first.expect(9);
    await first.send(disconnect());
    await first.end();
    const publisher = await bench.connect();
    for (const qos of [1, 2] as const) {
      await publisher.send(publish('waits', 'x', { qos }));
      await publisher.next();
    }
    const second = await bench.connect(kept, way);
    assert.ok(second.connack.sessionPresent);
    assert.equal([(await second.next()).type, (await second.next()).type], [3, 3]);
    await bench.connect({ ...kept, flags: CLEAN });
  });

  test(`[MQTT-3.2.2-7] [MQTT-3.2.2-8] a refusal has a reason of CONNACK's and closes the connection, ${way.name}`, async () => {
    for (const [bytes, reason] of [
      [connect({ flags: 3 }), 0x81],
      [connect({ properties: section([0x21], u16(0)) }), 0x82],
      [connect({ level: 6 }), 0x84],
      [connect({ clientId: 'x'.repeat(1025) }), 0x85],
      [connect({ properties: section([0x15], field('x')) }), 0x8c],
      [connect({ flags: 6, rest: [section(), field('#'), field('')] }), 0x90],
    ] as const)
      assert.is(await bench.refusal(bytes, way), reason);
  });
}

test('[MQTT-3.2.2-1] [MQTT-3.2.2-6] flags: Session Present alone, and not in a refusal', async () => {
  const { connack } = await bench.connect({ flags: 0, clientId: 'flags' });
  assert.equal([connack.flags, connack.sessionPresent], [0, false]);
});

test('3.2.2.3.3 3.2.2.3.6 3.2.2.3.8 the limits of the server are told', async () => {
  const { connack } = await bench.connect();
  assert.equal(
    [0x21, 0x27, 0x22].map((id) => propertyOf(connack, id)),
    [50, 5000, 7],
  );
});

test('3.2.2.3.3 Receive Maximum told is the one that is kept: 0x93 for one more', async () => {
  const peer = await bench.connect();
  for (let id = 1; id <= 50; id++) await peer.send(publish('window', '', { qos: 2, id }));
  for (let id = 1; id <= 50; id++) await peer.expect(5);
  await peer.send(publish('window', '', { qos: 2, id: 51 }));
  assert.is((await peer.expect(14)).reasons[0], 0x93);
});

test('[MQTT-3.2.2-15] 3.2.2.3.6 Maximum Packet Size told is the one that is kept: 0x95 for a byte more', async () => {
  const peer = await bench.connect();
  await peer.send(publish('size', Buffer.alloc(5000 - 3 - 7)));
  assert.equal(await peer.flush(), []);
  await peer.send(publish('size', Buffer.alloc(5000 - 3 - 6)));
  assert.is((await peer.expect(14)).reasons[0], 0x95);
});

test('[MQTT-3.2.2-17] [MQTT-3.3.2-9] Topic Alias Maximum told is the one that is kept: 0x94 for one more, and for 0', async () => {
  for (const alias of [1, 7]) {
    const peer = await bench.connect();
    await peer.send(publish('alias', 'x', { properties: section([0x23], u16(alias)) }));
    assert.equal(await peer.flush(), []);
  }
  for (const alias of [0, 8, 0xffff])
    assert.is(await bench.fault(publish('alias', 'x', { properties: section([0x23], u16(alias)) })), 0x94);
});

test('[MQTT-3.2.2-21] 3.2.2.3.14 Server Keep Alive is told where it is not the client’s', async () => {
  for (const [asked, told] of [
    [99, undefined],
    [100, undefined],
    [101, 100],
    [0xffff, 100],
    [0, 100],
  ] as const)
    assert.is(propertyOf((await bench.connect({ keepAlive: asked })).connack, 0x13), told, `${asked}`);
});

test('[MQTT-3.2.2-19] [MQTT-3.2.2-20] a refusal is no larger than the client takes', async () => {
  const reasons = [];
  for (const bytes of [20, 60, 2000]) {
    const peer = await bench.open();
    await peer.send(connect({ properties: section([0x27], u32(bytes), [0x15], field('x')) }));
    const [connack] = await peer.end();
    assert.ok(connack !== undefined && connack.bytes <= bytes, `${connack?.bytes} of ${bytes}`);
    reasons.push(propertyOf(connack, 0x1f) !== undefined);
  }
  assert.equal([reasons[0], reasons[2]], [false, true]);
});

test('[MQTT-3.1.2-24] no CONNACK is larger than the client takes: without Response Information, 0x95, or none', async () => {
  const outcomes = new Map<string, number>();
  for (let bytes = 1; bytes <= 100; bytes++) {
    const peer = await bench.open();
    await peer.send(connect({ clientId: 'small', properties: section([0x27], u32(bytes), [0x19, 1]) }), disconnect());
    const [connack, ...more] = await peer.end();
    assert.is(more.length, 0);
    assert.ok((connack?.bytes ?? 0) <= bytes, `${connack?.bytes} of ${bytes}`);
    const what =
      connack === undefined ? 'none' : `${connack.reasons[0]} ${propertyOf(connack, 0x1a) === undefined ? '-' : '+'}`;
    outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  }
  assert.is(outcomes.get('none'), 4);
  assert.equal([...outcomes.keys()], ['none', '149 -', '0 -', '0 +']);
});

test('3.2.2.3.12 user properties and 3.2.2.3.9 reason strings: none of them in a CONNACK that accepts', async () => {
  const { connack } = await bench.connect();
  assert.equal(
    [0x1f, 0x26, 0x1c].map((id) => propertyOf(connack, id)),
    [undefined, undefined, undefined],
  );
});

test('[MQTT-3.2.2-3] session present is true of what the server has: subscriptions and what is in flight', async () => {
  const properties = section([0x11], u32(60));
  const first = await bench.connect({ clientId: 'flight', properties });
  await first.send(subscribe(1, [['flight', 1]]));
  await first.expect(9);
  await first.send(publish('flight', 'x', { qos: 1 }));
  const sent = [await first.next(), await first.next()].find(({ type }) => type === 3);
  first.destroy();
  const second = await bench.connect({ clientId: 'flight', flags: 0, properties });
  assert.ok(second.connack.sessionPresent);
  const again = await second.expect(3);
  assert.equal([again.id, again.flags & 8], [sent?.id, 8]);
  await second.send(answer(4, again.id));
  assert.equal(await second.flush(), []);
});

test('nothing of a connection is left when its CONNECT is refused', async () => {
  await bench.refusal(join(connect({ clientId: 'refused', properties: section([0x15], field('x')) })));
  assert.not((await bench.connect({ clientId: 'refused', flags: 0 })).connack.sessionPresent);
});

test.run();
