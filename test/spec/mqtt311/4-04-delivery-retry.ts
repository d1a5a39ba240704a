import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { type Client, lastingOf, Rig, textOf } from '../mqtt/support/rig.ts';

/** Delivery again on a new connection (4.4), and session state (4.1), of every version. */

for (const version of [3, 4, 5] as const) {
  const test = suite(`mqtt311/4-04-delivery-retry v${version}`);
  const rig = new Rig(version);
  const lasting = lastingOf(version);
  let publisher: Client;

  test.before.each(async () => {
    await rig.start();
    publisher = await rig.client('publisher');
  });
  test.after.each(() => rig.stop());

  /** One message, taken in by the broker. */
  async function publish(payload: string, qos: 1 | 2, topic = 't', retain = false): Promise<void> {
    publisher.publish(topic, payload, { qos, messageId: 1, retain });
    await publisher.next();
    if (qos === 1) return;
    publisher.send({ cmd: 'pubrel', messageId: 1 });
    await publisher.expect('pubcomp');
  }

  /** Also for the broker, which could still have sent something. */
  async function gone(client: Client): Promise<void> {
    const { counters } = rig.server.broker;
    const { connections } = counters;
    client.destroy();
    await eventually('the connection is gone', () => counters.connections < connections);
  }

  async function subscribed(options: object = lasting): Promise<Client> {
    const client = await rig.client('c', options);
    await client.subscribe('t', 2);
    return client;
  }

  /** So many packets and no more: PUBLISH as `payload/QoS/DUP/identifier`, PUBREL as `rel/identifier`. */
  async function everything(client: Client, count: number): Promise<string[]> {
    const packets = [];
    while (packets.length < count) packets.push(await client.next());
    packets.push(...(await client.flush()));
    return packets.map((each) => {
      if (each.cmd === 'publish') return `${textOf(each)}/${each.qos}/${each.dup}/${each.messageId}`;
      return each.cmd === 'pubrel' ? `rel/${each.messageId}` : each.cmd;
    });
  }

  async function take(client: Client, count: number): Promise<number[]> {
    const ids: number[] = [];
    for (let i = 0; i < count; i++) ids.push((await client.expect('publish')).messageId ?? 0);
    return ids;
  }

  test('[MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-3.3.1-1] PUBLISH again, in its order, with its identifier and DUP', async () => {
    const first = await subscribed();
    for (const [i, qos] of ([1, 2, 2, 1, 1, 2] as const).entries()) await publish(`${i}`, qos);
    const ids = await take(first, 6);
    await gone(first);
    const expected = ([1, 2, 2, 1, 1, 2] as const).map((qos, i) => `${i}/${qos}/true/${ids[i]}`);
    for (let i = 0; i < 2; i++) {
      const again = await rig.client('c', lasting);
      assert.equal(await everything(again, expected.length), expected, `return ${i}`);
      await gone(again);
    }
  });

  test('[MQTT-4.4.0-1] what was acknowledged is not sent again', async () => {
    const first = await subscribed();
    for (let i = 0; i < 3; i++) await publish(`${i}`, 1);
    const ids = await take(first, 3);
    first.send({ cmd: 'puback', messageId: ids[1] ?? 0 });
    await first.flush();
    await gone(first);
    const again = await rig.client('c', lasting);
    assert.equal(await everything(again, 2), [`0/1/true/${ids[0]}`, `2/1/true/${ids[2]}`]);
    for (const messageId of ids) again.send({ cmd: 'puback', messageId });
    await again.flush();
    await gone(again);
    assert.equal(await everything(await rig.client('c', lasting), 0), []);
  });

  test('[MQTT-4.4.0-1] after PUBREC it is PUBREL that is sent again, until PUBCOMP', async () => {
    const first = await subscribed();
    for (let i = 0; i < 3; i++) await publish(`${i}`, 2);
    const ids = await take(first, 3);
    first.send({ cmd: 'pubrec', messageId: ids[1] ?? 0 });
    await first.expect('pubrel');
    await gone(first);
    const again = await rig.client('c', lasting);
    const packets = await everything(again, 3);
    assert.ok(packets.includes(`rel/${ids[1]}`));
    assert.equal(
      packets.filter((each) => !each.startsWith('rel')),
      [`0/2/true/${ids[0]}`, `2/2/true/${ids[2]}`],
    );
    again.send({ cmd: 'pubcomp', messageId: ids[1] ?? 0 });
    await again.flush();
    await gone(again);
    assert.equal(await everything(await rig.client('c', lasting), 2), [`0/2/true/${ids[0]}`, `2/2/true/${ids[2]}`]);
  });

  test('[MQTT-4.6.0-4] PUBREL again in the order in which PUBREC came, not in that of the messages', async () => {
    const first = await subscribed();
    for (let i = 0; i < 4; i++) await publish(`${i}`, 2);
    const ids = await take(first, 4);
    const order = [2, 0, 3, 1].map((i) => ids[i] ?? 0);
    for (const messageId of order) first.send({ cmd: 'pubrec', messageId });
    for (const messageId of order) assert.is((await first.expect('pubrel')).messageId, messageId);
    await gone(first);
    const again = await rig.client('c', lasting);
    assert.equal(
      await everything(again, 4),
      order.map((id) => `rel/${id}`),
    );
  });

  test('4.3.3 a message that is sent again and is PUBRECed goes on to PUBREL', async () => {
    const first = await subscribed();
    await publish('x', 2);
    const [messageId = 0] = await take(first, 1);
    await gone(first);
    const again = await rig.client('c', lasting);
    assert.ok((await again.expect('publish')).dup);
    again.send({ cmd: 'pubrec', messageId });
    assert.is((await again.expect('pubrel')).messageId, messageId);
    again.send({ cmd: 'pubcomp', messageId });
    assert.equal(await everything(again, 0), []);
    await gone(again);
    assert.equal(await everything(await rig.client('c', lasting), 0), []);
  });

  test('[MQTT-4.6.0-1] what came meanwhile follows what was in flight; the order of all is kept', async () => {
    const first = await subscribed();
    for (let i = 0; i < 3; i++) await publish(`${i}`, 1);
    await take(first, 3);
    await gone(first);
    for (let i = 3; i < 6; i++) await publish(`${i}`, 1);
    const again = await rig.client('c', lasting);
    const seen = (await everything(again, 6)).map((each) => each.split('/').slice(0, 3).join('/'));
    assert.equal(seen, ['0/1/true', '1/1/true', '2/1/true', '3/1/false', '4/1/false', '5/1/false']);
  });

  test('[MQTT-4.6.0-1] retained messages among the others are sent again in their place', async () => {
    const first = await subscribed();
    await publish('live 1', 1);
    const ids = await take(first, 1);
    await publish('kept 1', 1, 'r/1', true);
    await publish('kept 2', 2, 'r/2', true);
    await first.subscribe('r/1', 2);
    ids.push(...(await take(first, 1)));
    await publish('live 2', 2);
    ids.push(...(await take(first, 1)));
    await first.subscribe('r/2', 2);
    ids.push(...(await take(first, 1)));
    await gone(first);
    assert.equal(await everything(await rig.client('c', lasting), 4), [
      `live 1/1/true/${ids[0]}`,
      `kept 1/1/true/${ids[1]}`,
      `live 2/2/true/${ids[2]}`,
      `kept 2/2/true/${ids[3]}`,
    ]);
  });

  test('[MQTT-2.3.1-4] an identifier that is to be sent again is not given to another message', async () => {
    const first = await subscribed();
    for (let i = 0; i < 3; i++) await publish(`${i}`, 2);
    const ids = await take(first, 3);
    await gone(first);
    const again = await rig.client('c', lasting);
    await everything(again, 3);
    for (let i = 3; i < 20; i++) await publish(`${i}`, 1);
    for (const id of await take(again, 17)) assert.not(ids.includes(id));
  });

  test('4.4 in a clean session nothing is sent again', async () => {
    const first = await subscribed({ clean: true });
    await publish('x', 1);
    await take(first, 1);
    await gone(first);
    assert.equal(await everything(await rig.client('c', { clean: true }), 0), []);
  });

  test('4.1 a QoS 2 message whose PUBREC was lost is recognised on the next connection, and delivered once', async () => {
    const watcher = await rig.client('w');
    await watcher.subscribe('once', 0);
    const first = await rig.client('c', lasting);
    first.publish('once', 'x', { qos: 2, messageId: 5 });
    await first.expect('pubrec');
    await gone(first);
    const again = await rig.client('c', lasting);
    again.publish('once', 'x', { qos: 2, messageId: 5, dup: true });
    assert.is((await again.expect('pubrec')).messageId, 5);
    await gone(again);
    const third = await rig.client('c', lasting);
    third.send({ cmd: 'pubrel', messageId: 5 });
    const pubcomp = await third.expect('pubcomp');
    assert.equal([pubcomp.messageId, pubcomp.reasonCode ?? 0], [5, 0]);
    assert.equal((await watcher.flush()).length, 1);
  });

  test('4.1 in a clean session the identifier of the earlier connection is forgotten: a new message', async () => {
    const watcher = await rig.client('w');
    await watcher.subscribe('once', 0);
    for (let i = 0; i < 2; i++) {
      const client = await rig.client('c', { clean: true });
      client.publish('once', 'x', { qos: 2, messageId: 5, dup: i > 0 });
      await client.expect('pubrec');
      await gone(client);
    }
    assert.equal((await watcher.flush()).length, 2);
  });

  test('4.1 a subscription that ended while the client was there does not come back with the session', async () => {
    const first = await subscribed();
    first.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['t'] });
    await first.expect('unsuback');
    await gone(first);
    await publish('x', 1);
    const again = await rig.client('c', lasting);
    await publish('y', 1);
    assert.equal(await everything(again, 0), []);
  });

  test('3.8.4 a subscription made while earlier messages are sent again gets its retained messages, and what is new', async () => {
    await publish('kept', 1, 'other', true);
    const first = await subscribed();
    for (let i = 0; i < 3; i++) await publish(`${i}`, 1);
    await take(first, 3);
    first.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['t'] });
    await first.expect('unsuback');
    await gone(first);
    const narrow =
      version === 5 ? { ...lasting, properties: { sessionExpiryInterval: 600, receiveMaximum: 1 } } : lasting;
    const again = await rig.client('c', narrow);
    again.send({ cmd: 'subscribe', messageId: 4, subscriptions: [{ topic: 'other', qos: 1 }] });
    const seen: string[] = [];
    const next = async (): Promise<void> => {
      const packet = await again.next();
      if (packet.cmd !== 'publish') return;
      seen.push(`${textOf(packet)} ${packet.retain}`);
      again.send({ cmd: 'puback', messageId: packet.messageId ?? 0 });
    };
    // The first of three, which is held for now, and SUBACK.
    const held = [await again.next(), await again.next()].flatMap((each) => (each.cmd === 'publish' ? [each] : []));
    if (version === 5) await publish('new', 1, 'other');
    for (const each of held) seen.push(`${textOf(each)} ${each.retain}`);
    for (const each of held) again.send({ cmd: 'puback', messageId: each.messageId ?? 0 });
    while (seen.length < (version === 5 ? 5 : 4)) await next();
    const expected = ['0 false', '1 false', '2 false', 'kept true'];
    assert.equal(seen.sort(), version === 5 ? [...expected, 'new false'].sort() : expected);
  });

  test.run();
}
