import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Address } from '../../../src/broker.ts';
import { PersistentClient } from './persistent-client.ts';

/** What became of every message of some publishers at some durable subscribers, while whatever it may be is killed. */
export interface Tally {
  sent: number;
  acknowledged: number;
  received: number;
  /** Acknowledged to the publisher, and never seen by a subscriber. */
  lost: number;
  /** QoS 2 messages seen more than once. */
  doubled: number;
  /** QoS 1 messages seen again, which may be. */
  repeated: number;
  /** First sights out of the order of their publisher. */
  misordered: number;
  sessionsLost: number;
  refused: number;
}

/** Unacknowledged messages of one publisher. */
const WINDOW = 50;
/** Milliseconds without anything new after which nothing more is expected. */
const SILENCE = 15_000;

class Publisher {
  readonly client: PersistentClient;
  readonly name: string;
  readonly qos: 1 | 2;
  readonly acknowledged = new Set<number>();
  sent = 0;
  active = true;

  constructor(name: string, qos: 1 | 2, address: () => Address, version: 4 | 5) {
    this.name = name;
    this.qos = qos;
    this.client = new PersistentClient(name, address, version);
    this.client.onAcknowledged = (tag) => this.acknowledged.add(tag);
    this.client.onRoom = () => this.pump();
  }

  pump(): void {
    while (this.active && this.client.connected && this.client.unfinished < WINDOW) {
      const number = this.sent++;
      this.client.publish(`promise/${this.name}`, String(number), this.qos, number);
    }
  }
}

class Subscriber {
  readonly client: PersistentClient;
  readonly qos: 1 | 2;
  /** By publisher: how often each number was seen. */
  readonly seen = new Map<string, Map<number, number>>();
  misordered = 0;
  received = 0;

  constructor(name: string, qos: 1 | 2, address: () => Address, version: 4 | 5) {
    this.qos = qos;
    this.client = new PersistentClient(name, address, version);
    const last = new Map<string, number>();
    this.client.onMessage = (topic, payload) => {
      const publisher = topic.slice('promise/'.length);
      const number = Number(payload);
      const counts = this.seen.get(publisher) ?? new Map<number, number>();
      this.seen.set(publisher, counts);
      const before = counts.get(number) ?? 0;
      counts.set(number, before + 1);
      this.received++;
      if (before > 0) return;
      if (number < (last.get(publisher) ?? -1)) this.misordered++;
      last.set(publisher, number);
    };
  }
}

export class Promises {
  /** Where no one listens. */
  static readonly nowhere = { mqtt: { host: '127.0.0.1', port: 9 } } as const;
  readonly #publishers: Publisher[];
  readonly #subscribers: Subscriber[];
  readonly #random: () => number;

  /** `address` may be another one at every call: of several gateways. */
  constructor(address: () => Address, random: () => number) {
    this.#random = random;
    this.#publishers = [
      new Publisher('p1a', 1, address, 4),
      new Publisher('p1b', 1, address, 5),
      new Publisher('p2a', 2, address, 4),
      new Publisher('p2b', 2, address, 5),
    ];
    this.#subscribers = [
      new Subscriber('s1a', 1, address, 5),
      new Subscriber('s2a', 2, address, 5),
      new Subscriber('s2b', 2, address, 4),
    ];
  }

  async start(): Promise<void> {
    for (const { client, qos } of this.#subscribers) {
      const subscribed = client.subscribe('promise/#', qos);
      client.start();
      await subscribed;
    }
    for (const { client } of this.#publishers) client.start();
  }

  /** Subscribers leave and return, now and then, for `milliseconds`. */
  async stir(milliseconds: number): Promise<void> {
    const end = Date.now() + milliseconds;
    while (Date.now() < end) {
      await sleep(Math.min(50 + this.#random() * 150, Math.max(0, end - Date.now())));
      const one = this.#subscribers[Math.floor(this.#random() * this.#subscribers.length)];
      if (one === undefined) continue;
      if (one.client.connected) one.client.stop(this.#random() < 0.5);
      else one.client.start();
    }
  }

  /** The network goes for some clients, up to 30 milliseconds before what the caller then kills. */
  async impair(): Promise<void> {
    for (const { client } of [...this.#publishers, ...this.#subscribers]) {
      const chance = this.#random();
      if (chance < 0.6) client.impaired = chance < 0.3 ? 'deaf' : 'mute';
    }
    await sleep(this.#random() * 30);
  }

  /** The network is back: whoever it was gone for has lost its connection. */
  recover(): void {
    for (const { client } of [...this.#publishers, ...this.#subscribers]) {
      if (client.impaired !== 'no') client.drop();
    }
  }

  get acknowledged(): number {
    return this.#publishers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
  }

  /** Nothing new is sent; what is under way ends. */
  async finish(): Promise<Tally> {
    for (const publisher of this.#publishers) publisher.active = false;
    for (const { client } of this.#subscribers) client.start();
    let last = '';
    for (let quiet = 0; quiet < SILENCE; quiet += 50) {
      await sleep(50);
      const unfinished = this.#publishers.reduce((sum, { client }) => sum + client.unfinished, 0);
      const tally = this.tally();
      if (unfinished === 0 && tally.lost === 0) break;
      const now = `${unfinished} ${tally.received}`;
      if (now !== last) quiet = 0;
      last = now;
    }
    if (this.tally().lost > 0) console.log(`at the end: ${this.#describe()}`);
    // What comes twice would come now.
    await sleep(500);
    for (const { client } of [...this.#publishers, ...this.#subscribers]) client.stop(true);
    return this.tally();
  }

  /** Who is where, for whoever looks for a fault. */
  #describe(): string {
    const publishers = this.#publishers.map(
      ({ name, client, sent }) =>
        `${name}${client.connected ? '' : ' away'} sent ${sent}, unfinished ${client.unfinished}`,
    );
    const subscribers = this.#subscribers.map(
      ({ client, received, seen }) =>
        `${client.clientId}${client.connected ? '' : ' away'} received ${received}, last ${JSON.stringify(
          [...seen].map(([name, counts]) => [name, counts.size, Math.max(...counts.keys())]),
        )}`,
    );
    return [...publishers, ...subscribers].join('; ');
  }

  tally(): Tally {
    const tally: Tally = {
      sent: 0,
      acknowledged: 0,
      received: 0,
      lost: 0,
      doubled: 0,
      repeated: 0,
      misordered: 0,
      sessionsLost: 0,
      refused: 0,
    };
    for (const { client } of [...this.#publishers, ...this.#subscribers]) {
      tally.sessionsLost += client.sessionsLost;
      tally.refused += client.refused;
    }
    for (const { sent, acknowledged } of this.#publishers) {
      tally.sent += sent;
      tally.acknowledged += acknowledged.size;
    }
    for (const { seen, qos, received, misordered } of this.#subscribers) {
      tally.received += received;
      tally.misordered += misordered;
      for (const publisher of this.#publishers) {
        const counts = seen.get(publisher.name);
        for (const number of publisher.acknowledged) if (!counts?.has(number)) tally.lost++;
        const again = [...(counts?.values() ?? [])].reduce((sum, count) => sum + count - 1, 0);
        if (Math.min(qos, publisher.qos) === 2) tally.doubled += again;
        else tally.repeated += again;
      }
    }
    return tally;
  }
}

/** Prints the counts, and fails when a promise is broken. */
export function keeps(title: string, tally: Tally, least: number): void {
  console.log(`measured: ${title}: ${JSON.stringify(tally)}`);
  assert.ok(tally.acknowledged > least, 'messages were acknowledged at all');
  const { lost, doubled, misordered, sessionsLost } = tally;
  assert.equal({ lost, doubled, misordered, sessionsLost }, { lost: 0, doubled: 0, misordered: 0, sessionsLost: 0 });
}

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
