import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Properties } from '../../../src/core/message.ts';
import { Unpacker } from '../../../src/core/pack.ts';
import { decodeSession } from '../../../src/routing/session-record.ts';
import { expectError } from './support/expect-error.ts';
import { FakeQueues, messageOf } from './support/fake-queues.ts';
import { bodiesOf } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** The header selector of SUBSCRIBE to topics, and of browsers of queues. The language itself: test/spec/core. */

const selectors = suite('STOMP selectors');

const kind = (value: string): Properties => ({ user: [['kind', value]] });
const A = kind('a');
const B = kind('b');

function subscribed(harness: Harness, selector: string, lines: readonly string[] = []): TestClient {
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/t', `selector:${selector}`, ...lines]);
  return client;
}

selectors('a subscription gets what its selector takes, live and logged, and another one the rest', () => {
  const harness = Harness.open();
  const client = subscribed(harness, "kind = 'a'");
  client.send('SUBSCRIBE', ['id:2', 'destination:/topic/t', "selector:kind <> 'a'"]);
  client.send('SUBSCRIBE', ['id:3', 'destination:/topic/t']);
  for (const qos of [0, 1] as const) {
    harness.publish('t', 'a', A, qos);
    harness.publish('t', 'b', B, qos);
    harness.publish('t', 'none', undefined, qos);
    assert.equal(
      client.frames().map(({ body, headers }) => `${headers.subscription} ${body}`),
      ['1 a', '3 a', '2 b', '3 b', '3 none'],
    );
  }
});

selectors('headers of a SEND are compared as numbers where numbers are asked for', () => {
  const harness = Harness.open();
  const client = subscribed(harness, "price * 2 > 20 AND my-color LIKE 'r%'");
  client.send('SEND', ['destination:/topic/t', 'price:12', 'my-color:red'], 'yes');
  client.send('SEND', ['destination:/topic/t', 'price:9', 'my-color:red'], 'cheap');
  client.send('SEND', ['destination:/topic/t', 'price:12', 'price:1', 'my-color:rose', 'my-color:blue'], 'first');
  client.send('SEND', ['destination:/topic/t', 'price:much', 'my-color:red'], 'no number');
  assert.equal(client.bodies(), ['yes', 'first']);
});

selectors('what MESSAGE shows can be asked for: destinations, correlation, what is logged', () => {
  const harness = Harness.open();
  const client = harness.connect();
  const rows = [
    "destination = '/topic/t.1%2E5'",
    "JMSDestination LIKE '/topic/t.%'",
    "reply-to = '/topic/answers.here'",
    "JMSReplyTo LIKE '%here'",
    "correlation-id = 'c' AND JMSCorrelationID = 'c'",
    "persistent AND JMSDeliveryMode = 'PERSISTENT'",
    "content-type LIKE 'text/%' AND content-length = 4",
    "user.ack = 'own'",
  ];
  for (const [i, row] of rows.entries()) {
    client.send('SUBSCRIBE', [`id:${i}`, 'destination:/topic/#', `selector:${row}`]);
  }
  const properties = { contentType: 'text/plain', correlation: Buffer.from('c'), responseTopic: 'answers/here' };
  harness.publish('t/1.5', 'body', { ...properties, user: [['ack', 'own']] }, 1);
  harness.publish('u', 'other', {}, 0);
  assert.equal(
    client.frames().map(({ headers }) => Number(headers.subscription)),
    rows.map((_, i) => i),
  );
});

selectors('what is retained is selected, too', () => {
  const harness = Harness.open();
  harness.publish('t/1', 'a', A, 0, true);
  harness.publish('t/2', 'b', B, 0, true);
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/t.*', "selector:kind = 'b'"]);
  assert.equal(client.bodies(), ['b']);
});

selectors('so is what a start reads from the log, then what is live', async () => {
  const harness = Harness.open();
  for (let i = 1; i <= 50; i++) harness.publish('t', `${i}`, i % 10 === 0 ? A : B, 1);
  const client = subscribed(harness, "kind = 'a'", ['start:first']);
  assert.equal(bodiesOf(await client.later()), ['10', '20', '30', '40', '50']);
  harness.publish('t', 'b', B, 1);
  harness.publish('t', 'a', A, 1);
  assert.equal(client.bodies(), ['a']);
});

selectors('what is not selected takes no place in the window, in memory or among what was dropped', async () => {
  for (const qos of [0, 1] as const) {
    const harness = Harness.open();
    const client = subscribed(harness, "kind = 'a'", ['ack:client', 'prefetch:1']);
    for (let i = 1; i <= 5; i++) {
      for (let j = 0; j < 100; j++) harness.publish('t', 'b', { ...B, expiresAt: 1 }, qos);
      harness.publish('t', `${i}`, A, qos);
    }
    const seen: string[] = [];
    for (let frames = client.frames(); frames.length > 0; frames = await client.later()) {
      seen.push(...bodiesOf(frames));
      client.send('ACK', [`id:${frames.at(-1)?.headers.ack}`]);
    }
    assert.equal(seen, ['1', '2', '3', '4', '5'], `QoS ${qos}`);
    assert.is(harness.counters.droppedSlow, 0);
    assert.is(harness.counters.droppedExpired, 0);
  }
});

selectors('destinations of the connection have them as well', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:r', 'destination:/temp-queue/r', "selector:kind = 'a'"]);
  client.send('SUBSCRIBE', ['id:q', 'destination:/topic/ask']);
  client.send('SEND', ['destination:/topic/ask', 'reply-to:/temp-queue/r']);
  const to = client.frame().headers['reply-to'];
  for (const each of ['a', 'b']) client.send('SEND', [`destination:${to}`, `kind:${each}`], each);
  assert.equal(client.bodies(), ['a']);
});

selectors('JMS 2.0, 3.8.1.1: an empty selector is none', () => {
  const harness = Harness.open();
  const client = subscribed(harness, '');
  harness.publish('t', 'any');
  assert.equal(client.bodies(), ['any']);
  const none = subscribed(harness, 'false');
  harness.publish('t', 'any');
  assert.equal(none.bodies(), [], 'FALSE takes nothing');
});

selectors('one that cannot be read is an ERROR that says where and what was expected', () => {
  const rows: readonly (readonly [selector: string, expected: RegExp])[] = [
    ['price >', /SUBSCRIBE: the selector cannot be read at character 8: it ends here; a value is expected/],
    ["price > 'x'", /at character 9: a text where a number/],
    ['redelivered', /asks for redelivered, which is not of the message; write user.redelivered/],
    ['JMSRedelivered', /asks for JMSRedelivered, which is not of the message/],
    ['JMSVendor = 1', /asks for JMSVendor, which is not known/],
  ];
  for (const [selector, expected] of rows) {
    const client = subscribed(Harness.open(), selector, ['receipt:r']);
    expectError(client, expected, 'r');
  }
  const long = subscribed(Harness.open({ selectorBytes: 20 }), `a = '${'x'.repeat(20)}'`);
  expectError(long, 'limits.selectorBytes');
  const deep = subscribed(Harness.open({ selectorDepth: 1 }), '((a = 1))');
  expectError(deep, 'limits.selectorDepth');
});

selectors('those of one connection are bounded together, those that are over not counted', () => {
  const client = Harness.open({ sessionSelectorBytes: 15 }).connect();
  const subscribe = (id: string, destination = '/topic/t'): void =>
    client.send('SUBSCRIBE', [`id:${id}`, `destination:${destination}`, 'selector:a = 1']);
  subscribe('1');
  subscribe('2', '/topic/t,/topic/u');
  client.send('UNSUBSCRIBE', ['id:2']);
  subscribe('3');
  subscribe('4');
  assert.equal(client.frames(), []);
  subscribe('5');
  expectError(client, 'more than 15 bytes (limits.sessionSelectorBytes)');
  const several = Harness.open({ sessionSelectorBytes: 9 }).connect();
  several.send('SUBSCRIBE', ['id:1', 'destination:/topic/t,/topic/u', 'selector:a = 1']);
  expectError(several, 'limits.sessionSelectorBytes');
});

selectors('of several destinations each is selected from', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/t,/topic/u.*', "selector:kind = 'a'"]);
  for (const topic of ['t', 'u/1', 'u']) {
    harness.publish(topic, `${topic} a`, A);
    harness.publish(topic, `${topic} b`, B);
  }
  assert.equal(client.bodies(), ['t a', 'u/1 a']);
});

selectors('a browser shows what its selector takes, and then the end', async () => {
  const queues = new FakeQueues();
  const harness = Harness.open({}, {}, { queues });
  const all = ['a', 'b', 'a', 'b'].map((each) => messageOf('$queue/q', each, kind(each)));
  queues.portions = [all.slice(0, 3), all.slice(3)].map((each, i) => ({
    messages: each.map((message, j) => ({ message, id: i * 100 + j + 1, deliveries: 0 })),
    next: i === 0 ? 1 : undefined,
  }));
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/q', 'browser:true', "selector:kind = 'b'"]);
  const frames = await client.later();
  assert.equal(bodiesOf(frames), ['b', 'b', '']);
  assert.is(frames.at(-1)?.headers.browser, 'end');
});

selectors('where several share, destination and reply-to cannot be asked for', () => {
  for (const lines of [
    ['destination:/queue/q', 'browser:true'],
    ['destination:/topic/t', 'group:g'],
    ['destination:/topic/t', 'durable:true'],
  ]) {
    for (const name of ['destination', 'JMSReplyTo']) {
      const client = Harness.open().connect();
      client.send('SUBSCRIBE', ['id:1', ...lines, `selector:${name} IS NULL`]);
      expectError(client, `asks for ${name}, which only subscriptions to topics that no one shares may`);
    }
  }
});

// --- durable subscriptions --------------------------------------------------------------------------------------------

const DURABLE = ['id:d', 'destination:/topic/t', 'activemq.subscriptionName:reader'];

function reader(harness: Harness): TestClient {
  const client = harness.open();
  client.send('CONNECT', ['accept-version:1.2', 'host:test', 'client-id:me']);
  assert.is(client.frame().command, 'CONNECTED');
  return client;
}

/** What comes on return with these lines; then the connection is gone again. */
async function returned(harness: Harness, lines: readonly string[]): Promise<string[]> {
  const client = reader(harness);
  client.send('SUBSCRIBE', [...DURABLE, ...lines]);
  const bodies = bodiesOf(await client.later());
  client.drop();
  await harness.turn();
  return bodies;
}

function published(harness: Harness, ...bodies: string[]): void {
  for (const body of bodies) harness.publish('t', body, kind(body.charAt(0)), 1);
}

selectors('a durable subscription keeps its selector: what came meanwhile is selected', async () => {
  const harness = Harness.open();
  const lines = ["selector:kind = 'a'"];
  assert.equal(await returned(harness, lines), []);
  published(harness, 'a1', 'b1', 'a2');
  assert.equal(await returned(harness, lines), ['a1', 'a2']);
  published(harness, 'b2');
  assert.equal(await returned(harness, lines), []);
  published(harness, 'b3', 'a3');
  assert.equal(await returned(harness, lines), ['a3']);
});

selectors('JMS 2.0, 8.3.3: with another selector a durable subscription begins anew', async () => {
  const other = ["selector:kind = 'b'"];
  const rows: readonly (readonly [before: string[], after: string[], came: string[]])[] = [
    [["selector:kind = 'a'"], other, []],
    [["selector:kind = 'a'"], [], []],
    [[], other, []],
    [other, other, ['b1']],
    [[], ['selector:'], ['a1', 'b1']],
  ];
  for (const [before, after, came] of rows) {
    const harness = Harness.open();
    await returned(harness, before);
    published(harness, 'a1', 'b1');
    assert.equal(await returned(harness, after), came, `${before} then ${after}`);
  }
});

selectors('what it does not select is settled: its place in the log moves on', async () => {
  const harness = Harness.open();
  const lines = ["selector:kind = 'a'", 'ack:client-individual'];
  await returned(harness, lines);
  published(harness, 'b1', 'a1', 'b2');
  assert.equal(await returned(harness, lines), ['a1'], 'not acknowledged');
  const client = reader(harness);
  client.send('SUBSCRIBE', [...DURABLE, ...lines]);
  const [message] = await client.later();
  assert.is(message?.headers.redelivered, 'true');
  client.send('ACK', [`id:${message?.headers.ack}`]);
  published(harness, 'b3', 'b4');
  client.drop();
  await harness.turn();
  const { log, state } = harness.backbone;
  const entry = await state.get('sessions', 'stomp:["me","reader"]');
  const kept = new Unpacker(decodeSession(entry?.value ?? new Uint8Array()).state);
  kept.integer();
  assert.equal([kept.text(), kept.integer(), kept.text()], ['t', 0, "kind = 'a'"]);
  assert.equal(kept.integers(), [log.next(0)], 'behind the last message of the log');
  assert.is(kept.count(), 0, 'nothing is unsettled');
});

selectors.run();
