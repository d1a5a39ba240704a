import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TimedRig } from './support/timed-rig.ts';

/** MQTT 5.0, 3.1.3.2.2: wills that wait, and what ends the session meanwhile; time passes as the test says. */

const test = suite('mqtt5/3.1 will delay');
const rig = new TimedRig(test);

for (const reason of [0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x04]) {
  test(`[MQTT-3.1.2-8] DISCONNECT with reason 0x${reason.toString(16)}: the will is published`, async () => {
    const watcher = await rig.watcher();
    await rig.disconnect(await rig.client('c', { expiry: 10, will: {} }), reason);
    assert.is((await watcher.expect('publish')).topic, 'will');
  });
}

test('[MQTT-3.1.2-10] [MQTT-3.14.4-3] DISCONNECT with reason 0: it is not, not later either', async () => {
  const watcher = await rig.watcher();
  await rig.disconnect(await rig.client('c', { expiry: 10, delay: 5 }), 0);
  rig.pass(20);
  assert.equal(await watcher.flush(), []);
});

test('[MQTT-3.1.3-9] the will waits its delay', async () => {
  const watcher = await rig.watcher();
  await rig.gone(await rig.client('c', { expiry: 100, delay: 30 }));
  rig.pass(29);
  assert.equal(await watcher.flush(), []);
  rig.pass(1.1);
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.3-9] a client that is back in time has no will published, not later either', async () => {
  const watcher = await rig.watcher();
  await rig.gone(await rig.client('c', { expiry: 100, delay: 30 }));
  rig.pass(20);
  const again = await rig.client('c', { expiry: 100 });
  assert.ok(again.connack.sessionPresent);
  rig.pass(200);
  assert.equal(await watcher.flush(), []);
});

test('[MQTT-3.1.2-8] the session ends before the delay does: the will is published then', async () => {
  const watcher = await rig.watcher();
  await rig.gone(await rig.client('c', { expiry: 10, delay: 3600 }));
  rig.pass(9);
  assert.equal(await watcher.flush(), []);
  rig.pass(1.5);
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.2-8] a session that ends with its connection: the will is published at once, whatever its delay', async () => {
  const watcher = await rig.watcher();
  await rig.gone(await rig.client('c', { delay: 3600 }));
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.2-8] DISCONNECT with will makes the session shorter than the delay: the will comes with its end', async () => {
  const watcher = await rig.watcher();
  await rig.disconnect(await rig.client('c', { expiry: 3600, delay: 1800 }), 0x04, 10);
  rig.pass(9);
  assert.equal(await watcher.flush(), []);
  rig.pass(1.5);
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.2-8] DISCONNECT with will makes the session longer: the will waits its whole delay', async () => {
  const watcher = await rig.watcher();
  await rig.disconnect(await rig.client('c', { expiry: 10, delay: 30 }), 0x04, 3600);
  rig.pass(20);
  assert.equal(await watcher.flush(), []);
  rig.pass(11);
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.2-8] DISCONNECT with will ends the session: the will comes at once', async () => {
  const watcher = await rig.watcher();
  await rig.disconnect(await rig.client('c', { expiry: 3600, delay: 1800 }), 0x04, 0);
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.2-8] a clean start ends the session: a will that waited comes then', async () => {
  const watcher = await rig.watcher();
  await rig.gone(await rig.client('c', { expiry: 3600, delay: 1800 }));
  await rig.client('c', { clean: true });
  assert.is((await watcher.expect('publish')).topic, 'will');
});

for (const [what, delay, published] of [
  ['without a delay is published', 0, true],
  ['with a delay is not, for the session goes on', 1800, false],
] as const) {
  test(`3.1.3.2.2 [MQTT-3.1.4-3] taken over, the will ${what}`, async () => {
    const watcher = await rig.watcher();
    const first = await rig.client('c', { expiry: 3600, delay });
    await rig.client('c', { expiry: 3600 });
    await first.end();
    rig.pass(2000);
    if (published) assert.is((await watcher.expect('publish')).topic, 'will');
    assert.equal(await watcher.flush(), []);
  });
}

test('3.1.3.2.2 the will of the next connection counts, not one that waited', async () => {
  const watcher = await rig.watcher();
  await rig.gone(await rig.client('c', { expiry: 3600, delay: 100, will: { topic: 'will/1' } }));
  await rig.gone(await rig.client('c', { expiry: 3600, delay: 100, will: { topic: 'will/2' } }));
  rig.pass(101);
  assert.is((await watcher.expect('publish')).topic, 'will/2');
  assert.equal(await watcher.flush(), []);
});

test('3.1.3.2.4 Message Expiry Interval of a will counts from when it is published', async () => {
  const watcher = await rig.watcher();
  const late = await rig.client('late', { expiry: 3600 });
  await late.subscribe('will', 1);
  await rig.gone(late);
  const connected = await rig.connect('c', {
    clean: true,
    properties: { sessionExpiryInterval: 3600 },
    will: {
      topic: 'will',
      payload: Buffer.from('x'),
      qos: 1,
      retain: false,
      properties: { willDelayInterval: 100, messageExpiryInterval: 50 },
    },
  });
  await rig.gone(connected);
  rig.pass(101);
  assert.is((await watcher.expect('publish')).properties?.messageExpiryInterval, 50);
  rig.pass(20);
  assert.is(
    (await (await rig.client('late', { expiry: 3600 })).expect('publish')).properties?.messageExpiryInterval,
    30,
  );
});

test.run();
