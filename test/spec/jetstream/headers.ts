import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHeaders, headerText, headerValue } from '../../../adapters/jetstream/headers.ts';
import type { Properties } from '../../../src/core/message.ts';

/** A message's metadata as NATS headers, and back, whatever is in it. */

const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom(
      '',
      ' ',
      '\r\n',
      '\r\n\r\n',
      'a\r\nNats-Msg-Id: x',
      '%0D',
      '=',
      'a=b',
      ' a ',
      'ключ',
      '💥',
      '%',
      ':',
    ),
  )
  // No client can send the null character.
  .filter((each) => each.isWellFormed() && !each.includes('\0'));

const topic = text.filter((each) => each !== '' && !/[+#]/.test(each));

const properties = fc.record<Properties>(
  {
    contentType: text,
    textPayload: fc.boolean(),
    responseTopic: topic,
    correlation: fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      text.map((each) => new Uint8Array(Buffer.from(each))),
    ),
    expiresAt: fc.integer({ min: 0, max: 2 ** 45 }),
    user: fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 }),
    key: text,
    messageId: text,
    priority: fc.integer({ min: 0, max: 9 }),
    deliverAt: fc.integer({ min: 0, max: 2 ** 45 }),
  },
  { requiredKeys: [], noNullPrototype: true },
);

const meta = fc.record(
  {
    qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
    retain: fc.boolean(),
    properties: fc.option(properties, { nil: undefined }),
    publisher: fc.record(
      {
        clientId: text,
        protocol: fc.constantFrom('mqtt' as const, 'stomp' as const, 'websocket' as const, 'native' as const),
      },
      { noNullPrototype: true },
    ),
  },
  { noNullPrototype: true },
);

const plain = (value: Properties | undefined): unknown =>
  value === undefined || Object.keys(value).length === 0
    ? undefined
    : { ...value, ...(value.correlation ? { correlation: [...value.correlation] } : {}) };

test('what is encoded comes back, and every line is one of ours', () => {
  fc.assert(
    fc.property(meta, (given) => {
      const block = headerText(given, 'node.12');
      assert.ok(block.startsWith('NATS/1.0\r\n') && block.endsWith('\r\n\r\n'));
      assert.is(block.indexOf('\r\n\r\n'), block.length - 4, 'one empty line, the last');
      for (const line of block.slice(10, -4).split('\r\n'))
        assert.match(line, /^Trimaran(-[A-Za-z-]+)?: [\x20-\x7e]*$/);
      const { properties: found, ...rest } = decodeHeaders(block, 0);
      const { properties: wanted, ...others } = given;
      assert.equal(rest, others);
      assert.equal(plain(found), plain(wanted));
    }),
    { numRuns: 5000 },
  );
});

test("a native application's headers are user properties; the server's are none", () => {
  const block = 'NATS/1.0\r\nA: 1\r\nNats-Msg-Id: x\r\na: \r\nA: ü 2\r\n\r\n';
  const found = decodeHeaders(Buffer.from(block).toString('latin1'), 1);
  assert.equal(found.publisher, { clientId: '', protocol: 'native' });
  assert.is(found.qos, 1);
  assert.equal(found.properties, {
    user: [
      ['A', '1'],
      ['a', ''],
      ['A', 'ü 2'],
    ],
  });
  assert.is(decodeHeaders('', 0).properties, undefined);
});

test('a native application can use the documented headers', () => {
  const found = decodeHeaders(
    'NATS/1.0\r\nTrimaran-Content-Type: text/plain\r\nTrimaran-Expires: soon\r\nX: y\r\n\r\n',
    1,
  );
  assert.equal(found.properties, { contentType: 'text/plain', user: [['X', 'y']] });
});

test('any bytes as headers are read without an error', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', maxLength: 60 }), (garbage) => {
      decodeHeaders(garbage, 1);
      decodeHeaders(`NATS/1.0\r\nTrimaran: ${garbage}\r\n\r\n`, 1);
      headerValue(garbage, 'Nats-Subject');
    }),
    { numRuns: 3000 },
  );
});

test.run();
