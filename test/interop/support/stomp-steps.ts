import { type Test, suite as uvuSuite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConfigInput } from '../../../src/config/load.ts';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { eventually } from '../../support/eventually.ts';
import type { Client, Headers, Received, StompPeer, Terms } from './stomp-peer.ts';
import { Tap } from './tap.ts';

const USERS: ConfigInput = {
  security: {
    users: [
      { name: 'ann', password: 'pässword' },
      { name: 'bob', password: 'secret' },
    ],
  },
};
/**
 * Milliseconds offered, sent and wanted; the broker's own least is shorter. Clients give up after twice as long: a machine that
 * stands still for half a second is to be no fault.
 */
const BEATS = [600, 500] as const;
/** How many of them are waited for in each direction. */
const ROUNDS = 3;

/** Has a test run, or skips it where its tool is missing. */
export type Register = (test: Test, title: string, body: () => Promise<void>) => void;

export const always: Register = (test, title, body) => test(title, body);

/** Brokers for a suite, one that anyone may use and one with users; and connections, which are gone after each test. */
export class Scene {
  readonly client: Client;
  readonly #peers: StompPeer[] = [];
  #open: TestBroker | undefined;
  #guarded: TestBroker | undefined;

  constructor(test: Test, client: Client) {
    this.client = client;
    test.before(async () => {
      [this.#open, this.#guarded] = await Promise.all([startBroker(), startBroker(USERS)]);
    });
    test.after.each(() => {
      for (const each of this.#peers.splice(0)) each.destroy();
    });
    test.after(async () => {
      await client.end();
      await Promise.all([this.#open?.broker.stop(), this.#guarded?.broker.stop()]);
    });
  }

  get open(): TestBroker {
    if (this.#open === undefined) throw new Error('the broker is not started');
    return this.#open;
  }

  get guarded(): TestBroker {
    if (this.#guarded === undefined) throw new Error('the broker is not started');
    return this.#guarded;
  }

  async connect(version: string, terms: Partial<Terms> = {}): Promise<StompPeer> {
    return this.#keep(await this.client.connect(this.open[this.client.transport], { version, ...terms }));
  }

  /** To the broker with users. */
  async login(version: string, login: string, passcode: string): Promise<StompPeer> {
    return this.#keep(await this.client.connect(this.guarded[this.client.transport], { version, login, passcode }));
  }

  /** Through a tap. */
  async tapped(version: string, terms: Partial<Terms>): Promise<[StompPeer, Tap]> {
    const tap = await Tap.open(this.open[this.client.transport]);
    return [this.#keep(await this.client.connect(tap.address, { version, ...terms })), tap];
  }

  #keep(peer: StompPeer): StompPeer {
    this.#peers.push(peer);
    return peer;
  }
}

/** What came until a message of its own has come back. */
export async function drain(peer: StompPeer): Promise<Received[]> {
  const mark = `/topic/drain.${Math.floor(Math.random() * 1e9)}`;
  await peer.subscribe(mark);
  await peer.send(mark, 'end');
  const seen: Received[] = [];
  for (let each = await peer.next(); each.headers.destination !== mark; each = await peer.next()) seen.push(each);
  await peer.unsubscribe(mark);
  return seen;
}

export const bodies = (messages: readonly Received[]): string[] => messages.map(({ body }) => body);

async function take(peer: StompPeer, count: number): Promise<Received[]> {
  const taken: Received[] = [];
  while (taken.length < count) taken.push(await peer.next());
  return taken;
}

/** The same with each client, in each version that it speaks. */
export function stompSteps(client: Client, register: Register = always): void {
  for (const version of client.versions) {
    const test = uvuSuite(`${client.name}, STOMP ${version}`);
    const scene = new Scene(test, client);
    const step = (title: string, body: () => Promise<void>): void => register(test, title, body);
    talking(step, scene, version);
    working(step, scene, version);
    test.run();
  }
}

type Step = (title: string, body: () => Promise<void>) => void;

function talking(step: Step, scene: Scene, version: string): void {
  const { client } = scene;

  step(`connects; disconnects${client.waits ? ' with a receipt' : ', without waiting for a receipt'}`, async () => {
    const peer = await scene.connect(version);
    assert.is(peer.version, version);
    const { counters } = scene.open.broker;
    assert.is(counters.clients, 1);
    assert.is(await peer.leave(), client.waits);
    await eventually('the broker sees it gone', () => counters.clients === 0);
  });

  step('login and passcode: right, and wrong', async () => {
    const peer = await scene.login(version, 'ann', 'pässword');
    await peer.send('/topic/any', 'x');
    for (const [login, passcode] of [
      ['ann', 'wrong'],
      ['eve', 'pässword'],
    ] as const) {
      const refusal = await scene.login(version, login, passcode).catch(String);
      assert.match(String(refusal), /Bad CONNECT/);
    }
  });

  step('a topic: headers, and a body beyond ASCII', async () => {
    const [sender, receiver] = [await scene.connect(version), await scene.connect(version)];
    await receiver.subscribe('/topic/rooms.*.temperature');
    const own: Headers = { unit: 'celsius', place: 'Küche', 'correlation-id': '7', priority: '4', persistent: 'true' };
    await sender.send('/topic/rooms.kitchen.temperature', '21 °C — 中', { ...own, 'content-type': 'text/plain' });
    await sender.send('/topic/rooms.kitchen.temperature', '');
    const { headers, body } = await receiver.next();
    assert.is(body, '21 °C — 中');
    assert.is(headers.destination, '/topic/rooms.kitchen.temperature');
    for (const [name, value] of Object.entries(own)) assert.is(headers[name], value, name);
    assert.match(headers['content-type'] ?? '', /^text\/plain/);
    assert.is((await receiver.next()).body, '');
  });

  step('UNSUBSCRIBE ends a subscription', async () => {
    const peer = await scene.connect(version);
    await peer.subscribe('/topic/news');
    await peer.send('/topic/news', 'first');
    assert.is((await peer.next()).body, 'first');
    await peer.unsubscribe('/topic/news');
    await peer.send('/topic/news', 'second');
    assert.equal(await drain(peer), []);
  });

  step(`many messages in one go${client.readsPieces ? ', large ones among them' : ''}`, async () => {
    const [sender, receiver] = [await scene.connect(version), await scene.connect(version)];
    await receiver.subscribe('/topic/many');
    const sent = Array.from({ length: 40 }, (_, i) =>
      i % 10 === 7 && client.readsPieces ? `#${i} ${'ü '.repeat(12_000)}` : `#${i}`,
    );
    await Promise.all(sent.map((body) => sender.send('/topic/many', body)));
    const seen = bodies(await take(receiver, sent.length));
    const wrong = sent.flatMap((body, i) => (seen[i] === body ? [] : [`${i}: ${seen[i]?.length} of ${body.length}`]));
    assert.equal(wrong, []);
  });

  step('what is wrong is an ERROR that says so, and the end of the connection', async () => {
    const peer = await scene.connect(version);
    await peer.provoke('nowhere/$$/#');
    const { headers, body } = await peer.refusal();
    assert.match(`${headers.message} ${body}`, /destination/);
    await eventually('it is closed', () => peer.closed);
  });

  if (client.beats.includes(version)) {
    step('heart-beats: both sides keep the intervals agreed', async () => {
      const [peer, tap] = await scene.tapped(version, { heartBeat: BEATS });
      try {
        const start = performance.now();
        const since = (times: readonly number[]): number => times.filter((time) => time > start).length;
        const [sends, wants] = BEATS;
        await eventually(
          'heart-beats both ways',
          () => since(tap.times.toBroker) >= ROUNDS && since(tap.times.toClient) >= ROUNDS,
        );
        // No others than agreed: what comes sooner is sent for nothing.
        const rounds = (performance.now() - start) / Math.min(sends, wants);
        assert.ok(since(tap.times.toClient) <= rounds * 2, 'the broker sends too many');
        // Each gives the other twice its interval: longer silence had ended the connection.
        assert.ok(tap.silence('toClient', start) < wants * 2, `silence of ${tap.silence('toClient', start)} ms`);
        assert.not(peer.closed);
        if (!client.readsPieces) return;
        await peer.subscribe('/topic/beats');
        await peer.send('/topic/beats', 'still here');
        assert.is((await peer.next()).body, 'still here');
      } finally {
        tap.close();
      }
    });
  } else {
    step('without heart-beats, of which the library knows none in this version, silence is no fault', async () => {
      const [peer, tap] = await scene.tapped(version, {});
      try {
        const told = tap.times.toClient.length;
        await new Promise((resolve) => setTimeout(resolve, 300));
        assert.is(tap.times.toClient.length, told);
        assert.not(peer.closed);
        await peer.send('/topic/any', 'still here');
      } finally {
        tap.close();
      }
    });
  }
}

function working(step: Step, scene: Scene, version: string): void {
  const { client } = scene;
  const queue = (name: string): string => `/queue/${name}-${version}`;

  step(
    'a queue, ack client-individual: what is acknowledged stays so, the rest goes to the next consumer',
    async () => {
      const [sender, first] = [await scene.connect(version), await scene.connect(version)];
      await first.subscribe(queue('orders'), { ack: 'client-individual' });
      for (const body of ['1', '2', '3']) await sender.send(queue('orders'), body, { persistent: 'true' });
      const [, second] = [await first.next(), await first.next(), await first.next()] as const;
      assert.is(second.body, '2');
      await first.ack(second);
      await first.leave();
      await sender.subscribe(queue('orders'), { ack: 'client-individual' });
      const again = await take(sender, 2);
      assert.equal(bodies(again).sort(), ['1', '3']);
      assert.ok(again.every(({ headers }) => headers.redelivered === 'true'));
      for (const message of again) await sender.ack(message);
      assert.equal(await drain(sender), []);
    },
  );

  step('a queue, ack client: acknowledges all before it', async () => {
    const [sender, first] = [await scene.connect(version), await scene.connect(version)];
    await first.subscribe(queue('cumulative'), { ack: 'client' });
    for (const body of ['1', '2', '3']) await sender.send(queue('cumulative'), body);
    const [, second] = [await first.next(), await first.next(), await first.next()] as const;
    await first.ack(second);
    await first.leave();
    await sender.subscribe(queue('cumulative'));
    assert.equal(bodies(await drain(sender)), ['3']);
  });

  if (client.nacks.includes(version)) {
    for (const ack of ['client', 'client-individual']) {
      step(`a queue, ack ${ack}: NACK gives a message back, and it comes again`, async () => {
        const peer = await scene.connect(version);
        await peer.subscribe(queue(`returned-${ack}`), { ack });
        await peer.send(queue(`returned-${ack}`), 'try');
        const message = await peer.next();
        assert.is.not(message.headers.redelivered, 'true');
        await peer.nack(message);
        const again = await peer.next();
        assert.equal([again.body, again.headers.redelivered], ['try', 'true']);
        await peer.ack(again);
        assert.equal(await drain(peer), []);
      });
    }
  }

  for (const name of ['prefetch-count', 'activemq.prefetchSize']) {
    step(`${name}:1 gives one message at a time`, async () => {
      const peer = await scene.connect(version);
      await peer.subscribe(queue(name), { ack: 'client-individual', [name]: '1' });
      for (const body of ['1', '2']) await peer.send(queue(name), body);
      const first = await peer.next();
      assert.is(first.body, '1');
      assert.equal(await drain(peer), []);
      await peer.ack(first);
      assert.is((await peer.next()).body, '2');
    });
  }

  step('a transaction: nothing before COMMIT, all after it, nothing after ABORT', async () => {
    const [sender, receiver] = [await scene.connect(version), await scene.connect(version)];
    await receiver.subscribe('/topic/ledger');
    for (const name of ['dropped', 'kept']) {
      await sender.begin(name);
      for (const part of ['debit', 'credit'])
        await sender.send('/topic/ledger', `${name} ${part}`, { transaction: name });
      assert.equal(await drain(receiver), []);
      if (name === 'kept') await sender.commit(name);
      else await sender.abort(name);
    }
    assert.equal(bodies(await take(receiver, 2)), ['kept debit', 'kept credit']);
    assert.equal(await drain(receiver), []);
  });

  step('an ACK in a transaction counts with its COMMIT', async () => {
    const [sender, first] = [await scene.connect(version), await scene.connect(version)];
    await first.subscribe(queue('in-transaction'), { ack: 'client-individual' });
    for (const body of ['1', '2']) await sender.send(queue('in-transaction'), body);
    const [one, two] = [await first.next(), await first.next()];
    await first.begin('kept');
    await first.ack(one, { transaction: 'kept' });
    await first.commit('kept');
    await first.begin('dropped');
    await first.ack(two, { transaction: 'dropped' });
    await first.abort('dropped');
    await first.leave();
    await sender.subscribe(queue('in-transaction'));
    assert.equal(bodies(await drain(sender)), ['2']);
  });
}
