import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DurableRig } from '../mqtt/support/durable-rig.ts';
import { lasting } from '../mqtt/support/rig.ts';

/** Session state (MQTT 5.0, 4.1), retained messages and wills through the end of the server, orderly and by SIGKILL. */

const test = suite('mqtt5/4-01-state-durable');
const rig = new DurableRig(test);

for (const how of ['stopped', 'killed'] as const) {
  test(`${how}: subscriptions with their options, and what was published meanwhile`, async () => {
    const first = await rig.client('s', lasting);
    const properties = { subscriptionIdentifier: 7 };
    first.send({
      cmd: 'subscribe',
      messageId: 1,
      properties,
      subscriptions: [{ topic: 'a/+', qos: 1, rap: true, nl: true }],
    });
    await first.expect('suback');
    first.publish('a/own', 'mine', { qos: 1, messageId: 1 });
    await first.expect('puback');
    first.destroy();
    const publisher = await rig.client('p');
    publisher.publish('a/x', '1', { qos: 1, messageId: 1, retain: true });
    await publisher.expect('puback');
    await rig.restart(how);
    const again = await rig.client('s', lasting);
    assert.ok(again.connack.sessionPresent);
    const packet = await again.expect('publish');
    assert.equal([packet.topic, packet.payload.toString(), packet.retain], ['a/x', '1', true]);
    assert.equal(packet.properties?.subscriptionIdentifier, 7);
    assert.equal(await again.flush(), []);
  });

  test(`${how}: what was in flight is sent again with its identifier, DUP, and its QoS 2 state`, async () => {
    const first = await rig.client('s', lasting);
    await first.subscribe('q/#', 2);
    const publisher = await rig.client('p');
    for (let i = 1; i <= 3; i++) {
      publisher.publish(`q/${i}`, `${i}`, { qos: 2, messageId: i });
      await publisher.expect('pubrec');
      publisher.send({ cmd: 'pubrel', messageId: i });
      await publisher.expect('pubcomp');
    }
    const ids: number[] = [];
    for (let i = 0; i < 3; i++) ids.push((await first.expect('publish')).messageId ?? 0);
    // The second one is received and known to be; the client has the PUBREL.
    first.send({ cmd: 'pubrec', messageId: ids[1] ?? 0 });
    assert.is((await first.expect('pubrel')).messageId, ids[1]);
    first.destroy();
    await rig.restart(how);
    const again = await rig.client('s', lasting);
    assert.is((await again.expect('pubrel')).messageId, ids[1]);
    for (const i of [0, 2]) {
      const packet = await again.expect('publish');
      assert.equal([packet.messageId, packet.dup, packet.payload.toString()], [ids[i], true, `${i + 1}`]);
    }
    assert.equal(await again.flush(), []);
  });

  test(`${how}: a QoS 2 message whose PUBREC was lost is recognised, and its PUBREL known`, async () => {
    const watcher = await rig.client('w', lasting);
    await watcher.subscribe('once', 1);
    const first = await rig.client('p', lasting);
    first.publish('once', 'x', { qos: 2, messageId: 5 });
    await first.expect('pubrec');
    first.destroy();
    await rig.restart(how);
    const again = await rig.client('p', lasting);
    assert.ok(again.connack.sessionPresent);
    again.publish('once', 'x', { qos: 2, messageId: 5, dup: true });
    await again.expect('pubrec');
    again.send({ cmd: 'pubrel', messageId: 5 });
    assert.is((await again.expect('pubcomp')).reasonCode ?? 0, 0);
    // Afterwards the identifier stands for another message.
    again.publish('once', 'y', { qos: 2, messageId: 5 });
    await again.expect('pubrec');
    const returned = await rig.client('w', lasting);
    const seen = [];
    for (let i = 0; i < 2; i++) seen.push((await returned.expect('publish')).payload.toString());
    assert.equal(seen, ['x', 'y']);
    assert.equal(await returned.flush(), []);
  });

  test(`${how}: retained messages, of each QoS, and their removal`, async () => {
    const publisher = await rig.client('p');
    for (const qos of [0, 1, 2] as const) publisher.publish(`r/${qos}`, `${qos}`, { qos, messageId: 9, retain: true });
    await publisher.expect('puback');
    await publisher.expect('pubrec');
    publisher.publish('r/gone', 'x', { qos: 1, messageId: 10, retain: true });
    await publisher.expect('puback');
    publisher.publish('r/gone', '', { qos: 1, messageId: 11, retain: true });
    await publisher.expect('puback');
    await rig.restart(how);
    const subscriber = await rig.client('s');
    await subscriber.subscribe('r/#', 2);
    const packets = await subscriber.flush();
    const seen = packets.flatMap((each) =>
      each.cmd === 'publish' ? [`${each.topic} ${each.qos} ${each.retain}`] : [],
    );
    assert.equal(seen.sort(), ['r/0 0 true', 'r/1 1 true', 'r/2 2 true']);
  });

  test(`${how}: a session that is thrown away stays so`, async () => {
    const first = await rig.client('s', lasting);
    await first.subscribe('a', 1);
    first.destroy();
    const second = await rig.client('s', { clean: true });
    assert.not(second.connack.sessionPresent);
    second.destroy();
    await second.end();
    await rig.restart(how);
    assert.not((await rig.client('s', lasting)).connack.sessionPresent);
  });
}

test('killed: the wills of its clients are published when it is back, those with a delay after that', async () => {
  const watcher = await rig.client('w', lasting);
  await watcher.subscribe('will/#', 1);
  const will = (topic: string, delay: number) => ({
    topic,
    payload: Buffer.from('gone'),
    qos: 1 as const,
    retain: false,
    properties: { willDelayInterval: delay },
  });
  await rig.client('d1', { will: will('will/now', 0) });
  await rig.client('d2', { ...lasting, will: will('will/later', 1) });
  const polite = await rig.client('d3', { will: will('will/never', 0) });
  const back = await rig.client('d4', { ...lasting, will: will('will/back', 600) });
  polite.send({ cmd: 'disconnect', reasonCode: 0 });
  await polite.end();
  back.destroy();
  // The will of a client is in the store as soon as something later is.
  const publisher = await rig.client('p');
  publisher.publish('x', 'x', { qos: 1, messageId: 1 });
  await publisher.expect('puback');
  await rig.restart('killed');
  await rig.client('d4', lasting);
  // [MQTT-3.1.2-8]: with the end of the session a will that still waited would come, before the last message.
  await rig.client('d4', { clean: true });
  const again = await rig.client('w', lasting);
  for (const topic of ['will/now', 'will/later']) assert.is((await again.expect('publish')).topic, topic);
  again.publish('will/last', 'x', { qos: 1, messageId: 1 });
  const packets = [await again.next(), await again.next()];
  assert.equal(
    packets.flatMap((each) => (each.cmd === 'publish' ? [each.topic] : [])),
    ['will/last'],
    'beside its PUBACK',
  );
});

test('a session whose time is over is gone, and so is what was published for it', async () => {
  const watcher = await rig.client('w', lasting);
  await watcher.subscribe('gone', 1);
  // [MQTT-3.1.2-8]: the will comes with the end of the session.
  const will = {
    topic: 'gone',
    payload: Buffer.from('x'),
    qos: 1 as const,
    retain: false,
    properties: { willDelayInterval: 600 },
  };
  const first = await rig.client('s', { clean: false, properties: { sessionExpiryInterval: 1 }, will });
  await first.subscribe('a', 1);
  first.destroy();
  await first.end();
  await rig.restart('killed');
  assert.is((await (await rig.client('w', lasting)).expect('publish')).topic, 'gone');
  assert.not((await rig.client('s', lasting)).connack.sessionPresent);
});

test.run();
