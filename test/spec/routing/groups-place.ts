import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import { GroupsNode, numbers, startAt, TestMember } from './support/groups.ts';

/** A group's place in the log: where it begins, how long it is kept, how it is seen and moved. */

const test = suite('routing/groups place');
const lasting = { keptFor: 600 };

async function refusal(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof BrokerError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing was refused';
}

for (const [text, expected] of [
  ['new', []],
  ['first', numbers(0, 10)],
  ['last 3', numbers(7, 10)],
  ['position 0-5', numbers(4, 10)],
  ['time 1000500', numbers(5, 10)],
] as const) {
  test(`a new group begins where its first member says: ${text}; and goes on with what is new`, async () => {
    const node = await GroupsNode.start();
    await node.publishAll('t', 0, 5);
    await node.publishAll('other', 100, 105);
    await node.advance(500);
    await node.publishAll('t', 5, 10);
    const member = await node.joined({ prefetch: 100, start: startAt(text) });
    await node.publishAll('t', 10, 12);
    await node.turn();
    assert.equal(member.texts, [...expected, ...numbers(10, 12)]);
    const second = await node.joined({ prefetch: 100, start: startAt('first') });
    assert.equal(second.texts, [], 'one that is there goes on where it is');
  });

  test(`a group is moved: ${text}; what is with a member stays there`, async () => {
    const node = await GroupsNode.start();
    await node.publishAll('t', 0, 5);
    await node.publishAll('other', 100, 105);
    await node.advance(500);
    await node.publishAll('t', 5, 10);
    const member = await node.joined({ prefetch: 2, start: startAt('first') });
    assert.equal(member.texts, ['0', '1']);
    await node.move(text);
    for (let i = 0; i < 12; i++) {
      assert.equal(member.settle().length <= 2, true);
      await node.turn();
    }
    assert.equal(member.texts, ['0', '1', ...expected]);
  });
}

test('messages from the time a group is asked for are its own, also before it is open', async () => {
  const node = await GroupsNode.start();
  await node.publishAll('t', 0, 3);
  const member = node.join();
  node.publish('t', 'at once');
  await node.turn();
  assert.equal(member.texts, ['at once']);
});

test('one that joins while a new group is stored becomes a member once, when it is', async () => {
  const node = await GroupsNode.start();
  const { state } = node.backbone;
  const put = state.put.bind(state);
  let store = (): void => {};
  state.put = (...of) =>
    new Promise((resolve) => {
      store = () => resolve(put(...of));
    });
  const members = [node.join({ prefetch: 2 })];
  await node.turn();
  members.push(node.join({ prefetch: 2 }));
  await node.publishAll('t', 0, 4);
  assert.equal(
    members.map(({ texts }) => texts),
    [[], []],
  );
  state.put = put;
  store();
  await node.turn();
  assert.equal(
    members.map(({ texts }) => texts.length),
    [2, 2],
  );
  for (const member of members) member.settle();
  await node.turn();
  assert.is((await node.status())?.unsettled, 0);
});

test('a start that cannot be is refused, and makes no group', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ ...lasting, start: startAt('position 0-9') });
  assert.match(await refusal(member.joined.opened), 'fieldInvalid: start is position 0-9');
  assert.is(member.endedWith?.code, 'fieldInvalid');
  assert.is(await node.status(), undefined);
  assert.is(node.groups.size, 0);
});

test('with a durable member gone, a group waits and goes on where it stood; what was not settled comes again', async () => {
  const node = await GroupsNode.start();
  const first = await node.joined({ ...lasting, prefetch: 3 });
  await node.publishAll('t', 0, 10);
  first.settle(1);
  await node.turn();
  assert.equal(
    first.unsettled.map(({ text }) => text),
    ['1', '2', '3'],
  );
  first.leave();
  await node.turn();
  assert.is(node.groups.size, 0);
  await node.publishAll('t', 10, 12);
  const second = await node.joined({ prefetch: 100 });
  assert.equal(second.texts, numbers(1, 12));
  const again = second.taken.slice(0, 3).map(({ delivery: { redelivered, count } }) => [redelivered, count]);
  assert.equal(again, Array(3).fill([true, 2]));
  assert.is(second.taken.at(-1)?.delivery.redelivered, false);
});

test('after a crash nothing is lost, and what was settled a checkpoint before does not come again', async () => {
  const node = await GroupsNode.start();
  const first = await node.joined({ ...lasting, prefetch: 5 });
  await node.publishAll('t', 0, 20);
  first.settle(3);
  await node.advance(200);
  const settled = ['0', '1', '2'];
  const next = await GroupsNode.start(node);
  const second = await next.joined({ prefetch: 100 });
  assert.equal(
    second.texts,
    numbers(0, 20).filter((text) => !settled.includes(text)),
  );
  assert.ok(second.taken.slice(0, 5).every(({ delivery }) => delivery.redelivered));
  // What is settled durably is so at once.
  const [{ text = '' } = {}] = second.unsettled;
  second.settle(1);
  await next.result(second.joined.settled());
  const third = await (await GroupsNode.start(next)).joined({ prefetch: 100 });
  assert.not(third.texts.includes(text));
  assert.is(third.texts.length, 16);
});

test('a group is forgotten when all its members have let go of it, and kept when one has not', async () => {
  const node = await GroupsNode.start();
  const [gone, durable, clean] = [await node.joined(), await node.joined(lasting), await node.joined()];
  gone.leave(true);
  durable.leave(false);
  clean.leave(true);
  await node.turn();
  assert.ok(await node.status(), 'the durable one may return');
  const again = await node.joined(lasting);
  again.leave(true);
  await node.turn();
  assert.ok(await node.status(), 'it cannot be known who returned');
  await node.advance(600_001);
  assert.is(await node.status(), undefined, 'its time is over');
  const [one, two] = [await node.joined(), await node.joined()];
  one.leave(true);
  two.leave(true);
  await node.turn();
  assert.is(await node.status(), undefined);
});

for (const left of [true, false]) {
  test(`a durable member ${left ? 'that left before' : 'of the time of'} a crash is remembered`, async () => {
    const node = await GroupsNode.start();
    const [durable] = [await node.joined(lasting), await node.joined()];
    if (left) durable.leave(false);
    await node.publishAll('t', 100, 101);
    await node.advance(200);
    const next = await GroupsNode.start(node);
    const clean = await next.joined();
    await next.publishAll('t', 0, 3);
    clean.leave(true);
    await next.turn();
    const status = await next.status();
    assert.equal([status?.lag, status?.unsettled, status?.members], [4, 0, 0]);
  });
}

test('one that leaves before the group is open leaves its place as it was', async () => {
  const node = await GroupsNode.start();
  const first = await node.joined({ ...lasting, prefetch: 2 });
  await node.publishAll('t', 0, 5);
  first.leave();
  await node.turn();
  const hasty = node.join(lasting);
  hasty.leave();
  await node.publishAll('t', 5, 6);
  const last = await node.joined({ prefetch: 100 });
  assert.equal(last.texts, numbers(0, 6));
  assert.equal(hasty.texts, []);
  last.leave(true);
  await node.turn();
  const creator = node.join(lasting, undefined, 'new');
  creator.leave();
  await node.turn();
  await node.publishAll('t', 6, 8);
  const owner = node.join({}, undefined, 'new');
  await node.turn();
  assert.equal(owner.texts, ['6', '7']);
});

test('a joiner that wants another order is refused, with both', async () => {
  const node = await GroupsNode.start();
  const first = await node.joined({ ...lasting, ordered: true });
  const other = await node.joined({ ordered: false });
  assert.is(await refusal(other.joined.opened), 'fieldInvalid: the order of group g is key, not none');
  assert.is(other.endedWith?.code, 'fieldInvalid');
  node.publish('t', 'live', undefined, 0);
  await node.publishAll('t', 0, 2);
  assert.equal([first.texts, first.live], [['0', '1'], ['live']]);
  first.leave();
  await node.turn();
  const late = await node.joined({ ordered: false });
  assert.match(await refusal(late.joined.opened), 'key, not none', 'it is kept with the place');
  await node.turn();
  assert.is((await node.status())?.ordered, true);
  const fit = await node.joined({ ordered: true });
  assert.equal(fit.texts, ['0', '1']);
});

test('status: lag counts what matches, with members and without; there is none of what is not', async () => {
  const node = await GroupsNode.start();
  assert.is(await node.status(), undefined);
  const member = await node.joined({ ...lasting, prefetch: 2 });
  for (const i of numbers(0, 50)) node.publish(Number(i) % 2 === 0 ? 't' : 'other', i);
  await node.turn();
  const status = await node.status();
  assert.equal(
    { ...status, positions: undefined },
    {
      name: 'g',
      filter: 't/#',
      ordered: false,
      members: 1,
      node: node.backbone.cluster.node,
      ends: [51],
      lag: 23,
      unsettled: 2,
      positions: undefined,
    },
  );
  member.leave();
  await node.turn();
  const kept = await node.status();
  assert.equal([kept?.members, kept?.lag, kept?.unsettled], [0, 25, 0]);
  assert.equal(kept?.positions, status?.positions);
});

test('a group without members is moved, and stays kept; one that is not there cannot be', async () => {
  const node = await GroupsNode.start();
  await node.publishAll('t', 0, 10);
  const member = await node.joined(lasting);
  member.leave();
  await node.turn();
  await node.move('last 4');
  await node.turn();
  assert.is((await node.status())?.lag, 4);
  assert.is(node.groups.size, 0);
  assert.match(await refusal(node.move('position 0-99')), 'fieldInvalid');
  assert.is((await node.status())?.lag, 4);
  assert.is(await refusal(node.move('new', 'none')), 'notFound: there is no group none of t/#');
  await node.turn();
  assert.is(await node.status('none'), undefined);
  assert.equal((await node.joined()).texts, numbers(6, 10));
});

test('a group that was moved back has each message once after a crash, also what is with a member', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ ...lasting, prefetch: 5 });
  await node.publishAll('t', 0, 10);
  assert.is(member.unsettled.length, 5);
  await node.move('first');
  await node.advance(200);
  const next = await GroupsNode.start(node);
  const after = await next.joined({ prefetch: 100 });
  assert.equal(after.texts, numbers(0, 10));
});

test('the lag of more than 100,000 messages is an estimate', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ ...lasting, prefetch: 1 });
  for (let i = 0; i < 240_000; i++) node.publish(i % 2 === 0 ? 't' : 'other', '');
  await node.turn();
  assert.is(member.taken.length, 1);
  const lag = (await node.status())?.lag ?? 0;
  assert.ok(Math.abs(lag - 119_999) < 100, `${lag}`);
});

test('of a group that another node has from now on, the members are told, and the place is there for it', async () => {
  const node = await GroupsNode.start();
  const [one, two] = [await node.joined({ prefetch: 2 }), await node.joined({ ...lasting, prefetch: 2 })];
  await node.publishAll('t', 0, 6);
  one.settle(1);
  const settled = one.texts[0];
  node.groups.drop('g', 't/#');
  assert.equal([one.endedWith?.code, two.endedWith?.code], ['unavailable', 'unavailable']);
  await node.turn();
  const next = await GroupsNode.start(node);
  const member = new TestMember();
  await next.joined({ prefetch: 100 }, member);
  assert.equal(
    [...member.texts].sort(),
    numbers(0, 6).filter((text) => text !== settled),
  );
});

test('a node that claims a group of which the last write is under way waits for it', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ ...lasting, prefetch: 2 });
  await node.publishAll('t', 0, 3);
  const { state } = node.backbone;
  const put = state.put.bind(state);
  let write = (): void => {};
  state.put = (...of) =>
    new Promise((resolve) => {
      write = () => resolve(put(...of));
    });
  member.leave();
  let yielded = false;
  void node.sessions.yield('share:g/t/#').then(() => {
    yielded = true;
  });
  await node.turn();
  assert.not(yielded);
  write();
  await node.turn();
  assert.ok(yielded);
});

test.run();
