import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConfigInput } from '../../../src/config/load.ts';
import { eventually } from '../../support/eventually.ts';
import { type Packet, RawMqtt } from '../../support/mqtt-client.ts';
import { RawStomp } from '../../support/stomp-client.ts';
import { DurableRig } from './support/durable-rig.ts';
import { type Client, Rig } from './support/rig.ts';

/** MQTT 5.0, 3.2.2.3: what a server offers less than all of, by the section `mqtt` of the configuration. */

type Offer = NonNullable<ConfigInput['mqtt']>;
type Options = Parameters<typeof RawMqtt.connect>[1];

const MQTT3 = { protocolVersion: 4 } as const;
const WAYS = { TCP: RawMqtt.open, WebSocket: RawMqtt.openWebSocket };

/** Over each of the two ways, with a broker that offers this. */
function both(
  title: string,
  mqtt: Offer,
  run: (
    client: (id: string, options?: Partial<Options>) => Promise<Client>,
    refused: (options: Partial<Options>) => Promise<number | undefined>,
    rig: Rig,
  ) => Promise<void>,
): void {
  for (const [way, open] of Object.entries(WAYS)) {
    test(`${title} (${way})`, async () => {
      await rig.start({ mqtt });
      const address = way === 'TCP' ? rig.server.mqtt : rig.server.http;
      const clients: RawMqtt[] = [];
      const client = async (clientId: string, options: Partial<Options> = {}): Promise<Client> => {
        const connected = await RawMqtt.connect(address, { clientId, protocolVersion: 5, ...options }, open);
        clients.push(connected);
        return connected;
      };
      /** The code in CONNACK; undefined: closed without one. */
      const refused = async (options: Partial<Options>): Promise<number | undefined> => {
        const version = options.protocolVersion ?? 5;
        const raw = await open(address, version);
        raw.send({
          cmd: 'connect',
          clean: true,
          keepalive: 60,
          clientId: 'refused',
          protocolVersion: 5,
          ...options,
        });
        const [answer] = await raw.end();
        return answer?.cmd === 'connack' ? (version === 5 ? answer.reasonCode : answer.returnCode) : undefined;
      };
      try {
        await run(client, refused, rig);
      } finally {
        for (const each of clients) each.destroy();
      }
    });
  }
}

/** What the connection ends with: the reason of DISCONNECT, or undefined where it just ends. */
async function ending(client: RawMqtt): Promise<number | undefined> {
  const packets = await client.end();
  const last = packets.at(-1);
  assert.not(packets.some(({ cmd }) => cmd === 'suback' || cmd === 'puback' || cmd === 'pubrec'));
  return last?.cmd === 'disconnect' ? last.reasonCode : undefined;
}

function isPublish(packet: Packet, qos: number): boolean {
  return packet.cmd === 'publish' && packet.qos === qos;
}

function subscribe(client: RawMqtt, filter: string, properties?: object): void {
  const packet: Packet = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 2 }] };
  client.send(properties === undefined ? packet : { ...packet, properties });
}

const test = suite('mqtt/capabilities');
const rig = new Rig();
test.after.each(() => rig.stop());

const ALL = ['maximumQoS', 'retainAvailable', 'wildcardSubscriptionAvailable'] as const;
const MORE = ['subscriptionIdentifiersAvailable', 'sharedSubscriptionAvailable'] as const;

both('3.2.2.3: nothing is said of what is offered as ever', {}, async (client) => {
  const { properties = {} } = (await client('a')).connack;
  for (const name of [...ALL, ...MORE]) assert.not(name in properties, name);
});

both(
  '[MQTT-3.2.2-9] 3.2.2.3: what is not offered is said in CONNACK',
  { maximumQos: 1, retain: false, wildcards: false, subscriptionIdentifiers: false, sharedSubscriptions: false },
  async (client) => {
    const { properties = {} } = (await client('a')).connack;
    assert.is(properties.maximumQoS, 1);
    for (const name of [...ALL.slice(1), ...MORE]) assert.is(Reflect.get(properties, name), false, name);
    assert.is((await client('b', MQTT3)).connack.properties, undefined);
  },
);

for (const maximumQos of [0, 1] as const) {
  both(
    `[MQTT-3.2.2-11] [MQTT-3.2.2-10] [MQTT-3.2.2-12] Maximum QoS ${maximumQos}`,
    { maximumQos },
    async (client, refused, { server }) => {
      const fine = await client('fine');
      assert.equal(await fine.subscribe('t', 2), [maximumQos], 'SUBSCRIBE with any QoS is taken, and less is granted');
      assert.equal(await (await client('old', MQTT3)).subscribe('t', 2), [maximumQos]);
      fine.publish('t', 'x', { qos: maximumQos, messageId: 5 });
      await eventually('its own message', async () => isPublish(await fine.next(), maximumQos));
      if (maximumQos === 1) await eventually('PUBACK', async () => (await fine.next()).cmd === 'puback');
      const stomp = await RawStomp.connect(server.stomp);
      stomp.send('SEND', { destination: '/topic/t', persistent: 'true', receipt: 'r' }, 'y');
      await stomp.expect('RECEIPT');
      await eventually('not more from another protocol', async () => isPublish(await fine.next(), maximumQos));
      stomp.socket.destroy();
      for (const qos of [1, 2] as const) {
        if (qos <= maximumQos) continue;
        const [five, three] = [await client('five'), await client('three', MQTT3)];
        for (const each of [five, three]) each.publish('t', 'not this', { qos, messageId: 5 });
        assert.equal([await ending(five), await ending(three)], [0x9b, undefined]);
        const will = { topic: 't', payload: Buffer.from('nor this'), qos, retain: false };
        assert.equal([await refused({ will }), await refused({ will, ...MQTT3 })], [0x9b, undefined]);
      }
      assert.not(JSON.stringify(await fine.flush()).includes('this'));
      await client('fine will', { will: { topic: 't', payload: Buffer.of(1), qos: maximumQos, retain: false } });
    },
  );
}

both('[MQTT-3.2.2-14] [MQTT-3.2.2-13] no retained messages', { retain: false }, async (client, refused, { server }) => {
  const stomp = await RawStomp.connect(server.stomp);
  stomp.send('SEND', { destination: '/topic/t', retain: 'true', receipt: 'r' }, 'kept for others');
  await stomp.expect('RECEIPT');
  const watcher = await client('w');
  await watcher.subscribe('t', 1, { rap: true });
  assert.equal(await watcher.flush(), []);
  const [five, three] = [await client('five'), await client('three', MQTT3)];
  for (const each of [five, three]) each.publish('t', 'x', { retain: true });
  assert.equal([await ending(five), await ending(three)], [0x9a, undefined]);
  const will = { topic: 't', payload: Buffer.of(1), qos: 0, retain: true } as const;
  assert.equal([await refused({ will }), await refused({ will, ...MQTT3 })], [0x9a, undefined]);
  stomp.send('SEND', { destination: '/topic/t', retain: 'true' }, 'live');
  assert.is((await watcher.expect('publish')).retain, false);
  stomp.socket.destroy();
});

both('3.2.2.3.11 no wildcards', { wildcards: false }, async (client) => {
  for (const filter of ['#', 'a/+', '$share/g/a/#']) {
    const five = await client('five');
    subscribe(five, filter);
    assert.is(await ending(five), 0xa2);
    assert.equal(await (await client('three', MQTT3)).subscribe(filter), [0x80]);
  }
  const fine = await client('fine');
  assert.equal([...(await fine.subscribe('a/b')), ...(await fine.subscribe('$share/g/a'))], [0, 0]);
});

both('3.2.2.3.12 no Subscription Identifiers', { subscriptionIdentifiers: false }, async (client) => {
  const five = await client('five');
  subscribe(five, 'a', { subscriptionIdentifier: 1 });
  assert.is(await ending(five), 0xa1);
  assert.equal(await (await client('fine')).subscribe('a'), [0]);
});

both('3.2.2.3.13 no shared subscriptions', { sharedSubscriptions: false }, async (client) => {
  const five = await client('five');
  subscribe(five, '$share/g/a');
  assert.is(await ending(five), 0x9e);
  assert.equal(await (await client('three', MQTT3)).subscribe('$share/g/a'), [0x80]);
  assert.equal(await (await client('fine')).subscribe('share/g/a'), [0]);
});

test('a SUBSCRIBE that ends the connection has subscribed to nothing', async () => {
  await rig.start({ mqtt: { wildcards: false } });
  const client = await rig.client('c', { clean: false, properties: { sessionExpiryInterval: 600 } });
  const subscriptions = ['a', 'b/#'].map((topic) => ({ topic, qos: 1 as const }));
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions });
  assert.is(await ending(client), 0xa2);
  const back = await rig.client('c', { clean: false });
  back.send({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: ['a'] });
  assert.equal((await back.expect('unsuback')).granted, [0x11]);
});

test.run();

const kept = suite('mqtt/capabilities: sessions of before');
const durable = new DurableRig(kept);

kept('what is offered no longer has ended, or is granted less, when a session returns', async () => {
  const lasting = { clean: false, properties: { sessionExpiryInterval: 600 } };
  const first = await durable.client('c', lasting);
  for (const filter of ['a', 'w/#', '$share/g/a']) assert.equal(await first.subscribe(filter, 2), [2]);
  await durable.restart('stopped', 'mqtt.maximumQos=1', 'mqtt.wildcards=false', 'mqtt.sharedSubscriptions=false');
  const second = await durable.client('c', lasting);
  assert.ok(second.connack.sessionPresent);
  const publisher = await durable.client('p');
  publisher.publish('a', 'x', { qos: 1, messageId: 1 });
  assert.is((await second.expect('publish')).qos, 1);
  second.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a', 'w/#', '$share/g/a'] });
  assert.equal((await second.expect('unsuback')).granted, [0, 0x11, 0x11]);
});

kept.run();
