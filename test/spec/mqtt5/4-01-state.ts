import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { RawMqtt } from '../../support/mqtt-client.ts';
import { TimedBroker } from '../../support/timed-broker.ts';
import type { Client } from '../mqtt/support/rig.ts';

/** MQTT 5.0, 4.1: how long session state is kept, and wills that wait (3.1.2.5, 3.1.3.2.2); time passes as the test says. */

const test = suite('mqtt5/4-01-state');
let broker: TimedBroker;
const clients: RawMqtt[] = [];

/** Session Expiry Interval that means for ever. */
const EVER = 0xffffffff;
const YEAR = 365 * 24 * 3600;

test.before.each(async () => {
  broker = await TimedBroker.start({ limits: { keepAliveSeconds: 65_535, sessionExpirySeconds: EVER - 1 } });
});
test.after.each(async () => {
  for (const each of clients.splice(0)) each.destroy();
  await broker.stop();
});

interface Terms {
  readonly clean?: boolean;
  readonly expiry?: number | undefined;
  readonly delay?: number;
  readonly will?: object;
}

/** With a delay (seconds, or undefined for none) there is a will on the topic `will`. */
async function client(clientId: string, { clean = false, expiry, delay, will }: Terms = {}): Promise<Client> {
  const properties = expiry === undefined ? {} : { properties: { sessionExpiryInterval: expiry } };
  const message = { topic: 'will', payload: Buffer.from('gone'), qos: 1 as const, retain: false, ...will };
  const waits = delay === undefined ? {} : { properties: { willDelayInterval: delay } };
  const options = {
    ...properties,
    ...(delay === undefined && will === undefined ? {} : { will: { ...message, ...waits } }),
  };
  const connected = await RawMqtt.connect(broker.mqtt, {
    clientId,
    clean,
    protocolVersion: 5,
    keepalive: 0,
    ...options,
  });
  clients.push(connected);
  return connected;
}

/** Gone, for the broker too. */
async function gone(lost: Client): Promise<void> {
  const { counters } = broker;
  const { connections } = counters;
  lost.destroy();
  await eventually('the connection is gone', () => counters.connections < connections);
}

async function disconnect(leaving: Client, reasonCode = 0, sessionExpiryInterval?: number): Promise<void> {
  const properties = sessionExpiryInterval === undefined ? {} : { properties: { sessionExpiryInterval } };
  leaving.send({ cmd: 'disconnect', reasonCode, ...properties });
  assert.equal(await leaving.end(), []);
}

const present = async (clientId: string, terms: Terms = {}): Promise<boolean> =>
  (await client(clientId, terms)).connack.sessionPresent;

async function watching(): Promise<Client> {
  const watcher = await client('watcher', { clean: true });
  await watcher.subscribe('will/#', 1);
  await watcher.subscribe('will', 1);
  return watcher;
}

// --- Session Expiry Interval (3.1.2.11.2) -----------------------------------------------------------------------------

for (const expiry of [undefined, 0]) {
  test(`[MQTT-3.1.2-23] Session Expiry Interval ${expiry}: the session ends with its connection`, async () => {
    await gone(await client('c', { expiry }));
    assert.not(await present('c'));
  });
}

for (const expiry of [1, 60, 3600, YEAR]) {
  test(`[MQTT-4.1.0-1] [MQTT-4.1.0-2] Session Expiry Interval ${expiry}: kept so long, and no longer`, async () => {
    await gone(await client('c', { expiry }));
    broker.pass(expiry - 0.9);
    const again = await client('c', { expiry });
    assert.ok(again.connack.sessionPresent);
    await gone(again);
    broker.pass(expiry + 0.1);
    assert.not(await present('c'));
  });
}

test('3.1.2.11.2 Session Expiry Interval 0xFFFFFFFF: kept as long as this server does, which it says', async () => {
  const first = await client('c', { expiry: EVER });
  assert.is(first.connack.properties?.sessionExpiryInterval, EVER - 1);
  await gone(first);
  broker.pass(50 * YEAR);
  broker.pass(80 * YEAR);
  assert.ok(await present('c'));
});

test('3.1.2.11.2 the time does not run while the client is connected', async () => {
  const first = await client('c', { expiry: 10 });
  broker.pass(100);
  assert.equal(await first.flush(), []);
  await gone(first);
  broker.pass(9);
  assert.ok(await present('c', { expiry: 10 }));
});

test('3.1.2.11.2 each connection says anew how long', async () => {
  await gone(await client('c', { expiry: 3600 }));
  await gone(await client('c', { expiry: 10 }));
  broker.pass(11);
  assert.not(await present('c', { expiry: 10 }));
});

test('3.1.2.11.2 a connection that goes on with a session and names no interval ends it', async () => {
  await gone(await client('c', { expiry: 3600 }));
  assert.ok(await present('c'));
  await gone(await client('c'));
  assert.not(await present('c'));
});

test('[MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.2-6] Clean Start is about what was, the interval about what will be', async () => {
  const first = await client('c', { clean: true, expiry: 100 });
  assert.not(first.connack.sessionPresent);
  await first.subscribe('t', 1);
  await gone(first);
  assert.ok(await present('c', { expiry: 100 }));
  const clean = await client('c', { clean: true, expiry: 100 });
  assert.not(clean.connack.sessionPresent);
  clean.publish('t', 'x', { qos: 1, messageId: 1 });
  await clean.expect('puback');
  assert.equal(await clean.flush(), []);
  await gone(clean);
  assert.ok(await present('c', { expiry: 100 }));
});

// --- changed by DISCONNECT (3.14.2.2.2) -------------------------------------------------------------------------------

test('3.14.2.2.2 DISCONNECT makes the time shorter', async () => {
  await disconnect(await client('c', { expiry: 3600 }), 0, 10);
  broker.pass(11);
  assert.not(await present('c'));
});

test('3.14.2.2.2 DISCONNECT makes the time longer', async () => {
  await disconnect(await client('c', { expiry: 10 }), 0, 3600);
  broker.pass(3000);
  assert.ok(await present('c'));
});

test('3.14.2.2.2 DISCONNECT with 0 ends the session at once', async () => {
  await disconnect(await client('c', { expiry: 3600 }), 0, 0);
  assert.not(await present('c'));
});

test('3.14.2.2.2 DISCONNECT without an interval leaves it as it was', async () => {
  await disconnect(await client('c', { expiry: 100 }));
  broker.pass(90);
  assert.ok(await present('c', { expiry: 100 }));
});

test('3.14.2.2.2 DISCONNECT with an interval, where CONNECT had 0: 0x82, and the session ends', async () => {
  const client0 = await client('c', { expiry: 0 });
  client0.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 100 } });
  const packets = await client0.end();
  assert.equal(
    packets.map((each) => each.cmd === 'disconnect' && each.reasonCode),
    [0x82],
  );
  assert.not(await present('c'));
});

// --- wills ------------------------------------------------------------------------------------------------------------

for (const reason of [0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x04]) {
  test(`[MQTT-3.1.2-8] DISCONNECT with reason 0x${reason.toString(16)}: the will is published`, async () => {
    const watcher = await watching();
    await disconnect(await client('c', { expiry: 10, will: {} }), reason);
    assert.is((await watcher.expect('publish')).topic, 'will');
  });
}

test('[MQTT-3.1.2-10] [MQTT-3.14.4-3] DISCONNECT with reason 0: it is not, not later either', async () => {
  const watcher = await watching();
  await disconnect(await client('c', { expiry: 10, delay: 5 }), 0);
  broker.pass(20);
  assert.equal(await watcher.flush(), []);
});

test('[MQTT-3.1.3-9] the will waits its delay', async () => {
  const watcher = await watching();
  await gone(await client('c', { expiry: 100, delay: 30 }));
  broker.pass(29);
  assert.equal(await watcher.flush(), []);
  broker.pass(1.1);
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.3-9] a client that is back in time has no will published, not later either', async () => {
  const watcher = await watching();
  await gone(await client('c', { expiry: 100, delay: 30 }));
  broker.pass(20);
  const again = await client('c', { expiry: 100 });
  assert.ok(again.connack.sessionPresent);
  broker.pass(200);
  assert.equal(await watcher.flush(), []);
});

test('[MQTT-3.1.2-8] the session ends before the delay does: the will is published then', async () => {
  const watcher = await watching();
  await gone(await client('c', { expiry: 10, delay: 3600 }));
  broker.pass(9);
  assert.equal(await watcher.flush(), []);
  broker.pass(1.5);
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.2-8] a session that ends with its connection: the will is published at once, whatever its delay', async () => {
  const watcher = await watching();
  await gone(await client('c', { delay: 3600 }));
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.2-8] DISCONNECT with will makes the session shorter than the delay: the will comes with its end', async () => {
  const watcher = await watching();
  await disconnect(await client('c', { expiry: 3600, delay: 1800 }), 0x04, 10);
  broker.pass(9);
  assert.equal(await watcher.flush(), []);
  broker.pass(1.5);
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.2-8] DISCONNECT with will makes the session longer: the will waits its whole delay', async () => {
  const watcher = await watching();
  await disconnect(await client('c', { expiry: 10, delay: 30 }), 0x04, 3600);
  broker.pass(20);
  assert.equal(await watcher.flush(), []);
  broker.pass(11);
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.2-8] DISCONNECT with will ends the session: the will comes at once', async () => {
  const watcher = await watching();
  await disconnect(await client('c', { expiry: 3600, delay: 1800 }), 0x04, 0);
  assert.is((await watcher.expect('publish')).topic, 'will');
});

test('[MQTT-3.1.2-8] a clean start ends the session: a will that waited comes then', async () => {
  const watcher = await watching();
  await gone(await client('c', { expiry: 3600, delay: 1800 }));
  await client('c', { clean: true });
  assert.is((await watcher.expect('publish')).topic, 'will');
});

for (const [what, delay, published] of [
  ['without a delay is published', 0, true],
  ['with a delay is not, for the session goes on', 1800, false],
] as const) {
  test(`3.1.3.2.2 [MQTT-3.1.4-3] taken over, the will ${what}`, async () => {
    const watcher = await watching();
    const first = await client('c', { expiry: 3600, delay });
    await client('c', { expiry: 3600 });
    await first.end();
    broker.pass(2000);
    if (published) assert.is((await watcher.expect('publish')).topic, 'will');
    assert.equal(await watcher.flush(), []);
  });
}

test('3.1.3.2.2 the will of the next connection counts, not one that waited', async () => {
  const watcher = await watching();
  await gone(await client('c', { expiry: 3600, delay: 100, will: { topic: 'will/1' } }));
  await gone(await client('c', { expiry: 3600, delay: 100, will: { topic: 'will/2' } }));
  broker.pass(101);
  assert.is((await watcher.expect('publish')).topic, 'will/2');
  assert.equal(await watcher.flush(), []);
});

test('3.1.3.2.4 Message Expiry Interval of a will counts from when it is published', async () => {
  const watcher = await watching();
  const late = await client('late', { expiry: 3600 });
  await late.subscribe('will', 1);
  await gone(late);
  const connected = await RawMqtt.connect(broker.mqtt, {
    clientId: 'c',
    clean: true,
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 3600 },
    will: {
      topic: 'will',
      payload: Buffer.from('x'),
      qos: 1,
      retain: false,
      properties: { willDelayInterval: 100, messageExpiryInterval: 50 },
    },
  });
  await gone(connected);
  broker.pass(101);
  assert.is((await watcher.expect('publish')).properties?.messageExpiryInterval, 50);
  broker.pass(20);
  assert.is((await (await client('late', { expiry: 3600 })).expect('publish')).properties?.messageExpiryInterval, 30);
});

// --- messages that wait, and expire (3.3.2.3.3) -----------------------------------------------------------------------

test('[MQTT-3.3.2-5] [MQTT-3.3.2-6] what waits counts down, and is gone when its time is over', async () => {
  const first = await client('c', { expiry: 3600 });
  await first.subscribe('t', 1);
  await gone(first);
  const publisher = await client('p');
  for (const [i, messageExpiryInterval] of [100, 10, 50].entries()) {
    publisher.publish('t', `${i}`, { qos: 1, messageId: 1, properties: { messageExpiryInterval } });
    await publisher.expect('puback');
  }
  broker.pass(30);
  const again = await client('c', { expiry: 3600 });
  const seen = [];
  for (let i = 0; i < 2; i++) {
    const { payload, properties } = await again.expect('publish');
    seen.push([payload.toString(), properties?.messageExpiryInterval]);
  }
  assert.equal(seen, [
    ['0', 70],
    ['2', 20],
  ]);
  assert.equal(await again.flush(), []);
});

test('[MQTT-3.3.2-6] … also for one of two that wait for different reasons', async () => {
  const narrow = await RawMqtt.connect(broker.mqtt, {
    clientId: 'narrow',
    clean: true,
    protocolVersion: 5,
    keepalive: 0,
    properties: { receiveMaximum: 1 },
  });
  clients.push(narrow);
  const quick = await client('quick');
  for (const each of [narrow, quick]) await each.subscribe('t', 1);
  const publisher = await client('p');
  for (let i = 0; i < 2; i++) {
    publisher.publish('t', `${i}`, { qos: 1, messageId: 1, properties: { messageExpiryInterval: 100 } });
    await publisher.expect('puback');
    assert.is((await quick.expect('publish')).properties?.messageExpiryInterval, 100);
  }
  const held = await narrow.expect('publish');
  broker.pass(40);
  narrow.send({ cmd: 'puback', messageId: held.messageId ?? 0 });
  assert.is((await narrow.expect('publish')).properties?.messageExpiryInterval, 60);
});

test('[MQTT-3.3.2-6] a retained message counts down, and is gone when its time is over', async () => {
  const publisher = await client('p');
  const others = [await client('a'), await client('b')];
  for (const each of others) await each.subscribe('t', 0);
  publisher.publish('t', 'x', { qos: 1, retain: true, messageId: 1, properties: { messageExpiryInterval: 100 } });
  await publisher.expect('puback');
  broker.pass(40);
  const late = await client('late');
  await late.subscribe('t', 1);
  assert.is((await late.expect('publish')).properties?.messageExpiryInterval, 60);
  broker.pass(61);
  const later = await client('later');
  await later.subscribe('t', 1);
  assert.equal(await later.flush(), []);
});

test.run();
