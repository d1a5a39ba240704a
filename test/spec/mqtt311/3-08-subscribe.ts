import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { byte, data, packet, raw, word } from '../../support/mqtt-wire.ts';
import { type Client, Rig, textOf } from '../mqtt/support/rig.ts';

/** SUBSCRIBE and SUBACK (3.8, 3.9), UNSUBSCRIBE and UNSUBACK (3.10, 3.11), of every version. */

for (const version of [3, 4, 5] as const) {
  const test = suite(`mqtt311/3-08-subscribe v${version}`);
  const rig = new Rig(version);
  let publisher: Client;
  const none = version === 5 ? '00' : '';
  const closedWith = version === 5 ? 1 : 0;

  test.before(() => rig.start());
  test.after(() => rig.stop());
  test.before.each(async () => {
    publisher = await rig.client('p');
  });
  test.after.each(() => rig.leave());

  const open = () => rig.connected({ level: version });
  const payloads = async (client: Client): Promise<string[]> =>
    (await client.flush()).flatMap((each) => (each.cmd === 'publish' ? [textOf(each)] : []));

  for (const [what, sent] of [
    ['[MQTT-3.8.3-3] SUBSCRIBE without a filter', packet(0x82, word(1), none)],
    ['[MQTT-3.10.3-2] UNSUBSCRIBE without a filter', packet(0xa2, word(1), none)],
    ['[MQTT-3.8.3-4] a filter with QoS 3', packet(0x82, word(1), none, data('t'), '03')],
    ['[MQTT-3.8.3-4] a second filter with QoS 3', packet(0x82, word(1), none, data('t'), '00', data('u'), '03')],
    ['3.8.3 a filter without its QoS', packet(0x82, word(1), none, data('t'))],
    ['2.3.1 SUBSCRIBE of one byte', packet(0x82, '00')],
    ['2.3.1 UNSUBSCRIBE of one byte', packet(0xa2, '00')],
  ] as const) {
    test(`${what}: closed`, async () => {
      const client = await open();
      client.send(sent);
      assert.is((await client.end()).length, closedWith);
    });
  }

  test(`[MQTT-3.8.3-4] (3.8.3-5 in 5.0) each reserved bit beside the QoS: closed`, async () => {
    for (const bit of version === 5 ? [0x40, 0x80] : [0x04, 0x08, 0x10, 0x20, 0x40, 0x80]) {
      const client = await open();
      client.send(packet(0x82, word(1), none, data('t'), byte(bit)));
      assert.is((await client.end()).length, closedWith, `bit ${bit}`);
    }
  });

  test('[MQTT-3.8.3-4] a SUBSCRIBE that is refused as a whole has made no subscription', async () => {
    const watched = await rig.client('w', { clean: false, properties: { sessionExpiryInterval: 60 } });
    watched.write(
      Buffer.from(packet(0x82, word(1), none, data('t'), '00', data('u'), '03').replaceAll(' ', ''), 'hex'),
    );
    await watched.end();
    const again = await rig.client('w', { clean: false, properties: { sessionExpiryInterval: 60 } });
    publisher.publish('t', 'x', { qos: 1, messageId: 1 });
    await publisher.expect('puback');
    assert.equal(await payloads(again), []);
    await rig.client('w', { clean: true });
  });

  test('[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-6] SUBACK with the identifier and the QoS that is granted', async () => {
    const client = await open();
    for (const qos of [0, 1, 2]) {
      client.send(packet(0x82, word(100 + qos), none, data('t'), byte(qos)));
      assert.is(await client.next(), packet(0x90, word(100 + qos), none, byte(qos)));
    }
  });

  test('[MQTT-3.8.4-4] [MQTT-3.8.4-5] [MQTT-3.9.3-1] many filters in one packet: a code for each, in their order', async () => {
    const client = await open();
    const filters = [0, 2, 1, 1, 0, 2, 2].map((qos, i) => `${data(`f/${i}`)}${byte(qos)}`);
    client.send(packet(0x82, word(7), none, ...filters));
    assert.is(await client.next(), packet(0x90, word(7), none, '00020101000202'));
    const wide = Array.from({ length: 300 }, (_, i) => `${data(`g/${i}`)}${byte(i % 3)}`);
    client.send(packet(0x82, word(8), none, ...wide));
    assert.is(await client.next(), packet(0x90, word(8), none, ...Array.from({ length: 300 }, (_, i) => byte(i % 3))));
  });

  test('3.9.3 a filter that is not valid: 0x80 (0x8F in 5.0), and the others are served', async () => {
    const client = await open();
    const refused = version === 5 ? '8f' : '80';
    const filters = ['ok/1', 'a/#/b', 'a#', 'a+/b', '', 'ok/2'].map((each) => `${data(each)}01`);
    client.send(packet(0x82, word(7), none, ...filters));
    const codes = ['01', refused, refused, refused, refused, '01'].join('');
    const suback = await client.next();
    if (version < 5) assert.is(suback, packet(0x90, word(7), codes));
    else assert.ok(suback.endsWith(codes));
    client.send(packet(0x30, data('ok/2'), none, raw('x')));
    assert.is(await client.next(), packet(0x30, data('ok/2'), none, raw('x')));
  });

  test('3.8.4 the same filter twice in one packet: the last one counts', async () => {
    const client = await open();
    client.send(packet(0x82, word(7), none, data('same'), '02', data('same'), '00'));
    assert.is(await client.next(), packet(0x90, word(7), none, '0200'));
    client.send(packet(0x32, data('same'), word(1), none, raw('x')));
    assert.equal((await client.take(2)).sort(), [packet(0x30, data('same'), none, raw('x')), '40020001']);
    assert.equal(await client.flush(), []);
  });

  test('[MQTT-3.8.4-3] a subscription is replaced by one of the same filter, and messages come once', async () => {
    const client = await rig.client('c');
    for (const qos of [0, 2, 1] as const) {
      await client.subscribe('again/+', qos);
      publisher.publish('again/x', `${qos}`, { qos: 2, messageId: 1 });
      await publisher.expect('pubrec');
      publisher.send({ cmd: 'pubrel', messageId: 1 });
      await publisher.expect('pubcomp');
      const message = await client.expect('publish');
      assert.equal([message.qos, textOf(message)], [qos, `${qos}`]);
    }
    assert.equal(await client.flush(), []);
  });

  test('[MQTT-3.8.4-3] replacing it interrupts nothing: every message comes, once', async () => {
    const client = await rig.client('c');
    await client.subscribe('flow', 1);
    const count = 300;
    for (let i = 0; i < count; i++) {
      publisher.publish('flow', `${i}`, { qos: 1, messageId: i + 1 });
      if (i % 10 === 0) client.send({ cmd: 'subscribe', messageId: 50, subscriptions: [{ topic: 'flow', qos: 1 }] });
    }
    const seen: number[] = [];
    while (seen.length < count) {
      const next = await client.next();
      if (next.cmd !== 'publish') continue;
      seen.push(Number(textOf(next)));
      client.send({ cmd: 'puback', messageId: next.messageId ?? 0 });
    }
    assert.equal(
      seen,
      Array.from({ length: count }, (_, i) => i),
    );
    assert.equal(await payloads(client), []);
  });

  test('3.8.4 a filter is another one, though it matches the same: both are there, and go one by one', async () => {
    const client = await rig.client('c');
    await client.subscribe('two/+', 0);
    await client.subscribe('two/#', 0);
    client.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: ['two/+'] });
    await client.expect('unsuback');
    publisher.publish('two/x', '1');
    assert.is(textOf(await client.expect('publish')), '1');
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['two/#'] });
    await client.expect('unsuback');
    publisher.publish('two/x', '2');
    await publisher.flush();
    assert.equal(await payloads(client), []);
  });

  // --- UNSUBSCRIBE --------------------------------------------------------------------------------------------------

  test('[MQTT-3.10.4-4] [MQTT-3.10.4-5] UNSUBACK with the identifier, also where there was no subscription', async () => {
    const client = await open();
    client.send(packet(0x82, word(1), none, data('t'), '00'));
    await client.next();
    for (const [id, filter, code] of [
      [2, 't', '00'],
      [3, 't', '11'],
      [4, 'never/was', '11'],
    ] as const) {
      client.send(packet(0xa2, word(id), none, data(filter)));
      assert.is(await client.next(), packet(0xb0, word(id), none, version === 5 ? code : ''));
    }
  });

  test('[MQTT-3.10.4-6] many filters in one packet: one UNSUBACK, and all of them are gone', async () => {
    const client = await rig.client('c');
    for (const each of ['u/1', 'u/2', 'u/3']) await client.subscribe(each);
    client.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['u/1', 'never', 'u/3'] });
    const unsuback = await client.expect('unsuback');
    if (version === 5) assert.equal(unsuback.granted, [0, 0x11, 0]);
    for (const each of ['u/1', 'u/2', 'u/3']) publisher.publish(each, each);
    await publisher.flush();
    assert.equal(await payloads(client), ['u/2']);
  });

  test('[MQTT-3.10.4-1] filters are compared character by character', async () => {
    const client = await rig.client('c');
    await client.subscribe('Exact/+/a');
    const others = ['exact/+/a', 'Exact/x/a', 'Exact/#', 'Exact/+/a/', '/Exact/+/a', 'Exact/+/A', '#', '+/+/+'];
    client.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: others });
    await client.expect('unsuback');
    publisher.publish('Exact/x/a', 'still');
    assert.is(textOf(await client.expect('publish')), 'still');
  });

  test('[MQTT-3.10.4-2] nothing new comes after UNSUBSCRIBE', async () => {
    const client = await rig.client('c');
    await client.subscribe('stop', 2);
    client.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['stop'] });
    await client.expect('unsuback');
    for (const qos of [0, 1, 2] as const) publisher.publish('stop', 'x', { qos, messageId: qos + 1 });
    await publisher.next();
    await publisher.next();
    assert.equal(await client.flush(), []);
  });

  test('[MQTT-3.10.4-3] what was begun at QoS 1 and 2 is finished', async () => {
    const client = await rig.client('c');
    await client.subscribe('begun', 2);
    publisher.publish('begun', '1', { qos: 1, messageId: 1 });
    publisher.publish('begun', '2', { qos: 2, messageId: 2 });
    const [one, two] = [await client.expect('publish'), await client.expect('publish')];
    client.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['begun'] });
    await client.expect('unsuback');
    client.send({ cmd: 'puback', messageId: one.messageId ?? 0 });
    client.send({ cmd: 'pubrec', messageId: two.messageId ?? 0 });
    assert.is((await client.expect('pubrel')).messageId, two.messageId);
    client.send({ cmd: 'pubcomp', messageId: two.messageId ?? 0 });
    assert.equal(await client.flush(), []);
  });

  test.run();
}
