import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { Message } from '../../../src/core/message.ts';
import { fromDevice, NOW, World } from './support/fakes.ts';

const publish = suite('websocket/publish');

publish('every field gets into the message', () => {
  const world = new World();
  const client = world.login();
  const answers = client.ask({
    type: 'publish',
    id: 'p1',
    topic: 'a/b',
    payloadBase64: '/wD+',
    contentType: 'x/y',
    replyTo: 'r/s',
    correlationId: 'base64:AP8=',
    expiresAt: NOW + 5,
    durable: true,
    retain: true,
    messageId: 'm',
    key: 'k',
    headers: [
      ['h', '1'],
      ['h', ''],
      ['__proto__', '2'],
    ],
  });
  assert.equal(answers, [], 'the acknowledgement waits for the log');
  const [message] = world.router.published;
  assert.instance(message, Message);
  assert.is(message?.topic, 'a/b');
  assert.equal(Buffer.from(message?.payload() ?? []), Buffer.from([0xff, 0, 0xfe]));
  assert.is(message?.qos, 1);
  assert.is(message?.retain, true);
  assert.is(message?.timestamp, NOW);
  assert.equal(message?.publisher, { clientId: 'c1', protocol: 'websocket' });
  const { correlation, ...properties } = message?.properties ?? {};
  assert.equal(Buffer.from(correlation ?? []), Buffer.from([0, 0xff]));
  assert.equal(properties, {
    contentType: 'x/y',
    responseTopic: 'r/s',
    expiresAt: NOW + 5,
    key: 'k',
    messageId: 'm',
    user: [
      ['h', '1'],
      ['h', ''],
      ['__proto__', '2'],
    ],
  });
  world.router.append();
  assert.equal(client.connection.take(), [{ type: 'ack', id: 'p1' }]);
});

publish('without properties there is no object for them', () => {
  const world = new World();
  world.login().ask({ type: 'publish', topic: 'a', payload: 'x', headers: [] });
  assert.is(world.router.published[0]?.properties, undefined);
});

publish('headers may be an object', () => {
  const world = new World();
  world.login().ask({ type: 'publish', topic: 'a', payload: '', headers: { from: 'ann', to: 'bob' } });
  assert.equal(world.router.published[0]?.properties?.user, [
    ['from', 'ann'],
    ['to', 'bob'],
  ]);
});

publish('a live message is acknowledged at once, and only when it has an id', () => {
  const client = new World().login();
  client.connection.take();
  assert.equal(client.ask({ type: 'publish', id: 0, topic: 'a', payload: '' }), [{ type: 'ack', id: 0 }]);
  assert.equal(client.ask({ type: 'publish', topic: 'a', payload: '' }), []);
});

publish('a durable message without an id is not acknowledged, but its refusal is told', () => {
  const world = new World();
  const client = world.login();
  client.connection.take();
  client.ask({ type: 'publish', topic: 'a', payload: '', durable: true });
  world.router.append();
  assert.equal(client.connection.take(), []);
  client.ask({ type: 'publish', topic: 'a', payload: '', durable: true });
  client.ask({ type: 'publish', id: 5, topic: 'a', payload: '', durable: true });
  world.router.refuse('unavailable', 'the disk is full');
  assert.equal(client.connection.take(), [
    { type: 'error', code: 'unavailable', message: 'the disk is full' },
    { type: 'error', id: 5, code: 'unavailable', message: 'the disk is full' },
  ]);
  assert.is(client.connection.ended, undefined);
});

publish('queues may be published to', () => {
  const world = new World();
  world.login().ask({ type: 'publish', topic: '$queue/work', payload: '' });
  assert.is(world.router.published[0]?.topic, '$queue/work');
});

publish('a publisher with limits.publishBacklog messages under way is not read from until half are durable', () => {
  const world = new World();
  const client = world.login();
  const send = () => client.ask({ type: 'publish', topic: 'a', payload: '', durable: true });
  for (let i = 0; i < 3; i++) send();
  assert.is(client.connection.pauses, 0);
  for (let i = 0; i < 3; i++) send();
  assert.is(client.connection.pauses, 1);
  const { waiting } = world.router;
  for (let left = 5; left >= 0; left--) {
    const next = waiting.shift();
    if (left % 2 === 0) next?.receiver.appended(next.token, next.message);
    else next?.receiver.refused(next.token, new BrokerError('unavailable'));
    assert.is(client.connection.pauses, left > 2 ? 1 : 0, `${left} left`);
  }
});

publish.run();

const delivery = suite('websocket/delivery');

delivery('each subscription that matches gets the message, under its name', () => {
  const world = new World();
  const client = world.login();
  client.connection.take();
  assert.equal(client.ask({ type: 'subscribe', id: 1, filter: 'a/#' }), [{ type: 'ack', id: 1 }]);
  assert.equal(client.ask({ type: 'subscribe', filter: 'a/+', subscription: 'one "level"' }), []);
  world.router.route(fromDevice('a/b', 'häi\n"\\\u0001'));
  const expected = {
    type: 'message',
    topic: 'a/b',
    payload: 'häi\n"\\\u0001',
    durable: false,
    retain: false,
    timestamp: NOW,
    publisher: { clientId: 'device-1', protocol: 'mqtt' },
  };
  assert.equal(client.connection.take(), [
    { ...expected, subscription: 'a/#' },
    { ...expected, subscription: 'one "level"' },
  ]);
  assert.is(world.counters.delivered, 2);
});

delivery('bytes that are not UTF-8 are base64, in one and in many encodings', () => {
  for (const subscribers of [1, 2]) {
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0xe2, 0x82]]) {
      const world = new World();
      const clients = Array.from({ length: subscribers }, (_, i) => world.login(`c${i}`));
      for (const client of clients) client.ask({ type: 'subscribe', filter: 'a' });
      world.router.route(fromDevice('a', Buffer.from(bytes)));
      for (const client of clients) {
        const message = client.connection.take().at(-1);
        assert.is(message?.payload, undefined);
        assert.equal([...Buffer.from(String(message?.payloadBase64), 'base64')], bytes);
      }
    }
  }
});

delivery('a message to many is encoded once', () => {
  const world = new World();
  const clients = Array.from({ length: 3 }, (_, i) => world.login(`c${i}`));
  for (const client of clients) client.ask({ type: 'subscribe', filter: '#', subscription: `of ${client.channel}` });
  for (const size of [10, 5000]) {
    const message = fromDevice('a', 'é'.repeat(size));
    world.router.route(message);
    assert.ok(message.wires?.[7]);
    for (const client of clients) assert.is(client.connection.take().at(-1)?.payload, 'é'.repeat(size));
  }
  const alone = fromDevice('a', '');
  clients.pop()?.channel.closed();
  clients.pop()?.channel.closed();
  world.router.route(alone);
  assert.is(alone.wires, undefined);
});

delivery('retained messages come first, marked as such, after the acknowledgement', () => {
  const world = new World();
  world.retained.push(fromDevice('a/1', 'kept', 1, true), fromDevice('b', 'other', 0, true));
  const client = world.login();
  client.connection.take();
  const answers = client.ask({ type: 'subscribe', id: 1, filter: 'a/#', subscription: 's' });
  world.router.route(fromDevice('a/1', 'new', 0, true));
  assert.equal(
    [...answers, ...client.connection.take()].map(({ type, payload, retain }) => [type, payload, retain]),
    [
      ['ack', undefined, undefined],
      ['message', 'kept', true],
      ['message', 'new', false],
    ],
  );
});

delivery('noLocal leaves out what the client itself published, retained messages too', () => {
  const world = new World();
  world.retained.push(
    new Message('a', Buffer.from('old'), 0, 3, 0, true, undefined, { clientId: 'c1', protocol: 'mqtt' }, 1),
  );
  const client = world.login('c1');
  client.ask({ type: 'subscribe', filter: 'a', noLocal: true });
  client.ask({ type: 'publish', topic: 'a', payload: 'own' });
  world.router.route(fromDevice('a', 'other'));
  assert.equal(
    client.connection.take().map(({ payload }) => payload),
    ['other'],
  );
  const own = new Message(
    'a',
    Buffer.from(''),
    0,
    0,
    1,
    false,
    undefined,
    { clientId: 'c1', protocol: 'websocket' },
    1,
  );
  own.sequence = 9;
  assert.is(world.outboxes[0]?.sink.select(own).length, 0);
});

delivery('unsubscribe ends it, and the name is free again', () => {
  const world = new World();
  const client = world.login();
  client.ask({ type: 'subscribe', filter: 'a' });
  client.connection.isFull = true;
  world.router.publish(fromDevice('a', 'held', 1), { appended: () => {}, refused: () => {} }, 1);
  world.router.append();
  assert.equal(client.ask({ type: 'unsubscribe', id: 2, subscription: 'a' }), [{ type: 'ack', id: 2 }]);
  client.ask({ type: 'subscribe', filter: 'a' });
  client.connection.isFull = false;
  client.channel.drained();
  assert.equal(client.connection.take(), [], 'what was held for the old one is not for the new one');
  world.router.route(fromDevice('a', 'x'));
  assert.is(client.connection.take().length, 1);
});

delivery('a reader that is slow loses live messages, counted, and keeps durable ones', () => {
  const world = new World();
  const [slow, quick] = [world.login('slow'), world.login('quick')];
  for (const client of [slow, quick]) {
    client.ask({ type: 'subscribe', filter: 'a' });
    client.connection.take();
  }
  slow.connection.isFull = true;
  for (let i = 0; i < 3; i++) world.router.route(fromDevice('a', `live ${i}`));
  world.router.publish(fromDevice('a', 'durable', 1), { appended: () => {}, refused: () => {} }, 1);
  world.router.append();
  assert.is(world.counters.droppedSlow, 3);
  assert.is(quick.connection.take().length, 4);
  assert.equal(slow.connection.take(), []);
  slow.connection.isFull = false;
  slow.channel.drained();
  const [message] = slow.connection.take();
  assert.is(message?.payload, 'durable');
  assert.is(message?.durable, true);
});

delivery('an expired message is not delivered, and counted', () => {
  const world = new World();
  const client = world.login();
  client.ask({ type: 'subscribe', filter: 'a' });
  client.ask({ type: 'publish', topic: 'a', payload: '', expiresAt: NOW });
  client.ask({ type: 'publish', topic: 'a', payload: 'on time', expiresAt: NOW + 1 });
  assert.is(world.counters.droppedExpired, 1);
  assert.is(world.counters.delivered, 1);
});

delivery('of the log, what came before a subscription is not for it', () => {
  const world = new World();
  const client = world.login();
  client.ask({ type: 'subscribe', filter: 'a/#', subscription: 'early' });
  world.router.sequence = 5;
  client.ask({ type: 'subscribe', filter: '#', subscription: 'late' });
  const selected = (sequence: number, topic = 'a') => {
    const message = fromDevice(topic, '', 1);
    message.sequence = sequence;
    return world.outboxes[0]?.sink
      .select(message)
      .map(({ id }) => id)
      .sort();
  };
  assert.equal(
    [selected(4), selected(5), selected(5, 'b'), selected(4, 'b')],
    [['early'], ['early', 'late'], ['late'], []],
  );
  client.ask({ type: 'unsubscribe', subscription: 'early' });
  assert.equal(selected(5), ['late']);
  assert.is(world.outboxes.length, 1);
});

delivery('messages that were overtaken are told of', () => {
  const world = new World();
  const client = world.login();
  client.ask({ type: 'subscribe', filter: 'a' });
  world.outboxes[0]?.sink.lost(12, 0, 20);
  const told = client.connection.take().at(-1);
  assert.is(told?.code, 'overtaken');
  assert.match(String(told?.message), /12 durable messages/);
  assert.is(world.counters.droppedOvertaken, 12);
});

delivery.run();
