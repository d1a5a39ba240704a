import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Packet } from '../../support/mqtt-client.ts';
import { data, packet, raw, word } from '../../support/mqtt-wire.ts';
import { type Client, lasting, type Publish, Rig, textOf } from '../mqtt/support/rig.ts';

/** MQTT 5.0, 4.9: flow control, both ways. */

const test = suite('mqtt5/4-09-flow');
const rig = new Rig();
test.before.each(() => rig.start({ limits: { inflightIn: 5 } }));
test.after.each(() => rig.stop());

const windowOf = (receiveMaximum: number) => ({ properties: { receiveMaximum } });

async function publish(publisher: Client, qos: 0 | 1 | 2, ...payloads: string[]): Promise<void> {
  for (const payload of payloads) {
    publisher.publish('t', payload, { qos, messageId: 1 });
    if (qos > 0) await publisher.next();
    if (qos < 2) continue;
    publisher.send({ cmd: 'pubrel', messageId: 1 });
    await publisher.expect('pubcomp');
  }
  await publisher.flush();
}

/** So many messages and no more; beside other packets. */
async function arrived(client: Client, count: number): Promise<Publish[]> {
  const seen: Publish[] = [];
  const note = (packet: Packet): void => {
    if (packet.cmd === 'publish') seen.push(packet);
  };
  while (seen.length < count) note(await client.next());
  for (const each of await client.flush()) note(each);
  assert.is(seen.length, count);
  return seen;
}

async function both(subscription: 1 | 2, receiveMaximum: number): Promise<[Client, Client]> {
  const [client, publisher] = [await rig.client('c', windowOf(receiveMaximum)), await rig.client('p')];
  await client.subscribe('t', subscription);
  return [client, publisher];
}

for (const qos of [1, 2] as const) {
  for (const window of [1, 3]) {
    test(`[MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-3.3.4-9] Receive Maximum ${window}: never more of QoS ${qos} unacknowledged`, async () => {
      const [client, publisher] = await both(qos, window);
      const count = 10;
      await publish(publisher, qos, ...Array.from({ length: count }, (_, i) => `${i}`));
      const open = await arrived(client, window);
      for (let done = 0; done < count; done++) {
        const message = open.shift();
        assert.is(message && textOf(message), `${done}`);
        const messageId = message?.messageId ?? 0;
        if (qos === 1) client.send({ cmd: 'puback', messageId });
        else {
          client.send({ cmd: 'pubrec', messageId });
          await client.expect('pubrel');
          assert.equal(await client.flush(), [], 'PUBREC makes no room, PUBCOMP does');
          client.send({ cmd: 'pubcomp', messageId });
        }
        open.push(...(await arrived(client, done + window < count ? 1 : 0)));
      }
    });
  }
}

test('4.9 a PUBREC that refuses makes room', async () => {
  const [client, publisher] = await both(2, 1);
  await publish(publisher, 2, '0', '1');
  const [first] = await arrived(client, 1);
  client.send({ cmd: 'pubrec', messageId: first?.messageId ?? 0, reasonCode: 0x80 });
  assert.is(textOf(await client.expect('publish')), '1');
});

test('4.9 QoS 0 goes on while the quota is zero', async () => {
  const [client, publisher] = await both(2, 1);
  await publish(publisher, 1, 'held', 'waits');
  await publish(publisher, 0, 'live 1', 'live 2');
  assert.equal((await arrived(client, 3)).map(textOf), ['held', 'live 1', 'live 2']);
});

test('[MQTT-4.9.0-3] all other packets are served while the quota is zero', async () => {
  const [client, publisher] = await both(1, 1);
  await publish(publisher, 1, 'held', 'waits');
  const held = await client.expect('publish');
  assert.equal(await client.subscribe('other', 2), [2]);
  client.send({ cmd: 'unsubscribe', messageId: 8, unsubscriptions: ['other'] });
  await client.expect('unsuback');
  client.publish('elsewhere', 'x', { qos: 2, messageId: 9 });
  await client.expect('pubrec');
  client.send({ cmd: 'pubrel', messageId: 9 });
  await client.expect('pubcomp');
  client.publish('elsewhere', 'x', { qos: 1, messageId: 10 });
  await client.expect('puback');
  assert.equal(await client.flush(), []);
  client.send({ cmd: 'puback', messageId: held.messageId ?? 0 });
  assert.is(textOf(await client.expect('publish')), 'waits');
});

test('4.9 the quota begins anew with each connection: a smaller one holds for what is sent again, too', async () => {
  const options = (receiveMaximum: number) => ({
    clean: false,
    properties: { ...lasting.properties, receiveMaximum },
  });
  const [first, publisher] = [await rig.client('c', options(10)), await rig.client('p')];
  await first.subscribe('t', 2);
  await publish(publisher, 1, '0', '1', '2');
  await publish(publisher, 2, '3', '4');
  await arrived(first, 5);
  first.destroy();
  const again = await rig.client('c', options(2));
  const open = await arrived(again, 2);
  assert.equal(
    open.map((each) => [textOf(each), each.dup]),
    [
      ['0', true],
      ['1', true],
    ],
  );
  await publish(publisher, 1, '5');
  const rest: string[] = [];
  for (let message = open.shift(); message !== undefined; message = open.shift()) {
    rest.push(textOf(message));
    const messageId = message.messageId ?? 0;
    again.send({ cmd: message.qos === 1 ? 'puback' : 'pubrec', messageId });
    if (message.qos === 2) {
      await again.expect('pubrel');
      again.send({ cmd: 'pubcomp', messageId });
    }
    open.push(...(await arrived(again, rest.length + open.length < 6 ? 1 : 0)));
  }
  assert.equal(rest, ['0', '1', '2', '3', '4', '5']);
});

test('4.9 PUBCOMP of a PUBREL that was sent again does not raise the quota above the maximum', async () => {
  const options = { clean: false, properties: { ...lasting.properties, receiveMaximum: 2 } };
  const [first, publisher] = [await rig.client('c', options), await rig.client('p')];
  await first.subscribe('t', 2);
  await publish(publisher, 2, '0', '1');
  const ids = (await arrived(first, 2)).map(({ messageId }) => messageId ?? 0);
  for (const messageId of ids) first.send({ cmd: 'pubrec', messageId });
  for (const _ of ids) await first.expect('pubrel');
  first.destroy();
  const again = await rig.client('c', options);
  for (const _ of ids) await again.expect('pubrel');
  for (const messageId of ids) again.send({ cmd: 'pubcomp', messageId });
  await again.flush();
  await publish(publisher, 1, '2', '3', '4', '5');
  await arrived(again, 2);
});

// --- from the client --------------------------------------------------------------------------------------------------

test('[MQTT-3.3.4-7] (3.2.2.3.3) the server takes as many of QoS 2 as its Receive Maximum says, and 0x93 is what one more gets', async () => {
  const greedy = await rig.client('greedy');
  assert.is(greedy.connack.properties?.receiveMaximum, 5);
  for (let i = 1; i <= 5; i++) greedy.publish('t', 'x', { qos: 2, messageId: i });
  for (let i = 1; i <= 5; i++) await greedy.expect('pubrec');
  // The same ones again are no more than they were.
  for (let i = 1; i <= 5; i++) greedy.publish('t', 'x', { qos: 2, messageId: i, dup: true });
  for (let i = 1; i <= 5; i++) await greedy.expect('pubrec');
  greedy.publish('t', 'x');
  assert.equal(await greedy.flush(), []);
  greedy.send({ cmd: 'pubrel', messageId: 3 });
  await greedy.expect('pubcomp');
  greedy.publish('t', 'x', { qos: 2, messageId: 6 });
  await greedy.expect('pubrec');
  greedy.publish('t', 'x', { qos: 1, messageId: 7 });
  const packets = await greedy.end();
  assert.equal(
    packets.map((each) => each.cmd === 'disconnect' && each.reasonCode),
    [0x93],
  );
});

test('4.9 a client that goes on as its answers come is never refused, however many packets it writes at once', async () => {
  const client = await rig.connected({ level: 5 });
  for (let round = 0; round < 50; round++) {
    client.send(...[1, 2, 3, 4, 5].map((id) => packet(0x32, data('t'), word(id), '00', raw('x'))));
    assert.equal(
      await client.take(5),
      // No matching subscribers.
      [1, 2, 3, 4, 5].map((id) => packet(0x40, word(id), '1000')),
    );
  }
});

test('4.9 QoS 1 messages beyond the Receive Maximum in one write: 0x93, or all are answered', async () => {
  const client = await rig.connected({ level: 5 });
  client.send(...Array.from({ length: 20 }, (_, i) => packet(0x32, data('t'), word(i + 1), '00', raw('x'))));
  const packets = await client.end();
  assert.match(packets[packets.length - 1] ?? '', /^e0..93/);
});

test('4.9 what is refused counts no longer', async () => {
  const client = await rig.client('c');
  for (let i = 1; i <= 20; i++) {
    client.publish('$SYS/not/allowed', 'x', { qos: 2, messageId: i });
    assert.is((await client.expect('pubrec')).reasonCode, 0x87);
  }
  assert.equal(await client.flush(), []);
});

test.run();
