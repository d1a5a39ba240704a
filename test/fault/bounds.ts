import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import mqttPacket from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import { RawStomp } from '../support/stomp-client.ts';

/** Memory is bounded whatever clients do, and what one does slows nobody else. Measured on a broker of its own process. */

const MiB = 1024 * 1024;
const test = suite('fault/bounds');
let broker: BrokerProcess;
let sockets: Duplex[] = [];

test.before.each(async () => {
  broker = await startBrokerProcess('log.level=info', 'limits.slowReaderSeconds=600');
});
test.after.each(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  assert.is(await broker.stop(), 0);
});

async function open(): Promise<Socket> {
  const socket = connect(broker.mqtt.port, broker.mqtt.host);
  socket.on('error', () => {});
  await once(socket, 'connect');
  sockets.push(socket);
  return socket;
}

function measured(text: string): void {
  console.log(`measured: ${text}`);
}

/** Writes `bytes` over and over until `total` is out, or the broker has not taken any for half a second. */
async function flood(socket: Duplex, bytes: Buffer, total: number): Promise<number> {
  let written = 0;
  while (written < total) {
    written += bytes.length;
    if (socket.write(bytes)) continue;
    const drained = once(socket, 'drain').then(() => true);
    if (!(await Promise.race([drained, sleep(500, false)]))) break;
  }
  return written - socket.writableLength;
}

test('a subscriber that does not read costs a bounded amount of memory, and others get everything', async () => {
  const stuck = await RawMqtt.connect(broker.mqtt, { clientId: 'stuck' });
  const stomp = await RawStomp.connect(broker.stomp);
  const healthy = await RawMqtt.connect(broker.mqtt, { clientId: 'healthy' });
  const publisher = await RawMqtt.connect(broker.mqtt, { clientId: 'publisher' });
  sockets.push(stuck.socket, stomp.socket, healthy.socket, publisher.socket);
  await stuck.subscribe('flood/#');
  stomp.send('SUBSCRIBE', { id: '1', destination: '/topic/flood.#' });
  await stomp.flush();
  await healthy.subscribe('flood/#');
  stuck.socket.pause();
  stomp.socket.pause();
  const before = broker.rss();
  const count = 8000;
  for (let i = 0; i < count; i++) {
    publisher.publish('flood/x', Buffer.alloc(32 * 1024, `${i}.`));
    // Not faster than the healthy one reads: it is to lose nothing.
    const message = await healthy.expect('publish');
    if (!message.payload.toString().startsWith(`${i}.`)) assert.unreachable(`${i} is missing`);
  }
  const grown = broker.rss() - before;
  measured(`250 MiB sent past two subscribers that do not read: ${(grown / MiB).toFixed(1)} MiB more memory`);
  assert.ok(grown < 96 * MiB);
  stuck.socket.resume();
  const first = await stuck.expect('publish');
  assert.ok(first.payload.toString().startsWith('0.'), 'what was queued comes, from the first on');
});

test('a subscriber that does not read is cut off in time', async () => {
  await broker.stop();
  broker = await startBrokerProcess('limits.slowReaderSeconds=1');
  const stuck = await RawMqtt.connect(broker.mqtt, { clientId: 'stuck' });
  const publisher = await RawMqtt.connect(broker.mqtt, { clientId: 'publisher' });
  sockets.push(stuck.socket, publisher.socket);
  await stuck.subscribe('flood');
  stuck.socket.pause();
  for (let i = 0; i < 400; i++) publisher.publish('flood', Buffer.alloc(32 * 1024));
  await publisher.flush();
  await sleep(3500);
  // It reads again: what the kernel held, and then the end.
  stuck.socket.resume();
  await stuck.end();
});

test('a client that asks and never reads the answers is no longer read from', async () => {
  const rude = await RawMqtt.connect(broker.mqtt, { clientId: 'rude' });
  sockets.push(rude.socket);
  rude.socket.pause();
  const before = broker.rss();
  const taken = await flood(rude.socket, Buffer.alloc(65536, Buffer.of(0xc0, 0)), 200 * MiB);
  const grown = broker.rss() - before;
  measured(
    `PINGREQs taken from a client that does not read: ${(taken / MiB).toFixed(1)} MiB, ${(grown / MiB).toFixed(1)} MiB more memory`,
  );
  assert.ok(taken < 100 * MiB);
  assert.ok(grown < 48 * MiB);
  const other = await RawMqtt.connect(broker.mqtt, { clientId: 'other' });
  assert.equal(await other.flush(), []);
  other.destroy();
});

test('a publisher faster than the broker is slowed down, and memory stays', async () => {
  const subscriber = await RawMqtt.connect(broker.mqtt, { clientId: 's' });
  const publisher = await RawMqtt.connect(broker.mqtt, { clientId: 'p' });
  sockets.push(subscriber.socket, publisher.socket);
  await subscriber.subscribe('fast');
  subscriber.socket.removeAllListeners('data');
  subscriber.socket.on('data', () => {});
  const before = broker.rss();
  const one = mqttPacket.generate({
    cmd: 'publish',
    topic: 'fast',
    payload: Buffer.alloc(1000),
    qos: 0,
    dup: false,
    retain: false,
  });
  await flood(publisher.socket, Buffer.concat(Array.from({ length: 500 }, () => one)), 300 * MiB);
  const grown = broker.rss() - before;
  measured(`300 MiB published without waiting: ${(grown / MiB).toFixed(1)} MiB more memory`);
  assert.ok(grown < 96 * MiB);
});

test('a subscriber that acknowledges nothing at QoS 1 costs no more than window, outbox and log', async () => {
  const lazy = await RawMqtt.connect(broker.mqtt, { clientId: 'lazy' });
  const publisher = await RawMqtt.connect(broker.mqtt, { clientId: 'publisher' });
  sockets.push(lazy.socket, publisher.socket);
  await lazy.subscribe('lazy', 1);
  const before = broker.rss();
  const payload = Buffer.alloc(4000);
  // It goes up and down by what the collector has yet to take; what is held is the least of it, in the last 115 MiB.
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 80_000; i++) {
    publisher.publish('lazy', payload, { qos: 1, messageId: (i % 500) + 1 });
    if (i >= 499) await publisher.expect('puback');
    if (i >= 50_000 && i % 500 === 0) least = Math.min(least, broker.rss());
  }
  const grown = least - before;
  measured(
    `305 MiB at QoS 1 for a subscriber that acknowledges nothing, log of 64 MiB: ${(grown / MiB).toFixed(1)} MiB more memory`,
  );
  assert.ok(grown < 64 * MiB + 64 * MiB);
});

test('1,000 connections that announce 256 MB before login and send 64 KB: no memory for the announcement', async () => {
  const before = broker.rss();
  const beginning = Buffer.concat([Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(65531)]);
  for (let i = 0; i < 1000; i++) (await open()).write(beginning);
  await sleep(500);
  const grown = broker.rss() - before;
  measured(`1,000 connections announcing 256 MB: ${(grown / MiB).toFixed(1)} MiB more memory`);
  assert.ok(grown < 128 * MiB);
});

test('10,000 idle connections hold at most 6 KB each', async () => {
  const most = 6 * 1024;
  // What is not yet collected makes it more, never less: the smallest of three counts.
  let least = await idleBytes();
  for (let i = 0; i < 2 && least > most; i++) {
    await broker.stop();
    broker = await startBrokerProcess('log.level=info');
    least = Math.min(least, await idleBytes());
  }
  assert.ok(least <= most);
});

/** Of one of 10,000 connections. */
async function idleBytes(): Promise<number> {
  const before = broker.rss();
  for (let i = 0; i < 10_000; i += 100) {
    await Promise.all(
      Array.from({ length: 100 }, async (_, k) => {
        const socket = await open();
        socket.write(
          mqttPacket.generate({
            cmd: 'connect',
            protocolId: 'MQTT',
            protocolVersion: 4,
            clean: true,
            clientId: `idle-${i + k}`,
            keepalive: 60,
          }),
        );
        await once(socket, 'data');
      }),
    );
  }
  // Spare buffers are let go of within two seconds.
  await sleep(3000);
  const each = (broker.rss() - before) / 10_000;
  measured(`an idle MQTT connection: ${each.toFixed(0)} bytes of resident memory, all included`);
  return each;
}

test.run();
