import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GroupsNode, numbers, type TestMember } from './support/groups.ts';

/** Groups ordered by key: one key, one member, in order. */

const test = suite('routing/groups ordered');
const KEYS = ['a', 'b', 'c', 'd', 'e'];
const MEMBERS = 4;
const ordered = { ordered: true, keptFor: 600 };

/** What it settles it tells all members' common record of. */
interface Settled {
  readonly key: string;
  readonly number: number;
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      who: fc.nat(MEMBERS - 1),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delay' as const), who: fc.nat(MEMBERS - 1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('ready' as const), who: fc.nat(MEMBERS - 1) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      who: fc.nat(MEMBERS - 1),
      prefetch: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), who: fc.nat(MEMBERS - 1) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'crash' as const }) },
  { weight: 2, arbitrary: fc.constant({ do: 'time' as const }) },
);

/** A group whose members come, go, crash with their node and are slow, with what has to hold at every moment. */
class Play {
  node: GroupsNode;
  readonly members: (TestMember | undefined)[] = [];
  readonly settled: Settled[] = [];
  /** Nothing was given back or lost: each message comes once. */
  #published = 0;

  constructor(node: GroupsNode) {
    this.node = node;
  }

  get published(): number {
    return this.#published;
  }

  publish(count: number): void {
    for (let i = 0; i < count; i++) {
      const number = this.#published++;
      this.node.publish('t', `${number}`, { key: KEYS[(number * 7 + (number >> 2)) % KEYS.length] ?? '' });
    }
  }

  /** Settles the first of what it has, but no key out of its order, as one does that works one by one. */
  settle(member: TestMember, count: number): void {
    for (const { message, text } of member.unsettled.slice(0, count)) {
      this.settled.push({ key: message.properties?.key ?? '', number: Number(text) });
    }
    member.settle(count);
  }

  /** Of the first of what it has, and all of its key behind it: given back, for later. */
  delay(member: TestMember): void {
    const key = member.unsettled[0]?.message.properties?.key;
    const back = member.unsettled.filter(({ message }) => message.properties?.key === key);
    member.unsettled = member.unsettled.filter(({ message }) => message.properties?.key !== key);
    for (const { delivery } of back) member.joined.settle(delivery.number, 'requeue', 50);
  }

  /** One key is with one member at a time. */
  check(): void {
    const holders = new Map<string, TestMember>();
    for (const member of this.members) {
      for (const { message } of member?.unsettled ?? []) {
        const key = message.properties?.key ?? '';
        const holder = holders.get(key) ?? member;
        assert.is(holder, member, `key ${key} is with two members`);
        if (member !== undefined) holders.set(key, member);
      }
    }
  }

  async crash(): Promise<void> {
    await this.node.advance(150);
    this.node = await GroupsNode.start(this.node);
    this.members.length = 0;
  }
}

test('members come, go, crash and are slow: each key is with one member at a time, and settled in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const play = new Play(await GroupsNode.start());
      const creator = await play.node.joined(ordered);
      creator.leave();
      await play.node.turn();
      for (const each of steps) {
        const member = 'who' in each ? play.members[each.who] : undefined;
        if (each.do === 'publish') play.publish(each.count);
        else if (each.do === 'crash') await play.crash();
        else if (each.do === 'time') await play.node.advance(100);
        else if (each.do === 'join') {
          const options = { ...ordered, clientId: `c${each.who}`, prefetch: each.prefetch };
          if (member === undefined) play.members[each.who] = play.node.join(options);
        } else if (member !== undefined) {
          if (each.do === 'settle') play.settle(member, each.count);
          else if (each.do === 'delay') play.delay(member);
          else if (each.do === 'ready') {
            member.isReady = !member.isReady;
            member.joined.pump();
          } else {
            member.leave();
            play.members[each.who] = undefined;
          }
        }
        await play.node.turn(2);
        play.check();
      }
      // At the end all that are there settle all there is.
      play.members[0] ??= await play.node.joined(ordered);
      for (let idle = 0; idle < 3; idle++) {
        for (const each of play.members) {
          if (each === undefined) continue;
          each.isReady = true;
          each.joined.pump();
          if (each.unsettled.length > 0) idle = 0;
          play.settle(each, each.unsettled.length);
        }
        await play.node.advance(100);
        play.check();
      }
      const seen = new Set<number>();
      const latest = new Map<string, number>();
      for (const { key, number } of play.settled) {
        seen.add(number);
        assert.ok((latest.get(key) ?? -1) < number, `${number} of key ${key} after ${latest.get(key)}`);
        latest.set(key, number);
      }
      assert.is(seen.size, play.published, 'none is lost');
    }),
    { numRuns: 300 },
  );
});

test('a key stays with its member while none comes or goes, also when it has nothing of it', async () => {
  const node = await GroupsNode.start();
  const members = [];
  for (const clientId of ['x', 'y', 'z']) members.push(await node.joined({ ...ordered, clientId, prefetch: 100 }));
  for (let round = 0; round < 5; round++) {
    for (const key of numbers(0, 60)) node.publish('t', key, { key });
    await node.turn();
    for (const member of members) member.settle();
  }
  const keys = members.map(({ texts }) => new Set(texts));
  assert.is(
    keys.reduce((sum, { size }) => sum + size, 0),
    60,
    'each key has one member',
  );
  for (const { size } of keys) assert.ok(size > 5, 'they share the keys');
  assert.equal(
    members.map(({ taken }) => taken.length),
    keys.map(({ size }) => size * 5),
  );
});

test('a key moves to a new member only when what is unsettled of it is settled, and others stay', async () => {
  const node = await GroupsNode.start();
  const first = await node.joined({ ...ordered, clientId: 'first', prefetch: 100 });
  for (const key of numbers(0, 40)) node.publish('t', key, { key });
  await node.turn();
  const second = await node.joined({ ...ordered, clientId: 'second', prefetch: 100 });
  for (const key of numbers(0, 40)) node.publish('t', key, { key });
  await node.turn();
  assert.equal(second.texts, [], 'the first has some of each');
  assert.is(first.taken.length, 80);
  first.settle();
  for (const key of numbers(0, 40)) node.publish('t', key, { key });
  await node.turn();
  assert.is(first.taken.length + second.taken.length, 120);
  assert.ok(second.taken.length > 5 && first.taken.length > 85, 'each has its part');
});

test('a member that does not settle holds up its keys, and no others', async () => {
  const node = await GroupsNode.start();
  const members = [];
  for (const clientId of ['x', 'y']) members.push(await node.joined({ ...ordered, clientId, prefetch: 4 }));
  const [stuck, other] = members;
  for (let round = 0; round < 20; round++) {
    for (const key of KEYS) node.publish('t', key, { key });
    await node.turn(2);
    other?.settle();
    await node.turn(2);
  }
  for (let i = 0; i < 50; i++) {
    other?.settle();
    await node.turn(2);
  }
  const keys = new Set(other?.texts);
  assert.ok(keys.size > 0 && keys.size < KEYS.length);
  assert.is(other?.taken.length, 20 * keys.size);
  assert.is(stuck?.taken.length, 4);
});

test('what waits behind a key that is held up does not pile up in memory', async () => {
  const node = await GroupsNode.start();
  const member = await node.joined({ ...ordered, prefetch: 1 });
  await node.publishAll('t', 0, 1);
  for (let i = 0; i < 20_000; i++) node.publish('t', `${i}`, { key: 'k' });
  await node.turn();
  assert.is(member.taken.length, 1);
  const status = await node.status();
  assert.ok((status?.unsettled ?? 0) < 10_000, `${status?.unsettled} are held`);
  assert.ok((status?.lag ?? 0) > 10_000);
});

test.run();
