import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Bytes,
  CLEAN,
  disconnect,
  field,
  hex,
  join,
  NONE,
  publish,
  section,
  subscribe,
  u32,
  WILL_FLAG,
  WILL_RETAIN,
  will,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { type Peer, WAYS } from './support/peer.ts';
import { propertyOf, type Received, valuesOf } from './support/strict.ts';

/** MQTT 5.0, 3.1.2.5, 3.1.3.2 and 3.14.4: the will, when it is published, and how. */

const test = suite('mqtt5/3.1 will');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

let next = 0;
const freshTopic = (): string => `will/${++next}`;

async function watch(topic: string): Promise<Peer> {
  const watcher = await bench.connect();
  await watcher.send(subscribe(1, [[topic, 0x0a]]));
  await watcher.expect(9);
  return watcher;
}

interface Will {
  readonly flags?: number;
  readonly properties?: Bytes;
  readonly expiry?: number;
  readonly clientId?: string;
}

function mortal(topic: string, { flags = 0, properties = NONE, expiry = 0, clientId = '' }: Will = {}) {
  return bench.connect({
    clientId,
    flags: CLEAN | WILL_FLAG | flags,
    properties: section([0x11], u32(expiry)),
    rest: will(topic, 'gone', properties),
  });
}

async function nothing(watcher: Peer): Promise<void> {
  await sleep(50);
  assert.equal(await watcher.flush(), []);
}

for (const way of WAYS) {
  test(`[MQTT-3.1.2-8] published when the connection is lost, ${way.name}`, async () => {
    const topic = freshTopic();
    const watcher = await watch(topic);
    const peer = await bench.connect({ flags: CLEAN | WILL_FLAG, rest: will(topic, 'gone') }, way);
    await nothing(watcher);
    peer.destroy();
    assert.is((await watcher.expect(3)).payload.toString(), 'gone');
    await nothing(watcher);
  });
}

test('[MQTT-3.1.2-10] [MQTT-3.14.4-3] discarded by DISCONNECT with reason 0x00, said or left out', async () => {
  for (const bytes of [
    disconnect(),
    disconnect([0]),
    disconnect([0], NONE),
    disconnect([0], section([0x1f], field('bye'))),
  ]) {
    const topic = freshTopic();
    const watcher = await watch(topic);
    const peer = await mortal(topic);
    await peer.send(bytes);
    assert.equal(await peer.end(), []);
    await nothing(watcher);
  }
});

test('[MQTT-3.1.2-8] [MQTT-3.14.4-3] published at DISCONNECT with any other reason', async () => {
  for (const reason of [0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]) {
    const topic = freshTopic();
    const watcher = await watch(topic);
    const peer = await mortal(topic);
    await peer.send(disconnect([reason]));
    assert.equal(await peer.end(), []);
    assert.is((await watcher.expect(3)).topic, topic, `${reason}`);
  }
});

test('[MQTT-3.1.2-8] published when the server closes: a fault, the keep alive, a take-over', async () => {
  for (const bytes of [
    hex('0000'),
    disconnect([0x8b]),
    disconnect([0], section([0x11], u32(5))),
    hex('38 04 0001 61 00'),
  ]) {
    const topic = freshTopic();
    const watcher = await watch(topic);
    const peer = await mortal(topic);
    await peer.send(bytes);
    assert.is((await peer.end()).length, 1);
    await watcher.expect(3);
    await nothing(watcher);
  }
  const topic = freshTopic();
  const watcher = await watch(topic);
  await mortal(topic, { clientId: 'taken over' });
  await bench.connect({ clientId: 'taken over' });
  await watcher.expect(3);
  await bench.connect({ keepAlive: 1, flags: CLEAN | WILL_FLAG, rest: will(topic, 'slept') });
  assert.is((await watcher.expect(3)).payload.toString(), 'slept');
});

test('3.1.2.5 a will for the client itself does not come behind its DISCONNECT', async () => {
  const topic = freshTopic();
  const peer = await mortal(topic);
  await peer.send(subscribe(1, [[topic, 0]]));
  await peer.expect(9);
  await peer.send(hex('0000'));
  const packets = await peer.end();
  assert.is(packets[packets.length - 1]?.type, 14);
});

test('[MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT-3.1.2-12] QoS and Will Retain as they were given', async () => {
  for (const flags of [0, 0x08, 0x10, WILL_RETAIN, WILL_RETAIN | 0x08, WILL_RETAIN | 0x10]) {
    const topic = freshTopic();
    const watcher = await watch(topic);
    (await mortal(topic, { flags })).destroy();
    const message = await watcher.expect(3);
    // The watcher's subscription has Retain As Published.
    assert.is(message.flags & 7, ((flags & 0x18) >> 2) | ((flags & WILL_RETAIN) >> 5), `${flags}`);
    const late = await bench.connect();
    await late.send(subscribe(1, [[topic, 2]]));
    await late.expect(9);
    const kept = await late.flush();
    assert.equal(
      kept.map((each) => [each.payload.toString(), each.flags & 1]),
      (flags & WILL_RETAIN) === 0 ? [] : [['gone', 1]],
    );
  }
});

test('3.1.3.2 properties of the will are those of the message; 3.1.3.4 its payload may be any bytes, or none', async () => {
  const topic = freshTopic();
  const watcher = await watch(topic);
  const users = [
    ['b', '2'],
    ['a', '1'],
    ['b', ''],
  ] as const;
  const properties = section(
    [0x01, 1],
    [0x02],
    u32(100),
    [0x03],
    field('text/plain'),
    [0x08],
    field('answer/here'),
    [0x09],
    field(hex('00ff')),
    ...users.map(([name, value]) => join([0x26], field(name), field(value))),
  );
  (await mortal(topic, { properties })).destroy();
  const message: Received = await watcher.expect(3);
  assert.equal(
    [0x01, 0x03, 0x08].map((id) => propertyOf(message, id)),
    [1, 'text/plain', 'answer/here'],
  );
  assert.equal(propertyOf(message, 0x09), hex('00ff'));
  assert.ok([99, 100].includes(Number(propertyOf(message, 0x02))));
  // [MQTT-3.1.3-10]
  assert.equal(
    valuesOf(message, 0x26),
    users.map(([name, value]) => ({ name, value })),
  );
  assert.is(propertyOf(message, 0x18), undefined);
  for (const payload of [hex('00 80 ff'), hex('')]) {
    const peer = await bench.connect({ flags: CLEAN | WILL_FLAG, rest: will(topic, payload) });
    peer.destroy();
    assert.equal((await watcher.expect(3)).payload, payload);
  }
});

test('[MQTT-3.1.2-8] 3.1.3.2.2 the Will Delay Interval is waited for', async () => {
  const topic = freshTopic();
  const watcher = await watch(topic);
  const from = performance.now();
  (await mortal(topic, { expiry: 60, properties: section([0x18], u32(1)) })).destroy();
  await nothing(watcher);
  await watcher.expect(3);
  const took = performance.now() - from;
  assert.ok(took > 950 && took < 3000, `${took} ms`);
});

test('[MQTT-3.1.2-8] … or the end of the session, if that is sooner', async () => {
  const delayed = section([0x18], u32(3600));
  const topic = freshTopic();
  const watcher = await watch(topic);
  (await mortal(topic, { expiry: 0, properties: delayed })).destroy();
  await watcher.expect(3);
  (await mortal(topic, { expiry: 1, properties: delayed })).destroy();
  await nothing(watcher);
  await watcher.expect(3);
  (await mortal(topic, { expiry: 3600, properties: delayed, clientId: 'clean start' })).destroy();
  await nothing(watcher);
  await bench.connect({ clientId: 'clean start', flags: CLEAN });
  await watcher.expect(3);
});

test('[MQTT-3.1.3-9] a new connection to the session before the delay has passed: the will is not sent', async () => {
  const topic = freshTopic();
  const watcher = await watch(topic);
  (await mortal(topic, { expiry: 60, properties: section([0x18], u32(1)), clientId: 'returns' })).destroy();
  await sleep(50);
  const back = await bench.connect({ clientId: 'returns', flags: 0, properties: section([0x11], u32(60)) });
  assert.ok(back.connack.sessionPresent);
  await sleep(1500);
  assert.equal(await watcher.flush(), []);
});

test('3.1.4 a take-over publishes a will without a delay, though the session goes on', async () => {
  const topic = freshTopic();
  const watcher = await watch(topic);
  await mortal(topic, { expiry: 60, clientId: 'no delay' });
  const back = await bench.connect({ clientId: 'no delay', flags: 0, properties: section([0x11], u32(60)) });
  assert.ok(back.connack.sessionPresent);
  assert.is((await watcher.expect(3)).payload.toString(), 'gone');
  await nothing(watcher);
});

test('[MQTT-3.1.3-9] a take-over with Clean Start 0 within the delay: the will is not sent', async () => {
  const topic = freshTopic();
  const watcher = await watch(topic);
  await mortal(topic, { expiry: 60, properties: section([0x18], u32(1)), clientId: 'taken' });
  const back = await bench.connect({ clientId: 'taken', flags: 0, properties: section([0x11], u32(60)) });
  assert.ok(back.connack.sessionPresent);
  await sleep(1500);
  assert.equal(await watcher.flush(), []);
});

test('[MQTT-3.1.2-7] the will is that of the last CONNECT, also none', async () => {
  const [first, second] = [freshTopic(), freshTopic()];
  const [watcher, other] = [await watch(first), await watch(second)];
  const peer = await mortal(first, { expiry: 60, clientId: 'changes' });
  await peer.send(disconnect());
  await peer.end();
  const again = await mortal(second, { expiry: 60, clientId: 'changes' });
  again.destroy();
  await other.expect(3);
  const without = await bench.connect({ clientId: 'changes', flags: 0 });
  without.destroy();
  await nothing(watcher);
  await nothing(other);
});

test('a will behind what its client had published', async () => {
  const topic = freshTopic();
  const watcher = await watch(topic);
  const peer = await mortal(topic, { flags: 0x08 });
  await peer.send(publish(topic, 'alive', { qos: 1 }), hex('0000'));
  await peer.end();
  assert.is((await watcher.expect(3)).payload.toString(), 'alive');
  assert.is((await watcher.expect(3)).payload.toString(), 'gone');
});

test.run();
