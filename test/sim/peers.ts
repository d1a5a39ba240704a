import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BrokerError } from '../../src/core/errors.ts';
import type { Message } from '../../src/core/message.ts';
import type { Consumer, Consumption, Delivery, Outcome } from '../../src/ports/queues.ts';
import { message, OPTIONS, type Peer, setUp, textOf } from '../support/simulated-peers.ts';

/**
 * Any order of publishing, consuming, settling, killing, cutting off and standing still, against a model of what was
 * promised. TRIMARAN_SEED and TRIMARAN_RUNS choose others than the usual ones.
 */

const SEED = Number(process.env.TRIMARAN_SEED ?? 4);
const RUNS = Number(process.env.TRIMARAN_RUNS ?? 150);
/** Milliseconds after which all that was broken is whole again, with every back-off and lease. */
const CALM = 120_000;

const QUEUES = ['x', 'y'] as const;
type QueueName = (typeof QUEUES)[number];

/** What became of each message, as far as clients were told. */
class Promises {
  readonly acknowledged = new Set<string>();
  readonly refused = new Set<string>();
  /** Deliveries that were said to be the first one. */
  readonly first = new Map<string, number>();
  readonly given = new Set<string>();
  /** How often it was stored: more than once where an owner was lost before it could say that it has it. */
  readonly copies = new Map<string, number>();
  /** `settled()` has resolved: it may not come again, unless there is a second one. */
  readonly durable = new Set<string>();
  readonly again = new Set<string>();
  readonly broken: string[] = [];
}

function count(of: Map<string, number>, text: string): void {
  of.set(text, (of.get(text) ?? 0) + 1);
}

class ModelConsumer implements Consumer {
  readonly node: string;
  readonly #promises: Promises;
  readonly held: { readonly text: string; readonly number: number }[] = [];
  /** Accepted, and `settled` has not said yet. */
  accepted: string[] = [];
  consumption: Consumption | undefined;
  gone = false;
  open = true;
  #last = 0;

  constructor(node: string, promises: Promises) {
    this.node = node;
    this.#promises = promises;
  }

  ready(): boolean {
    return this.open;
  }

  take(of: Message, { number, redelivered }: Delivery): void {
    const text = textOf(of);
    const { durable, again, first, given, broken } = this.#promises;
    if (this.gone) broken.push(`${text} was given to a consumer that is gone`);
    if (number <= this.#last) broken.push(`${text} has number ${number} after ${this.#last}`);
    this.#last = number;
    if (durable.has(text)) again.add(text);
    given.add(text);
    if (!redelivered) count(first, text);
    this.held.push({ text, number });
  }

  ended(error: BrokerError): void {
    this.#promises.broken.push(`a consumer was ended: ${error.message}`);
  }

  settle(most: number, outcome: Outcome): void {
    for (const { text, number } of this.held.splice(0, most)) {
      if (outcome === 'accept') this.accepted.push(text);
      this.consumption?.settle(number, outcome);
    }
  }

  flush(): void {
    const accepted = this.accepted;
    this.accepted = [];
    this.consumption?.settled().then(
      () => {
        for (const text of accepted) this.#promises.durable.add(text);
      },
      // It cannot be said: they may come again.
      () => {},
    );
  }
}

class World {
  readonly promises = new Promises();
  readonly setUp = setUp('n0', 'n1', 'n2');
  readonly peers: Peer[] = this.setUp.nodes;
  readonly consumers: ModelConsumer[] = [];
  /** By text, the node that published it. */
  readonly #published = new Map<string, string>();
  #nodes = 3;
  /** An owner may have been lost, and what it did not answer be stored by the next one, too. */
  #lost = false;

  constructor() {
    this.setUp.stores.stored = (of) => count(this.promises.copies, textOf(of));
  }

  peer(index: number): Peer | undefined {
    const running = this.peers.filter(({ node }) => node.state === 'running');
    return running[index % running.length];
  }

  publish(index: number, queue: QueueName, messages: number): void {
    const peer = this.peer(index);
    if (peer === undefined) return;
    for (let i = 0; i < messages; i++) {
      const text = `${queue}${this.#published.size}`;
      this.#published.set(text, peer.node.node);
      peer.peers.queues.push(
        queue,
        message(text),
        {
          appended: () => {
            if (this.promises.acknowledged.has(text)) this.promises.broken.push(`${text} was acknowledged twice`);
            this.promises.acknowledged.add(text);
          },
          refused: (_token, error) => {
            this.promises.refused.add(text);
            if (error.code !== 'unavailable') this.promises.broken.push(`${text} was refused: ${error.message}`);
          },
        },
        0,
      );
    }
  }

  consume(index: number, queue: QueueName, prefetch: number): void {
    const peer = this.peer(index);
    if (peer === undefined || this.consumers.length > 12) return;
    const consumer = new ModelConsumer(peer.node.node, this.promises);
    consumer.consumption = peer.peers.queues.consume(queue, consumer, { ...OPTIONS, prefetch });
    this.consumers.push(consumer);
  }

  consumer(index: number): ModelConsumer | undefined {
    const running = this.consumers.filter((each) => this.#runs(each.node));
    return running[index % Math.max(1, running.length)];
  }

  cancel(index: number): void {
    const consumer = this.consumer(index);
    if (consumer === undefined) return;
    consumer.consumption?.cancel();
    consumer.gone = true;
    this.consumers.splice(this.consumers.indexOf(consumer), 1);
  }

  #runs(name: string): boolean {
    return this.peers.some(({ node }) => node.node === name && node.state === 'running');
  }

  kill(index: number): void {
    const peer = this.peer(index);
    if (peer === undefined || this.peers.filter(({ node }) => node.state === 'running').length < 2) return;
    this.#lost = true;
    peer.node.kill();
    this.peers.splice(this.peers.indexOf(peer), 1);
    for (const each of this.consumers.filter(({ node }) => node === peer.node.node)) {
      this.consumers.splice(this.consumers.indexOf(each), 1);
    }
    this.peers.push(this.setUp.add(`n${this.#nodes++}`));
  }

  freeze(index: number, milliseconds: number): void {
    const peer = this.peer(index);
    if (peer === undefined || this.peers.filter(({ node }) => node.state === 'running').length < 2) return;
    this.#lost = true;
    peer.node.freeze();
    this.setUp.cluster.at(milliseconds, undefined, () => peer.node.thaw());
  }

  interrupt(index: number, milliseconds: number): void {
    this.peer(index)?.node.interrupt(milliseconds);
  }

  /** Nothing breaks any more, and every consumer takes and settles what there is: then all promises are due. */
  async calm(): Promise<void> {
    await this.setUp.cluster.pass(CALM);
    for (const queue of QUEUES) this.consume(0, queue, 100);
    for (let i = 0; i < 40; i++) {
      for (const consumer of this.consumers) {
        consumer.open = true;
        consumer.consumption?.pump();
        consumer.settle(1000, 'accept');
        consumer.flush();
      }
      await this.setUp.cluster.pass(500);
    }
  }

  check(): void {
    const { acknowledged, refused, given, first, copies, again, broken } = this.promises;
    assert.equal(broken, []);
    const lost = [...acknowledged].filter((text) => !given.has(text));
    assert.equal(lost, [], 'acknowledged, and nobody got it');
    const open = [...this.#published].filter(
      ([text, node]) => this.#runs(node) && !acknowledged.has(text) && !refused.has(text),
    );
    assert.equal(open, [], 'neither acknowledged nor refused');
    const single = (text: string): boolean => copies.get(text) === 1;
    const twice = [...first].filter(([text, times]) => times > (copies.get(text) ?? 0));
    assert.equal(twice, [], 'new to more consumers than there are copies');
    assert.equal([...again].filter(single), [], 'durably settled, and came again');
    if (!this.#lost)
      assert.equal(
        [...copies.keys()].filter((text) => !single(text)),
        [],
        'stored twice by one owner',
      );
    for (const [name, { messages }] of this.setUp.stores.queues) assert.is(messages.size, 0, `${name} is not empty`);
    assert.equal(
      this.peers.flatMap(({ errors }) => errors),
      [],
    );
  }
}

type Step = (world: World) => void | Promise<void>;

const node = fc.nat(2);
const queue = fc.constantFrom(...QUEUES);
const step: fc.Arbitrary<{ readonly name: string; readonly run: Step }> = fc.oneof(
  ...[
    {
      weight: 6,
      arbitrary: fc.tuple(node, queue, fc.integer({ min: 1, max: 30 })).map(([at, name, messages]) => ({
        name: `publish ${messages} to ${name} at ${at}`,
        run: (world: World) => world.publish(at, name, messages),
      })),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(node, queue, fc.integer({ min: 1, max: 20 })).map(([at, name, prefetch]) => ({
        name: `consume ${name} at ${at}, prefetch ${prefetch}`,
        run: (world: World) => world.consume(at, name, prefetch),
      })),
    },
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.nat(12), fc.integer({ min: 1, max: 10 }), fc.constantFrom<Outcome>('accept', 'accept', 'requeue'))
        .map(([at, most, outcome]) => ({
          name: `consumer ${at}: ${outcome} ${most}`,
          run: (world: World) => world.consumer(at)?.settle(most, outcome),
        })),
    },
    {
      weight: 4,
      arbitrary: fc.nat(12).map((at) => ({
        name: `consumer ${at}: flush`,
        run: (world: World) => world.consumer(at)?.flush(),
      })),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.nat(12), fc.boolean()).map(([at, open]) => ({
        name: `consumer ${at}: ready ${open}`,
        run: (world: World) => {
          const consumer = world.consumer(at);
          if (consumer === undefined) return;
          consumer.open = open;
          consumer.consumption?.pump();
        },
      })),
    },
    {
      weight: 1,
      arbitrary: fc.nat(12).map((at) => ({
        name: `consumer ${at}: cancel`,
        run: (world: World) => world.cancel(at),
      })),
    },
    {
      weight: 8,
      arbitrary: fc.oneof(fc.nat(12), fc.nat(1500)).map((time) => ({
        name: `${time} ms pass`,
        run: (world: World) => world.setUp.cluster.pass(time),
      })),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(node, fc.nat(300)).map(([at, time]) => ({
        name: `node ${at} is cut off for ${time} ms`,
        run: (world: World) => world.interrupt(at, time),
      })),
    },
    {
      weight: 1,
      arbitrary: node.map((at) => ({ name: `node ${at} is killed`, run: (world: World) => world.kill(at) })),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(node, fc.nat(2000)).map(([at, time]) => ({
        name: `node ${at} stands still for ${time} ms`,
        run: (world: World) => world.freeze(at, time),
      })),
    },
  ],
);

const test = suite('peers, in a simulation');

test('nothing acknowledged is lost, nothing settled comes again, whatever happens to the nodes', async () => {
  const steps = fc.array(step, { minLength: 5, maxLength: 40, size: 'max' });
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const world = new World();
      for (const { run } of all) await run(world);
      await world.calm();
      world.check();
    }),
    {
      seed: SEED,
      numRuns: RUNS,
      interruptAfterTimeLimit: 15_000,
      markInterruptAsFailure: false,
      includeErrorInReport: true,
    },
  );
});

test.run();
