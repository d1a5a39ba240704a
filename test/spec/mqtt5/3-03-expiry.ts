import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TimedRig } from './support/timed-rig.ts';

/** MQTT 5.0, 3.3.2.3.3: messages that wait, and expire; time passes as the test says. */

const test = suite('mqtt5/3.3 expiry');
const rig = new TimedRig(test);

test('[MQTT-3.3.2-5] [MQTT-3.3.2-6] what waits counts down, and is gone when its time is over', async () => {
  const first = await rig.client('c', { expiry: 3600 });
  await first.subscribe('t', 1);
  await rig.gone(first);
  const publisher = await rig.client('p');
  for (const [i, messageExpiryInterval] of [100, 10, 50].entries()) {
    publisher.publish('t', `${i}`, { qos: 1, messageId: 1, properties: { messageExpiryInterval } });
    await publisher.expect('puback');
  }
  rig.pass(30);
  const again = await rig.client('c', { expiry: 3600 });
  const seen = [];
  for (let i = 0; i < 2; i++) {
    const { payload, properties } = await again.expect('publish');
    seen.push([payload.toString(), properties?.messageExpiryInterval]);
  }
  assert.equal(seen, [
    ['0', 70],
    ['2', 20],
  ]);
  assert.equal(await again.flush(), []);
});

test('[MQTT-3.3.2-6] … also for one of two that wait for different reasons', async () => {
  const narrow = await rig.connect('narrow', {
    clean: true,
    keepalive: 0,
    properties: { receiveMaximum: 1 },
  });
  const quick = await rig.client('quick');
  for (const each of [narrow, quick]) await each.subscribe('t', 1);
  const publisher = await rig.client('p');
  for (let i = 0; i < 2; i++) {
    publisher.publish('t', `${i}`, { qos: 1, messageId: 1, properties: { messageExpiryInterval: 100 } });
    await publisher.expect('puback');
    assert.is((await quick.expect('publish')).properties?.messageExpiryInterval, 100);
  }
  const held = await narrow.expect('publish');
  rig.pass(40);
  narrow.send({ cmd: 'puback', messageId: held.messageId ?? 0 });
  assert.is((await narrow.expect('publish')).properties?.messageExpiryInterval, 60);
});

test('[MQTT-3.3.2-6] a retained message counts down, and is gone when its time is over', async () => {
  const publisher = await rig.client('p');
  const others = [await rig.client('a'), await rig.client('b')];
  for (const each of others) await each.subscribe('t', 0);
  publisher.publish('t', 'x', { qos: 1, retain: true, messageId: 1, properties: { messageExpiryInterval: 100 } });
  await publisher.expect('puback');
  rig.pass(40);
  const late = await rig.client('late');
  await late.subscribe('t', 1);
  assert.is((await late.expect('publish')).properties?.messageExpiryInterval, 60);
  rig.pass(61);
  const later = await rig.client('later');
  await later.subscribe('t', 1);
  assert.equal(await later.flush(), []);
});

test.run();
