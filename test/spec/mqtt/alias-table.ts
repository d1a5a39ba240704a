import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OutboundAliases } from '../../../protocols/mqtt/outbound-aliases.ts';

/** Which topics get the aliases that a client allows. */

const test = suite('mqtt/alias-table');

/** What a client makes of it: sends these topics, and returns how many of them went as an alias alone. */
function send(aliases: OutboundAliases, maximum: number, topics: Iterable<string>): number {
  const known = new Map<number, string>();
  let alone = 0;
  for (const topic of topics) {
    const alias = aliases.find(topic);
    if (alias !== 0) {
      assert.is(known.get(alias), topic, `alias ${alias}`);
      alone++;
      continue;
    }
    const learnt = aliases.learn(topic);
    assert.ok(learnt >= 0 && learnt <= maximum, `alias ${learnt}`);
    if (learnt !== 0) known.set(learnt, topic);
  }
  return alone;
}

/** Topics of which the n-th is used in proportion to 1/n, in a fixed pseudo-random order. */
function* zipf(topics: number, count: number, name = 'topic'): Generator<string> {
  const sums: number[] = [];
  for (let i = 1; i <= topics; i++) sums.push((sums[i - 2] ?? 0) + 1 / i);
  let state = 1;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    const at = (state / 0x7fffffff) * (sums[topics - 1] ?? 0);
    yield `${name}/${sums.findIndex((each) => each >= at)}`;
  }
}

test('3.3.2.3.4 an alias always stands for the topic that it was last sent with, and is never above the maximum', () => {
  const topics = fc.array(
    fc.integer({ min: 0, max: 30 }).map((n) => `topic/${n}`),
    { maxLength: 400 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), topics, (maximum, sent) => {
      send(new OutboundAliases(maximum), maximum, sent);
    }),
  );
});

test('as long as aliases are free, the second use of a topic needs no name', () => {
  const topics = Array.from({ length: 8 }, (_, i) => `topic/${i}`);
  assert.is(send(new OutboundAliases(8), 8, [...topics, ...topics, ...topics]), 16);
});

test('a topic no longer than the property itself gets none', () => {
  assert.is(send(new OutboundAliases(8), 8, ['a/b', 'a/b', 'a/b']), 0);
});

test('the topics that are used most have them, whichever came first', () => {
  for (const maximum of [1, 4, 16, 64]) {
    const count = 100_000;
    const aliases = new OutboundAliases(maximum);
    send(
      aliases,
      maximum,
      Array.from({ length: maximum }, (_, i) => `once/${i}`),
    );
    const uses = new Map<string, number>();
    for (const topic of zipf(1000, count)) uses.set(topic, (uses.get(topic) ?? 0) + 1);
    const best = [...uses.values()].sort((a, b) => b - a).slice(0, maximum);
    const most = best.reduce((sum, each) => sum + each, 0);
    const alone = send(aliases, maximum, zipf(1000, count));
    assert.ok(alone > 0.9 * most, `${maximum}: ${alone} of ${most} that are possible`);
  }
});

test('topics that are no longer used give theirs up', () => {
  const aliases = new OutboundAliases(16);
  for (const name of ['old', 'new', 'newest']) {
    const topics = Array.from({ length: 16 }, (_, i) => `${name}/${i}`);
    const sent = Array.from({ length: 100 }, () => topics).flat();
    let last = 0;
    for (const topic of sent) {
      last = aliases.find(topic);
      if (last === 0) last = aliases.learn(topic);
    }
    for (const topic of topics) assert.ok(aliases.find(topic) > 0, topic);
  }
});

test('topics that come once take no alias from those that come again', () => {
  const aliases = new OutboundAliases(4);
  const topics = ['hot/1', 'hot/2', 'hot/3', 'hot/4'];
  for (const topic of topics) aliases.learn(topic);
  for (let i = 0; i < 10_000; i++) assert.is(aliases.learn(`once/${i}`), 0);
  for (const topic of topics) assert.ok(aliases.find(topic) > 0);
});

test.run();
