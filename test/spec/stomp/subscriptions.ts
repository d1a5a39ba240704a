import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { Harness } from './support/harness.ts';

/** What a SUBSCRIBE does here beyond its clauses, which are in `../stomp12/subscribe` and `../stomp10/subscribe`. */

const subscriptions = suite('STOMP subscriptions');

subscriptions('retained messages come to a new subscription, and say so', () => {
  const harness = Harness.open();
  harness.publish('a/b', 'kept', undefined, 0, true);
  const client = harness.connect();
  client.send('SEND', ['destination:/topic/a.c', 'retain:true'], 'too');
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.*']);
  const frames = client.frames();
  assert.equal(frames.map(({ headers, body }) => `${headers.destination} ${headers.retain} ${body}`).sort(), [
    '/topic/a.b true kept',
    '/topic/a.c true too',
  ]);
  harness.publish('a/b', 'live', undefined, 0, true);
  assert.is(client.frame().headers.retain, undefined);
  client.send('SEND', ['destination:/topic/a.c', 'retain:true']);
  client.frame();
  client.send('SUBSCRIBE', ['id:2', 'destination:/topic/a.c']);
  assert.equal(client.frames(), [], 'an empty body removes what was retained');
});

subscriptions('wildcards: * one level, # any number anywhere, and so is > at the end', () => {
  const rows: readonly (readonly [destination: string, topics: readonly string[]])[] = [
    ['/topic/a.*', ['a/b', 'a/c']],
    ['/topic/a.#', ['a', 'a/b', 'a/c', 'a/b/c']],
    ['/topic/#.c', ['a/c', 'a/b/c', 'c']],
    ['/topic/a.>', ['a', 'a/b', 'a/c', 'a/b/c']],
    ['/topic/a.#.c', ['a/c', 'a/b/c']],
  ];
  for (const [destination, topics] of rows) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', `destination:${destination}`]);
    for (const topic of ['a', 'c', 'a/b', 'a/c', 'a/b/c', 'b']) harness.publish(topic, topic);
    assert.equal(client.bodies().sort(), [...topics].sort(), destination);
  }
});

subscriptions('no-local leaves out what the client sent itself', () => {
  for (const name of ['no-local', 'activemq.noLocal']) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', `${name}:true`]);
    client.send('SEND', ['destination:/topic/a'], 'own');
    client.send('SEND', ['destination:/topic/a', 'persistent:true'], 'own');
    harness.publish('a', 'foreign');
    assert.equal(client.bodies(), ['foreign'], name);
  }
});

subscriptions('what is not offered is refused by name, not left undone silently', () => {
  for (const line of ['activemq.exclusive:true', 'browser:true']) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', line]);
    expectError(client, line.slice(0, line.indexOf(':')));
  }
});

subscriptions('rights: SEND, SUBSCRIBE and reply-to, decided on the decoded name', () => {
  const denied = (name: string) => name !== 'secret' && name !== '$queue/secret';
  const rows: readonly (readonly [command: string, line: string])[] = [
    ['SEND', 'destination:/topic/secret'],
    ['SEND', 'destination:/topic/%73ecret'],
    ['SEND', 'destination:/queue/secret'],
    ['SEND', 'destination:/topic/$queue.secret'],
    ['SUBSCRIBE', 'destination:/topic/secret'],
    ['SUBSCRIBE', 'destination:/topic/s%65cret'],
    ['SUBSCRIBE', 'destination:/queue/secret'],
  ];
  for (const [command, line] of rows) {
    const harness = Harness.open(
      {},
      { mayPublish: (_, topic) => denied(topic), maySubscribe: (_, filter) => denied(filter) },
    );
    const client = harness.connect();
    client.send(command, command === 'SEND' ? [line] : [line, 'id:1']);
    expectError(client, 'not allowed');
    assert.is(harness.counters.received, 0);
  }
  const harness = Harness.open(
    {},
    { mayPublish: (_, topic) => denied(topic), maySubscribe: (_, topic) => denied(topic) },
  );
  const client = harness.connect();
  client.send('SEND', ['destination:/topic/a', 'reply-to:/topic/secret']);
  expectError(client, 'reply-to');
});

subscriptions('the names of the server are not for clients', () => {
  for (const line of [
    'destination:/topic/$SYS.x',
    'destination:/topic/%24SYS.x',
    'destination:/topic/$JS.x',
    'destination:/topic/$queue',
  ]) {
    const client = Harness.open().connect();
    client.send('SEND', [line]);
    expectError(client, "server's own");
  }
  const client = Harness.open().connect();
  client.send('SEND', ['destination:/topic/a', 'reply-to:/topic/$SYS.x']);
  expectError(client, 'reply-to');
});

subscriptions('limits: subscriptions of a connection, queues', async () => {
  const client = Harness.open().connect();
  for (let i = 0; i < 10; i++) client.send('SUBSCRIBE', [`id:${i}`, 'destination:/topic/a']);
  assert.equal(client.frames(), []);
  client.send('SUBSCRIBE', ['id:10', 'destination:/topic/a']);
  expectError(client, 'limits.subscriptionsPerSession');
  const harness = Harness.open();
  const other = harness.connect();
  for (let i = 0; i < 5; i++) {
    other.send('SUBSCRIBE', [`id:${i}`, `destination:/queue/${i}`]);
    await harness.turn();
  }
  expectError(other, 'limits.queues');
  other.drop();
});

subscriptions('the end of a connection ends its subscriptions', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  client.send('SUBSCRIBE', ['id:2', 'destination:/queue/a']);
  client.drop();
  harness.publish('a', 'x');
  harness.publish('a', 'x', undefined, 1);
  harness.publish('$queue/a', 'x');
  assert.equal(await client.later(), []);
  assert.is(harness.counters.delivered, 0);
});

subscriptions.run();
