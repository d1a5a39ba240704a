import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHeaders } from '../../adapters/jetstream/headers.ts';
import { queueMessage, readBorn, readNote } from '../../adapters/jetstream/queue-messages.ts';
import { QueueNames } from '../../adapters/jetstream/queue-names.ts';
import { inboxOf, isNativeReply } from '../../adapters/jetstream/replies.ts';
import type { Message } from '../../src/core/message.ts';
import { readRecord, recordBytes, writeRecord } from '../../src/core/record.ts';
import { topicFault } from '../../src/core/topic.ts';

/** Applications of NATS may put anything on the subjects of queues: what comes of it can be given to every client. */

const test = suite('fuzz/native');

const odd = fc.constantFrom(
  ...[
    '',
    '0',
    '-1',
    '0.5',
    '1e300',
    'NaN',
    'Infinity',
    '9'.repeat(16),
    '9'.repeat(40),
    '0x10',
    'true',
    'a%00b',
    '%',
    '%2',
  ],
  ...[
    'a/+/b',
    '#',
    '$SYS/x',
    '$queue/y',
    ' ',
    '\t',
    'm1 client',
    '- m1 client',
    '- m9 x',
    `- m1 ${'c'.repeat(70_000)}`,
  ],
  ...[
    'x'.repeat(70_000),
    '%C3%28',
    '%ED%A0%80',
    'é',
    '\xff\xfe',
    '1 topic',
    '1 a%2Fb',
    '1 %23',
    `1 ${'t'.repeat(70_000)}`,
  ],
);
const name = fc.constantFrom(
  ...['Trimaran', 'Trimaran-Queued', 'Trimaran-Expires', 'Trimaran-Deliver-At', 'Trimaran-Priority', 'Trimaran-Key'],
  ...[
    'Trimaran-Message-Id',
    'Trimaran-Response-Topic',
    'Trimaran-Correlation',
    'Trimaran-Content-Type',
    'Trimaran-User',
  ],
  ...[
    'Trimaran-Text',
    'Trimaran-Note',
    'Trimaran-Served',
    'Nats-Msg-Id',
    'Nats-Schedule',
    'X',
    'dead-letter-queue',
    '',
  ],
);
const block = fc
  .tuple(fc.boolean(), fc.array(fc.tuple(name, fc.oneof(odd, fc.string({ maxLength: 10 }))), { maxLength: 6 }))
  .map(([ours, headers]) => {
    const all: (readonly [string, string])[] = ours ? [['Trimaran', '- m1 client'], ...headers] : headers;
    return `NATS/1.0\r\n${all.map(([key, value]) => `${key}: ${value}\r\n`).join('')}\r\n`;
  });

function checkText(text: string | undefined): void {
  if (text === undefined) return;
  assert.ok(text.isWellFormed() && !text.includes('\0') && Buffer.byteLength(text) <= 0xffff, text.slice(0, 80));
}

function checkTime(time: number | undefined): void {
  assert.ok(time === undefined || (Number.isSafeInteger(time) && time >= 0), `${time}`);
}

function check(message: Message): void {
  assert.is(topicFault(message.topic, { topicBytes: 0xffff, topicLevels: 0xffff }), undefined);
  checkText(message.publisher.clientId);
  checkTime(message.timestamp);
  const { properties } = message;
  checkTime(properties?.expiresAt);
  checkTime(properties?.deliverAt);
  for (const text of [properties?.contentType, properties?.key, properties?.messageId, properties?.responseTopic])
    checkText(text);
  for (const pair of properties?.user ?? []) for (const text of pair) checkText(text);
  const { priority } = properties ?? {};
  assert.ok(priority === undefined || (Number.isInteger(priority) && priority >= 0 && priority <= 9));
  // As it is sent to other nodes.
  const bytes = Buffer.alloc(recordBytes(message));
  writeRecord(bytes, 0, message);
  assert.equal(readRecord(bytes, 0, bytes.length).properties, properties);
}

test('whatever headers a message of an application has, it is one that clients can have', () => {
  fc.assert(
    fc.property(block, fc.uint8Array({ maxLength: 20 }), (text, payload) => {
      const head = Buffer.from(text, 'latin1');
      const bytes = Buffer.concat([head, payload]);
      check(queueMessage(bytes, head.length, '$queue/q', 1, 0));
      const note = readNote(bytes, head.length);
      if (note !== undefined) for (const value of [note.deliveries, note.dueAt]) checkTime(value);
      readBorn(bytes, head.length);
    }),
    { numRuns: 5000 },
  );
});

test('blocks that are none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, at) => {
      const headerBytes = Math.min(at, bytes.length);
      check(queueMessage(bytes, headerBytes, '$queue/q', 1, 0));
      decodeHeaders(Buffer.from(bytes).toString('latin1'), 1);
    }),
    { numRuns: 5000 },
  );
});

test('subjects below that of a queue that none of ours has are nothing', () => {
  const names = new QueueNames('trimaran', 'q');
  for (const rest of [
    '',
    '.',
    '.0',
    '.10',
    '.x',
    '.1.2.3',
    '.later',
    '.later.x.y',
    '.later.10.y',
    '.>',
    '.*',
    '.note',
    'x',
  ])
    names.read(`trimaran.queue.q${rest}`);
  assert.is(names.read('trimaran.queue.q.0'), undefined);
  assert.is(names.read('trimaran.queue.q.10'), undefined);
  assert.is(names.read('trimaran.queue.q.later.10.y'), undefined);
});

test('every name has subjects of its own, in which nothing has a meaning to NATS', () => {
  const seen = new Map<string, string>();
  const word = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('a', 'A', 'a.b', 'a/b', '*', '>', 'a b', '$', '=', '%', '%2E', '..', '.', 'a\r\n', 'é', 'e\u0301'),
  );
  fc.assert(
    fc.property(
      word.filter((each) => each !== '' && each.isWellFormed()),
      (text) => {
        const names = new QueueNames('trimaran', text);
        for (const subject of [names.lane(0), names.lane(9), names.later(3, 'u'), names.note(1)])
          assert.match(subject, /^trimaran\.queue(\.[A-Za-z0-9_%=-]+)+$/);
        assert.match(names.consumer(0), /^[A-Za-z0-9_=-]+$/);
        for (const own of [names.subject, `consumer ${names.consumer(0)}`, `consumer ${names.consumer(1)}`]) {
          assert.is(seen.get(own) ?? text, text, own);
          seen.set(own, text);
        }
      },
    ),
    { numRuns: 5000 },
  );
});

test('answers come to inboxes, and to nothing else', () => {
  const bad = [
    '$JS.API.STREAM.DELETE.x',
    '$SYS.REQ.SERVER.PING',
    'trimaran.queue.q',
    '_INBOX',
    '_INBOX.',
    '_INBOX.*',
    '_INBOX.>',
  ];
  bad.push(
    '_INBOX.a.>',
    '_INBOX.a b',
    '_INBOX.a\r\nPUB x 0',
    '_INBOX_.$JS',
    '_R_',
    '_INBOX..a',
    '_INBOXa',
    '_inbox.a',
    'a._INBOX.b',
    '',
  );
  for (const subject of bad) assert.is(inboxOf(`$reply/nats/${subject}`), undefined, subject);
  assert.is(inboxOf('$reply/nats/_INBOX.abc.1'), '_INBOX.abc.1');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
      const subject = inboxOf(`$reply/nats/${text}`);
      assert.ok(subject === undefined || /^_(INBOX|R_)/.test(subject));
      assert.ok(isNativeReply(`$reply/nats/${text}`));
    }),
    { numRuns: 5000 },
  );
});

test.run();
