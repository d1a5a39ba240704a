import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeGroup, encodeGroup } from '../../../src/routing/groups/record.ts';

const test = suite('routing/groups record');

const unsettled = fc
  .array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 2 ** 48 }), fc.nat(1000)))
  .map((all) => all.map(([shard, sequence, deliveries]) => ({ shard, sequence, deliveries })))
  .map((all) => all.sort((a, b) => a.shard - b.shard || a.sequence - b.sequence));

const record = fc.record(
  {
    ordered: fc.boolean(),
    selector: fc.string(),
    keptFor: fc.nat(),
    forget: fc.boolean(),
    positions: fc.array(fc.integer({ min: 1, max: 2 ** 48 }), { maxLength: 3 }),
    unsettled,
  },
  { noNullPrototype: true },
);

test('what is kept of a group comes back as it was', () => {
  fc.assert(fc.property(record, (each) => assert.equal(decodeGroup(encodeGroup(each)), each)));
});

test('bytes that are no group are a RangeError, and nothing else', () => {
  const readable = (bytes: Uint8Array): void => {
    try {
      decodeGroup(bytes);
    } catch (error) {
      assert.instance(error, RangeError);
    }
  };
  fc.assert(
    fc.property(record, fc.nat(), fc.nat(255), (each, at, byte) => {
      const bytes = encodeGroup(each);
      bytes[at % bytes.length] = byte;
      readable(bytes);
      readable(bytes.subarray(0, at % bytes.length));
    }),
  );
  fc.assert(fc.property(fc.uint8Array(), readable));
});

test('messages that are close to each other take three bytes each', () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({ shard: 0, sequence: 2 ** 40 + i * 3, deliveries: 1 }));
  const group = { ordered: false, selector: '', keptFor: 600, forget: false, positions: [2 ** 41], unsettled: many };
  assert.ok(encodeGroup(group).length < 3100);
});

test.run();
