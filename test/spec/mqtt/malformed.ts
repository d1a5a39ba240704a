import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { RawMqtt } from '../../support/mqtt-client.ts';

/** Bytes that are no packet, or not one for here: the error the specification names, then the close. */

const test = suite('mqtt/malformed');
let server: TestBroker;

test.before(async () => {
  server = await startBroker({ limits: { packetBytes: 2000, loginPacketBytes: 1000 } });
});
test.after(() => server.broker.stop());

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** After an accepted CONNECT of MQTT 5: what is sent, and the reason in DISCONNECT. */
for (const [what, bytes, reason] of [
  ['packet type 0', '00 00', 0x81],
  ['a second CONNECT [MQTT-3.1.0-2]', '10 0d 00044d515454 05 02 003c 00 0000', 0x82],
  ['CONNACK from a client', '20 02 00 00', 0x82],
  ['SUBACK from a client', '90 03 0001 00', 0x82],
  ['PINGRESP from a client', 'd0 00', 0x82],
  ['five bytes of remaining length', '30 80 80 80 80 01', 0x81],
  ['a remaining length that is too long', '30 82 00 00 00', 0x81],
  ['PUBLISH with QoS 3 [MQTT-3.3.1-4]', '36 06 0001 61 0001 00', 0x81],
  ['PUBLISH with DUP at QoS 0 [MQTT-3.3.1-2]', '38 04 0001 61 00', 0x81],
  ['a topic beyond the packet', '30 04 0009 61 00', 0x81],
  ['a topic with a wildcard [MQTT-3.3.2-2]', '30 04 0001 23 00', 0x90],
  ['a topic that is not UTF-8', '30 05 0002 c0 80 00', 0x90],
  ['packet identifier 0 [MQTT-2.2.1-3]', '32 06 0001 61 0000 00', 0x81],
  ['neither topic nor alias', '30 03 0000 00', 0x82],
  ['an unknown property', '30 06 0001 61 02 7f 00', 0x81],
  ['a property twice', '30 08 0001 61 04 01 00 01 00', 0x82],
  ['Payload Format Indicator 2', '30 06 0001 61 02 01 02', 0x82],
  ['a Subscription Identifier from a client [MQTT-3.3.4-6]', '30 06 0001 61 02 0b 01', 0x82],
  ['properties beyond the packet', '30 04 0001 61 05', 0x81],
  ['a response topic with a wildcard [MQTT-3.3.2-14]', '30 08 0001 61 04 08 0001 2b', 0x82],
  ['SUBSCRIBE with reserved flags 0 [MQTT-3.8.1-1]', '80 07 0001 00 0001 61 00', 0x81],
  ['SUBSCRIBE with no filter [MQTT-3.8.3-2]', '82 03 0001 00', 0x82],
  ['SUBSCRIBE with QoS 3', '82 07 0001 00 0001 61 03', 0x81],
  ['SUBSCRIBE with reserved option bits [MQTT-3.8.3-5]', '82 07 0001 00 0001 61 40', 0x81],
  ['Retain Handling 3', '82 07 0001 00 0001 61 30', 0x82],
  ['Subscription Identifier 0', '82 09 0001 02 0b 00 0001 61 00', 0x82],
  ['UNSUBSCRIBE with no filter', 'a2 03 0001 00', 0x82],
  ['PINGREQ with content', 'c0 01 00', 0x81],
  ['PUBREL with flags 0', '60 02 0001', 0x81],
  ['AUTH with no method agreed', 'f0 00', 0x82],
  ['a packet larger than limits.packetBytes', '30 d1 0f', 0x95],
] as const) {
  test(`5.0: ${what}: ${reason.toString(16)}`, async () => {
    const client = await RawMqtt.connect(server.mqtt, { clientId: 'm', protocolVersion: 5 });
    // What follows a malformed packet must not be looked at.
    client.write(hex(bytes), hex('30 07 0004 6c617465 00'));
    const packets = await client.end();
    const last = packets[packets.length - 1];
    assert.is(packets.length, 1);
    assert.is(last?.cmd === 'disconnect' && last.reasonCode, reason, JSON.stringify(last));
    if (last?.cmd === 'disconnect') assert.ok((last.properties?.reasonString ?? '').length > 10, 'says what was wrong');
  });
}

/** As the first bytes of a connection: what comes before the close. */
for (const [what, bytes, answer] of [
  ['protocol level 6', '10 0d 00044d515454 06 02 003c 00 0000', { cmd: 'connack', reasonCode: 0x84 }],
  ['protocol level 2', '10 0c 00044d515454 02 02 003c 0000', { cmd: 'connack', returnCode: 1 }],
  [
    '3.1.1: empty client id without clean session [MQTT-3.1.3-8]',
    '10 0c 00044d515454 04 00 003c 0000',
    { cmd: 'connack', returnCode: 2 },
  ],
  [
    '5.0: an authentication method that is not offered',
    '10 12 00044d515454 05 02 003c 05 15 0002 7878 0000',
    { cmd: 'connack', reasonCode: 0x8c },
  ],
  ['a packet before CONNECT [MQTT-3.1.0-1]', '30 04 0001 61 00', undefined],
  ['the reserved flag of CONNECT [MQTT-3.1.2-3]', '10 0c 00044d515454 04 03 003c 0000', undefined],
  ['another protocol name', '10 0c 00044d515455 04 02 003c 0000', undefined],
  ['3.1.1: a password without a user name', '10 0e 00044d515454 04 42 003c 0000 0000', undefined],
  ['will flags without a will', '10 0c 00044d515454 04 2a 003c 0000', undefined],
  ['a client id of invalid UTF-8', '10 0e 00044d515454 04 02 003c 0002 c080', undefined],
  ['a packet larger than limits.loginPacketBytes', '10 ff ff ff 7f 00', undefined],
  ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n').toString('hex'), undefined],
] as const) {
  test(`before login: ${what}`, async () => {
    const client = await RawMqtt.open(server.mqtt, 5);
    client.write(hex(bytes));
    const packets = await client.end();
    if (answer === undefined) assert.equal(packets, []);
    else assert.match(JSON.stringify(packets[0]), JSON.stringify(answer).slice(1, -1).split(',')[0] ?? '');
  });
}

test('the bytes of aedes issue 612, which ended its process, end one connection', async () => {
  const client = await RawMqtt.open(server.mqtt, 5);
  client.write(hex('10 10 00044d5154540502003c0321001400006202d301e0020020'));
  const packets = await client.end();
  const last = packets[packets.length - 1];
  assert.is(last?.cmd === 'disconnect' && last.reasonCode, 0x81);
});

test('what follows a malformed packet is not looked at', async () => {
  const watcher = await RawMqtt.connect(server.mqtt, { clientId: 'w' });
  await watcher.subscribe('late');
  const client = await RawMqtt.connect(server.mqtt, { clientId: 'm' });
  client.write(hex('00 00'), hex('30 06 0004 6c617465'));
  await client.end();
  assert.equal(await watcher.flush(), []);
  watcher.destroy();
});

test.run();
