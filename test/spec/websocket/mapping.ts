import { isUtf8 } from 'node:buffer';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { escapedBytes, quote, writeEscaped } from '../../../protocols/websocket/codec.ts';
import { correlationBytes, correlationText } from '../../../src/core/correlation.ts';
import { Message, type Properties } from '../../../src/core/message.ts';
import { NOW, World } from './support/fakes.ts';

const test = suite('websocket/mapping');

const text = (maxLength: number) => fc.string({ unit: 'binary', maxLength }).filter((each) => !each.includes('\0'));
const topic = text(20).filter((each) => each !== '' && !/^\$|[+#]/.test(each) && each.split('/').length <= 16);
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const properties: fc.Arbitrary<Properties> = fc.record(
  {
    contentType: text(20),
    responseTopic: topic,
    correlation: bytes(20),
    expiresAt: fc.integer({ min: NOW + 1, max: Number.MAX_SAFE_INTEGER }),
    user: fc.array(fc.tuple(text(3), text(3)), { minLength: 1, maxLength: 4 }),
    key: text(10),
    messageId: text(10),
    priority: fc.integer({ min: 0, max: 9 }),
  },
  { requiredKeys: [] },
);
/** Text that needs escapes, text that does not, long enough to go by reference, and bytes of any kind. */
const payload = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }).map((each) => Buffer.from(each)),
  bytes(200).map((each) => Buffer.from(each)),
  fc.constantFrom('x'.repeat(5000), 'é'.repeat(2500), '"\n'.repeat(300)).map((each) => Buffer.from(each)),
);

function plain(carried: Properties | undefined): object {
  const { correlation, ...rest } = carried ?? {};
  return { ...rest, correlation: correlation === undefined ? undefined : Buffer.from(correlation).toString('hex') };
}

test('what is received, published again as it came, is the same message', () => {
  const world = new World();
  const client = world.login();
  client.ask({ type: 'subscribe', filter: '#', subscription: 's' });
  const other = world.login('other');
  other.ask({ type: 'subscribe', filter: '#', subscription: 'ø' });
  fc.assert(
    fc.property(
      topic,
      payload,
      fc.option(properties, { nil: undefined }),
      fc.boolean(),
      (name, data, carried, shared) => {
        world.router.published.length = 0;
        const publisher = { clientId: 'dé"vice', protocol: 'stomp' } as const;
        const padded = Buffer.concat([Buffer.from('"'), data, Buffer.from([0xff])]);
        const message = new Message(name, padded, 1, 1 + data.length, 0, false, carried, publisher, NOW);
        if (shared) world.router.route(message);
        else world.router.subscriptions[0]?.subscriber.deliver(message, world.router.subscriptions.slice(0, 1));
        const {
          type,
          subscription,
          timestamp,
          publisher: from,
          durable,
          retain,
          ...fields
        } = client.connection.take()[0] ?? {};
        assert.equal(
          [type, subscription, timestamp, from, durable, retain],
          ['message', 's', NOW, publisher, false, false],
        );
        if (shared) assert.is(other.connection.take().length, 1);
        assert.equal(client.ask({ type: 'publish', ...fields }).slice(0, -1), []);
        other.connection.take();
        const [again] = world.router.published;
        assert.is(again?.topic, name);
        assert.equal(Buffer.from(again?.payload() ?? []), data);
        assert.equal(plain(again?.properties), plain(carried));
      },
    ),
    { numRuns: 500 },
  );
});

test('payload bytes within a JSON string: as JSON.stringify has them, or not UTF-8', () => {
  fc.assert(
    fc.property(payload, (data) => {
      const length = escapedBytes(data, 0, data.length);
      assert.is(length !== -1, isUtf8(data));
      if (length === -1) return;
      const target = Buffer.alloc(length);
      assert.is(writeEscaped(target, 0, data, 0, data.length), length);
      assert.is(`"${target}"`, JSON.stringify(data.toString()));
    }),
    { numRuns: 1000 },
  );
});

test('every sequence of up to three bytes is UTF-8 by the same rule as Node’s', () => {
  // The bytes at which the rule changes.
  const edges = [0x00, 0x1f, 0x20, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1];
  edges.push(0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff);
  for (const a of edges) {
    for (const b of edges) {
      for (const c of edges) {
        for (const tail of [[], [0x80], [0xbf], [0x41]]) {
          const data = Buffer.from([a, b, c, ...tail]);
          for (let end = 1; end <= data.length; end++) {
            const what = `${end} bytes of ${data.toString('hex')}`;
            assert.is(escapedBytes(data, 0, end) !== -1, isUtf8(data.subarray(0, end)), what);
          }
        }
      }
    }
  }
});

test('quoted text is JSON and well-formed, whatever it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('', '\ud800', '\udfff', '\u2028'), (some, odd) => {
      assert.is(JSON.parse(quote(some + odd)), some + odd);
      assert.ok(quote(some + odd).isWellFormed());
    }),
  );
});

test('correlation data: any bytes as text and back', () => {
  const odd = fc
    .constantFrom('', 'base64:', 'base64:AAA=', '\ufeffx', '\ufffd', '\0', 'plain')
    .map((each) => Buffer.from(each));
  fc.assert(
    fc.property(fc.oneof(bytes(40), odd), (data) => {
      const form = correlationText(data);
      assert.not.match(form, /\0/);
      assert.equal(Buffer.from(correlationBytes(form) ?? [0]), Buffer.from(data));
    }),
    { numRuns: 500 },
  );
  assert.is(correlationText(Buffer.from('order-7')), 'order-7');
  assert.is(correlationText(Buffer.from([0xff])), 'base64:/w==');
  assert.is(correlationBytes('base64:/w'), undefined);
});

test.run();
