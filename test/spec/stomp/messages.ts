import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Message, Properties, UserProperty } from '../../../src/core/message.ts';
import type { Subscription } from '../../../src/ports/routing.ts';
import type { ServerFrame } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

const messages = suite('STOMP messages and their headers');

/** A broker that remembers what is published to `a`. */
function listening(harness: Harness): Message[] {
  const seen: Message[] = [];
  const subscriber = { clientId: 'listener', deliver: (message: Message) => void seen.push(message.keep()) };
  const subscription: Subscription = {
    subscriber,
    filter: 'a',
    qos: 2,
    noLocal: false,
    retainAsPublished: true,
    identifier: 0,
    id: '',
    since: [],
  };
  harness.services.router.subscribe(subscription);
  return seen;
}

/** Properties that a SEND with these lines gives its message. */
function sent(lines: readonly string[], version: '1.0' | '1.1' | '1.2' = '1.2', harness = Harness.open()): Properties {
  const seen = listening(harness);
  const client = harness.connect(version);
  client.send('SEND', ['destination:/topic/a', ...lines], 'x');
  assert.not(client.closed, String(client.closed && client.frame().body));
  return seen[0]?.properties ?? {};
}

/** The MESSAGE that a client of this version gets. */
function received(
  properties: Properties,
  version: '1.0' | '1.1' | '1.2' = '1.2',
  harness = Harness.open(),
): ServerFrame {
  const client = harness.connect(version);
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  harness.publish('a', 'x', properties);
  return client.frame();
}

/** Lines of a MESSAGE that are the message's, not the frame's. */
function own({ lines }: ServerFrame): string[] {
  return lines.filter((line) => !/^(subscription|message-id|destination|content-length):/.test(line));
}

function refused(lines: readonly string[], text: string): void {
  const client = Harness.open().connect();
  client.send('SEND', ['destination:/topic/a', ...lines]);
  const { command, body } = client.frame();
  assert.is(command, 'ERROR');
  assert.match(String(body), text);
  assert.ok(client.closed);
}

messages('DESIGN 3: headers of SEND to properties', () => {
  assert.equal(sent([]), {});
  assert.equal(sent(['content-length:1', 'receipt:1', 'persistent:true', 'retain:false']), {});
  assert.equal(sent(['content-type:text/plain']), { contentType: 'text/plain' });
  assert.equal(sent(['content-type:']), { contentType: '' });
  assert.equal(sent(['reply-to:/topic/a.b%2E']), { responseTopic: 'a/b.' });
  assert.equal(sent(['reply-to:/queue/a.b']), { responseTopic: '$queue/a.b' });
  assert.equal(sent(['message-id:m']), { messageId: 'm' });
  assert.equal(sent(['message-id:m', 'amqp-message-id:n']), { messageId: 'n' });
  assert.equal(sent(['x:1', 'y:2', 'x:3']).user, [
    ['x', '1'],
    ['y', '2'],
    ['x', '3'],
  ]);
  assert.equal(sent(['user.destination:1', 'user.:2', 'user.user.x:3', 'ack:4', 'id:5', 'subscription:6']).user, [
    ['destination', '1'],
    ['', '2'],
    ['user.x', '3'],
    ['ack', '4'],
    ['id', '5'],
    ['subscription', '6'],
  ]);
});

messages('expires is a time, expiration a span, the earlier counts', () => {
  const harness = Harness.open();
  const now = harness.clock.now();
  const expiresAt = (...lines: string[]) => sent(lines, '1.2', Harness.open()).expiresAt;
  assert.is(expiresAt('expires:2000000'), 2_000_000);
  assert.is(expiresAt('expires:0'), undefined);
  assert.is(expiresAt('expiration:500'), now + 500);
  assert.is(expiresAt('expires:2000000', 'expiration:500'), now + 500);
  assert.is(expiresAt('expires:0', 'expiration:500'), now + 500);
  assert.is(expiresAt('expires:1000001', 'expiration:500'), 1_000_001);
  for (const line of ['expires:soon', 'expires:-1', 'expiration:1.5', 'expiration:', 'expires:9999999999999999']) {
    refused([line], line.slice(0, line.indexOf(':')));
  }
});

messages('an expired message is not delivered', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  harness.publish('a', 'x', { expiresAt: harness.clock.now() });
  harness.publish('a', 'x', { expiresAt: harness.clock.now() }, 1);
  assert.equal(client.frames(), []);
  assert.is(harness.counters.droppedExpired, 2);
});

messages('reply-to must be a destination; correlation-id after base64: must be that', () => {
  for (const line of ['reply-to:a/b', 'reply-to:a,b', 'reply-to:/topic/a.#', 'reply-to:/topic/', 'reply-to:'])
    refused([line], 'reply-to');
  for (const line of ['correlation-id:base64\\c@', 'correlation-id:base64:YQ', 'correlation-id:base64:YR==']) {
    refused([line], 'correlation-id');
  }
});

messages('limits: user headers of a message', () => {
  refused(
    Array.from({ length: 9 }, (_, i) => `h${i}:x`),
    'limits.userProperties',
  );
  refused([`a:${'x'.repeat(150)}`, `b:${'x'.repeat(150)}`], 'limits.userPropertyBytes');
  // Names and values, to the byte: a, b and 254 bytes of values.
  refused([`a:${'x'.repeat(150)}`, `b:${'x'.repeat(105)}`], 'limits.userPropertyBytes');
  const client = Harness.open().connect();
  client.send('SEND', ['destination:/topic/a', `a:${'x'.repeat(150)}`, `b:${'x'.repeat(104)}`]);
  assert.not(client.closed);
});

messages('DESIGN 3: properties to headers of MESSAGE', () => {
  assert.equal(own(received({})), []);
  assert.equal(own(received({ contentType: 'a/b; c=d' })), ['content-type:a/b; c=d']);
  assert.equal(own(received({ responseTopic: 'a/b.c' })), ['reply-to:/topic/a.b%2Ec']);
  assert.equal(own(received({ responseTopic: '$queue/a.b' })), ['reply-to:/queue/a.b']);
  assert.equal(own(received({ expiresAt: 2_000_000 })), ['expires:2000000']);
  assert.equal(own(received({ messageId: 'm' })), ['amqp-message-id:m']);
  assert.equal(own(received({ messageId: 'm', user: [['message-id', 'm']] })), ['amqp-message-id:m']);
  assert.equal(own(received({ user: [['message-id', 'm']] })), ['user.message-id:m']);
});

messages('correlation data: text where it is text, else base64', () => {
  const rows: readonly (readonly [bytes: Buffer, version: '1.0' | '1.1' | '1.2', line: string])[] = [
    [Buffer.from('abc é'), '1.2', 'abc é'],
    [Buffer.from(''), '1.2', ''],
    [Buffer.from('a:b\\'), '1.2', 'a\\cb\\\\'],
    [Buffer.from('a:b\r\n'), '1.2', 'base64\\cYTpiDQo='],
    [Buffer.from('a:b\r\n'), '1.1', 'base64\\cYTpiDQo='],
    [Buffer.from('a:b\n'), '1.0', 'base64:YTpiCg=='],
    [Buffer.from('a:b'), '1.0', 'a:b'],
    [Buffer.of(0xff, 0), '1.0', 'base64:/wA='],
    [Buffer.of(0xff, 0), '1.2', 'base64\\c/wA='],
    [Buffer.from('a\0b'), '1.2', 'base64\\cYQBi'],
    [Buffer.from('base64:x'), '1.2', 'base64\\cYmFzZTY0Ong='],
  ];
  for (const [correlation, version, line] of rows) {
    assert.equal(own(received({ correlation }, version)), [`correlation-id:${line}`]);
    const back = sent([`correlation-id:${line}`], version).correlation;
    assert.ok(back !== undefined && correlation.equals(back), line);
  }
});

const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => !value.includes('\0'));
const name = fc.oneof(
  fc.constantFrom(
    'destination',
    'message-id',
    'user.x',
    'user.',
    '',
    'ack',
    '__proto__',
    'retain',
    'x',
    'subscription',
    'delivery-count',
    'position',
    'browser',
    'priority',
    'key',
    'delay',
  ),
  text,
);

messages('property: user headers survive, from any protocol to 1.2 and back, in order and with repetitions', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, text), { minLength: 1, maxLength: 6 }), (pairs) => {
      const changed = { userPropertyBytes: 10_000, stompHeaderBytes: 1000 };
      const frame = received({ user: pairs }, '1.2', Harness.open(changed));
      assert.equal(sent(own(frame), '1.2', Harness.open(changed)).user, pairs);
    }),
    { numRuns: 300 },
  );
});

// --- the frame ----------------------------------------------------------------------------------------------------------

messages('fanned out to all versions and modes, each gets its own frame of the same message', () => {
  const harness = Harness.open();
  const clients: TestClient[] = [];
  for (const version of ['1.0', '1.1', '1.2'] as const) {
    for (const mode of ['auto', 'client']) {
      const client = harness.connect(version);
      client.send('SUBSCRIBE', [`id:${version}`, 'destination:/topic/a', `ack:${mode}`]);
      clients.push(client);
    }
  }
  for (const size of [3, 100, 40_000]) {
    const user: readonly UserProperty[] = [['n', 'a\nb']];
    harness.publish('a', 'é'.repeat(size), { contentType: 'text/plain', user });
    for (const [i, client] of clients.entries()) {
      const frame = client.frame();
      assert.is(String(frame.body), 'é'.repeat(size));
      assert.is(frame.headers['content-type'], 'text/plain');
      assert.is(frame.headers.n, i < 2 ? undefined : 'a\\nb');
      assert.is(frame.headers.subscription, ['1.0', '1.0', '1.1', '1.1', '1.2', '1.2'][i]);
      assert.is(frame.headers.ack !== undefined, i === 5);
      client.send('ACK', [i > 3 ? `id:${frame.headers['message-id']}` : `message-id:${frame.headers['message-id']}`]);
    }
  }
  assert.is(harness.counters.droppedHeaders, 1 + 1 + 2, 'once per encoding; large bodies are not encoded');
});

messages('large bodies go out by reference, once they are the message’s own', () => {
  const harness = Harness.open();
  const clients = [1, 2].map(() => harness.connect());
  for (const client of clients) client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  harness.publish('a', 'x'.repeat(16_384));
  const [first, second] = clients.map(({ connection }) => connection.attached[0]);
  assert.is(first?.buffer, second?.buffer);
  for (const client of clients) assert.is(client.frame().body.length, 16_384);
});

messages('large bodies outlive the chunk they came in', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  const chunk = Buffer.from(`SEND\ndestination:/topic/a\n\n${'x'.repeat(20_000)}\0`);
  client.channel.receive(chunk, harness.clock.now());
  chunk.fill('#');
  assert.is(String(client.frame().body), 'x'.repeat(20_000));
});

messages('many MESSAGE frames: numbers of all lengths', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  for (let i = 1; i <= 1001; i++) harness.publish('a', 'x');
  const frames = client.frames();
  const number = (frame: ServerFrame | undefined) => frame?.headers['message-id']?.split('-')[2];
  for (const i of [1, 9, 10, 99, 100, 999, 1000, 1001]) assert.is(number(frames[i - 1]), String(i));
});

messages.run();
