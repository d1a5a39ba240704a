import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answer,
  CLEAN,
  type Connect,
  disconnect,
  join,
  publish,
  section,
  subscribe,
  u32,
} from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import type { Peer } from './support/peer.ts';
import { propertyOf } from './support/strict.ts';

/** MQTT 5.0, 3.1.2.4 and 3.1.2.11.2: Clean Start, Session Expiry Interval, and what CONNACK says of the session. */

const test = suite('mqtt5/3.1 session');
const bench = new Bench({ limits: { sessionExpirySeconds: 1000 } });
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

const expiry = (seconds: number): Buffer => section([0x11], u32(seconds));

async function leave(peer: Peer, ...body: readonly Buffer[]): Promise<void> {
  await peer.send(disconnect(...body));
  assert.equal(await peer.end(), []);
}

/** Whether a session is there when its client comes back. */
async function present(clientId: string, fields: Connect = {}): Promise<boolean> {
  const peer = await bench.connect({ clientId, flags: 0, properties: expiry(0), ...fields });
  await leave(peer);
  return peer.connack.sessionPresent;
}

test('[MQTT-3.1.2-4] [MQTT-3.2.2-2] Clean Start 1 discards the session: present is 0, its subscriptions are gone', async () => {
  const first = await bench.connect({ clientId: 'clean', properties: expiry(100) });
  await first.send(subscribe(1, [['clean/x', 1]]));
  await first.expect(9);
  await leave(first);
  const publisher = await bench.connect();
  await publisher.send(publish('clean/x', 'missed', { qos: 1 }));
  await publisher.expect(4);
  const second = await bench.connect({ clientId: 'clean', flags: CLEAN, properties: expiry(100) });
  assert.not(second.connack.sessionPresent);
  await publisher.send(publish('clean/x', 'live'));
  await publisher.flush();
  assert.equal(await second.flush(), []);
});

test('[MQTT-3.1.2-5] [MQTT-3.2.2-3] Clean Start 0 resumes the session: present is 1, what was missed comes', async () => {
  const first = await bench.connect({ clientId: 'resumed', properties: expiry(100) });
  await first.send(subscribe(1, [['resumed/#', 2]]));
  await first.expect(9);
  await leave(first);
  const publisher = await bench.connect();
  for (const qos of [1, 2] as const) {
    await publisher.send(publish('resumed/x', `${qos}`, { qos, id: qos }));
    await publisher.next();
  }
  const second = await bench.connect({ clientId: 'resumed', flags: 0, properties: expiry(100) });
  assert.ok(second.connack.sessionPresent);
  for (const qos of [1, 2]) {
    const message = await second.expect(3);
    assert.equal([message.payload.toString(), (message.flags >> 1) & 3, message.flags & 8], [`${qos}`, qos, 0]);
    await second.send(answer(qos === 1 ? 4 : 5, message.id));
  }
  await second.expect(6);
});

test('[MQTT-3.1.2-6] [MQTT-3.2.2-3] Clean Start 0 without a session makes one: present is 0', async () => {
  assert.not(await present('none yet'));
  const { connack } = await bench.connect({ clientId: 'none yet', flags: 0, properties: expiry(100) });
  assert.not(connack.sessionPresent);
});

test('3.1.2.11.2 Session Expiry Interval 0, or none, ends the session with its connection', async () => {
  for (const properties of [undefined, expiry(0)]) {
    const peer = await bench.connect({ clientId: 'ends', ...(properties && { properties }) });
    await peer.send(subscribe(1, [['ends', 1]]));
    await peer.expect(9);
    await leave(peer);
    assert.not(await present('ends'));
    const lost = await bench.connect({ clientId: 'ends', ...(properties && { properties }) });
    lost.destroy();
    await sleep(50);
    assert.not(await present('ends'));
  }
});

test('[MQTT-3.1.2-23] a Session Expiry Interval above 0 keeps the session, and no longer', async () => {
  for (const lost of [false, true]) {
    const peer = await bench.connect({ clientId: 'kept', properties: expiry(1) });
    if (lost) peer.destroy();
    else await leave(peer);
    assert.ok(await present('kept', { properties: expiry(1) }));
    await sleep(2500);
    assert.not(await present('kept'), 'it has expired');
  }
});

test('3.1.2.11.2 0xFFFFFFFF means that it does not expire; what the server keeps instead is told (3.2.2.3.2)', async () => {
  for (const [asked, told] of [
    [999, undefined],
    [1000, undefined],
    [1001, 1000],
    [0xffffffff, 1000],
  ] as const) {
    const { connack } = await bench.connect({ properties: expiry(asked) });
    assert.is(propertyOf(connack, 0x11), told, `${asked}`);
  }
});

test('3.14.2.2.2 DISCONNECT may change the Session Expiry Interval, to 0 or to another time', async () => {
  const peer = await bench.connect({ clientId: 'changed', properties: expiry(100) });
  await leave(peer, join([0], expiry(0)));
  assert.not(await present('changed'));
  const again = await bench.connect({ clientId: 'changed', properties: expiry(1) });
  await leave(again, join([0], expiry(100)));
  await sleep(2500);
  assert.ok(await present('changed', { properties: expiry(0) }), 'longer than CONNECT had asked for');
});

test('3.14.2.2.2 after CONNECT with 0, or none, DISCONNECT with more is a protocol error', async () => {
  const disconnects = [join([0], expiry(1)), join([4], expiry(0xffffffff))];
  for (const properties of [undefined, expiry(0)]) {
    for (const body of disconnects) {
      const fields = { clientId: 'never', ...(properties && { properties }) };
      assert.is(await bench.fault(disconnect(body), undefined, fields), 0x82);
      assert.not(await present('never'));
    }
  }
});

test('[MQTT-3.1.4-4] [MQTT-3.1.3-2] a session is its identifier’s: taken over with Clean Start 0, discarded with 1', async () => {
  const first = await bench.connect({ clientId: 'moved', properties: expiry(100) });
  await first.send(subscribe(1, [['moved', 1]]));
  await first.expect(9);
  const second = await bench.connect({ clientId: 'moved', flags: 0, properties: expiry(100) });
  assert.ok(second.connack.sessionPresent);
  await second.send(publish('moved', 'x'));
  assert.is((await second.expect(3)).payload.toString(), 'x');
  const third = await bench.connect({ clientId: 'moved', flags: CLEAN, properties: expiry(100) });
  assert.not(third.connack.sessionPresent);
  assert.not((await bench.connect({ clientId: 'Moved', flags: 0 })).connack.sessionPresent, 'every byte of it counts');
});

test('[MQTT-3.2.2-6] a refusal says that no session is present, though there is one', async () => {
  const peer = await bench.connect({ clientId: 'there', properties: expiry(100) });
  await leave(peer);
  const refused = await bench.open();
  await refused.send(join(refusedConnect('there')));
  const [connack] = await refused.end();
  assert.equal([connack?.type, connack?.sessionPresent], [2, false]);
  assert.ok((connack?.reasons[0] ?? 0) >= 0x80);
});

function refusedConnect(clientId: string): Buffer {
  const id = Buffer.from(clientId);
  const method = section([0x15, 0, 1, 0x78]);
  const body = join([0, 4], Buffer.from('MQTT'), [5, 0, 0, 60], method, [0, id.length], id);
  return join([0x10, body.length], body);
}

test.run();
