import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { header, RawStomp, type StompFrame } from '../support/stomp-client.ts';
import { seeded } from './support/promises.ts';
import { RestartedBroker } from './support/restarted-broker.ts';

/**
 * STOMP, BEGIN: "handled atomically". The broker is killed (SIGKILL) again and again while clients commit: each transaction takes
 * a message from a queue, and sends one to another queue, one to a topic with a queue bound to it, and one to a topic.
 * Afterwards each message of the first queue is still there and nothing came of it, or it is gone and all came of it. The same
 * for a durable subscription to a topic, whose messages become messages of a queue.
 * `node dist/test/fault/transactions-killed.js ROUNDS SEED` repeats a run, or makes it longer.
 */

const ROUNDS = Number(process.argv[2] ?? 4);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);
const WORKERS = 4;
/** Messages per round. */
const EACH = 200;
/** Larger than what is cut into one chunk of a socket, so that the frames of a transaction come in pieces. */
const BODY = 'x'.repeat(3000);

const test = suite('fault/transactions killed');
const restarted = new RestartedBroker('transactions-killed');
let broker: BrokerProcess;
test.after(() => restarted.remove());

async function fill(from: number): Promise<void> {
  const client = await RawStomp.connect(broker.stomp);
  for (let number = from; number < from + EACH; number++) {
    client.send('SEND', { destination: '/queue/in' }, `${number}`);
    client.send('SEND', { destination: '/topic/in.x', persistent: 'true', number: `${number}` });
  }
  client.send('DISCONNECT', { receipt: 'bye' });
  await client.expect('RECEIPT');
  client.destroy();
}

/** The messages until the connection is gone; receipts, which are numbers, are added to `confirmed`. */
async function* messages(client: RawStomp, confirmed: Set<number>): AsyncGenerator<StompFrame> {
  for (;;) {
    const frame = await client.next().catch(() => undefined);
    if (frame === undefined) return;
    if (frame.command === 'RECEIPT') {
      confirmed.add(Number(header(frame, 'receipt-id')));
      continue;
    }
    assert.is(frame.command, 'MESSAGE', `${frame.body}`);
    yield frame;
  }
}

/** One transaction per message from `begun` on, until the connection is gone. Adds numbers whose COMMIT had its receipt. */
async function work(confirmed: Set<number>, begun: Promise<void>): Promise<void> {
  const client = await RawStomp.connect(broker.stomp);
  client.send('SUBSCRIBE', { id: 'w', destination: '/queue/in', ack: 'client-individual', 'prefetch-count': '10' });
  await begun;
  for await (const frame of messages(client, confirmed)) {
    const number = `${frame.body}`;
    const transaction = `t${number}`;
    client.send('BEGIN', { transaction });
    client.send('SEND', { destination: '/queue/out', transaction, number }, BODY);
    client.send('SEND', { destination: '/topic/bound/x', transaction, number }, BODY);
    client.send('ACK', { id: header(frame, 'ack') ?? '', transaction });
    client.send('SEND', { destination: '/topic/log/x', transaction, number }, BODY);
    client.send('COMMIT', { transaction, receipt: number });
  }
}

/** In ActiveMQ's form: those in RabbitMQ's are groups, whose ACKs follow the messages. */
const OWNER = { 'client-id': 'killed' };
const DURABLE = { destination: '/topic/in.#', 'activemq.subscriptionName': 'd' };

/** The same with what a durable subscription gets. */
async function workDurably(confirmed: Set<number>): Promise<void> {
  const client = await RawStomp.connect(broker.stomp, OWNER);
  client.send('SUBSCRIBE', { id: 'd', ack: 'client', 'prefetch-count': '10', ...DURABLE });
  for await (const frame of messages(client, confirmed)) {
    const number = header(frame, 'number') ?? '';
    client.send('BEGIN', { transaction: number });
    client.send('ACK', { id: header(frame, 'ack') ?? '', transaction: number });
    client.send('SEND', { destination: '/queue/durably', transaction: number, number }, BODY);
    client.send('COMMIT', { transaction: number, receipt: number });
  }
}

/** How often each number is in a queue, or in the log. */
async function contents(headers: Record<string, string>, end: string): Promise<Map<number, number>> {
  const client = await RawStomp.connect(broker.stomp, OWNER);
  client.send('SUBSCRIBE', { id: 'd', ...headers });
  const counts = new Map<number, number>();
  for (;;) {
    const frame = await client.expect('MESSAGE');
    if (header(frame, 'browser') === 'end' || header(frame, 'number') === end) break;
    const number = Number(header(frame, 'number') ?? frame.body);
    counts.set(number, (counts.get(number) ?? 0) + 1);
  }
  client.destroy();
  return counts;
}

function browse(queue: string): Promise<Map<number, number>> {
  return contents({ destination: `/queue/${queue}`, browser: 'true' }, 'none');
}

test(`${ROUNDS} times killed while transactions are committed, seed ${SEED}`, async () => {
  const random = seeded(SEED);
  const confirmed = new Set<number>();
  const durablyConfirmed = new Set<number>();
  broker = await restarted.start();
  const first = await RawStomp.connect(broker.stomp, OWNER);
  const declared = { destination: '/queue/bound', 'queue-bindings': 'bound/#', receipt: 'declared' };
  first.send('SUBSCRIBE', { id: 'b', ack: 'client', 'prefetch-count': '1', ...declared });
  await first.expect('RECEIPT');
  first.send('SUBSCRIBE', { id: 'd', receipt: 'durable', ...DURABLE });
  await first.expect('RECEIPT');
  first.destroy();
  for (let round = 0; round < ROUNDS; round++) {
    await fill(round * EACH);
    // Counted, not timed: on any machine a round ends with some of both confirmed, and some not begun.
    const [before, after] = [durablyConfirmed.size, confirmed.size + 1 + Math.floor(random() * 60)];
    const begun = eventually('a COMMIT of the durable one', () => durablyConfirmed.size > before).then(() => {});
    const working = [workDurably(durablyConfirmed), ...Array.from({ length: WORKERS }, () => work(confirmed, begun))];
    await eventually('COMMITs', () => confirmed.size >= after);
    await broker.kill();
    await Promise.all(working);
    broker = await restarted.start();
  }
  const marker = await RawStomp.connect(broker.stomp);
  for (const destination of ['/topic/log/x', '/topic/in.x']) {
    marker.send('SEND', { destination, number: 'last', receipt: 'm' });
    await marker.expect('RECEIPT');
  }
  marker.destroy();
  const [left, out, bound] = [await browse('in'), await browse('out'), await browse('bound')];
  const log = await contents({ destination: '/topic/log/#', start: 'first' }, 'last');
  const [waiting, durably] = [await contents(DURABLE, 'last'), await browse('durably')];
  const broken: string[] = [];
  for (let number = 0; number < ROUNDS * EACH; number++) {
    const [taken, ...made] = [left, out, bound, log].map((each) => each.get(number) ?? 0);
    const whole = taken === 1 ? made.every((each) => each === 0) : taken === 0 && made.every((each) => each === 1);
    if (!whole) broken.push(`${number}: in ${taken}, out ${made}`);
    const [owed, came] = [waiting.get(number) ?? 0, durably.get(number) ?? 0];
    if (owed + came !== 1) broken.push(`${number}: owed ${owed}, came ${came}`);
    if (confirmed.has(number) && taken !== 0) broken.push(`${number} was confirmed`);
    if (durablyConfirmed.has(number) && owed !== 0) broken.push(`${number} was confirmed to the durable subscription`);
  }
  console.log(`${confirmed.size} confirmed, ${out.size} done, ${left.size} not; ${durably.size} and ${waiting.size}`);
  assert.equal(broken, []);
  assert.ok(confirmed.size >= ROUNDS);
  assert.ok(left.size > 0 && waiting.size > 0 && durably.size > 0, 'it was killed in the middle');
});

test.run();
