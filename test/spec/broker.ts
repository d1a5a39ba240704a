import { once } from 'node:events';
import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { createBroker } from '../../src/broker.ts';
import { ConfigError } from '../../src/config/faults.ts';
import { startBroker } from '../support/broker.ts';
import { RawJson } from '../support/json-client.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import { RawStomp } from '../support/stomp-client.ts';

const test = suite('broker');

test('two brokers in one process share nothing', async () => {
  const [first, second] = [await startBroker(), await startBroker()];
  const sender = await RawMqtt.connect(first.mqtt, { clientId: 'same' });
  const receiver = await RawMqtt.connect(second.mqtt, { clientId: 'same' });
  await receiver.subscribe('#');
  sender.publish('a', 'x', { retain: true, qos: 1, messageId: 1 });
  await sender.expect('puback');
  const late = await RawMqtt.connect(second.mqtt, { clientId: 'late' });
  await late.subscribe('#');
  assert.equal([...(await receiver.flush()), ...(await late.flush())], []);
  await first.broker.stop();
  assert.equal(await receiver.flush(), [], 'the other one goes on');
  receiver.destroy();
  late.destroy();
  await second.broker.stop();
  assert.is(first.broker.counters.received, 1);
  assert.is(second.broker.counters.received, 0);
});

test('stop: subscribers get what is queued, and each client the goodbye of its protocol', async () => {
  const { broker, mqtt, stomp, http } = await startBroker();
  const v5 = await RawMqtt.connect(mqtt, { clientId: 'v5', protocolVersion: 5 });
  const v4 = await RawMqtt.connect(mqtt, { clientId: 'v4' });
  const legacy = await RawStomp.connect(stomp);
  const browser = await RawJson.connect(http);
  await v5.subscribe('last/#');
  await v4.subscribe('last/#');
  legacy.send('SUBSCRIBE', { id: '1', destination: '/topic/last.#' });
  await legacy.flush();
  await browser.request({ type: 'subscribe', filter: 'last/#' });
  const publisher = await RawMqtt.connect(mqtt, { clientId: 'p' });
  const count = 200;
  for (let i = 0; i < count; i++) publisher.publish('last/x', Buffer.alloc(4000, 97));
  await publisher.flush();
  await broker.stop();
  const [packets5, packets4, frames, messages] = [
    await v5.end(),
    await v4.end(),
    await legacy.end(),
    await browser.end(),
  ];
  assert.is(packets5.length, count + 1);
  const goodbye = packets5[count];
  assert.is(goodbye?.cmd === 'disconnect' && goodbye.reasonCode, 0x8b);
  assert.is(packets4.length, count);
  assert.is(frames.filter((frame) => frame.command === 'MESSAGE').length, count);
  assert.is(frames[frames.length - 1]?.command, 'ERROR');
  assert.is(messages.filter((message) => message.type === 'message').length, count);
  assert.is(messages[messages.length - 1]?.type, 'goodbye');
  await publisher.end();
});

test('a stopped broker neither listens nor starts again', async () => {
  const { broker, mqtt } = await startBroker();
  assert.is(broker.notReady(), undefined);
  await broker.stop();
  assert.match(broker.notReady() ?? '', 'stopped');
  let refused = false;
  await RawMqtt.open(mqtt).catch(() => {
    refused = true;
  });
  assert.ok(refused);
  await broker.start().then(
    () => assert.unreachable('it was taken'),
    (error: Error) => assert.match(error.message, 'starts once'),
  );
});

test('a port in use: which one, and what to do; the ports bound before are let go', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const free = await startBroker();
  const { port: mqtt } = free.mqtt;
  await free.broker.stop();
  const broker = await createBroker({
    backbone: { type: 'memory' },
    log: { level: 'silent' },
    listeners: { mqtt: { port: mqtt }, stomp: { port }, http: { port: 0 } },
  });
  await broker.start().then(
    () => assert.unreachable('it was taken'),
    (error: Error) => {
      assert.match(error.message, `port ${port} on 127.0.0.1 is in use (listeners.stomp.port)`);
    },
  );
  const again = createServer().listen(mqtt, '127.0.0.1');
  await once(again, 'listening');
  again.close();
  other.close();
});

test('options with faults are refused, all of them named', async () => {
  await createBroker({ limits: { packetBytes: 1, topicLevels: 0 } }).then(
    () => assert.unreachable('it was taken'),
    (error: unknown) => {
      assert.instance(error, ConfigError);
      assert.match(String(error), 'limits.packetBytes');
      assert.match(String(error), 'limits.topicLevels');
    },
  );
});

test('a backbone that is not there is a clear message', async () => {
  // Port 9 is that of the discard service, which no one runs.
  const nats = { type: 'nats', nats: { servers: ['nats://127.0.0.1:9'] } } as const;
  const broker = await createBroker({ backbone: nats, log: { level: 'silent' } });
  await broker.start().then(
    () => assert.unreachable('it was taken'),
    (error: Error) =>
      assert.match(error.message, /NATS at nats:\/\/127\.0\.0\.1:9 \(backbone\.nats\.servers\): no one/),
  );
});

test('WebSocket: by path, by subprotocol on any path, unknown ones refused; other origins refused', async () => {
  const { broker, http } = await startBroker({ listeners: { http: { allowedOrigins: ['https://app.example'] } } });
  const attempt = (path: string, subprotocols: string[], origin?: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = new WebSocket(
        `ws://${http.host}:${http.port}${path}`,
        subprotocols,
        origin === undefined ? {} : { origin },
      );
      socket.on('open', () => {
        resolve(`open ${socket.protocol}`);
        socket.terminate();
      });
      socket.on('unexpected-response', (_request, response) => resolve(`${response.statusCode}`));
      socket.on('error', () => resolve('error'));
    });
  const own = `http://${http.host}:${http.port}`;
  for (const [path, subprotocols, origin, expected] of [
    ['/mqtt', ['mqtt'], undefined, 'open mqtt'],
    ['/mqtt', [], undefined, 'open '],
    ['/ws', ['mqtt'], undefined, 'open mqtt'],
    ['/mqtt', ['v12.stomp', 'v11.stomp'], undefined, 'open v12.stomp'],
    ['/stomp', ['v10.stomp', 'v11.stomp'], undefined, 'open v11.stomp'],
    ['/mqtt', ['trimaran.v1'], undefined, 'open trimaran.v1'],
    ['/mqtt', ['soap'], undefined, '400'],
    ['/nowhere', ['mqtt'], undefined, '400'],
    ['/ws', ['trimaran.v1'], own, 'open trimaran.v1'],
    ['/ws', ['trimaran.v1'], 'https://app.example', 'open trimaran.v1'],
    ['/ws', ['trimaran.v1'], 'http://evil.example', '403'],
    ['/ws', ['trimaran.v1'], 'null', '403'],
  ] as const) {
    assert.is(await attempt(path, [...subprotocols], origin), expected, `${path} ${subprotocols} ${origin}`);
  }
  await broker.stop();
});

test('a text message to MQTT over WebSocket is refused (1003) [MQTT-6.0.0-1]', async () => {
  const { broker, http } = await startBroker();
  const socket = new WebSocket(`ws://${http.host}:${http.port}/mqtt`, 'mqtt');
  await once(socket, 'open');
  socket.send('text');
  const [code] = await once(socket, 'close');
  assert.is(code, 1003);
  await broker.stop();
});

test('limits on connections are kept, in all and per address', async () => {
  const { broker, mqtt } = await startBroker({ limits: { connectionsPerAddress: 2 } });
  const clients = [await RawMqtt.connect(mqtt, { clientId: 'a' }), await RawMqtt.connect(mqtt, { clientId: 'b' })];
  const third = await RawMqtt.open(mqtt);
  assert.equal(await third.end(), []);
  assert.is(broker.counters.connectionsRefused, 1);
  clients[0]?.destroy();
  await clients[0]?.end();
  await clients[1]?.flush();
  const fourth = await RawMqtt.connect(mqtt, { clientId: 'c' });
  clients.push(fourth);
  for (const client of clients) client.destroy();
  await broker.stop();
});

test.run();
