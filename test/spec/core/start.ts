import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatPosition, parseStart } from '../../../src/core/start.ts';

test('each form is read', () => {
  assert.equal(parseStart('new'), { from: 'new' });
  assert.equal(parseStart('first'), { from: 'first' });
  assert.equal(parseStart('last 100'), { from: 'last', count: 100 });
  assert.equal(parseStart('time 1700000000123'), { from: 'time', time: 1_700_000_000_123 });
  assert.equal(parseStart('position 2-345'), { from: 'position', shard: 2, sequence: 345 });
});

test('times are those that the platform reads', () => {
  const text = fc
    .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true })
    .map((date) => date.toISOString());
  fc.assert(
    fc.property(text, fc.constantFrom('Z', '+02:00', '-11:30'), (iso, zone) => {
      const each = iso.replace('Z', zone);
      assert.equal(parseStart(`time ${each}`), { from: 'time', time: Date.parse(each) }, each);
    }),
  );
  for (const each of ['2026-11-21T12:00Z', '2024-02-29T23:59:59.9+01:00', '2000-02-29T00:00:00Z'])
    assert.equal(parseStart(`time ${each}`), { from: 'time', time: Date.parse(each) }, each);
});

test('anything else is none', () => {
  const bad = ['', 'last', 'last -1', 'last 1 2', 'position 1', 'position a-1', 'time', 'time yesterday', 'New'];
  const times = ['2026-11-21', '2026-13-01T00:00Z', '2026-00-01T00:00Z', '2026-04-31T00:00Z', '2025-02-29T00:00Z'];
  const more = ['1900-02-29T00:00Z', '2026-11-21T24:00Z', '2026-11-21T00:60Z', '2026-11-21T00:00', '1234567890123456'];
  for (const each of [...bad, ...[...times, ...more].map((time) => `time ${time}`)])
    assert.is(parseStart(each), undefined, each);
});

test('a position is written as it is read', () => {
  assert.equal(parseStart(`position ${formatPosition(3, 2 ** 40)}`), { from: 'position', shard: 3, sequence: 2 ** 40 });
});

test.run();
