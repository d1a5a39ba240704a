import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromDevice, LIMITS, NOW, World } from './support/fakes.ts';

const login = suite('websocket/login');

login('hello is answered with who the client is and what the limits are', () => {
  const world = new World();
  const client = world.connect();
  const answers = client.ask({ type: 'hello', id: 'h', clientId: 'page', userName: 'ann', password: 'sécret' });
  assert.equal(answers, [
    {
      type: 'hello',
      id: 'h',
      protocol: 'trimaran.v1',
      clientId: 'page',
      server: 'trimaran',
      limits: {
        messageBytes: LIMITS.packetBytes,
        subscriptions: LIMITS.subscriptionsPerSession,
        topicBytes: LIMITS.topicBytes,
        topicLevels: LIMITS.topicLevels,
        headers: LIMITS.userProperties,
        headerBytes: LIMITS.userPropertyBytes,
        requests: LIMITS.requests,
      },
    },
  ]);
  const [seen] = world.authorizer.seen;
  assert.is(seen?.clientId, 'page');
  assert.is(seen?.protocol, 'websocket');
  assert.is(seen?.userName, 'ann');
  assert.equal(Buffer.from(seen?.password ?? []).toString(), 'sécret');
});

login('a client without an id is given one of its own', () => {
  const world = new World();
  const ids = [world.connect(), world.connect()].map((client) => client.ask({ type: 'hello' })[0]?.clientId);
  assert.match(String(ids[0]), /^websocket-[0-9a-f]{18}$/);
  assert.is.not(ids[0], ids[1]);
  assert.is(world.authorizer.seen[0]?.password, undefined);
});

for (const code of ['badCredentials', 'notAuthorized'] as const) {
  login(`${code} is said, and the connection ends`, () => {
    const world = new World();
    world.authorizer.answer = code;
    const client = world.connect();
    const answers = client.ask({ type: 'hello', id: 1 });
    assert.equal(
      answers.map((each) => [each.type, each.code]),
      [
        ['error', code],
        ['goodbye', code],
      ],
    );
    assert.ok(client.connection.ended);
    assert.equal(client.ask({ type: 'hello' }), []);
  });
}

login('while a login is being checked, requests behind hello wait; then all is answered in its order', async () => {
  const checks: ((verdict: { name: string } | 'badCredentials') => void)[] = [];
  const authorizer = {
    authenticate: (): Promise<{ name: string } | 'badCredentials'> => new Promise((resolve) => checks.push(resolve)),
    mayPublish: () => true,
    maySubscribe: () => true,
  };
  const client = new World({}, { authorizer }).connect();
  const later = async (): Promise<unknown[]> => {
    await new Promise((resolve) => setImmediate(resolve));
    return client.connection.take().map(({ type, id, code }) => [type, id, code]);
  };
  assert.equal(client.ask({ type: 'hello', id: 'h', clientId: 'c' }), []);
  assert.equal(client.ask({ type: 'ping', id: 2 }), []);
  assert.is(client.connection.pauses, 1, 'it is not read from meanwhile');
  checks[0]?.({ name: 'x' });
  assert.equal(await later(), [
    ['hello', 'h', undefined],
    ['pong', 2, undefined],
  ]);
  assert.is(client.connection.pauses, 0);
  for (const [verdict, code] of [
    ['badCredentials', 'badCredentials'],
    [new Error('no directory'), 'internal'],
  ] as const) {
    const answer = {
      authenticate: () => (verdict instanceof Error ? Promise.reject(verdict) : Promise.resolve(verdict)),
    };
    const refused = new World({}, { authorizer: { ...authorizer, ...answer } }).connect();
    refused.ask({ type: 'hello', id: 1 });
    refused.ask({ type: 'ping', id: 2 });
    await new Promise((resolve) => setImmediate(resolve));
    const answers = refused.connection.take();
    assert.equal(
      answers.map((each) => [each.type, each.id, each.code]),
      [
        ['error', 1, code],
        ['goodbye', undefined, code],
      ],
    );
    assert.not.match(JSON.stringify(answers), 'directory');
    assert.ok(refused.connection.ended !== undefined);
  }
  const late = new World({}, { authorizer }).connect();
  late.ask({ type: 'hello' });
  late.channel.tick(NOW + 10_000);
  assert.is(late.connection.take()[0]?.code, 'timeout');
  checks[1]?.({ name: 'x' });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(late.connection.take(), []);
});

login('nobody says hello for too long: timeout', () => {
  const world = new World();
  const [silent, known] = [world.connect(), world.login()];
  known.connection.take();
  for (const client of [silent, known]) client.channel.tick(NOW + 9_999);
  assert.is(silent.connection.ended, undefined);
  for (const client of [silent, known]) client.channel.tick(NOW + 10_000);
  assert.is(silent.connection.take()[0]?.code, 'timeout');
  assert.ok(silent.connection.ended);
  assert.is(known.connection.ended, undefined);
  assert.equal(known.connection.take(), []);
});

login('before hello, messages are bounded by limits.loginPacketBytes, afterwards by limits.packetBytes', () => {
  const world = new World();
  const big = { type: 'hello', password: 'x'.repeat(LIMITS.loginPacketBytes) };
  const early = world.connect();
  assert.is(early.ask(big)[0]?.code, 'tooLarge');
  assert.ok(early.connection.ended);
  const late = world.login();
  const publish = (length: number) => ({ type: 'publish', id: 1, topic: 'a', payload: 'x'.repeat(length) });
  assert.is(late.ask(publish(LIMITS.packetBytes - 100)).at(-1)?.type, 'ack');
  assert.is(late.ask(publish(LIMITS.packetBytes))[0]?.code, 'tooLarge');
  assert.ok(late.connection.ended);
});

login.run();

const states = suite('websocket/states');

const REQUESTS: Record<string, Record<string, unknown>> = {
  hello: { type: 'hello' },
  publish: { type: 'publish', topic: 'a', payload: '' },
  subscribe: { type: 'subscribe', filter: 'a' },
  unsubscribe: { type: 'unsubscribe', subscription: 'there' },
  ping: { type: 'ping' },
  unknown: { type: 'message', topic: 'a', payload: '' },
};
/** The type and code of the first answer, and whether the connection ends. */
const MATRIX: [request: string, before: [string, string?, boolean?], after: [string, string?, boolean?]][] = [
  ['hello', ['hello'], ['error', 'protocol', true]],
  ['publish', ['error', 'protocol', true], ['ack']],
  ['subscribe', ['error', 'protocol', true], ['ack']],
  ['unsubscribe', ['error', 'protocol', true], ['ack']],
  ['ping', ['error', 'protocol', true], ['pong']],
  ['unknown', ['error', 'protocol', true], ['error', 'unknownType']],
];
for (const [request, before, after] of MATRIX) {
  for (const [state, expected] of [
    ['before hello', before],
    ['after hello', after],
  ] as const) {
    states(`${request} ${state}: ${expected.slice(0, 2).join(' ')}`, () => {
      const world = new World();
      const client = state === 'before hello' ? world.connect() : world.login();
      if (state === 'after hello') client.ask({ type: 'subscribe', filter: 'x', subscription: 'there' });
      const [first] = client.ask({ ...REQUESTS[request], id: 7 });
      const [type, code, ends] = expected;
      assert.is(first?.type, type);
      assert.is(first?.code, code);
      assert.is(client.connection.ended !== undefined, ends === true);
    });
  }
}

for (const [name, bytes] of [
  ['nothing', ''],
  ['half an object', '{"type":"ping"'],
  ['null', 'null'],
  ['an array', '[{"type":"ping"}]'],
  ['a string', '"ping"'],
  ['a number', '7'],
  ['two objects', '{"type":"ping"}{"type":"ping"}'],
  ['bytes that are not UTF-8', Buffer.from('{"type":"pi\xff"}', 'latin1')],
  ['an endless array', '['.repeat(90_000)],
] as const) {
  states(`${name} is malformed: an error, a goodbye and the end`, () => {
    const client = new World().login();
    client.connection.take();
    const answers = client.raw(Buffer.from(bytes));
    assert.equal(
      answers.map(({ type, code }) => [type, code]),
      [
        ['error', 'malformed'],
        ['goodbye', 'malformed'],
      ],
    );
    assert.ok(client.connection.ended);
    assert.equal(client.ask({ type: 'ping' }), [], 'nothing is parsed after it');
  });
}

states('the null character and U+FFFD are text like any other', () => {
  const world = new World();
  world.login().ask({ type: 'publish', topic: 'a', payload: '\0\ufffd' });
  assert.is(Buffer.from(world.router.published[0]?.payload() ?? []).toString(), '\0\ufffd');
});

for (const code of ['shutdown', 'slowReader', 'tooLarge', 'malformed', 'internal'] as const) {
  states(`the server ends the connection with a goodbye: ${code}`, () => {
    const world = new World();
    const client = world.login();
    client.ask({ type: 'subscribe', filter: 'a' });
    client.channel.shutdown(code);
    const [goodbye] = client.connection.take();
    assert.is(goodbye?.type, 'goodbye');
    assert.is(goodbye?.code, code);
    assert.is(client.connection.ended === '', code === 'shutdown');
    assert.equal(world.router.subscriptions, []);
    assert.is(world.outboxes[0]?.closed, true);
    client.channel.closed();
  });
}

states('what comes to a connection that is gone goes nowhere', () => {
  const world = new World();
  const client = world.login();
  client.ask({ type: 'subscribe', filter: 'a' });
  client.ask({ type: 'publish', id: 1, topic: 'b', payload: '', durable: true });
  const [subscription] = world.router.subscriptions;
  client.channel.closed();
  assert.equal(world.router.subscriptions, []);
  world.router.append();
  if (subscription !== undefined) subscription.subscriber.deliver(fromDevice('a', ''), [subscription]);
  client.channel.drained();
  client.channel.tick(NOW + 100_000);
  client.channel.shutdown('shutdown');
  assert.equal(client.connection.take(), []);
});

states.run();
