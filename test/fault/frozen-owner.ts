import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { requireTool } from '../support/tools.ts';
import { NatsGateways } from './support/gateways.ts';
import { publish, Work } from './support/stomp-work.ts';

/**
 * The gateway that owns a group or a queue stands still (SIGSTOP) for longer than its lease, so that another one takes
 * over, and goes on then: what it still believes is its own must not be spoilt by it.
 */

/** Milliseconds: its lease, what was under way, and what others had of it. */
const RECOVERY = 45_000;
/** Milliseconds in which a gateway has heard what it missed, and a group's place is written (the checkpoint is 500). */
const CALM = 2_000;

const test = suite('fault/frozen owner');
const gateways = new NatsGateways(test);

interface Kind {
  readonly name: string;
  readonly destination: string;
  /** Headers of SUBSCRIBE. */
  readonly subscription: Record<string, string>;
  readonly durable: boolean;
}

const GROUP = { destination: '/topic/frozen.#', group: 'g', durable: 'true', 'auto-delete': 'false' };
const KINDS: readonly Kind[] = [
  { name: 'a group', destination: '/topic/frozen.jobs', subscription: GROUP, durable: true },
  {
    name: 'an ordered group',
    destination: '/topic/frozen.jobs',
    subscription: { ...GROUP, 'group-order': 'key' },
    durable: true,
  },
  { name: 'a queue', destination: '/queue/frozen', subscription: { destination: '/queue/frozen' }, durable: false },
];

for (const { name, destination, subscription, durable } of KINDS) {
  requireTool(
    test,
    'nats-server',
    `${name}: none is lost, and what was settled elsewhere does not come again`,
    async (program) => {
      const [owner, other] = [await gateways.start(program), await gateways.start(program)];
      const begin = (at: BrokerProcess, clientId: string): Promise<Work> =>
        Work.begin(at.stomp, subscription, durable ? clientId : undefined);
      // The first one to use it has it.
      const first = await begin(owner, 'first');
      const second = await begin(other, 'second');
      const seen = (...works: readonly Work[]): Set<number> => new Set(works.flatMap(({ got }) => got));
      await publish(other.stomp, destination, 0, 200);
      await eventually('the first ones', () => seen(first, second).size === 200, RECOVERY);
      await sleep(CALM);
      // It has some that it has not settled, when it stops.
      first.pause();
      second.pause();
      await publish(other.stomp, destination, 200, 260);
      await sleep(300);
      owner.freeze();
      second.resume();
      await publish(other.stomp, destination, 260, 600);
      await eventually('all, with those of the frozen one', () => unseenBy(second, 200, 600) === 0, RECOVERY);
      await sleep(CALM);

      const before = first.got.length + second.got.length;
      owner.thaw();
      first.resume();
      await sleep(CALM);
      const thawed = first.got.length + second.got.length - before;
      await other.kill();
      const third = await begin(await gateways.start(program), 'third');
      const atFirst = first.got.length;
      await publish(owner.stomp, destination, 600, 700);
      await eventually('those that came later', () => seen(first, second, third).size === 700, RECOVERY);
      await sleep(CALM);
      const later = [...first.got.slice(atFirst), ...third.got];
      const again = later.filter((number) => number < 600);
      console.log(`measured: ${name}: ${thawed} came when it went on, ${again.length} came again later`);
      assert.equal(again, []);
    },
  );
}

/** How many of these numbers it has not had. */
function unseenBy({ got }: Work, from: number, to: number): number {
  const seen = new Set(got);
  let missing = 0;
  for (let number = from; number < to; number++) if (!seen.has(number)) missing++;
  return missing;
}

requireTool(test, 'nats-server', 'a queue that another one uses by then is not deleted as unused', async (program) => {
  const [owner, other] = [await gateways.start(program), await gateways.start(program)];
  const subscription = { destination: '/queue/short', 'queue-expiry-milliseconds': '3000' };
  const first = await Work.begin(owner.stomp, subscription);
  first.end();
  await sleep(200);
  owner.freeze();
  const second = await Work.begin(other.stomp, { destination: '/queue/short' });
  second.pause();
  await publish(other.stomp, '/queue/short', 0, 100);
  await eventually('it has some', () => second.got.length === 10, RECOVERY);
  await sleep(3_000);
  owner.thaw();
  await sleep(CALM);
  second.resume();
  await eventually('it has all', () => unseenBy(second, 0, 100) === 0, RECOVERY);
});

test.run();
