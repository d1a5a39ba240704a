import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Address } from '../../../src/broker.ts';
import { header, type RawStomp, type StompFrame } from '../../support/stomp-client.ts';
import { Producer, StompParty } from './stomp-parties.ts';

/**
 * Producers and consumers of one queue over STOMP, who keep their half of the promises to the letter, while whatever it
 * may be is killed. A producer sends again what had no receipt; each sending has a body of its own (`NAME NUMBER ATTEMPT`),
 * so that what the broker repeats is told from what a producer does.
 */

export interface QueueTally {
  /** Messages, each sent until it had its receipt. */
  sent: number;
  confirmed: number;
  received: number;
  /** Whose ACK had its receipt. */
  settled: number;
  /** Confirmed to the producer, and never seen by a consumer. */
  lost: number;
  /** Seen after its ACK had its receipt. */
  again: number;
  /** Two sendings of one message id were both delivered. */
  doubled: number;
  /** Came before, without the header that says so. */
  unmarked: number;
}

const QUEUE = '/queue/promises';
const WINDOW = 40;
/** Messages confirmed and not settled, beyond which producers wait. */
const BACKLOG = 3000;
/** Milliseconds without anything new after which nothing more is expected. */
const SILENCE = 25_000;

class Consumer extends StompParty {
  readonly #judge: QueuePromises;
  readonly #random: () => number;

  constructor(judge: QueuePromises, address: () => Address, random: () => number) {
    super(address);
    this.#judge = judge;
    this.#random = random;
  }

  protected connected(connection: RawStomp): void {
    const headers = { id: 'c', destination: QUEUE, ack: 'client-individual', 'prefetch-count': '20' };
    connection.send('SUBSCRIBE', headers);
  }

  protected frame(connection: RawStomp, frame: StompFrame): void {
    if (frame.command === 'RECEIPT') this.#judge.settle(header(frame, 'receipt-id') ?? '');
    if (frame.command !== 'MESSAGE') return;
    const body = frame.body.toString();
    this.#judge.arrived(body, header(frame, 'redelivered') === 'true');
    const id = header(frame, 'ack') ?? '';
    const chance = this.#random();
    if (chance < 0.05) connection.send('NACK', { id });
    else if (chance < 0.95) connection.send('ACK', { id, receipt: body });
    // The rest is left: it comes again when this connection goes.
  }
}

export class QueuePromises {
  readonly settled = new Set<string>();
  readonly #seen = new Map<string, number>();
  readonly #producers: Producer[];
  readonly #consumers: Consumer[];
  readonly #random: () => number;
  readonly #running: Promise<void>[] = [];
  #received = 0;
  #again = 0;
  #unmarked = 0;

  /** `address` may be another one at every call: of several gateways. */
  constructor(address: () => Address, random: () => number) {
    this.#random = random;
    const common = { destination: QUEUE, window: WINDOW, room: () => this.backlog < BACKLOG };
    this.#producers = [
      new Producer(address, { ...common, name: 'plain', headers: () => ({}) }),
      new Producer(address, {
        ...common,
        name: 'identified',
        headers: (number) => ({ 'message-id': `identified-${number}` }),
      }),
    ];
    this.#consumers = Array.from({ length: 3 }, () => new Consumer(this, address, random));
  }

  start(): void {
    for (const each of [...this.#producers, ...this.#consumers]) this.#running.push(each.run());
  }

  /** Confirmed to producers, and not settled yet. */
  get backlog(): number {
    return this.#producers.reduce((sum, { confirmed }) => sum + confirmed.size, 0) - this.settled.size;
  }

  settle(body: string): void {
    this.settled.add(body);
    for (const each of this.#producers) each.fill();
  }

  arrived(body: string, redelivered: boolean): void {
    this.#received++;
    const before = this.#seen.get(body) ?? 0;
    this.#seen.set(body, before + 1);
    if (this.settled.has(body)) this.#again++;
    if (before > 0 && !redelivered) this.#unmarked++;
  }

  /** Clients lose their connections, now and then, for `milliseconds`. */
  async stir(milliseconds: number): Promise<void> {
    const all = [...this.#producers, ...this.#consumers];
    for (const end = Date.now() + milliseconds; Date.now() < end; ) {
      await sleep(Math.min(60 + this.#random() * 200, Math.max(0, end - Date.now())));
      all[Math.floor(this.#random() * all.length)]?.drop();
    }
  }

  /** Nothing new is sent; what is under way ends. */
  async finish(): Promise<QueueTally> {
    for (const producer of this.#producers) producer.active = false;
    let last = '';
    for (let quiet = 0; quiet < SILENCE; quiet += 100) {
      await sleep(100);
      // What a consumer left unacknowledged comes again only without its connection.
      if (quiet % 1000 === 900) for (const each of this.#consumers) each.drop();
      const tally = this.tally();
      if (tally.lost === 0 && this.#producers.every(({ open }) => open === 0)) break;
      const now = `${this.#seen.size} ${tally.settled} ${tally.confirmed}`;
      if (now !== last) quiet = 0;
      last = now;
    }
    // What comes twice would come now.
    await sleep(500);
    await this.stop();
    return this.tally();
  }

  async stop(): Promise<void> {
    for (const each of [...this.#producers, ...this.#consumers]) each.stop();
    await Promise.all(this.#running);
  }

  tally(): QueueTally {
    let sent = 0;
    let confirmed = 0;
    let lost = 0;
    let doubled = 0;
    const attempts = new Map<string, number>();
    for (const body of this.#seen.keys()) {
      const message = body.slice(0, body.lastIndexOf(' '));
      attempts.set(message, (attempts.get(message) ?? 0) + 1);
    }
    for (const producer of this.#producers) {
      sent += producer.sent;
      confirmed += producer.confirmed.size;
      for (const number of producer.confirmed) if (!attempts.has(`${producer.name} ${number}`)) lost++;
    }
    for (const [message, count] of attempts) if (message.startsWith('identified ')) doubled += count - 1;
    return {
      sent,
      confirmed,
      received: this.#received,
      settled: this.settled.size,
      lost,
      again: this.#again,
      doubled,
      unmarked: this.#unmarked,
    };
  }
}

/** Prints the counts, and fails when a promise is broken. */
export function keepsQueue(title: string, tally: QueueTally, least: number): void {
  console.log(`measured: ${title}: ${JSON.stringify(tally)}`);
  assert.ok(tally.confirmed > least && tally.settled > least, 'messages went through at all');
  const { lost, again, doubled } = tally;
  assert.equal({ lost, again, doubled }, { lost: 0, again: 0, doubled: 0 });
}
