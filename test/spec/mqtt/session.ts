import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Rig } from './support/rig.ts';

/** Behaviour over the wire, for 3.1.1 and 5.0 alike; clause numbers are those of MQTT 5.0. */

for (const version of [4, 5] as const) {
  const test = suite(`mqtt/session v${version}`);
  const rig = new Rig(version);
  /** A session that outlives its connection, in the version's own words. */
  const lasting = version === 5 ? { clean: false, properties: { sessionExpiryInterval: 600 } } : { clean: false };

  test.before(() => rig.start());
  test.after(() => rig.stop());
  test.after.each(() => rig.leave());

  test('3.3.1.2 messages arrive at the lower of publish and subscribe QoS', async () => {
    const [subscriber, publisher] = [await rig.client('s'), await rig.client('p')];
    for (const granted of [0, 1, 2] as const)
      assert.equal(await subscriber.subscribe(`q/${granted}`, granted), [granted]);
    for (const granted of [0, 1, 2] as const) {
      for (const qos of [0, 1, 2] as const) {
        publisher.publish(`q/${granted}`, `${qos}`, { qos, messageId: 5 });
        if (qos === 1) assert.is((await publisher.expect('puback')).messageId, 5);
        if (qos === 2) {
          assert.is((await publisher.expect('pubrec')).messageId, 5);
          publisher.send({ cmd: 'pubrel', messageId: 5 });
          assert.is((await publisher.expect('pubcomp')).messageId, 5);
        }
        const message = await subscriber.expect('publish');
        assert.is(message.qos, Math.min(granted, qos));
        assert.is(message.payload.toString(), `${qos}`);
        assert.not(message.retain);
        const { messageId } = message;
        if (messageId === undefined) continue;
        if (message.qos === 1) subscriber.send({ cmd: 'puback', messageId });
        if (message.qos === 2) {
          subscriber.send({ cmd: 'pubrec', messageId });
          assert.is((await subscriber.expect('pubrel')).messageId, messageId);
          subscriber.send({ cmd: 'pubcomp', messageId });
        }
      }
    }
  });

  test('[MQTT-4.3.3-10] a QoS 2 message sent again before PUBREL is delivered once', async () => {
    const [subscriber, publisher] = [await rig.client('s'), await rig.client('p')];
    await subscriber.subscribe('once', 1);
    publisher.publish('once', 'x', { qos: 2, messageId: 7 });
    await publisher.expect('pubrec');
    publisher.publish('once', 'x', { qos: 2, messageId: 7, dup: true });
    await publisher.expect('pubrec');
    publisher.send({ cmd: 'pubrel', messageId: 7 });
    await publisher.expect('pubcomp');
    publisher.publish('once', 'y', { qos: 2, messageId: 7 });
    await publisher.expect('pubrec');
    const arrived = (await subscriber.flush()).map((packet) => packet.cmd === 'publish' && packet.payload.toString());
    assert.equal(arrived, ['x', 'y']);
  });

  test('[MQTT-3.3.1-6] a retained message comes on subscribe with the flag, an empty one removes it', async () => {
    const publisher = await rig.client('p');
    publisher.publish('kept/a', 'old', { retain: true });
    publisher.publish('kept/a', 'new', { retain: true });
    publisher.publish('kept/b', 'gone', { retain: true });
    publisher.publish('kept/b', '', { retain: true });
    await publisher.flush();
    const subscriber = await rig.client('s');
    await subscriber.subscribe('kept/#', 1);
    const packets = await subscriber.flush();
    assert.equal(
      packets.map((packet) => packet.cmd === 'publish' && [packet.topic, packet.payload.toString(), packet.retain]),
      [['kept/a', 'new', true]],
    );
    publisher.publish('kept/a', 'live', { retain: true });
    assert.not((await subscriber.expect('publish')).retain, 'a live message has the flag cleared [MQTT-3.3.1-12]');
    publisher.publish('kept/a', '', { retain: true });
  });

  test('[MQTT-3.1.4-3] the same client id takes over, and the first connection is closed', async () => {
    const first = await rig.client('twin');
    await rig.client('twin');
    const last = await first.end();
    if (version === 5) assert.is(last[0]?.cmd === 'disconnect' && last[0].reasonCode, 0x8e);
    else assert.equal(last, []);
  });

  test('[MQTT-3.1.2-8] the will is published when the connection breaks, not when it is closed in order', async () => {
    const watcher = await rig.client('w');
    await watcher.subscribe('will/#', 0);
    const will = { topic: 'will/a', payload: Buffer.from('broken'), qos: 1 as const, retain: false };
    const orderly = await rig.client('o', { will: { ...will, topic: 'will/b' } });
    orderly.send({ cmd: 'disconnect' });
    await orderly.end();
    const broken = await rig.client('b', { will });
    broken.destroy();
    const message = await watcher.expect('publish');
    assert.equal([message.topic, message.payload.toString()], ['will/a', 'broken']);
    assert.equal(await watcher.flush(), []);
  });

  test('[MQTT-3.1.2-4] a kept session is present, and has what came meanwhile, in order', async () => {
    const publisher = await rig.client('p');
    const first = await rig.client('kept', lasting);
    assert.not(first.connack.sessionPresent);
    await first.subscribe('away/#', 1);
    first.send({ cmd: 'disconnect' });
    await first.end();
    for (let i = 0; i < 2500; i++) {
      publisher.publish('away/x', `${i}`, { qos: 1, messageId: (i % 500) + 1 });
      if (i >= 499) await publisher.expect('puback');
    }
    const second = await rig.client('kept', lasting);
    assert.ok(second.connack.sessionPresent);
    for (let i = 0; i < 2500; i++) {
      const message = await second.expect('publish');
      assert.is(message.payload.toString(), `${i}`);
      assert.not(message.dup);
      if (message.messageId !== undefined) second.send({ cmd: 'puback', messageId: message.messageId });
    }
    const third = await rig.client('kept', { clean: true });
    assert.not(third.connack.sessionPresent);
  });

  test('[MQTT-4.4.0-1] what was not acknowledged is sent again on return, in order, with DUP and its identifier', async () => {
    const publisher = await rig.client('p');
    const first = await rig.client('again', lasting);
    await first.subscribe('again/+', 2);
    const qos = [1, 2, 2, 1] as const;
    for (const [i, each] of qos.entries()) {
      publisher.publish('again/x', `${i}`, { qos: each, messageId: i + 1 });
      await publisher.next();
    }
    const sent = [];
    for (const _ of qos) sent.push(await first.expect('publish'));
    // 0 is settled, 1 is released (PUBREC came), 2 and 3 are open.
    first.send({ cmd: 'puback', messageId: sent[0]?.messageId ?? 0 });
    first.send({ cmd: 'pubrec', messageId: sent[1]?.messageId ?? 0 });
    await first.expect('pubrel');
    first.destroy();
    const second = await rig.client('again', lasting);
    assert.is((await second.expect('pubrel')).messageId, sent[1]?.messageId);
    for (const i of [2, 3]) {
      const message = await second.expect('publish');
      assert.equal([message.payload.toString(), message.dup, message.messageId], [`${i}`, true, sent[i]?.messageId]);
    }
    assert.equal(await second.flush(), []);
    await rig.client('again', { clean: true });
  });

  test('4.9 not more unacknowledged messages than the window; the rest comes as it opens', async () => {
    const publisher = await rig.client('p');
    const slow = await rig.client('slow', version === 5 ? { properties: { receiveMaximum: 3 } } : {});
    await slow.subscribe('window', 1);
    const window = version === 5 ? 3 : 256;
    const count = window + 1500;
    for (let i = 0; i < count; i++) {
      publisher.publish('window', `${i}`, { qos: 1, messageId: 1 });
      await publisher.expect('puback');
    }
    const held = await slow.flush();
    assert.is(held.length, window);
    let next = 0;
    const settle = (packet: (typeof held)[number]): void => {
      assert.is(packet.cmd === 'publish' && packet.payload.toString(), `${next++}`);
      if (packet.cmd === 'publish' && packet.messageId !== undefined)
        slow.send({ cmd: 'puback', messageId: packet.messageId });
    };
    for (const packet of held) settle(packet);
    while (next < count) settle(await slow.next());
    assert.equal(await slow.flush(), []);
  });

  test('3.8.4 codes per filter, and UNSUBSCRIBE ends the flow', async () => {
    const both = await rig.client('both');
    both.send({
      cmd: 'subscribe',
      messageId: 3,
      subscriptions: [
        { topic: 'x/1', qos: 1 },
        { topic: 'bad/#/x', qos: 1 },
      ],
    });
    const suback = await both.expect('suback');
    assert.equal(suback.granted, version === 5 ? [1, 0x8f] : [1, 0x80]);
    both.send({ cmd: 'unsubscribe', messageId: 4, unsubscriptions: ['x/1', 'never'] });
    const unsuback = await both.expect('unsuback');
    if (version === 5) assert.equal(unsuback.granted, [0, 0x11]);
    both.publish('x/1', 'gone');
    assert.equal(await both.flush(), []);
  });

  test('[MQTT-4.6.0-6] order per topic is kept at each QoS', async () => {
    const [subscriber, publisher] = [await rig.client('s'), await rig.client('p')];
    await subscriber.subscribe('order/#', 1);
    for (let i = 0; i < 1000; i++)
      publisher.publish(`order/${i % 2}`, `${i}`, { qos: i % 2 === 0 ? 0 : 1, messageId: (i % 900) + 1 });
    const seen: number[][] = [[], []];
    for (let i = 0; i < 1000; i++) {
      const message = await subscriber.expect('publish');
      seen[message.topic === 'order/0' ? 0 : 1]?.push(Number(message.payload.toString()));
      if (message.messageId !== undefined) subscriber.send({ cmd: 'puback', messageId: message.messageId });
    }
    for (const numbers of seen)
      assert.equal(
        numbers,
        [...numbers].sort((a, b) => a - b),
      );
  });

  test.run();
}
