import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { covers, keyOf, keyToken, TopicSubjects, withoutCovered } from '../../../adapters/jetstream/subjects.ts';
import { filterFault, matches } from '../../../src/core/filter.ts';
import { topicFault } from '../../../src/core/topic.ts';

/** Topics, filters and keys as subjects of NATS. */

const LIMITS = { topicBytes: 1024, topicLevels: 128 };
const subjects = new TopicSubjects('p.log');

const level = fc.oneof(
  fc.constantFrom('', 'a', 'b', '$SYS', '.', '..', '*', '>', ' ', '%', '%41', '%2F', 'ä', '💥', '_INBOX', 'a b\r\n'),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);
const topic = fc
  .array(level, { minLength: 1, maxLength: 6 })
  .map((levels) => levels.join('/'))
  .filter((name) => topicFault(name, LIMITS) === undefined);
const filter = fc
  .array(fc.oneof(level, fc.constantFrom('+', '#')), { minLength: 1, maxLength: 6 })
  .map((levels) => levels.join('/'))
  .filter((name) => filterFault(name, LIMITS) === undefined);

test('every topic has a subject, and the subject is that topic', () => {
  fc.assert(
    fc.property(topic, (name) => {
      const subject = subjects.subjectOf(name);
      assert.ok(subject !== undefined && /^p\.log(\.[A-Za-z0-9_%-]+)+$/.test(subject), subject);
      assert.is(subjects.topicOf(subject), name);
      // Nor is it remembered only.
      assert.is(new TopicSubjects('p.log').topicOf(subject), name);
    }),
    { numRuns: 3000 },
  );
});

test('exchanges: one subject for each key, and one for all of them', () => {
  assert.is(subjects.subjectOf('$exchange/amq.direct/a.b'), 'p.log.%24exchange.amq%2Edirect.a%2Eb');
  assert.is(subjects.topicOf('p.log.%24exchange.amq%2Edirect.a%2Eb'), '$exchange/amq.direct/a.b');
  const fanout = 'p.log.%24exchange.amq%2Efanout';
  assert.equal(subjects.filterSubjects('$exchange/amq.fanout/#'), [fanout, `${fanout}.>`]);
});

test('a subject that is no topic is none', () => {
  for (const subject of [
    'p.log',
    'p.live.a',
    'p.log.ä',
    'p.log.a$b',
    'p.log.%2f',
    'p.log.%2F',
    'p.log.%',
    'p.log.%23',
    'p.log.%00',
    'p.log.%41',
    'p.log.%FF',
  ]) {
    assert.is(subjects.topicOf(subject), undefined, subject);
  }
  assert.is(subjects.topicOf('p.log.%.%'), '/');
});

test('subjects that are readable are as expected', () => {
  assert.is(subjects.subjectOf('home/Room-1/temp_c'), 'p.log.home.Room-1.temp_c');
  assert.is(subjects.subjectOf('/a//b c'), 'p.log.%.a.%.b%20c');
  assert.is(subjects.subjectOf('$queue/x.y'), 'p.log.%24queue.x%2Ey');
});

test('a topic that is longer than NATS can carry has none', () => {
  assert.is(subjects.subjectOf('ä'.repeat(1000)), undefined);
  assert.equal(subjects.filterSubjects('ä'.repeat(1000)), []);
  assert.ok(subjects.subjectOf('ä'.repeat(512)) !== undefined);
});

test('the subjects of a filter take in every topic it matches', () => {
  fc.assert(
    fc.property(filter, topic, (wanted, name) => {
      if (!matches(wanted, name)) return;
      const subject = subjects.subjectOf(name) ?? '';
      const patterns = subjects.filterSubjects(wanted);
      assert.ok(
        patterns.some((pattern) => covers(pattern, subject)),
        `${wanted}: ${patterns.join(' ')} for ${subject}`,
      );
    }),
    { numRuns: 5000 },
  );
  assert.equal(subjects.filterSubjects('a/+/#'), ['p.log.a.*', 'p.log.a.*.>']);
  assert.equal(subjects.filterSubjects('#'), ['p.log.>']);
  assert.equal(subjects.filterSubjects('a/#/b'), ['p.log.a.>']);
  assert.equal(subjects.filterSubjects('#/b'), ['p.log.>']);
  assert.equal(subjects.filterSubjects('+//+'), ['p.log.*.%.*']);
});

test('of subjects that cover each other one is left', () => {
  assert.equal(withoutCovered(['a.b', 'a.*', 'a.b', 'c']), ['a.*', 'c']);
  assert.equal(withoutCovered(['a', 'a.>', '>']), ['>']);
  assert.equal(withoutCovered(['a.*', '*.b']), ['a.*', '*.b']);
  assert.not.ok(covers('a.*', 'a.>'));
  assert.not.ok(covers('a.>', 'a'));
});

test('every key has a token, within what NATS takes, and the token is that key', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 600 }), (key) => {
      if (!key.isWellFormed()) return;
      const token = keyToken(key);
      assert.ok(/^[A-Za-z0-9_%=-]+$/.test(token) && token.length < 3000);
      assert.is(keyOf(token), key);
    }),
    { numRuns: 2000 },
  );
  for (const key of ['ä'.repeat(1024), 'x'.repeat(2048), '=', '%']) assert.is(keyOf(keyToken(key)), key);
});

test.run();
