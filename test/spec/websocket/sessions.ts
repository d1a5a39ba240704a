import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type TestBroker, withBroker } from '../../support/broker.ts';
import { type Json, RawJson } from '../../support/json-client.ts';
import { messages, publish, quiet, shown } from './support/kept.ts';

/** Sessions that outlive their connections, over real sockets, the log in memory. */

const SESSION = { type: 'hello', clientId: 'page', sessionSeconds: 60 };

/** A connection with the session, and whether that was there before. */
async function connect({ http }: TestBroker, resumed: boolean, hello: Json = {}): Promise<RawJson> {
  const client = await RawJson.open(http);
  client.send({ ...SESSION, ...hello });
  const answer = await client.expect('hello');
  assert.is(answer.resumed, resumed);
  assert.is(answer.sessionSeconds, hello.sessionSeconds ?? 60);
  return client;
}

function received(client: RawJson, message: Json | undefined): Promise<void> {
  return client.request({ type: 'received', position: message?.position });
}

const sessions = suite('websocket/sessions');

sessions('on return, what was missed comes in order, then what is live; what was settled does not', () =>
  withBroker(async (broker) => {
    const first = await connect(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/#', subscription: 'n' });
    await publish(broker, ['1', '2', '3']);
    const three = await messages(first, 3);
    assert.equal(shown(three), ['1', '2', '3']);
    await received(first, three[1]);
    first.destroy();
    await publish(broker, ['4']);
    await publish(broker, ['other'], { topic: 'olds' });
    await publish(broker, ['5']);
    const second = await connect(broker, true);
    const again = await messages(second, 3);
    assert.equal(shown(again), ['3*', '4', '5']);
    assert.equal(
      again.map(({ subscription }) => subscription),
      ['n', 'n', 'n'],
    );
    assert.is(again[0]?.position, three[2]?.position, 'a message keeps its position');
    await publish(broker, ['6']);
    const [six] = await messages(second, 1);
    assert.equal(shown(six === undefined ? [] : [six]), ['6']);
    await received(second, six);
    second.destroy();
    const third = await connect(broker, true);
    await quiet(third);
    third.destroy();
  }),
);

sessions('a position settles all before it, of all subscriptions; again and earlier ones change nothing', () =>
  withBroker(async (broker) => {
    const first = await connect(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/+' });
    await first.request({ type: 'subscribe', filter: 'news/a' });
    await first.request({ type: 'subscribe', filter: 'else' });
    await publish(broker, ['1']);
    const pair = await messages(first, 2);
    assert.is(pair[0]?.position, pair[1]?.position, 'one message for two subscriptions has one position');
    await publish(broker, ['2'], { topic: 'else' });
    await publish(broker, ['3'], { topic: 'news/b' });
    const [two, three] = await messages(first, 2);
    await received(first, two);
    await received(first, pair[0]);
    await received(first, two);
    first.destroy();
    const second = await connect(broker, true);
    assert.equal(shown(await messages(second, 1)), ['3*']);
    await received(second, three);
    second.destroy();
    const third = await connect(broker, true);
    await quiet(third);
    third.destroy();
  }),
);

sessions('what an earlier connection had can be settled before it comes again', () =>
  withBroker(async (broker) => {
    const first = await connect(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/#' });
    await publish(broker, ['1', '2', '3']);
    const [, two] = await messages(first, 3);
    first.destroy();
    const second = await RawJson.open(broker.http);
    second.send(SESSION);
    second.send({ type: 'received', position: two?.position });
    assert.is((await second.expect('hello')).resumed, true);
    assert.equal(shown(await messages(second, 1)), ['3*']);
    second.destroy();
  }),
);

sessions('at most limits.inflightOut are unsettled, also of what comes again', () =>
  withBroker(
    async (broker) => {
      const first = await connect(broker, false);
      await first.request({ type: 'subscribe', filter: 'news/#' });
      await publish(broker, ['1', '2', '3', '4', '5']);
      const three = await messages(first, 3);
      await quiet(first);
      first.send({ type: 'received', position: three[0]?.position });
      assert.equal(shown(await messages(first, 1)), ['4']);
      await quiet(first);
      first.destroy();
      const second = await connect(broker, true);
      const again = await messages(second, 3);
      assert.equal(shown(again), ['2*', '3*', '4*']);
      await quiet(second);
      second.send({ type: 'received', position: again[2]?.position });
      assert.equal(shown(await messages(second, 1)), ['5']);
      second.destroy();
    },
    { inflightOut: 3 },
  ),
);

sessions('subscriptions are there again, by name; unsubscribing lasts', () =>
  withBroker(async (broker) => {
    const first = await connect(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/#', subscription: 'n', noLocal: true });
    await first.request({ type: 'subscribe', filter: 'olds' });
    first.destroy();
    const second = await connect(broker, true);
    second.send({ type: 'subscribe', id: 1, filter: 'else', subscription: 'n' });
    assert.match(String((await second.expect('error')).message), /there is a subscription "n" already/);
    await second.request({ type: 'publish', topic: 'news/own', payload: 'own', durable: true });
    await second.request({ type: 'unsubscribe', subscription: 'olds' });
    second.destroy();
    await publish(broker, ['lost'], { topic: 'olds' });
    await publish(broker, ['1']);
    const third = await connect(broker, true);
    assert.equal(shown(await messages(third, 1)), ['1']);
    await third.request({ type: 'subscribe', filter: 'olds' });
    await publish(broker, ['2'], { topic: 'olds' });
    assert.equal(shown(await messages(third, 1)), ['2'], 'nothing from before the new subscription');
    third.destroy();
  }),
);

sessions('what was there before a subscription is not for it, on return neither', () =>
  withBroker(async (broker) => {
    const first = await connect(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/#' });
    await publish(broker, ['1']);
    await messages(first, 1);
    await first.request({ type: 'subscribe', filter: '#' });
    first.destroy();
    const second = await connect(broker, true);
    const [again] = await messages(second, 1);
    assert.is(again?.subscription, 'news/#');
    await received(second, again);
    second.destroy();
  }),
);

sessions('a connection that is gone before it is answered leaves the session as it was', () =>
  withBroker(async (broker) => {
    const first = await connect(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/#' });
    await publish(broker, ['1']);
    await messages(first, 1);
    // Each takes it over from the one before, which may have just got it.
    for (let i = 0; i < 20; i++) {
      const hasty = await RawJson.open(broker.http);
      hasty.send(SESSION);
      if (i % 2 === 0) hasty.destroy();
    }
    const last = await connect(broker, true);
    assert.equal(shown(await messages(last, 1)), ['1*']);
    last.destroy();
  }),
);

sessions('a second connection takes the session over; the first one is told so', () =>
  withBroker(async (broker) => {
    const first = await connect(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/#' });
    await publish(broker, ['1']);
    await messages(first, 1);
    const second = await connect(broker, true);
    const frames = await first.end();
    assert.equal(
      frames.map(({ type, code }) => [type, code]),
      [['goodbye', 'takenOver']],
    );
    assert.equal(shown(await messages(second, 1)), ['1*']);
    // Without a session, connections may share a clientId.
    const plain = await RawJson.open(broker.http);
    plain.send({ type: 'hello', clientId: 'page' });
    const answer = await plain.expect('hello');
    assert.is(answer.resumed, undefined);
    assert.is(answer.sessionSeconds, undefined);
    await quiet(second);
    for (const client of [plain, second]) client.destroy();
  }),
);

sessions('requests right behind hello wait for it, in their order', () =>
  withBroker(async (broker) => {
    const client = await RawJson.open(broker.http);
    client.send({ ...SESSION, id: 'h' });
    client.send({ type: 'ping', id: 1 });
    client.send({ type: 'subscribe', id: 2, filter: 'news/#' });
    client.send({ type: 'publish', id: 3, topic: 'news/a', payload: '1', durable: true });
    client.send({ type: 'hello', id: 4 });
    const frames = await client.end();
    const answers = frames.map(({ type, id }) => `${type} ${id}`);
    assert.equal(answers.slice(0, 2), ['hello h', 'pong 1']);
    assert.equal(
      frames.slice(-2).map(({ type, id, code }) => `${type} ${id} ${code}`),
      ['error 4 protocol', 'goodbye undefined protocol'],
    );
    const again = await connect(broker, true);
    assert.match(shown(await messages(again, 1))[0] ?? '', /^1\*?$/, 'it was subscribed before it published');
    again.destroy();
  }),
);

sessions('too much right behind hello is refused', () =>
  withBroker(
    async (broker) => {
      const client = await RawJson.open(broker.http);
      const many = Array.from({ length: 100 }, () => ({ type: 'ping', id: 'x'.repeat(50) }));
      for (const each of [SESSION, ...many]) client.send(each);
      const frames = await client.end();
      const refused = frames.some(({ code }) => code === 'tooLarge');
      // What the transport had not read yet when the session was there is served.
      assert.ok(refused || frames.length === 101, JSON.stringify(frames.at(-1)));
    },
    { packetBytes: 1024, loginPacketBytes: 1024 },
  ),
);

sessions('live messages have no position and are not kept; what is retained comes to new subscriptions only', () =>
  withBroker(async (broker) => {
    const publisher = await RawJson.connect(broker.http);
    await publisher.request({ type: 'publish', topic: 'news/r', payload: 'r', durable: true, retain: true });
    const first = await connect(broker, false);
    await first.request({ type: 'subscribe', filter: 'news/#' });
    const [retained] = await messages(first, 1);
    assert.is(retained?.retain, true);
    assert.is(retained?.position, undefined);
    await publisher.request({ type: 'publish', topic: 'news/l', payload: 'live' });
    const [live] = await messages(first, 1);
    assert.is(live?.position, undefined);
    first.destroy();
    await publisher.request({ type: 'publish', topic: 'news/l', payload: 'missed' });
    const second = await connect(broker, true);
    await quiet(second);
    for (const client of [publisher, second]) client.destroy();
  }),
);

sessions('without sessionSeconds a durable message has no position', () =>
  withBroker(async (broker) => {
    const client = await RawJson.connect(broker.http, { clientId: 'page' });
    await client.request({ type: 'subscribe', filter: 'news/#' });
    await publish(broker, ['1']);
    const [message] = await messages(client, 1);
    assert.is(message?.position, undefined);
    client.send({ type: 'received', id: 1, position: '0-1' });
    const error = await client.expect('error');
    assert.equal([error.id, error.code, error.field], [1, 'fieldInvalid', 'type']);
    client.destroy();
  }),
);

sessions('asked for wrongly, it is refused with what is wrong', () =>
  withBroker(
    async (broker) => {
      const client = await RawJson.open(broker.http);
      const hellos: readonly (readonly [Json, code: string, field: string, text: RegExp])[] = [
        [{ sessionSeconds: 0 }, 'fieldInvalid', 'sessionSeconds', /is 0; seconds, an integer from 1 to 100 /],
        [{ sessionSeconds: 101 }, 'fieldInvalid', 'sessionSeconds', /is 101;/],
        [{ sessionSeconds: 1.5 }, 'fieldInvalid', 'sessionSeconds', /is 1\.5;/],
        [{ sessionSeconds: '60' }, 'fieldInvalid', 'sessionSeconds', /is a string;/],
        [{ sessionSeconds: null }, 'fieldInvalid', 'sessionSeconds', /is null;/],
        [{ clientId: undefined }, 'fieldInvalid', 'clientId', /with sessionSeconds one of the client's own/],
        [{ clientId: 'x'.repeat(2044) }, 'fieldInvalid', 'clientId', /at most 2043 bytes/],
      ];
      for (const [fields, code, field, text] of hellos) {
        client.send({ ...SESSION, ...fields });
        const error = await client.expect('error');
        assert.equal([error.code, error.field], [code, field]);
        assert.match(String(error.message), text);
      }
      client.send(SESSION);
      assert.is((await client.expect('hello')).resumed, false);
      for (const [position, text] of [
        [undefined, /position is missing/],
        [7, /position is a number/],
        ['', /position is ""/],
        ['0', /the position of a message is expected/],
        ['0-', /the position of a message is expected/],
        ['-1-5', /the position of a message is expected/],
        ['0-1 ', /the position of a message is expected/],
        ['0-1', /is beyond the last message/],
        ['9-0', /is beyond the last message/],
        ['0-999999999999999', /is beyond the last message/],
      ] as const) {
        client.send({ type: 'received', position });
        const error = await client.expect('error');
        assert.equal([error.code, error.field], ['fieldInvalid', 'position']);
        assert.match(String(error.message), text);
      }
      client.destroy();
    },
    { sessionExpirySeconds: 100, clientIdBytes: 4000 },
  ),
);

sessions('limits.sessionExpirySeconds 0: not offered', () =>
  withBroker(
    async (broker) => {
      const client = await RawJson.open(broker.http);
      client.send(SESSION);
      const error = await client.expect('error');
      assert.equal([error.code, error.field], ['unsupported', 'sessionSeconds']);
      assert.match(String(error.message), /limits\.sessionExpirySeconds/);
      client.destroy();
    },
    { sessionExpirySeconds: 0 },
  ),
);

sessions.run();
