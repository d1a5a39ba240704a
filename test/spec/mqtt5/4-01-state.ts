import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EVER, TimedRig } from './support/timed-rig.ts';

/** MQTT 5.0, 4.1: how long session state is kept (3.1.2.11.2); time passes as the test says. */

const test = suite('mqtt5/4-01-state');
const rig = new TimedRig(test);

const YEAR = 365 * 24 * 3600;

for (const expiry of [undefined, 0]) {
  test(`[MQTT-3.1.2-23] Session Expiry Interval ${expiry}: the session ends with its connection`, async () => {
    await rig.gone(await rig.client('c', { expiry }));
    assert.not(await rig.present('c'));
  });
}

for (const expiry of [1, 60, 3600, YEAR]) {
  test(`[MQTT-4.1.0-1] [MQTT-4.1.0-2] Session Expiry Interval ${expiry}: kept so long, and no longer`, async () => {
    await rig.gone(await rig.client('c', { expiry }));
    rig.pass(expiry - 0.9);
    const again = await rig.client('c', { expiry });
    assert.ok(again.connack.sessionPresent);
    await rig.gone(again);
    rig.pass(expiry + 0.1);
    assert.not(await rig.present('c'));
  });
}

test('3.1.2.11.2 Session Expiry Interval 0xFFFFFFFF: kept as long as this server does, which it says', async () => {
  const first = await rig.client('c', { expiry: EVER });
  assert.is(first.connack.properties?.sessionExpiryInterval, EVER - 1);
  await rig.gone(first);
  rig.pass(50 * YEAR);
  rig.pass(80 * YEAR);
  assert.ok(await rig.present('c'));
});

test('3.1.2.11.2 the time does not run while the client is connected', async () => {
  const first = await rig.client('c', { expiry: 10 });
  rig.pass(100);
  assert.equal(await first.flush(), []);
  await rig.gone(first);
  rig.pass(9);
  assert.ok(await rig.present('c', { expiry: 10 }));
});

test('3.1.2.11.2 each connection says anew how long', async () => {
  await rig.gone(await rig.client('c', { expiry: 3600 }));
  await rig.gone(await rig.client('c', { expiry: 10 }));
  rig.pass(11);
  assert.not(await rig.present('c', { expiry: 10 }));
});

test('3.1.2.11.2 a connection that goes on with a session and names no interval ends it', async () => {
  await rig.gone(await rig.client('c', { expiry: 3600 }));
  assert.ok(await rig.present('c'));
  await rig.gone(await rig.client('c'));
  assert.not(await rig.present('c'));
});

test('[MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.2-6] Clean Start is about what was, the interval about what will be', async () => {
  const first = await rig.client('c', { clean: true, expiry: 100 });
  assert.not(first.connack.sessionPresent);
  await first.subscribe('t', 1);
  await rig.gone(first);
  assert.ok(await rig.present('c', { expiry: 100 }));
  const clean = await rig.client('c', { clean: true, expiry: 100 });
  assert.not(clean.connack.sessionPresent);
  clean.publish('t', 'x', { qos: 1, messageId: 1 });
  await clean.expect('puback');
  assert.equal(await clean.flush(), []);
  await rig.gone(clean);
  assert.ok(await rig.present('c', { expiry: 100 }));
});

// --- changed by DISCONNECT (3.14.2.2.2) -------------------------------------------------------------------------------

test('3.14.2.2.2 DISCONNECT makes the time shorter', async () => {
  await rig.disconnect(await rig.client('c', { expiry: 3600 }), 0, 10);
  rig.pass(11);
  assert.not(await rig.present('c'));
});

test('3.14.2.2.2 DISCONNECT makes the time longer', async () => {
  await rig.disconnect(await rig.client('c', { expiry: 10 }), 0, 3600);
  rig.pass(3000);
  assert.ok(await rig.present('c'));
});

test('3.14.2.2.2 DISCONNECT with 0 ends the session at once', async () => {
  await rig.disconnect(await rig.client('c', { expiry: 3600 }), 0, 0);
  assert.not(await rig.present('c'));
});

test('3.14.2.2.2 DISCONNECT without an interval leaves it as it was', async () => {
  await rig.disconnect(await rig.client('c', { expiry: 100 }));
  rig.pass(90);
  assert.ok(await rig.present('c', { expiry: 100 }));
});

test('3.14.2.2.2 DISCONNECT with an interval, where CONNECT had 0: 0x82, and the session ends', async () => {
  const client0 = await rig.client('c', { expiry: 0 });
  client0.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 100 } });
  const packets = await client0.end();
  assert.equal(
    packets.map((each) => each.cmd === 'disconnect' && each.reasonCode),
    [0x82],
  );
  assert.not(await rig.present('c'));
});

test.run();
