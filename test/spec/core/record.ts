import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Message, type Properties } from '../../../src/core/message.ts';
import { readRecord, recordBytes, writeRecord } from '../../../src/core/record.ts';
import { NameCache } from '../../../src/core/topic.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 120 });
const properties: fc.Arbitrary<Properties> = fc.record(
  {
    contentType: text,
    textPayload: fc.boolean(),
    responseTopic: text,
    correlation: fc.uint8Array({ maxLength: 50 }),
    expiresAt: fc.nat(),
    user: fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 }),
    key: text,
    messageId: text,
  },
  { requiredKeys: [] },
);
const message = fc
  .tuple(
    text,
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom(0 as const, 1 as const, 2 as const),
    fc.boolean(),
    fc.option(properties, { nil: undefined }),
    fc.record({
      clientId: text,
      protocol: fc.constantFrom('mqtt' as const, 'stomp' as const, 'websocket' as const, 'native' as const),
    }),
    fc.nat(),
  )
  .map(([topic, payload, qos, retain, carried, publisher, timestamp]) => {
    return new Message(topic, payload, 0, payload.length, qos, retain, carried, publisher, timestamp);
  });

const test = suite('core/record');

test('what is written is read back, whatever it is', () => {
  fc.assert(
    fc.property(message, fc.nat(20), (original, offset) => {
      const bytes = recordBytes(original);
      const buffer = Buffer.alloc(offset + bytes + 5, 0xee);
      const payloadAt = writeRecord(buffer, offset, original);
      assert.is(payloadAt + original.size, offset + bytes);
      const read = readRecord(buffer, offset, offset + bytes);
      const { topic, qos, retain, publisher, timestamp } = original;
      assert.equal(
        {
          topic: read.topic,
          qos: read.qos,
          retain: read.retain,
          publisher: { ...read.publisher },
          timestamp: read.timestamp,
        },
        { topic, qos, retain, publisher: { ...publisher }, timestamp },
      );
      assert.equal(Buffer.from(read.payload()), Buffer.from(original.payload()));
      assert.equal(plain(read.properties), plain(original.properties));
    }),
  );
});

/** Bytes as text: what was read is a view of the record's buffer. */
function plain(carried: Properties | undefined): unknown {
  if (carried === undefined) return undefined;
  const { correlation, ...rest } = carried;
  return correlation === undefined ? rest : { ...rest, correlation: Buffer.from(correlation).toString('hex') };
}

test('damaged records are an error, never anything else', () => {
  fc.assert(
    fc.property(message, fc.nat(), fc.integer({ min: 0, max: 255 }), (original, at, value) => {
      const buffer = Buffer.alloc(recordBytes(original));
      writeRecord(buffer, 0, original);
      buffer[at % buffer.length] = value;
      try {
        readRecord(buffer, 0, buffer.length);
      } catch (error) {
        assert.instance(error, RangeError);
      }
    }),
  );
});

test('a kept message does not hold the chunk it came in', () => {
  const chunk = Buffer.alloc(65536);
  const kept = new Message('a', chunk, 10, 14, 0, false, undefined, { clientId: 'c', protocol: 'mqtt' }, 0).keep();
  assert.is(kept.data.buffer.byteLength, 4);
});

test('the name cache gives one string per name, decoding each once, and never caches what is refused', () => {
  let decoded = 0;
  const cache = new NameCache((bytes) => {
    decoded++;
    const name = Buffer.from(bytes).toString();
    return name.includes('!') ? undefined : name;
  });
  const data = Buffer.from('xxa/bxxa/b!');
  assert.is(cache.get(data, 2, 5), 'a/b');
  assert.is(cache.get(data, 7, 10), 'a/b');
  assert.is(decoded, 1);
  assert.is(cache.get(data, 7, 11), undefined);
  assert.is(cache.get(data, 7, 11), undefined);
  assert.is(decoded, 3);
});

test('the name cache tells names apart, however many', () => {
  const cache = new NameCache((bytes) => Buffer.from(bytes).toString());
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const bytes = Buffer.from(name);
      assert.is(cache.get(bytes, 0, bytes.length), bytes.toString());
    }),
    { numRuns: 20_000 },
  );
});

test.run();
