import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Rig } from './support/rig.ts';

const test = suite('mqtt/v5');
const rig = new Rig();

test.before(() => rig.start());
test.after(() => rig.stop());
test.after.each(() => rig.leave());

test('[MQTT-3.3.2-4] … 3.3.2.3 properties arrive as they were sent, user properties in order', async () => {
  const [subscriber, publisher] = [await rig.client('s'), await rig.client('p')];
  await subscriber.subscribe('props', 1);
  const properties = {
    payloadFormatIndicator: true,
    contentType: 'text/plain',
    responseTopic: 'answers/here',
    correlationData: Buffer.from([0, 1, 255]),
    userProperties: { b: ['2', '1'], a: '', '': 'empty name' },
  };
  publisher.publish('props', 'x', { qos: 1, messageId: 1, properties: { ...properties, messageExpiryInterval: 100 } });
  const message = await subscriber.expect('publish');
  const { messageExpiryInterval, ...rest } = message.properties ?? {};
  assert.ok(messageExpiryInterval === 100 || messageExpiryInterval === 99);
  assert.equal(JSON.stringify(rest.userProperties), JSON.stringify(properties.userProperties));
  assert.equal({ ...rest, userProperties: undefined }, { ...properties, userProperties: undefined });
});

test('[MQTT-3.3.2-12] topic aliases stand for their topic; unknown, 0 and too large ones end the connection', async () => {
  const [subscriber, publisher] = [await rig.client('s'), await rig.client('p')];
  const { topicAliasMaximum } = publisher.connack.properties ?? {};
  assert.is(topicAliasMaximum, 16);
  await subscriber.subscribe('alias/#');
  publisher.publish('alias/a', '1', { properties: { topicAlias: 16 } });
  publisher.publish('', '2', { properties: { topicAlias: 16 } });
  for (const payload of ['1', '2']) {
    const message = await subscriber.expect('publish');
    assert.equal([message.topic, message.payload.toString()], ['alias/a', payload]);
    assert.is(message.properties?.topicAlias, undefined);
  }
  for (const [alias, reason] of [
    [17, 0x94],
    [3, 0x82],
  ] as const) {
    const bad = await rig.client(`bad-${alias}`);
    bad.publish('', '2', { properties: { topicAlias: alias } });
    assert.is((await bad.expect('disconnect')).reasonCode, reason);
  }
});

test('3.8.3.1 no local, retain as published, retain handling; 3.8.2.1.2 subscription identifiers', async () => {
  const both = await rig.client('both');
  both.publish('opt/r', 'kept', { retain: true });
  await both.flush();
  both.send({
    cmd: 'subscribe',
    messageId: 1,
    properties: { subscriptionIdentifier: 300 },
    subscriptions: [{ topic: 'opt/#', qos: 0, nl: true, rap: true, rh: 2 }],
  });
  await both.expect('suback');
  both.publish('opt/x', 'own');
  assert.equal(await both.flush(), [], 'neither its own message nor the retained one');
  const other = await rig.client('other');
  other.publish('opt/x', 'other', { retain: true });
  const message = await both.expect('publish');
  assert.ok(message.retain);
  assert.is(message.properties?.subscriptionIdentifier, 300);
  const once = { topic: 'opt/r', qos: 0 as const, nl: false, rap: false, rh: 1 };
  other.send({ cmd: 'subscribe', messageId: 2, subscriptions: [once] });
  await other.expect('suback');
  assert.is((await other.expect('publish')).payload.toString(), 'kept');
  other.send({ cmd: 'subscribe', messageId: 3, subscriptions: [once] });
  await other.expect('suback');
  assert.equal(await other.flush(), [], 'Retain Handling 1: not for a subscription that was there');
});

test('3.1.3.2.2 a will waits its delay, and the return of the client cancels it', async () => {
  const watcher = await rig.client('w');
  await watcher.subscribe('delayed/#');
  const will = {
    topic: 'delayed/will',
    payload: Buffer.from('x'),
    qos: 0 as const,
    retain: false,
    properties: { willDelayInterval: 3600 },
  };
  const properties = { sessionExpiryInterval: 7200 };
  const first = await rig.client('late', { will, properties });
  first.destroy();
  const second = await rig.client('late', { clean: false, properties });
  assert.ok(second.connack.sessionPresent);
  second.send({ cmd: 'disconnect', reasonCode: 0 });
  await second.end();
  assert.equal(await watcher.flush(), []);
  // [MQTT-3.1.2-8]: with the end of the session the wait ends.
  const third = await rig.client('late', { clean: true, will, properties });
  third.destroy();
  await rig.client('late', { clean: true });
  assert.is((await watcher.expect('publish')).topic, 'delayed/will');
});

test('3.14.2.1 DISCONNECT with reason 4 publishes the will', async () => {
  const watcher = await rig.client('w');
  await watcher.subscribe('will4');
  const leaving = await rig.client('l', { will: { topic: 'will4', payload: Buffer.from('x'), qos: 0, retain: false } });
  leaving.send({ cmd: 'disconnect', reasonCode: 4 });
  assert.is((await watcher.expect('publish')).topic, 'will4');
});

test('[MQTT-3.1.2-24] a message larger than the client takes is not sent, and counted', async () => {
  const small = await rig.client('small', { properties: { maximumPacketSize: 100 } });
  await small.subscribe('size');
  const before = rig.server.broker.counters.droppedTooLarge;
  const publisher = await rig.client('p');
  publisher.publish('size', 'x'.repeat(100));
  publisher.publish('size', 'fits');
  assert.is((await small.expect('publish')).payload.toString(), 'fits');
  assert.is(rig.server.broker.counters.droppedTooLarge, before + 1);
});

test('3.1.3.1 an empty client id is assigned one; 3.1.2.10 too long a keep alive is told', async () => {
  const assigned = await rig.client('', { keepalive: 0 });
  assert.match(assigned.connack.properties?.assignedClientIdentifier ?? '', /^auto-/);
  assert.is(assigned.connack.properties?.serverKeepAlive, 600);
});

test('[MQTT-3.3.4-9] more unacknowledged QoS 2 messages than Receive Maximum: DISCONNECT 0x93', async () => {
  const greedy = await rig.client('greedy');
  const { receiveMaximum = 65535 } = greedy.connack.properties ?? {};
  for (let i = 1; i <= receiveMaximum + 1; i++) greedy.publish('greedy', 'x', { qos: 2, messageId: i });
  const packets = await greedy.end();
  const last = packets[packets.length - 1];
  assert.is(last?.cmd === 'disconnect' && last.reasonCode, 0x93);
});

for (const [topic, reason] of [
  ['$SYS/x', 0x87],
  ['$share/g/x', 0x87],
  ['$foo', 0x87],
] as const) {
  test(`a publish to ${topic} is refused by name, and the connection goes on`, async () => {
    const publisher = await rig.client('p');
    publisher.publish(topic, 'x', { qos: 1, messageId: 1 });
    const puback = await publisher.expect('puback');
    assert.is(puback.reasonCode, reason);
    assert.match(puback.properties?.reasonString ?? '', 'begins with $');
    await publisher.flush();
  });
}

test.run();
