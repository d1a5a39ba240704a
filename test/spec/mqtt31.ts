import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect, data, packet, raw, word } from '../support/mqtt-wire.ts';
import { Rig } from './mqtt/support/rig.ts';

/** MQTT 3.1, where it is not as 3.1.1. What both have in common is tested with both, in mqtt311. */

const test = suite('mqtt31');
const rig = new Rig(3);
test.before(() => rig.start());
test.after(() => rig.stop());
test.after.each(() => rig.leave());

const ACCEPTED = '20020000';
const level = 3;

test('3.1 the name is MQIsdp and the level 3', async () => {
  await rig.connected({ level });
  for (const other of [0, 2, 4, 5, 6, 131]) {
    const client = await rig.wire();
    client.send(connect({ name: 'MQIsdp', level: other, properties: '' }));
    assert.equal(await client.end(), ['20020001'], `level ${other}`);
  }
});

test('3.1 client identifiers of more than 23 characters are taken, though 3.1 would have them refused', async () => {
  for (const id of ['x', 'x'.repeat(23), 'x'.repeat(24), 'x'.repeat(500)]) {
    const client = await rig.wire();
    client.send(connect({ level, payload: data(id) }));
    assert.is(await client.next(), ACCEPTED);
  }
});

test('3.1 an empty client identifier, which 3.1.1 brought: code 2, whatever Clean Session is', async () => {
  for (const flags of [0, 2]) {
    const client = await rig.wire();
    client.send(connect({ level, flags, payload: data('') }));
    assert.equal(await client.end(), ['20020002']);
  }
});

test('3.2 the first byte of CONNACK is not used: 0 with a session that was kept, too', async () => {
  for (let i = 0; i < 2; i++) {
    const client = await rig.wire();
    client.send(connect({ level, flags: 0, payload: data('kept') }));
    assert.is(await client.next(), ACCEPTED);
    client.send('e000');
    await client.end();
  }
});

test('3.1 the user name and password flags may be set without the strings: the remaining length counts', async () => {
  for (const [flags, payload] of [
    [0x82, data('c')],
    [0xc2, data('c')],
    [0xc2, `${data('c')}${data('user')}`],
    [0xc6, `${data('c')}${data('t')}${data('x')}`],
  ] as const) {
    const client = await rig.wire();
    client.send(connect({ level, flags, payload }));
    assert.is(await client.next(), ACCEPTED);
  }
});

test('3.1 bit 0 of the flags of CONNECT is not used', async () => {
  const client = await rig.wire();
  client.send(connect({ level, flags: 0x03 }));
  assert.is(await client.next(), ACCEPTED);
});

test('2.1 SUBSCRIBE, UNSUBSCRIBE and PUBREL come again with DUP', async () => {
  const client = await rig.connected({ level });
  client.send(packet(0x82, word(1), data('t'), '01'), packet(0x8a, word(1), data('t'), '01'));
  assert.equal(await client.take(2), ['9003000101', '9003000101']);
  client.send(packet(0xa2, word(2), data('t')), packet(0xaa, word(2), data('t')));
  assert.equal(await client.take(2), ['b0020002', 'b0020002']);
  client.send(packet(0x34, data('else'), word(3), raw('x')));
  assert.is(await client.next(), '50020003');
  client.send('62020003', '6a020003');
  assert.equal(await client.take(2), ['70020003', '70020003']);
});

test('2.1 flags are not used in the packets that have no use for them', async () => {
  const client = await rig.connected({ level });
  for (const first of [0xc1, 0xc2, 0xc8, 0xcf]) {
    client.send(packet(first));
    assert.is(await client.next(), 'd000');
  }
  client.send(packet(0x3a, data('t'), word(4), raw('x')), packet(0x38, data('t'), raw('x')));
  assert.is(await client.next(), '40020004');
  client.send('ef00');
  assert.equal(await client.end(), []);
});

test('4.2 a will, retained messages, QoS 2 both ways: 3.1 clients among the others', async () => {
  const [old, newer] = [await rig.client('old'), await rig.client('newer', { protocolVersion: 5 })];
  await old.subscribe('mixed/#', 2);
  await newer.subscribe('mixed/#', 2);
  old.publish('mixed/a', 'x', { qos: 2, messageId: 1, retain: true });
  const packets = [await old.next(), await old.next()].map(({ cmd }) => cmd);
  assert.equal(packets.sort(), ['publish', 'pubrec']);
  old.send({ cmd: 'pubrel', messageId: 1 });
  await old.expect('pubcomp');
  const message = await newer.expect('publish');
  assert.equal([message.topic, message.payload.toString(), message.qos], ['mixed/a', 'x', 2]);
  const will = { topic: 'mixed/will', payload: Buffer.from('gone'), qos: 1 as const, retain: false };
  const lost = await rig.client('lost', { will });
  lost.destroy();
  assert.is((await old.expect('publish')).topic, 'mixed/will');
  assert.is((await newer.expect('publish')).topic, 'mixed/will');
});

test.run();
