import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type TestBroker, withBroker } from '../../support/broker.ts';
import { type Json, RawJson } from '../../support/json-client.ts';
import { messages, quiet, shown } from './support/kept.ts';

/** The field selector of subscribe: topics, with a session or without, and groups. */

const test = suite('websocket/selectors');

const ODD = 'number % 2 = 1';

/** Publishes the numbers, each with a header that says it. */
async function publish({ http }: TestBroker, numbers: readonly number[], fields: Json = {}): Promise<void> {
  const client = await RawJson.connect(http, { clientId: 'publisher' });
  for (const number of numbers) {
    const headers = [['number', `${number}`]];
    await client.request({ type: 'publish', topic: 'news/a', payload: `${number}`, headers, ...fields });
  }
  client.destroy();
}

const DURABLE = { durable: true };

async function subscribed({ http }: TestBroker, fields: Json): Promise<RawJson> {
  const client = await RawJson.connect(http, {});
  await client.request({ type: 'subscribe', filter: 'news/#', ...fields });
  return client;
}

test('a subscription gets what its selector takes: live, durable, retained', () =>
  withBroker(async (broker) => {
    await publish(broker, [1, 2], { retain: true });
    const client = await subscribed(broker, { selector: 'number > 1', subscription: 'more' });
    assert.equal(shown(await messages(client, 1)), ['2']);
    await client.request({ type: 'subscribe', filter: 'news/+', selector: ODD, subscription: 'odd' });
    for (const fields of [{}, DURABLE]) {
      await publish(broker, [1, 2, 3, 4], fields);
      const got = await messages(client, 5);
      assert.equal(got.map(({ subscription, payload }) => `${subscription} ${payload}`).sort(), [
        'more 2',
        'more 3',
        'more 4',
        'odd 1',
        'odd 3',
      ]);
    }
    await client.request({ type: 'unsubscribe', subscription: 'odd' });
    await client.request({ type: 'unsubscribe', subscription: 'more' });
    await client.request({ type: 'subscribe', filter: 'news/a', selector: '' });
    await messages(client, 1);
    await publish(broker, [8]);
    assert.equal(shown(await messages(client, 1)), ['8'], 'an empty one is none');
    await quiet(client);
    client.destroy();
  }));

test('what a start reads is selected, too', () =>
  withBroker(async (broker) => {
    await publish(broker, [1, 2, 3, 4], DURABLE);
    const client = await subscribed(broker, { selector: ODD, start: 'first' });
    assert.equal(shown(await messages(client, 2)), ['1', '3']);
    await publish(broker, [5, 6, 7], DURABLE);
    assert.equal(shown(await messages(client, 2)), ['5', '7']);
    await quiet(client);
    client.destroy();
  }));

test('a session keeps selectors, with a start or without', () =>
  withBroker(async (broker) => {
    for (const fields of [{ start: undefined }, { start: 'new' }, { start: 'first' }]) {
      const clientId = `page ${fields.start}`;
      const topic = `kept/${fields.start}`;
      const hello = { type: 'hello', clientId, sessionSeconds: 60 };
      const first = await RawJson.open(broker.http);
      first.send(hello);
      await first.expect('hello');
      await first.request({ type: 'subscribe', filter: topic, selector: ODD, ...fields });
      first.socket.close();
      await first.end();
      await publish(broker, [1, 2, 3], { ...DURABLE, topic });
      const second = await RawJson.open(broker.http);
      second.send(hello);
      assert.is((await second.expect('hello')).resumed, true);
      assert.equal(shown(await messages(second, 2)), ['1', '3']);
      second.destroy();
    }
  }));

test('members of a group have the same one', () =>
  withBroker(async (broker) => {
    const group = { group: 'g', selector: ODD, acknowledge: 'auto' };
    const members = [await subscribed(broker, group), await subscribed(broker, group)];
    await publish(broker, [1, 2, 3, 4], DURABLE);
    const got = await Promise.all(members.map((member) => messages(member, 1)));
    assert.equal(shown(got.flat()).sort(), ['1', '3']);
    const other = await RawJson.connect(broker.http, {});
    other.send({ type: 'subscribe', id: 's', filter: 'news/#', group: 'g' });
    const error = await other.expect('error');
    assert.is(error.code, 'fieldInvalid');
    assert.match(String(error.message), 'the selector of group g is "number % 2 = 1", not none');
    for (const each of [...members, other]) each.destroy();
  }));

test('those of one connection are bounded together, those that are over not counted', () =>
  withBroker(
    async (broker) => {
      const client = await RawJson.connect(broker.http, {});
      const subscribe = (name: string, fields: object): void =>
        client.send({
          type: 'subscribe',
          id: name,
          subscription: name,
          filter: 'news/#',
          selector: 'a = 1',
          ...fields,
        });
      subscribe('one', {});
      await client.expect('ack');
      subscribe('two', { group: 'g' });
      await client.expect('ack');
      subscribe('three', {});
      const error = await client.expect('error');
      assert.equal([error.code, error.field, error.id], ['quota', 'selector', 'three']);
      assert.match(String(error.message), /more than 10 bytes \(limits.sessionSelectorBytes\)/);
      client.send({ type: 'unsubscribe', id: 'u', subscription: 'two' });
      await client.expect('ack');
      subscribe('three', {});
      await client.expect('ack');
      client.destroy();
    },
    { sessionSelectorBytes: 10 },
  ));

test('one that cannot be read is an error that says where', () =>
  withBroker(async (broker) => {
    const client = await RawJson.connect(broker.http, {});
    for (const [fields, expected] of [
      [{ selector: 'a >' }, /the selector cannot be read at character 4: it ends here; a value is expected/],
      [{ selector: 'a >', group: 'g' }, /at character 4/],
      [{ selector: 7 }, /selector is .*; a string is expected/],
      [{ selector: 'JMSReplyTo IS NULL' }, /asks for JMSReplyTo/],
      [{ selector: `a = '${'x'.repeat(1024)}'` }, /limits.selectorBytes/],
    ] as const) {
      client.send({ type: 'subscribe', id: 's', filter: 'news/#', ...fields });
      const error = await client.expect('error');
      assert.equal([error.code, error.field, error.id], ['fieldInvalid', 'selector', 's']);
      assert.match(String(error.message), expected);
    }
    client.destroy();
  }));

test.run();
