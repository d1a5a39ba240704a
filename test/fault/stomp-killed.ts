import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerProcess } from '../support/broker-process.ts';
import { RawJson } from '../support/json-client.ts';
import { header, RawStomp } from '../support/stomp-client.ts';
import { RestartedBroker } from './support/restarted-broker.ts';

/**
 * The broker is killed (SIGKILL) again and again, while a STOMP client sends, and a durable subscription of STOMP and a
 * JSON session get what it sends. Everything whose SEND had its receipt comes, in order; what they settled may come again
 * after a crash, but not what they were told is settled.
 */

const ROUNDS = 10;
const EACH = 400;
const SUBSCRIPTION = {
  id: 'd',
  destination: '/topic/killed.#',
  durable: 'true',
  'auto-delete': 'false',
  ack: 'client',
};
const HELLO = { type: 'hello', clientId: 'killed', sessionSeconds: 3600 };

/** What one subscriber got. */
class Ledger {
  readonly name: string;
  /** Numbers in the order in which they first came. */
  readonly first: number[] = [];
  readonly #seen = new Set<number>();
  /** The broker said that it and all before it are settled. */
  settled = -1;
  readonly faults: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** True when it is time to settle: not with each, so that there always is something unsettled. */
  add(number: number): boolean {
    if (number <= this.settled) this.faults.push(`${number} came again, ${this.settled} was settled`);
    if (!this.#seen.has(number)) this.first.push(number);
    this.#seen.add(number);
    return number % 7 === 0;
  }

  lost(expected: readonly number[]): number[] {
    return expected.filter((number) => !this.#seen.has(number));
  }

  get ascends(): boolean {
    return this.first.every((number, i) => i === 0 || number > (this.first[i - 1] ?? 0));
  }
}

const test = suite('fault/stomp killed');
const restarted = new RestartedBroker('stomp-killed');
let broker: BrokerProcess;
test.after(() => restarted.remove());

/** Sends numbers from `from` on, and kills the broker after `confirmations`; those that had their receipt. */
async function send(from: number, confirmations: number): Promise<number[]> {
  const client = await RawStomp.connect(broker.stomp);
  for (let number = from; number < from + EACH; number++) {
    client.send('SEND', { destination: '/topic/killed.x', receipt: `${number}` }, `${number}`);
  }
  const confirmed: number[] = [];
  while (confirmed.length < confirmations) {
    confirmed.push(Number(header(await client.expect('RECEIPT'), 'receipt-id')));
  }
  await broker.kill();
  for (const frame of await client.end()) confirmed.push(Number(header(frame, 'receipt-id')));
  return confirmed;
}

/** Takes what comes, until the connection is gone or `last` has come. */
async function readStomp(ledger: Ledger, last = Number.POSITIVE_INFINITY): Promise<void> {
  const client = await RawStomp.connect(broker.stomp);
  client.send('SUBSCRIBE', SUBSCRIPTION);
  for (let number = -1; number < last; ) {
    const frame = await client.next().catch(() => undefined);
    if (frame === undefined) return;
    if (frame.command === 'RECEIPT') {
      ledger.settled = Number(header(frame, 'receipt-id'));
      continue;
    }
    number = Number(frame.body);
    if (ledger.add(number)) client.send('ACK', { id: header(frame, 'ack') ?? '', receipt: `${number}` });
  }
  client.destroy();
}

async function readJson(ledger: Ledger, last = Number.POSITIVE_INFINITY): Promise<void> {
  const client = await RawJson.open(broker.http);
  client.send(HELLO);
  assert.is((await client.expect('hello')).resumed, true);
  for (let number = -1; number < last; ) {
    const message = await client.next().catch(() => undefined);
    if (message === undefined) return;
    if (message.type === 'ack') {
      ledger.settled = Number(message.id);
      continue;
    }
    number = Number(message.payload);
    if (ledger.add(number)) client.send({ type: 'received', position: message.position, id: number });
  }
  client.destroy();
}

test(`${ROUNDS} times killed while messages come`, async () => {
  broker = await restarted.start();
  const stomp = await RawStomp.connect(broker.stomp);
  stomp.send('SUBSCRIBE', { ...SUBSCRIPTION, receipt: 's' });
  await stomp.expect('RECEIPT');
  const json = await RawJson.connect(broker.http, HELLO);
  await json.request({ type: 'subscribe', filter: 'killed/#' });
  // At once: what was acknowledged is there.
  await broker.kill();
  const ledgers = [new Ledger('STOMP'), new Ledger('JSON')] as const;
  const confirmed: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    broker = await restarted.start();
    const reading = [readStomp(ledgers[0]), readJson(ledgers[1])];
    confirmed.push(...(await send(round * EACH, 1 + ((round * 151) % EACH))));
    await Promise.all(reading);
  }
  broker = await restarted.start();
  const last = confirmed.at(-1) ?? 0;
  await Promise.all([readStomp(ledgers[0], last), readJson(ledgers[1], last)]);
  assert.ok(confirmed.length >= ROUNDS);
  for (const ledger of ledgers) {
    const { name, faults, ascends, settled, first } = ledger;
    console.log(`${name}: ${confirmed.length} confirmed, ${first.length} came, ${settled} was the last one settled`);
    assert.equal(ledger.lost(confirmed), [], `${name}: none is lost`);
    assert.ok(ascends, `${name}: in order`);
    assert.equal(faults, [], `${name}: what is settled does not come again`);
    assert.ok(settled > 0, `${name}: something was settled`);
  }
});

test.run();
