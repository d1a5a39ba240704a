import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answer,
  connect,
  field,
  hex,
  join,
  packet,
  publish,
  section,
  subscribe,
  u16,
  u32,
  vbi,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { TCP, TCP_SPLIT, WAYS } from './support/peer.ts';
import { isRetained, qosOf, texts, valuesOf } from './support/strict.ts';

/** MQTT 5.0, 3.3: PUBLISH. Its properties are in 3-03-properties, subscription options in 3-08, flow control is in chapter 4. */

const test = suite('mqtt5/3.3 publish');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

for (const way of WAYS) {
  test(`[MQTT-3.3.1-4] QoS 3 and [MQTT-3.3.1-2] DUP at QoS 0 are malformed, ${way.name}`, async () => {
    for (const flags of [6, 7, 14, 15, 8, 9])
      assert.is(await bench.fault(packet(0x30 | flags, field('a'), u16(1), section()), way), 0x81, `${flags}`);
    for (const flags of [0, 1, 2, 3, 4, 5, 10, 11, 12, 13]) {
      const packets = await bench.taken(packet(0x30 | flags, field('flags'), u16(flags), section()), way);
      assert.ok(packets.length <= 1 && packets.every(({ type }) => type === 4 || type === 5), `${flags}`);
    }
  });

  test(`[MQTT-3.3.4-1] the answer is that of its QoS: none, PUBACK, PUBREC, ${way.name}`, async () => {
    const peer = await bench.connect({}, way);
    await peer.send(publish('a', 'x'));
    assert.equal(await peer.flush(), []);
    await peer.send(publish('a', 'x', { qos: 1, id: 10 }));
    assert.is((await peer.expect(4)).id, 10);
    await peer.send(publish('a', 'x', { qos: 2, id: 11 }));
    assert.is((await peer.expect(5)).id, 11);
    await peer.send(answer(6, 11));
    assert.is((await peer.expect(7)).id, 11);
    assert.equal(await peer.flush(), []);
  });
}

test('[MQTT-3.3.1-1] [MQTT-3.3.1-3] DUP is the server’s own: 0 in what is sent first, whatever came', async () => {
  const peer = await bench.subscriber(['dup', 2]);
  const publisher = await bench.connect();
  for (const qos of [1, 2] as const) {
    await publisher.send(publish('dup', 'x', { qos, id: qos, dup: true }));
    const message = await peer.expect(3);
    assert.equal([qosOf(message), message.flags & 8], [qos, 0]);
  }
});

test('[MQTT-3.3.1-1] DUP 1 in what is sent again', async () => {
  const lasting = { clientId: 'again', flags: 0, properties: section([0x11], u32(60)) };
  const first = await bench.connect(lasting);
  await first.send(subscribe(1, [['again', 2]]));
  await first.expect(9);
  const publisher = await bench.connect();
  for (const qos of [1, 2] as const) await publisher.send(publish('again', 'x', { qos, id: qos }));
  const sent = [await first.expect(3), await first.expect(3)];
  first.destroy();
  const second = await bench.connect(lasting);
  for (const { id, flags } of sent) {
    const message = await second.expect(3);
    assert.equal([message.id, message.flags], [id, flags | 8]);
  }
});

test('[MQTT-3.3.1-5] RETAIN 1: kept, and replaced by the next; [MQTT-3.3.1-8] RETAIN 0: neither', async () => {
  const peer = await bench.connect();
  await peer.send(publish('kept/a', 'first', { retain: true }), publish('kept/a', 'second', { retain: true }));
  await peer.send(publish('kept/a', 'live'), publish('kept/b', 'live'), publish('kept/a', ''));
  await peer.flush();
  const packets = await bench.retained('kept/#');
  assert.equal(
    packets.map((each) => [each.topic, each.payload.toString(), isRetained(each)]),
    [['kept/a', 'second', true]],
  );
});

test('[MQTT-3.3.1-6] [MQTT-3.3.1-7] RETAIN 1 without payload: what was kept is removed, itself is not kept, but sent', async () => {
  const peer = await bench.connect();
  const watcher = await bench.subscriber(['gone', 8]);
  for (const qos of [0, 1, 2] as const) {
    await peer.send(publish('gone', 'x', { retain: true, qos, id: 5 }));
    assert.is((await watcher.expect(3)).payload.length, 1);
    await peer.send(publish('gone', '', { retain: true, qos, id: 6 }));
    const empty = await watcher.expect(3);
    assert.is(empty.payload.length, 0);
    assert.equal(await bench.retained('gone'), []);
    await peer.send(answer(6, 5), answer(6, 6));
  }
});

test('3.3.1.3 a retained message keeps its QoS and properties', async () => {
  const peer = await bench.connect();
  const properties = section(
    [0x01, 1],
    [0x03],
    field('t'),
    [0x08],
    field('r'),
    [0x09],
    field('c'),
    [0x26],
    field('n'),
    field('v'),
  );
  await peer.send(publish('props/kept', 'x', { retain: true, qos: 1, properties }));
  await peer.expect(4);
  for (const granted of [0, 1, 2]) {
    const late = await bench.connect();
    await late.send(subscribe(1, [['props/kept', granted]]));
    await late.expect(9);
    const message = await late.expect(3);
    assert.equal([qosOf(message), isRetained(message)], [Math.min(granted, 1), true]);
    assert.equal(
      message.properties.map(([id]) => id).sort((a, b) => a - b),
      [0x01, 0x03, 0x08, 0x09, 0x26],
    );
  }
});

test('[MQTT-3.3.2-1] [MQTT-3.3.2-2] a topic with a wildcard: 0x90; [MQTT-4.7.3-1] none and no alias: 0x82', async () => {
  for (const way of [TCP, TCP_SPLIT]) {
    for (const topic of ['#', '+', 'a/#', 'a/+/b', 'a#', '+a']) {
      assert.is(await bench.fault(publish(topic, ''), way), 0x90, topic);
      assert.is(await bench.fault(publish(topic, '', { qos: 1 }), way), 0x90, topic);
    }
    assert.is(await bench.fault(publish('', 'x'), way), 0x82);
    assert.is(await bench.fault(publish('', 'x', { qos: 2 }), way), 0x82);
  }
});

test('[MQTT-3.3.2-3] the topic sent is the one published, byte for byte, and matches the filter', async () => {
  // Retain Handling 2: what other tests left is not of this one.
  const peer = await bench.subscriber(['#', 0x20]);
  const topics = ['a', '/', '//', '/a', 'a/', 'A', 'a b', 'a//b', '\u00e9', 'e\u0301', '\u{1f600}/x', 'x'.repeat(1000)];
  for (const topic of topics) await peer.send(publish(topic, ''));
  for (const topic of topics) assert.is((await peer.expect(3)).topic, topic);
});

test('an empty payload, and any bytes, are payloads', async () => {
  const peer = await bench.subscriber(['payload', 0]);
  for (const payload of [hex(''), hex('00'), hex('ff00fe'), Buffer.alloc(100_000, 7)]) {
    await peer.send(publish('payload', payload));
    assert.ok((await peer.expect(3)).payload.equals(payload));
  }
});

test('[MQTT-3.3.4-6] a Subscription Identifier in a client’s PUBLISH is a protocol error', async () => {
  for (const properties of [section([0x0b], vbi(1)), section([0x0b], vbi(1), [0x0b], vbi(2)), section([0x0b], vbi(0))])
    assert.is(await bench.fault(publish('a', '', { properties })), 0x82);
});

test('[MQTT-3.3.4-2] … [MQTT-3.3.4-5] overlapping subscriptions: the highest QoS, and the identifiers of all', async () => {
  const peer = await bench.connect();
  for (const [i, [filter, qos, identifier]] of (
    [
      ['over/#', 0, 1],
      ['over/+', 2, 300],
      ['over/a', 1, 0],
      ['other', 2, 4],
    ] as const
  ).entries()) {
    await peer.send(subscribe(i + 1, [[filter, qos]], identifier === 0 ? section() : section([0x0b], vbi(identifier))));
    await peer.expect(9);
  }
  for (const [qos, expected] of [
    [0, 0],
    [1, 1],
    [2, 2],
  ] as const) {
    await peer.send(publish('over/a', 'x', { qos, id: 7 }));
    const messages = (await peer.flush()).filter(({ type }) => type === 3);
    for (let late = messages.length; late === 0; late++) messages.push(await peer.expect(3));
    assert.equal(messages.map(qosOf), [expected]);
    const identifiers = messages.flatMap((each) => valuesOf(each, 0x0b)).sort();
    assert.equal(identifiers, [1, 300]);
  }
});

test('3.3.4 one identifier for several filters of a SUBSCRIBE, one a match', async () => {
  const peer = await bench.connect();
  await peer.send(
    subscribe(
      1,
      [
        ['multi/a', 0],
        ['multi/b', 0],
      ],
      section([0x0b], vbi(9)),
    ),
  );
  await peer.expect(9);
  await peer.send(publish('multi/a', ''), publish('multi/b', ''));
  for (const message of [await peer.expect(3), await peer.expect(3)]) assert.equal(valuesOf(message, 0x0b), [9]);
});

test('[MQTT-3.3.4-9] no more unacknowledged messages than Receive Maximum; [MQTT-3.3.4-10] other packets are not held up', async () => {
  const peer = await bench.connect({ properties: section([0x21], u16(2)) });
  await peer.send(subscribe(1, [['window', 2]]));
  await peer.expect(9);
  const publisher = await bench.connect();
  for (let id = 1; id <= 6; id++) {
    await publisher.send(publish('window', `${id}`, { qos: id % 2 === 0 ? 1 : 2, id }));
    await publisher.next();
  }
  const held = [await peer.expect(3), await peer.expect(3)];
  await peer.send(subscribe(2, [['other', 0]]), publish('other', 'x'));
  assert.equal(
    (await peer.flush()).map(({ type }) => type),
    [9, 3],
  );
  const [first, second] = held;
  await peer.send(answer(5, first?.id ?? 0));
  assert.equal(
    (await peer.flush()).map(({ type }) => type),
    [6],
    'PUBREC leaves it in the window',
  );
  await peer.send(answer(7, first?.id ?? 0));
  assert.equal(texts(await peer.flush()), ['3']);
  await peer.send(answer(4, second?.id ?? 0));
  assert.equal(texts(await peer.flush()), ['4']);
});

test('3.3.4 a PUBREC with a reason of 0x80 or above makes room in the window', async () => {
  const peer = await bench.connect({ properties: section([0x21], u16(1)) });
  await peer.send(subscribe(1, [['refused', 2]]));
  await peer.expect(9);
  for (const text of ['1', '2']) await peer.send(publish('refused', text, { qos: 2, id: Number(text) }));
  const packets = [await peer.next(), await peer.next(), await peer.next()];
  const first = packets.find(({ type }) => type === 3);
  await peer.send(answer(5, first?.id ?? 0, [0x80]));
  assert.is((await peer.expect(3)).payload.toString(), '2');
});

test('a refusal of PUBLISH is told in its own answer: 0x87 for what clients may not publish to', async () => {
  const peer = await bench.connect();
  for (const topic of ['$SYS/x', '$share/g/t', '$other/x', '$']) {
    await peer.send(publish(topic, 'x', { qos: 1, id: 1 }));
    assert.is((await peer.expect(4)).reasons[0], 0x87, topic);
    await peer.send(publish(topic, 'x', { qos: 2, id: 2 }));
    assert.is((await peer.expect(5)).reasons[0], 0x87, topic);
    await peer.send(publish(topic, 'x'));
    assert.equal(await peer.flush(), []);
  }
  // The identifier is free again: nothing is to be released.
  await peer.send(publish('fine', 'x', { qos: 2, id: 2 }));
  assert.is((await peer.expect(5)).reasons[0], 0);
});

test('CONNECT of MQTT 3.1.1 beside: its messages have no properties, those to it neither', async () => {
  const peer = await bench.subscriber(['mixed', 1]);
  const old = await bench.raw();
  old.write(join(connect({ level: 4, clientId: 'old' }), packet(0x82, u16(1), field('mixed'), [0])));
  old.write(join(packet(0x30, field('mixed'), Buffer.from('x')), packet(0xe0)));
  assert.is((await old.end()).toString('hex'), '20020000 9003000100 3008 0005 6d69786564 78'.replaceAll(' ', ''));
  const message = await peer.expect(3);
  assert.equal([message.payload.toString(), message.properties.length], ['x', 0]);
});

test.run();
