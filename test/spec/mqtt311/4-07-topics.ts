import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, lastingOf, Rig, textOf } from '../mqtt/support/rig.ts';

/** Topic names and filters (4.7), of every version: live, retained, and read from the log by a client that was away. */

/** Filters, and the topics that they match of those below. */
const TOPICS = [
  ...['sport', 'sport/', '/sport', 'sport/tennis', 'sport/tennis/player1', 'sport/tennis/player1/ranking'],
  ...[
    'sport/tennis/player1/score/wimbledon',
    'sport/tennis/player2',
    'sport//player1',
    '/',
    '//',
    '/finance',
    'finance',
  ],
  ...[
    'Finance',
    'finance ',
    ' finance',
    'fin ance',
    'é',
    'e\u0301',
    '\ufefffinance',
    '日本/語',
    'a$',
    'a/$b',
    '\u{1f6a2}/x',
  ],
];

const all = (...except: string[]): string[] => TOPICS.filter((each) => !except.includes(each));
const withLevels = (count: number): string[] => TOPICS.filter((each) => each.split('/').length === count);

const MATCHES: Record<string, readonly string[]> = {
  '#': all(),
  '+': withLevels(1),
  '+/+': withLevels(2),
  '/+': ['/sport', '/', '/finance'],
  '/#': ['/sport', '/', '//', '/finance'],
  '+/#': all(),
  '+/+/#': TOPICS.filter((each) => each.split('/').length >= 2),
  'sport/#': TOPICS.filter((each) => each === 'sport' || each.startsWith('sport/')),
  'sport/tennis/player1/#': TOPICS.filter((each) => each.startsWith('sport/tennis/player1')),
  'sport/+': ['sport/', 'sport/tennis'],
  'sport/+/player1': ['sport/tennis/player1', 'sport//player1'],
  'sport/tennis/+': ['sport/tennis/player1', 'sport/tennis/player2'],
  '+/tennis/#': TOPICS.filter((each) => each.startsWith('sport/tennis')),
  'sport//+': ['sport//player1'],
  'sport/+/+/#': TOPICS.filter((each) => each.startsWith('sport/') && each.split('/').length >= 3),
  '+/': ['sport/', '/'],
  '//': ['//'],
  '/': ['/'],
  '//#': ['/', '//'],
  finance: ['finance'],
  Finance: ['Finance'],
  'finance ': ['finance '],
  '\ufefffinance': ['\ufefffinance'],
  é: ['é'],
  'e\u0301': ['e\u0301'],
  '日本/+': ['日本/語'],
  'a/+': ['a/$b'],
  'sport/tennis': ['sport/tennis'],
  'sport/tennis/': [],
  'tennis/#': [],
  '+/+/+/+/+/+': [],
};

for (const version of [3, 4, 5] as const) {
  const test = suite(`mqtt311/4-07-topics v${version}`);
  const rig = new Rig(version);
  let publisher: Client;

  test.before(() => rig.start());
  test.after(() => rig.stop());
  test.before.each(async () => {
    publisher = await rig.client('publisher');
  });
  test.after.each(() => rig.leave());

  async function publishAll(qos: 0 | 1, retain = false): Promise<void> {
    for (const [i, topic] of TOPICS.entries()) publisher.publish(topic, topic, { qos, retain, messageId: i + 1 });
    if (qos === 0) assert.equal(await publisher.flush(), []);
    else for (const _ of TOPICS) await publisher.expect('puback');
  }

  /** Topics of what has come; each message says its own. */
  async function topics(client: Client): Promise<string[]> {
    const packets = await client.flush();
    return packets.flatMap((each) => (each.cmd === 'publish' ? [each.topic] : [])).sort();
  }

  for (const [filter, expected] of Object.entries(MATCHES)) {
    test(`[MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-4] ${JSON.stringify(filter)}`, async () => {
      const sorted = [...expected].sort();
      const live = await rig.client('live');
      await live.subscribe(filter, 0);
      await publishAll(0);
      assert.equal(await topics(live), sorted, 'live');
      const away = await rig.client('away', lastingOf(version));
      await away.subscribe(filter, 1);
      away.send({ cmd: 'disconnect' });
      await away.end();
      await publishAll(1);
      const again = await rig.client('away', lastingOf(version));
      const seen: string[] = [];
      for (const _ of expected) seen.push((await again.expect('publish')).topic);
      assert.equal(seen.sort(), sorted, 'from the log');
      assert.equal(await again.flush(), []);
      await rig.client('away', { clean: true });
    });
  }

  test('[MQTT-4.7.1-2] … and which retained messages each filter finds', async () => {
    await publishAll(0, true);
    for (const [filter, expected] of Object.entries(MATCHES)) {
      const client = await rig.client('c');
      await client.subscribe(filter, 0);
      assert.equal(await topics(client), [...expected].sort(), filter);
    }
    for (const topic of TOPICS) publisher.publish(topic, '', { retain: true });
    await publisher.flush();
  });

  for (const filter of [
    ...['sport/tennis#', 'sport/tennis/#/ranking', '#/', '/#/', '##', 'a/##', '#a', 'a#/b'],
    ...['sport+', '+sport', 'a/b+', 'a/+b/c', '++', '+#', '#+', 'a/+#', '+/#/+'],
  ]) {
    test(`[MQTT-4.7.1-2] [MQTT-4.7.1-3] ${filter} is no filter: refused in SUBACK`, async () => {
      const client = await rig.client('c');
      assert.equal(await client.subscribe(filter, 1), [version === 5 ? 0x8f : 0x80]);
      assert.equal(await client.flush(), []);
    });
  }

  test('[MQTT-4.7.3-1] an empty filter is none: refused in SUBACK', async () => {
    const client = await rig.client('c');
    client.write(Buffer.from(version === 5 ? '8206000100000001' : '82050001000001', 'hex'));
    assert.equal((await client.expect('suback')).granted, [version === 5 ? 0x8f : 0x80]);
  });

  test('[MQTT-4.7.2-1] filters that begin with a wildcard do not reach topics that begin with $', async () => {
    const [asker, watcher] = [
      await rig.client('asker', { protocolVersion: 5, properties: { requestResponseInformation: true } }),
      await rig.client('w'),
    ];
    const reply = asker.connack.properties?.responseInformation ?? '';
    for (const filter of ['#', '+/#', '+/+', '+/monitor/#', '+']) await watcher.subscribe(filter, 1);
    await asker.subscribe(`${reply}/#`, 1);
    for (const topic of [reply, `${reply}/monitor/x`]) publisher.publish(topic, 'x', { qos: 1, messageId: 1 });
    for (let i = 0; i < 2; i++) await publisher.expect('puback');
    for (let i = 0; i < 2; i++) assert.ok((await asker.expect('publish')).topic.startsWith(reply));
    publisher.publish('$SYS/monitor/Clients', 'x');
    publisher.publish('$other/x', 'x');
    publisher.publish('SYS/monitor/x', 'seen');
    assert.is(textOf(await watcher.expect('publish')), 'seen');
    assert.equal(
      (await watcher.flush()).filter((each) => each.cmd === 'publish' && each.topic.startsWith('$')),
      [],
    );
  });

  test('4.7.2 [MQTT-3.3.5-2] a publication to a $ topic of the server’s is answered (0x87 in 5.0), not delivered, and the connection goes on', async () => {
    const watcher = await rig.client('w');
    assert.equal(await watcher.subscribe('$SYS/#', 0), [0]);
    publisher.publish('$SYS/mine', 'x', { qos: 2, messageId: 3 });
    const pubrec = await publisher.expect('pubrec');
    if (version === 5) assert.is(pubrec.reasonCode, 0x87);
    assert.equal(await publisher.flush(), []);
    const seen = (await watcher.flush()).filter((each) => each.cmd === 'publish' && each.topic === '$SYS/mine');
    assert.equal(seen, []);
  });

  test.run();
}

/** Longer than this server takes by default; as long as the specification allows. */
const test = suite('mqtt311/4-07-topics, the longest');
const rig = new Rig(4);
test.before(() => rig.start({ limits: { topicBytes: 65_535, topicLevels: 1024, packetBytes: 1_000_000 } }));
test.after(() => rig.stop());
test.after.each(() => rig.leave());

const levels = (count: number, length: number): string =>
  Array.from({ length: count }, () => 'x'.repeat(length)).join('/');

for (const [what, topic] of [
  ['one level of 65,535 bytes', 'x'.repeat(65_535)],
  ['1,024 levels of 63 bytes', levels(1024, 63)],
  ['1,024 empty levels', '/'.repeat(1023)],
  ['21,845 characters of three bytes', '\u20ac'.repeat(21_845)],
] as const) {
  test(`[MQTT-4.7.3-3] ${what}`, async () => {
    const [subscriber, publisher] = [await rig.client('s'), await rig.client('p')];
    const wild = topic.split('/').length === 1 ? '+' : topic.replaceAll(/[^/]+|^(?=\/)|(?<=\/)(?=\/)|(?<=\/)$/g, '+');
    for (const filter of [topic, '#', '+/#', wild]) {
      assert.equal(await subscriber.subscribe(filter, 1), [1]);
      publisher.publish(topic, 'x', { qos: 1, messageId: 1 });
      await publisher.expect('puback');
      assert.is((await subscriber.expect('publish')).topic, topic);
      subscriber.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [filter] });
      await subscriber.expect('unsuback');
    }
    publisher.publish(topic, 'kept', { qos: 1, messageId: 1, retain: true });
    await publisher.expect('puback');
    await subscriber.subscribe(wild, 1);
    assert.is((await subscriber.expect('publish')).topic, topic);
    publisher.publish(topic, '', { qos: 1, messageId: 1, retain: true });
    await publisher.expect('puback');
  });
}

test.run();
