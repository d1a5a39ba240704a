import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import mqttPacket, { type IAuthPacket } from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { ScramClient, type ScramMethod } from '../support/scram-client.ts';
import { within } from './support/within.ts';

/** The npm package `mqtt` with its enhanced authentication (MQTT 5.0, 4.12), over TCP and WebSocket. */

const test = suite('mqtt.js: SCRAM');
let server: TestBroker;
const clients: MqttClient[] = [];

test.before(async () => {
  server = await startBroker({ security: { users: [{ name: 'alice', password: 'of alice' }] } });
});
test.after.each(() => {
  for (const each of clients.splice(0)) each.end(true);
});
test.after(() => server.broker.stop());

function urls(): string[] {
  const { mqtt: tcp, http } = server;
  return [`mqtt://${tcp.host}:${tcp.port}`, `ws://${http.host}:${http.port}/mqtt`];
}

/** Answers challenges as the library wants it; `seen` gets every AUTH. */
function open(url: string, scram: ScramClient, seen: IAuthPacket[], options: IClientOptions = {}): MqttClient {
  const properties = { authenticationMethod: scram.method, authenticationData: scram.first() };
  const client = mqtt.connect(url, { protocolVersion: 5, reconnectPeriod: 0, properties, ...options });
  clients.push(client);
  client.handleAuth = (packet, callback) => {
    seen.push(packet);
    if (packet.reasonCode !== 0x18) {
      callback();
      return;
    }
    const authenticationData = scram.final(packet.properties?.authenticationData);
    const answer: IAuthPacket = {
      cmd: 'auth',
      reasonCode: 0x18,
      properties: { authenticationMethod: scram.method, authenticationData },
    };
    callback(undefined, answer);
  };
  return client;
}

function connack(client: MqttClient): Promise<mqttPacket.IConnackPacket> {
  return within(
    'CONNACK',
    new Promise((resolve, reject) => {
      client.once('connect', resolve);
      client.once('error', reject);
    }),
  );
}

for (const method of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as ScramMethod[]) {
  test(`${method}: logs in, publishes and hears itself`, async () => {
    for (const url of urls()) {
      const scram = new ScramClient(method, 'alice', 'of alice');
      const seen: IAuthPacket[] = [];
      const client = open(url, scram, seen);
      const { properties } = await connack(client);
      assert.is(seen.length, 1);
      assert.is(properties?.authenticationMethod, method);
      assert.ok(scram.verifies(properties?.authenticationData));
      await client.subscribeAsync('x');
      const message = new Promise((resolve) => client.once('message', (_, payload) => resolve(String(payload))));
      await client.publishAsync('x', 'hello', { qos: 1 });
      assert.is(await within('the message', message), 'hello');
    }
  });
}

test('a wrong password is an error with reason 0x86', async () => {
  for (const url of urls()) {
    try {
      await connack(open(url, new ScramClient('SCRAM-SHA-256', 'alice', 'of nobody'), []));
      assert.unreachable();
    } catch (error) {
      assert.is(error instanceof Error && 'code' in error ? error.code : error, 0x86, String(error));
    }
  }
});

test('re-authenticates while it is connected', async () => {
  for (const url of urls()) {
    const seen: IAuthPacket[] = [];
    let scram = new ScramClient('SCRAM-SHA-256', 'alice', 'of alice');
    const client = open(url, scram, seen);
    await connack(client);
    scram = new ScramClient('SCRAM-SHA-256', 'alice', 'of alice');
    const done = new Promise<IAuthPacket>((resolve) => {
      client.handleAuth = (packet, callback) => {
        if (packet.reasonCode !== 0x18) {
          callback();
          resolve(packet);
          return;
        }
        const authenticationData = scram.final(packet.properties?.authenticationData);
        callback(undefined, { cmd: 'auth', reasonCode: 0x18, properties: { ...AGREED, authenticationData } });
      };
    });
    // The library has no call of its own to begin it.
    const again = {
      cmd: 'auth',
      reasonCode: 0x19,
      properties: { ...AGREED, authenticationData: scram.first() },
    } as const;
    mqttPacket.writeToStream(again, client.stream, { protocolVersion: 5 });
    const { properties } = await within('AUTH 0x00', done);
    assert.ok(scram.verifies(properties?.authenticationData));
    await client.publishAsync('x', 'still here', { qos: 1 });
  }
});

const AGREED = { authenticationMethod: 'SCRAM-SHA-256' };

test('user name and password do as well', async () => {
  for (const url of urls()) {
    for (const protocolVersion of [4, 5] as const) {
      const client = mqtt.connect(url, {
        protocolVersion,
        username: 'alice',
        password: 'of alice',
        reconnectPeriod: 0,
      });
      clients.push(client);
      await connack(client);
    }
  }
});

test.run();
