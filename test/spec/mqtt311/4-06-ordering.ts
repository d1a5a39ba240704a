import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { type Client, lastingOf, Rig, textOf } from '../mqtt/support/rig.ts';

/** Message ordering (4.6), of every version: through windows, returns, take-over and subscriptions made again. */

for (const version of [3, 4, 5] as const) {
  const test = suite(`mqtt311/4-06-ordering v${version}`);
  const rig = new Rig(version);
  const lasting = lastingOf(version);

  test.before.each(() => rig.start());
  test.after.each(() => rig.stop());

  const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

  /** Publishes numbers at this QoS, as fast as it may. */
  async function publishAll(publisher: Client, topic: string, qos: 0 | 1 | 2, from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) publisher.publish(topic, `${i}`, { qos, messageId: i + 1 });
    for (let i = from; i < to && qos > 0; i++) {
      const answer = await publisher.next();
      if (answer.cmd === 'pubrec') publisher.send({ cmd: 'pubrel', messageId: answer.messageId ?? 0 });
      else if (answer.cmd !== 'puback') i--;
    }
  }

  /** Takes so many messages, acknowledging each as QoS asks for. */
  async function take(client: Client, count: number): Promise<number[]> {
    const seen: number[] = [];
    while (seen.length < count) {
      const packet = await client.next();
      if (packet.cmd === 'pubrel') client.send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 });
      if (packet.cmd !== 'publish') continue;
      seen.push(Number(textOf(packet)));
      if (packet.qos > 0)
        client.send({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId: packet.messageId ?? 0 });
    }
    return seen;
  }

  for (const qos of [0, 1, 2] as const) {
    for (const granted of [0, 1, 2] as const) {
      test(`[MQTT-4.6.0-6] one topic, QoS ${qos} to a subscription of QoS ${granted}`, async () => {
        const [publisher, subscriber] = [await rig.client('p'), await rig.client('s')];
        await subscriber.subscribe('o', granted);
        const [seen] = await Promise.all([take(subscriber, 500), publishAll(publisher, 'o', qos, 0, 500)]);
        assert.equal(seen, numbers(500));
      });
    }
  }

  test('[MQTT-4.6.0-6] each topic and QoS of each publisher, all mixed', async () => {
    const subscriber = await rig.client('s');
    await subscriber.subscribe('m/#', 2);
    const publishers = await Promise.all([0, 1, 2].map((i) => rig.client(`p${i}`)));
    for (const [i, publisher] of publishers.entries())
      for (let n = 0; n < 300; n++)
        publisher.publish(`m/${n % 2}`, `${i} ${n}`, { qos: n % 3 === 0 ? 0 : n % 3 === 1 ? 1 : 2, messageId: n + 1 });
    const last = new Map<string, number>();
    for (let count = 0; count < 900; ) {
      const packet = await subscriber.next();
      if (packet.cmd === 'pubrel') subscriber.send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 });
      if (packet.cmd !== 'publish') continue;
      count++;
      const [by, n] = textOf(packet).split(' ');
      const key = `${by} ${packet.topic} ${packet.qos}`;
      assert.ok(Number(n) > (last.get(key) ?? -1), `${key}: ${n} after ${last.get(key)}`);
      last.set(key, Number(n));
      const messageId = packet.messageId ?? 0;
      if (packet.qos > 0) subscriber.send({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId });
    }
  });

  for (const qos of [1, 2] as const) {
    test(`[MQTT-4.6.0-1] QoS ${qos}: kept through returns in the middle of the stream; nothing is left out`, async () => {
      const publisher = await rig.client('p');
      let subscriber = await rig.client('s', lasting);
      await subscriber.subscribe('r', qos);
      const count = 600;
      const publishing = publishAll(publisher, 'r', qos, 0, count);
      /** The first time that each came, which is what is ordered: DUPs begin again further back. */
      const first: number[] = [];
      while (first.length < count) {
        for (let i = 0; i < 90 && first.length < count; i++) {
          const packet = await subscriber.next();
          if (packet.cmd === 'pubrel') subscriber.send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 });
          if (packet.cmd !== 'publish') continue;
          const number = Number(textOf(packet));
          if (!first.includes(number)) first.push(number);
          const messageId = packet.messageId ?? 0;
          // The last ones of each connection stay unacknowledged.
          if (i < 60) subscriber.send({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId });
        }
        subscriber.destroy();
        subscriber = await rig.client('s', lasting);
      }
      await publishing;
      assert.equal(first, numbers(count));
    });
  }

  test('[MQTT-4.6.0-6] a slow handshake of one client delays no other', async () => {
    const [publisher, slow, quick] = [await rig.client('p'), await rig.client('slow'), await rig.client('quick')];
    for (const each of [slow, quick]) await each.subscribe('h', 2);
    const [seen] = await Promise.all([take(quick, 700), publishAll(publisher, 'h', 2, 0, 700)]);
    assert.equal(seen, numbers(700));
    // Nothing was acknowledged by it, and nothing is lost to it.
    assert.equal(await take(slow, 700), numbers(700));
  });

  test('[MQTT-4.6.0-6] while the client was away, and then on', async () => {
    const publisher = await rig.client('p');
    const first = await rig.client('s', lasting);
    await first.subscribe('a/+', 2);
    first.send({ cmd: 'disconnect' });
    await first.end();
    // More than is held in memory for a client (limits.outboxMessages).
    for (const from of [0, 800, 1600]) await publishAll(publisher, 'a/x', 2, from, from + 800);
    const again = await rig.client('s', lasting);
    const [seen] = await Promise.all([take(again, 2800), publishAll(publisher, 'a/x', 2, 2400, 2800)]);
    assert.equal(seen, numbers(2800));
  });

  test('4.6 a client whose window is full has the rest as it opens, in order, also what memory does not hold', async () => {
    const window = version === 5 ? 3 : 256;
    const publisher = await rig.client('p');
    const slow = await rig.client('slow', version === 5 ? { properties: { receiveMaximum: window } } : {});
    await slow.subscribe('window', 1);
    const count = window + 1500;
    for (const from of [0, 500, 1000, 1500])
      await publishAll(publisher, 'window', 1, from, Math.min(from + 500, count));
    const held = await slow.flush();
    assert.is(held.length, window);
    for (const each of held) if (each.cmd === 'publish') slow.send({ cmd: 'puback', messageId: each.messageId ?? 0 });
    const seen = held.map((each) => (each.cmd === 'publish' ? Number(textOf(each)) : -1));
    assert.equal([...seen, ...(await take(slow, count - window))], numbers(count));
    assert.equal(await slow.flush(), []);
  });

  test('4.6 a client that reads nothing for a while has all of QoS 1, in order', async () => {
    const [publisher, subscriber] = [await rig.client('p'), await rig.client('s')];
    await subscriber.subscribe('big', 1);
    subscriber.socket.pause();
    const payload = Buffer.alloc(20_000);
    for (let i = 0; i < 300; i++) {
      payload.writeUInt32BE(i);
      publisher.publish('big', Buffer.from(payload), { qos: 1, messageId: i + 1 });
    }
    for (let i = 0; i < 300; i++) await publisher.expect('puback');
    await eventually('it is stored', () => rig.server.broker.counters.delivered > 0);
    subscriber.socket.resume();
    for (let i = 0; i < 300; i++) {
      const packet = await subscriber.expect('publish');
      assert.is(Buffer.from(packet.payload).readUInt32BE(), i);
      subscriber.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
    }
  });

  test.run();
}
