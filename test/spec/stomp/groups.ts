import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { type FakeConsumption, FakeGroups, messageOf } from './support/fake-queues.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** What a member's frames ask of a group, and what it is told; the group is the test's. */

const groups = suite('STOMP groups');

interface Member {
  readonly harness: Harness;
  readonly groups: FakeGroups;
  readonly client: TestClient;
  readonly membership: FakeConsumption;
}

function joined(lines: readonly string[] = []): Member {
  const fake = new FakeGroups();
  const harness = Harness.open({}, {}, { groups: fake });
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.#', 'group:g', ...lines]);
  const [membership] = fake.memberships;
  if (membership === undefined) throw new Error(`nobody joined: ${client.frames().map(({ body }) => body)}`);
  return { harness, groups: fake, client, membership };
}

groups('SUBSCRIBE with group joins it: with prefetch, order, start, and how long it is kept', () => {
  const options = { prefetch: 3, keptFor: 0, ordered: false, selector: undefined, start: { from: 'new' } };
  const rows: readonly (readonly [lines: readonly string[], options: object])[] = [
    [[], {}],
    [['prefetch:7', 'group-order:key', 'start:first'], { prefetch: 7, ordered: true, start: { from: 'first' } }],
    [['durable:true', 'start:last 5'], { keptFor: 60, start: { from: 'last', count: 5 } }],
    [['durable:true', 'auto-delete:true'], {}],
    [['selector:a = 1'], { selector: 'a = 1' }],
  ];
  for (const [lines, changed] of rows) {
    const { name, filter, options: asked } = joined(lines).groups.joined[0] ?? {};
    assert.is(`${name} ${filter}`, 'g a/#');
    assert.equal({ ...asked, clientId: '' }, { clientId: '', ...options, ...changed }, lines.join());
  }
});

groups('wrong names, orders and what does not go together are refused by header', () => {
  const rows: readonly (readonly [lines: readonly string[], text: RegExp])[] = [
    [['group:'], /header group "" of SUBSCRIBE is empty/],
    [['group:a/b'], /header group "a\/b" of SUBSCRIBE has one of/],
    [['group:a+'], /header group "a\+"/],
    [['group:#'], /header group "#"/],
    [['group:g', 'group-order:topic'], /group-order of SUBSCRIBE is "topic"; key is expected/],
    [['group-order:key'], /group-order of SUBSCRIBE is for groups/],
    [['group:g', 'no-local:true'], /no-local/],
    [['group:g', 'start:soon'], /start of SUBSCRIBE is "soon"; new, first, last N/],
  ];
  for (const [lines, text] of rows) {
    const fake = new FakeGroups();
    const client = Harness.open({}, {}, { groups: fake }).connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', ...lines, 'receipt:r']);
    expectError(client, text, 'r');
    assert.is(fake.joined.length, 0);
  }
  const fake = new FakeGroups();
  const client = Harness.open({ stompHeaderBytes: 2000 }, {}, { groups: fake }).connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', `group:${'x'.repeat(1020)}`]);
  expectError(client, /limits\.topicBytes/);
});

groups('messages are settled as those of queues: sent, by ACK, by NACK with or without a delay', async () => {
  const auto = joined();
  auto.membership.give('a', '1');
  assert.equal(auto.membership.settlements, ['1 accept']);
  const { client, membership } = joined(['ack:client-individual']);
  await client.later();
  for (const body of ['1', '2', '3']) membership.give('a/b', body, { key: 'k' }, 2);
  const frames = client.frames();
  assert.equal(
    frames.map(({ headers }) => [headers.destination, headers.key, headers['delivery-count'], headers.redelivered]),
    frames.map(() => ['/topic/a.b', 'k', '2', 'true']),
  );
  client.send('ACK', [`id:${frames[0]?.headers.ack}`]);
  client.send('NACK', [`id:${frames[1]?.headers.ack}`, 'delay:9']);
  client.send('NACK', [`id:${frames[2]?.headers.ack}`, 'requeue:false', 'receipt:r']);
  assert.equal(membership.settlements, ['1 accept', '2 requeue 9', '3 reject']);
  assert.equal(await client.later(), []);
  membership.keep();
  assert.is((await client.later()).length, 1);
});

groups('live messages go to a member that has room, and are settled by being sent', () => {
  const { client, groups: fake, membership, harness } = joined(['ack:client-individual', 'prefetch:1']);
  const [member] = fake.members;
  assert.is(member?.takeLive(messageOf('a', 'live')), true);
  assert.is(member?.takeLive(messageOf('a', 'no room')), false);
  const { pumps } = membership;
  client.send('ACK', [`id:${client.frame().headers.ack}`]);
  assert.equal(membership.settlements, []);
  assert.is(membership.pumps, pumps + 1);
  assert.is(member?.takeLive(messageOf('a', 'old', { expiresAt: harness.clock.now() })), true);
  assert.equal(client.bodies(), []);
  assert.is(harness.counters.droppedExpired, 1);
});

groups('position: where it is asked for, or a start is, and the message is of the log', () => {
  for (const [lines, expected] of [
    [[], [undefined, undefined]],
    [['positions:true'], ['0-17', undefined]],
    [['start:first'], ['0-17', undefined]],
    [
      ['start:first', 'positions:false'],
      [undefined, undefined],
    ],
  ] as const) {
    const { client, groups: fake } = joined(lines);
    fake.members[0]?.take(messageOf('a', '1', undefined, 17), { number: 1, count: 1, redelivered: false });
    fake.members[0]?.takeLive(messageOf('a', 'live'));
    assert.equal(
      client.frames().map(({ headers }) => headers.position),
      expected,
      lines.join(),
    );
  }
});

groups('the group of a durable member is kept, unless it says otherwise', async () => {
  const rows: readonly (readonly [lines: readonly string[], end: readonly string[] | undefined, left: string])[] = [
    [[], undefined, 'forget'],
    [[], ['id:1'], 'forget'],
    [['durable:true'], undefined, 'leave'],
    [['durable:true'], ['id:1'], 'leave'],
    [['durable:true'], ['id:1', 'durable:true'], 'forget'],
    [['durable:true'], ['id:1', 'durable:true', 'destination:/topic/a.#'], 'forget'],
  ];
  for (const [lines, end, left] of rows) {
    const { client, membership } = joined(lines);
    await client.later();
    if (end === undefined) client.drop();
    else client.send('UNSUBSCRIBE', end);
    assert.is(membership.left, left, `${lines.join()} ${end?.join()}`);
  }
});

groups.run();
