import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  disconnect,
  field,
  hex,
  join,
  NONE,
  packet,
  publish,
  section,
  subscribe,
  u32,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { TCP, TCP_SPLIT, WAYS } from './support/peer.ts';
import { propertyOf } from './support/strict.ts';

/** MQTT 5.0, 3.14: DISCONNECT, of the client and of the server. What it does to wills and sessions is in 3-01. */

const test = suite('mqtt5/3.14 disconnect');
const bench = new Bench({ limits: { outputBytes: 1_000_000_000 } });
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

/** Table 3-10: those that clients may send. */
const REASONS = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];

for (const way of WAYS) {
  test(`3.14.4 the server closes, and says nothing more, ${way.name}`, async () => {
    for (const reason of REASONS) {
      const peer = await bench.connect({}, way);
      await peer.send(disconnect([reason]));
      assert.equal(await peer.end(), [], `${reason}`);
    }
  });

  test(`3.14.2.1 reason and properties may be left out, ${way.name}`, async () => {
    const properties = section([0x1f], field('bye'), join([0x26], field('n'), field('v')), [0x11], u32(0));
    for (const body of [[], [[0]], [[0], NONE], [[0], properties], [[4], properties]]) {
      const peer = await bench.connect({}, way);
      await peer.send(disconnect(...body));
      assert.equal(await peer.end(), []);
    }
  });

  test(`3.14.4 what follows DISCONNECT is not looked at, ${way.name}`, async () => {
    const watcher = await bench.connect();
    await watcher.send(subscribe(1, [['behind', 0]]));
    await watcher.expect(9);
    const peer = await bench.connect({}, way);
    await peer.send(disconnect(), publish('behind', 'x'), hex('0000'));
    assert.equal(await peer.end(), []);
    assert.equal(await watcher.flush(), []);
  });
}

test('[MQTT-3.14.1-1] other flags are malformed: 0x81', async () => {
  for (let flags = 1; flags < 16; flags++)
    for (const way of [TCP, TCP_SPLIT]) assert.is(await bench.fault(packet(0xe0 | flags), way), 0x81, `${flags}`);
});

test('[MQTT-3.14.2-1] a reason that clients do not have is a protocol error', async () => {
  for (let reason = 0; reason < 256; reason++)
    if (!REASONS.includes(reason)) assert.is(await bench.fault(disconnect([reason])), 0x82, `${reason}`);
  for (const reason of [0x01, 0x8b, 0x8e, 0xff])
    assert.is(await bench.fault(disconnect([reason], NONE), TCP_SPLIT), 0x82);
});

test('3.14.2.2.5 a Server Reference is not for clients to send', async () => {
  assert.is(await bench.fault(disconnect([0], section([0x1c], field('elsewhere')))), 0x82);
});

test('[MQTT-3.14.2-3] [MQTT-3.14.2-4] the server’s is no larger than the client takes', async () => {
  for (const bytes of [20, 30, 2000]) {
    const peer = await bench.connect({ clientId: 'small', properties: section([0x27], u32(bytes)) });
    await peer.send(hex('0000'));
    const [last] = await peer.end();
    assert.ok(last !== undefined && last.bytes <= bytes, `${last?.bytes} of ${bytes}`);
    assert.is(last?.reasons[0], 0x81);
    assert.is(propertyOf(last, 0x1f) !== undefined, bytes === 2000);
  }
});

test('[MQTT-3.14.2-2] the server’s has no Session Expiry Interval; a Reason String says what was wrong', async () => {
  const peer = await bench.connect({ properties: section([0x11], u32(60)) });
  await peer.send(hex('0000'));
  const [last] = await peer.end();
  assert.equal(
    last?.properties.map(([id]) => id),
    [0x1f],
  );
});

test('[MQTT-3.14.4-1] [MQTT-3.14.4-2] nothing follows the server’s DISCONNECT, however much was on its way', async () => {
  for (const way of WAYS.filter(({ split }) => !split)) {
    const peer = await bench.connect({}, way);
    await peer.send(subscribe(1, [['flood', 0]]));
    await peer.expect(9);
    // More than sockets hold: what is written to the client from here on waits in the server.
    peer.pause();
    const publisher = await bench.connect();
    const count = 40;
    for (let i = 0; i < count; i++) await publisher.send(publish('flood', Buffer.alloc(1_000_000)));
    await publisher.flush();
    await peer.send(hex('0000'));
    await sleep(50);
    for (let i = 0; i < 5; i++) await publisher.send(publish('flood', 'late'));
    await publisher.flush();
    peer.resume();
    const packets = await peer.end();
    assert.equal([packets.length, packets[count]?.type], [count + 1, 14], way.name);
  }
});

test.run();
