import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { type Packet, RawMqtt } from '../support/mqtt-client.ts';
import { NatsServer } from '../support/nats-server.ts';
import { requireTool } from '../support/tools.ts';

/** Gateways of one NATS server as one broker: what moves between them, also when one of them is killed. */

const test = suite('fault/cluster');
let nats: NatsServer;
let gateways: BrokerProcess[] = [];
const clients: RawMqtt[] = [];

async function start(program: string, count: number): Promise<void> {
  nats = await NatsServer.start(program);
  const settings = ['backbone.type=nats', `backbone.nats.servers=${nats.url}`, 'backbone.nats.leaseSeconds=2'];
  gateways = await Promise.all(Array.from({ length: count }, () => startBrokerProcess(...settings)));
}

test.after.each(async () => {
  for (const each of clients.splice(0)) each.destroy();
  await Promise.all(gateways.splice(0).map((each) => each.kill()));
  await nats?.remove();
});

const lasting = { clean: false, properties: { sessionExpiryInterval: 600 } };

function gateway(index: number): BrokerProcess {
  const found = gateways[index];
  if (found === undefined) throw new Error('there is no such gateway');
  return found;
}

async function client(index: number, clientId: string, options: object = {}) {
  const connected = await RawMqtt.connect(gateway(index).mqtt, { clientId, protocolVersion: 5, ...options });
  clients.push(connected);
  return connected;
}

const payloads = (packets: readonly Packet[]): string[] =>
  packets.flatMap((packet) => (packet.cmd === 'publish' ? [packet.payload.toString()] : []));

/** Acknowledges what comes until it is so many, or nothing more comes for so long. */
async function collect(member: RawMqtt, count: number, milliseconds = 5000): Promise<string[]> {
  const seen: string[] = [];
  for (const end = Date.now() + milliseconds; seen.length < count && Date.now() < end; await sleep(20)) {
    const packets = await member.flush();
    for (const packet of packets) {
      if (packet.cmd === 'publish' && packet.messageId !== undefined)
        member.send({ cmd: 'puback', messageId: packet.messageId });
    }
    seen.push(...payloads(packets));
  }
  return seen;
}

async function publish(publisher: RawMqtt, topic: string, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) publisher.publish(topic, `${i}`, { qos: 1, messageId: i + 1 });
  for (let i = from; i < to; i++) await publisher.expect('puback');
}

requireTool(test, 'nats-server', 'a client that connects elsewhere takes its session along', async (program) => {
  await start(program, 2);
  const first = await client(0, 'mover', lasting);
  await first.subscribe('t/#', 1);
  const publisher = await client(1, 'p');
  await publish(publisher, 't/1', 0, 2);
  assert.is((await first.expect('publish')).payload.toString(), '0');
  const second = await client(1, 'mover', lasting);
  assert.ok(second.connack.sessionPresent);
  const ended = await first.end();
  const last = ended.at(-1);
  assert.equal([last?.cmd, last?.cmd === 'disconnect' && last.reasonCode], ['disconnect', 0x8e]);
  await publish(publisher, 't/2', 2, 4);
  assert.equal(await collect(second, 4), ['0', '1', '2', '3'], 'what it had not acknowledged, then the rest');
  await second.flush();
  // And back, with the will of the one that was taken over.
  const third = await client(0, 'mover', lasting);
  assert.ok(third.connack.sessionPresent);
  assert.equal(payloads(await third.flush()), []);
});

requireTool(test, 'nats-server', 'also from a gateway that is killed, or stands still', async (program) => {
  await start(program, 3);
  const subscriber = await client(0, 'mover', lasting);
  await subscriber.subscribe('t', 1);
  await gateway(0).kill();
  const publisher = await client(1, 'p');
  await publish(publisher, 't', 0, 3);
  const second = await client(1, 'mover', lasting);
  assert.ok(second.connack.sessionPresent);
  assert.equal(await collect(second, 3), ['0', '1', '2']);
  gateway(1).freeze();
  const third = await client(2, 'mover', lasting);
  assert.ok(third.connack.sessionPresent);
  const other = await client(2, 'q');
  await publish(other, 't', 3, 5);
  assert.equal((await collect(third, 2)).slice(-2), ['3', '4']);
  gateway(1).thaw();
  // It learns that it has the client no more.
  await second.end();
  await publish(other, 't', 5, 6);
  assert.equal(await collect(third, 1), ['5']);
});

requireTool(
  test,
  'nats-server',
  'wills of a dead gateway are published once; those of the living are not',
  async (program) => {
    await start(program, 3);
    const watchers = [await client(1, 'w1'), await client(2, 'w2')];
    for (const watcher of watchers) await watcher.subscribe('will/#', 1);
    for (const [index, qos] of [
      [0, 0],
      [0, 1],
      [1, 1],
    ] as const) {
      const will = { topic: `will/${index}-${qos}`, payload: Buffer.from(`${index}-${qos}`), qos, retain: false };
      await client(index, `device-${index}-${qos}`, { will });
    }
    await sleep(300);
    await gateway(0).kill();
    for (const watcher of watchers) {
      assert.equal((await collect(watcher, 2, 8000)).sort(), ['0-0', '0-1']);
      await sleep(500);
      assert.equal(payloads(await watcher.flush()), []);
    }
  },
);

requireTool(test, 'nats-server', 'sessions of a dead gateway end when their time is over', async (program) => {
  await start(program, 2);
  const short = { clean: false, properties: { sessionExpiryInterval: 1 } };
  for (const [clientId, options] of [
    ['short', short],
    ['long', lasting],
  ] as const) {
    const connected = await client(0, clientId, options);
    await connected.subscribe('t', 1);
  }
  await gateway(0).kill();
  // The lease of two seconds, and the one that is left to the session then.
  await sleep(5000);
  assert.not((await client(1, 'short', short)).connack.sessionPresent);
  assert.ok((await client(1, 'long', lasting)).connack.sessionPresent);
});

requireTool(
  test,
  'nats-server',
  '$share: over the gateways, none twice, and on when a member is lost',
  async (program) => {
    await start(program, 2);
    const members = [await client(0, 'm0'), await client(0, 'm1'), await client(1, 'm2')];
    for (const member of members) await member.subscribe('$share/g/jobs/#', 1);
    await sleep(300);
    const publishers = [await client(0, 'p0'), await client(1, 'p1')];
    const all = Array.from({ length: 200 }, (_, i) => i);
    for (const publisher of publishers) await publish(publisher, 'jobs/x', 0, 100);
    const logged = await Promise.all(members.map((member) => collect(member, 200, 3000)));
    assert.equal(
      logged
        .flat()
        .map(Number)
        .sort((a, b) => a - b),
      [...all.slice(0, 100), ...all.slice(0, 100)].sort((a, b) => a - b),
    );
    assert.ok(
      logged.every((each) => each.length > 10),
      `each has its part: ${logged.map((each) => each.length)}`,
    );
    for (const i of all) publishers[i % 2]?.publish('jobs/live', `${i}`);
    const live = await Promise.all(members.map((member) => collect(member, 200, 2000)));
    assert.equal(
      live
        .flat()
        .map(Number)
        .sort((a, b) => a - b),
      all,
    );
    // m2 acknowledges nothing, and its gateway dies.
    const [m0, m1, m2] = members;
    if (m0 === undefined || m1 === undefined || m2 === undefined) return;
    await publish(publishers[0] ?? m0, 'jobs/y', 0, 60);
    const taken = [...(await collect(m0, 60, 1500)), ...(await collect(m1, 60, 500))];
    assert.ok(taken.length < 60, 'some are with m2');
    await gateway(1).kill();
    for (const end = Date.now() + 40_000; taken.length < 60 && Date.now() < end; ) {
      taken.push(...(await collect(m0, 1, 300)), ...(await collect(m1, 1, 300)));
    }
    assert.equal(
      taken.map(Number).sort((a, b) => a - b),
      all.slice(0, 60),
    );
  },
);

requireTool(test, 'nats-server', 'applications of NATS publish to topics, and subscribe to them', async (program) => {
  await start(program, 1);
  const subscriber = await client(0, 's');
  await subscriber.subscribe('plant/#', 1);
  const native = await connect({ servers: nats.url });
  try {
    const heard: string[] = [];
    native.subscribe('trimaran.*.plant.>', {
      callback: (_, message) => heard.push(`${message.subject} ${message.string()}`),
    });
    await native.flush();
    native.publish('trimaran.live.plant.1.temperature', '20');
    await native.jetstream().publish('trimaran.log.plant.1.pressure', '1.1');
    const seen: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { topic, payload, qos } = await subscriber.expect('publish');
      seen.push(`${topic} ${payload} ${qos}`);
    }
    assert.equal(seen.sort(), ['plant/1/pressure 1.1 1', 'plant/1/temperature 20 0']);
    heard.length = 0;
    subscriber.publish('plant/2/a b', 'live');
    subscriber.publish('plant/2/x', 'logged', { qos: 1, messageId: 1 });
    for (const end = Date.now() + 5000; heard.length < 2 && Date.now() < end; ) await sleep(20);
    assert.equal(heard.sort(), ['trimaran.live.plant.2.a%20b live', 'trimaran.log.plant.2.x logged']);
  } finally {
    await native.close();
  }
});

test.run();
