import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../src/broker.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { NatsServer } from '../support/nats-server.ts';
import { header, RawStomp } from '../support/stomp-client.ts';
import { requireTool } from '../support/tools.ts';

/** Two gateways on one NATS server, consumers of one queue on both; the gateway that has the queue is killed under load. */

const MESSAGES = 3000;
const QUEUE = '/queue/cluster.work';
/** Milliseconds: the lease of the killed one, and what was under way. */
const RECOVERY = 20_000;

const test = suite('fault/queues in a cluster');
const gateways: BrokerProcess[] = [];
let nats: NatsServer | undefined;

test.after.each(async () => {
  await Promise.all(gateways.splice(0).map((each) => each.kill()));
  await nats?.remove();
  nats = undefined;
});

async function gateway(at: NatsServer): Promise<BrokerProcess> {
  const servers = `backbone.nats.servers=${at.url}`;
  const started = await startBrokerProcess('backbone.type=nats', servers, 'backbone.nats.leaseSeconds=2');
  gateways.push(started);
  return started;
}

/** Consumes, and acknowledges each message when it has it. Resolves once it is subscribed. */
async function work(address: Address, got: number[]): Promise<RawStomp> {
  const client = await RawStomp.connect(address);
  client.send('SUBSCRIBE', {
    ...{ id: 'w', destination: QUEUE, ack: 'client-individual', 'prefetch-count': '10', receipt: 'subscribed' },
  });
  await client.expect('RECEIPT');
  void (async () => {
    for (;;) {
      const frame = await client.expect('MESSAGE');
      got.push(Number(frame.body));
      client.send('ACK', { id: header(frame, 'ack') ?? '' });
    }
  })().catch(() => {});
  return client;
}

/** Sends numbers, a hundred without their receipts at most; calls `confirmed` with each that has its receipt. */
async function publish(address: Address, from: number, to: number, confirmed: (number: number) => void): Promise<void> {
  const client = await RawStomp.connect(address);
  let next = from;
  for (let answered = from; answered < to; answered++) {
    for (; next < to && next < answered + 100; next++) {
      client.send('SEND', { destination: QUEUE, receipt: `${next}` }, `${next}`);
    }
    confirmed(Number(header(await client.expect('RECEIPT'), 'receipt-id')));
  }
  client.destroy();
}

requireTool(test, 'nats-server', 'the gateway that has the queue is killed', async (program) => {
  nats = await NatsServer.start(program);
  const [owner, other] = [await gateway(nats), await gateway(nats)];
  const [atOwner, atOther]: [number[], number[]] = [[], []];
  // The first one to use it has it.
  await work(owner.stomp, atOwner);
  await work(other.stomp, atOther);

  let confirmed = 0;
  let killed: Promise<void> | undefined;
  await publish(other.stomp, 0, MESSAGES, () => {
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

  const third = await gateway(nats);
  const atThird: number[] = [];
  await work(third.stomp, atThird);
  await publish(third.stomp, MESSAGES, MESSAGES + 200, () => {});
  await eventually(
    'those of a gateway that came later',
    () => all().size + atThird.length === MESSAGES + 200,
    RECOVERY,
  );
  assert.ok(atThird.length > 10, `the third one has ${atThird.length}`);
  // Stopped as it should be, it gives up nothing it has not: the third one goes on alone.
  assert.is(await other.stop(), 0);
  await publish(third.stomp, MESSAGES + 200, MESSAGES + 300, () => {});
  await eventually('all with the last one', () => new Set([...all(), ...atThird]).size === MESSAGES + 300, RECOVERY);
});

test.run();
