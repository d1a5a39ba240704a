import { connect } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Authorizer, Principal } from '../../../src/ports/authorizer.ts';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { eventually } from '../../support/eventually.ts';
import { RawJson } from '../../support/json-client.ts';
import { RawMqtt } from '../../support/mqtt-client.ts';
import { NatsServer } from '../../support/nats-server.ts';
import { header, RawStomp } from '../../support/stomp-client.ts';
import { requireTool } from '../../support/tools.ts';
import { lasting, type Publish, subscribe, textOf } from '../mqtt/support/rig.ts';
import { NatsParticipant } from './support/nats.ts';

/** `$SYS/` topics from every protocol, and whether what they say is true. */

const test = suite('crossing/sys');
/** How many topics there are, as README lists them. */
const TOPICS = 50;
const clients: { destroy(): void }[] = [];
let server: TestBroker;

class Guard implements Authorizer {
  readonly asked: string[] = [];

  authenticate(): Principal {
    return { name: 'someone' };
  }

  mayPublish(): boolean {
    return true;
  }

  maySubscribe(_: Principal, filter: string): boolean {
    this.asked.push(filter);
    return !filter.startsWith('$SYS/broker/heap') && filter !== '$SYS/#';
  }
}

/** Updates come each second, or, where they would be in the way, not within the test. */
async function start(intervalSeconds: number, more: object = {}, authorizer?: Authorizer): Promise<void> {
  server = await startBroker({ sys: { intervalSeconds, ...more } }, authorizer === undefined ? {} : { authorizer });
}

test.after.each(async () => {
  for (const each of clients.splice(0)) each.destroy();
  await server.broker.stop();
});

function known<T extends { destroy(): void }>(client: T): T {
  clients.push(client);
  return client;
}

async function mqtt(clientId: string, options: object = {}): Promise<RawMqtt> {
  return known(await RawMqtt.connect(server.mqtt, { clientId, ...options }));
}

async function publishes(client: RawMqtt): Promise<Publish[]> {
  return (await client.flush()).filter((each) => each.cmd === 'publish');
}

/** What a value is at the next update: all that was done before is in it. */
async function read(name: string): Promise<string> {
  const client = await mqtt(`reader-${name}`.replaceAll(/\W/g, '-'), { protocolVersion: 5 });
  await client.subscribe('$SYS/broker/uptime');
  const uptimes = new Set<string>();
  while (uptimes.size < 2) uptimes.add(textOf(await client.expect('publish')));
  await client.subscribe(`$SYS/broker/${name}`);
  for (const each of await publishes(client)) if (each.topic === `$SYS/broker/${name}`) return textOf(each);
  throw new Error(`there is no ${name}`);
}

test('MQTT: the present values at once, as retained; then live what changes [MQTT-3.3.1-8] [MQTT-3.3.1-9]', async () => {
  await start(2);
  const client = await mqtt('a');
  assert.equal(await client.subscribe('$SYS/#', 2), [2]);
  const first = await publishes(client);
  assert.is(first.length, TOPICS);
  assert.ok(first.every(({ retain, qos }) => retain && qos === 0));
  assert.ok(first.every(({ topic }) => topic.startsWith('$SYS/broker/')));
  const version = first.find(({ topic }) => topic === '$SYS/broker/version');
  assert.match(`${version?.payload}`, /^trimaran version \d+\.\d+\.\d+/);
  const uptime = await client.expect('publish');
  assert.equal([uptime.topic, uptime.retain, uptime.qos], ['$SYS/broker/uptime', false, 0]);
  assert.match(textOf(uptime), /^\d+ seconds$/);
  const connected = await client.expect('publish');
  assert.equal([connected.topic, textOf(connected)], ['$SYS/broker/clients/total', '1']);
});

test('MQTT 5: Retain Handling and Retain As Published are kept to [MQTT-3.8.3-5] [MQTT-3.3.1-12] [MQTT-3.3.1-13]', async () => {
  await start(1);
  const client = await mqtt('a', { protocolVersion: 5 });
  await client.subscribe('$SYS/broker/uptime', 0, { rh: 2, rap: true });
  assert.equal(await publishes(client), []);
  assert.is((await client.expect('publish')).retain, true);
  await client.subscribe('$SYS/broker/uptime', 0, { rh: 1, rap: false });
  // What came meanwhile was published to the earlier subscription.
  await eventually('one that is not retained', async () => !(await client.expect('publish')).retain);
});

test('a shared subscription gets what is live, one member each, and nothing retained (MQTT 5.0, 4.8.2)', async () => {
  await start(1);
  const members = [await mqtt('a', { protocolVersion: 5 }), await mqtt('b', { protocolVersion: 5 })];
  for (const each of members) await each.subscribe('$share/g/$SYS/broker/uptime');
  const [a, b] = members;
  const uptimes = [await a?.expect('publish'), await b?.expect('publish')].map((each) =>
    each === undefined ? '' : textOf(each),
  );
  assert.is(new Set(uptimes).size, 2, uptimes.join());
});

test('[MQTT-4.7.2-1] filters that begin with a wildcard do not reach them, retained or live', async () => {
  await start(1);
  const [wild, exact] = [await mqtt('wild'), await mqtt('exact')];
  for (const filter of ['#', '+/#', '+/broker/uptime', '+/+/+']) await wild.subscribe(filter);
  await exact.subscribe('$SYS/broker/uptime');
  for (let i = 0; i < 3; i++) await exact.expect('publish');
  assert.equal(await wild.flush(), []);
});

test('STOMP: by the names of its mapping', async () => {
  await start(2);
  const client = known(await RawStomp.connect(server.stomp));
  client.send('SUBSCRIBE', { id: '1', destination: '/topic/$SYS.broker.uptime' });
  client.send('SUBSCRIBE', { id: '2', destination: '/topic/$SYS.broker.*.count' });
  const first = [await client.expect('MESSAGE'), await client.expect('MESSAGE'), await client.expect('MESSAGE')];
  const rest = [await client.expect('MESSAGE')];
  const seen = [...first, ...rest].map((each) => header(each, 'destination'));
  assert.equal(seen, [
    '/topic/$SYS.broker.uptime',
    '/topic/$SYS.broker.subscriptions.count',
    '/topic/$SYS.broker.shared_subscriptions.count',
    '/topic/$SYS.broker.retained messages.count',
  ]);
  const live = await client.expect('MESSAGE');
  assert.equal([header(live, 'destination'), header(live, 'retain')], ['/topic/$SYS.broker.uptime', undefined]);
  assert.match(live.body.toString(), /^[1-9]\d* seconds$/);
});

test('JSON: as messages like others', async () => {
  await start(2);
  const client = known(await RawJson.connect(server.http));
  await client.request({ type: 'subscribe', filter: '$SYS/broker/uptime' });
  const first = await client.expect('message');
  assert.equal([first.topic, first.retain, first.payload], ['$SYS/broker/uptime', true, '0 seconds']);
  const live = await client.expect('message');
  assert.match(String(live.payload), /^[1-9]\d* seconds$/);
  assert.is(live.retain, false);
});

test('only the broker publishes there', async () => {
  await start(1000);
  const watcher = await mqtt('watcher');
  await watcher.subscribe('$SYS/broker/uptime');
  await watcher.flush();
  const topic = '$SYS/broker/uptime';
  const five = await mqtt('five', { protocolVersion: 5 });
  five.publish(topic, 'forged', { qos: 1, messageId: 1 });
  assert.is((await five.expect('puback')).reasonCode, 0x87);
  five.publish(topic, 'forged', { qos: 2, messageId: 2, retain: true });
  assert.is((await five.expect('pubrec')).reasonCode, 0x87);
  const four = await mqtt('four');
  four.publish(topic, 'forged', { qos: 1, messageId: 1, retain: true });
  await four.expect('puback');
  four.publish(topic, 'forged');
  const will = { topic, payload: Buffer.from('forged'), qos: 0, retain: false } as const;
  const dying = await RawMqtt.open(server.mqtt, 5);
  dying.send({ cmd: 'connect', clientId: 'd', protocolVersion: 5, clean: true, keepalive: 0, will });
  assert.is((await dying.expect('connack')).reasonCode, 0x87);
  const stomp = known(await RawStomp.connect(server.stomp));
  stomp.send('SEND', { destination: '/topic/$SYS.broker.uptime' }, 'forged');
  await stomp.expect('ERROR');
  const json = known(await RawJson.connect(server.http));
  json.send({ type: 'publish', topic, payload: 'forged', id: 1 });
  await json.expect('error');
  assert.equal(await watcher.flush(), []);
  assert.is(server.broker.counters.droppedRefused >= 4, true);
});

for (const [what, interval, more] of [
  ['intervalSeconds is 0', 0, {}],
  ['enabled is false', 1, { enabled: false }],
] as const) {
  test(`switched off: ${what}`, async () => {
    await start(interval, more);
    const client = await mqtt('a');
    assert.equal(await client.subscribe('$SYS/#', 1), [1]);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.equal(await client.flush(), []);
  });
}

test('the authorizer is asked, as for other topics', async () => {
  const guard = new Guard();
  await start(1000, {}, guard);
  const client = await mqtt('a', { protocolVersion: 5 });
  assert.equal(await client.subscribe('$SYS/#'), [0x87]);
  assert.equal(await client.subscribe('$SYS/broker/heap/current'), [0x87]);
  assert.equal(await client.subscribe('$SYS/broker/uptime'), [0]);
  assert.equal(
    (await publishes(client)).map(({ topic }) => topic),
    ['$SYS/broker/uptime'],
  );
  assert.equal(guard.asked, ['$SYS/#', '$SYS/broker/heap/current', '$SYS/broker/uptime']);
});

test('clients: those of every protocol, once they are logged in; and sessions that wait for theirs', async () => {
  await start(1);
  const away = await mqtt('away', { protocolVersion: 5, ...lasting });
  // A group that is kept for it is no client.
  await away.subscribe('$share/g/x', 1);
  away.send({ cmd: 'disconnect' });
  await away.end();
  // Connected, and not logged in.
  known(await RawMqtt.open(server.mqtt));
  await mqtt('a');
  known(await RawStomp.connect(server.stomp));
  known(await RawJson.connect(server.http));
  const gone = await mqtt('gone');
  gone.destroy();
  const { counters } = server.broker;
  await eventually('it is gone', () => counters.clients === 3);
  assert.equal([counters.clientsMaximum, counters.logins, counters.connectionsTotal], [4, 5, 6]);
  assert.is(await read('clients/connected'), '4', 'with the reader');
  assert.is(await read('clients/disconnected'), '1');
  const back = await mqtt('away', { protocolVersion: 5 });
  assert.is(await read('clients/disconnected'), '0');
  back.destroy();
});

test('clients/expired: sessions whose time is over', async () => {
  await start(1);
  const client = await mqtt('short', { protocolVersion: 5, clean: false, properties: { sessionExpiryInterval: 1 } });
  client.destroy();
  await eventually('it is gone', () => server.broker.counters.clients === 0);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const again = await mqtt('short', { protocolVersion: 5, clean: false });
  again.destroy();
  assert.is(server.broker.counters.sessionsExpired, 1);
  assert.is(await read('clients/expired'), '1');
});

test('subscriptions: to topics, and shared ones', async () => {
  await start(1);
  const client = await mqtt('a', { protocolVersion: 5 });
  for (const filter of ['a', 'b/#', 'b/#', '$share/g/c', '$share/g/d', '$queue/q']) await client.subscribe(filter);
  await (await mqtt('b', { protocolVersion: 5 })).subscribe('$share/g/c');
  client.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['a'] });
  await client.expect('unsuback');
  // The reader has one to its uptime.
  assert.is(await read('subscriptions/count'), '2');
  assert.is(await read('shared_subscriptions/count'), '3');
});

requireTool(
  test,
  'nats-server',
  'in a cluster each node tells its own clients of itself, and nobody else can',
  async (program) => {
    const nats = await NatsServer.start(program);
    const config = { sys: { intervalSeconds: 1 }, backbone: { type: 'nats', nats: { servers: [nats.url] } } } as const;
    server = await startBroker(config);
    const other = await startBroker(config);
    const native = await NatsParticipant.connect(nats.url);
    const spy = await connect({ servers: nats.url });
    const subjects: string[] = [];
    spy.subscribe('>', { callback: (_, { subject }) => subjects.push(subject) });
    await spy.flush();
    try {
      const here = await mqtt('here', { protocolVersion: 5 });
      const there = known(await RawMqtt.connect(other.mqtt, { clientId: 'there', protocolVersion: 5 }));
      for (const each of [here, there]) {
        const names = ['clients/+', 'version', 'uptime'].map((name) => `$SYS/broker/${name}`);
        await subscribe(each, ['open', 'probe', ...names]);
        const first = (await publishes(each)).filter(({ retain }) => retain);
        // Sessions without a connection are no node's own.
        const clientsOf = ['connected', 'active', 'expired', 'maximum'].map((name) => `$SYS/broker/clients/${name}`);
        assert.equal(
          first.map(({ topic }) => topic),
          [...clientsOf, '$SYS/broker/version', '$SYS/broker/uptime'],
        );
      }
      // SUBACK does not wait for NATS, which hears of the filters right behind it: what it passes on of the second, it does of the first.
      for (const [from, to] of [
        [here, there],
        [there, here],
      ] as const) {
        await eventually('NATS knows who listens', async () => {
          from.publish('probe', '');
          return (await publishes(to)).some(({ topic }) => topic === 'probe');
        });
      }
      const payload = Buffer.from('forged');
      for (const durable of [false, true]) {
        for (const topic of ['$SYS/broker/version', 'open']) await native.send({ topic, payload, durable });
      }
      for (const each of [here, there]) {
        const seen: string[] = [];
        const count = (topic: string): number => seen.filter((one) => one === topic).length;
        while (count('open') < 2 || count('$SYS/broker/uptime') < 3) seen.push((await each.expect('publish')).topic);
        assert.is(count('$SYS/broker/version'), 0);
      }
      const told = subjects.filter((subject) => subject.includes('%24SYS'));
      // The forged ones alone; what is logged NATS gives to each node.
      const log = 'trimaran.log.%24SYS.broker.version';
      assert.equal(
        told.filter((subject) => subject !== log),
        ['trimaran.live.%24SYS.broker.version'],
      );
    } finally {
      native.close();
      await spy.close();
      await other.broker.stop();
      await server.broker.stop();
      await nats.remove();
    }
  },
);

test.run();
