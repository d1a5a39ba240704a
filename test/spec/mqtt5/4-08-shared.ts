import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { type Packet, RawMqtt } from '../../support/mqtt-client.ts';

/** MQTT 5.0, 4.8.2: shared subscriptions. */

const test = suite('mqtt5/4-08-shared');
let server: TestBroker;
const clients: RawMqtt[] = [];

test.before.each(async () => {
  server = await startBroker();
});
test.after.each(async () => {
  for (const each of clients.splice(0)) each.destroy();
  await server.broker.stop();
});

async function client(clientId: string, options: object = {}): Promise<RawMqtt> {
  const connected = await RawMqtt.connect(server.mqtt, { clientId, protocolVersion: 5, ...options });
  clients.push(connected);
  return connected;
}

const lasting = { clean: false, properties: { sessionExpiryInterval: 600 } };

async function publish(publisher: RawMqtt, topic: string, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) publisher.publish(topic, `${i}`, { qos: 1, messageId: i + 1 });
  for (let i = from; i < to; i++) await publisher.expect('puback');
}

const payloads = (packets: readonly Packet[]): string[] =>
  packets.flatMap((packet) => (packet.cmd === 'publish' ? [packet.payload.toString()] : []));

async function take(member: RawMqtt, acknowledge = true): Promise<string[]> {
  const packets = await member.flush();
  for (const packet of packets) {
    if (acknowledge && packet.cmd === 'publish' && packet.messageId !== undefined)
      member.send({ cmd: 'puback', messageId: packet.messageId });
  }
  return payloads(packets);
}

/** What is on its way: so many messages, or as many as come within two seconds. */
async function collect(member: RawMqtt, count: number): Promise<string[]> {
  const seen: string[] = [];
  for (const end = Date.now() + 2000; seen.length < count && Date.now() < end; ) seen.push(...(await take(member)));
  return seen;
}

test('each message goes to one member, about the same number to each; QoS 0 and 1', async () => {
  const members = [await client('a'), await client('b'), await client('c')];
  for (const member of members) assert.equal(await member.subscribe('$share/g/t/#', 1), [1]);
  const publisher = await client('p');
  await publish(publisher, 't/x', 0, 30);
  for (let i = 30; i < 60; i++) publisher.publish('t/y', `${i}`);
  await publisher.flush();
  const seen = await Promise.all(members.map((member) => take(member)));
  assert.equal(
    seen
      .flat()
      .map(Number)
      .sort((a, b) => a - b),
    Array.from({ length: 60 }, (_, i) => i),
  );
  for (const each of seen) assert.is(each.length, 20);
});

test('groups, and members with a subscription of their own, do not take from each other', async () => {
  const member = await client('a');
  await member.subscribe('$share/g1/t', 1);
  await member.subscribe('$share/g2/t', 1);
  await member.subscribe('t', 1);
  await publish(await client('p'), 't', 0, 2);
  assert.equal((await take(member)).sort(), ['0', '0', '0', '1', '1', '1']);
});

test('[MQTT-4.8.2-5] what a lost member did not acknowledge goes to another, and nothing else twice', async () => {
  const [lost, other] = [await client('lost'), await client('other')];
  for (const member of [lost, other]) await member.subscribe('$share/g/t', 1);
  const publisher = await client('p');
  await publish(publisher, 't', 0, 20);
  const withLost = payloads(await lost.flush());
  assert.is(withLost.length, 10);
  const first = await take(other);
  lost.destroy();
  const rest = await collect(other, 10);
  assert.equal(
    [...first, ...rest].map(Number).sort((a, b) => a - b),
    [...Array(20).keys()],
  );
  assert.equal(rest.sort(), withLost.sort());
});

test('a member whose window is full leaves messages to others', async () => {
  const slow = await client('slow', { properties: { receiveMaximum: 1 } });
  const quick = await client('quick');
  for (const member of [slow, quick]) await member.subscribe('$share/g/t', 1);
  await publish(await client('p'), 't', 0, 11);
  assert.is(payloads(await slow.flush()).length, 1);
  assert.is((await take(quick)).length, 10);
});

test('a group of a durable session waits for it, and goes on where it stood', async () => {
  const first = await client('durable', lasting);
  await first.subscribe('$share/g/t', 1);
  const publisher = await client('p');
  await publish(publisher, 't', 0, 3);
  assert.equal(await take(first), ['0', '1', '2']);
  await first.flush();
  first.send({ cmd: 'disconnect', reasonCode: 0 });
  await first.end();
  await publish(publisher, 't', 3, 6);
  const again = await client('durable', lasting);
  assert.equal(await collect(again, 3), ['3', '4', '5']);
});

test('a group that nobody has any more is forgotten', async () => {
  const first = await client('a');
  await first.subscribe('$share/g/t', 1);
  first.destroy();
  await first.end();
  const publisher = await client('p');
  await publish(publisher, 't', 0, 3);
  const second = await client('b');
  await second.subscribe('$share/g/t', 1);
  assert.equal(await take(second), []);
  await publish(publisher, 't', 3, 4);
  assert.equal(await take(second), ['3']);
});

test('after UNSUBSCRIBE a member gets nothing more, and the others all', async () => {
  const [one, two] = [await client('a'), await client('b')];
  for (const member of [one, two]) await member.subscribe('$share/g/t', 1);
  one.send({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['$share/g/t', '$share/g/u'] });
  assert.equal((await one.expect('unsuback')).granted, [0, 0x11]);
  await publish(await client('p'), 't', 0, 4);
  assert.equal(await take(one), []);
  assert.equal(await take(two), ['0', '1', '2', '3']);
});

test('retained messages are not sent to a group', async () => {
  const publisher = await client('p');
  publisher.publish('t', 'kept', { qos: 1, retain: true, messageId: 1 });
  await publisher.expect('puback');
  const member = await client('a');
  await member.subscribe('$share/g/t', 1);
  assert.equal(await take(member), []);
});

test('[MQTT-4.8.2-1] [MQTT-4.8.2-2] filters without a name or a filter are refused', async () => {
  const member = await client('a');
  for (const filter of ['$share/g', '$share/g/', '$share//t', '$share/', '$share/g+/t', '$share/#/t', '$share/g/t#']) {
    assert.equal(await member.subscribe(filter, 1), [0x8f], filter);
  }
});

test('[MQTT-3.8.3-4] No Local on a shared subscription is a protocol error', async () => {
  const member = await client('a');
  member.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$share/g/t', qos: 1, nl: true }] });
  assert.is((await member.expect('disconnect')).reasonCode, 0x82);
});

test('QoS 2: a message that is with a member stays with it [MQTT-4.8.2-4]', async () => {
  const [lost, other] = [await client('lost', lasting), await client('other')];
  for (const member of [lost, other]) await member.subscribe('$share/g/t', 2);
  const publisher = await client('p');
  for (let i = 0; i < 2; i++) {
    publisher.publish('t', `${i}`, { qos: 2, messageId: i + 1 });
    await publisher.expect('pubrec');
    publisher.send({ cmd: 'pubrel', messageId: i + 1 });
    await publisher.expect('pubcomp');
  }
  const packet = await lost.expect('publish');
  const held = packet.payload.toString();
  lost.destroy();
  await lost.end();
  assert.equal(payloads(await other.flush()), [held === '0' ? '1' : '0']);
  const again = await client('lost', lasting);
  const repeated = await again.expect('publish');
  assert.equal([repeated.payload.toString(), repeated.dup, repeated.messageId], [held, true, packet.messageId]);
});

test('[MQTT-4.8.2-3] each member gets messages at the QoS that it was granted', async () => {
  const publisher = await client('p');
  for (const granted of [0, 1, 2] as const) {
    const member = await client(`q${granted}`);
    assert.equal(await member.subscribe(`$share/q${granted}/t`, granted), [granted]);
    for (const qos of [0, 1, 2] as const) {
      publisher.publish('t', `${qos}`, { qos, messageId: qos + 1 });
      const message = await member.expect('publish');
      assert.equal([message.qos, message.payload.toString()], [Math.min(qos, granted), `${qos}`]);
      if (qos > 0) await publisher.next();
      if (qos === 2) publisher.send({ cmd: 'pubrel', messageId: 3 });
      if (qos === 2) await publisher.expect('pubcomp');
      const { messageId } = message;
      if (messageId !== undefined) member.send({ cmd: message.qos === 1 ? 'puback' : 'pubrec', messageId });
    }
    member.destroy();
  }
});

test('4.8.2 members of one group with different QoS: each its own', async () => {
  const members = [await client('m0'), await client('m2')];
  await members[0]?.subscribe('$share/g/t', 0);
  await members[1]?.subscribe('$share/g/t', 2);
  await publish(await client('p'), 't', 0, 10);
  const seen = await Promise.all(members.map((each) => each.flush()));
  const qos = seen.map((packets) => packets.map((each) => each.cmd === 'publish' && each.qos));
  assert.equal(
    qos.map((each) => new Set(each).size),
    [1, 1],
  );
  assert.equal([qos[0]?.[0], qos[1]?.[0]], [0, 1]);
  assert.is(seen.flat().length, 10);
});

for (const [qos, cmd] of [
  [1, 'puback'],
  [2, 'pubrec'],
] as const) {
  test(`[MQTT-4.8.2-6] what a member refuses by ${cmd.toUpperCase()} is sent to nobody`, async () => {
    const [picky, other] = [await client('picky', { properties: { receiveMaximum: 1 } }), await client('other')];
    await picky.subscribe('$share/g/t', qos);
    const publisher = await client('p');
    publisher.publish('t', 'refused', { qos, messageId: 1 });
    await publisher.next();
    const message = await picky.expect('publish');
    await other.subscribe('$share/g/t', qos);
    picky.send({ cmd, messageId: message.messageId ?? 0, reasonCode: 0x80 });
    assert.equal(payloads(await picky.flush()), []);
    picky.destroy();
    await picky.end();
    assert.equal(payloads(await other.flush()), []);
    await publish(publisher, 't', 5, 6);
    assert.is((await other.expect('publish')).payload.toString(), '5');
  });
}

test('[MQTT-4.8.2-5] QoS 2 that is with a member whose session ends goes to nobody else', async () => {
  const [lost, other] = [await client('lost'), await client('other')];
  await lost.subscribe('$share/g/t', 2);
  const publisher = await client('p');
  publisher.publish('t', 'x', { qos: 2, messageId: 1 });
  await publisher.expect('pubrec');
  await lost.expect('publish');
  await other.subscribe('$share/g/t', 2);
  lost.destroy();
  await lost.end();
  assert.equal(payloads(await other.flush()), []);
  assert.equal(await collect(other, 1), []);
});

test('4.8.2 other names and other filters are other groups', async () => {
  const member = await client('m');
  for (const filter of ['$share/g/t/+', '$share/G/t/+', '$share/g/t/#', '$share/g/t/x', '$share/g g/t/x']) {
    assert.equal(await member.subscribe(filter, 0), [0]);
  }
  (await client('p')).publish('t/x', 'x');
  for (let i = 0; i < 5; i++) assert.is((await member.expect('publish')).payload.toString(), 'x');
  assert.equal(await member.flush(), []);
});

test('4.8.2 wildcards and $ in a shared filter are as in any other', async () => {
  const member = await client('m');
  for (const filter of ['$share/all/#', '$share/level/+/x', '$share/slash//#']) await member.subscribe(filter, 0);
  const publisher = await client('p');
  for (const topic of ['a/x', '/x', 'a', '$SYS/x']) publisher.publish(topic, topic);
  await publisher.flush();
  const seen = (await member.flush()).map((each) => each.cmd === 'publish' && each.topic).sort();
  assert.equal(
    seen.filter((topic) => topic && !topic.startsWith('$')),
    ['/x', '/x', '/x', 'a', 'a/x', 'a/x'],
  );
  assert.equal(
    seen.filter((topic) => topic === '$SYS/x'),
    [],
  );
});

test('3.8.2.1.2 Subscription Identifiers of a shared subscription are the member’s own', async () => {
  const member = await client('m');
  const properties = { subscriptionIdentifier: 42 };
  member.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$share/g/t', qos: 1 }], properties });
  await member.expect('suback');
  await publish(await client('p'), 't', 0, 1);
  assert.is((await member.expect('publish')).properties?.subscriptionIdentifier, 42);
});

test('4.8.2 a subscription of its own beside the shared one: its messages are two', async () => {
  const [both, other] = [await client('both'), await client('other')];
  for (const member of [both, other]) await member.subscribe('$share/g/t', 1);
  await both.subscribe('t', 1);
  await publish(await client('p'), 't', 0, 10);
  const [seen, rest] = [await take(both), await take(other)];
  assert.is(seen.length + rest.length, 20);
  assert.is(rest.length, 5);
});

test('[MQTT-3.8.3-4] … and No Local in one of many filters refuses the packet as a whole', async () => {
  const member = await client('m', lasting);
  const subscriptions = [
    { topic: 'plain', qos: 0 as const },
    { topic: '$share/g/t', qos: 0 as const, nl: true },
  ];
  member.send({ cmd: 'subscribe', messageId: 1, subscriptions });
  assert.is((await member.expect('disconnect')).reasonCode, 0x82);
  await member.end();
});

test.run();
