import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { requireTool } from '../support/tools.ts';
import { NatsGateways } from './support/gateways.ts';
import { publish, Work } from './support/stomp-work.ts';

/** Two gateways on one NATS server, consumers of one queue on both; the gateway that has the queue is killed under load. */

const MESSAGES = 3000;
const QUEUE = '/queue/cluster.work';
/** Milliseconds: the lease of the killed one, and what was under way. */
const RECOVERY = 20_000;

const test = suite('fault/queues in a cluster');
const gateways = new NatsGateways(test);

requireTool(test, 'nats-server', 'the gateway that has the queue is killed', async (program) => {
  const [owner, other] = [await gateways.start(program), await gateways.start(program)];
  // The first one to use it has it.
  const { got: atOwner } = await Work.begin(owner.stomp, { destination: QUEUE });
  const { got: atOther } = await Work.begin(other.stomp, { destination: QUEUE });

  let confirmed = 0;
  let killed: Promise<void> | undefined;
  await publish(other.stomp, QUEUE, 0, MESSAGES, () => {
    if (++confirmed === MESSAGES / 3) killed = owner.kill();
  });
  await killed;
  assert.is(confirmed, MESSAGES);
  const all = (): Set<number> => new Set([...atOwner, ...atOther]);
  await eventually('every message with one of them', () => all().size === MESSAGES, RECOVERY);
  assert.ok(atOwner.length > 100 && atOther.length > 100, `${atOwner.length} and ${atOther.length}`);
  // What was with the killed one, and what was under way to it or from it, may come again; the rest may not.
  const again = atOwner.length + atOther.length - MESSAGES;
  assert.ok(again <= 100 + 10 + 10, `${again} came again`);

  const third = await gateways.start(program);
  const { got: atThird } = await Work.begin(third.stomp, { destination: QUEUE });
  await publish(third.stomp, QUEUE, MESSAGES, MESSAGES + 200);
  await eventually(
    'those of a gateway that came later',
    () => all().size + atThird.length === MESSAGES + 200,
    RECOVERY,
  );
  assert.ok(atThird.length > 10, `the third one has ${atThird.length}`);
  // Stopped as it should be, it gives up nothing it has not: the third one goes on alone.
  assert.is(await other.stop(), 0);
  await publish(third.stomp, QUEUE, MESSAGES + 200, MESSAGES + 300);
  await eventually('all with the last one', () => new Set([...all(), ...atThird]).size === MESSAGES + 300, RECOVERY);
});

test.run();
