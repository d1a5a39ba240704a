import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answer,
  type Bytes,
  field,
  hex,
  join,
  type Publish,
  publish,
  section,
  subscribe,
  u16,
  u32,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { TCP, TCP_SPLIT, WAYS } from './support/peer.ts';
import { propertyOf, texts, valuesOf } from './support/strict.ts';

/** MQTT 5.0, 3.3.2.3: properties of PUBLISH. */

const test = suite('mqtt5/3.3.2 properties');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

const CARRIED: readonly (readonly [clause: string, id: number, values: readonly Bytes[]])[] = [
  ['[MQTT-3.3.2-4] Payload Format Indicator', 0x01, [[0], [1]]],
  ['[MQTT-3.3.2-13] [MQTT-3.3.2-15] Response Topic', 0x08, [field('a/b'), field('/'), field('\u{1f600}')]],
  ['[MQTT-3.3.2-16] Correlation Data', 0x09, [field(hex('00ff80')), field('')]],
  ['[MQTT-3.3.2-19] [MQTT-3.3.2-20] Content Type', 0x03, [field('text/plain'), field('')]],
];
for (const [clause, id, values] of CARRIED) {
  for (const way of WAYS) {
    test(`${clause} goes through unaltered, ${way.name}`, async () => {
      const peer = await bench.connect({}, way);
      await peer.send(subscribe(1, [['carried', 2]]));
      await peer.expect(9);
      for (const value of values) {
        for (const qos of [0, 1, 2] as const) {
          await peer.send(publish('carried', 'x', { qos, properties: section([id], value) }));
          const packets = [await peer.next(), ...(qos === 0 ? [] : [await peer.next()])];
          const message = packets.find(({ type }) => type === 3);
          assert.is(message?.properties.length, 1);
          const got = message && propertyOf(message, id);
          const bytes =
            typeof got === 'number' ? [got] : field(typeof got === 'string' || Buffer.isBuffer(got) ? got : '');
          assert.equal(join(bytes), join(value));
          if (qos === 1) await peer.send(answer(4, message?.id ?? 0));
          if (qos !== 2) continue;
          await peer.send(answer(6, 1), answer(5, message?.id ?? 0));
          assert.equal([(await peer.next()).type, (await peer.next()).type].sort(), [6, 7]);
          await peer.send(answer(7, message?.id ?? 0));
        }
      }
    });
  }
}

test('[MQTT-3.3.2-17] [MQTT-3.3.2-18] User Properties go through, all of them, in order', async () => {
  const peer = await bench.subscriber(['user', 1]);
  const pairs = Array.from({ length: 20 }, (_, i) => ({ name: `n${i % 3}`, value: i % 4 === 0 ? '' : `${i}` }));
  const properties = section(...pairs.map(({ name, value }) => join([0x26], field(name), field(value))));
  for (const retain of [false, true]) {
    await peer.send(publish('user', '', { properties }), publish('user', 'x', { properties, qos: 1, retain }));
    for (const message of (await peer.flush()).filter(({ type }) => type === 3))
      assert.equal(valuesOf(message, 0x26), pairs);
  }
});

test('[MQTT-3.3.2-6] the Message Expiry Interval is what is left of it', async () => {
  const lasting = { clientId: 'sleeps', flags: 0, properties: section([0x11], u32(60)) };
  const peer = await bench.connect(lasting);
  await peer.send(subscribe(1, [['expiry', 1]]));
  await peer.expect(9);
  peer.destroy();
  const publisher = await bench.connect();
  await publisher.send(publish('expiry', 'x', { qos: 1, retain: true, properties: section([0x02], u32(100)) }));
  await publisher.expect(4);
  await sleep(2100);
  const back = await bench.connect(lasting);
  const late = await bench.subscriber(['expiry', 0]);
  for (const each of [await back.expect(3), await late.expect(3)]) {
    const left = Number(propertyOf(each, 0x02));
    assert.ok(left >= 96 && left <= 98, `${left}`);
  }
});

test('[MQTT-3.3.2-4] [MQTT-3.3.2-6] the same message to several, by each of its indicators', async () => {
  for (const indicator of [[], [0x01, 0], [0x01, 1]]) {
    const peers = [
      await bench.subscriber(['several', 1]),
      await bench.subscriber(['several', 1]),
      await bench.subscriber(['several', 0]),
    ];
    const publisher = await bench.connect();
    await publisher.send(publish('several', 'x', { qos: 1, properties: section(indicator, [0x02], u32(70_000)) }));
    for (const peer of peers) {
      const message = await peer.expect(3);
      assert.equal([propertyOf(message, 0x01), message.payload.toString()], [indicator[1], 'x']);
      assert.ok([69_999, 70_000].includes(Number(propertyOf(message, 0x02))));
      peer.destroy();
    }
  }
});

test('[MQTT-3.3.2-5] an expired message is not sent to those it had not been sent to', async () => {
  const lasting = { clientId: 'late', flags: 0, properties: section([0x11], u32(60)) };
  const peer = await bench.connect(lasting);
  await peer.send(subscribe(1, [['expired', 1]]));
  await peer.expect(9);
  peer.destroy();
  const publisher = await bench.connect();
  for (const [i, retain] of [true, false].entries()) {
    await publisher.send(
      publish('expired', 'short', { qos: 1, id: i + 1, retain, properties: section([0x02], u32(1)) }),
    );
    await publisher.expect(4);
  }
  await publisher.send(publish('expired', 'long', { qos: 1 }));
  await publisher.expect(4);
  await sleep(1500);
  const back = await bench.connect(lasting);
  assert.equal(texts(await back.flush()), ['long']);
  assert.equal(await bench.retained('expired'), []);
});

test('[MQTT-3.3.2-6] an interval of 0 is passed on as 0 to those who are there, and kept for nobody', async () => {
  const peer = await bench.subscriber(['now', 0]);
  await peer.send(publish('now', 'x', { retain: true, properties: section([0x02], u32(0)) }));
  assert.is(propertyOf(await peer.expect(3), 0x02), 0);
  await sleep(20);
  assert.equal(await bench.retained('now'), []);
});

test('3.3.2.3.4 an alias stands for its topic, until it gets another one', async () => {
  for (const way of WAYS) {
    const peer = await bench.connect({}, way);
    await peer.send(subscribe(1, [['alias/#', 0]]));
    await peer.expect(9);
    const alias = (topic: string, payload: string, number: number, fields: Publish = {}): Buffer =>
      publish(topic, payload, { ...fields, properties: section([0x23], u16(number)) });
    await peer.send(alias('alias/a', '1', 1), alias('alias/b', '2', 16), alias('', '3', 1), alias('', '4', 16));
    await peer.send(alias('alias/c', '5', 1), alias('', '6', 1), publish('alias/a', '7'));
    const seen = [];
    for (let i = 0; i < 7; i++) seen.push(await peer.expect(3));
    assert.equal(
      seen.map(({ topic, payload }) => `${topic} ${payload}`),
      ['alias/a 1', 'alias/b 2', 'alias/a 3', 'alias/b 4', 'alias/c 5', 'alias/c 6', 'alias/a 7'],
    );
    // [MQTT-3.3.2-7]: those of one direction are not those of the other.
    assert.ok(seen.every((each) => propertyOf(each, 0x23) === undefined));
    await peer.send(alias('', '8', 1, { qos: 1 }));
    assert.equal([(await peer.next()).type, (await peer.next()).type].sort(), [3, 4]);
    peer.destroy();
  }
});

test('[MQTT-3.3.2-12] every alias up to the maximum is taken', async () => {
  const peer = await bench.connect();
  const most = Number(propertyOf(peer.connack, 0x22));
  assert.ok(most > 0);
  for (let alias = 1; alias <= most; alias++)
    await peer.send(publish(`all/${alias}`, '', { properties: section([0x23], u16(alias)) }));
  for (let alias = 1; alias <= most; alias++)
    await peer.send(publish('', '', { properties: section([0x23], u16(alias)) }));
  assert.equal(await peer.flush(), []);
});

test('[MQTT-3.3.2-8] [MQTT-3.3.2-9] alias 0 and one above the maximum: 0x94; one that stands for nothing: 0x82', async () => {
  const most = Number(propertyOf((await bench.connect()).connack, 0x22));
  for (const way of [TCP, TCP_SPLIT]) {
    for (const topic of ['a', '']) {
      for (const alias of [0, most + 1, 0xffff])
        assert.is(
          await bench.fault(publish(topic, '', { properties: section([0x23], u16(alias)) }), way),
          0x94,
          `${alias}`,
        );
    }
    assert.is(await bench.fault(publish('', '', { properties: section([0x23], u16(1)) }), way), 0x82);
  }
});

test('3.3.2.3.4 aliases end with their connection, though the session goes on', async () => {
  const lasting = { clientId: 'alias', flags: 0, properties: section([0x11], u32(60)) };
  const first = await bench.connect(lasting);
  await first.send(publish('a', '', { properties: section([0x23], u16(1)) }));
  await first.flush();
  first.destroy();
  assert.is(await bench.fault(publish('', '', { properties: section([0x23], u16(1)) }), TCP, lasting), 0x82);
});

test.run();
