import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connect, data, packet, raw, word } from '../../support/mqtt-wire.ts';
import { Rig } from '../mqtt/support/rig.ts';

/** MQTT 3.1.1, 3.1: what a CONNECT must be. Keep alive, wills and take-over have files of their own. */

const test = suite('mqtt311/3-01-connect');
const rig = new Rig(4);
test.before(() => rig.start());
test.after(() => rig.stop());
test.after.each(() => rig.leave());

const ACCEPTED = '20020000';

for (const [name, sent] of [
  ['PUBLISH', packet(0x30, data('t'), raw('x'))],
  ['PUBACK', packet(0x40, word(1))],
  ['PUBREL', packet(0x62, word(1))],
  ['SUBSCRIBE', packet(0x82, word(1), data('t'), '00')],
  ['UNSUBSCRIBE', packet(0xa2, word(1), data('t'))],
  ['PINGREQ', 'c000'],
  ['DISCONNECT', 'e000'],
  ['CONNACK', '20020000'],
] as const) {
  test(`[MQTT-3.1.0-1] ${name} as the first packet: closed, and what follows is not looked at`, async () => {
    const client = await rig.wire();
    client.send(sent, connect());
    assert.equal(await client.end(), []);
  });
}

test('[MQTT-3.1.0-2] a second CONNECT: closed', async () => {
  const client = await rig.connected();
  client.send(connect());
  assert.equal(await client.end(), []);
});

test('[MQTT-3.1.0-2] a second CONNECT right behind the first: CONNACK, then closed', async () => {
  const client = await rig.wire();
  client.send(connect(), connect());
  assert.equal(await client.end(), [ACCEPTED]);
});

for (const name of ['mqtt', 'MQTS', 'MQT', 'MQTTT', '', 'MQIsdpX', 'HTTP']) {
  test(`[MQTT-3.1.2-1] the protocol name ${JSON.stringify(name)}: closed`, async () => {
    const client = await rig.wire();
    client.send(connect({ name }));
    assert.equal(await client.end(), []);
  });
}

for (const level of [0, 1, 2, 6, 7, 127, 128, 131, 132, 255]) {
  test(`[MQTT-3.1.2-2] protocol level ${level}: CONNACK says 0x01, or 0x84 in the form of 5.0, then closed`, async () => {
    const client = await rig.wire();
    client.send(connect({ level, name: 'MQTT', properties: '' }));
    const answer = await client.end();
    assert.is(answer.length, 1);
    // Bit 7 is that of mosquitto's bridges, which come again without it.
    assert.match(answer[0] ?? '', (level & 0x7f) < 5 ? /^20020001$/ : /^20..0084/);
  });
}

test('[MQTT-3.1.2-2] level 3 with the name of level 4, and the other way round: CONNACK says 0x01, then closed', async () => {
  for (const [name, level] of [
    ['MQTT', 3],
    ['MQIsdp', 4],
  ] as const) {
    const client = await rig.wire();
    client.send(connect({ level, name }));
    assert.equal(await client.end(), ['20020001']);
  }
});

for (const [what, flags, payload] of [
  ['[MQTT-3.1.2-3] the reserved flag', 0x03, data('c')],
  ['[MQTT-3.1.2-11] [MQTT-3.1.2-13] will QoS 1 without a will', 0x0a, data('c')],
  ['[MQTT-3.1.2-13] will QoS 2 without a will', 0x12, data('c')],
  ['[MQTT-3.1.2-15] will retain without a will', 0x22, data('c')],
  ['[MQTT-3.1.2-14] a will of QoS 3', 0x1e, `${data('c')}${data('t')}${data('x')}`],
  ['[MQTT-3.1.2-22] a password without a user name', 0x42, `${data('c')}${data('secret')}`],
  ['[MQTT-3.1.2-9] a will that is not there', 0x06, data('c')],
  ['[MQTT-3.1.2-9] a will without its message', 0x06, `${data('c')}${data('t')}`],
  ['[MQTT-3.1.2-19] a user name that is not there', 0x82, data('c')],
  ['[MQTT-3.1.2-21] a password that is not there', 0xc2, `${data('c')}${data('u')}`],
  ['[MQTT-3.1.2-11] a will that was not announced', 0x02, `${data('c')}${data('t')}${data('x')}`],
  ['[MQTT-3.1.2-18] a user name that was not announced', 0x02, `${data('c')}${data('u')}`],
  ['[MQTT-3.1.2-20] a password that was not announced', 0x82, `${data('c')}${data('u')}${data('p')}`],
  ['[MQTT-3.1.3-3] no client identifier at all', 0x02, ''],
  ['a client identifier that reaches beyond the packet', 0x02, `${word(4)}${raw('c')}`],
  ['[MQTT-3.1.2-9] an empty will topic', 0x06, `${data('c')}${data('')}${data('x')}`],
  ['[MQTT-4.7.1-1] a will topic with +', 0x06, `${data('c')}${data('a/+')}${data('x')}`],
  ['[MQTT-4.7.1-1] a will topic with #', 0x06, `${data('c')}${data('#')}${data('x')}`],
] as const) {
  test(`${what}: closed without CONNACK`, async () => {
    const client = await rig.wire();
    client.send(connect({ flags, payload }));
    assert.equal(await client.end(), []);
  });
}

test('a CONNECT that ends within each of its fields: closed', async () => {
  const whole = connect({ flags: 0xc6, payload: ['c', 't', 'x', 'u', 'p'].map(data).join('') }).slice(4);
  for (let bytes = 0; bytes < whole.length / 2; bytes++) {
    const client = await rig.wire();
    client.send(packet(0x10, whole.slice(0, bytes * 2)));
    assert.equal(await client.end(), [], `${bytes} bytes`);
  }
});

for (const [what, flags, payload] of [
  ['nothing but a client identifier', 0x02, data('c')],
  ['a user name', 0x82, `${data('c')}${data('u')}`],
  ['a user name and a password', 0xc2, `${data('c')}${data('u')}${data('p')}`],
  ['an empty user name and an empty password', 0xc2, `${data('c')}${data('')}${data('')}`],
  ['a password that is no text', 0xc2, `${data('c')}${data('u')}${data(Buffer.from([0, 255, 192]))}`],
  ['a will', 0x06, `${data('c')}${data('w')}${data('x')}`],
  ['a will with an empty message', 0x06, `${data('c')}${data('w')}${data('')}`],
  ['a will that is no text', 0x2e, `${data('c')}${data('w')}${data(Buffer.from([0, 255]))}`],
  ['[MQTT-3.1.3-1] all of it, in its order', 0xf6, ['c', 'w', 'x', 'u', 'p'].map(data).join('')],
] as const) {
  test(`${what}: CONNACK with code 0`, async () => {
    const client = await rig.wire();
    client.send(connect({ flags, payload }));
    assert.is(await client.next(), ACCEPTED);
    assert.equal(await client.flush(), []);
  });
}

for (const [what, id] of [
  ['[MQTT-3.1.3-5] of one character', 'a'],
  ['[MQTT-3.1.3-5] of 23', 'abcdefghijklmnopqrstuvw'],
  ['[MQTT-3.1.3-5] digits and letters', '0123456789ABCXYZabcxyz'],
  ['longer than 23', 'x'.repeat(24)],
  ['of 1,000', 'x'.repeat(1000)],
  ['of other characters', '{a-b_c:d}'],
] as const) {
  test(`a client identifier ${what} is taken`, async () => {
    const client = await rig.wire();
    client.send(connect({ payload: data(id) }));
    assert.is(await client.next(), ACCEPTED);
  });
}

test('[MQTT-3.1.3-6] [MQTT-3.1.3-7] an empty client identifier with Clean Session 1 is taken, by many at once', async () => {
  const clients = [await rig.wire(), await rig.wire(), await rig.wire()];
  for (const client of clients) {
    client.send(connect({ payload: data('') }));
    assert.is(await client.next(), ACCEPTED);
  }
  for (const client of clients) assert.equal(await client.flush(), []);
});

test('[MQTT-3.1.3-8] an empty client identifier with Clean Session 0: CONNACK says 0x02, then closed', async () => {
  const client = await rig.wire();
  client.send(connect({ flags: 0, payload: data('') }));
  assert.equal(await client.end(), ['20020002']);
});

test('3.1.4 packets right behind CONNECT are served, after CONNACK, in their order', async () => {
  const client = await rig.wire();
  const published = packet(0x32, data('else'), word(7), raw('x'));
  client.send(connect(), packet(0x82, word(3), data('pipe'), '00'), published, packet(0xa2, word(4), data('pipe')));
  const packets = await client.take(4);
  assert.is(packets[0], ACCEPTED);
  assert.equal(packets.slice(1).sort(), ['40020007', '9003000300', 'b0020004']);
  assert.ok(packets.indexOf('9003000300') < packets.indexOf('b0020004'));
});

test('3.1.4 a CONNECT byte by byte is one', async () => {
  const client = await rig.wire();
  const sent = connect();
  for (let at = 0; at < sent.length; at += 2) {
    client.send(sent.slice(at, at + 2));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(await client.next(), ACCEPTED);
});

test('[MQTT-3.1.4-5] what follows a CONNECT that is refused is not looked at', async () => {
  const watcher = await rig.client('watcher');
  await watcher.subscribe('late/#');
  for (const refused of [
    connect({ flags: 0, payload: data('') }),
    connect({ level: 2, name: 'MQTT' }),
    connect({ flags: 3 }),
  ]) {
    const client = await rig.wire();
    client.send(refused, packet(0x30, data('late/x'), raw('x')));
    await client.end();
  }
  assert.equal(await watcher.flush(), []);
});

test.run();
