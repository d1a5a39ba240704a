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
  will,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { WAYS, WEBSOCKET } from './support/peer.ts';
import { propertyOf } from './support/strict.ts';

/** MQTT 5.0, 3.1: CONNECT, what it must be, and what follows from it. Its fields are in 3-01-fields, sessions and wills in 3-01-session and 3-01-will. */

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

test('3.1.4 a connection without CONNECT, or with part of one, is closed in time, and nothing is said', async () => {
  const hasty = new Bench({ limits: { loginSeconds: 1 } });
  await hasty.start();
  const from = performance.now();
  const peers = [await hasty.open(), await hasty.open(), await hasty.open(WEBSOCKET)];
  await peers[1]?.send(connect().subarray(0, 9));
  for (const peer of peers) assert.equal(await peer.end(), []);
  const took = performance.now() - from;
  assert.ok(took > 950 && took < 4000, `${took} ms`);
  await hasty.stop();
});

test.run();
