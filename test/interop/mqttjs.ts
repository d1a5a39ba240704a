import type { IClientOptions, IConnackPacket } from 'mqtt';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { MqttJs } from './support/mqttjs.ts';

/** The npm package `mqtt`, the client most used with Node and in browsers: every version, both transports. */

const LEVELS = [0, 1, 2] as const;

const NAMES = { 3: '3.1', 4: '3.1.1', 5: '5.0' };

for (const version of [3, 4, 5] as const) {
  for (const transport of ['tcp', 'ws'] as const) {
    const test = suite(`mqtt.js ${NAMES[version]} over ${transport}`);
    let server: TestBroker;
    let clients: MqttJs[] = [];

    const open = async (options: IClientOptions = {}): Promise<[MqttJs, IConnackPacket]> => {
      const { host, port } = transport === 'tcp' ? server.mqtt : server.http;
      const url = transport === 'tcp' ? `mqtt://${host}:${port}` : `ws://${host}:${port}/mqtt`;
      const opened = await MqttJs.connect(url, {
        protocolVersion: version,
        ...(version === 3 && { protocolId: 'MQIsdp' }),
        ...options,
      });
      clients.push(opened[0]);
      return opened;
    };
    const client = async (options?: IClientOptions): Promise<MqttJs> => (await open(options))[0];

    test.before(async () => {
      server = await startBroker();
    });
    test.after(() => server.broker.stop());
    test.after.each(() => {
      for (const each of clients) each.destroy();
      clients = [];
    });

    /** A session that outlives its connection is asked for in another way by each version. */
    const lasting = (clientId: string): IClientOptions => ({
      clientId,
      clean: false,
      ...(version === 5 && { properties: { sessionExpiryInterval: 60 } }),
    });

    test('connects, and ends with DISCONNECT', async () => {
      const [connected, connack] = await open();
      assert.is(connack.sessionPresent, false);
      assert.is(version < 5 ? connack.returnCode : connack.reasonCode, 0);
      await connected.end();
    });

    test('every QoS published to every QoS subscribed, both ways', async () => {
      const [left, right] = [await client(), await client()];
      for (const [here, there] of [
        [left, right],
        [right, left],
      ] as const) {
        for (const qos of LEVELS) {
          const filter = `qos/${qos}/+`;
          const [granted] = await there.subscribe(filter, { qos });
          assert.is(granted?.qos, qos);
          for (const published of LEVELS) {
            await here.publish(`qos/${qos}/${published}`, `${published} to ${qos}`, { qos: published });
            assert.equal(await there.seen(), {
              topic: `qos/${qos}/${published}`,
              payload: `${published} to ${qos}`,
              qos: Math.min(qos, published),
              retain: false,
            });
          }
          await there.unsubscribe(filter);
          await here.publish(`qos/${qos}/2`, 'not for you', { qos: 1 });
        }
        assert.equal(await there.flush(), []);
      }
    });

    test('many messages come all, once, and in order', async () => {
      const [sender, receiver] = [await client(), await client()];
      await receiver.subscribe('many/+', { qos: 2 });
      for (const qos of LEVELS) {
        const numbers = Array.from({ length: 500 }, (_, i) => String(i));
        await Promise.all(numbers.map((text) => sender.publish(`many/${qos}`, text, { qos })));
        for (const text of numbers) assert.equal([(await receiver.seen()).payload, qos], [text, qos]);
      }
      assert.equal(await receiver.flush(2), []);
    });

    test('payloads: none, every byte, and large', async () => {
      const [sender, receiver] = [await client(), await client()];
      await receiver.subscribe('bytes', { qos: 1 });
      for (const payload of [
        Buffer.alloc(0),
        Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
        Buffer.alloc(900_000, 'large '),
      ]) {
        await sender.publish('bytes', payload, { qos: 1 });
        const { payload: received } = await receiver.next();
        assert.ok(payload.equals(Buffer.from(received)), `${payload.length} bytes`);
      }
    });

    test('retained: marked for a new subscription only, replaced, removed', async () => {
      const [sender, receiver] = [await client(), await client()];
      await sender.publish('kept/state', 'old', { retain: true, qos: 1 });
      await sender.publish('kept/state', 'on', { retain: true, qos: 1 });
      await receiver.subscribe('kept/#', { qos: 1 });
      assert.equal(await receiver.seen(), { topic: 'kept/state', payload: 'on', qos: 1, retain: true });
      await sender.publish('kept/state', 'off', { retain: true });
      assert.equal(await receiver.seen(), { topic: 'kept/state', payload: 'off', qos: 0, retain: false });
      await sender.publish('kept/state', '', { retain: true, qos: 1 });
      assert.is((await receiver.seen()).payload, '');
      const later = await client();
      await later.subscribe('kept/#', { qos: 1 });
      assert.equal(await later.flush(), []);
    });

    test('the will comes when the connection is lost, and not after DISCONNECT', async () => {
      const watcher = await client();
      await watcher.subscribe('wills/+', { qos: 2 });
      for (const qos of LEVELS) {
        const lost = await client({ will: { topic: 'wills/lost', payload: Buffer.from('gone'), qos, retain: false } });
        await lost.cut();
        assert.equal(await watcher.seen(), { topic: 'wills/lost', payload: 'gone', qos, retain: false });
      }
      const polite = await client({
        will: { topic: 'wills/polite', payload: Buffer.from('gone'), qos: 2, retain: false },
      });
      await polite.end();
      assert.equal(await watcher.flush(2), []);
    });

    test('a session goes on in a later connection, with what was published meanwhile', async () => {
      const [first, connack] = await open(lasting('laptop'));
      assert.is(connack.sessionPresent, false);
      await first.subscribe('session/+', { qos: 2 });
      await first.end();
      const sender = await client();
      await sender.publish('session/1', 'one', { qos: 1 });
      await sender.publish('session/2', 'two', { qos: 2 });
      const [second, again] = await open(lasting('laptop'));
      // MQTT 3.1 does not tell.
      assert.is(again.sessionPresent, version > 3);
      assert.equal(await second.seen(), { topic: 'session/1', payload: 'one', qos: 1, retain: false });
      assert.equal(await second.seen(), { topic: 'session/2', payload: 'two', qos: 2, retain: false });
      await second.end();
      const [, clean] = await open({ clientId: 'laptop', clean: true });
      assert.is(clean.sessionPresent, false);
    });

    test('the library reconnects by itself, and loses no acknowledged message either way', async () => {
      const receiver = await client({ ...lasting('roaming'), reconnectPeriod: 20 });
      const sender = await client();
      await receiver.subscribe('roam/in', { qos: 2 });
      await sender.subscribe('roam/out', { qos: 2 });
      await receiver.cut();
      await sender.publish('roam/in', 'while away', { qos: 2 });
      // Without a connection the library keeps it, and sends it in the next one.
      await receiver.publish('roam/out', 'from away', { qos: 2 });
      assert.is((await receiver.connack()).sessionPresent, version > 3);
      assert.is((await receiver.seen()).payload, 'while away');
      assert.is((await sender.seen()).payload, 'from away');
      assert.equal(await receiver.flush(2), []);
    });

    test('a second connection with the same client id takes over', async () => {
      const first = await client({ clientId: 'twin' });
      const closed = first.closed();
      const second = await client({ clientId: 'twin' });
      await closed;
      await second.subscribe('twin', { qos: 1 });
      await second.publish('twin', 'alive', { qos: 1 });
      assert.is((await second.seen()).payload, 'alive');
    });

    if (version === 5) {
      test('properties of a message', async () => {
        const [sender, receiver] = [await client(), await client()];
        await receiver.subscribe('props', { qos: 1, properties: { subscriptionIdentifier: 17 } });
        await sender.publish('props', '{}', {
          qos: 1,
          properties: {
            payloadFormatIndicator: true,
            messageExpiryInterval: 30,
            contentType: 'application/json',
            responseTopic: 'answers/1',
            correlationData: Buffer.from([0, 1, 255]),
            userProperties: { a: ['1', '2'], b: 'ü' },
          },
        });
        const { properties } = await receiver.next();
        assert.ok(properties !== undefined);
        const { messageExpiryInterval = 0, userProperties, correlationData, ...rest } = properties;
        assert.ok(messageExpiryInterval > 27 && messageExpiryInterval <= 30, String(messageExpiryInterval));
        // The library gives it no prototype.
        assert.equal({ ...userProperties }, { a: ['1', '2'], b: 'ü' });
        assert.equal([...(correlationData ?? [])], [0, 1, 255]);
        assert.equal(
          { ...rest },
          {
            payloadFormatIndicator: true,
            contentType: 'application/json',
            responseTopic: 'answers/1',
            subscriptionIdentifier: 17,
          },
        );
      });

      test('properties of a will, and its delay', async () => {
        const watcher = await client();
        await watcher.subscribe('wills/5', { qos: 1 });
        const will = {
          topic: 'wills/5',
          payload: Buffer.from('gone'),
          qos: 1 as const,
          retain: false,
          properties: { willDelayInterval: 1, contentType: 'text/plain', userProperties: { why: 'lost' } },
        };
        const lost = await client({ clientId: 'willing', will, properties: { sessionExpiryInterval: 60 } });
        const began = performance.now();
        await lost.cut();
        const { payload, properties } = await watcher.next();
        const took = performance.now() - began;
        assert.is(payload.toString(), 'gone');
        assert.is(properties?.contentType, 'text/plain');
        assert.equal({ ...properties?.userProperties }, { why: 'lost' });
        assert.ok(took > 950, `after ${took} ms`);
      });

      test('an assigned client id, and the limits of the broker, are told', async () => {
        const [, { properties }] = await open({ clientId: '' });
        assert.ok((properties?.assignedClientIdentifier ?? '').length > 0);
        assert.ok((properties?.maximumPacketSize ?? 0) > 0);
        assert.is.not(properties?.sharedSubscriptionAvailable, false);
      });

      test('topic aliases of the client', async () => {
        const receiver = await client();
        const [sender, { properties }] = await open({ autoAssignTopicAlias: true });
        assert.ok((properties?.topicAliasMaximum ?? 0) > 0);
        await receiver.subscribe('alias/#', { qos: 1 });
        for (const text of ['1', '2', '3']) {
          for (const topic of ['alias/a', 'alias/b']) await sender.publish(topic, text, { qos: 1 });
        }
        const seen = [];
        for (let i = 0; i < 6; i++) seen.push(await receiver.seen());
        assert.equal(
          seen.map(({ topic, payload }) => topic + payload),
          ['alias/a1', 'alias/b1', 'alias/a2', 'alias/b2', 'alias/a3', 'alias/b3'],
        );
      });

      test('topic aliases of the broker', async () => {
        const receiver = await client({ properties: { topicAliasMaximum: 2 } });
        const sender = await client();
        await receiver.subscribe('alias/#', { qos: 1 });
        let aliased = 0;
        receiver.client.on('packetreceive', (packet) => {
          if (packet.cmd === 'publish' && packet.topic === '') aliased++;
        });
        for (let i = 0; i < 30; i++) await sender.publish(`alias/out/${i % 3}`, `${i}`, { qos: i % 2 === 0 ? 1 : 0 });
        for (let i = 0; i < 30; i++) {
          const { topic, payload } = await receiver.seen();
          assert.equal([topic, payload], [`alias/out/${i % 3}`, `${i}`]);
        }
        assert.ok(aliased > 10, `${aliased} of 30`);
      });

      test('subscription options: no local, retain as published, retain handling', async () => {
        const one = await client();
        await one.subscribe('options/own', { qos: 1, nl: true });
        await one.publish('options/own', 'mine', { qos: 1 });
        assert.equal(await one.flush(), []);
        await one.publish('options/kept', 'state', { qos: 1, retain: true });
        await one.subscribe('options/kept', { qos: 1, rh: 2, rap: true });
        assert.equal(await one.flush(), []);
        await one.publish('options/kept', 'next', { qos: 1, retain: true });
        assert.equal(await one.seen(), { topic: 'options/kept', payload: 'next', qos: 1, retain: true });
      });

      test('a shared subscription: each message to one of its members', async () => {
        const [one, two, sender] = [await client(), await client(), await client()];
        for (const member of [one, two]) await member.subscribe('$share/group/shared/#', { qos: 1 });
        for (const text of ['1', '2', '3', '4']) await sender.publish('shared/x', text, { qos: 1 });
        const seen = [...(await one.flush()), ...(await two.flush())].map(({ payload }) => payload);
        assert.equal(seen.sort(), ['1', '2', '3', '4']);
        await assertRejects(one.subscribe('$share/gr+up/x', { qos: 1 }), /./);
      });
    }

    test.run();
  }
}

async function assertRejects(promise: Promise<unknown>, pattern: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, Error);
  assert.match(String(error), pattern);
}
