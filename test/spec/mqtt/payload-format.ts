import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { field, join, publish, section } from '../../support/mqtt-bytes.ts';
import { RawMqtt } from '../../support/mqtt-client.ts';
import { type Client, lasting, Rig } from './support/rig.ts';

/** MQTT 5.0, 3.3.2.3.2, 3.3.2.3.5 to 3.3.2.3.9: what of a PUBLISH is looked at, and that the rest is passed on as it is. */

const test = suite('mqtt/payload format');
const rig = new Rig();
test.after.each(() => rig.stop());

const TEXT = { payloadFormatIndicator: true };
const NOT_TEXT = Buffer.from([0x61, 0xff]);

/** The reason in PUBACK or PUBREC. */
async function told(client: Client, qos: 1 | 2, payload: Buffer | string, properties: object): Promise<number> {
  client.publish('a', payload, { qos, messageId: qos, properties });
  const { reasonCode = 0 } = await (qos === 1 ? client.expect('puback') : client.expect('pubrec'));
  if (qos === 2 && reasonCode < 0x80) {
    client.send({ cmd: 'pubrel', messageId: qos });
    await client.expect('pubcomp');
  }
  return reasonCode;
}

for (const validatePayloadFormat of [true, false]) {
  const reason = validatePayloadFormat ? 0x99 : 0x10;
  test(`3.3.2.3.2 Payload Format Indicator, validated: ${validatePayloadFormat}`, async () => {
    await rig.start({ mqtt: { validatePayloadFormat } });
    const { counters } = rig.server.broker;
    const client = await rig.client('c');
    for (const qos of [1, 2] as const) {
      assert.is(await told(client, qos, NOT_TEXT, TEXT), reason);
      for (const payload of ['', 'ä€😀\0', '\ufeff']) assert.is(await told(client, qos, payload, TEXT), 0x10, payload);
      assert.is(await told(client, qos, NOT_TEXT, { payloadFormatIndicator: false }), 0x10, 'bytes are not looked at');
    }
    const subscriber = await rig.client('s');
    await subscriber.subscribe('a');
    const dropped = counters.droppedRefused;
    client.publish('a', NOT_TEXT, { properties: TEXT });
    client.publish('a', 'next');
    const first = await subscriber.expect('publish');
    assert.equal(first.payload.toString('latin1'), validatePayloadFormat ? 'next' : 'a\xff');
    assert.is(counters.droppedRefused - dropped, validatePayloadFormat ? 1 : 0);
  });

  test(`3.1.3.2.3 of a will, validated: ${validatePayloadFormat}`, async () => {
    await rig.start({ mqtt: { validatePayloadFormat } });
    const connect = async (payload: Buffer): Promise<number | undefined> => {
      const raw = await RawMqtt.open(rig.server.mqtt, 5);
      const will = { topic: 'w', payload, qos: 0, retain: false, properties: TEXT } as const;
      raw.send({ cmd: 'connect', clientId: 'w', protocolVersion: 5, clean: true, keepalive: 60, will });
      const { reasonCode } = await raw.expect('connack');
      raw.destroy();
      return reasonCode;
    };
    assert.is(await connect(NOT_TEXT), validatePayloadFormat ? 0x99 : 0);
    assert.is(await connect(Buffer.from('ä')), 0);
  });
}

for (const [responseTopic, reason] of [
  ['a/+', 0x82],
  ['#', 0x82],
  ['', 0x82],
  ['x'.repeat(2000), 0x90],
] as const) {
  test(`[MQTT-3.3.2-14] Response Topic ${responseTopic.slice(0, 10)}: 0x${reason.toString(16)}`, async () => {
    await rig.start();
    const client = await rig.client('c');
    client.publish('a', 'x', { qos: 1, messageId: 1, properties: { responseTopic } });
    const last = (await client.end()).at(-1);
    assert.is(last?.cmd === 'disconnect' && last.reasonCode, reason);
    const will = { topic: 'w', payload: Buffer.of(1), qos: 0, retain: false, properties: { responseTopic } } as const;
    const raw = await RawMqtt.open(rig.server.mqtt, 5);
    raw.send({ cmd: 'connect', clientId: 'w', protocolVersion: 5, clean: true, keepalive: 60, will });
    assert.is((await raw.expect('connack')).reasonCode, reason);
  });
}

const USER = [
  ['b', '1'],
  ['a', ''],
  ['', 'no name'],
  ['b', '2'],
  ['', ''],
  ['b', '1'],
  ['Ä', '\u{10ffff}\ufeff'],
] as const;
/** In the order in which this server writes them. */
const PROPERTIES = join(
  [0x01, 1],
  [0x03],
  field('text/ä; charset="utf-8"'),
  [0x08],
  field('$odd/answers//'),
  [0x09],
  field([0, 1, 0xff, 0]),
  ...USER.map(([name, value]) => join([0x26], field(name), field(value))),
);

test('[MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20] bytes and order stay, on every way', async () => {
  await rig.start();
  const away = await rig.client('away', lasting);
  await away.subscribe('t', 1);
  away.send({ cmd: 'disconnect' });
  await away.end();
  const [live, member] = [await rig.client('live'), await rig.client('member')];
  await live.subscribe('t', 1);
  await member.subscribe('$share/g/t', 1);
  /** All that comes until this was there so often. */
  const watch = (client: RawMqtt): ((times: number) => Promise<void>) => {
    let bytes = Buffer.alloc(0);
    client.socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
    });
    const wanted = PROPERTIES.toString('latin1');
    return async (times) => {
      await eventually(`as they were, ${times}`, () => bytes.toString('latin1').split(wanted).length > times);
    };
  };
  const [atLive, atMember] = [watch(live), watch(member)];
  const publisher = await rig.client('p');
  const properties = section(PROPERTIES);
  publisher.write(publish('t', 'x', { properties }), publish('t', 'x', { qos: 1, retain: true, properties }));
  await publisher.expect('puback');
  await Promise.all([atLive(2), atMember(2)]);
  const later = await rig.client('later');
  const atLater = watch(later);
  void later.subscribe('t', 1);
  await atLater(1);
  const back = await RawMqtt.open(rig.server.mqtt, 5);
  const atBack = watch(back);
  back.send({ cmd: 'connect', clientId: 'away', protocolVersion: 5, keepalive: 60, ...lasting });
  await atBack(1);
  back.destroy();
});

test.run();
