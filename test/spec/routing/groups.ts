import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GroupsNode, numbers, TestMember } from './support/groups.ts';

/** What members of a group get. */

const test = suite('routing/groups');

test('logged messages go to one member each, to each in its turn', async () => {
  const node = await GroupsNode.start();
  const members = [await node.joined(), await node.joined(), await node.joined()];
  await node.publishAll('t/a', 0, 30);
  for (const { taken } of members) assert.is(taken.length, 10);
  assert.equal(
    members.flatMap(({ texts }) => texts).sort((a, b) => Number(a) - Number(b)),
    numbers(0, 30),
  );
  for (const { taken } of members) {
    assert.ok(taken.every(({ delivery: { count, redelivered } }) => count === 1 && !redelivered));
    assert.ok(taken.every(({ message: { shard, sequence } }) => shard === 0 && sequence > 0));
  }
});

test('live messages go to one member each; one that cannot write leaves them to others', async () => {
  const node = await GroupsNode.start();
  const [one, two] = [await node.joined(), await node.joined()];
  for (const i of numbers(0, 10)) node.publish('t', i, undefined, 0);
  assert.equal([one.live.length, two.live.length], [5, 5]);
  one.takesLive = false;
  for (const i of numbers(10, 14)) node.publish('t', i, undefined, 0);
  assert.equal(two.live.slice(5), numbers(10, 14));
  two.takesLive = false;
  node.publish('t', 'lost', undefined, 0);
  assert.is(node.counters.droppedSlow, 1);
  two.leave();
  one.takesLive = true;
  node.publish('t', 'last', undefined, 0);
  assert.is(one.live.at(-1), 'last');
  assert.equal([...one.texts, ...two.texts], [], 'none of them is logged');
});

test('a member has no more unsettled than its prefetch; the others get the rest', async () => {
  const node = await GroupsNode.start();
  const [narrow, wide] = [await node.joined({ prefetch: 2 }), await node.joined({ prefetch: 100 })];
  await node.publishAll('t', 0, 50);
  assert.is(narrow.taken.length, 2);
  assert.is(wide.taken.length, 48);
  narrow.settle(1);
  await node.publishAll('t', 50, 60);
  assert.is(narrow.taken.length, 3);
});

test('all of a long log goes through members with small prefetch, in order', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ prefetch: 3 });
  await node.publishAll('t', 0, 1000);
  for (let i = 0; i < 400 && member.taken.length < 1000; i++) {
    member.settle();
    await node.turn(2);
  }
  assert.equal(member.texts, numbers(0, 1000));
});

test('a member that settles during the call that gives gets all', async () => {
  const node = await GroupsNode.start();
  const member = new TestMember();
  member.eager = true;
  await node.joined({ prefetch: 1 }, member);
  await node.publishAll('t', 0, 200);
  await node.turn(50);
  assert.equal(member.texts, numbers(0, 200));
});

test('the log is read no further than members have room, and not at all at its end', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ prefetch: 5 });
  for (let i = 0; i < 20; i++) {
    await node.publishAll('t', i * 5, i * 5 + 5);
    member.settle();
  }
  assert.is(node.reads, 0, 'at the end messages come from the router');
  await node.publishAll('t', 100, 3000);
  assert.is(member.taken.length, 105);
  assert.ok(node.reads < 5, `${node.reads} reads with a full member`);
  const status = await node.status();
  assert.ok((status?.unsettled ?? 0) <= 20, `${status?.unsettled} messages are held`);
});

test('what a member that goes has not settled goes to the others, redelivered, and nothing else comes twice', async () => {
  const node = await GroupsNode.start();
  const [lost, other] = [await node.joined({ prefetch: 5 }), await node.joined({ prefetch: 5 })];
  await node.publishAll('t', 0, 10);
  const settled = lost.settle(2);
  const left = lost.unsettled.map(({ text }) => text);
  assert.is(left.length, 3);
  lost.leave();
  other.settle();
  await node.turn();
  const again = other.taken.filter(({ delivery }) => delivery.redelivered);
  assert.equal(
    again.map(({ text }) => text),
    left,
  );
  assert.ok(again.every(({ delivery }) => delivery.count === 2));
  assert.not(other.texts.some((text) => settled.includes(text)));
  assert.is(new Set(other.texts).size, other.texts.length);
});

test('a message given back comes again, at once or after its delay; a rejected one is gone, and counted', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ prefetch: 1 });
  await node.publishAll('t', 0, 4);
  member.settle(1, 'requeue');
  await node.turn();
  assert.equal(member.texts, ['0', '0']);
  member.settle(1, 'requeue', 500);
  await node.turn();
  assert.equal(member.texts, ['0', '0', '1'], 'others go on meanwhile');
  member.settle(1, 'reject');
  await node.turn();
  assert.is(node.counters.droppedQueue, 1);
  await node.advance(499);
  member.settle();
  await node.turn();
  assert.equal(member.texts.slice(3), ['2', '3']);
  await node.advance(1);
  member.settle();
  await node.turn();
  assert.equal(member.texts.slice(5), ['0']);
  assert.is(member.taken.at(-1)?.delivery.count, 3);
});

test('a member that is never ready does not keep messages from the others', async () => {
  const node = await GroupsNode.start();
  const stuck = new TestMember();
  stuck.isReady = false;
  await node.joined({ prefetch: 1000 }, stuck);
  const other = await node.joined({ prefetch: 10 });
  await node.publishAll('t', 0, 500);
  for (let i = 0; i < 100 && other.taken.length < 500; i++) {
    other.settle();
    await node.turn(2);
  }
  assert.equal(other.texts, numbers(0, 500));
  assert.equal(stuck.texts, []);
});

test('a member that was not ready goes on when it says so, or is asked again after a second', async () => {
  const node = await GroupsNode.start();
  const member = new TestMember();
  member.isReady = false;
  await node.joined({}, member);
  await node.publishAll('t', 0, 2);
  assert.equal(member.texts, []);
  member.isReady = true;
  member.joined.pump();
  await node.turn();
  assert.equal(member.texts, ['0', '1']);
  member.isReady = false;
  await node.publishAll('t', 2, 3);
  member.isReady = true;
  await node.advance(1000);
  assert.equal(member.texts, ['0', '1', '2']);
});

test('expired messages are passed over and counted, also those that came back', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ prefetch: 1 });
  const expiresAt = node.clock.now() + 1000;
  for (const text of ['kept', 'old', 'older']) node.publish('t', text, text === 'kept' ? undefined : { expiresAt });
  node.publish('t', 'last');
  await node.turn();
  await node.advance(1000);
  member.settle();
  await node.turn();
  assert.equal(member.texts, ['kept', 'last']);
  assert.is(node.counters.droppedExpired, 2);
  node.publish('t', 'short', { expiresAt: node.clock.now() + 50 });
  await node.turn();
  member.settle();
  await node.turn();
  member.settle(1, 'requeue', 100);
  await node.advance(200);
  assert.equal(member.texts, ['kept', 'last', 'short']);
  assert.is(node.counters.droppedExpired, 3);
});

test('the priority of a message does not change its place in the log', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ prefetch: 1 });
  for (const i of numbers(0, 20)) node.publish('t', i, { priority: Number(i) % 10 });
  await node.turn();
  for (let i = 0; i < 20; i++) {
    member.settle();
    await node.turn();
  }
  assert.equal(member.texts, numbers(0, 20));
});

test('other nodes are asked for live messages of the group, and not for all that match', async () => {
  const node = await GroupsNode.start();
  const asked: string[] = [];
  node.backbone.live.interest = (filter, wanted, share) => asked.push(`${wanted ? '+' : '-'}${filter} ${share}`);
  const [one, two] = [await node.joined(), await node.joined()];
  for (const member of [one, two]) member.leave(true);
  assert.equal(asked, ['+t/# g/t/#', '-t/# g/t/#']);
});

test('groups of other names or filters have places of their own', async () => {
  const node = await GroupsNode.start();
  const members = [
    node.join({}, undefined, 'g', 't/#'),
    node.join({}, undefined, 'h', 't/#'),
    node.join({}, undefined, 'g', 't/1'),
  ];
  await node.turn();
  await node.publishAll('t/1', 0, 2);
  for (const { texts } of members) assert.equal(texts, ['0', '1']);
  assert.is(node.groups.size, 3);
  for (const member of members) member.leave(true);
  assert.is(node.groups.size, 0);
});

test.run();
