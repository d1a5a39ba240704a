import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answer,
  field,
  hex,
  NONE,
  packet,
  publish,
  section,
  subscribe,
  u16,
  u32,
  unsubscribe,
  vbi,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { type Peer, TCP_SPLIT, WAYS } from './support/peer.ts';
import { isRetained, qosOf, valuesOf } from './support/strict.ts';

/** MQTT 5.0, 3.8 and 3.9: SUBSCRIBE with its options, and SUBACK. What filters match is in chapter 4. */

const test = suite('mqtt5/3.8 subscribe, 3.9 suback');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

const NO_LOCAL = 4;
const AS_PUBLISHED = 8;
const ONLY_NEW = 0x10;
const NONE_RETAINED = 0x20;

async function codes(
  peer: Peer,
  filters: Parameters<typeof subscribe>[1],
  properties = NONE,
): Promise<readonly number[]> {
  await peer.send(subscribe(1, filters, properties));
  return (await peer.expect(9)).reasons;
}

async function keep(topic: string): Promise<void> {
  const peer = await bench.connect();
  await peer.send(publish(topic, 'kept', { retain: true }));
  await peer.flush();
}

for (const way of WAYS) {
  test(`[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-6] [MQTT-3.9.3-1] SUBACK: the identifier, a code per filter in order, ${way.name}`, async () => {
    const peer = await bench.connect({}, way);
    for (const id of [1, 0xffff]) {
      await peer.send(
        subscribe(id, [
          ['a', 0],
          ['b', 2],
          ['bad/#/c', 1],
          ['c/+', 1],
          ['#', 0],
          ['$share/g/x', 2],
        ]),
      );
      const suback = await peer.expect(9);
      assert.equal([suback.id, suback.reasons], [id, [0, 2, 0x8f, 1, 0, 2]]);
    }
  });

  test(`[MQTT-3.8.3-5] reserved option bits: malformed; 3.8.3.1 QoS 3 and Retain Handling 3: protocol errors, ${way.name}`, async () => {
    const options = way.split ? [0x03, 0x30, 0x40, 0x80, 0xff] : Array.from({ length: 256 }, (_, value) => value);
    for (const value of options) {
      const reserved = (value & 0xc0) !== 0;
      const wrong = (value & 3) === 3 || (value & 0x30) === 0x30;
      const bytes = subscribe(1, [
        ['a', 0],
        ['b', value],
      ]);
      if (!reserved && !wrong) {
        const suback = (await bench.taken(bytes, way)).find(({ type }) => type === 9);
        assert.equal(suback?.reasons, [0, value & 3], `${value}`);
      } else if (reserved && wrong) {
        assert.ok([0x81, 0x82].includes(await bench.fault(bytes, way)), `${value}`);
      } else {
        assert.is(await bench.fault(bytes, way), reserved ? 0x81 : 0x82, `${value}`);
      }
    }
  });

  test(`[MQTT-3.8.3-2] no filter at all is a protocol error; a filter without its options is malformed, ${way.name}`, async () => {
    assert.is(await bench.fault(subscribe(1, []), way), 0x82);
    assert.is(await bench.fault(subscribe(1, [], section([0x0b], vbi(1))), way), 0x82);
    assert.is(await bench.fault(packet(0x82, u16(1), NONE, field('a')), way), 0x81);
    assert.is(await bench.fault(packet(0x82, u16(1), NONE, field('a'), [0], field('b')), way), 0x81);
  });

  test(`[MQTT-3.8.3-4] No Local on a shared subscription is a protocol error, ${way.name}`, async () => {
    assert.is(await bench.fault(subscribe(1, [['$share/g/a', NO_LOCAL]]), way), 0x82);
    assert.is(
      await bench.fault(
        subscribe(1, [
          ['b', 0],
          ['$share/g/#', NO_LOCAL | 1],
        ]),
        way,
      ),
      0x82,
    );
  });
}

test('[MQTT-3.8.1-1] other flags are malformed', async () => {
  for (let flags = 0; flags < 16; flags++)
    if (flags !== 2) assert.is(await bench.fault(packet(0x80 | flags, hex('0001 00 0001 61 00'))), 0x81, `${flags}`);
});

test('a SUBSCRIBE that is refused as a whole subscribes to nothing of it', async () => {
  const lasting = { clientId: 'whole', flags: 0, properties: section([0x11], u32(60)) };
  await bench.fault(
    subscribe(1, [
      ['whole/a', 0],
      ['whole/b', 0x40],
    ]),
    undefined,
    lasting,
  );
  await bench.fault(
    subscribe(1, [
      ['whole/c', 0],
      ['$share/g/whole/d', NO_LOCAL],
    ]),
    TCP_SPLIT,
    lasting,
  );
  const peer = await bench.connect(lasting);
  await peer.send(publish('whole/a', ''), publish('whole/c', ''));
  assert.equal(await peer.flush(), []);
});

test('[MQTT-3.8.3-3] No Local: not to the connection that published, but to all others', async () => {
  const [own, other] = [await bench.connect(), await bench.connect()];
  assert.equal(
    await codes(own, [
      ['local/#', NO_LOCAL | 1],
      ['loud', 0],
    ]),
    [1, 0],
  );
  await codes(other, [['local/#', 1]]);
  await own.send(publish('local/x', 'own'), publish('local/x', 'own', { qos: 1 }), publish('loud', 'own'));
  await own.expect(3);
  await own.expect(4);
  assert.equal(await own.flush(), []);
  assert.is((await other.expect(3)).payload.toString(), 'own');
  await other.send(publish('local/x', 'other'));
  assert.is((await own.expect(3)).payload.toString(), 'other');
});

test('[MQTT-3.8.3-3] No Local and another subscription that matches: the other one delivers', async () => {
  const peer = await bench.connect();
  await codes(peer, [['both/#', NO_LOCAL]], section([0x0b], vbi(1)));
  await codes(peer, [['both/x', 0]], section([0x0b], vbi(2)));
  await peer.send(publish('both/x', ''));
  assert.equal(valuesOf(await peer.expect(3), 0x0b), [2]);
});

test('[MQTT-3.8.3-3] No Local goes by the identifier, also for what its session was sent before', async () => {
  const lasting = { clientId: 'no local', flags: 0, properties: section([0x11], u32(60)) };
  const first = await bench.connect(lasting);
  await codes(first, [['nl', NO_LOCAL | 1]]);
  await first.send(publish('nl', 'own', { qos: 1 }));
  await first.expect(4);
  first.destroy();
  assert.equal(await (await bench.connect(lasting)).flush(), []);
});

test('[MQTT-3.3.1-12] [MQTT-3.3.1-13] Retain As Published: the flag as it came, else 0', async () => {
  const [plain, asPublished, publisher] = [await bench.connect(), await bench.connect(), await bench.connect()];
  await codes(plain, [['rap', NONE_RETAINED | 1]]);
  await codes(asPublished, [['rap', NONE_RETAINED | AS_PUBLISHED | 1]]);
  for (const qos of [0, 1] as const) {
    for (const retain of [true, false]) {
      await publisher.send(publish('rap', 'x', { qos, retain }));
      assert.not(isRetained(await plain.expect(3)));
      assert.is(isRetained(await asPublished.expect(3)), retain);
    }
  }
});

test('[MQTT-3.3.1-9] [MQTT-3.8.4-4] Retain Handling 0: retained messages with each SUBSCRIBE, also one that replaces', async () => {
  await keep('rh0/a');
  for (const options of [0, AS_PUBLISHED]) {
    const peer = await bench.connect();
    for (let i = 0; i < 3; i++) {
      await codes(peer, [['rh0/+', options]]);
      assert.ok(isRetained(await peer.expect(3)));
    }
    assert.equal(await peer.flush(), []);
  }
});

test('[MQTT-3.3.1-10] Retain Handling 1: with a new subscription only', async () => {
  await keep('rh1/a');
  const peer = await bench.connect();
  await codes(peer, [['rh1/+', ONLY_NEW]]);
  assert.ok(isRetained(await peer.expect(3)));
  await codes(peer, [['rh1/+', ONLY_NEW | 1]]);
  assert.equal(await peer.flush(), []);
  await codes(peer, [['rh1/a', ONLY_NEW]]);
  assert.ok(isRetained(await peer.expect(3)), 'another filter is another subscription');
  await peer.send(unsubscribe(2, ['rh1/+']));
  await peer.expect(11);
  await codes(peer, [['rh1/+', ONLY_NEW]]);
  assert.ok(isRetained(await peer.expect(3)), 'it is new again');
});

test('[MQTT-3.3.1-10] Retain Handling 1 in a session that is resumed: its subscriptions are not new', async () => {
  await keep('rh1/kept');
  const lasting = { clientId: 'rh1', flags: 0, properties: section([0x11], u32(60)) };
  const first = await bench.connect(lasting);
  await codes(first, [['rh1/kept', ONLY_NEW]]);
  await first.expect(3);
  first.destroy();
  const second = await bench.connect(lasting);
  await codes(second, [['rh1/kept', ONLY_NEW]]);
  assert.equal(await second.flush(), []);
});

test('[MQTT-3.3.1-11] Retain Handling 2: none', async () => {
  await keep('rh2/a');
  const peer = await bench.connect();
  await codes(peer, [['rh2/+', NONE_RETAINED]]);
  assert.equal(await peer.flush(), []);
});

test('Retain Handling is each filter’s own', async () => {
  for (const topic of ['each/0', 'each/1', 'each/2']) await keep(topic);
  const peer = await bench.connect();
  await codes(peer, [
    ['each/0', 0],
    ['each/1', ONLY_NEW],
    ['each/2', NONE_RETAINED],
  ]);
  assert.equal((await peer.flush()).map(({ topic }) => topic).sort(), ['each/0', 'each/1']);
});

test('retained messages go with the identifiers and at the QoS of the subscription that they are for', async () => {
  const publisher = await bench.connect();
  await publisher.send(publish('rid/a', 'kept', { retain: true, qos: 2 }));
  await publisher.expect(5);
  for (const qos of [0, 1, 2]) {
    const peer = await bench.connect();
    await codes(peer, [['rid/a', qos]], section([0x0b], vbi(5 + qos)));
    const message = await peer.expect(3);
    assert.equal([qosOf(message), valuesOf(message, 0x0b)], [qos, [5 + qos]]);
  }
});

test('[MQTT-3.8.4-3] a filter that is there already: the subscription is replaced, no message lost or doubled', async () => {
  const [peer, publisher] = [await bench.connect(), await bench.connect()];
  await codes(peer, [['replaced', 0]], section([0x0b], vbi(1)));
  await codes(peer, [['replaced', 2 | NONE_RETAINED]], section([0x0b], vbi(2)));
  await publisher.send(publish('replaced', 'x', { qos: 2 }));
  const message = await peer.expect(3);
  assert.equal([qosOf(message), valuesOf(message, 0x0b)], [2, [2]]);
  await codes(peer, [['replaced', 0 | NONE_RETAINED]]);
  await publisher.send(publish('replaced', 'y', { qos: 1, id: 2 }));
  const last = await peer.expect(3);
  assert.equal([qosOf(last), valuesOf(last, 0x0b)], [0, []]);
  assert.equal(await peer.flush(), []);
});

test('[MQTT-3.8.4-5] several filters are as several SUBSCRIBE packets, but for one SUBACK; the last of equal ones counts', async () => {
  const [peer, publisher] = [await bench.connect(), await bench.connect()];
  assert.equal(
    await codes(peer, [
      ['many/a', 2],
      ['many/b', 1],
      ['many/a', 0],
    ]),
    [2, 1, 0],
  );
  await publisher.send(publish('many/a', '', { qos: 2, id: 1 }), publish('many/b', '', { qos: 2, id: 2 }));
  const seen = [await peer.expect(3), await peer.expect(3)].map((each) => [each.topic, qosOf(each)]);
  assert.equal(seen.sort(), [
    ['many/a', 0],
    ['many/b', 1],
  ]);
  assert.equal(await peer.flush(), []);
});

test('[MQTT-3.8.4-7] [MQTT-3.9.3-2] [MQTT-3.2.2-10] each QoS is granted as it is asked for', async () => {
  const peer = await bench.connect();
  for (const qos of [0, 1, 2]) assert.equal(await codes(peer, [['granted', qos]]), [qos]);
});

test('[MQTT-3.8.4-8] messages come at the lower of their QoS and the subscription’s', async () => {
  const publisher = await bench.connect();
  for (const granted of [0, 1, 2]) {
    const peer = await bench.connect();
    await codes(peer, [['lower', granted]]);
    for (const qos of [0, 1, 2] as const) {
      await publisher.send(publish('lower', `${qos}`, { qos, id: 1 }));
      const message = await peer.expect(3);
      assert.equal([message.payload.toString(), qosOf(message)], [`${qos}`, Math.min(granted, qos)]);
      if (qos === 2) {
        await publisher.expect(5);
        await publisher.send(answer(6, 1));
        await publisher.expect(7);
      } else if (qos === 1) await publisher.expect(4);
    }
  }
});

test('[MQTT-3.8.3-1] [MQTT-3.9.3-2] filters that are none: 0x8F each; those not allowed: 0x87; the others are served', async () => {
  const peer = await bench.connect();
  assert.equal(
    await codes(peer, [
      ['', 0],
      ['a#', 1],
      ['#/a', 0],
      ['a+', 0],
      ['+a/b', 2],
      ['a/+b', 0],
      ['fine', 1],
      ['$share//a', 0],
      ['$share/g', 0],
      ['$share/g/', 0],
      ['$share/+/a', 0],
      ['$share/g#/a', 0],
    ]),
    [0x8f, 0x8f, 0x8f, 0x8f, 0x8f, 0x8f, 1, 0x8f, 0x8f, 0x8f, 0x8f, 0x8f],
  );
  assert.equal(await codes(peer, [['$reply/of/another', 0]]), [0x87]);
  await peer.send(publish('fine', ''));
  assert.is((await peer.expect(3)).topic, 'fine');
});

test('[MQTT-3.9.2-1] [MQTT-3.9.2-2] a SUBACK with a reason string is no larger than the client takes', async () => {
  const small = await bench.connect({ clientId: 'small', properties: section([0x27], u32(40)) });
  await small.send(subscribe(1, [['a#', 0]]));
  const suback = await small.expect(9);
  assert.ok(suback.bytes <= 40, `${suback.bytes}`);
});

test.run();
