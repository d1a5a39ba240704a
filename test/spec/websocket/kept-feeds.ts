import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KeptSession } from '../../../protocols/websocket/kept-session.ts';
import { Packer } from '../../../src/core/pack.ts';
import { type TestBroker, withBroker } from '../../support/broker.ts';
import { RawJson } from '../../support/json-client.ts';
import { messages, publish, quiet, shown } from './support/kept.ts';

/** In sessions that outlive their connections: queues, groups, and subscriptions with a start, over real sockets. */

const test = suite('websocket/sessions with queues, groups and starts');

async function session({ http }: TestBroker, resumed: boolean): Promise<RawJson> {
  const client = await RawJson.open(http);
  client.send({ type: 'hello', clientId: 'page', sessionSeconds: 60 });
  assert.is((await client.expect('hello')).resumed, resumed);
  return client;
}

/** The connection is gone, and the broker knows. */
async function gone(client: RawJson): Promise<void> {
  client.socket.close();
  await client.end();
}

test('a subscription with a start goes on where its client settled, then with what it missed, then live', () =>
  withBroker(async (broker) => {
    await publish(broker, ['1', '2', '3', '4']);
    const first = await session(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/#', start: 'first', subscription: 's' });
    const before = await messages(first, 4);
    assert.equal(shown(before), ['1', '2', '3', '4']);
    await publish(broker, ['5']);
    before.push(...(await messages(first, 1)));
    await first.request({ type: 'received', subscription: 's', position: before[2]?.position });
    await gone(first);
    await publish(broker, ['6']);
    const second = await session(broker, true);
    const after = await messages(second, 3);
    assert.equal(shown(after), ['4*', '5*', '6']);
    assert.equal([after[0]?.position, after[1]?.position], [before[3]?.position, before[4]?.position]);
    await publish(broker, ['7']);
    assert.equal(shown(await messages(second, 1)), ['7']);
    await quiet(second);
    second.destroy();
  }));

test('positions of a subscription with a start are its own: those of the others settle nothing of it', () =>
  withBroker(async (broker) => {
    await publish(broker, ['1', '2']);
    const first = await session(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/#', start: 'first', subscription: 's' });
    await messages(first, 2);
    await first.request({ type: 'subscribe', filter: 'news/#', subscription: 'plain' });
    await publish(broker, ['3']);
    const both = await messages(first, 2);
    assert.equal(both.map(({ subscription }) => subscription).sort(), ['plain', 's']);
    await first.request({ type: 'received', position: both[0]?.position });
    await gone(first);
    const second = await session(broker, true);
    const again = await messages(second, 3);
    assert.ok(again.every(({ subscription }) => subscription === 's'));
    assert.equal(shown(again), ['1*', '2*', '3*']);
    await quiet(second);
    for (const subscription of ['plain', 'none']) {
      second.send({ type: 'received', id: 1, subscription, position: both[0]?.position });
      const error = await second.expect('error');
      assert.equal([error.code, error.field], ['fieldInvalid', 'subscription']);
    }
    second.destroy();
  }));

test('a subscription with a start has at most limits.inflightOut unsettled', () =>
  withBroker(
    async (broker) => {
      await publish(broker, ['1', '2', '3', '4', '5']);
      const client = await session(broker, false);
      await client.request({ type: 'subscribe', filter: 'news/#', start: 'first', subscription: 's' });
      const two = await messages(client, 2);
      await quiet(client);
      client.send({ type: 'received', subscription: 's', position: two[1]?.position });
      assert.equal(shown(await messages(client, 2)), ['3', '4']);
      await quiet(client);
      client.destroy();
    },
    { inflightOut: 2 },
  ));

test('one that was unsubscribed from does not come back', () =>
  withBroker(async (broker) => {
    await publish(broker, ['1']);
    const first = await session(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/#', start: 'first', subscription: 's' });
    await messages(first, 1);
    await first.request({ type: 'subscribe', queue: 'work' });
    for (const subscription of ['s', 'work']) await first.request({ type: 'unsubscribe', subscription });
    await gone(first);
    await publish(broker, ['2']);
    await publish(broker, ['job'], { queue: 'work' });
    const second = await session(broker, true);
    await quiet(second);
    second.destroy();
  }));

test('a queue is consumed again on return, what was not settled first', () =>
  withBroker(async (broker) => {
    const first = await session(broker, false);
    await first.request({ type: 'subscribe', queue: 'work', subscription: 'w', prefetch: 2 });
    await publish(broker, ['1', '2', '3'], { queue: 'work' });
    const [one, two] = await messages(first, 2);
    assert.equal(shown([one ?? {}, two ?? {}]), ['1', '2']);
    first.send({ type: 'accept', subscription: 'w', delivery: one?.delivery });
    assert.equal(shown(await messages(first, 1)), ['3']);
    await gone(first);
    const second = await session(broker, true);
    const again = await messages(second, 2);
    assert.equal(shown(again), ['2*', '3*']);
    assert.ok(again.every(({ subscription }) => subscription === 'w'));
    second.send({ type: 'subscribe', id: 1, queue: 'work', subscription: 'w' });
    assert.is((await second.expect('error')).field, 'subscription');
    await second.request({ type: 'accept', subscription: 'w', deliveries: again.map(({ delivery }) => delivery) });
    await quiet(second);
    second.destroy();
  }));

test('a group keeps its place as long as the session', () =>
  withBroker(async (broker) => {
    const first = await session(broker, false);
    await first.request({ type: 'subscribe', group: 'g', filter: 'news/#' });
    await publish(broker, ['1', '2']);
    const [one] = await messages(first, 2);
    await first.request({ type: 'accept', subscription: 'news/#', delivery: one?.delivery });
    await gone(first);
    await publish(broker, ['3']);
    const second = await session(broker, true);
    assert.equal(
      (await messages(second, 2)).map(({ payload }) => payload),
      ['2', '3'],
    );
    await quiet(second);
    second.destroy();
  }));

test('sessions kept by earlier versions are understood, and later ones are not guessed at', () => {
  const kept = (format: number): Uint8Array => {
    const packer = new Packer().integer(format).integers([5]).integers([7]).integer(1);
    return packer.text('n').text('a/#').integer(1).integers([3]).done();
  };
  const place = { atomic: false, changed() {}, save: async () => {}, put: async () => {}, listens() {}, leave() {} };
  const holder = { kept: () => ({ subscriptions: [], feeds: [] }), positions: () => [] };
  const open = (bytes: Uint8Array) => new KeptSession(60, holder, () => {}).restore({ ...place, kept: bytes });
  assert.equal(open(kept(1)), {
    subscriptions: [{ name: 'n', filter: 'a/#', noLocal: true, selector: '', since: [3] }],
    feeds: [],
  });
  for (const format of [0, 2, 3, 4])
    assert.throws(
      () => open(kept(format)),
      (error: unknown) => error instanceof RangeError,
    );
});

test.run();
