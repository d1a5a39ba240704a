import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Seen } from './support/mqttjs.ts';
import { byTopic, LEVELS, lasting, SecondOpinion } from './support/second-opinion.ts';

/** On MQTT 3.1.1: wills, and what becomes of a session when its connection ends. */

const test = suite('aedes as a second opinion: sessions');
const { agree } = new SecondOpinion(test);

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

test.run();
