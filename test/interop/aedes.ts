import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { Aedes } from 'aedes';
import type { IClientOptions, IConnackPacket } from 'mqtt';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../src/broker.ts';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { MqttJs, type Seen } from './support/mqttjs.ts';

/**
 * A second opinion on MQTT 3.1.1: the same scenarios on this broker and on a plain aedes, by the same client. What a
 * client can observe must be equal; where it is not, the difference is named here with the clause that allows ours.
 */

/** What a scenario does with one broker. */
class Session {
  readonly #address: Address;
  readonly #clients: MqttJs[] = [];

  constructor(address: Address) {
    this.#address = address;
  }

  async open(options: IClientOptions = {}): Promise<[MqttJs, IConnackPacket]> {
    const { host, port } = this.#address;
    const opened = await MqttJs.connect(`mqtt://${host}:${port}`, { protocolVersion: 4, ...options });
    this.#clients.push(opened[0]);
    return opened;
  }

  async client(options?: IClientOptions): Promise<MqttJs> {
    return (await this.open(options))[0];
  }

  close(): void {
    for (const each of this.#clients) each.destroy();
  }
}

type Scenario = (session: Session) => Promise<unknown>;

const test = suite('aedes as a second opinion');
let ours: TestBroker;
let theirs: Address;
let aedes: Aedes;
let listener: Server;

test.before(async () => {
  ours = await startBroker();
  aedes = await Aedes.createBroker();
  listener = createServer((socket) => aedes.handle(socket)).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('aedes has no port');
  theirs = { host: '127.0.0.1', port: address.port };
});

test.after(async () => {
  await ours.broker.stop();
  await new Promise<void>((resolve) => aedes.close(() => resolve()));
  listener.close();
});

async function observe(address: Address, scenario: Scenario): Promise<unknown> {
  const session = new Session(address);
  try {
    return await scenario(session);
  } finally {
    session.close();
  }
}

function agree(title: string, scenario: Scenario): void {
  test(title, async () => {
    assert.equal(await observe(ours.mqtt, scenario), await observe(theirs, scenario));
  });
}

/** What both do, each by itself: a new version of aedes that does as we do fails here and is welcome. */
function differ(title: string, scenario: Scenario, expected: { ours: unknown; theirs: unknown }): void {
  test(`known difference: ${title}`, async () => {
    assert.equal(await observe(ours.mqtt, scenario), expected.ours, 'ours');
    assert.equal(await observe(theirs, scenario), expected.theirs, 'theirs');
  });
}

const LEVELS = [0, 1, 2] as const;
const lasting = (clientId: string): IClientOptions => ({ clientId, clean: false });
const byTopic = (seen: Seen[]): Seen[] => seen.sort((a, b) => (a.topic + a.payload < b.topic + b.payload ? -1 : 1));

// --- what must be equal -----------------------------------------------------------------------------------------------

agree('CONNACK and SUBACK codes', async (session) => {
  const [client, { returnCode, sessionPresent }] = await session.open();
  const grants = [];
  for (const qos of LEVELS) grants.push(await client.subscribe([`codes/${qos}`, `codes/+/${qos}`, '#'], { qos }));
  const granted = grants.flat().map(({ topic, qos }) => [topic, qos]);
  assert.is(granted.length, 9);
  return { returnCode, sessionPresent, granted };
});

agree('every QoS published to every QoS subscribed', async (session) => {
  const [sender, receiver] = [await session.client(), await session.client()];
  const seen: Seen[] = [];
  for (const subscribed of LEVELS) {
    await receiver.subscribe(`qos/${subscribed}`, { qos: subscribed });
    for (const qos of LEVELS) {
      await sender.publish(`qos/${subscribed}`, `${qos} to ${subscribed}`, { qos });
      seen.push(await receiver.seen());
    }
  }
  assert.equal(
    seen.map(({ qos }) => qos),
    [0, 0, 0, 0, 1, 1, 0, 1, 2],
  );
  return [seen, await receiver.flush()];
});

const FILTERS = [
  ...['#', '+', '+/+', '/#', '/+', '+/#', '/', '//', 'a', 'a/', '/a', 'a/#', 'a/+', 'a/b', 'a/b/#', 'a/b/c', 'a/+/c'],
  ...['+/b', '+/+/c', 'a//b', 'a/+/b', '+/b/+', '+//+', 'A', 'a b/+', 'ü/+', '+/ß', 'a/b/c/d/#', '+/+/+/#', 'a/b/+/+'],
  ...['$SYS/#', '$SYS/+', '$SYS', '$x/#', '+/x', 'a/$x', 'a/$x/#'],
];
const TOPICS = [
  ...[
    'a',
    'A',
    'b',
    '/',
    '//',
    '/a',
    'a/',
    'a//',
    '/a/',
    'a/b',
    'a/b/',
    'a//b',
    'a/b/c',
    'a/b/c/d',
    'a/b/c/d/e',
    'b/b',
  ],
  ...['b/b/c', 'a/c', 'a/c/c', 'a b/c', 'ü/ß', 'ü', 'x/b/y', 'a/$x', 'a/$x/y', 'a/x', ' ', 'ab'],
];

agree(`wildcards: ${FILTERS.length} filters and ${TOPICS.length} topics`, async (session) => {
  const client = await session.client();
  const matches: Record<string, string[]> = {};
  for (const filter of FILTERS) {
    await client.subscribe(filter, { qos: 1 });
    for (const topic of TOPICS) await client.publish(topic, topic, { qos: 1 });
    const seen = await client.flush();
    // Below $SYS aedes tells about itself; a name of its own there is what 4.7.2 has such topics for.
    matches[filter] = seen.map(({ topic }) => topic).filter((topic) => !/^(flush|\$SYS)\//.test(topic));
    await client.unsubscribe(filter);
  }
  assert.equal(matches['a/#'], [
    'a',
    'a/',
    'a//',
    'a/b',
    'a/b/',
    'a//b',
    ...TOPICS.filter((each) => /^a\/(b\/c|c|\$x|x)/.test(each)),
  ]);
  assert.is(matches['#']?.length, TOPICS.length);
  return matches;
});

/** At the QoS that both have for it. */
const RETAINED_QOS = 2;

agree('retained: the last of each topic, for each new subscription, marked', async (session) => {
  const [sender, receiver] = [await session.client(), await session.client()];
  for (const qos of LEVELS) await sender.publish(`kept/${qos}`, `old ${qos}`, { qos, retain: true });
  for (const qos of LEVELS) await sender.publish(`kept/${qos}`, `kept ${qos}`, { qos, retain: true });
  await sender.publish('kept/removed', 'x', { qos: 1, retain: true });
  await sender.publish('kept/removed', '', { qos: 1, retain: true });
  await sender.publish('kept/never', 'x', { qos: 1 });
  const results: Seen[][] = [];
  // A subscription that there is already counts as new.
  for (let i = 0; i < 2; i++) {
    await receiver.subscribe('kept/#', { qos: RETAINED_QOS });
    results.push(byTopic([await receiver.seen(), await receiver.seen(), await receiver.seen()]));
  }
  results.push(await receiver.flush(RETAINED_QOS));
  assert.equal(
    results.map(({ length }) => length),
    [3, 3, 0],
  );
  return results;
});

agree('retained: live subscribers get it unmarked, an empty one too', async (session) => {
  const [sender, receiver] = [await session.client(), await session.client()];
  await receiver.subscribe('live/+', { qos: 2 });
  const seen: Seen[] = [];
  for (const payload of ['on', '']) {
    await sender.publish('live/state', payload, { qos: 1, retain: true });
    seen.push(await receiver.seen());
  }
  assert.equal(
    seen.map(({ retain }) => retain),
    [false, false],
  );
  return [seen, await receiver.flush()];
});

agree('retained: by filters with wildcards', async (session) => {
  const client = await session.client();
  const topics = ['w', 'w/a', 'w/b', 'w/a/c', '/w'];
  for (const topic of topics) await client.publish(topic, topic, { qos: 1, retain: true });
  const results: Record<string, string[]> = {};
  for (const filter of ['w/#', 'w/+', 'w', '/w', '+/a', 'w/+/c', 'w/a/#', 'none/#']) {
    await client.subscribe(filter, { qos: 1 });
    // Twice: aedes sends them after SUBACK, when it finds them.
    const seen = [...(await client.flush()), ...(await client.flush())];
    results[filter] = seen.map(({ topic }) => topic).sort();
    await client.unsubscribe(filter);
  }
  for (const topic of topics) await client.publish(topic, '', { qos: 1, retain: true });
  assert.equal(results['w/+'], ['w/a', 'w/b']);
  return results;
});

agree('the will: at a lost connection, not after DISCONNECT', async (session) => {
  const watcher = await session.client();
  await watcher.subscribe('wills/+', { qos: 2 });
  const seen: Seen[] = [];
  for (const qos of LEVELS) {
    for (const retain of [false, true]) {
      const will = { topic: `wills/${qos}-${retain}`, payload: Buffer.from('gone'), qos, retain };
      await (await session.client({ will })).cut();
      seen.push(await watcher.seen());
      await (await session.client({ will })).end();
    }
  }
  const live = await watcher.flush(2);
  const late = await session.client();
  await late.subscribe('wills/+', { qos: 2 });
  const kept = byTopic([await late.seen(), await late.seen(), await late.seen()]);
  assert.equal([seen.length, live, kept.every(({ retain }) => retain)], [6, [], true]);
  return [seen, kept, await late.flush(2)];
});

agree('the will of a client that is taken over', async (session) => {
  const watcher = await session.client();
  await watcher.subscribe('wills/taken', { qos: 1 });
  const will = { topic: 'wills/taken', payload: Buffer.from('gone'), qos: 1 as const, retain: false };
  const first = await session.client({ clientId: 'heir', will });
  const closed = first.closed();
  await session.client({ clientId: 'heir' });
  await closed;
  return watcher.seen();
});

agree('session present', async (session) => {
  const results: boolean[] = [];
  for (const clean of [true, false, false, true, false, false, true, true]) {
    const [client, { sessionPresent }] = await session.open({ clientId: 'presence', clean });
    results.push(sessionPresent);
    await client.subscribe('presence', { qos: 1 });
    await client.end();
  }
  assert.equal(results, [false, false, true, false, false, true, false, false]);
  return results;
});

agree('what is published while a session has no connection', async (session) => {
  const first = await session.client(lasting('away'));
  await first.subscribe('away/2/+', { qos: 2 });
  await first.subscribe('away/gone/+', { qos: 2 });
  await first.unsubscribe('away/gone/+');
  await first.end();
  const sender = await session.client();
  for (const filter of ['2', 'gone']) {
    for (const qos of [1, 2] as const) await sender.publish(`away/${filter}/${qos}`, 'hello', { qos });
  }
  const second = await session.client(lasting('away'));
  const seen: Seen[] = [];
  for (let i = 0; i < 2; i++) seen.push(await second.seen());
  // Its subscriptions are in place without new ones.
  await sender.publish('away/2/later', 'live', { qos: 1 });
  seen.push(await second.seen());
  return [byTopic(seen), await second.flush()];
});

agree('a clean session forgets subscriptions and messages', async (session) => {
  const first = await session.client(lasting('forgetful'));
  await first.subscribe('forget', { qos: 1 });
  await first.end();
  const sender = await session.client();
  await sender.publish('forget', 'while away', { qos: 1 });
  await (await session.client({ clientId: 'forgetful', clean: true })).end();
  const [second, { sessionPresent }] = await session.open(lasting('forgetful'));
  await sender.publish('forget', 'live', { qos: 1 });
  const seen = await second.flush();
  assert.equal(seen, []);
  return [seen, sessionPresent];
});

agree('take-over: the first connection ends, the session goes on', async (session) => {
  const results: unknown[] = [];
  const sender = await session.client();
  for (const clean of [true, false]) {
    const first = await session.client({ clientId: `twin-${clean}`, clean });
    await first.subscribe(`twin/${clean}`, { qos: 1 });
    const closed = first.closed();
    const [second, { sessionPresent }] = await session.open({ clientId: `twin-${clean}`, clean });
    await closed;
    await sender.publish(`twin/${clean}`, 'hello', { qos: 1 });
    results.push(sessionPresent, await second.flush(), first.client.connected);
  }
  assert.equal(results[0], false);
  assert.equal(results[3], true);
  return results;
});

agree('a second SUBSCRIBE to the same filter replaces the first', async (session) => {
  const client = await session.client();
  const seen: Seen[] = [];
  for (const qos of [2, 0, 1] as const) {
    await client.subscribe('same', { qos });
    await client.publish('same', String(qos), { qos: 2 });
    seen.push(await client.seen());
  }
  assert.equal(
    seen.map(({ qos }) => qos),
    [2, 0, 1],
  );
  return [seen, await client.flush(2)];
});

agree('UNSUBSCRIBE ends one filter only, and may name one that is not there', async (session) => {
  const client = await session.client();
  await client.subscribe(['un/a', 'un/+'], { qos: 1 });
  await client.unsubscribe('un/+');
  await client.unsubscribe('un/none');
  for (const topic of ['un/a', 'un/b']) await client.publish(topic, 'x', { qos: 1 });
  const seen = await client.flush();
  assert.equal(
    seen.map(({ topic }) => topic),
    ['un/a'],
  );
  return seen;
});

agree('order within a topic, for each QoS', async (session) => {
  const [sender, receiver] = [await session.client(), await session.client()];
  const numbers = Array.from({ length: 200 }, (_, i) => String(i));
  const results: string[][] = [];
  for (const qos of LEVELS) {
    await receiver.subscribe(`order/${qos}`, { qos });
    await Promise.all(numbers.map((text) => sender.publish(`order/${qos}`, text, { qos })));
    const payloads: string[] = [];
    for (const _ of numbers) payloads.push((await receiver.seen()).payload);
    assert.equal(payloads, numbers);
    results.push(payloads);
  }
  return results;
});

// --- known differences ------------------------------------------------------------------------------------------------

/**
 * What is sent for a subscription has the lower QoS of the publication's and the subscription's. For filters with
 * wildcards aedes sends retained messages at the QoS they were published with.
 */
differ(
  'retained messages at the QoS of the subscription [MQTT-3.8.4-6]',
  async (session) => {
    const client = await session.client();
    await client.publish('retained/2', 'x', { qos: 2, retain: true });
    await client.subscribe('retained/+', { qos: 0 });
    return (await client.seen()).qos;
  },
  { ours: 0, theirs: 2 },
);

/** The same clause, for what waited for a session without a connection. */
differ(
  'messages that waited, at the QoS of the subscription [MQTT-3.8.4-6]',
  async (session) => {
    const first = await session.client(lasting('level'));
    await first.subscribe('level/waiting', { qos: 1 });
    await first.end();
    await (await session.client()).publish('level/waiting', 'x', { qos: 2 });
    return (await (await session.client(lasting('level'))).seen()).qos;
  },
  { ours: 1, theirs: 2 },
);

/** 4.7.1.3: `+` stands for one whole level, and 4.7.3 makes an empty one a level; aedes agrees except on retained ones. */
differ(
  'a retained message whose last level is empty is matched by + (4.7.1.3)',
  async (session) => {
    const client = await session.client();
    await client.publish('empty/', 'x', { qos: 1, retain: true });
    await client.subscribe('empty/+', { qos: 1 });
    const seen = [...(await client.flush()), ...(await client.flush())];
    return seen.map(({ topic }) => topic);
  },
  { ours: ['empty/'], theirs: [] },
);

/** DUP must be 1 on what is delivered again. */
differ(
  'what is sent again is marked as a duplicate [MQTT-3.3.1-1]',
  async (session) => {
    const first = await session.client(lasting('lazy'));
    // Without the call of its callback the library sends no PUBACK.
    first.client.handleMessage = () => {};
    await first.subscribe('lazy', { qos: 1 });
    const sender = await session.client();
    await sender.publish('lazy', 'again', { qos: 1 });
    const once = await first.next();
    await first.cut();
    const second = await session.client(lasting('lazy'));
    const twice = await second.next();
    return [once, twice].map(({ payload, qos, dup, retain }) => [payload.toString(), qos, dup, retain]);
  },
  {
    ours: [
      ['again', 1, false, false],
      ['again', 1, true, false],
    ],
    theirs: [
      ['again', 1, false, false],
      ['again', 1, false, false],
    ],
  },
);

/**
 * 4.7.2: a server should keep clients from exchanging messages by topics with `$`. Before MQTT 5 there is no refusal but
 * to acknowledge and drop, or to close the connection (3.3.5); aedes closes it for $SYS, and passes on the others.
 */
differ(
  'topics with $ are no way from client to client (4.7.2)',
  async (session) => {
    const [sender, receiver] = [await session.client(), await session.client()];
    await receiver.subscribe('$x/#', { qos: 1 });
    await sender.publish('$x/y', 'x', { qos: 1 });
    const seen = (await receiver.flush()).map(({ topic }) => topic);
    const closed = sender.closed().then(() => 'closed');
    const outcome = sender.publish('$SYS/x', 'x', { qos: 1 }).then(() => 'acknowledged');
    return [seen, await Promise.race([outcome, closed])];
  },
  { ours: [[], 'acknowledged'], theirs: [['$x/y'], 'closed'] },
);

test.run();
