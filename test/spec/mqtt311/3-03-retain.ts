import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, lastingOf, Rig, textOf } from '../mqtt/support/rig.ts';

/** Retained messages (3.3.1.3), of every version. */

for (const version of [3, 4, 5] as const) {
  const test = suite(`mqtt311/3-03-retain v${version}`);
  const rig = new Rig(version);
  let publisher: Client;
  let subscriber: Client;

  test.before.each(async () => {
    await rig.start();
    [publisher, subscriber] = [await rig.client('p'), await rig.client('s')];
  });
  test.after.each(() => rig.stop());

  /** Published, and taken in by the broker. */
  async function retain(topic: string, payload: string, qos: 0 | 1 | 2 = 0, flag = true): Promise<void> {
    publisher.publish(topic, payload, { qos, retain: flag, messageId: 7 });
    if (qos === 0) assert.equal(await publisher.flush(), []);
    if (qos === 1) await publisher.expect('puback');
    if (qos < 2) return;
    await publisher.expect('pubrec');
    publisher.send({ cmd: 'pubrel', messageId: 7 });
    await publisher.expect('pubcomp');
  }

  /** What a subscription brings: topic, payload, QoS and flag of each. */
  async function kept(filter: string, qos: 0 | 1 | 2 = 2, client = subscriber): Promise<string[]> {
    await client.subscribe(filter, qos);
    const packets = await client.flush();
    const seen = packets.flatMap((each) =>
      each.cmd === 'publish' ? [`${each.topic} ${each.payload} ${each.qos} ${each.retain}`] : [],
    );
    return seen.sort();
  }

  for (const qos of [0, 1, 2] as const) {
    test(`[MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-8] of QoS ${qos}: a new subscription gets it, with the flag`, async () => {
      await retain('r', 'x', qos);
      assert.equal(await kept('r', 2), [`r x ${qos} true`]);
      assert.equal(await kept('r', 0, await rig.client('low')), ['r x 0 true']);
    });

    test(`[MQTT-3.3.1-10] [MQTT-3.3.1-11] an empty one of QoS ${qos} removes it, and is not kept`, async () => {
      await retain('r', 'x', 1);
      await retain('r', '', qos);
      assert.equal(await kept('r'), []);
      await retain('never', '', qos);
      assert.equal(await kept('never'), []);
    });
  }

  test('[MQTT-3.3.1-5] [MQTT-3.3.1-7] the last one counts, whatever its QoS', async () => {
    for (const [i, qos] of ([2, 0, 1, 0] as const).entries()) await retain('r', `${i}`, qos);
    assert.equal(await kept('r'), ['r 3 0 true']);
  });

  test('[MQTT-3.3.1-9] (3.3.1-12 in 5.0) to a subscription that was there it comes without the flag', async () => {
    await subscriber.subscribe('r', 1);
    await retain('r', 'x', 1);
    const message = await subscriber.expect('publish');
    assert.equal([textOf(message), message.retain], ['x', false]);
  });

  test('[MQTT-3.3.1-10] the empty one goes to subscriptions that are there like any other, without the flag', async () => {
    await subscriber.subscribe('r', 1);
    for (const payload of ['x', '']) {
      await retain('r', payload, 1);
      const message = await subscriber.expect('publish');
      assert.equal([textOf(message), message.retain], [payload, false]);
    }
  });

  test('[MQTT-3.3.1-12] (3.3.1-8 in 5.0) a message without the flag neither replaces nor removes it', async () => {
    await retain('r', 'x', 1);
    await retain('r', 'y', 1, false);
    await retain('r', '', 1, false);
    assert.equal(await kept('r'), ['r x 1 true']);
  });

  test('3.3.1.3 all that match a filter come, and no other', async () => {
    for (const topic of ['a', 'a/b', 'a/b/c', 'a/c', 'b', '/a', 'a/']) await retain(topic, 'x');
    const topics = async (filter: string): Promise<string[]> => {
      const client = await rig.client('f');
      return (await kept(filter, 0, client)).map((each) => each.split(' ')[0] ?? '');
    };
    assert.equal(await topics('a/#'), ['a', 'a/', 'a/b', 'a/b/c', 'a/c']);
    assert.equal(await topics('a/+'), ['a/', 'a/b', 'a/c']);
    assert.equal(await topics('+'), ['a', 'b']);
    assert.equal(await topics('+/+'), ['/a', 'a/', 'a/b', 'a/c']);
    assert.equal(await topics('/#'), ['/a']);
    assert.equal((await topics('#')).length, 7);
    assert.equal(await topics('+/b/#'), ['a/b', 'a/b/c']);
  });

  test('[MQTT-3.8.4-3] (3.8.4-4 in 5.0) to subscribe again brings them again, at the new QoS', async () => {
    await retain('r', 'x', 2);
    assert.equal(await kept('r', 0), ['r x 0 true']);
    assert.equal(await kept('r', 1), ['r x 1 true']);
    assert.equal(await kept('r', 1), ['r x 1 true']);
  });

  test('3.3.1.3 with overlapping filters in one SUBSCRIBE, each brings its own', async () => {
    await retain('r/x', 'x', 1);
    const subscriptions = [
      { topic: 'r/x', qos: 0 as const },
      { topic: 'r/#', qos: 1 as const },
    ];
    subscriber.send({ cmd: 'subscribe', messageId: 1, subscriptions });
    await subscriber.expect('suback');
    const qos = (await subscriber.flush()).map((each) => each.cmd === 'publish' && each.qos);
    assert.equal(qos.sort(), [0, 1]);
  });

  test('[MQTT-3.8.4-1] after SUBACK, hundreds of them, within the window', async () => {
    for (let i = 0; i < 600; i++) publisher.publish(`many/${i}`, `${i}`, { retain: true });
    await publisher.flush();
    await subscriber.subscribe('many/+', 1);
    const seen = new Set<string>();
    for (let i = 0; i < 600; i++) seen.add(textOf(await subscriber.expect('publish')));
    assert.is(seen.size, 600);
  });

  test('4.1 they are no part of the publisher’s session', async () => {
    await retain('r', 'x', 1);
    publisher.destroy();
    await publisher.end();
    await rig.client('p');
    assert.equal(await kept('r'), ['r x 1 true']);
  });

  test('4.1 a session that goes on does not bring them again by itself', async () => {
    await retain('r', 'x', 0);
    const lasting = lastingOf(version);
    const first = await rig.client('l', lasting);
    assert.equal(await kept('r', 1, first), ['r x 0 true']);
    first.send({ cmd: 'disconnect' });
    await first.end();
    const again = await rig.client('l', lasting);
    assert.equal(await again.flush(), []);
  });

  test('4.1 one that was published meanwhile comes to a session that was away once, as a new message', async () => {
    const lasting = lastingOf(version);
    const first = await rig.client('l', lasting);
    await first.subscribe('r', 1);
    first.send({ cmd: 'disconnect' });
    await first.end();
    await retain('r', 'x', 1);
    const again = await rig.client('l', lasting);
    const message = await again.expect('publish');
    assert.equal([textOf(message), message.retain], ['x', false]);
    assert.equal(await again.flush(), []);
  });

  test('4.4 one that was not acknowledged is sent again, with the flag it had', async () => {
    await retain('r', 'x', 2);
    const lasting = lastingOf(version);
    const first = await rig.client('l', lasting);
    await first.subscribe('r', 2);
    const { messageId } = await first.expect('publish');
    first.destroy();
    const again = await rig.client('l', lasting);
    const message = await again.expect('publish');
    assert.equal([textOf(message), message.retain, message.dup, message.messageId], ['x', true, true, messageId]);
  });

  test.run();
}
