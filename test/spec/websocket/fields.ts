import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIMITS, NOW, World } from './support/fakes.ts';
import { FakeGroups, FakeQueues } from './support/queues.ts';

const test = suite('websocket/fields');

const long = 'x'.repeat(201);
const publish = { type: 'publish', topic: 'a', payload: 'p' };
const subscribe = { type: 'subscribe', filter: 'a' };
const toQueue = { type: 'publish', queue: 'work', payload: 'p' };
const consume = { type: 'subscribe', queue: 'work' };
const join = { type: 'subscribe', group: 'g', filter: 'a' };
const settle = { subscription: 'work', delivery: 1 };
const ask = { type: 'request', topic: 'a', payload: '' };

/** Requests of one fault each: the code and field of the error, and a part of its words. */
type Fault = [request: Record<string, unknown>, code: string, field: string | undefined, words: RegExp];
const FAULTS: Fault[] = [
  [{}, 'fieldInvalid', 'type', /missing; one of hello, publish/],
  [{ type: 7 }, 'fieldInvalid', 'type', /is a number; a string is expected/],
  [{ type: 'constructor' }, 'unknownType', 'type', /"constructor"/],
  [{ type: 'p'.repeat(500) }, 'unknownType', 'type', /p{64}…"; one of/],
  [{ type: 'ping', topic: 'a' }, 'fieldInvalid', 'topic', /ping has no field "topic"; its fields are type, id$/],
  [
    { ...publish, topics: 1 },
    'fieldInvalid',
    'topics',
    /no field "topics"; its fields are type, id, topic, queue, payload/,
  ],
  [{ ...publish, ['x'.repeat(500)]: 1 }, 'fieldInvalid', `${'x'.repeat(64)}…`, /no field/],
  [{ ...publish, qos: 1 }, 'fieldInvalid', 'qos', /no field/],
  [{ type: 'publish', payload: '' }, 'fieldInvalid', 'topic', /missing/],
  [{ ...publish, topic: null }, 'fieldInvalid', 'topic', /is null; a string/],
  [{ ...publish, topic: '' }, 'topicInvalid', 'topic', /empty/],
  [{ ...publish, topic: 'a/+' }, 'topicInvalid', 'topic', /wildcard/],
  [{ ...publish, topic: 'a\0' }, 'topicInvalid', 'topic', /null character/],
  [{ ...publish, topic: 'a\ud800' }, 'topicInvalid', 'topic', /surrogate/],
  [{ ...publish, topic: long }, 'topicInvalid', 'topic', /200 bytes/],
  [{ ...publish, topic: '/'.repeat(50) }, 'topicInvalid', 'topic', /16 levels/],
  [{ ...publish, topic: '$SYS/x' }, 'topicInvalid', 'topic', /\$queue\/NAME/],
  [{ ...publish, topic: '$queue/' }, 'topicInvalid', 'topic', /\$queue\/NAME/],
  [{ ...publish, topic: '$share/g/a' }, 'topicInvalid', 'topic', /\$/],
  [{ ...publish, topic: 'denied/x' }, 'notAuthorized', 'topic', /publish/],
  [{ type: 'publish', topic: 'a' }, 'fieldInvalid', 'payload', /neither/],
  [{ ...publish, payloadBase64: '' }, 'fieldInvalid', 'payload', /both/],
  [{ ...publish, payload: { a: 1 } }, 'fieldInvalid', 'payload', /is an object; a string/],
  [{ ...publish, payload: '\udc00' }, 'payloadInvalid', 'payload', /surrogate/],
  ...['=', 'AA', 'AA=', 'AAA', 'A A=', 'AA==\n', '_-8=', 'AB=='].map(
    (payloadBase64): [Record<string, unknown>, string, string, RegExp] => [
      { type: 'publish', topic: 'a', payloadBase64 },
      'payloadInvalid',
      'payloadBase64',
      /RFC 4648/,
    ],
  ),
  [{ ...publish, durable: 'yes' }, 'fieldInvalid', 'durable', /is a string; true or false/],
  [{ ...publish, retain: 1 }, 'fieldInvalid', 'retain', /is a number; true or false/],
  [{ ...publish, contentType: [] }, 'fieldInvalid', 'contentType', /an array; a string/],
  [{ ...publish, contentType: 'x'.repeat(101) }, 'fieldInvalid', 'contentType', /100 bytes/],
  [{ ...publish, contentType: 'é'.repeat(51) }, 'fieldInvalid', 'contentType', /100 bytes/],
  [{ ...publish, contentType: 'a\0' }, 'fieldInvalid', 'contentType', /null character/],
  [{ ...publish, messageId: '\ud800' }, 'fieldInvalid', 'messageId', /surrogate/],
  [{ ...publish, key: 5 }, 'fieldInvalid', 'key', /is a number/],
  [{ ...publish, replyTo: '#' }, 'topicInvalid', 'replyTo', /wildcard/],
  [{ ...publish, replyTo: '$SYS' }, 'topicInvalid', 'replyTo', /\$/],
  [{ ...publish, replyTo: 'denied/r' }, 'notAuthorized', 'replyTo', /answers/],
  [{ ...publish, correlationId: 'base64:%' }, 'fieldInvalid', 'correlationId', /base64/],
  [{ ...publish, correlationId: 7 }, 'fieldInvalid', 'correlationId', /is a number/],
  ...[0, -1, 1.5, 2 ** 60, '5'].map((expiresAt): [Record<string, unknown>, string, string, RegExp] => [
    { ...publish, expiresAt },
    'fieldInvalid',
    'expiresAt',
    /milliseconds since 1970/,
  ]),
  [{ ...publish, headers: 'x' }, 'fieldInvalid', 'headers', /a string; an array of \[name, value\]/],
  [{ ...publish, headers: null }, 'fieldInvalid', 'headers', /null/],
  [{ ...publish, headers: ['x'] }, 'fieldInvalid', 'headers', /entry 0/],
  [{ ...publish, headers: [['a', 'b', 'c']] }, 'fieldInvalid', 'headers', /entry 0/],
  [{ ...publish, headers: [['a', 'b'], ['a', 1]] }, 'fieldInvalid', 'headers', /entry 1/], // biome-ignore format: a pair
  [{ ...publish, headers: { a: null } }, 'fieldInvalid', 'headers', /entry 0/],
  [{ ...publish, headers: [['a\0', '']] }, 'fieldInvalid', 'headers', /null character/],
  [{ ...publish, headers: [['', '\ud800']] }, 'fieldInvalid', 'headers', /surrogate/],
  [{ ...publish, headers: new Array(5).fill(['', '']) }, 'fieldInvalid', 'headers', /at most 4/],
  [{ ...publish, headers: [['a', 'x'.repeat(60)], ['b', 'x'.repeat(60)]] }, 'fieldInvalid', 'headers', /100 bytes/], // biome-ignore format: a pair
  [{ ...publish, id: {} }, 'fieldInvalid', 'id', /an object; a number or a string/],
  [{ ...publish, id: 'x'.repeat(129) }, 'fieldInvalid', 'id', /128 characters/],
  [{ type: 'subscribe' }, 'fieldInvalid', 'filter', /missing/],
  [{ ...subscribe, filter: 'a/#/b' }, 'filterInvalid', 'filter', /last level/],
  [{ ...subscribe, filter: 'a+' }, 'filterInvalid', 'filter', /stand alone/],
  [{ ...subscribe, filter: '' }, 'filterInvalid', 'filter', /empty/],
  [{ ...subscribe, filter: '$queue/work' }, 'unsupported', 'filter', /\$queue/],
  [{ ...subscribe, filter: '$queue' }, 'unsupported', 'filter', /\$queue/],
  [{ ...subscribe, filter: '$share/g/a' }, 'unsupported', 'filter', /\$share/],
  [{ ...subscribe, filter: '$JS/#' }, 'filterInvalid', 'filter', /\$SYS/],
  [{ ...subscribe, filter: '$exchange/#' }, 'filterInvalid', 'filter', /\$exchange\/amq\.direct and/],
  [{ ...subscribe, filter: '$exchange/amq.topic/a' }, 'filterInvalid', 'filter', /amq\.topic is the topics themselves/],
  [{ ...subscribe, filter: 'denied/#' }, 'notAuthorized', 'filter', /subscribe/],
  [{ ...subscribe, filter: 'there' }, 'fieldInvalid', 'subscription', /"there" already/],
  [{ ...subscribe, subscription: '' }, 'fieldInvalid', 'subscription', /empty/],
  [{ ...subscribe, subscription: long }, 'fieldInvalid', 'subscription', /200 bytes/],
  [{ ...subscribe, noLocal: 0 }, 'fieldInvalid', 'noLocal', /true or false/],
  [{ ...publish, queue: 'work' }, 'fieldInvalid', 'queue', /both there/],
  [{ ...toQueue, queue: '' }, 'fieldInvalid', 'queue', /empty/],
  [{ ...toQueue, queue: 'a/#' }, 'fieldInvalid', 'queue', /wildcard/],
  [{ ...toQueue, queue: long }, 'fieldInvalid', 'queue', /200 bytes/],
  [{ ...toQueue, queue: 7 }, 'fieldInvalid', 'queue', /a number; a string/],
  [{ ...toQueue, queue: 'denied' }, 'notAuthorized', 'queue', /publish to this queue/],
  [{ ...toQueue, retain: true }, 'fieldInvalid', 'retain', /a queue retains nothing/],
  ...[-1, 10, 1.5].map(
    (priority): Fault => [
      { ...toQueue, priority },
      'fieldInvalid',
      'priority',
      /is -?[\d.]+; an integer from 0 to 9 is expected/,
    ],
  ),
  [{ ...toQueue, priority: '5' }, 'fieldInvalid', 'priority', /a string; an integer from 0 to 9/],
  [{ ...toQueue, delay: -1 }, 'fieldInvalid', 'delay', /from 0 to 31622400000/],
  [{ ...toQueue, deliverAt: 0 }, 'fieldInvalid', 'deliverAt', /milliseconds since 1970/],
  [{ ...toQueue, delay: 1, deliverAt: NOW }, 'fieldInvalid', 'delay', /both there/],
  [{ ...consume, filter: 'a' }, 'fieldInvalid', 'filter', /subscribe with queue has no field "filter"/],
  [{ ...consume, noLocal: true }, 'fieldInvalid', 'noLocal', /subscribe with queue has no field/],
  [{ ...consume, start: 'first' }, 'fieldInvalid', 'start', /subscribe with queue has no field/],
  [{ ...consume, queue: 'a/+' }, 'fieldInvalid', 'queue', /wildcard/],
  [{ ...consume, queue: 'denied' }, 'notAuthorized', 'queue', /subscribe to this queue/],
  [{ ...consume, subscription: 'there' }, 'fieldInvalid', 'subscription', /"there" already/],
  ...[0, 65_536, null, 1.5].map(
    (prefetch): Fault => [
      { ...consume, prefetch },
      'fieldInvalid',
      'prefetch',
      /an integer from 1 to 65535 is expected/,
    ],
  ),
  [{ ...consume, consumerPriority: 101 }, 'fieldInvalid', 'consumerPriority', /from -100 to 100/],
  [{ ...consume, exclusive: 1 }, 'fieldInvalid', 'exclusive', /true or false/],
  [{ ...consume, acknowledge: 'server' }, 'fieldInvalid', 'acknowledge', /"server"; client or auto/],
  [{ ...consume, settings: [] }, 'fieldInvalid', 'settings', /an array; an object of queue settings/],
  [{ ...consume, settings: { maxMesages: 1 } }, 'fieldInvalid', 'settings', /no queue setting "maxMesages"; known are/],
  [{ ...consume, settings: { overflow: 'x' } }, 'fieldInvalid', 'settings', /overflow is "x"; one of refuse, drop/],
  [{ ...subscribe, prefetch: 1 }, 'fieldInvalid', 'prefetch', /subscribe without queue or group has no field/],
  [{ ...subscribe, groupOrder: 'key' }, 'fieldInvalid', 'groupOrder', /without queue or group has no field/],
  [{ ...join, group: 'a/b' }, 'fieldInvalid', 'group', /"a\/b"; a name without \/, \+ and #/],
  [{ ...join, group: '' }, 'fieldInvalid', 'group', /a name without/],
  [{ ...join, filter: undefined }, 'fieldInvalid', 'filter', /missing/],
  [{ ...join, filter: 'denied/#' }, 'notAuthorized', 'filter', /subscribe to this filter/],
  [{ ...join, groupOrder: 'id' }, 'fieldInvalid', 'groupOrder', /"id"; key is expected/],
  [{ ...join, noLocal: true }, 'fieldInvalid', 'noLocal', /subscribe with group has no field/],
  ...['', 'latest', 'last', 'last -1', 'time soon', 'position 1', 'first 1'].map(
    (start): Fault => [{ ...subscribe, start }, 'fieldInvalid', 'start', /one of new, first, last N, time T/],
  ),
  [{ ...subscribe, start: 5 }, 'fieldInvalid', 'start', /a number; a string/],
  [{ ...subscribe, positions: 'yes' }, 'fieldInvalid', 'positions', /true or false/],
  [{ type: 'accept', delivery: 1 }, 'fieldInvalid', 'subscription', /missing/],
  [{ type: 'accept', ...settle }, 'fieldInvalid', 'subscription', /no subscription to a queue or group "work"/],
  [
    { type: 'accept', subscription: 'there', delivery: 1 },
    'fieldInvalid',
    'subscription',
    /to a queue or group "there"/,
  ],
  [{ type: 'accept', ...settle, requeue: true }, 'fieldInvalid', 'requeue', /accept has no field/],
  [{ type: 'accept', subscription: 'work' }, 'fieldInvalid', 'delivery', /neither/],
  [{ type: 'accept', ...settle, deliveries: [1] }, 'fieldInvalid', 'delivery', /both/],
  [{ type: 'accept', ...settle, delivery: 0 }, 'fieldInvalid', 'delivery', /is 0; an integer from 1/],
  [{ type: 'accept', subscription: 'work', deliveries: [] }, 'fieldInvalid', 'deliveries', /array of 0; an array of 1/],
  [{ type: 'accept', subscription: 'work', deliveries: 1 }, 'fieldInvalid', 'deliveries', /a number; an array of 1/],
  [{ type: 'accept', subscription: 'work', deliveries: [1, '2'] }, 'fieldInvalid', 'deliveries', /entry 1/],
  [{ type: 'accept', subscription: 'work', deliveries: new Array(1001).fill(1) }, 'fieldInvalid', 'deliveries', /1000/],
  [{ type: 'reject', ...settle, requeue: 0 }, 'fieldInvalid', 'requeue', /true or false/],
  [{ type: 'reject', ...settle, delay: 0.5 }, 'fieldInvalid', 'delay', /an integer/],
  [{ type: 'reject', ...settle, requeue: false, delay: 5 }, 'fieldInvalid', 'delay', /requeue is false/],
  [{ ...ask, topic: undefined }, 'fieldInvalid', 'topic', /missing/],
  [{ ...ask, durable: true }, 'fieldInvalid', 'durable', /request has no field/],
  [{ ...ask, replyTo: 'r' }, 'fieldInvalid', 'replyTo', /request has no field/],
  [{ ...ask, topic: 'denied' }, 'notAuthorized', 'topic', /publish to this topic/],
  [{ ...ask, timeoutMilliseconds: 0 }, 'fieldInvalid', 'timeoutMilliseconds', /from 1 to 3600000/],
  [{ ...ask, timeoutMilliseconds: 3_600_001 }, 'fieldInvalid', 'timeoutMilliseconds', /from 1 to 3600000/],
  ...['declare', 'queueStatus', 'browse', 'purge', 'deleteQueue'].flatMap((type): Fault[] => [
    [{ type }, 'fieldInvalid', 'queue', /missing/],
    [{ type, queue: '' }, 'fieldInvalid', 'queue', /empty/],
    [{ type, queue: 'denied' }, 'notAuthorized', 'queue', /both publish to and subscribe to/],
    [{ type, queue: 'work', name: 1 }, 'fieldInvalid', 'name', /has no field "name"/],
  ]),
  [
    { type: 'declare', queue: 'work', settings: { maxBytes: -1 } },
    'fieldInvalid',
    'settings',
    /maxBytes is -1; a whole/,
  ],
  [{ type: 'browse', queue: 'work', after: -1 }, 'fieldInvalid', 'after', /an integer from 0/],
  [{ type: 'browse', queue: 'work', count: 1001 }, 'fieldInvalid', 'count', /from 1 to 1000/],
  [{ type: 'deleteQueue', queue: 'work', ifEmpty: 1 }, 'fieldInvalid', 'ifEmpty', /true or false/],
  [{ type: 'received', position: '0-1', subscription: '' }, 'fieldInvalid', 'subscription', /empty/],
  [{ type: 'unsubscribe' }, 'fieldInvalid', 'subscription', /missing/],
  [{ type: 'unsubscribe', subscription: 'not there' }, 'fieldInvalid', 'subscription', /no subscription "not there"/],
];

for (const [request, code, field, words] of FAULTS) {
  test(`${JSON.stringify(request).slice(0, 90)}: ${code}, and the connection goes on`, () => {
    const world = new World();
    const client = world.login();
    client.ask({ type: 'subscribe', filter: 'there' });
    client.connection.take();
    const answers = client.ask({ id: 'r', ...request });
    assert.is(answers.length, 1, JSON.stringify(answers));
    assert.is(answers[0]?.type, 'error');
    assert.is(answers[0]?.code, code);
    assert.is(answers[0]?.field, field);
    assert.match(String(answers[0]?.message), words);
    assert.is(answers[0]?.id, field === 'id' ? undefined : 'r');
    assert.equal(world.router.published, []);
    assert.is(world.router.subscriptions.length, 1);
    assert.equal(client.ask({ type: 'ping', id: 2 }), [{ type: 'pong', id: 2 }]);
  });
}

for (const [field, value, words] of [
  ['clientId', '', /leave it out/],
  ['clientId', 'x'.repeat(101), /100 bytes/],
  ['clientId', 'a\0', /null character/],
  ['clientId', 5, /a number; a string/],
  ['userName', [], /an array; a string/],
  ['password', true, /a boolean; a string/],
  ['token', 'x', /no field "token"; its fields are type, id, clientId, userName, password/],
] as const) {
  test(`hello with ${field} ${JSON.stringify(value).slice(0, 20)}: an error, and another hello may follow`, () => {
    const client = new World().connect();
    const [error] = client.ask({ type: 'hello', [field]: value });
    assert.is(error?.code, 'fieldInvalid');
    assert.is(error?.field, field);
    assert.match(String(error?.message), words);
    assert.is(client.ask({ type: 'hello' })[0]?.type, 'hello');
  });
}

test('more subscriptions than limits.subscriptionsPerSession: quota', () => {
  const world = new World();
  const client = world.login();
  for (let i = 0; i < LIMITS.subscriptionsPerSession; i++) client.ask({ type: 'subscribe', filter: `f${i}` });
  client.connection.take();
  assert.is(client.ask({ type: 'subscribe', filter: 'more' })[0]?.code, 'quota');
  client.ask({ type: 'unsubscribe', subscription: 'f0' });
  assert.is(client.ask({ type: 'subscribe', id: 1, filter: 'more' })[0]?.type, 'ack');
});

test('an error repeats no more of the input than shows what is meant', () => {
  const client = new World().login();
  client.connection.take();
  const [error] = client.ask({ type: '\ud83d\ude00'.repeat(100) });
  assert.ok(JSON.stringify(error).length < 600);
});

// --- whatever comes ---------------------------------------------------------------------------------------------------

const values = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('a', 'a/#', '$queue/x', '\ud800', '', 'base64:AA=='),
  fc.integer(),
  fc.boolean(),
  fc.jsonValue({ maxDepth: 2 }),
);
const fieldNames = fc.constantFrom(
  ...[
    'type',
    'id',
    'topic',
    'payload',
    'payloadBase64',
    'contentType',
    'replyTo',
    'correlationId',
    'expiresAt',
    'headers',
  ],
  ...['queue', 'group', 'start', 'prefetch', 'settings', 'delivery', 'deliveries', 'delay', 'priority', 'position'],
  ...['durable', 'retain', 'messageId', 'key', 'filter', 'subscription', 'noLocal', 'clientId', '__proto__', 'other'],
);
const requests = fc
  .tuple(
    fc.constantFrom(
      ...['hello', 'publish', 'subscribe', 'unsubscribe', 'ping', 'message', 'received', 'accept', 'reject', 'request'],
      ...['declare', 'queueStatus', 'browse', 'purge', 'deleteQueue', 'groupStatus', 'moveGroup'],
    ),
    fc.array(fc.tuple(fieldNames, values), { maxLength: 5 }),
  )
  .map(([type, fields]) => JSON.stringify({ type, ...Object.fromEntries(fields) }));

function survives(inputs: readonly Buffer[], loggedIn: boolean): void {
  const given = { queues: new FakeQueues(), groups: new FakeGroups(), startOf: async () => [] };
  const world = new World({}, given);
  const client = loggedIn ? world.login() : world.connect();
  for (const input of inputs) {
    client.raw(input);
    world.router.append();
    client.channel.tick(NOW);
  }
  client.connection.take();
  client.channel.closed();
  assert.equal(world.router.subscriptions, []);
}

test('arbitrary objects never throw, and leave nothing behind', () => {
  const inputs = fc.array(
    requests.map((text) => Buffer.from(text)),
    { maxLength: 8 },
  );
  fc.assert(fc.property(inputs, fc.boolean(), survives), { numRuns: 600 });
});

test('arbitrary JSON never throws', () => {
  const inputs = fc.array(
    fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
    { maxLength: 3 },
  );
  fc.assert(fc.property(inputs, fc.boolean(), survives), { numRuns: 300 });
});

test('arbitrary bytes never throw', () => {
  const bytes = fc.uint8Array({ maxLength: 60 }).map((each) => Buffer.from(each));
  fc.assert(fc.property(fc.array(bytes, { maxLength: 3 }), fc.boolean(), survives), { numRuns: 500 });
});

test('a request with one byte changed never throws', () => {
  const changed = fc.tuple(requests, fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
    const bytes = Buffer.from(text);
    bytes[at % bytes.length] = byte;
    return [bytes];
  });
  fc.assert(fc.property(changed, fc.boolean(), survives), { numRuns: 500 });
});

test.run();
