import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Address } from '../../../src/broker.ts';
import { header, type RawStomp, type StompFrame } from '../../support/stomp-client.ts';
import { Producer, StompParty } from './stomp-parties.ts';

/** Members of two durable groups over STOMP, one of them ordered by key, and the producers that both get everything of. */

export interface GroupTally {
  received: number;
  /** Whose ACK had its receipt. */
  settled: number;
  /** Acknowledged without asking for a receipt, so long before or after any fault that it was written. */
  written: number;
  /** Confirmed to the producer, and never seen by a member. */
  lost: number;
  /** Seen after its ACK had its receipt, or after it was written. */
  again: number;
  /** First sights out of the order of their key. */
  misordered: number;
  /** Came before, without the header that says so. */
  unmarked: number;
  /** Seen before, which may be. */
  repeated: number;
}

export interface Times {
  /** Milliseconds after which an acknowledgement is written: the checkpoint, and what a busy machine needs. */
  readonly written: number;
  /** Milliseconds after a fault in which an acknowledgement may not find the group. */
  readonly recovery: number;
}

const TOPIC = '/topic/promises.all';
const FILTER = '/topic/promises.#';
const PRODUCERS = ['one', 'two'];
const WINDOW = 10;
const MEMBERS = 3;
const KEYS = 7;
/** Messages confirmed and not seen, beyond which producers wait. */
const BACKLOG = 1000;
/** Messages that a member leaves unacknowledged. */
const LEFT = 5;
/** Milliseconds without anything new after which nothing more is expected. */
const SILENCE = 25_000;

class Member extends StompParty {
  readonly #group: GroupLedger;
  readonly #id: string;
  readonly #random: () => number;
  #left = 0;

  constructor(group: GroupLedger, id: string, address: () => Address, random: () => number) {
    super(address);
    this.#group = group;
    this.#id = id;
    this.#random = random;
  }

  protected connected(connection: RawStomp): void {
    this.#left = 0;
    const order = this.#group.ordered ? { 'group-order': 'key' } : {};
    connection.send('SUBSCRIBE', {
      id: this.#id,
      destination: FILTER,
      group: this.#group.name,
      durable: 'true',
      'auto-delete': 'false',
      ack: 'client-individual',
      'prefetch-count': '20',
      start: 'first',
      ...order,
    });
  }

  protected frame(connection: RawStomp, frame: StompFrame): void {
    if (frame.command === 'RECEIPT') this.#group.confirmed(header(frame, 'receipt-id') ?? '');
    if (frame.command !== 'MESSAGE') return;
    const body = frame.body.toString();
    this.#group.arrived(body, header(frame, 'redelivered') === 'true');
    const id = header(frame, 'ack') ?? '';
    const chance = this.#random();
    if (chance < 0.02) connection.send('NACK', { id });
    else if (chance < 0.04 && this.#left < LEFT) this.#left++;
    else if (chance < 0.5) connection.send('ACK', { id, receipt: body });
    else {
      this.#group.acknowledged(body);
      connection.send('ACK', { id });
    }
  }
}

/** What became of everything in one group. */
class GroupLedger {
  readonly name: string;
  readonly ordered: boolean;
  readonly members: readonly Member[];
  readonly #faults: readonly number[];
  readonly #times: Times;
  /** By body: how often it came. */
  readonly #seen = new Map<string, number>();
  readonly #messages = new Set<string>();
  readonly #confirmed = new Set<string>();
  /** When it was first acknowledged without a receipt. */
  readonly #acknowledged = new Map<string, number>();
  /** By producer and key. */
  readonly #latest = new Map<string, number>();
  #received = 0;
  #again = 0;
  #misordered = 0;
  #unmarked = 0;

  constructor(
    name: string,
    ordered: boolean,
    faults: readonly number[],
    times: Times,
    member: (group: GroupLedger, id: string) => Member,
  ) {
    this.name = name;
    this.ordered = ordered;
    this.#faults = faults;
    this.#times = times;
    this.members = Array.from({ length: MEMBERS }, (_, i) => member(this, `${name}-${i}`));
  }

  /** Different messages that came. */
  get size(): number {
    return this.#messages.size;
  }

  has(message: string): boolean {
    return this.#messages.has(message);
  }

  confirmed(body: string): void {
    this.#confirmed.add(body);
  }

  acknowledged(body: string): void {
    if (!this.#acknowledged.has(body)) this.#acknowledged.set(body, Date.now());
  }

  arrived(body: string, redelivered: boolean): void {
    this.#received++;
    const before = this.#seen.get(body) ?? 0;
    this.#seen.set(body, before + 1);
    if (before > 0 && !redelivered) this.#unmarked++;
    const acknowledged = this.#acknowledged.get(body);
    if (this.#confirmed.has(body) || this.#written(acknowledged)) {
      this.#again++;
      this.#describe(body, acknowledged);
    }
    const [producer = '', number = '', attempt = ''] = body.split(' ');
    const message = `${producer} ${number}`;
    if (this.#messages.has(message)) return;
    this.#messages.add(message);
    const key = `${producer} ${Number(number) % KEYS}`;
    if (Number(number) < (this.#latest.get(key) ?? -1)) {
      this.#misordered++;
      if (this.ordered) console.log(`${body} (attempt ${attempt}) came after ${this.#latest.get(key)}`);
    }
    this.#latest.set(key, Number(number));
  }

  /** For whoever looks for a fault. */
  #describe(body: string, acknowledged: number | undefined): void {
    const now = Date.now();
    const ago = (times: readonly number[]): string => times.map((time) => now - time).join(', ');
    const how = acknowledged === undefined ? 'its ACK had its receipt' : `acknowledged ${now - acknowledged} ms ago`;
    console.log(`group ${this.name}: ${body} came again; ${how}; faults were ${ago(this.#faults)} ms ago`);
  }

  /** No fault was so close to that time that the acknowledgement may not have got through, or not have been written. */
  #written(time: number | undefined): boolean {
    if (time === undefined) return false;
    const { written, recovery } = this.#times;
    return !this.#faults.some((fault) => time > fault - written && time < fault + recovery);
  }

  tally(producers: readonly Producer[]): GroupTally {
    let lost = 0;
    for (const { name, confirmed } of producers)
      for (const number of confirmed) if (!this.#messages.has(`${name} ${number}`)) lost++;
    return {
      received: this.#received,
      settled: this.#confirmed.size,
      lost,
      again: this.#again,
      written: [...this.#acknowledged.values()].filter((time) => this.#written(time)).length,
      misordered: this.ordered ? this.#misordered : 0,
      unmarked: this.#unmarked,
      repeated: this.#received - this.#seen.size,
    };
  }
}

export class GroupPromises {
  readonly #groups: readonly GroupLedger[];
  readonly #producers: readonly Producer[];
  readonly #random: () => number;
  readonly #running: Promise<void>[] = [];
  readonly #faults: number[] = [];

  /** `address` may be another one at every call: of several gateways. */
  constructor(address: () => Address, times: Times, random: () => number) {
    this.#random = random;
    const member = (group: GroupLedger, id: string): Member => new Member(group, id, address, random);
    this.#groups = [
      new GroupLedger('plain', false, this.#faults, times, member),
      new GroupLedger('ordered', true, this.#faults, times, member),
    ];
    this.#producers = PRODUCERS.map(
      (name) =>
        new Producer(address, {
          name,
          destination: TOPIC,
          window: WINDOW,
          room: () => this.#backlog < BACKLOG,
          headers: (number) => ({ key: `${name}-${number % KEYS}` }),
        }),
    );
  }

  get #all(): readonly StompParty[] {
    return [...this.#producers, ...this.#groups.flatMap(({ members }) => members)];
  }

  get #confirmed(): number {
    return this.#producers.reduce((sum, { confirmed }) => sum + confirmed.size, 0);
  }

  get #backlog(): number {
    return this.#confirmed - Math.min(...this.#groups.map(({ size }) => size));
  }

  start(): void {
    for (const each of this.#all) this.#running.push(each.run());
  }

  /** Everyone works for so many milliseconds. Producers that waited for members go on. */
  async work(milliseconds: number): Promise<void> {
    for (const end = Date.now() + milliseconds; Date.now() < end; await sleep(20))
      for (const each of this.#producers) each.fill();
  }

  /** What happens now, a client's lost connection with it, may make messages come again. */
  fault(): void {
    this.#faults.push(Date.now());
    for (const each of this.#all) if (this.#random() < 0.2) each.drop();
  }

  /** Nothing new is sent; what is under way ends. */
  async finish(): Promise<readonly GroupTally[]> {
    for (const producer of this.#producers) producer.active = false;
    let last = '';
    for (let quiet = 0; quiet < SILENCE; quiet += 100) {
      await sleep(100);
      const tallies = this.#tally();
      if (tallies.every(({ lost }) => lost === 0) && this.#producers.every(({ open }) => open === 0)) break;
      // What a member left unacknowledged comes again only without its connection.
      if (quiet % 2000 === 1900) this.#dropMembers();
      const now = `${this.#confirmed} ${this.#groups.map(({ size }) => size)}`;
      if (now !== last) quiet = 0;
      last = now;
    }
    // What comes again would come now: what members have left does.
    this.#dropMembers();
    await sleep(1500);
    await this.stop();
    return this.#tally();
  }

  #dropMembers(): void {
    this.#faults.push(Date.now());
    for (const each of this.#groups.flatMap(({ members }) => members)) each.drop();
  }

  async stop(): Promise<void> {
    for (const each of this.#all) each.stop();
    await Promise.all(this.#running);
  }

  #tally(): readonly GroupTally[] {
    return this.#groups.map((group) => group.tally(this.#producers));
  }

  /** Prints the counts, and fails when a promise is broken. */
  keep(title: string, tallies: readonly GroupTally[], least: number): void {
    for (const [i, tally] of tallies.entries()) {
      const group = this.#groups[i]?.name;
      const counts = JSON.stringify({ confirmed: this.#confirmed, ...tally });
      console.log(`measured: ${title}, group ${group}: ${counts}`);
    }
    for (const { lost, again, misordered, settled, written } of tallies) {
      assert.ok(this.#confirmed > least && settled > least / 4 && written > least / 20, 'messages went through at all');
      assert.equal({ lost, again, misordered }, { lost: 0, again: 0, misordered: 0 });
    }
  }
}
