import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect } from '../../support/mqtt-wire.ts';
import { type Client, Rig } from '../mqtt/support/rig.ts';

/** Wills (3.1.2.5), of every version: when they are published, and as what. */

for (const version of [3, 4, 5] as const) {
  const test = suite(`mqtt311/3-01-wills v${version}`);
  const rig = new Rig(version);
  let watcher: Client;

  test.before(() => rig.start({ limits: { packetBytes: 10_000 } }));
  test.after(() => rig.stop());
  test.before.each(async () => {
    watcher = await rig.client('watcher');
    await watcher.subscribe('will/#', 2);
  });
  test.after.each(() => rig.leave());

  const willOf = (options: object = {}) => ({
    will: { topic: 'will/a', payload: Buffer.from('gone'), qos: 0 as const, retain: false, ...options },
  });

  async function published(): Promise<void> {
    const message = await watcher.expect('publish');
    assert.equal([message.topic, message.payload.toString()], ['will/a', 'gone']);
  }

  test('[MQTT-3.1.2-8] the connection is lost', async () => {
    (await rig.client('c', willOf())).destroy();
    await published();
  });

  test('[MQTT-3.1.2-8] the client closes it without DISCONNECT', async () => {
    (await rig.client('c', willOf())).socket.end();
    await published();
  });

  for (const [what, bytes] of [
    ['a packet that is malformed', '36050001610001'],
    ['a packet that breaks the protocol', connect()],
    ['a packet that is too large', '30ffff7f'],
    ['a topic with a wildcard', '300400022f23'],
  ] as const) {
    test(`3.1.2.5 the server closes it over ${what}`, async () => {
      const client = await rig.client('c', willOf());
      client.write(Buffer.from(bytes, 'hex'));
      await client.end();
      await published();
    });
  }

  test('3.1.2.5 another connection takes the client identifier', async () => {
    const first = await rig.client('c', willOf());
    const second = await rig.client('c');
    await first.end();
    await published();
    assert.equal(await second.flush(), []);
    assert.equal(await watcher.flush(), []);
  });

  test('[MQTT-3.1.2-10] [MQTT-3.14.4-3] not after DISCONNECT', async () => {
    const client = await rig.client('c', willOf());
    client.send({ cmd: 'disconnect' });
    await client.end();
    assert.equal(await watcher.flush(), []);
  });

  test('[MQTT-3.14.1-1] a DISCONNECT that is malformed is none', async () => {
    if (version === 3) return;
    const client = await rig.client('c', willOf());
    client.write(0xe1, 0x00);
    await client.end();
    await published();
  });

  test('[MQTT-3.1.2-10] once', async () => {
    (await rig.client('c', willOf())).destroy();
    await published();
    (await rig.client('c')).destroy();
    assert.equal(await watcher.flush(), []);
  });

  test('3.1.2.5 each connection has its own: the later one counts, and none is none', async () => {
    const first = await rig.client('c', willOf({ topic: 'will/first' }));
    first.send({ cmd: 'disconnect' });
    await first.end();
    (await rig.client('c', willOf())).destroy();
    await published();
    const third = await rig.client('c');
    third.destroy();
    await third.end();
    assert.equal(await watcher.flush(), []);
  });

  test('3.1.2.5 a client whose CONNECT is refused has none', async () => {
    const refused = await rig.wire();
    // Level 2, flags: will; its topic is will/a.
    refused.send('101800044d5154540206003c0001630006', '77696c6c2f610001', '78');
    await refused.end();
    assert.equal(await watcher.flush(), []);
  });

  for (const qos of [0, 1, 2] as const) {
    test(`[MQTT-3.1.2-16] [MQTT-3.1.2-17] at QoS ${qos}, retained or not`, async () => {
      for (const retain of [false, true]) {
        (await rig.client('c', willOf({ qos, retain, topic: `will/${qos}` }))).destroy();
        const message = await watcher.expect('publish');
        assert.equal([message.qos, message.retain, message.topic], [qos, false, `will/${qos}`]);
        const later = await rig.client('later');
        await later.subscribe(`will/${qos}`, 2);
        const kept = (await later.flush()).map((each) => each.cmd === 'publish' && [each.qos, each.retain]);
        assert.equal(kept, retain ? [[qos, true]] : []);
      }
      watcher.publish(`will/${qos}`, '', { retain: true });
      await watcher.flush();
    });
  }

  test('[MQTT-3.1.2-9] of any bytes, and empty', async () => {
    for (const payload of [Buffer.of(0, 255, 192, 128), Buffer.alloc(0)]) {
      (await rig.client('c', willOf({ payload }))).destroy();
      assert.equal((await watcher.expect('publish')).payload, payload);
    }
  });

  test('3.1.2.5 to the client itself, when it has subscribed to it in a session that is kept', async () => {
    const kept = version === 5 ? { properties: { sessionExpiryInterval: 60 } } : {};
    const first = await rig.client('own', { clean: false, ...kept, ...willOf({ qos: 1 }) });
    await first.subscribe('will/#', 1);
    first.destroy();
    await published();
    const again = await rig.client('own', { clean: false, ...kept });
    assert.is((await again.expect('publish')).payload.toString(), 'gone');
    await rig.client('own', { clean: true });
  });

  test('3.1.2.5 to others at the QoS of their subscriptions', async () => {
    const low = await rig.client('low');
    await low.subscribe('will/+', 0);
    (await rig.client('c', willOf({ qos: 2 }))).destroy();
    assert.is((await low.expect('publish')).qos, 0);
    assert.is((await watcher.expect('publish')).qos, 2);
  });

  test.run();
}
