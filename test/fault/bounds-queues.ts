import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqttPacket from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import { header, RawStomp } from '../support/stomp-client.ts';

/** Memory is bounded whatever clients do to queues. Measured on a broker of its own process, with the store on disk. */

const MiB = 1024 * 1024;
const test = suite('fault/bounds-queues');
let broker: BrokerProcess;
let directory: string;
const clients: { destroy(): void }[] = [];

test.before.each(async () => {
  directory = mkdtempSync(join(tmpdir(), 'trimaran-bounds-'));
  broker = await startBrokerProcess(
    ...['log.level=info', 'backbone.type=embedded', `backbone.embedded.directory=${directory}`],
    ...['limits.queues=100', 'backbone.embedded.sync=system'],
  );
});
test.after.each(async () => {
  for (const each of clients.splice(0)) each.destroy();
  assert.is(await broker.stop(), 0);
  rmSync(directory, { recursive: true });
});

async function mqtt(clientId: string): Promise<RawMqtt> {
  const client = await RawMqtt.connect(broker.mqtt, { clientId, protocolVersion: 5 });
  clients.push(client);
  return client;
}

function measured(text: string): void {
  console.log(`measured: ${text}`);
}

test('a consumer with a prefetch of 1,000 that settles nothing holds 16 MiB of the broker, not all', async () => {
  const publisher = await mqtt('p');
  const fill = async (queue: string, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      publisher.publish(`$queue/${queue}`, Buffer.alloc(MiB - 1000), { qos: 1, messageId: 1 });
      await publisher.expect('puback');
    }
  };
  await fill('warm', 30);
  const before = broker.rss();
  await fill('large', 300);
  const stomp = await RawStomp.connect(broker.stomp);
  clients.push(stomp);
  stomp.send('SUBSCRIBE', { id: '1', destination: '/queue/large', ack: 'client-individual', prefetch: '1000' });
  for (let i = 0; i < 17; i++) await stomp.expect('MESSAGE');
  assert.equal(await stomp.flush(), [], 'it gets no more');
  const grown = broker.rss() - before;
  measured(`300 MiB in a queue, a consumer that settles nothing: ${(grown / MiB).toFixed(1)} MiB more memory`);
  assert.ok(grown < 200 * MiB);
});

/** Writes all, and waits until the broker has seen to it. */
async function write(client: RawMqtt, packets: Iterable<Buffer>): Promise<void> {
  for (const packet of packets) if (!client.socket.write(packet)) await once(client.socket, 'drain');
  await client.flush();
}

function* numbered(count: number, packet: (i: number) => mqttPacket.IPublishPacket): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield mqttPacket.generate(packet(i), { protocolVersion: 5 });
}

test('100,000 queues asked for by QoS 0 messages: as many as are allowed, and no memory for the others', async () => {
  const client = await mqtt('p');
  const before = broker.rss();
  const name = 'n'.repeat(900);
  const one = { cmd: 'publish', payload: '', qos: 0, dup: false, retain: false } as const;
  await write(
    client,
    numbered(100_000, (i) => ({ ...one, topic: `$queue/${name}${i}` })),
  );
  const grown = broker.rss() - before;
  measured(`100,000 names of 900 bytes, 100 allowed: ${(grown / MiB).toFixed(1)} MiB more memory`);
  assert.ok(grown < 128 * MiB);
  client.publish('$queue/one-more', 'x', { qos: 1, messageId: 1 });
  const { reasonCode, properties } = await client.expect('puback');
  assert.is(reasonCode, 0x97);
  assert.match(properties?.reasonString ?? '', /limits\.queues is 100/);
});

test('messages without payload whose headers are large, at QoS 0, faster than the disk: memory stays', async () => {
  const client = await mqtt('p');
  const before = broker.rss();
  const properties = { userProperties: { a: 'x'.repeat(16_000) } };
  const one = { cmd: 'publish', payload: '', qos: 0, dup: false, retain: false, properties } as const;
  await write(
    client,
    numbered(30_000, () => ({ ...one, topic: '$queue/headers' })),
  );
  const grown = broker.rss() - before;
  measured(`470 MiB of headers at QoS 0 to a queue: ${(grown / MiB).toFixed(1)} MiB more memory`);
  assert.ok(grown < 400 * MiB);
});

test('a consumer that gives back everything at once slows nobody down', async () => {
  const publisher = await mqtt('p');
  for (let i = 0; i < 100; i++) {
    publisher.publish('$queue/storm', `${i}`, { qos: 1, messageId: 1 });
    await publisher.expect('puback');
  }
  const stomp = await RawStomp.connect(broker.stomp);
  clients.push(stomp);
  stomp.send('SUBSCRIBE', { id: '1', destination: '/queue/storm', ack: 'client-individual', prefetch: '100' });
  let storms = 0;
  let over = false;
  const storm = (async () => {
    while (!over) {
      const frame = await stomp.expect('MESSAGE');
      storms++;
      stomp.send('NACK', { id: header(frame, 'ack') ?? '' });
    }
  })();
  const other = await mqtt('other');
  let slowest = 0;
  for (let i = 0; i < 100; i++) {
    const begun = process.hrtime.bigint();
    await other.flush();
    slowest = Math.max(slowest, Number(process.hrtime.bigint() - begun) / 1e6);
  }
  over = true;
  await storm;
  measured(`${storms} messages given back; meanwhile the slowest of 100 PINGRESP: ${slowest.toFixed(1)} ms`);
  assert.ok(storms > 100);
  assert.ok(slowest < 2000);
});

test.run();
