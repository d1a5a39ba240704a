import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { destinationOf, filterOf, Names, topicOf } from '../../../protocols/stomp/names.ts';
import { Refusal } from '../../../protocols/stomp/refusal.ts';
import { topicFault } from '../../../src/core/topic.ts';
import { limits } from './support/harness.ts';

const topic = (destination: string) => topicOf(destination, 'destination', limits);

const names = suite('STOMP destinations');

const PAIRS: readonly (readonly [topic: string, destination: string])[] = [
  ['a', '/topic/a'],
  ['a/b/c', '/topic/a.b.c'],
  ['a//b', '/topic/a..b'],
  ['/', '/topic/.'],
  ['/a/', '/topic/.a.'],
  ['1.5/x y', '/topic/1%2E5.x y'],
  [' a/ b /c  d ', '/topic/ a. b .c  d%20'],
  ['100%/*/>', '/topic/100%25.%2A.%3E'],
  ['é/日本/☕', '/topic/é.日本.☕'],
  ['tab\there/nl\n/cr\r/del\u007f', '/topic/tab%09here.nl%0A.cr%0D.del%7F'],
  ['no\u00a0break/\ufeffbom', '/topic/no%C2%A0break.%EF%BB%BFbom'],
  ['a:b\\c', '/topic/a:b\\c'],
  ['a,b', '/topic/a%2Cb'],
  ['$SYS/uptime', '/topic/$SYS.uptime'],
  ['$queue/jobs', '/queue/jobs'],
  ['$queue/a.b/c d', '/queue/a.b%2Fc d'],
  ['$queue/ a ', '/queue/ a%20'],
  ['$queue/100%', '/queue/100%25'],
  ['$queue/é日本', '/queue/é日本'],
  ['$reply/x/y', '/reply-queue/x/y'],
  ['$exchange/amq.direct/k', '/exchange/amq.direct/k'],
  ['$exchange/amq.direct/a.b/c', '/exchange/amq.direct/a.b%2Fc'],
  ['$exchange/amq.direct/é 50%', '/exchange/amq.direct/é 50%25'],
  ['$exchange/amq.direct', '/exchange/amq.direct'],
  ['$exchange/amq.fanout', '/exchange/amq.fanout'],
  ['$exchange/amq.fanout/k', '/exchange/amq.fanout/k'],
  ['$exchange/amq.direct/', '/topic/$exchange.amq%2Edirect.'],
  ['$exchange/amq.directly', '/topic/$exchange.amq%2Edirectly'],
  ['$exchange', '/topic/$exchange'],
  ['$queue', '/topic/$queue'],
  ['$queue/', '/topic/$queue.'],
];

names('DESIGN 3: each topic has one destination, and the way back', () => {
  for (const [name, destination] of PAIRS) {
    assert.is(destinationOf(name), destination);
    assert.is(topic(destination), name);
  }
});

names('aliases: / and %2F between levels, and encoding of what need not be', () => {
  assert.is(topic('/topic/a/b.c'), 'a/b/c');
  assert.is(topic('/topic/a%2Fb%2fc'), 'a/b/c');
  assert.is(topic('/topic/%61%C3%A9'), 'aé');
  assert.is(topic('/topic/a%252Fb'), 'a%2Fb');
  assert.is(topic('/queue/a/b'), '$queue/a/b');
  assert.is(topic('/queue/a%252Fb'), '$queue/a%2Fb');
  assert.is(topic('/exchange/amq%2Edirect/%61'), '$exchange/amq.direct/a');
});

names('what is no destination is refused, with what was expected', () => {
  const rows: readonly (readonly [destination: string, expected: string])[] = [
    ['', 'is expected'],
    ['/foo', '/topic/NAME, /queue/NAME, '],
    ['/nosuch/x', '/exchange/NAME/KEY, /reply-queue/NAME, /temp-queue/NAME, '],
    ['queue/x', 'the name of a queue alone is expected'],
    ['/remote-temp-queue/x', 'is expected'],
    ['/temp-queue/', 'is expected'],
    ['a,b', '%2C'],
    ['/queue/a,/queue/b', '%2C'],
    ['/topic/', 'is expected'],
    ['/topic', 'is expected'],
    ['/queue/', 'is expected'],
    ['/Topic/a', 'is expected'],
    ['/topic/%', '%25'],
    ['/topic/%4', '%25'],
    ['/topic/%zz', '%25'],
    ['/topic/%ff', 'UTF-8'],
    ['/topic/%c0%80', 'UTF-8'],
    ['/topic/%ed%a0%80', 'UTF-8'],
    ['/topic/%00', 'null character'],
    ['/topic/a.*', 'wildcard'],
    ['/topic/a.>', 'wildcard'],
    ['/topic/a*b', '%2A'],
    ['/topic/#', 'wildcard'],
    ['/topic/a+b', 'wildcard'],
    ['/topic/%23', 'wildcard'],
    ['/topic/%2B', 'wildcard'],
    ['/queue/a#', 'wildcard'],
    ['/queue/%00', 'null character'],
    [`/topic/${'a'.repeat(1025)}`, 'limits.topicBytes'],
    [`/topic/${'.'.repeat(128)}`, 'limits.topicLevels'],
    [`/topic/${'.'.repeat(100_000)}`, 'longer than'],
  ];
  for (const [destination, expected] of rows) {
    assert.throws(
      () => topic(destination),
      (error: unknown) => error instanceof Refusal && error.message.includes(expected),
      `${destination.slice(0, 40)}: ${expected}`,
    );
  }
});

names('wildcards: * is one level, # any number anywhere, and so is > at the end', () => {
  const rows: readonly (readonly [destination: string, filter: string])[] = [
    ['/topic/a.b', 'a/b'],
    ['/topic/a.*.c', 'a/+/c'],
    ['/topic/*', '+'],
    ['/topic/#', '#'],
    ['/topic/a.#', 'a/#'],
    ['/topic/#.b', '#/b'],
    ['/topic/a.#.b.#', 'a/#/b/#'],
    ['/topic/a.#.#.#', 'a/#'],
    ['/topic/#.#.b', '#/b'],
    ['/topic/a.>', 'a/#'],
    ['/topic/>', '#'],
    ['/topic/a.#.>', 'a/#'],
    ['/topic/a/*/b', 'a/+/b'],
    ['/topic/%2A', '*'],
    ['/topic/a%3E', 'a>'],
    ['/topic/a..*', 'a//+'],
    ['/topic/$SYS.#', '$SYS/#'],
    ['/queue/a.b', '$queue/a.b'],
  ];
  for (const [destination, filter] of rows) assert.is(filterOf(destination, limits), filter, destination);
});

names('filters that are refused', () => {
  const rows: readonly (readonly [destination: string, expected: string])[] = [
    ['/topic/a.>.b', 'alone for the last'],
    ['/topic/a*', 'alone for one level'],
    ['/topic/a#', 'wildcards'],
    ['/topic/+', 'wildcards'],
    ['/topic/a.%23', 'wildcards'],
    ['/topic/a.%2B', 'wildcards'],
    ['/topic/$queue.a', '/queue/NAME'],
    ['/topic/$share.g.a', '$SYS'],
    ['/topic/$JS.API', '$SYS'],
    ['/queue/*', 'wildcard'],
    ['/queue/>', 'wildcard'],
    ['/topic/#.a.#.b.#.c.#.d.#.e', 'multi-level wildcards'],
    ['/bare', 'is expected'],
    ['/topic/$exchange.amq%2Edirect.k', '/exchange/NAME/KEY'],
    ['/reply-queue/x', '/temp-queue/NAME'],
  ];
  for (const [destination, expected] of rows) {
    assert.throws(
      () => filterOf(destination, limits),
      (error: unknown) => error instanceof Refusal && error.message.includes(expected),
      destination,
    );
  }
});

const anyTopic = fc
  .array(fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.stringMatching(/^[ -~]{0,8}$/)), {
    minLength: 1,
    maxLength: 6,
  })
  .map((levels) => levels.join('/'))
  .filter((name) => topicFault(name, limits) === undefined);

names('property: the mapping is one to one over all valid topics', () => {
  const both = new Map<string, string>();
  fc.assert(
    fc.property(
      fc.oneof(
        anyTopic,
        anyTopic.map((name) => `$queue/${name}`),
        anyTopic.map((name) => `$reply/${name}`),
        anyTopic.map((name) => `$exchange/amq.direct/${name}`),
        anyTopic.map((name) => `$exchange/amq.fanout/${name}`),
        anyTopic.map((name) => `$exchange/${name}`),
        fc.constantFrom('$exchange/amq.direct', '$exchange/amq.fanout', '$exchange/amq.fanout/', '$queue/', '$reply/'),
      ),
      (name) => {
        if (topicFault(name, limits) !== undefined) return;
        const destination = destinationOf(name);
        assert.is(topic(destination), name);
        assert.is(both.get(destination) ?? name, name);
        both.set(destination, name);
        assert.not.match(destination, /(?! )\s|\p{Cc}| $/u);
      },
    ),
    { numRuns: 3000 },
  );
});

names('property: any text is a topic that has it as an alias, or refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: 'binary' })),
      fc.constantFrom(
        '/topic/',
        '/queue/',
        '/amq/queue/',
        '/exchange/amq.direct/',
        '/exchange/amq.topic/',
        '/exchange/',
        '',
      ),
      (text, prefix) => {
        const destination = prefix + text;
        try {
          const name = topic(destination);
          assert.is(topicFault(name, limits), undefined);
          assert.is(topic(destinationOf(name)), name);
        } catch (error) {
          assert.instance(error, Refusal);
        }
      },
    ),
    { numRuns: 3000 },
  );
});

names('RabbitMQ and NATS: no destination reaches the names of the server or of NATS', () => {
  for (const destination of ['/topic/%24SYS.x', '/topic/$JS.API.INFO', '/topic/%24queue.x']) {
    assert.is(topic(destination)[0], '$', 'decoded once, so that who decides sees the dollar');
  }
});

names('decoded names are remembered by their bytes, refused ones are not', () => {
  const all = new Names(limits);
  const bytes = Buffer.from('xx/topic/a.byy');
  const first = all.topic(bytes, 2, 12);
  assert.is(first, 'a/b');
  assert.is(all.topic(bytes, 2, 12), first);
  for (let i = 0; i < 2; i++) assert.throws(() => all.topic(Buffer.from('/topic/%'), 0, 8), /%25/);
  assert.is(String(all.line('a:b', 0)), 'destination:/topic/a:b\n');
  assert.is(String(all.line('a:b', 1)), 'destination:/topic/a\\cb\n');
});

names.run();
