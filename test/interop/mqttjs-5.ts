import type { IClientOptions, IConnackPacket } from 'mqtt';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { RawJson } from '../support/json-client.ts';
import { header, RawStomp } from '../support/stomp-client.ts';
import { MqttJs } from './support/mqttjs.ts';

/** The npm package `mqtt` with what MQTT 5 adds, beside the messages of `mqttjs.ts`; over both transports. */

for (const transport of ['tcp', 'ws'] as const) {
  const test = suite(`mqtt.js 5.0 over ${transport}: what it adds`);
  let server: TestBroker;
  let clients: { destroy(): void }[] = [];

  const open = async (options: IClientOptions = {}): Promise<[MqttJs, IConnackPacket]> => {
    const { host, port } = transport === 'tcp' ? server.mqtt : server.http;
    const url = transport === 'tcp' ? `mqtt://${host}:${port}` : `ws://${host}:${port}/mqtt`;
    const opened = await MqttJs.connect(url, { protocolVersion: 5, ...options });
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

  test('CONNECT with everything in it', async () => {
    const [connected, { reasonCode, sessionPresent }] = await open({
      ...{ clientId: 'everything', clean: true, keepalive: 30, username: 'user', password: 'secret' },
      properties: {
        ...{ sessionExpiryInterval: 60, receiveMaximum: 10, maximumPacketSize: 2_000_000, topicAliasMaximum: 5 },
        ...{ requestResponseInformation: true, requestProblemInformation: true },
        userProperties: { a: ['1', '2'], b: '' },
      },
      will: { topic: 'wills/all', payload: Buffer.from('gone'), qos: 2, retain: true },
    });
    assert.equal([reasonCode, sessionPresent], [0, false]);
    await connected.subscribe('everything', { qos: 2 });
    await connected.publish('everything', 'x', { qos: 2 });
    assert.equal(await connected.seen(), { topic: 'everything', payload: 'x', qos: 2, retain: false });
  });

  test('a message expires while its receiver is away; a later one comes with the time that is left', async () => {
    const lasting = { clientId: 'sleeper', clean: false, properties: { sessionExpiryInterval: 60 } };
    const first = await client(lasting);
    await first.subscribe('expiry', { qos: 1 });
    await first.end();
    const sender = await client();
    await sender.publish('expiry', 'short', { qos: 1, properties: { messageExpiryInterval: 1 } });
    await sender.publish('expiry', 'long', { qos: 1, properties: { messageExpiryInterval: 100 } });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const { payload, properties } = await (await client(lasting)).next();
    assert.is(payload.toString(), 'long');
    const left = properties?.messageExpiryInterval ?? 0;
    assert.ok(left > 90 && left < 100, `${left} s are left`);
  });

  test('reason codes: of a refused message, a refused filter, and the end', async () => {
    const one = await client({ clientId: 'refused' });
    const failed = await one.publish('$SYS/mine', 'x', { qos: 1 }).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(failed instanceof Error && 'code' in failed);
    assert.is(failed instanceof Error && 'code' in failed ? failed.code : 0, 0x87);
    const ended = new Promise((resolve) => one.client.once('disconnect', ({ reasonCode }) => resolve(reasonCode)));
    await client({ clientId: 'refused' });
    assert.is(await ended, 0x8e);
  });

  test('the session ends at its time, and DISCONNECT can shorten it', async () => {
    const lasting = { clientId: 'brief', clean: false, properties: { sessionExpiryInterval: 600 } };
    const first = await client(lasting);
    await first.client.endAsync(false, { properties: { sessionExpiryInterval: 0 } });
    assert.is((await open(lasting))[1].sessionPresent, false);
  });

  test('topic aliases both ways', async () => {
    const [sender, { properties }] = await open({ autoAssignTopicAlias: true });
    assert.ok((properties?.topicAliasMaximum ?? 0) > 0);
    const receiver = await client({ properties: { topicAliasMaximum: 3 } });
    await receiver.subscribe('alias/#', { qos: 1 });
    const topics = Array.from({ length: 40 }, (_, i) => `alias/${i % 5}`);
    for (const [i, topic] of topics.entries()) await sender.publish(topic, String(i), { qos: i % 3 === 0 ? 0 : 1 });
    // The library puts the topic in the place of its alias, whether the broker uses any or not.
    const seen = [];
    for (const _ of topics) seen.push(await receiver.seen());
    for (const { topic, payload } of seen) assert.is(topic, topics[Number(payload)]);
    assert.is(new Set(seen.map(({ payload }) => payload)).size, topics.length);
  });

  test('it asks over MQTT; an application answers over JSON', async () => {
    const service = await RawJson.connect(server.http);
    clients.push(service);
    await service.request({ type: 'subscribe', filter: 'ask/json' });
    const asker = await client();
    await asker.subscribe('answers/json', { qos: 1 });
    const properties = { responseTopic: 'answers/json', correlationData: Buffer.from('c-1') };
    await asker.publish('ask/json', 'how?', { qos: 1, properties });
    const request = await service.expect('message');
    service.send({ type: 'publish', topic: request.replyTo, correlationId: request.correlationId, payload: 'so' });
    const answer = await asker.next();
    assert.equal([answer.payload.toString(), answer.properties?.correlationData?.toString()], ['so', 'c-1']);
  });

  test('it asks over MQTT; an application answers over STOMP', async () => {
    const service = await RawStomp.connect(server.stomp);
    clients.push(service);
    service.send('SUBSCRIBE', { id: '0', destination: '/topic/ask.stomp' });
    await service.flush();
    const asker = await client();
    await asker.subscribe('answers/stomp', { qos: 1 });
    const properties = { responseTopic: 'answers/stomp', correlationData: Buffer.from('c-2') };
    await asker.publish('ask/stomp', 'how?', { qos: 1, properties });
    const request = await service.expect('MESSAGE');
    const destination = header(request, 'reply-to') ?? '';
    service.send('SEND', { destination, 'correlation-id': header(request, 'correlation-id') ?? '' }, 'so');
    const answer = await asker.next();
    assert.equal([answer.payload.toString(), answer.properties?.correlationData?.toString()], ['so', 'c-2']);
  });

  test.run();
}
