import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { data, packet, raw, word } from '../../support/mqtt-wire.ts';
import { type Client, Rig, textOf } from '../mqtt/support/rig.ts';

/** PUBLISH (3.3) of every version: flags, QoS, and who gets it. Retained messages have a file of their own. */

for (const version of [3, 4, 5] as const) {
  const test = suite(`mqtt311/3-03-publish v${version}`);
  const rig = new Rig(version);
  let publisher: Client;
  let subscriber: Client;
  const none = version === 5 ? '00' : '';

  test.before(() => rig.start());
  test.after(() => rig.stop());
  test.before.each(async () => {
    [publisher, subscriber] = [await rig.client('p'), await rig.client('s')];
  });
  test.after.each(() => rig.leave());

  test('[MQTT-3.3.1-3] DUP of a publisher goes no further', async () => {
    await subscriber.subscribe('dup', 2);
    for (const qos of [1, 2] as const) {
      publisher.publish('dup', `${qos}`, { qos, messageId: qos, dup: true });
      const message = await subscriber.expect('publish');
      assert.equal([message.dup, message.qos], [false, qos]);
    }
  });

  if (version > 3) {
    test('[MQTT-3.3.1-2] DUP at QoS 0: closed', async () => {
      const client = await rig.connected({ level: version });
      client.send(packet(0x38, data('t'), none, raw('x')));
      const told = await client.end();
      assert.is(told.length, version === 5 ? 1 : 0);
    });
  }

  test('[MQTT-3.3.1-4] QoS 3: closed, and delivered to nobody', async () => {
    await subscriber.subscribe('t');
    for (const first of [0x36, 0x37, 0x3e, 0x3f]) {
      const client = await rig.connected({ level: version });
      client.send(packet(first, data('t'), word(1), none, raw('x')));
      assert.is((await client.end()).length, version === 5 ? 1 : 0);
    }
    assert.equal(await subscriber.flush(), []);
  });

  for (const topic of ['+', '#', 'a/+', 'a/#', 'a/+/b', 'a+', 'a#b', '#/a']) {
    test(`[MQTT-3.3.2-2] the topic ${topic} has a wildcard: closed, and delivered to nobody`, async () => {
      await subscriber.subscribe('#');
      const client = await rig.connected({ level: version });
      client.send(packet(0x30, data(topic), none, raw('x')));
      assert.is((await client.end()).length, version === 5 ? 1 : 0);
      assert.equal(await subscriber.flush(), []);
    });
  }

  test('[MQTT-4.7.3-1] an empty topic: closed', async () => {
    const client = await rig.connected({ level: version });
    client.send(packet(0x30, data(''), none, raw('x')));
    assert.is((await client.end()).length, version === 5 ? 1 : 0);
  });

  test('3.3.3 a payload of no bytes, of any bytes, and of hundreds of thousands arrives as it was sent', async () => {
    await subscriber.subscribe('p/+', 2);
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    for (const payload of [Buffer.alloc(0), every, Buffer.alloc(300_000, every)]) {
      for (const qos of [0, 1, 2] as const) {
        publisher.publish(`p/${qos}`, payload, { qos, messageId: 9 });
        const message = await subscriber.expect('publish');
        assert.ok(payload.equals(Buffer.from(message.payload)), `${payload.length} bytes at QoS ${qos}`);
        if (qos === 1) await publisher.expect('puback');
        if (qos === 2) {
          await publisher.expect('pubrec');
          publisher.send({ cmd: 'pubrel', messageId: 9 });
          await publisher.expect('pubcomp');
        }
      }
    }
  });

  test('[MQTT-3.3.4-1] nothing answers QoS 0, PUBACK QoS 1, PUBREC QoS 2; whether anyone has subscribed or not', async () => {
    for (const heard of [false, true]) {
      if (heard) await subscriber.subscribe('q', 0);
      publisher.publish('q', 'x');
      assert.equal(await publisher.flush(), []);
      publisher.publish('q', 'x', { qos: 1, messageId: 5 });
      assert.is((await publisher.expect('puback')).messageId, 5);
      publisher.publish('q', 'x', { qos: 2, messageId: 5 });
      assert.is((await publisher.expect('pubrec')).messageId, 5);
      publisher.send({ cmd: 'pubrel', messageId: 5 });
      assert.is((await publisher.expect('pubcomp')).messageId, 5);
    }
  });

  for (const granted of [0, 1, 2] as const) {
    test(`4.3 a subscription of QoS ${granted} gets each message at the lower of both`, async () => {
      await subscriber.subscribe(`low/${granted}`, granted);
      for (const qos of [0, 1, 2] as const) {
        publisher.publish(`low/${granted}`, `${qos}`, { qos, messageId: 1 });
        const message = await subscriber.expect('publish');
        assert.equal([message.qos, textOf(message), message.retain], [Math.min(granted, qos), `${qos}`, false]);
        if (qos === 2) publisher.send({ cmd: 'pubrel', messageId: 1 });
      }
    });
  }

  test('[MQTT-3.3.5-1] (3.3.4-2 in 5.0) overlapping subscriptions: the message at the highest QoS of them', async () => {
    await subscriber.subscribe('o/#', 0);
    await subscriber.subscribe('o/+', 2);
    await subscriber.subscribe('o/x', 1);
    for (const qos of [0, 1, 2] as const) {
      publisher.publish('o/x', `${qos}`, { qos, messageId: 1 });
      const seen = (await subscriber.flush()).filter((each) => each.cmd === 'publish');
      // With QoS 1 and 2 it may still be on its way.
      const first = seen[0] ?? (await subscriber.expect('publish'));
      assert.equal([first.qos, textOf(first)], [qos, `${qos}`]);
      assert.equal((await subscriber.flush()).length + Math.max(0, seen.length - 1), 0, 'once, which 3.3.5 allows');
      if (qos === 2) publisher.send({ cmd: 'pubrel', messageId: 1 });
    }
  });

  test('3.3.5 the publisher has its own message back, when it has subscribed to it', async () => {
    await publisher.subscribe('own', 1);
    publisher.publish('own', 'x', { qos: 1, messageId: 4 });
    const both = [await publisher.next(), await publisher.next()];
    assert.equal(both.map(({ cmd }) => cmd).sort(), ['puback', 'publish']);
  });

  test('[MQTT-3.3.2-3] the topic that arrives is the one that was published to, not the filter', async () => {
    await subscriber.subscribe('+/#');
    publisher.publish('name/of/it', 'x');
    assert.is((await subscriber.expect('publish')).topic, 'name/of/it');
  });

  test('[MQTT-4.5.0-1] every client that has subscribed gets it, once', async () => {
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) => rig.client(`m${i}`)));
    for (const [i, each] of many.entries()) await each.subscribe(i % 2 === 0 ? 'all/x' : 'all/+', i % 3 === 0 ? 0 : 1);
    publisher.publish('all/x', 'x', { qos: 1, messageId: 1 });
    await publisher.expect('puback');
    for (const each of many) {
      assert.is(textOf(await each.expect('publish')), 'x');
      assert.equal(await each.flush(), []);
    }
  });

  test.run();
}
