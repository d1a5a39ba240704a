import { setImmediate as turn } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { byte, connect, data, packet, raw, word } from '../../support/mqtt-wire.ts';
import { Rig } from '../mqtt/support/rig.ts';

/** MQTT 3.1.1, chapter 2: the format of control packets. */

const test = suite('mqtt311/2-packets');
const rig = new Rig(4);
test.before(() => rig.start());
test.after(() => rig.stop());
test.after.each(() => rig.leave());

const SUBSCRIBE = `${word(1)}${data('t')}00`;

/** By type: the flags it must have, and what follows the fixed header. */
const FLAGS: readonly [name: string, type: number, required: number, rest: string][] = [
  ['PUBACK', 4, 0, word(1)],
  ['PUBREC', 5, 0, word(1)],
  ['PUBREL', 6, 2, word(1)],
  ['PUBCOMP', 7, 0, word(1)],
  ['SUBSCRIBE', 8, 2, SUBSCRIBE],
  ['UNSUBSCRIBE', 10, 2, `${word(1)}${data('t')}`],
  ['PINGREQ', 12, 0, ''],
  ['DISCONNECT', 14, 0, ''],
];

for (const [name, type, required, rest] of FLAGS) {
  test(`[MQTT-2.2.2-2] ${name} with any flags but ${required}: closed`, async () => {
    for (let flags = 0; flags < 16; flags++) {
      if (flags === required) continue;
      const client = await rig.connected();
      client.send(packet((type << 4) | flags, rest), packet(0xc0));
      assert.equal(await client.end(), [], `flags ${flags}`);
    }
  });
}

test('[MQTT-2.2.2-2] CONNECT with any flags but 0: closed', async () => {
  for (let flags = 1; flags < 16; flags++) {
    const client = await rig.wire();
    client.send(`${byte(0x10 | flags)}${connect().slice(2)}`);
    assert.equal(await client.end(), [], `flags ${flags}`);
  }
});

for (const [what, sent] of [
  ['type 0, which is reserved', packet(0x00)],
  ['type 15, which is reserved', packet(0xf0)],
  ['CONNACK', '20020000'],
  ['SUBACK', packet(0x90, word(1), '00')],
  ['UNSUBACK', packet(0xb0, word(1))],
  ['PINGRESP', packet(0xd0)],
] as const) {
  test(`2.2.1 ${what} from a client: closed`, async () => {
    const client = await rig.connected();
    client.send(sent, packet(0xc0));
    assert.equal(await client.end(), []);
  });
}

for (const [what, sent] of [
  ['five bytes', '30 80 80 80 80 01'],
  ['five bytes, all of them set', '30 ff ff ff ff 7f'],
] as const) {
  test(`2.2.3 a remaining length of ${what}: closed`, async () => {
    const client = await rig.connected();
    client.send(sent);
    assert.equal(await client.end(), []);
  });
}

for (const length of [0, 1, 127, 128, 16_383, 16_384, 100_000]) {
  test(`2.2.3 a packet with a remaining length about ${length} goes through, in one piece and in many`, async () => {
    const client = await rig.connected();
    client.send(packet(0x82, word(1), data('l'), '00'));
    assert.is(await client.next(), '9003000100');
    for (const more of [0, 1]) {
      const payload = Buffer.alloc(Math.max(0, length - 3) + more, 0x61);
      const sent = packet(0x30, data('l'), raw(payload));
      client.send(sent);
      assert.is(await client.next(), sent);
      const pieces = [1, 2, 3, 4, 5, 8];
      for (const [i, piece] of pieces.entries()) {
        client.send(sent.slice(i === 0 ? 0 : (pieces[i - 1] ?? 0) * 2, piece * 2));
        await turn();
      }
      client.send(sent.slice(16));
      assert.is(await client.next(), sent);
    }
  });
}

for (const [what, sent] of [
  ['PUBLISH at QoS 1', packet(0x32, data('t'), word(0), raw('x'))],
  ['PUBLISH at QoS 2', packet(0x34, data('t'), word(0), raw('x'))],
  ['SUBSCRIBE', packet(0x82, word(0), data('t'), '00')],
  ['UNSUBSCRIBE', packet(0xa2, word(0), data('t'))],
] as const) {
  test(`[MQTT-2.3.1-1] ${what} with packet identifier 0: closed`, async () => {
    const client = await rig.connected();
    client.send(sent);
    assert.equal(await client.end(), []);
  });
}

for (const [what, sent] of [
  ['PUBLISH at QoS 1 that ends within its identifier', packet(0x32, data('t'), '00')],
  ['PUBLISH whose topic reaches beyond it', packet(0x30, word(9), raw('t'))],
  ['PUBLISH without a topic', packet(0x30, '00')],
  ['SUBSCRIBE that ends behind its filter', packet(0x82, word(1), data('t'))],
  ['SUBSCRIBE whose filter reaches beyond it', packet(0x82, word(1), word(5), raw('t'), '00')],
  ['UNSUBSCRIBE whose filter reaches beyond it', packet(0xa2, word(1), word(5), raw('t'))],
  ['PUBACK of one byte', packet(0x40, '01')],
  ['PUBACK of three bytes', packet(0x40, word(1), '00')],
  ['PUBREL of three bytes', packet(0x62, word(1), '00')],
  ['PINGREQ with content', packet(0xc0, '00')],
  ['DISCONNECT with content', packet(0xe0, '00')],
] as const) {
  test(`4.8 ${what}: closed`, async () => {
    const client = await rig.connected();
    client.send(sent);
    assert.equal(await client.end(), []);
  });
}

test('[MQTT-2.3.1-4] identifiers of messages in flight all differ, at each QoS', async () => {
  const [subscriber, publisher] = [await rig.client('s'), await rig.client('p')];
  await subscriber.subscribe('ids', 2);
  for (let i = 1; i <= 200; i++) publisher.publish('ids', 'x', { qos: i % 2 === 0 ? 1 : 2, messageId: i });
  for (let i = 1; i <= 200; i++) await publisher.next();
  const ids = new Set<number>();
  for (let i = 1; i <= 200; i++) ids.add((await subscriber.expect('publish')).messageId ?? 0);
  assert.is(ids.size, 200);
  assert.not(ids.has(0));
});

test('[MQTT-2.3.1-4] an identifier that the client still holds is left out when the numbers come round', async () => {
  const [subscriber, publisher] = [await rig.client('s'), await rig.client('p')];
  await subscriber.subscribe('round', 1);
  publisher.publish('round', 'held', { qos: 1, messageId: 1 });
  await publisher.expect('puback');
  const { messageId: held } = await subscriber.expect('publish');
  let seen = 0;
  for (let i = 0; i < 66_000; i += 100) {
    for (let j = 1; j <= 100; j++) publisher.publish('round', '', { qos: 1, messageId: j });
    for (let j = 1; j <= 100; j++) {
      const { messageId = 0 } = await subscriber.expect('publish');
      assert.is.not(messageId, held);
      subscriber.send({ cmd: 'puback', messageId });
      await publisher.expect('puback');
      seen++;
    }
  }
  assert.is(seen, 66_000);
});

test('[MQTT-2.3.1-5] PUBLISH at QoS 0 has no packet identifier, either way', async () => {
  const client = await rig.connected();
  client.send(packet(0x82, word(1), data('t'), '02'), packet(0x30, data('t'), '0001'));
  assert.equal(await client.take(2), ['9003000102', packet(0x30, data('t'), '0001')]);
});

test('[MQTT-2.3.1-6] [MQTT-2.3.1-7] answers have the identifier of their packet, 1 and 65535, too', async () => {
  const client = await rig.connected();
  for (const id of [1, 0x00ff, 0x0100, 0xffff].map(word)) {
    client.send(packet(0x82, id, data('nothing'), '00'), packet(0xa2, id, data('nothing')));
    client.send(packet(0x32, data('t'), id), packet(0x34, data('t'), id));
    assert.equal((await client.take(4)).sort(), [`4002${id}`, `5002${id}`, `9003${id}00`, `b002${id}`]);
    client.send(`6202${id}`);
    assert.is(await client.next(), `7002${id}`);
  }
});

test('2.3.1 both sides number by themselves: a client publishes under an identifier it has just been sent', async () => {
  const client = await rig.connected();
  client.send(packet(0x82, word(1), data('own'), '01'), packet(0x32, data('own'), word(1)));
  const packets = await client.take(3);
  assert.equal(packets.sort(), [packet(0x32, data('own'), word(1)), '40020001', '9003000101']);
  client.send(packet(0x32, data('else'), word(1)), packet(0x40, word(1)));
  assert.is(await client.next(), '40020001');
});

test.run();
