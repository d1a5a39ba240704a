import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Properties } from '../../../src/core/message.ts';
import { GroupsNode, TestMember } from './support/groups.ts';

/** A group for a part of its filter's messages: its selector is its members' own, and what it does not take is settled. */

const test = suite('routing/groups selector');

const kind = (value: string): Properties => ({ user: [['kind', value]] });
const ODD = "kind = 'odd'";

/** Messages of these numbers, odd and even. */
async function publish(node: GroupsNode, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) node.publish('t/1', `${i}`, kind(i % 2 === 1 ? 'odd' : 'even'));
  await node.turn();
}

function eager(): TestMember {
  const member = new TestMember();
  member.eager = true;
  return member;
}

test('its members share what it selects, and get nothing else', async () => {
  const node = await GroupsNode.start();
  const one = await node.joined({ selector: ODD }, eager());
  const two = await node.joined({ selector: ODD }, eager());
  await publish(node, 0, 100);
  const odd = Array.from({ length: 50 }, (_, i) => `${2 * i + 1}`);
  assert.equal(
    [...one.texts, ...two.texts].sort((a, b) => Number(a) - Number(b)),
    odd,
  );
  assert.ok(one.texts.length > 0 && two.texts.length > 0);
});

test('so they do when it is read from the log: a start, and what came while they had no room', async () => {
  const node = await GroupsNode.start();
  await publish(node, 0, 100);
  const member = await node.joined({ selector: ODD, start: { from: 'first' }, prefetch: 3 });
  assert.equal(member.texts, ['1', '3', '5']);
  await publish(node, 100, 200);
  while (member.unsettled.length > 0) {
    member.settle();
    await node.turn();
  }
  assert.equal(
    member.texts,
    Array.from({ length: 100 }, (_, i) => `${2 * i + 1}`),
  );
});

test('what it does not select is settled: its place is behind it', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ selector: ODD, keptFor: 60 });
  await publish(node, 0, 10);
  member.settle();
  node.publish('t/1', 'even', kind('even'));
  await node.turn();
  const status = await node.status();
  assert.equal(status?.positions, status?.ends);
  assert.is(status?.unsettled, 0);
});

test('kept without members it goes on with the same selector, and begins anew with another one, or none', async () => {
  for (const [before, after, came] of [
    [ODD, ODD, ['1', '3']],
    [ODD, "kind = 'even'", []],
    [ODD, undefined, []],
    [undefined, ODD, []],
    [undefined, undefined, ['0', '1', '2', '3']],
  ] as const) {
    const node = await GroupsNode.start();
    const first = await node.joined({ selector: before, keptFor: 60 }, eager());
    first.leave();
    await node.turn();
    await publish(node, 0, 4);
    const second = await node.joined({ selector: after, keptFor: 60 }, eager());
    assert.equal(second.texts, came, `${before} then ${after}`);
    await publish(node, 4, 6);
    const next = after === ODD ? ['5'] : after === undefined ? ['4', '5'] : ['4'];
    assert.equal(second.texts.slice(came.length), next, `${before} then ${after}, then`);
  }
});

test('what came back is selected no second time, and a crash changes nothing', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ selector: ODD, keptFor: 60 });
  await publish(node, 0, 6);
  assert.equal(member.texts, ['1', '3', '5']);
  member.settle(1);
  await node.advance(1000);
  const again = await GroupsNode.start(node);
  await publish(again, 6, 8);
  const second = await again.joined({ selector: ODD, keptFor: 60 }, eager());
  assert.equal(second.texts, ['3', '5', '7']);
});

test('a member with another selector than the others is refused, with both', async () => {
  for (const [is, asked, text] of [
    [ODD, "kind = 'even'", `the selector of group g is "kind = 'odd'", not "kind = 'even'"`],
    [ODD, undefined, `the selector of group g is "kind = 'odd'", not none`],
    [undefined, ODD, `the selector of group g is none, not "kind = 'odd'"`],
  ] as const) {
    const node = await GroupsNode.start();
    const first = await node.joined({ selector: is }, eager());
    const second = await node.joined({ selector: asked });
    assert.is(second.endedWith?.code, 'fieldInvalid');
    assert.is(second.endedWith?.message, text);
    await publish(node, 1, 2);
    assert.equal(first.texts, ['1'], 'the group goes on');
  }
});

test('live messages go round among the members, what is not selected to nobody', async () => {
  const node = await GroupsNode.start();
  const members = [await node.joined({ selector: ODD }), await node.joined({ selector: ODD })];
  for (let i = 1; i <= 8; i++) node.publish('t/1', `${i}`, kind(i % 2 === 1 ? 'odd' : 'even'), 0);
  await node.turn();
  assert.equal(
    members.map(({ live }) => live.length),
    [2, 2],
  );
  assert.equal(members.flatMap(({ live }) => live).sort(), ['1', '3', '5', '7']);
  for (const member of members) member.takesLive = false;
  node.publish('t/1', '9', kind('odd'), 0);
  node.publish('t/1', '10', kind('even'), 0);
  assert.is(node.counters.droppedSlow, 1, 'only what somebody wanted');
});

test('one that cannot be read is refused, and ends its member where it comes from another node', async () => {
  const node = await GroupsNode.start();
  assert.throws(() => node.join({ selector: 'a =' }), /a value is expected/);
  const member = new TestMember();
  const options = { clientId: 'c', prefetch: 1, keptFor: 0, ordered: false, start: { from: 'new' } } as const;
  node.groups.consume('g', 't/#', member, { ...options, selector: 'a =' });
  await node.turn();
  assert.is(member.endedWith?.code, 'fieldInvalid');
  const next = await node.joined({ selector: ODD }, eager());
  await publish(node, 1, 2);
  assert.equal(next.texts, ['1']);
});

test.run();
