import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Seen } from './support/mqttjs.ts';
import { byTopic, LEVELS, SecondOpinion } from './support/second-opinion.ts';

/** On MQTT 3.1.1: who gets which messages, at which QoS, and retained ones. */

const test = suite('aedes as a second opinion: messages');
const { agree } = new SecondOpinion(test);

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

test.run();
