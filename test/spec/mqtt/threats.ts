import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RawMqtt } from '../../support/mqtt-client.ts';
import { type Client, lasting, Rig } from './support/rig.ts';

/** Mistakes that other servers made (named as they were published), as far as no other file has them. */

const test = suite('mqtt/threats');
const rig = new Rig();
test.before.each(() => rig.start());
test.after.each(() => rig.stop());

test('CVE-2026-8741: PUBREL of one QoS 2 message on two connections with one client id: it comes once', async () => {
  const watcher = await rig.client('w');
  await watcher.subscribe('once', 2);
  const seen: string[] = [];
  const drain = async (): Promise<void> => {
    for (const packet of await watcher.flush()) {
      const messageId = 'messageId' in packet ? (packet.messageId ?? 0) : 0;
      if (packet.cmd === 'publish') {
        seen.push(`${packet.payload}`);
        watcher.send({ cmd: 'pubrec', messageId });
      } else if (packet.cmd === 'pubrel') {
        watcher.send({ cmd: 'pubcomp', messageId });
      }
    }
  };
  const rounds = 20;
  let mine: Client = await rig.client('c', lasting);
  for (let round = 0; round < rounds; round++) {
    mine.publish('once', `${round}`, { qos: 2, messageId: 1 });
    await mine.expect('pubrec');
    // The old connection releases, and publishes again what the new one is about to release.
    mine.publish('once', `${round}`, { qos: 2, messageId: 1, dup: true });
    if (round % 2 === 1) mine.send({ cmd: 'pubrel', messageId: 1 });
    const next = rig.client('c', lasting);
    if (round % 2 === 0) mine.send({ cmd: 'pubrel', messageId: 1 });
    mine = await next;
    assert.ok(mine.connack.sessionPresent);
    mine.send({ cmd: 'pubrel', messageId: 1 });
    const { reasonCode = 0 } = await mine.expect('pubcomp');
    assert.ok(reasonCode === 0 || reasonCode === 0x92);
    await drain();
  }
  for (let i = 0; i < 100 && seen.length < rounds; i++) await drain();
  await drain();
  assert.equal(
    seen,
    Array.from({ length: rounds }, (_, i) => `${i}`),
  );
});

test('CVE-2023-28366: QoS 2 messages that are never released are bounded, over all connections of a session', async () => {
  await rig.stop();
  await rig.start({ limits: { inflightIn: 5 } });
  const first = await rig.client('c', lasting);
  for (let messageId = 1; messageId <= 3; messageId++) {
    first.publish('a', 'x', { qos: 2, messageId });
    await first.expect('pubrec');
  }
  for (const version of [5, 4] as const) {
    const next = await rig.client('c', { ...lasting, protocolVersion: version });
    for (let messageId = 4; messageId <= 20; messageId++) next.publish('a', 'x', { qos: 2, messageId });
    const packets = await next.end();
    const last = packets.at(-1);
    if (version === 5) assert.is(last?.cmd === 'disconnect' && last.reasonCode, 0x93);
    assert.ok(packets.filter(({ cmd }) => cmd === 'pubrec').length <= 5);
  }
});

/** As deep as a packet allows, and just beyond `limits.topicLevels`. */
for (const levels of [32_768, 129]) {
  const deep = '/'.repeat(levels - 1);
  test(`GHSA-xxqp-5qx8-gj5q: ${levels} levels in a topic, a filter, a will, a Response Topic`, async () => {
    const connect = async (): Promise<RawMqtt> => rig.client('c');
    const reason = async (client: RawMqtt): Promise<number | undefined> => {
      const last = (await client.end()).at(-1);
      return last?.cmd === 'disconnect' ? last.reasonCode : undefined;
    };
    const publisher = await connect();
    publisher.publish(deep, 'x');
    assert.is(await reason(publisher), 0x90);
    const asker = await connect();
    asker.publish('a', 'x', { properties: { responseTopic: deep } });
    assert.is(await reason(asker), 0x90);
    const raw = await RawMqtt.open(rig.server.mqtt, 5);
    const will = { topic: deep, payload: Buffer.of(1), qos: 0, retain: false } as const;
    raw.send({ cmd: 'connect', clientId: 'w', protocolVersion: 5, clean: true, keepalive: 60, will });
    assert.is((await raw.expect('connack')).reasonCode, 0x90);
    const subscriber = await connect();
    assert.equal(await subscriber.subscribe(deep), [0x8f]);
    assert.equal(await subscriber.subscribe(`$share/g/${deep}`), [0x8f]);
    subscriber.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: [deep] });
    assert.equal((await subscriber.expect('unsuback')).granted, [0x11]);
  });
}

test('CVE-2021-34432, CVE-2018-12543: empty topics, and those that begin with $, wherever one may stand', async () => {
  const client = await rig.client('c');
  for (const [topic, reason] of [
    ['/', 0x10],
    ['$', 0x87],
    ['$SYS', 0x87],
    ['$SYS/x', 0x87],
    ['$share', 0x87],
    ['$share/g/t', 0x87],
    ['$queue', 0x87],
    ['$queue/', 0x87],
    ['$reply/', 0x87],
    ['$JS/x', 0x87],
    ['$exchange', 0x87],
    ['$exchange/', 0x87],
    ['$exchange/amq.topic/a', 0x87],
    ['$exchange/amq.directly/a', 0x87],
  ] as const) {
    client.publish(topic, 'x', { qos: 1, messageId: 1 });
    assert.is((await client.expect('puback')).reasonCode, reason, topic);
    client.publish('answered', 'x', { qos: 1, messageId: 1, properties: { responseTopic: topic } });
    assert.ok([0x10, 0x87].includes((await client.expect('puback')).reasonCode ?? 0), topic);
    const raw = await RawMqtt.open(rig.server.mqtt, 5);
    const will = { topic, payload: Buffer.of(1), qos: 0, retain: false } as const;
    raw.send({ cmd: 'connect', clientId: 'w', protocolVersion: 5, clean: true, keepalive: 60, will });
    assert.is((await raw.expect('connack')).reasonCode, reason === 0x10 ? 0 : reason, topic);
    raw.destroy();
  }
  for (const filter of [
    '/',
    '$',
    '$SYS',
    '$foo/#',
    '$share',
    '$share/',
    '$share/g',
    '$share/g/',
    '$share//t',
    '$queue/',
  ])
    assert.ok([0, 0x87, 0x8f].includes((await client.subscribe(filter))[0] ?? -1), filter);
  for (const filter of [
    '$exchange/',
    '$exchange/#',
    '$exchange/+/k',
    '$exchange/amq.topic/a',
    '$share/g/$exchange/x/#',
  ])
    assert.equal(await client.subscribe(filter), [0x8f], filter);
  for (const filter of ['$exchange/amq.direct', '$exchange/amq.fanout/#', '$share/g/$exchange/amq.direct/k'])
    assert.equal(await client.subscribe(filter), [0], filter);
  assert.equal(await client.subscribe(''), [0x8f]);
});

test.run();
