import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { filterFault, matches, mqttFilterFault } from '../../../src/core/filter.ts';
import { TopicTree } from '../../../src/core/topic-tree.ts';

const limits = { topicBytes: 1024, topicLevels: 128 };
const word = fc.constantFrom('a', 'b', '', '$x', 'é');
const topic = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join('/'));
const filter = fc
  .array(fc.oneof(word, fc.constantFrom('+', '#')), { minLength: 1, maxLength: 6 })
  .map((words) => words.join('/'))
  .filter((text) => filterFault(text, limits) === undefined);

function found(tree: TopicTree<string>, name: string): string[] {
  const values: string[] = [];
  tree.match(name, (value) => values.push(value));
  return values.sort();
}

const test = suite('core/topic-tree');

test('4.7.1.2 sport/tennis/player1/# matches its parent level too', () => {
  const tree = new TopicTree<string>();
  tree.add('sport/tennis/player1/#', 'x');
  assert.equal(found(tree, 'sport/tennis/player1'), ['x']);
  assert.equal(found(tree, 'sport/tennis/player1/score/wimbledon'), ['x']);
  assert.equal(found(tree, 'sport/tennis'), []);
});

test('[MQTT-4.7.1-3] + stands for exactly one level, an empty one too', () => {
  const tree = new TopicTree<string>();
  tree.add('+/+', 'two');
  tree.add('/+', 'slash');
  tree.add('+', 'one');
  assert.equal(found(tree, '/finance'), ['slash', 'two']);
  assert.equal(found(tree, 'finance'), ['one']);
});

test('[MQTT-4.7.2-1] a leading wildcard does not match topics that begin with $', () => {
  const tree = new TopicTree<string>();
  for (const each of ['#', '+/monitor/Clients', '$SYS/#', '$SYS/monitor/+']) tree.add(each, each);
  assert.equal(found(tree, '$SYS/monitor/Clients'), ['$SYS/#', '$SYS/monitor/+']);
});

test('an inner # stands for zero or more levels, and counts once', () => {
  const tree = new TopicTree<string>();
  for (const each of ['a/#/b', '#/b', '#/a/#', 'a/#/c/#']) tree.add(each, each);
  assert.equal(found(tree, 'a/b'), ['#/a/#', '#/b', 'a/#/b']);
  assert.equal(found(tree, 'a/a/a/x/b'), ['#/a/#', '#/b', 'a/#/b']);
  assert.equal(found(tree, 'a/c/c'), ['#/a/#', 'a/#/c/#']);
});

test('one filter against one topic: several # take no more time than one', () => {
  const name = Array.from({ length: 128 }, () => 'a').join('/');
  const filter = '#/a/'.repeat(30);
  // With every way to share the levels among them this would not end.
  assert.is(matches(`${filter}b`, name), false);
  assert.is(matches(`${filter}a`, name), true);
  assert.is(matches(`${filter}a`, 'a/a/a'), false);
  assert.is(matches('#/a/b/#/b/c', 'a/b/b/b/c'), true);
  assert.is(matches('#/a/b/#/b/c', 'a/b/c'), false);
});

test('finds what the definition says, for arbitrary filters and topics, also after removals', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(filter, { maxLength: 12 }),
      fc.array(topic, { maxLength: 12 }),
      fc.nat(),
      (filters, topics, cut) => {
        const tree = new TopicTree<string>();
        for (const each of filters) tree.add(each, each);
        const gone = filters.slice(0, cut % (filters.length + 1));
        for (const each of gone) assert.ok(tree.remove(each, each));
        const left = filters.filter((each) => !gone.includes(each));
        assert.is(tree.size, left.length);
        for (const name of topics) {
          const expected = left.filter((each) => matches(each, name)).sort();
          assert.equal(found(tree, name), expected, `${name} against ${left.join(' ')}`);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('remove says whether the pair was there', () => {
  const tree = new TopicTree<string>();
  tree.add('a/b', 'x');
  assert.not(tree.remove('a/b', 'y'));
  assert.not(tree.remove('a/c', 'x'));
  assert.ok(tree.remove('a/b', 'x'));
  assert.not(tree.remove('a/b', 'x'));
});

test('128 levels with many inner # cost polynomial time', () => {
  const tree = new TopicTree<string>();
  tree.add('#/a/#/a/#/a/#/a/#/b', 'x');
  const deep = Array.from({ length: 128 }, () => 'a').join('/');
  const before = process.hrtime.bigint();
  assert.equal(found(tree, deep), []);
  // Without remembering where it was, the walk takes some 10^7 steps; with it, some 10^4.
  assert.ok(process.hrtime.bigint() - before < 2_000_000_000n);
});

for (const [text, part] of [
  ['', 'is empty'],
  ['a+', 'stand alone'],
  ['a/#b', 'stand alone'],
  ['#/#', 'twice in a row'],
  ['a\0', 'null character'],
  ['\ud800', 'surrogate'],
  ['a'.repeat(1025), '1024 bytes'],
  ['é'.repeat(513), '1024 bytes'],
  ['/'.repeat(128), '128 levels'],
  ['#/a/#/a/#/a/#/a/#/a', 'more than 4'],
] as const) {
  test(`the filter ${JSON.stringify(text.slice(0, 20))} is refused: ${part}`, () => {
    assert.match(filterFault(text, limits) ?? '', part);
  });
}

test('[MQTT-4.7.1-2] # before the last level is no MQTT filter', () => {
  assert.match(mqttFilterFault('a/#/b', limits) ?? '', 'last level');
  assert.is(mqttFilterFault('a/b/#', limits), undefined);
});

test.run();
