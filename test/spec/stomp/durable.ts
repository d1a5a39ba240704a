import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withBroker } from '../../support/broker.ts';
import { eventually } from '../../support/eventually.ts';
import { RawMqtt } from '../../support/mqtt-client.ts';
import { header, RawStomp } from '../../support/stomp-client.ts';
import {
  ACTIVE,
  ack,
  errorOf,
  goodbye,
  type Headers,
  messages,
  NONE,
  publish,
  RABBIT,
  receipted,
  rest,
  returned,
  shown,
  subscribed,
} from './support/durable.ts';

const durable = suite('STOMP durable subscriptions');

for (const [form, headers, login] of [
  ['RabbitMQ', RABBIT, {}],
  ['ActiveMQ', ACTIVE, { 'client-id': 'me' }],
] as const) {
  durable(`${form}'s form: what came meanwhile comes on return, once, in order, then what is live`, () =>
    withBroker(async (broker) => {
      await publish(broker, ['before']);
      const first = await subscribed(broker, headers, login);
      await publish(broker, ['1', '2']);
      assert.equal(shown(await messages(first, 2)), ['1', '2']);
      await goodbye(first);
      await publish(broker, ['3', '4', '5']);
      await publish(broker, ['other'], '/topic/olds');
      const second = await returned(broker, headers, login);
      assert.equal(shown(await messages(second, 3)), ['3', '4', '5']);
      await publish(broker, ['6']);
      assert.equal(shown(await messages(second, 1)), ['6']);
      // Gone without a word.
      second.destroy();
      await publish(broker, ['7']);
      assert.equal(await rest(broker, headers, login), ['7']);
    }),
  );

  durable(`${form}'s form: UNSUBSCRIBE keeps it, unless it says otherwise; active or not`, () =>
    withBroker(async (broker) => {
      const { id = '', destination = '' } = headers;
      const ending: Headers =
        form === 'RabbitMQ'
          ? { id, destination, durable: 'true' }
          : { 'activemq.subscriptionName': 'reader', 'client-id': 'me' };
      const client = await subscribed(broker, headers, login);
      await receipted(client, 'UNSUBSCRIBE', { id });
      await publish(broker, ['kept']);
      client.send('SUBSCRIBE', headers);
      assert.equal(shown(await messages(client, 1)), ['kept']);
      await receipted(client, 'UNSUBSCRIBE', ending);
      await publish(broker, ['lost']);
      assert.equal(await rest(broker, headers, login), [], 'deleted while it was active');
      await publish(broker, ['kept again']);
      const other = await RawStomp.connect(broker.stomp, login);
      await receipted(other, 'UNSUBSCRIBE', ending);
      await receipted(other, 'UNSUBSCRIBE', ending);
      assert.equal(await rest(broker, headers, login), [], 'deleted while it was not');
      client.destroy();
      other.destroy();
    }),
  );
}

durable('what is not acknowledged comes again, marked, before what is new; what is, does not', () =>
  withBroker(async (broker) => {
    const headers = { ...RABBIT, ack: 'client-individual' };
    const first = await subscribed(broker, headers);
    await publish(broker, ['1', '2', '3', '4']);
    const [, two, , four] = await messages(first, 4);
    await ack(first, two);
    await ack(first, four);
    first.destroy();
    await publish(broker, ['5']);
    const second = await returned(broker, headers);
    const again = await messages(second, 3);
    assert.equal(shown(again), ['1*', '3*', '5']);
    await ack(second, again[1]);
    second.destroy();
    assert.equal(await rest(broker, { ...RABBIT, ack: 'auto' }), ['1*', '5*']);
    assert.equal(await rest(broker, RABBIT), [], 'sent in mode auto is settled');
  }),
);

durable('mode client settles all before, and a transaction with its COMMIT', () =>
  withBroker(async (broker) => {
    const headers = { ...RABBIT, ack: 'client' };
    const first = await subscribed(broker, headers);
    await publish(broker, ['1', '2', '3', '4']);
    const [, two, three = NONE] = await messages(first, 4);
    await ack(first, two);
    first.send('BEGIN', { transaction: 't' });
    first.send('ACK', {
      id: header(three, 'ack') ?? '',
      transaction: 't',
    });
    await receipted(first, 'COMMIT', { transaction: 't' });
    first.destroy();
    assert.equal(await rest(broker, RABBIT), ['4*']);
  }),
);

durable('the window: no more than the prefetch is unacknowledged, also of what comes again', () =>
  withBroker(async (broker) => {
    const first = await subscribed(broker, { ...RABBIT, ack: 'client-individual', 'prefetch-count': '3' });
    await publish(broker, ['1', '2', '3', '4', '5']);
    const three = await messages(first, 3);
    assert.equal(await first.flush(), []);
    // The first is held on to, however much is acknowledged behind it.
    const more = [...(await ack(first, three[1])), ...(await ack(first, three[2]))];
    assert.equal(shown(more), ['4', '5']);
    await goodbye(first);
    const second = await returned(broker, { ...RABBIT, ack: 'client-individual', 'prefetch-count': '2' });
    const again = await messages(second, 2);
    assert.equal(shown(again), ['1*', '4*']);
    assert.equal(await second.flush(), []);
    second.destroy();
    // What had not come again yet is not forgotten.
    const third = await returned(broker, { ...RABBIT, ack: 'client-individual', 'prefetch-count': '2' });
    assert.equal(shown(await ack(third, (await messages(third, 2))[0])), ['5*']);
    third.destroy();
  }),
);

durable('ActiveMQ’s form: another connection takes it over; the first one is told which and closed', () =>
  withBroker(async (broker) => {
    const headers = { ...ACTIVE, ack: 'client' };
    const login = { 'client-id': 'me' };
    const first = await subscribed(broker, headers, login);
    await publish(broker, ['1']);
    await messages(first, 1);
    const second = await returned(broker, headers, login);
    const error = await errorOf(first);
    assert.match(error, /another connection has subscribed to the durable subscription with the name "reader"/);
    assert.equal(shown(await messages(second, 1)), ['1*']);
    const third = await RawStomp.connect(broker.stomp, login);
    await receipted(third, 'UNSUBSCRIBE', { 'activemq.subscriptionName': 'reader', 'client-id': 'me' });
    assert.match(await errorOf(second), /durable subscription with the name "reader"/);
    assert.equal(await rest(broker, ACTIVE, login), []);
    third.destroy();
  }),
);

durable(
  'RabbitMQ’s form: connections share it, each message being for one of them; what one has not settled is for others',
  () =>
    withBroker(async (broker) => {
      const headers = { ...RABBIT, ack: 'client-individual' };
      const first = await subscribed(broker, headers);
      const second = await subscribed(broker, headers);
      await publish(broker, ['1', '2', '3', '4']);
      const [one, another] = [await messages(first, 2), await messages(second, 2)];
      assert.equal([...shown(one), ...shown(another)].sort(), ['1', '2', '3', '4']);
      await ack(second, another[0]);
      first.destroy();
      assert.equal(
        shown(await messages(second, 2)).sort(),
        shown(one)
          .map((body) => `${body}*`)
          .sort(),
      );
      second.destroy();
      const unsettled = [...shown(one), ...shown(another.slice(1))].map((body) => `${body}*`).sort();
      assert.equal((await rest(broker, RABBIT)).sort(), unsettled);
    }),
);

durable('RabbitMQ’s form: deleted while others have it, it begins anew for them', () =>
  withBroker(async (broker) => {
    const headers = { ...RABBIT, ack: 'client', 'prefetch-count': '1' };
    const first = await subscribed(broker, headers);
    await publish(broker, ['1', '2']);
    const [one] = await messages(first, 1);
    const other = await RawStomp.connect(broker.stomp);
    await receipted(other, 'UNSUBSCRIBE', { id: 'd', destination: '/topic/news.#', durable: 'true' });
    // It is settled in vain, but there is room for the next one.
    first.send('ACK', { id: (one && header(one, 'ack')) ?? '' });
    const anew = await eventually('what is sent from now on', async () => {
      await publish(broker, ['3']);
      const frames = await first.flush();
      return frames.length > 0 && shown(frames);
    });
    assert.equal(anew, ['3']);
    first.destroy();
    other.destroy();
  }),
);

durable('a connection that is gone before it has it leaves it as it was', () =>
  withBroker(async (broker) => {
    const headers = { ...ACTIVE, ack: 'client' };
    const login = { 'client-id': 'me' };
    const first = await subscribed(broker, headers, login);
    await publish(broker, ['1', '2']);
    await messages(first, 2);
    // Each takes it over from the one before, which may have just got it.
    for (let i = 0; i < 20; i++) {
      const hasty = await returned(broker, headers, login);
      if (i % 2 === 0) hasty.destroy();
    }
    const last = await returned(broker, headers, login);
    assert.equal(shown(await messages(last, 2)), ['1*', '2*']);
    last.destroy();
  }),
);

durable('with another filter, or no-local, it begins anew', () =>
  withBroker(async (broker) => {
    const login = { 'client-id': 'me' };
    await goodbye(await subscribed(broker, ACTIVE, login));
    await publish(broker, ['1']);
    assert.equal(await rest(broker, { ...ACTIVE, destination: '/topic/news/#' }, login), ['1'], 'the same filter');
    await publish(broker, ['2']);
    assert.equal(await rest(broker, { ...ACTIVE, destination: '/topic/news.*' }, login), []);
    await publish(broker, ['3']);
    assert.equal(await rest(broker, { ...ACTIVE, destination: '/topic/news.*', 'no-local': 'true' }, login), []);
  }),
);

durable('the name: ids of any characters are kept apart, and so are users of the two forms', () =>
  withBroker(async (broker) => {
    const ids = ['a', 'a"', 'a","#', 'a\n', 'ä', 'a:b', '["a"]'];
    const named = (client: string, name: string): Promise<RawStomp> =>
      subscribed(broker, { ...ACTIVE, 'activemq.subscriptionName': name }, { 'client-id': client });
    const open = await Promise.all([
      ...ids.map((id) => subscribed(broker, { ...RABBIT, id })),
      ...ids.map((id) => named('x', id)),
      ...[named('x,y', 'z'), named('x', 'y,z'), named('x","y', 'z'), named('x', 'y","z'), named('y', 'a')],
    ]);
    await publish(broker, ['1']);
    for (const client of open) assert.equal(shown(await messages(client, 1)), ['1']);
    for (const client of open) client.destroy();
  }),
);

durable('what is retained comes to a new one of ActiveMQ’s form, not on return, and not to one that is shared', () =>
  withBroker(async (broker) => {
    const login = { 'client-id': 'me' };
    const publisher = await RawStomp.connect(broker.stomp);
    await receipted(publisher, 'SEND', { destination: '/topic/news.r', retain: 'true' }, 'retained');
    const first = await RawStomp.connect(broker.stomp, login);
    first.send('SUBSCRIBE', ACTIVE);
    const [frame] = await messages(first, 1);
    assert.is(frame && header(frame, 'retain'), 'true');
    await goodbye(first);
    assert.equal(await rest(broker, ACTIVE, login), []);
    assert.equal(await rest(broker, RABBIT), []);
    publisher.destroy();
  }),
);

for (const [form, headers, login] of [
  ['RabbitMQ', RABBIT, {}],
  ['ActiveMQ', ACTIVE, { 'client-id': 'me' }],
] as const) {
  durable(
    `${form}'s form: what is sent without persistent is kept for it, as long as it is there; QoS 0 of MQTT is not`,
    () =>
      withBroker(async (broker) => {
        const publisher = await RawStomp.connect(broker.stomp);
        await goodbye(await subscribed(broker, headers, login));
        publisher.send('SEND', { destination: '/topic/news.l' }, 'sent');
        publisher.send('SEND', { destination: '/topic/other' }, 'not for it');
        await publisher.flush();
        const device = await RawMqtt.connect(broker.mqtt, { clientId: 'device' });
        device.publish('news/l', 'from a device');
        await device.flush();
        assert.equal(await rest(broker, headers, login), ['sent']);
        publisher.destroy();
        device.destroy();
      }),
  );
}

durable(
  'a full queue bound to the topic refuses what asked to be kept, and not what is kept for a subscription’s sake',
  () =>
    withBroker(async (broker) => {
      const queue = { 'x-queue-name': 'full', 'x-max-length': '1', 'x-overflow': 'reject-publish', durable: 'true' };
      const binder = await subscribed(broker, { id: 'b', destination: '/topic/news.a', ack: 'client', ...queue });
      const reader = await subscribed(broker, RABBIT);
      const sender = await RawStomp.connect(broker.stomp);
      const send = (body: string, headers: Headers = {}): void =>
        sender.send('SEND', { destination: '/topic/news.a', ...headers }, body);
      for (const body of ['1', '2', '3']) send(body);
      await sender.flush();
      assert.equal(shown(await messages(reader, 3)), ['1', '2', '3']);
      send('4', { persistent: 'true' });
      assert.match(await errorOf(sender), /full/);
      binder.destroy();
      reader.destroy();
    }),
);

durable('what follows SUBSCRIBE at once finds it: SEND, UNSUBSCRIBE, and a second SUBSCRIBE', () =>
  withBroker(async (broker) => {
    const client = await RawStomp.connect(broker.stomp);
    client.socket.cork();
    client.send('SUBSCRIBE', { ...RABBIT, receipt: 's' });
    client.send('SEND', { destination: '/topic/news.a' }, 'live');
    client.send('SEND', { destination: '/topic/news.a', persistent: 'true' }, 'logged');
    client.socket.uncork();
    const frames = [await client.next(), await client.next(), await client.next()];
    const bodies = frames.filter(({ command }) => command === 'MESSAGE').map(({ body }) => `${body}`);
    assert.equal(bodies.sort(), ['live', 'logged']);
    await goodbye(client);

    const hasty = await RawStomp.connect(broker.stomp);
    hasty.socket.cork();
    hasty.send('SUBSCRIBE', { ...RABBIT, id: 'hasty', receipt: 's' });
    hasty.send('UNSUBSCRIBE', { id: 'hasty', receipt: 'u' });
    hasty.send('DISCONNECT', { receipt: 'd' });
    hasty.socket.uncork();
    assert.equal(
      (await hasty.end()).map((frame) => header(frame, 'receipt-id')),
      ['s', 'u', 'd'],
    );
    await publish(broker, ['1']);
    assert.equal(await rest(broker, { ...RABBIT, id: 'hasty' }), ['1']);

    const undecided = await RawStomp.connect(broker.stomp);
    undecided.socket.cork();
    undecided.send('SUBSCRIBE', { ...RABBIT, id: 'hasty', receipt: 's' });
    undecided.send('UNSUBSCRIBE', { id: 'hasty', durable: 'true', receipt: 'u' });
    undecided.send('DISCONNECT', { receipt: 'd' });
    undecided.socket.uncork();
    assert.equal((await undecided.end()).map((frame) => header(frame, 'receipt-id')).sort(), ['d', 's', 'u']);
    await publish(broker, ['2']);
    assert.equal(await rest(broker, { ...RABBIT, id: 'hasty' }), []);

    const twice = await RawStomp.connect(broker.stomp);
    twice.socket.cork();
    twice.send('SUBSCRIBE', RABBIT);
    twice.send('SUBSCRIBE', RABBIT);
    twice.socket.uncork();
    assert.match(await errorOf(twice), /there is a subscription with the id "d" already/);
    const same = await RawStomp.connect(broker.stomp, { 'client-id': 'me' });
    same.send('SUBSCRIBE', ACTIVE);
    same.send('SUBSCRIBE', { ...ACTIVE, id: 'b' });
    assert.match(await errorOf(same), /there is a subscription with the name "reader" already/);
  }),
);

durable.run();
