import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answer,
  field,
  hex,
  join,
  NONE,
  packet,
  publish,
  section,
  subscribe,
  u16,
  u32,
  unsubscribe,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { type Peer, WAYS } from './support/peer.ts';

/** MQTT 5.0, 3.10 and 3.11: UNSUBSCRIBE and UNSUBACK. */

const test = suite('mqtt5/3.10 unsubscribe, 3.11 unsuback');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

/** At QoS 2. */
function subscribed(...filters: readonly string[]): Promise<Peer> {
  return bench.subscriber(...filters.map((filter): [string, number] => [filter, 2]));
}

for (const way of WAYS) {
  test(`[MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.11.3-1] [MQTT-3.11.3-2] UNSUBACK: the identifier, a code per filter in order, ${way.name}`, async () => {
    const peer = await bench.connect({}, way);
    await peer.send(
      subscribe(1, [
        ['a', 0],
        ['b/+', 1],
        ['$share/g/c', 1],
      ]),
    );
    await peer.expect(9);
    await peer.send(unsubscribe(0xffff, ['never', 'a', 'b/+', 'b/+', '$share/g/c', '$share/h/c']));
    const unsuback = await peer.expect(11);
    assert.equal([unsuback.id, unsuback.reasons], [0xffff, [0x11, 0, 0, 0x11, 0, 0x11]]);
  });

  test(`[MQTT-3.10.3-2] no filter at all is a protocol error; half of one is malformed, ${way.name}`, async () => {
    assert.is(await bench.fault(unsubscribe(1, []), way), 0x82);
    assert.is(await bench.fault(unsubscribe(1, [], section([0x26], field('n'), field('v'))), way), 0x82);
    assert.is(await bench.fault(packet(0xa2, u16(1), NONE, [0]), way), 0x81);
    assert.is(await bench.fault(packet(0xa2, u16(1), NONE, field('a'), u16(2), [0x61]), way), 0x81);
  });
}

test('[MQTT-3.10.1-1] other flags are malformed', async () => {
  for (let flags = 0; flags < 16; flags++)
    if (flags !== 2) assert.is(await bench.fault(packet(0xa0 | flags, hex('0001 00 0001 61'))), 0x81, `${flags}`);
});

test('[MQTT-3.10.4-1] a filter is compared character by character: no other subscription ends', async () => {
  const peer = await subscribed('chars/a', 'chars/+', 'chars/#');
  await peer.send(unsubscribe(2, ['chars/A', 'chars/b', 'chars', '+/a', '#', 'chars/a/', 'Chars/a']));
  assert.equal(
    (await peer.expect(11)).reasons,
    Array.from({ length: 7 }, () => 0x11),
  );
  for (const filter of ['chars/a', 'chars/+', 'chars/#']) {
    await peer.send(publish('chars/a', ''));
    assert.is((await peer.expect(3)).topic, 'chars/a');
    await peer.send(unsubscribe(3, [filter]));
    assert.equal((await peer.expect(11)).reasons, [0]);
  }
  await peer.send(publish('chars/a', ''));
  assert.equal(await peer.flush(), []);
});

test('[MQTT-3.10.4-2] nothing new comes from a subscription that has ended', async () => {
  const peer = await subscribed('ended');
  await peer.send(unsubscribe(2, ['ended']), publish('ended', 'x'), publish('ended', 'y', { qos: 1 }));
  await peer.expect(11);
  await peer.expect(4);
  assert.equal(await peer.flush(), []);
});

test('[MQTT-3.10.4-3] what was sent at QoS 1 and 2 is brought to its end, also on the next connection', async () => {
  const lasting = { clientId: 'ends', flags: 0, properties: section([0x11], u32(60)) };
  const peer = await bench.connect(lasting);
  await peer.send(subscribe(1, [['underway', 2]]));
  await peer.expect(9);
  const publisher = await bench.connect();
  for (const qos of [1, 2] as const) await publisher.send(publish('underway', 'x', { qos, id: qos }));
  const [first, second] = [await peer.expect(3), await peer.expect(3)];
  await peer.send(unsubscribe(2, ['underway']));
  await peer.expect(11);
  await peer.send(answer(5, second.id));
  assert.is((await peer.expect(6)).id, second.id);
  peer.destroy();
  const back = await bench.connect(lasting);
  const again = [await back.next(), await back.next()];
  assert.equal(again.map(({ type, id }) => `${type} ${id}`).sort(), [`3 ${first.id}`, `6 ${second.id}`]);
  await back.send(join(answer(4, first.id), answer(7, second.id)));
  assert.equal(await back.flush(), []);
});

test('[MQTT-3.10.4-6] several filters are as several UNSUBSCRIBE packets, but for one UNSUBACK', async () => {
  const peer = await subscribed('several/a', 'several/b', 'several/c');
  await peer.send(unsubscribe(2, ['several/a', 'several/c']));
  assert.equal((await peer.expect(11)).reasons, [0, 0]);
  await peer.send(publish('several/a', ''), publish('several/b', ''), publish('several/c', ''));
  assert.equal(
    (await peer.flush()).map(({ topic }) => topic),
    ['several/b'],
  );
});

test('[MQTT-3.11.2-1] [MQTT-3.11.2-2] UNSUBACK fits a client that takes little', async () => {
  const small = await bench.connect({ clientId: 'small', properties: section([0x27], u32(20)) });
  await small.send(unsubscribe(1, ['never']));
  assert.ok((await small.expect(11)).bytes <= 20);
});

test.run();
