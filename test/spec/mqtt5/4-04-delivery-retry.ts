import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { type Client, lasting, Rig, textOf } from '../mqtt/support/rig.ts';

/** MQTT 5.0, 4.3 and 4.4, where reason codes and properties make a difference. What all versions have is in mqtt311. */

const test = suite('mqtt5/4-04-delivery-retry');
const rig = new Rig();
let publisher: Client;
test.before.each(async () => {
  await rig.start();
  publisher = await rig.client('publisher');
});
test.after.each(() => rig.stop());

async function publish(payload: string, qos: 1 | 2, properties: object = {}): Promise<void> {
  publisher.publish('t', payload, { qos, messageId: 1, properties });
  await publisher.next();
  if (qos === 1) return;
  publisher.send({ cmd: 'pubrel', messageId: 1 });
  await publisher.expect('pubcomp');
}

async function gone(client: Client): Promise<void> {
  const { counters } = rig.server.broker;
  const { connections } = counters;
  client.destroy();
  await eventually('the connection is gone', () => counters.connections < connections);
}

async function subscribed(): Promise<Client> {
  const client = await rig.client('c', lasting);
  await client.subscribe('t', 2);
  return client;
}

for (const [qos, cmd] of [
  [1, 'puback'],
  [2, 'pubrec'],
] as const) {
  for (const reasonCode of [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]) {
    test(`[MQTT-4.4.0-2] ${cmd.toUpperCase()} with 0x${reasonCode.toString(16)} acknowledges: no PUBREL, and nothing again`, async () => {
      const first = await subscribed();
      await publish('x', qos);
      const { messageId = 0 } = await first.expect('publish');
      first.send({ cmd, messageId, reasonCode });
      assert.equal(await first.flush(), []);
      await gone(first);
      const again = await rig.client('c', lasting);
      assert.ok(again.connack.sessionPresent);
      await publish('y', 1);
      const next = await again.expect('publish');
      assert.equal([textOf(next), next.dup], ['y', false]);
    });
  }
}

test('[MQTT-4.3.3-4] PUBREC with 0x10, no one has subscribed where the client sends it on, goes on to PUBREL', async () => {
  const client = await subscribed();
  await publish('x', 2);
  const { messageId = 0 } = await client.expect('publish');
  client.send({ cmd: 'pubrec', messageId, reasonCode: 0x10 });
  assert.is((await client.expect('pubrel')).messageId, messageId);
});

test('[MQTT-4.3.3-9] a PUBLISH that the server refused by PUBREC has freed its identifier: the next is a new message', async () => {
  const watcher = await rig.client('w');
  await watcher.subscribe('t', 0);
  publisher.publish('$SYS/x', 'refused', { qos: 2, messageId: 7 });
  assert.is((await publisher.expect('pubrec')).reasonCode, 0x87);
  publisher.send({ cmd: 'pubrel', messageId: 7 });
  assert.is((await publisher.expect('pubcomp')).reasonCode, 0x92);
  publisher.publish('t', 'taken', { qos: 2, messageId: 7 });
  assert.is((await publisher.expect('pubrec')).reasonCode ?? 0, 0);
  publisher.send({ cmd: 'pubrel', messageId: 7 });
  assert.is((await publisher.expect('pubcomp')).reasonCode ?? 0, 0);
  assert.is(textOf(await watcher.expect('publish')), 'taken');
});

test('[MQTT-4.4.0-1] what is sent again has its properties and the identifiers of the subscriptions', async () => {
  const first = await rig.client('c', lasting);
  const properties = { subscriptionIdentifier: 3 };
  first.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 2 }], properties });
  await first.expect('suback');
  const sent = { contentType: 'text/plain', responseTopic: 'r', userProperties: { a: ['1', '2'] } };
  await publish('x', 2, { ...sent, correlationData: Buffer.of(0, 1), payloadFormatIndicator: true });
  const before = await first.expect('publish');
  await gone(first);
  const after = await (await rig.client('c', lasting)).expect('publish');
  assert.is(JSON.stringify(after.properties), JSON.stringify(before.properties));
  assert.is(after.properties?.subscriptionIdentifier, 3);
});

test('[MQTT-3.1.2-24] what is too large for the new connection is not sent again, and what follows is', async () => {
  const first = await subscribed();
  await publish('x'.repeat(200), 1);
  await publish('small', 2);
  for (let i = 0; i < 2; i++) await first.expect('publish');
  await gone(first);
  const narrow = { clean: false, properties: { sessionExpiryInterval: 600, maximumPacketSize: 100 } };
  const again = await rig.client('c', narrow);
  const message = await again.expect('publish');
  assert.equal([textOf(message), message.dup], ['small', true]);
  assert.equal(await again.flush(), []);
});

test('[MQTT-4.4.0-1] what was in flight is sent again though its subscription has ended', async () => {
  const first = await subscribed();
  await publish('x', 1);
  await first.expect('publish');
  first.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['t'] });
  await first.expect('unsuback');
  await gone(first);
  const again = await rig.client('c', lasting);
  const message = await again.expect('publish');
  assert.equal([textOf(message), message.dup], ['x', true]);
  again.send({ cmd: 'puback', messageId: message.messageId ?? 0 });
  assert.equal(await again.flush(), []);
});

test('4.1 a session whose connection is taken over by a clean start sends nothing again', async () => {
  const first = await subscribed();
  await publish('x', 2);
  await first.expect('publish');
  const clean = await rig.client('c', { clean: true, ...{ properties: lasting.properties } });
  assert.not(clean.connack.sessionPresent);
  await publish('y', 1);
  assert.equal(await clean.flush(), []);
});

test('[MQTT-4.3.3-10] PUBLISH of QoS 2 with an unreleased identifier and an alias is taken once, and the alias holds', async () => {
  const watcher = await rig.client('w');
  await watcher.subscribe('alias/#', 0);
  for (const topic of ['alias/x', '']) {
    publisher.publish(topic, 'x', { qos: 2, messageId: 7, properties: { topicAlias: 1 } });
    await publisher.expect('pubrec');
  }
  publisher.publish('', 'y', { properties: { topicAlias: 1 } });
  await publisher.flush();
  assert.equal(
    (await watcher.flush()).map((each) => each.cmd === 'publish' && textOf(each)),
    ['x', 'y'],
  );
});

test.run();
