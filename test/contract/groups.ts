import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { numbers, startAt, TestMember } from '../spec/routing/support/groups.ts';
import { eventually } from '../support/eventually.ts';
import { came, type GroupsFactory, GroupsNode } from './support/groups-node.ts';

/** Milliseconds in which nothing comes that is not to come. */
const QUIET = 100;
const LASTING = { keptFor: 600 };
const ALL = { prefetch: 1000 };

const sorted = (texts: readonly string[]): string[] => [...texts].sort((a, b) => Number(a) - Number(b));

/** What groups do on the log of every backbone. Runners beside this file hand in an adapter each. */
export function groupsContract({ name, create, reopen }: GroupsFactory): void {
  const test = suite(`contract/groups ${name}`);
  let node: GroupsNode;

  test.before.each(async () => {
    node = await GroupsNode.start(create());
  });
  test.after.each(() => node.stop());

  async function restarted(): Promise<void> {
    await node.stop();
    node = await GroupsNode.start(reopen());
  }

  /** A member that settles at once. */
  const eager = (): TestMember => Object.assign(new TestMember(), { eager: true });

  /** No one has more than it had. */
  async function nothingMore(...members: readonly TestMember[]): Promise<void> {
    const before = members.map(({ texts }) => texts);
    await sleep(QUIET);
    assert.equal(
      members.map(({ texts }) => texts),
      before,
    );
  }

  test('each message goes to one member, and every member has its part', async () => {
    const members = [await node.join({}, eager()), await node.join({}, eager()), await node.join({}, eager())];
    await node.publishAll('t/a', numbers(0, 300));
    assert.equal(sorted(await came(300, ...members)), numbers(0, 300));
    await nothingMore(...members);
    for (const { taken } of members) assert.ok(taken.length >= 50, `${taken.length} of 300`);
    for (const { delivery } of members.flatMap(({ taken }) => taken))
      assert.equal([delivery.count, delivery.redelivered], [1, false]);
  });

  test('groups have places of their own: each gets all', async () => {
    const [one, other] = [await node.join({}, eager()), await node.join({}, eager(), 'h')];
    await node.publishAll('t/a', numbers(0, 50));
    assert.equal(await came(50, one), numbers(0, 50));
    assert.equal(await came(50, other), numbers(0, 50));
  });

  test('what a lost member had goes to the others, redelivered; what it had settled does not', async () => {
    const [lost, other] = [await node.join({ prefetch: 5 }), await node.join({ prefetch: 5 })];
    await node.publishAll('t/a', numbers(0, 10));
    await came(10, lost, other);
    const settled = lost.settle(2);
    const left = lost.unsettled.map(({ text }) => text);
    lost.leave();
    other.settle();
    await came(5 + left.length, other);
    await nothingMore(other);
    const again = other.taken.filter(({ delivery }) => delivery.redelivered);
    assert.equal(sorted(again.map(({ text }) => text)), sorted(left));
    assert.ok(again.every(({ delivery }) => delivery.count === 2));
    assert.not(other.texts.some((text) => settled.includes(text)));
  });

  test('a group with a selector has that part of its messages, and goes on with it after a restart', async () => {
    const options = { ...LASTING, selector: 'number % 2 = 1' };
    const publish = (texts: readonly string[]): Promise<unknown> =>
      Promise.all(texts.map((text) => node.publish('t/a', text, { user: [['number', text]] })));
    const odd = (from: number, to: number): string[] => numbers(from, to).filter((each) => Number(each) % 2 === 1);
    const before = [await node.join(options, eager()), await node.join(options, eager())];
    await publish(numbers(0, 50));
    assert.equal(sorted(await came(25, ...before)), odd(0, 50));
    await restarted();
    await publish(numbers(50, 100));
    const after = await node.join(options, eager());
    assert.equal(sorted(await came(25, after)), odd(50, 100));
    await nothingMore(after);
    const refused = await node.join(LASTING).catch((error: unknown) => String(error));
    assert.match(String(refused), /the selector of group g is "number % 2 = 1", not none/);
  });

  test('a group goes on where it was when the node is stopped and started', async () => {
    const before = await node.join({ ...LASTING, prefetch: 20 });
    await node.publishAll('t/a', numbers(0, 30));
    await came(20, before);
    before.settle(15);
    await before.joined.settled();
    before.leave();
    await restarted();
    await node.publishAll('t/a', numbers(30, 35));
    const after = await node.join({ ...LASTING, ...ALL });
    const texts = await came(20, after);
    assert.equal(sorted(texts), numbers(15, 35));
    const redelivered = after.taken.filter(({ delivery }) => delivery.redelivered).map(({ text }) => text);
    // It went on to five more once there was room, which were not settled either.
    assert.equal(redelivered, numbers(15, 15 + redelivered.length));
    assert.ok(redelivered.length >= 5);
  });

  test('with members that are not settled at the stop, too', async () => {
    await node.join({ ...LASTING, prefetch: 7 });
    await node.publishAll('t/a', numbers(0, 20));
    await restarted();
    const after = await node.join(ALL);
    assert.equal(sorted(await came(20, after)), numbers(0, 20));
    await nothingMore(after);
  });

  test('a settled message is so for good once that is known', async () => {
    const member = await node.join({ ...LASTING, prefetch: 3 });
    await node.publishAll('t/a', numbers(0, 3));
    await came(3, member);
    const [, second] = member.taken;
    assert.ok(second !== undefined);
    member.joined.settle(second.delivery.number, 'accept');
    await member.joined.settled();
    assert.is((await node.status())?.unsettled, 2);
    await restarted();
    const after = await node.join(ALL);
    assert.equal(await came(2, after), ['0', '2']);
    await nothingMore(after);
  });

  for (const [text, expected] of [
    ['new', []],
    ['first', numbers(0, 20)],
    ['last 6', numbers(14, 20)],
    ['last 1000', numbers(0, 20)],
    ['time', numbers(10, 20)],
    ['position', numbers(7, 20)],
  ] as const) {
    /** Twenty messages with others between them, and where to begin. */
    const filled = async (): Promise<string> => {
      const watcher = await node.join(ALL, eager(), 'watcher');
      let middle = 0;
      for (const each of numbers(0, 20)) {
        if (each === '10') {
          await sleep(20);
          middle = Date.now();
          await sleep(20);
        }
        await node.publish('t/a', each);
        await node.publish('other', 'x');
      }
      await came(20, watcher);
      const { shard = 0, sequence = 0 } = watcher.taken[7]?.message ?? {};
      if (text === 'time') return `time ${middle}`;
      return text === 'position' ? `position ${shard}-${sequence}` : text;
    };

    test(`a new group starts: ${text}; then goes on live, without gap or double`, async () => {
      const start = startAt(await filled());
      const joining = node.join({ start }, eager());
      await node.publishAll('t/a', numbers(20, 40));
      const member = await joining;
      await node.publishAll('t/a', numbers(40, 50));
      await eventually('the last one', () => member.texts.includes('49'), 10_000);
      await nothingMore(member);
      const { texts } = member;
      // Those published while it joins may be among the last six, and need not be new.
      const moving = text === 'new' || text === 'last 6';
      const begin = moving ? Number(texts[0]) : 20 - expected.length;
      assert.ok(begin >= 20 - expected.length && begin <= 40 - expected.length, `it begins with ${begin}`);
      assert.equal(texts, numbers(begin, 50));
      const positions = member.taken.map(({ message }) => message.sequence);
      assert.equal(
        positions,
        [...new Set(positions)].sort((a, b) => a - b),
      );
    });

    test(`a group is moved: ${text}`, async () => {
      const to = await filled();
      const member = await node.join({ ...LASTING, start: { from: 'first' } }, eager());
      await came(20, member);
      member.leave();
      await node.move(to);
      await restarted();
      assert.is((await node.status())?.lag, expected.length);
      const after = await node.join({}, eager());
      await node.publishAll('t/a', numbers(20, 22));
      assert.equal(await came(expected.length + 2, after), [...expected, ...numbers(20, 22)]);
    });
  }

  test('a start that cannot be is refused, and makes no group; what is not there cannot be moved', async () => {
    await node.publish('t/a', '0');
    const refusal = async (asked: Promise<unknown>): Promise<string> =>
      asked.then(
        () => 'nothing was refused',
        (error: unknown) => String(error),
      );
    assert.match(await refusal(node.join({ ...LASTING, start: startAt('position 0-99999') })), /position 0-99999/);
    assert.match(await refusal(node.join({ ...LASTING, start: startAt('position 7-1') })), /shard/);
    assert.is(await node.status(), undefined);
    assert.match(await refusal(node.move('first', 'none')), /there is no group none/);
  });

  test('lag and status, with members, without, and after a restart', async () => {
    assert.is(await node.status(), undefined);
    const member = await node.join({ ...LASTING, prefetch: 4 });
    for (const each of numbers(0, 30)) await node.publish(Number(each) % 3 === 0 ? 'other' : 't/a', each);
    await came(4, member);
    const status = await node.status();
    assert.equal([status?.name, status?.filter, status?.ordered, status?.members], ['g', 't/#', false, 1]);
    assert.is(status?.node, node.backbone.cluster.node);
    assert.is(status?.ends.length, node.backbone.log.shards);
    // Some wait at the node for the member's next room.
    const { unsettled = 0, lag = 0 } = status ?? {};
    assert.ok(unsettled >= 4);
    assert.is(unsettled + lag, 20);
    member.leave();
    await eventually('it is left', async () => (await node.status())?.members === 0);
    const kept = await node.status();
    assert.is((kept?.unsettled ?? 0) + (kept?.lag ?? 0), 20);
    await restarted();
    const after = await node.status();
    assert.equal([after?.lag, after?.unsettled, after?.members], [kept?.lag, kept?.unsettled, 0]);
    assert.equal(after?.positions, kept?.positions);
    const rest = await node.join({}, eager());
    assert.equal(
      sorted(await came(20, rest)),
      numbers(0, 30).filter((each) => Number(each) % 3 !== 0),
    );
    await eventually('nothing is left', async () => {
      const { lag: left, unsettled: with_ } = (await node.status()) ?? {};
      return left === 0 && with_ === 0;
    });
  });

  test('ordered by key: a key is with one member, in order, and moves when that one goes', async () => {
    const ordered = { ...LASTING, ordered: true, prefetch: 3 };
    const members = new Map<string, TestMember>();
    for (const clientId of ['x', 'y', 'z']) members.set(clientId, await node.join({ ...ordered, clientId }));
    const keys = numbers(0, 8);
    const settled: { readonly key: string; readonly text: string }[] = [];
    const work = async (until: number): Promise<void> => {
      await eventually(
        `${until} are settled`,
        async () => {
          const holders = new Map<string, TestMember>();
          for (const member of members.values()) {
            for (const { message } of member.unsettled) {
              const key = message.properties?.key ?? '';
              assert.is(holders.get(key) ?? member, member, `key ${key} is with two`);
              holders.set(key, member);
            }
          }
          for (const member of members.values()) {
            const [first] = member.unsettled;
            if (first !== undefined) settled.push({ key: first.message.properties?.key ?? '', text: first.text });
            member.settle(1);
          }
          return settled.length >= until;
        },
        20_000,
      );
    };
    const publish = (from: number, to: number): Promise<unknown> =>
      Promise.all(numbers(from, to).map((each) => node.publish('t/a', each, { key: keys[Number(each) % 8] ?? '' })));
    await publish(0, 160);
    await work(40);
    members.get('y')?.leave();
    members.delete('y');
    await work(80);
    members.set('v', await node.join({ ...ordered, clientId: 'v' }));
    await work(120);
    for (const member of members.values()) member.leave();
    members.clear();
    await restarted();
    assert.is((await node.status())?.ordered, true);
    await publish(160, 200);
    for (const clientId of ['x', 'w']) members.set(clientId, await node.join({ ...ordered, clientId }));
    await work(200);
    for (const key of keys) {
      const texts = settled.filter((each) => each.key === key).map(({ text }) => text);
      assert.equal(
        texts,
        numbers(0, 200).filter((each) => keys[Number(each) % 8] === key),
        `key ${key}`,
      );
    }
  });

  test('one that wants another order than the group has is refused, also after a restart', async () => {
    const first = await node.join({ ...LASTING, ordered: true });
    const order = /the order of group g is key, not none/;
    const refused = (): Promise<string> => node.join().then(() => '', String);
    assert.match(await refused(), order);
    first.leave();
    await restarted();
    assert.match(await refused(), order);
  });

  test('a group is forgotten when all its members have let go of it, or its time is over', async () => {
    const [one, two] = [await node.join(LASTING), await node.join(LASTING)];
    await node.publishAll('t/a', numbers(0, 5));
    await came(5, one, two);
    one.leave(true);
    two.leave(true);
    await eventually('it is forgotten', async () => (await node.status()) === undefined);
    const short = await node.join({ keptFor: 1 });
    await node.publishAll('t/a', numbers(5, 7));
    await came(2, short);
    short.leave();
    await eventually('it is left', async () => (await node.status())?.members === 0);
    await sleep(1000);
    assert.is(await node.status(), undefined);
    const anew = await node.join(LASTING);
    await node.publishAll('t/a', ['7']);
    assert.equal(await came(1, anew), ['7'], 'it begins anew');
    anew.leave(true);
    await restarted();
    assert.is(await node.status(), undefined);
  });

  test.run();
}
