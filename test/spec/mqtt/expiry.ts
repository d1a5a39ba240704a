import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Packet } from '../../support/mqtt-client.ts';
import { MqttHarness } from './support/harness.ts';

/** MQTT 5.0, 3.3.2.3.3: Message Expiry Interval. */

const test = suite('mqtt/expiry');

const lasting = { clean: false, properties: { sessionExpiryInterval: 3600 } };

/** Payloads with the seconds that are left. */
function left(packets: readonly Packet[]): string[] {
  return packets.flatMap((packet) =>
    packet.cmd === 'publish' ? [`${packet.payload} ${packet.properties?.messageExpiryInterval}`] : [],
  );
}

/** Publishes these, one lifetime in seconds each, by which they are named. */
async function publish(broker: MqttHarness, topic: string, seconds: readonly number[], options: object = {}) {
  const publisher = await broker.connect('p');
  for (const [i, each] of seconds.entries()) {
    const properties = { messageExpiryInterval: each };
    await publisher.publish(topic, { payload: `${each}`, qos: 1, messageId: i + 1, properties, ...options });
  }
  publisher.take();
  await publisher.drop();
}

test('[MQTT-3.3.2-6] what is sent at once has its whole time, whatever that is', async () => {
  const broker = new MqttHarness();
  const subscriber = await broker.connect('s');
  await subscriber.subscribe('a', 1);
  await publish(broker, 'a', [1, 4_294_967_295]);
  assert.equal(left(subscriber.take()), ['1 1', '4294967295 4294967295']);
});

test('[MQTT-3.3.2-5] [MQTT-3.3.2-6] what a session missed: counted down, not sent and counted once it is expired', async () => {
  const broker = new MqttHarness();
  const first = await broker.connect('s', lasting);
  await first.subscribe('a', 2);
  await first.drop();
  await publish(broker, 'a', [10, 100]);
  await publish(broker, 'a', [30, 11], { qos: 2 });
  broker.harness.clock.advance(11_000);
  const back = broker.open();
  await back.send({ cmd: 'connect', protocolVersion: 5, keepalive: 60, clientId: 's', ...lasting });
  assert.equal(left(back.take()), ['100 89', '30 19']);
  assert.is(broker.harness.counters.droppedExpired, 2);
});

test('[MQTT-3.3.2-5] [MQTT-3.3.2-6] what waits for the window', async () => {
  const broker = new MqttHarness();
  const slow = await broker.connect('s', { properties: { receiveMaximum: 1 } });
  await slow.subscribe('a', 1);
  await publish(broker, 'a', [5, 6, 60]);
  assert.equal(left(slow.take()), ['5 5']);
  broker.harness.clock.advance(6_500);
  await slow.send({ cmd: 'puback', messageId: 1 });
  assert.equal(left(slow.take()), ['60 54'], 'the second that has begun still counts');
});

test('[MQTT-3.3.2-5] [MQTT-3.3.2-6] retained messages', async () => {
  for (const qos of [0, 1] as const) {
    const broker = new MqttHarness();
    await publish(broker, 'a/1', [10], { qos, retain: true });
    await publish(broker, 'a/2', [20], { qos, retain: true });
    broker.harness.clock.advance(7_000);
    const subscriber = await broker.connect('s');
    assert.equal(left(await subscriber.subscribe('a/#', 1)).sort(), ['10 3', '20 13']);
    broker.harness.clock.advance(3_000);
    assert.equal(left(await subscriber.subscribe('a/+', 1)), ['20 10']);
  }
});

test('[MQTT-3.3.2-5] [MQTT-3.3.2-6] what is read from the log again', async () => {
  const broker = new MqttHarness();
  await publish(broker, 'a', [10, 20]);
  broker.harness.clock.advance(15_000);
  const subscriber = await broker.connect('s');
  assert.equal(left(await subscriber.subscribe('a', 1, { start: 'first' })), ['20 5']);
});

test("3.1.3.2.4 a will's time begins when it is published", async () => {
  const broker = new MqttHarness();
  const subscriber = await broker.connect('s');
  await subscriber.subscribe('w', 1);
  const properties = { willDelayInterval: 5, messageExpiryInterval: 60 };
  const will = { topic: 'w', payload: Buffer.from('will'), qos: 1, retain: false, properties } as const;
  const lost = await broker.connect('l', { ...lasting, will });
  broker.harness.clock.advance(40_000);
  await lost.drop();
  broker.harness.clock.advance(5_000);
  await broker.turn();
  assert.equal(left(subscriber.take()), ['will 60']);
});

test.run();
