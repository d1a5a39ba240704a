import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, hold, lasting, publish, Rig, receive, subscribe, textOf } from './support/rig.ts';
import { TopicNames } from './support/topic-names.ts';

/** Maximum Packet Size of a client (MQTT 5.0, 3.1.2.11.4): what is larger is not sent, counted, and done with. */

const test = suite('mqtt/packet-size');
const rig = new Rig();

test.before(() => rig.start());
test.after(() => rig.stop());
test.after.each(() => rig.leave());

const MAXIMUM = 100;
/** Bytes of a PUBLISH of QoS 1 or 2 to `size/x` beside its payload: two of fixed header, topic, identifier, no properties. */
const REST = 2 + 8 + 2 + 1;
const FITS = 'x'.repeat(MAXIMUM - REST);
const TOO_LARGE = `${FITS}x`;

const dropped = () => rig.server.broker.counters.droppedTooLarge;
const limited = (more: object = {}) => ({ properties: { maximumPacketSize: MAXIMUM, ...more } });

/** Publishes at QoS 2, to the end. */
async function publishOnce(sender: Client, topic: string, payload: string): Promise<void> {
  sender.publish(topic, payload, { qos: 2, messageId: 1 });
  await sender.expect('pubrec');
  sender.send({ cmd: 'pubrel', messageId: 1 });
  await sender.expect('pubcomp');
}

for (const qos of [1, 2] as const) {
  test(`[MQTT-3.1.2-24] [MQTT-3.1.2-25] QoS ${qos}: a packet of the maximum is sent, one of a byte more is not, and holds nothing up`, async () => {
    const [small, sender] = [await rig.client('small', limited({ receiveMaximum: 2 })), await rig.client('c')];
    await small.subscribe('size/x', qos);
    const before = dropped();
    // More of them than the window has places: they take none.
    for (let i = 0; i < 5; i++) await publishOnce(sender, 'size/x', TOO_LARGE);
    await publishOnce(sender, 'size/x', FITS);
    const [message] = await hold(small, 1);
    assert.equal([message && textOf(message), message?.qos], [FITS, qos]);
    assert.equal(await small.flush(), []);
    assert.is(dropped(), before + 5);
  });
}

test('[MQTT-3.1.2-25] what is too large for one goes to the others, as ever', async () => {
  const [small, large] = [await rig.client('small', limited()), await rig.client('large')];
  const sender = await rig.client('c');
  for (const client of [small, large]) await client.subscribe('size/x', 1);
  await publish(sender, 'size/x', [TOO_LARGE, FITS]);
  assert.equal((await hold(large, 2)).map(textOf), [TOO_LARGE, FITS]);
  assert.equal((await hold(small, 1)).map(textOf), [FITS]);
});

test('[MQTT-3.1.2-24] retained messages, and properties count: Subscription Identifiers, user properties, positions', async () => {
  const sender = await rig.client('c');
  for (const [topic, payload] of [
    ['size/1', FITS],
    ['size/2', TOO_LARGE],
  ] as const) {
    sender.publish(topic, payload, { qos: 1, messageId: 1, retain: true });
    await sender.expect('puback');
  }
  const small = await rig.client('small', limited());
  const before = dropped();
  await small.subscribe('size/+', 1);
  assert.equal((await hold(small, 1)).map(textOf), [FITS]);
  small.send({
    cmd: 'subscribe',
    messageId: 2,
    properties: { subscriptionIdentifier: 5 },
    subscriptions: [{ topic: 'size/1', qos: 1 }],
  });
  await small.expect('suback');
  assert.equal(await small.flush(), []);
  assert.is(dropped(), before + 2);
  const plain = await rig.client('plain', limited());
  await subscribe(plain, 'pos/x', { positions: 'true' });
  await publish(sender, 'pos/x', [FITS, 'short']);
  assert.equal((await hold(plain, 1)).map(textOf), ['short']);
  assert.is(dropped(), before + 3);
  await publish(sender, 'size/1', ['last'], { long: 'x'.repeat(MAXIMUM) });
  assert.equal(await small.flush(), []);
  assert.is(dropped(), before + 4);
  for (const topic of ['size/1', 'size/2']) sender.publish(topic, '', { retain: true });
  await sender.flush();
});

test('[MQTT-3.1.2-25] a replay goes on behind it; in a group it is done with, for nobody else gets it', async () => {
  const sender = await rig.client('c');
  await publish(sender, 'size/log', [TOO_LARGE, 'a', TOO_LARGE, 'b']);
  const small = await rig.client('small', limited());
  const before = dropped();
  await subscribe(small, 'size/log', { start: 'first' });
  assert.equal((await receive(small, 2)).map(textOf), ['a', 'b']);
  assert.is(dropped(), before + 2);
  await small.subscribe('$share/g/size/group', 1);
  await publish(sender, 'size/group', [TOO_LARGE, 'c']);
  assert.equal((await receive(small, 1)).map(textOf), ['c']);
  const other = await rig.client('other');
  await other.subscribe('$share/g/size/group', 1);
  await publish(sender, 'size/group', ['d', 'e']);
  const packets = [...(await small.flush()), ...(await other.flush())];
  assert.equal(packets.flatMap((each) => (each.cmd === 'publish' ? [textOf(each)] : [])).sort(), ['d', 'e']);
  assert.is(dropped(), before + 3);
});

test('[MQTT-3.1.2-25] what was in flight and is too large for the next connection is not sent again, and the rest is', async () => {
  const sender = await rig.client('c');
  const first = await rig.client('again', lasting);
  await first.subscribe('size/x', 2);
  await publish(sender, 'size/x', [TOO_LARGE, 'a']);
  await publishOnce(sender, 'size/x', TOO_LARGE);
  await publishOnce(sender, 'size/x', 'b');
  await hold(first, 4);
  const before = dropped();
  const properties = { sessionExpiryInterval: 600, receiveMaximum: 1 };
  const second = await rig.client('again', { clean: false, ...limited(properties) });
  const [a] = await hold(second, 1);
  assert.is(a && textOf(a), 'a');
  second.send({ cmd: 'puback', messageId: a?.messageId ?? 0 });
  assert.equal((await hold(second, 1)).map(textOf), ['b']);
  assert.is(dropped(), before + 2);
  const third = await rig.client('again', lasting);
  assert.equal((await hold(third, 1)).map(textOf), ['b'], 'the others are done with');
  assert.equal(await third.flush(), []);
  await rig.client('again', { clean: true });
});

test('[MQTT-3.1.2-24] an alias counts: what fits with the topic alone goes so, what fits with the alias alone goes by that', async () => {
  const small = await rig.client('small', limited({ topicAliasMaximum: 5 }));
  const sender = await rig.client('c');
  await small.subscribe('size/+', 2);
  const names = new TopicNames(5);
  const before = dropped();
  const arrived = async () => {
    const [message] = await hold(small, 1);
    if (message === undefined) throw new Error('no message');
    assert.is(names.of(message), 'size/x');
    return textOf(message);
  };
  // With the alias beside the topic it would be three bytes too large.
  await publish(sender, 'size/x', [FITS]);
  assert.is(await arrived(), FITS);
  assert.equal([names.named, names.learnt, names.aliased], [1, 0, 0]);
  await publish(sender, 'size/x', [FITS.slice(3)]);
  assert.is(await arrived(), FITS.slice(3));
  assert.equal([names.named, names.learnt, names.aliased], [1, 1, 0]);
  // The alias alone saves six bytes of topic, and takes three.
  for (const payload of [`${FITS}xxx`, `${FITS}xxxx`, FITS]) await publishOnce(sender, 'size/x', payload);
  assert.equal([await arrived(), await arrived()], [`${FITS}xxx`, FITS]);
  assert.equal([names.named, names.learnt, names.aliased], [1, 1, 2]);
  assert.is(dropped(), before + 1);
});

test.run();
