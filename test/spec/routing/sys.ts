import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Counters } from '../../../src/core/counters.ts';
import type { Message } from '../../../src/core/message.ts';
import { SysTopics } from '../../../src/routing/sys/sys.ts';
import { SysTable } from '../../../src/routing/sys/topics.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** What a node tells of itself, with a clock of the test's. */

const test = suite('routing/sys');

const line = (message: Message): string => `${message.topic} ${Buffer.from(message.payload())}`;

/** Seconds between two updates. */
const INTERVAL = 10;

function setUp({ shared = false, listens = true } = {}) {
  const clock = new ManualClock();
  const counters = new Counters();
  const told: string[] = [];
  const kept: string[] = [];
  const gauges = { subscriptions: 0, members: 0, away: 0, count: 0, heap: 1000 };
  const asked: string[] = [];
  /** What it costs to tell of a value, in messages. */
  let cost = 1;
  const quiet = (): void => {
    cost = 0;
  };
  const sys = new SysTopics(
    { interval: INTERVAL * 1000, version: '1.2.3', heapBytes: () => gauges.heap },
    {
      clock,
      counters,
      router: {
        get subscriptions() {
          return gauges.subscriptions;
        },
        heard: (topic) => {
          asked.push(topic);
          return listens;
        },
        announce: (message) => {
          told.push(line(message));
          counters.delivered += cost;
        },
      },
      groups: gauges,
      sessions: gauges,
      retained: {
        shared,
        get count() {
          return gauges.count;
        },
        match: (filter) => kept.push(filter),
      },
    },
  );
  /** What a new subscription gets. */
  const values = (filter: string): string[] => {
    const found: string[] = [];
    sys.match(filter, (message) => found.push(line(message)));
    return found;
  };
  const value = (name: string): string | undefined => {
    const [first] = values(`$SYS/broker/${name}`);
    return first?.slice(`$SYS/broker/${name} `.length);
  };
  return { clock, counters, told, kept, gauges, asked, sys, values, value, quiet };
}

test('what is there at the start is known at once', () => {
  const { sys, value } = setUp();
  sys.start();
  assert.is(value('version'), 'trimaran version 1.2.3');
  assert.is(value('uptime'), '0 seconds');
  assert.is(value('clients/connected'), '0');
  assert.is(value('load/bytes/sent/15min'), '0.00');
});

test('each value is of what it says', async () => {
  const { clock, counters, gauges, sys, value } = setUp();
  sys.start();
  for (let i = 0; i < 5; i++) counters.loggedIn();
  counters.loggedOut();
  Object.assign(counters, { packetsReceived: 11, packetsSent: 12, received: 13, receivedBytes: 14, delivered: 15 });
  Object.assign(counters, { deliveredBytes: 16, bytesReceived: 17, bytesSent: 18, sessionsExpired: 19 });
  Object.assign(counters, { droppedSlow: 1, droppedOvertaken: 20, droppedTooLarge: 300, droppedQueue: 4000 });
  Object.assign(counters, { droppedExpired: 1e6, droppedRefused: 1e6, droppedHeaders: 1e6, droppedReplies: 1e6 });
  Object.assign(gauges, { subscriptions: 21, members: 22, away: 23, count: 24, heap: 500 });
  await clock.advance(INTERVAL * 1000);
  const expected = {
    uptime: '10 seconds',
    'clients/connected': '4',
    'clients/active': '4',
    'clients/maximum': '5',
    'clients/disconnected': '23',
    'clients/inactive': '23',
    'clients/total': '27',
    'clients/expired': '19',
    'messages/received': '11',
    'messages/sent': '12',
    'publish/messages/received': '13',
    'publish/messages/sent': '15',
    'publish/messages/dropped': '4321',
    'publish/bytes/received': '14',
    'publish/bytes/sent': '16',
    'bytes/received': '17',
    'bytes/sent': '18',
    'subscriptions/count': '21',
    'shared_subscriptions/count': '22',
    'retained messages/count': '24',
    'heap/current': '500',
    'heap/maximum': '1000',
  };
  for (const [name, text] of Object.entries(expected)) assert.is(value(name), text, name);
});

test('load averages: what was counts for 1/e of what it did after 1, 5 and 15 minutes, per minute', async () => {
  const { clock, counters, sys, value } = setUp();
  sys.start();
  // Bytes in each interval: a burst, silence, a steady flow, silence.
  const intervals = [60_000, 0, 0, ...Array<number>(60).fill(1000), ...Array<number>(30).fill(0), 7, 123_456, 0];
  for (const [i, bytes] of intervals.entries()) {
    counters.bytesReceived += bytes;
    await clock.advance(INTERVAL * 1000);
    for (const minutes of [1, 5, 15]) {
      // Each interval by itself: its share as it was new, less by what has gone since.
      const mean = intervals.slice(0, i + 1).reduce((sum, each, j) => {
        const fresh = (each / INTERVAL) * 60 * (1 - Math.exp(-INTERVAL / (minutes * 60)));
        return sum + fresh * Math.exp((-(i - j) * INTERVAL) / (minutes * 60));
      }, 0);
      const text = value(`load/bytes/received/${minutes}min`) ?? '';
      assert.match(text, /^\d+\.\d\d$/);
      assert.ok(Math.abs(Number(text) - mean) < 0.0051, `interval ${i}, ${minutes}min: ${text}, expected ${mean}`);
    }
  }
});

test('load averages: as mosquitto 2.0.11 tells them of 27 bytes in 3 seconds', async () => {
  const table = new SysTable();
  const counters = new Counters();
  counters.bytesReceived = 27;
  table.average(counters, 3);
  const readings = { counters, version: '', seconds: 0, heapBytes: 0, heapMaximumBytes: 0, subscriptions: 0 };
  const all = { ...readings, sharedSubscriptions: 0, retained: 0, away: 0 };
  const loads = table.topics.filter(({ topic }) => topic.startsWith('$SYS/broker/load/bytes/received/'));
  assert.equal(
    loads.map(({ read }) => read(all)),
    [26.34, 5.37, 1.8],
  );
});

test('only what has changed is told, and told once', async () => {
  const { clock, counters, told, sys, quiet } = setUp();
  quiet();
  sys.start();
  told.length = 0;
  await clock.advance(INTERVAL * 1000);
  assert.equal(told, ['$SYS/broker/uptime 10 seconds']);
  told.length = 0;
  counters.loggedIn();
  await clock.advance(INTERVAL * 1000);
  assert.equal(told, [
    '$SYS/broker/uptime 20 seconds',
    '$SYS/broker/clients/total 1',
    '$SYS/broker/clients/connected 1',
    '$SYS/broker/clients/active 1',
    '$SYS/broker/clients/maximum 1',
  ]);
});

test('all values of an update are of one moment: telling of the first does not change the last', async () => {
  const { clock, counters, sys, value } = setUp();
  sys.start();
  const before = counters.delivered;
  await clock.advance(INTERVAL * 1000);
  assert.ok(counters.delivered > before);
  assert.is(value('publish/messages/sent'), `${before}`);
});

test('a mean that becomes less by less than its last digit is still told of when that changes', async () => {
  const { clock, counters, told, sys } = setUp();
  sys.start();
  told.length = 0;
  counters.logins = 1;
  const name = '$SYS/broker/load/connections/15min';
  await clock.advance(3_600_000);
  const shown = told.filter((each) => each.startsWith(name)).map((each) => each.slice(name.length + 1));
  assert.equal(shown, ['0.07', '0.06', '0.05', '0.04', '0.03', '0.02', '0.01', '0.00']);
});

test('where nobody listens nothing is made, and new subscribers still get what is', async () => {
  const { clock, told, asked, sys, value } = setUp({ listens: false });
  sys.start();
  await clock.advance(INTERVAL * 1000);
  assert.ok(asked.length > 0);
  assert.equal(told, []);
  assert.is(value('uptime'), '10 seconds');
});

test('[MQTT-4.7.2-1] a filter is answered from here, or from what is retained, and not from both', () => {
  const { kept, sys, values } = setUp();
  sys.start();
  const others = ['#', '+/broker/uptime', '+/#', 'a/b', '$SYSTEM/#', '$SYSTEM', '#/uptime'];
  for (const filter of others) assert.equal(values(filter), [], filter);
  assert.equal(kept, others);
  kept.length = 0;
  assert.is(values('$SYS/#').length, new SysTable().topics.length);
  assert.equal(
    values('$SYS/broker/+/count').map((each) => each.split('/')[2]),
    ['subscriptions', 'shared_subscriptions', 'retained messages'],
  );
  assert.equal(values('$SYS/#/uptime'), ['$SYS/broker/uptime 0 seconds']);
  for (const filter of ['$SYS', '$SYS/broker', '$SYS/broker/uptime/x']) assert.equal(values(filter), [], filter);
  assert.equal(kept, []);
});

test('where nodes have the sessions in common, none says how many there are', () => {
  const { gauges, sys, values } = setUp({ shared: true });
  gauges.away = 3;
  sys.start();
  const names = values('$SYS/broker/clients/+').map((each) => each.replace(/ \d+$/, ''));
  assert.equal(
    names,
    ['connected', 'active', 'expired', 'maximum'].map((name) => `$SYS/broker/clients/${name}`),
  );
});

test('messages are marked as retained, and own their payload', () => {
  const { sys } = setUp();
  sys.start();
  const seen: Message[] = [];
  sys.match('$SYS/broker/uptime', (message) => seen.push(message));
  sys.match('$SYS/broker/uptime', (message) => seen.push(message));
  const [first, second] = seen;
  assert.ok(first !== undefined && second !== undefined && first !== second);
  assert.equal([first.qos, first.retain, first.sequence], [0, true, 0]);
  const bytes = first.data;
  assert.is(first.keep().data, bytes);
});

test('the time of day is set back: the averages go on, and nothing is less than 0', async () => {
  const { clock, counters, sys, value } = setUp();
  sys.start();
  counters.logins = 60;
  await clock.advance(INTERVAL * 1000);
  const before = value('load/connections/1min');
  const now = clock.now();
  clock.now = () => now - 3_600_000;
  await clock.advance(INTERVAL * 1000);
  assert.is(value('uptime'), '0 seconds');
  assert.is(value('load/connections/1min'), before);
});

test('after the end nothing is told', async () => {
  const { clock, told, sys } = setUp();
  sys.start();
  sys.stop();
  told.length = 0;
  await clock.advance(10 * INTERVAL * 1000);
  assert.equal(told, []);
});

/** `a/{b,c}` as `a/b` and `a/c`, for as many braces as there are. */
function expand(name: string): string[] {
  const braces = /\{([^}]*)\}/.exec(name);
  if (braces?.[1] === undefined) return [name];
  return braces[1].split(',').flatMap((each) => expand(name.replace(braces[0], each)));
}

test('README has every topic with its unit, and no other', () => {
  // This file runs compiled, from dist/test/spec/routing.
  const root = [join(import.meta.dirname, '../../../..'), process.cwd()].find((path) =>
    existsSync(join(path, 'README.md')),
  );
  const readme = readFileSync(join(root ?? '.', 'README.md'), 'utf8');
  const section = /\n## [^\n]*`\$SYS\/`\n(.*?)\n## /s.exec(readme)?.[1] ?? '';
  const rows = [...section.matchAll(/^\| `([^`]+)` +\| ([^|]+?) +\|/gm)];
  const documented = rows.flatMap(([, name = '', unit]) => expand(name).map((each) => `$SYS/broker/${each}: ${unit}`));
  assert.equal(documented.sort(), new SysTable().topics.map(({ topic, unit }) => `${topic}: ${unit}`).sort());
});

test.run();
