import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import type { Start } from '../../../src/core/start.ts';
import { expectError } from './support/expect-error.ts';
import { bodiesOf } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** SUBSCRIBE with a start, and messages that say where in the log they are. */

const NAMED = 'activemq.subscriptionName:d';

const replay = suite('STOMP replay');

interface Log {
  readonly harness: Harness;
  readonly client: TestClient;
  /** What was asked for, as text. */
  readonly asked: string[];
  /** Answers the question for the start: these positions, or an error. */
  answer: (from: readonly number[] | Error) => void;
}

/** A log of the messages 1 to 5, and of as many that are of another topic. */
function log(): Log {
  const asked: string[] = [];
  const startOf = (start: Start, filter: string): Promise<readonly number[]> => {
    asked.push(`${filter} ${JSON.stringify(start)}`);
    return new Promise((resolve, reject) => {
      opened.answer = (from) => (from instanceof Error ? reject(from) : resolve(from));
    });
  };
  const harness = Harness.open({}, {}, { startOf });
  const opened: Log = { harness, client: harness.connect(), asked, answer: () => {} };
  for (let i = 1; i <= 5; i++) {
    harness.publish('other', `${i}`, undefined, 1);
    harness.publish('a/b', `${i}`, undefined, 1);
  }
  return opened;
}

/** The first of these that `log` has logged. */
const FIRST = 1;

replay('start is read in all its forms, and what is none is refused with them', () => {
  const rows: readonly (readonly [text: string, start: Start])[] = [
    ['first', { from: 'first' }],
    ['last 10', { from: 'last', count: 10 }],
    ['time 2000000', { from: 'time', time: 2_000_000 }],
    ['position 0-7', { from: 'position', shard: 0, sequence: 7 }],
  ];
  for (const [text, start] of rows) {
    const { client, asked } = log();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.#', `start:${text}`]);
    assert.equal(asked, [`a/# ${JSON.stringify(start)}`]);
  }
  for (const text of ['', 'last', 'begin', 'position 7']) {
    const { client } = log();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', `start:${text}`, 'receipt:r']);
    expectError(client, /header start of SUBSCRIBE is ".*"; new, first, last N, time T .* is expected/, 'r');
  }
  const { client } = log();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'positions:yes']);
  expectError(client, /header positions of SUBSCRIBE is "yes"; true or false/);
});

replay('it begins there, then goes on live without gap or double, with positions and the receipt', async () => {
  const opened = log();
  const { harness, client } = opened;
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.#', 'start:last 3', 'receipt:r']);
  // Published while it is being found out where it begins.
  harness.publish('a/b', '6', undefined, 1);
  assert.equal(await client.later(), []);
  opened.answer([FIRST + 4]);
  const frames = await client.later();
  harness.publish('a/b', '7', undefined, 1);
  harness.publish('a/b', 'live');
  frames.push(...(await client.later()));
  assert.equal(bodiesOf(frames), ['3', '4', '5', '6', '7', 'live']);
  assert.equal(
    frames.flatMap(({ command, headers }) => (command === 'MESSAGE' ? [headers.position] : [])),
    ['0-6', '0-8', '0-10', '0-11', '0-12', undefined],
  );
  assert.is(frames.filter(({ command }) => command === 'RECEIPT').length, 1);
});

replay('the window and a full connection hold for what is replayed', async () => {
  const opened = log();
  const { client } = opened;
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.b', 'start:first', 'ack:client', 'prefetch:2']);
  opened.answer([FIRST]);
  const seen: string[] = [];
  for (let frames = await client.later(); frames.length > 0; frames = await client.later()) {
    assert.ok(frames.length <= 2);
    seen.push(...bodiesOf(frames));
    client.send('ACK', [`id:${frames.at(-1)?.headers.ack}`]);
  }
  assert.equal(seen, ['1', '2', '3', '4', '5']);
});

replay('a position that is still to come: nothing before it', async () => {
  const opened = log();
  const { harness, client } = opened;
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.b', 'start:position 0-13']);
  opened.answer([13]);
  await harness.turn();
  for (const body of ['11', '12', '13', '14']) harness.publish('a/b', body, undefined, 1);
  assert.equal(bodiesOf(await client.later()), ['13', '14']);
});

replay('what is retained comes with start:new and without a start, not with another one', async () => {
  for (const [lines, expected] of [
    [[NAMED], ['kept']],
    [[NAMED, 'start:last 0'], []],
    [[], ['kept']],
    [['start:new'], ['kept']],
    [['start:last 0'], []],
  ] as const) {
    const opened = log();
    const { harness } = opened;
    const client = connect(harness);
    harness.publish('a/b', 'kept', undefined, 0, true);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.b', ...lines]);
    await harness.turn();
    opened.answer([FIRST + 10]);
    assert.equal(bodiesOf(await client.later()), expected, lines.join());
  }
});

replay('positions:true, without a start', async () => {
  const { harness, client } = log();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.b', 'positions:true']);
  client.send('SUBSCRIBE', ['id:2', 'destination:/topic/a.b']);
  harness.publish('a/b', '6', undefined, 1);
  assert.equal(
    (await client.later()).map(({ headers }) => `${headers.subscription} ${headers.position}`),
    ['1 0-11', '2 undefined'],
  );
});

replay('no-local holds for what is replayed', async () => {
  const opened = log();
  const { client } = opened;
  client.send('SEND', ['destination:/topic/a.b', 'persistent:true'], 'own');
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.b', 'start:last 2', 'no-local:true']);
  opened.answer([FIRST + 9]);
  assert.equal(bodiesOf(await client.later()), ['5']);
});

replay(
  'a start that cannot be found out is an ERROR with the receipt-id; one that comes too late changes nothing',
  async () => {
    const failing = log();
    failing.client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.b', 'start:first', 'receipt:r']);
    failing.answer(new BrokerError('unavailable', 'the log cannot be read now'));
    await failing.harness.turn();
    expectError(failing.client, 'the log cannot be read now', 'r');
    for (const end of ['UNSUBSCRIBE', 'drop']) {
      const late = log();
      late.client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.b', 'start:first']);
      if (end === 'drop') late.client.drop();
      else late.client.send(end, ['id:1']);
      late.answer([FIRST]);
      late.harness.publish('a/b', '6', undefined, 1);
      assert.equal(bodiesOf(await late.client.later()), [], end);
    }
  },
);

const DURABLE = ['id:1', 'destination:/topic/a.b', NAMED];

/** By client id and name, as in ActiveMQ. */
function connect(harness: Harness): TestClient {
  return harness.connect('1.2', 'tcp', ['client-id:me']);
}

replay('a durable subscription that is new begins there; one that is kept goes on where it is', async () => {
  const opened = log();
  const { harness } = opened;
  const first = connect(harness);
  first.send('SUBSCRIBE', [...DURABLE, 'start:last 2', 'receipt:r']);
  await harness.turn();
  opened.answer([FIRST + 6]);
  const frames = await first.later();
  assert.equal(bodiesOf(frames), ['4', '5']);
  assert.is(frames.filter(({ command }) => command === 'RECEIPT').length, 1);
  first.send('DISCONNECT');
  await harness.turn();
  harness.publish('a/b', '6', undefined, 1);
  const second = connect(harness);
  second.send('SUBSCRIBE', [...DURABLE, 'start:first']);
  assert.equal(bodiesOf(await second.later()), ['6']);
  assert.is(opened.asked.length, 1);
});

replay(
  'a durable subscription whose connection goes before it is known where it begins is kept, from there on',
  async () => {
    const opened = log();
    const { harness } = opened;
    const first = connect(harness);
    first.send('SUBSCRIBE', [...DURABLE, 'start:first']);
    await harness.turn();
    first.drop();
    opened.answer([FIRST + 6]);
    await harness.turn();
    const second = connect(harness);
    second.send('SUBSCRIBE', DURABLE);
    assert.equal(bodiesOf(await second.later()), ['4', '5']);
  },
);

replay('a durable subscription that could not begin is not kept', async () => {
  const opened = log();
  const { harness } = opened;
  const first = connect(harness);
  first.send('SUBSCRIBE', [...DURABLE, 'start:first', 'receipt:r']);
  await harness.turn();
  opened.answer(new BrokerError('unavailable', 'the log cannot be read now'));
  await harness.turn();
  expectError(first, 'cannot be read', 'r');
  const second = connect(harness);
  second.send('SUBSCRIBE', [...DURABLE, 'start:first']);
  await harness.turn();
  opened.answer([FIRST]);
  assert.equal(bodiesOf(await second.later()), ['1', '2', '3', '4', '5']);
});

replay.run();
