import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConnectParts, connect, data, packet, raw, word } from '../../support/mqtt-wire.ts';
import { lasting, Rig } from '../mqtt/support/rig.ts';

/** MQTT 5.0, 4.13: what is malformed or breaks the protocol ends the connection it came by, with its reason, and nothing else. */

const test = suite('mqtt5/4-13-errors');
const rig = new Rig();
test.before(() => rig.start({ limits: { packetBytes: 5000 } }));
test.after(() => rig.stop());
test.after.each(() => rig.leave());

const level = 5;

for (const [what, sent, reason] of [
  ['malformed: QoS 3', packet(0x36, data('t'), word(1), '00', raw('x')), '81'],
  ['malformed: flags of SUBSCRIBE', packet(0x80, word(1), '00', data('t'), '00'), '81'],
  ['a protocol error: a second CONNECT', connect({ level }), '82'],
  ['a protocol error: no filter', packet(0x82, word(1), '00'), '82'],
  ['a protocol error: what only servers send', packet(0xd0), '82'],
  ['an unknown alias', packet(0x30, data(''), '03', '23', word(1), raw('x')), '82'],
  ['an alias that is too large', packet(0x30, data('t'), '03', '23', word(65_535), raw('x')), '94'],
  ['a packet that is too large', packet(0x30, data('t'), '00', raw('x'.repeat(6000))), '95'],
  ['a topic with a wildcard', packet(0x30, data('a/#'), '00', raw('x')), '90'],
] as const) {
  test(`[MQTT-4.13.1-1] [MQTT-4.13.2-1] ${what}: DISCONNECT 0x${reason}, then closed`, async () => {
    const watcher = await rig.client('w');
    await watcher.subscribe('#');
    const client = await rig.connected({ level });
    client.send(
      packet(0x30, data('before'), '00', raw('x')),
      sent,
      packet(0x30, data('behind'), '00', raw('x')),
      'c000',
    );
    const packets = await client.end();
    assert.is(packets.length, 1);
    assert.match(packets[0] ?? '', new RegExp(`^e0..${reason}`));
    assert.equal(
      (await watcher.flush()).map((each) => each.cmd === 'publish' && each.topic),
      ['before'],
    );
  });
}

const will = (flags: number, ...rest: string[]): ConnectParts => ({
  level,
  flags,
  payload: [data('c'), ...rest].join(''),
});

for (const [what, parts, reason] of [
  ['malformed: a will of QoS 3', will(0x1e, '00', data('t'), data('x')), '81'],
  ['malformed: an ill-formed client identifier', { level, payload: data(Buffer.of(0xff)) }, '81'],
  ['malformed: a reserved flag', { level, flags: 0x03 }, '81'],
  ['a protocol error: Receive Maximum 0', { level, properties: '03210000' }, '82'],
  ['a protocol error: Maximum Packet Size 0', { level, properties: '052700000000' }, '82'],
  ['a protocol error: a property twice', { level, properties: '0a11000000011100000001' }, '82'],
  ['a method that is not offered', { level, properties: `05 15 ${data('xy')}` }, '8c'],
  ['a will topic with a wildcard', will(0x06, '00', data('#'), data('x')), '90'],
] as const) {
  test(`4.13 in CONNECT, ${what}: CONNACK 0x${reason}, then closed`, async () => {
    const client = await rig.wire();
    client.send(connect(parts), packet(0xc0));
    const packets = await client.end();
    assert.is(packets.length, 1);
    assert.match(packets[0] ?? '', new RegExp(`^20..00${reason}`), 'Session Present is 0');
  });
}

test('4.13 a session outlives the error that ended its connection, with what was in flight', async () => {
  const first = await rig.client('kept', lasting);
  await first.subscribe('t', 2);
  const publisher = await rig.client('p');
  publisher.publish('t', 'x', { qos: 1, messageId: 1 });
  const { messageId } = await first.expect('publish');
  first.write(0x00, 0x00);
  assert.is((await first.expect('disconnect')).reasonCode, 0x81);
  await first.end();
  const again = await rig.client('kept', lasting);
  assert.ok(again.connack.sessionPresent);
  const message = await again.expect('publish');
  assert.equal([message.messageId, message.dup], [messageId, true]);
});

test('4.13 errors that have a reason code in an answer leave the connection open', async () => {
  const client = await rig.client('c');
  assert.equal(await client.subscribe('a/#/b'), [0x8f]);
  client.publish('$SYS/x', 'x', { qos: 1, messageId: 1 });
  assert.is((await client.expect('puback')).reasonCode, 0x87);
  client.publish('$SYS/x', 'x', { qos: 2, messageId: 2 });
  assert.is((await client.expect('pubrec')).reasonCode, 0x87);
  client.send({ cmd: 'pubrel', messageId: 77 });
  assert.is((await client.expect('pubcomp')).reasonCode, 0x92);
  client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['never'] });
  assert.equal((await client.expect('unsuback')).granted, [0x11]);
  assert.equal(await client.flush(), []);
});

test('4.11 this server redirects nobody: no CONNACK or DISCONNECT has a Server Reference', async () => {
  const client = await rig.client('c');
  assert.is(client.connack.properties?.serverReference, undefined);
  await rig.client('c');
  const [last] = await client.end();
  assert.equal(last?.cmd === 'disconnect' && [last.reasonCode, last.properties?.serverReference], [0x8e, undefined]);
});

test.run();
