import { Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as bytes from '../../support/mqtt-bytes.ts';
import type { RawMqtt } from '../../support/mqtt-client.ts';
import { type Client, hold, lasting, type Publish, publish, Rig, receive, subscribe, textOf } from './support/rig.ts';
import { TopicNames } from './support/topic-names.ts';

/** Topic Aliases (MQTT 5.0, 3.3.2.3.4): from clients, and towards them. */

const OUT = 4;
const test = suite('mqtt/aliases');
const rig = new Rig();

test.before(() => rig.start({ limits: { topicAliasesOut: OUT, inflightOut: 10_000 } }));
test.after(() => rig.stop());
test.after.each(() => rig.leave());

// --- from the client ------------------------------------------------------------------------------------------------

test('[MQTT-3.3.2-12] every alias from 1 to the Topic Alias Maximum of CONNACK is taken, at every QoS, and set anew', async () => {
  const [watcher, sender] = [await rig.client('w'), await rig.client('c')];
  await watcher.subscribe('in/#', 2);
  const { topicAliasMaximum = 0 } = sender.connack.properties ?? {};
  assert.is(topicAliasMaximum, 16);
  let sent = 0;
  for (let alias = 1; alias <= topicAliasMaximum; alias++) {
    for (const topic of [`in/${alias}`, '', `in/other/${alias}`, '']) {
      const qos = ([0, 1, 2] as const)[sent % 3] ?? 0;
      sender.publish(topic, `${sent}`, { qos, messageId: ++sent, properties: { topicAlias: alias } });
    }
  }
  const names = new Map<number, string>();
  while (names.size < sent) {
    const message = await watcher.expect('publish');
    assert.is(message.properties?.topicAlias, undefined, 'this client allows none');
    names.set(Number(textOf(message)), message.topic);
    const { messageId } = message;
    if (messageId !== undefined) watcher.send({ cmd: message.qos === 1 ? 'puback' : 'pubrec', messageId });
    // Before its PUBREL has come: that is behind all messages, for which there is room in the window.
    if (message.qos === 2) watcher.send({ cmd: 'pubcomp', messageId: messageId ?? 0 });
  }
  for (let i = 0; i < sent; i += 4) {
    const alias = i / 4 + 1;
    for (const [at, topic] of [`in/${alias}`, `in/${alias}`, `in/other/${alias}`, `in/other/${alias}`].entries())
      assert.is(names.get(i + at), topic);
  }
});

for (const [what, packet, reason] of [
  ['[MQTT-3.3.2-8] alias 0 with a topic', { topic: 'in/x', topicAlias: 0 }, 0x94],
  ['[MQTT-3.3.2-8] alias 0 alone', { topic: '', topicAlias: 0 }, 0x94],
  ['[MQTT-3.3.2-9] an alias above the maximum with a topic', { topic: 'in/x', topicAlias: 17 }, 0x94],
  ['[MQTT-3.3.2-9] the highest number there is', { topic: '', topicAlias: 65_535 }, 0x94],
  ['3.3.2.3.4 an alias that was not given a topic', { topic: '', topicAlias: 3 }, 0x82],
] as const) {
  for (const qos of [0, 1, 2] as const) {
    test(`${what}, QoS ${qos}: DISCONNECT 0x${reason.toString(16)}, and nothing is published`, async () => {
      const [watcher, sender] = [await rig.client('w'), await rig.client('c')];
      await watcher.subscribe('#', 0);
      // As bytes: mqtt-packet refuses to write some of them.
      sender.write(
        bytes.publish(packet.topic, 'x', { qos, properties: bytes.section([0x23], bytes.u16(packet.topicAlias)) }),
      );
      assert.is((await sender.expect('disconnect')).reasonCode, reason);
      await sender.end();
      assert.equal(await watcher.flush(), []);
    });
  }
}

test('[MQTT-3.3.2-7] aliases of a connection are not known on the next one, whatever becomes of the session', async () => {
  const first = await rig.client('c', lasting);
  first.publish('in/kept', 'x', { qos: 1, messageId: 1, properties: { topicAlias: 1 } });
  await first.expect('puback');
  const second = await rig.client('c', lasting);
  assert.ok(second.connack.sessionPresent);
  second.publish('', 'x', { qos: 1, messageId: 1, properties: { topicAlias: 1 } });
  assert.is((await second.expect('disconnect')).reasonCode, 0x82);
});

test('3.3.2.3.4 an alias is of its own direction: what the client sets is nothing to the server, and the reverse', async () => {
  const both = await rig.client('both', { properties: { topicAliasMaximum: OUT } });
  await both.subscribe('in/+', 0);
  both.publish('in/theirs', '1', { properties: { topicAlias: 1 } });
  both.publish('in/other', '2', { properties: { topicAlias: 2 } });
  const names = new TopicNames(OUT);
  for (const topic of ['in/theirs', 'in/other']) assert.is(names.of(await both.expect('publish')), topic);
  both.publish('', '3', { properties: { topicAlias: 2 } });
  assert.is(names.of(await both.expect('publish')), 'in/other');
});

// --- to the client --------------------------------------------------------------------------------------------------

test('[MQTT-3.1.2-27] without a Topic Alias Maximum, or with 0, no alias is sent', async () => {
  const sender = await rig.client('c');
  for (const properties of [{}, { topicAliasMaximum: 0 }]) {
    const watcher = await rig.client('w', { properties });
    await watcher.subscribe('out/+', 1);
    for (let i = 0; i < 20; i++) await publish(sender, `out/${i % 2}`, [`${i}`]);
    for (const message of await receive(watcher, 20)) assert.is(message.properties?.topicAlias, undefined);
  }
});

for (const maximum of [1, 2, OUT, 65_535]) {
  test(`[MQTT-3.1.2-26] a client that allows ${maximum} gets as many as limits.topicAliasesOut at most, at every QoS`, async () => {
    const sender = await rig.client('c');
    const watcher = await rig.client('w', { properties: { topicAliasMaximum: maximum } });
    await watcher.subscribe('out/#', 1);
    const count = 300;
    for (let i = 0; i < count; i++) {
      const qos = i % 2 === 0 ? 0 : 1;
      sender.publish(`out/${i % 7}/topic`, `${i}`, { qos, messageId: i + 1 });
    }
    const names = new TopicNames(Math.min(maximum, OUT));
    for (const message of await hold(watcher, count))
      assert.is(names.of(message), `out/${Number(textOf(message)) % 7}/topic`);
    assert.ok(names.aliased > 10, `${names.aliased} of ${count} were sent as an alias alone`);
  });
}

test('3.3.2.3.4 the topic and its alias come first, then the alias alone; QoS 2 and DUP go by it as well', async () => {
  const sender = await rig.client('c');
  const watcher = await rig.client('w', { properties: { topicAliasMaximum: 10 } });
  await watcher.subscribe('out/two', 2);
  for (const [i, qos] of ([2, 1, 0, 2] as const).entries()) {
    sender.publish('out/two', `${i}`, { qos, messageId: i + 1 });
    const message = await watcher.expect('publish');
    const named = [message.topic, message.properties?.topicAlias, message.qos, textOf(message)];
    assert.equal(named, [i === 0 ? 'out/two' : '', 1, qos, `${i}`]);
  }
});

test('the topics that are used most have the aliases', async () => {
  const sender = await rig.client('c');
  const watcher = await rig.client('w', { properties: { topicAliasMaximum: 2 } });
  await watcher.subscribe('out/#', 0);
  for (let i = 0; i < 20; i++) sender.publish(`out/once/${i}`, 'x');
  for (let i = 0; i < 200; i++) sender.publish(i % 10 === 9 ? `out/rare/${i}` : `out/hot/${i % 2}`, 'x');
  await sender.flush();
  const names = new TopicNames(2);
  const packets = (await watcher.flush()).filter((each): each is Publish => each.cmd === 'publish');
  assert.is(packets.length, 220);
  for (const packet of packets) names.of(packet);
  assert.ok(names.aliased > 150, `${names.aliased} of 180 that are possible`);
});

test('a message to many is encoded once for each way of naming its topic: versions, maxima, QoS and properties mixed', async () => {
  const watchers: { client: Client; names: TopicNames; maximum: number; qos: 0 | 1 }[] = [];
  for (let i = 0; i < 12; i++) {
    const [maximum, qos, version] = [[0, 1, 3, 4][i % 4] ?? 0, i % 3 === 0 ? 0 : 1, i % 6 === 0 ? 4 : 5] as const;
    const properties = version === 5 ? { properties: { topicAliasMaximum: maximum } } : {};
    const client = await rig.client(`w${i}`, { protocolVersion: version, ...properties });
    // Each knows another topic by its alias 1.
    await client.subscribe(`own/${i}`, 0);
    await client.subscribe('out/#', qos);
    watchers.push({ client, names: new TopicNames(maximum), maximum: version === 5 ? maximum : 0, qos });
  }
  const sender = await rig.client('c');
  for (let i = 0; i < 12; i += 2) sender.publish(`own/${i}`, 'x');
  const count = 60;
  for (let i = 0; i < count; i++) {
    const properties = i % 5 === 0 ? { userProperties: { n: `${i}` }, contentType: 'x'.repeat(130) } : {};
    sender.publish(`out/${i % 5}/long`, `${i}`, { qos: i % 3 === 0 ? 0 : 1, messageId: i + 1, properties });
  }
  await sender.flush();
  for (const [i, { client, names, maximum, qos }] of watchers.entries()) {
    const messages = await hold(client, count + (i % 2 === 0 ? 1 : 0));
    const ofAll = messages.flatMap((each) => (names.of(each).startsWith('out/') ? [{ each }] : []));
    assert.is(ofAll.length, count);
    const ids = new Set<number>();
    for (const { each } of ofAll) {
      const n = Number(textOf(each));
      assert.is(each.qos, qos === 0 || n % 3 === 0 ? 0 : 1);
      if (each.messageId !== undefined) ids.add(each.messageId);
      if (n % 5 === 0 && i % 6 !== 0) assert.is(each.properties?.userProperties?.n, `${n}`);
    }
    assert.is(ids.size, qos === 0 ? 0 : 40, 'every packet identifier is another one [MQTT-2.2.1-4]');
    if (maximum > 0) assert.ok(names.aliased > 0, `watcher ${i}`);
    else assert.is(names.aliased + names.learnt, 0);
  }
});

test('[MQTT-3.3.2-7] what is sent again on a new connection has its topic, whatever the last one knew', async () => {
  const options = { clean: false, properties: { sessionExpiryInterval: 600, topicAliasMaximum: 3 } };
  const sender = await rig.client('c');
  const first = await rig.client('again', options);
  await first.subscribe('out/again/+', 2);
  for (let i = 0; i < 9; i++) {
    sender.publish(`out/again/${i % 3}`, `${i}`, { qos: i % 2 === 0 ? 1 : 2, messageId: i + 1 });
    await sender.next();
  }
  const before = new TopicNames(3);
  const sent = await hold(first, 9);
  for (const [i, message] of sent.entries()) assert.is(before.of(message), `out/again/${i % 3}`);
  assert.is(before.aliased, 6);
  first.destroy();
  await publish(sender, 'out/again/1', ['9']);
  const second = await rig.client('again', options);
  const names = new TopicNames(3);
  const again = await hold(second, 10);
  for (const [i, message] of again.entries()) {
    assert.is(names.of(message), i === 9 ? 'out/again/1' : `out/again/${i % 3}`);
    assert.is(textOf(message), `${i}`);
    // The last one may have been on its way when the connection went.
    if (i < 9) assert.equal([message.messageId, message.dup], [sent[i]?.messageId, true]);
  }
  assert.equal([names.learnt, names.aliased], [3, 7]);
  await rig.client('again', { clean: true });
});

test('retained messages, replays, groups and queues share the aliases of their connection', async () => {
  const sender = await rig.client('c');
  for (let i = 0; i < 3; i++) {
    sender.publish(`out/kept/${i}`, 'kept', { qos: 1, messageId: 1, retain: true });
    await sender.expect('puback');
  }
  const watcher = await rig.client('w', { properties: { topicAliasMaximum: OUT } });
  const names = new TopicNames(OUT);
  await watcher.subscribe('out/kept/+', 1);
  const seen = async (count: number) => (await receive(watcher, count)).map((each) => names.of(each)).sort();
  assert.equal(await seen(3), ['out/kept/0', 'out/kept/1', 'out/kept/2']);
  await watcher.subscribe('$share/g/out/kept/1', 1);
  await subscribe(watcher, 'out/kept/2', { start: 'first' });
  assert.equal(await seen(1), ['out/kept/2']);
  await watcher.subscribe('$queue/aliased', 1);
  await publish(sender, '$queue/aliased', ['1', '2']);
  assert.equal(await seen(2), ['$queue/aliased', '$queue/aliased']);
  for (let i = 0; i < 3; i++) await publish(sender, `out/kept/${i}`, ['x']);
  // A message comes once for the usual subscription and once for the group.
  assert.equal(await seen(4), ['out/kept/0', 'out/kept/1', 'out/kept/1', 'out/kept/2']);
  assert.equal([names.learnt, names.named], [4, 0]);
  for (let i = 0; i < 3; i++) sender.publish(`out/kept/${i}`, '', { retain: true });
});

test('payloads that go by reference, and Subscription Identifiers, go with an alias as well', async () => {
  const sender = await rig.client('c');
  const watcher = await rig.client('w', { properties: { topicAliasMaximum: OUT } });
  watcher.send({
    cmd: 'subscribe',
    messageId: 1,
    properties: { subscriptionIdentifier: 77 },
    subscriptions: [{ topic: 'out/large', qos: 1 }],
  });
  await watcher.expect('suback');
  const names = new TopicNames(OUT);
  for (const size of [10, 100, 16_383, 16_384, 200_000]) {
    const payload = `${size}`.padEnd(size, '-');
    await publish(sender, 'out/large', [payload]);
    const [message] = await hold(watcher, 1);
    if (message === undefined) throw new Error('no message');
    assert.is(names.of(message), 'out/large');
    assert.is(message.properties?.subscriptionIdentifier, 77);
    assert.is(textOf(message), payload);
  }
  assert.equal([names.learnt, names.aliased], [1, 4]);
});

function bytesRead({ socket }: RawMqtt): number {
  assert.ok(socket instanceof Socket);
  return socket.bytesRead;
}

test('a client that allows aliases is sent a fraction of the bytes, where topics are long and payloads short', async () => {
  const sender = await rig.client('c');
  const [plain, aliased] = [await rig.client('w0'), await rig.client('w1', { properties: { topicAliasMaximum: OUT } })];
  for (const client of [plain, aliased]) await client.subscribe('out/#', 0);
  const before = [plain, aliased].map(bytesRead);
  const topics = [1, 2, 3].map((n) => `out/${'building/7/floor/3/room/42/'.repeat(2)}sensor/${n}/temperature`);
  for (let i = 0; i < 600; i++) sender.publish(topics[i % 3] ?? '', '21.5');
  for (const client of [plain, aliased]) await hold(client, 600);
  const [withTopics = 0, withAliases = 0] = [plain, aliased].map((each, i) => bytesRead(each) - (before[i] ?? 0));
  // Each: fixed header 2, topic 2 + 78, no properties 1, payload 4; with an alias: 2 + 2 + 1 + 3 + 4.
  const topic = topics[0]?.length ?? 0;
  assert.is(withTopics, 600 * (2 + 2 + topic + 1 + 4));
  assert.is(withAliases, 600 * (2 + 2 + 1 + 3 + 4) + 3 * topic);
  assert.ok(withAliases < 0.15 * withTopics, `${withAliases} of ${withTopics} bytes`);
});

test('limits.topicAliasesOut 0 switches them off', async () => {
  const other = new Rig();
  await other.start({ limits: { topicAliasesOut: 0 } });
  const client = await other.client('w', { properties: { topicAliasMaximum: 10 } });
  await client.subscribe('out/x');
  for (let i = 0; i < 3; i++) client.publish('out/x', 'x');
  for (const message of await hold(client, 3)) assert.equal([message.topic, message.properties], ['out/x', undefined]);
  await other.stop();
});

test.run();
