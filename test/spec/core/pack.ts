import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Sent } from '../../../protocols/mqtt/inflight.ts';
import { decodeState, encodeState, type SubscriptionOptions } from '../../../protocols/mqtt/session-state.ts';
import { DedupWindow } from '../../../src/core/dedup-window.ts';
import { Message } from '../../../src/core/message.ts';
import { Packer, Unpacker } from '../../../src/core/pack.ts';
import { decodeSession, encodeSession } from '../../../src/routing/session-record.ts';
import { decodeWill, encodeWill } from '../../../src/routing/will-record.ts';

/** What stores keep of sessions and wills: there and back, and no bytes that do more than a RangeError. */

const test = suite('core/pack');

test('integers, texts, bytes and lists come back as they went', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat()), fc.string({ unit: 'binary' }), fc.uint8Array(), (numbers, text, bytes) => {
      const well = text.toWellFormed();
      const packed = new Packer().integers(numbers).text(well).bytes(bytes).done();
      const unpacker = new Unpacker(packed);
      assert.equal(unpacker.integers(), numbers);
      assert.is(unpacker.text(), well);
      assert.equal([...unpacker.bytes()], [...bytes]);
    }),
  );
});

const will = new Message('a/b', Buffer.from('gone'), 0, 4, 1, true, undefined, { clientId: 'c', protocol: 'mqtt' }, 5);
const usual: Omit<SubscriptionOptions, 'filter'> = {
  qos: 1,
  noLocal: false,
  retainAsPublished: false,
  identifier: 0,
  since: [],
  wishes: [],
  cursor: undefined,
};
const sent: Sent = {
  qos: 2,
  shard: 0,
  sequence: 0,
  message: will,
  retain: false,
  released: false,
  source: '',
  holding: undefined,
  delivery: 0,
};
const RECORDS: readonly (readonly [string, Uint8Array, (bytes: Uint8Array) => unknown])[] = [
  [
    'session',
    encodeSession({ principal: 'p', node: 'n', keptFor: 60, expiresAt: 1_800_000_000_000, state: Uint8Array.of(1, 2) }),
    decodeSession,
  ],
  ['will', encodeWill({ node: 'n', delay: 5000, dueAt: 0, will }), decodeWill],
  [
    'state of an MQTT session',
    encodeState({
      uid: 'u',
      reply: '$reply/x',
      subscriptions: [
        {
          ...usual,
          filter: 'a/+',
          qos: 2,
          noLocal: true,
          retainAsPublished: true,
          identifier: 268_435_455,
          since: [7],
        },
        { ...usual, filter: '$share/g/a', wishes: [['prefetch', '3']] },
        { ...usual, filter: 'b', since: [1], wishes: [['positions', 'true']], cursor: [3] },
      ],
      cursor: [2 ** 40],
      inflight: [
        [65_535, { ...sent, sequence: 2 ** 41, message: undefined, released: true }],
        [1, { ...sent, qos: 1, retain: true, source: 'b' }],
      ],
      lastNumber: 9,
      inbound: [[3, 'stored', 8]],
    }),
    decodeState,
  ],
];

for (const [name, record, decode] of RECORDS) {
  test(`${name}: decoded as encoded`, () => {
    const once = JSON.stringify(decode(record));
    assert.is(JSON.stringify(decode(Buffer.from(record))), once);
    assert.ok(once.length > 40);
  });

  test(`${name}: cut off, changed or arbitrary bytes are a RangeError, or something decoded`, () => {
    const attempt = (bytes: Uint8Array): void => {
      try {
        decode(bytes);
      } catch (error) {
        assert.instance(error, RangeError);
      }
    };
    for (let length = 0; length < record.length; length++) attempt(record.subarray(0, length));
    for (let at = 0; at < record.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff])
        attempt(Uint8Array.from(record, (byte, i) => (i === at ? value : byte)));
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt));
  });
}

test('state of an MQTT session: as it was written before sessions had ways of their own through the log', () => {
  const packer = new Packer().integer(1).text('u').integers([5]);
  packer.integer(1).text('a').integer(1).integer(7).integers([2]);
  packer.integer(1).integer(3).integer(2).integer(0).integer(9);
  packer.integer(4).integer(1).integer(6).integer(1).integer(4);
  const { uid, reply, cursor, subscriptions, inflight, lastNumber, inbound } = decodeState(packer.done());
  assert.equal([uid, reply, cursor, lastNumber], ['u', '', [5], 4]);
  assert.equal(subscriptions, [{ ...usual, filter: 'a', identifier: 7, since: [2] }]);
  assert.equal([...inflight], [[3, { ...sent, sequence: 9, message: undefined }]]);
  assert.equal([...inbound], [[6, 'stored', 4]]);
});

test('ids are known within their time and number, the oldest go first', () => {
  const window = new DedupWindow({ seconds: 10, messages: 3 });
  for (const [i, id] of ['a', 'b', 'c', 'd'].entries()) window.add(id, i + 1, 1000);
  assert.equal(
    ['a', 'b', 'c', 'd'].map((id) => window.find(id, 1000)),
    [undefined, 2, 3, 4],
  );
  assert.is(window.find('d', 10_999), 4);
  assert.is(window.find('d', 11_000), undefined);
});

test.run();
