import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { RawStomp } from '../../support/stomp-client.ts';
import { type Client, lasting, Rig, subscribe } from './support/rig.ts';

/** MQTT 5.0, 3.4.2.1 and 3.5.2.1: 0x10, No matching subscribers, where that is certain. */

const NONE = 0x10;

const test = suite('mqtt/unmatched');
const rig = new Rig();
test.before.each(() => rig.start({ queues: { declared: [{ name: 'work', bindings: ['bound/#'] }] } }));
test.after.each(() => rig.stop());

/** The reason code of PUBACK or PUBREC. */
async function told(client: Client, topic: string, qos: 1 | 2 = 1, options: object = {}): Promise<number> {
  client.publish(topic, 'x', { qos, messageId: 7, ...options });
  const { reasonCode = 0 } = await (qos === 1 ? client.expect('puback') : client.expect('pubrec'));
  if (qos === 2) {
    client.send({ cmd: 'pubrel', messageId: 7 });
    assert.is((await client.expect('pubcomp')).reasonCode ?? 0, 0);
  }
  return reasonCode;
}

test('3.4.2.1 PUBACK, 3.5.2.1 PUBREC: 0x10 where no one subscribes, 0x00 from the first subscription to the last', async () => {
  const publisher = await rig.client('p');
  for (const qos of [1, 2] as const) assert.is(await told(publisher, 'a/b', qos), NONE);
  for (const [granted, filter] of [
    [0, 'a/b'],
    [1, 'a/+'],
    [2, '#'],
  ] as const) {
    const subscriber = await rig.client('s');
    await subscriber.subscribe(filter, granted);
    for (const qos of [1, 2] as const) assert.is(await told(publisher, 'a/b', qos), 0, `${filter} at QoS ${granted}`);
    subscriber.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [filter] });
    await eventually('UNSUBACK', async () => (await subscriber.next()).cmd === 'unsuback');
    for (const qos of [1, 2] as const) assert.is(await told(publisher, 'a/b', qos), NONE, `after ${filter}`);
  }
});

test('a session that outlives its connection: 0x10 as well, and its identifier is remembered', async () => {
  const publisher = await rig.client('p', lasting);
  for (const qos of [1, 2] as const) assert.is(await told(publisher, 'a', qos), NONE);
});

test('before MQTT 5 there is no reason code', async () => {
  const publisher = await rig.client('p', { protocolVersion: 4 });
  publisher.publish('a', 'x', { qos: 1, messageId: 7 });
  const puback = await publisher.expect('puback');
  assert.equal([puback.reasonCode, puback.length], [undefined, 2]);
});

test('a retained message that nobody subscribes to is kept, and told with 0x10', async () => {
  const publisher = await rig.client('p');
  assert.is(await told(publisher, 'kept', 1, { retain: true }), NONE);
  await publisher.subscribe('kept');
  assert.ok((await publisher.expect('publish')).retain);
});

test("a client's own subscription counts, with No Local as well", async () => {
  const publisher = await rig.client('p');
  await publisher.subscribe('own', 1, { nl: true });
  assert.is(await told(publisher, 'own'), 0);
});

test('a subscriber of another protocol counts', async () => {
  const publisher = await rig.client('p');
  const stomp = await RawStomp.connect(rig.server.stomp);
  stomp.send('SUBSCRIBE', { id: '1', destination: '/topic/a', receipt: 'r' });
  await stomp.expect('RECEIPT');
  assert.is(await told(publisher, 'a'), 0);
  stomp.socket.destroy();
  await eventually('it is gone', async () => (await told(publisher, 'a')) === NONE);
});

test('a bound queue counts, with or without consumers, and so does $queue', async () => {
  const publisher = await rig.client('p');
  assert.equal([await told(publisher, 'bound/a'), await told(publisher, 'bound/a', 2)], [0, 0]);
  assert.is(await told(publisher, '$queue/work'), 0);
  assert.is(await told(publisher, 'unbound'), NONE);
});

test('a group counts as long as it is kept, with or without members', async () => {
  const publisher = await rig.client('p');
  const member = await rig.client('m', lasting);
  await subscribe(member, '$share/g/a');
  assert.is(await told(publisher, 'a'), 0);
  await member.expect('publish');
  member.send({ cmd: 'disconnect', properties: { sessionExpiryInterval: 600 } });
  await member.end();
  assert.is(await told(publisher, 'a'), 0);
});

test('a session without its connection may be for it: 0x00 as long as one is kept, and while it returns', async () => {
  const publisher = await rig.client('p');
  const away = await rig.client('away', lasting);
  await away.subscribe('a', 1);
  away.send({ cmd: 'disconnect' });
  await away.end();
  assert.equal([await told(publisher, 'a'), await told(publisher, 'unheard of')], [0, 0]);
  const back = await rig.client('away', lasting);
  assert.ok(back.connack.sessionPresent);
  await back.expect('publish');
  assert.equal([await told(publisher, 'a'), await told(publisher, 'unheard of')], [0, NONE]);
  back.send({ cmd: 'disconnect', properties: { sessionExpiryInterval: 0 } });
  await back.end();
  assert.is(await told(publisher, 'a'), NONE);
});

test('a session whose connection is lost is never out of sight', async () => {
  const publisher = await rig.client('p');
  const lost = await rig.client('lost', lasting);
  await lost.subscribe('a', 1);
  lost.destroy();
  for (let i = 0; i < 50; i++) assert.is(await told(publisher, 'a'), 0);
});

test.run();
