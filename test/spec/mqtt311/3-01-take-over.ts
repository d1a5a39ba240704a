import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, lastingOf, Rig } from '../mqtt/support/rig.ts';

/** Sessions begun anew, gone on with and taken over (3.1.2.4, 3.1.4), of every version. */

for (const version of [3, 4, 5] as const) {
  const test = suite(`mqtt311/3-01-take-over v${version}`);
  const rig = new Rig(version);
  const lasting = lastingOf(version);

  test.before.each(() => rig.start());
  test.after.each(() => rig.stop());

  async function leave(client: Client): Promise<void> {
    client.send({ cmd: 'disconnect' });
    await client.end();
  }

  async function publish(topic: string, ...payloads: string[]): Promise<void> {
    const publisher = await rig.client(`p${Math.random()}`);
    for (const payload of payloads) {
      publisher.publish(topic, payload, { qos: 1, messageId: 1 });
      await publisher.expect('puback');
    }
    await leave(publisher);
  }

  const payloads = async (client: Client): Promise<string[]> =>
    (await client.flush()).flatMap((each) => (each.cmd === 'publish' ? [each.payload.toString()] : []));

  test('[MQTT-3.1.4-2] (3.1.4-3 in 5.0) the connection that was there is closed', async () => {
    const first = await rig.client('c');
    const second = await rig.client('c');
    const last = await first.end();
    if (version === 5)
      assert.equal(
        last.map((each) => each.cmd === 'disconnect' && each.reasonCode),
        [0x8e],
      );
    else assert.equal(last, []);
    assert.equal(await second.flush(), []);
  });

  test('[MQTT-3.1.4-2] many at once: one is left, which is served', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => rig.client('c').catch(() => undefined)));
    await publish('x', 'y');
    const left = all.filter((each) => each !== undefined && !each.socket.readableEnded && !each.socket.destroyed);
    assert.ok(left.length >= 1);
    const last = await rig.client('c');
    for (const each of left) await each?.end();
    await last.subscribe('x');
    await publish('x', 'served');
    assert.equal(await payloads(last), ['served']);
  });

  test('[MQTT-3.1.2-4] a session goes on through a take-over, with what was in flight', async () => {
    const first = await rig.client('c', lasting);
    await first.subscribe('t', 1);
    await publish('t', '1', '2');
    const sent = [await first.expect('publish'), await first.expect('publish')];
    const second = await rig.client('c', lasting);
    for (const each of sent) {
      const again = await second.expect('publish');
      assert.equal([again.messageId, again.dup, again.payload], [each.messageId, true, each.payload]);
      second.send({ cmd: 'puback', messageId: again.messageId ?? 0 });
    }
    await publish('t', '3');
    assert.is((await second.expect('publish')).payload.toString(), '3');
  });

  test('[MQTT-3.1.2-5] messages of QoS 1 and 2 wait for a client that is away; those of QoS 0 do not', async () => {
    const first = await rig.client('c', lasting);
    await first.subscribe('t/#', 2);
    await first.subscribe('low', 0);
    await leave(first);
    const publisher = await rig.client('p');
    for (const qos of [0, 1, 2] as const) {
      publisher.publish(`t/${qos}`, `${qos}`, { qos, messageId: 7 });
      publisher.publish('low', `${qos}`, { qos, messageId: 8 });
    }
    for (let i = 0; i < 4; i++) await publisher.next();
    const again = await rig.client('c', lasting);
    const seen = [await again.expect('publish'), await again.expect('publish')];
    assert.equal(
      seen.map(({ topic, qos }) => [topic, qos]),
      [
        ['t/1', 1],
        ['t/2', 2],
      ],
    );
    assert.equal(await again.flush(), []);
  });

  test('[MQTT-3.1.2-6] a clean session throws away the one that was there: subscriptions and messages', async () => {
    const first = await rig.client('c', lasting);
    await first.subscribe('t', 1);
    await leave(first);
    await publish('t', '1');
    const clean = await rig.client('c');
    await publish('t', '2');
    assert.equal(await payloads(clean), []);
    await leave(clean);
    const again = await rig.client('c', lasting);
    await publish('t', '3');
    assert.equal(await payloads(again), []);
  });

  test('[MQTT-3.1.2-6] a clean session ends with its connection', async () => {
    const first = await rig.client('c');
    await first.subscribe('t', 1);
    first.destroy();
    await first.end();
    await publish('t', '1');
    const again = await rig.client('c', lasting);
    assert.not(again.connack.sessionPresent);
    await publish('t', '2');
    assert.equal(await payloads(again), []);
  });

  test('[MQTT-3.1.2-6] a clean session taken over by one that is not: nothing of it is left', async () => {
    const first = await rig.client('c');
    await first.subscribe('t', 1);
    const second = await rig.client('c', lasting);
    assert.not(second.connack.sessionPresent);
    await first.end();
    await publish('t', '1');
    assert.equal(await payloads(second), []);
  });

  test('[MQTT-3.1.2-7] retained messages are no part of a session', async () => {
    const first = await rig.client('c');
    first.publish('kept', 'x', { qos: 1, messageId: 1, retain: true });
    await first.expect('puback');
    await leave(first);
    await rig.client('c');
    const other = await rig.client('other');
    await other.subscribe('kept');
    assert.equal(await payloads(other), ['x']);
  });

  test('[MQTT-3.1.3-2] client identifiers are told apart to the last bit', async () => {
    const ids = ['client', 'Client', 'client ', ' client', 'clienť', 'clienté', 'cliente\u0301'];
    const clients: Client[] = [];
    for (const id of ids) clients.push(await rig.client(id));
    for (const each of clients) assert.equal(await each.flush(), []);
  });

  test('3.1.2.4 a session goes on in another version of the protocol', async () => {
    const first = await rig.client('c', lasting);
    await first.subscribe('t', 1);
    await leave(first);
    await publish('t', '1');
    const other = version === 5 ? 4 : 5;
    const again = await rig.client('c', { protocolVersion: other, ...lastingOf(other) });
    assert.ok(again.connack.sessionPresent);
    assert.equal(await payloads(again), ['1']);
  });

  test.run();
}
