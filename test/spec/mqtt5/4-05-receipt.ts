import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, lasting, Rig, textOf } from '../mqtt/support/rig.ts';

/** MQTT 5.0, 4.5: a message is for every client with a subscription that matches; each subscription has its options. */

const test = suite('mqtt5/4-05-receipt');
const rig = new Rig();
test.before.each(() => rig.start());
test.after.each(() => rig.stop());

interface Options {
  readonly qos?: 0 | 1 | 2;
  readonly nl?: boolean;
  readonly rap?: boolean;
  readonly rh?: 0 | 1 | 2;
  readonly identifier?: number;
}

async function subscribe(client: Client, topic: string, { identifier, qos = 0, ...options }: Options): Promise<void> {
  const properties = identifier === undefined ? {} : { properties: { subscriptionIdentifier: identifier } };
  client.send({ cmd: 'subscribe', messageId: 99, subscriptions: [{ topic, qos, ...options }], ...properties });
  assert.equal((await client.expect('suback')).granted, [qos]);
}

/** `payload/QoS/RETAIN/identifiers` of each that has come. */
async function seen(client: Client): Promise<string[]> {
  return (await client.flush()).flatMap((each) => {
    if (each.cmd !== 'publish') return [];
    const ids = [each.properties?.subscriptionIdentifier ?? []].flat().sort((a, b) => a - b);
    return [`${textOf(each)}/${each.qos}/${each.retain}/${ids.join()}`];
  });
}

async function publish(client: Client, topic: string, payload: string, retain = false): Promise<void> {
  client.publish(topic, payload, { qos: 1, messageId: 1, retain });
  for (let next = await client.next(); next.cmd !== 'puback'; next = await client.next());
}

for (const qos of [0, 1, 2] as const) {
  test(`[MQTT-3.3.4-3] [MQTT-3.3.4-4] all identifiers of the subscriptions that match, at QoS ${qos}; one that has none adds none`, async () => {
    const [client, publisher] = [await rig.client('c'), await rig.client('p')];
    await subscribe(client, 'a/+', { qos, identifier: 1 });
    await subscribe(client, 'a/#', { qos, identifier: 268_435_455 });
    await subscribe(client, 'a/b', { qos });
    await subscribe(client, '+/b', { qos, identifier: 1 });
    await subscribe(client, 'other', { qos, identifier: 7 });
    publisher.publish('a/b', 'x', { qos, messageId: 1 });
    const message = await client.expect('publish');
    const ids = [message.properties?.subscriptionIdentifier ?? []].flat().sort((a, b) => a - b);
    assert.ok(ids.join() === '1,1,268435455' || ids.join() === '1,268435455', ids.join());
    assert.equal(await client.flush(), []);
  });
}

test('3.8.2.1.2 replacing a subscription replaces its identifier, and takes it away', async () => {
  const [client, publisher] = [await rig.client('c'), await rig.client('p')];
  for (const identifier of [5, 6, undefined]) {
    await subscribe(client, 't', identifier === undefined ? {} : { identifier });
    publisher.publish('t', 'x');
    await publisher.flush();
    assert.equal(await seen(client), [`x/0/false/${identifier ?? ''}`]);
  }
});

test('4.1 identifiers are part of the session: for what waited, and for what is sent again', async () => {
  const [first, publisher] = [await rig.client('c', lasting), await rig.client('p')];
  await subscribe(first, 't', { qos: 1, identifier: 9 });
  await publish(publisher, 't', 'flight');
  await first.expect('publish');
  first.destroy();
  await publish(publisher, 't', 'waited');
  const again = await rig.client('c', lasting);
  for (const payload of ['flight', 'waited']) {
    const message = await again.expect('publish');
    assert.equal([textOf(message), message.properties?.subscriptionIdentifier], [payload, 9]);
  }
});

test('[MQTT-3.8.3-3] No Local holds for retained messages, too, and for what waited', async () => {
  const [client, other] = [await rig.client('c', lasting), await rig.client('o')];
  await publish(client, 'r/own', 'own', true);
  await publish(other, 'r/other', 'other', true);
  await subscribe(client, 'r/#', { qos: 1, nl: true });
  const packets = await seen(client);
  assert.equal(packets, ['other/1/true/']);
  client.send({ cmd: 'puback', messageId: 1 });
  await client.flush();
  await publish(client, 'r/own', 'own');
  client.destroy();
  const again = await rig.client('c', lasting);
  assert.equal(await seen(again), []);
});

test('[MQTT-3.8.3-3] No Local is about the client identifier, whatever the connection', async () => {
  const first = await rig.client('c', lasting);
  await subscribe(first, 't', { qos: 1, nl: true });
  await publish(first, 't', 'by the first');
  const second = await rig.client('c', lasting);
  await publish(second, 't', 'by the second');
  assert.equal(await seen(second), []);
});

test('[MQTT-3.3.1-12] [MQTT-3.3.1-13] overlapping: Retain As Published of any of them keeps the flag', async () => {
  const [client, publisher] = [await rig.client('c'), await rig.client('p')];
  await subscribe(client, 't/#', { rap: false });
  publisher.publish('t/x', '1', { retain: true });
  await publisher.flush();
  assert.equal(await seen(client), ['1/0/false/']);
  await subscribe(client, 't/+', { rap: true, rh: 2 });
  publisher.publish('t/x', '2', { retain: true });
  publisher.publish('t/x', '3');
  await publisher.flush();
  assert.equal(await seen(client), ['2/0/true/', '3/0/false/']);
});

test('[MQTT-3.3.1-13] Retain As Published: for what waited, and for what is sent again', async () => {
  const [first, publisher] = [await rig.client('c', lasting), await rig.client('p')];
  await subscribe(first, 't', { qos: 1, rap: true, rh: 2 });
  await publish(publisher, 't', 'flight', true);
  await first.expect('publish');
  first.destroy();
  await publish(publisher, 't', 'waited', true);
  const again = await rig.client('c', lasting);
  assert.equal(
    [await again.expect('publish'), await again.expect('publish')].map((each) => [textOf(each), each.retain]),
    [
      ['flight', true],
      ['waited', true],
    ],
  );
});

test('[MQTT-3.1.2-24] [MQTT-3.1.2-25] too large for a client: not sent to it, to others it is; QoS 1 and 2 are done with', async () => {
  const options = { properties: { maximumPacketSize: 100, sessionExpiryInterval: 600 }, clean: false };
  const [small, large, publisher] = [
    await rig.client('small', options),
    await rig.client('large'),
    await rig.client('p'),
  ];
  for (const each of [small, large]) await subscribe(each, 't', { qos: 2 });
  for (const qos of [0, 1, 2] as const) publisher.publish('t', `${qos}`.repeat(100), { qos, messageId: qos + 1 });
  await publish(publisher, 't', 'fits');
  assert.equal(
    (await seen(small)).map((each) => each.split('/')[0]),
    ['fits'],
  );
  for (let i = 0; i < 4; i++) await large.expect('publish');
  small.destroy();
  const again = await rig.client('small', options);
  assert.equal(
    (await seen(again)).map((each) => each.split('/')[0]),
    ['fits'],
  );
});

test('[MQTT-3.1.2-24] exactly as large as it takes, and one byte more', async () => {
  const publisher = await rig.client('p');
  const small = await rig.client('small', { properties: { maximumPacketSize: 40 } });
  await subscribe(small, 't', {});
  // 2 fixed, 3 topic, 1 properties.
  publisher.publish('t', 'x'.repeat(35));
  publisher.publish('t', 'y'.repeat(34));
  await publisher.flush();
  assert.equal(await seen(small), [`${'y'.repeat(34)}/0/false/`]);
});

test.run();
