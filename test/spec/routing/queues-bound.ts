import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryBackbone } from '../../../adapters/memory/index.ts';
import { Counters } from '../../../src/core/counters.ts';
import { BrokerError } from '../../../src/core/errors.ts';
import type { Message, Properties, Qos } from '../../../src/core/message.ts';
import { DEFAULT_SETTINGS } from '../../../src/core/queue-settings.ts';
import type { Bucket, Entry, State } from '../../../src/ports/backbone.ts';
import { QueueCatalog } from '../../../src/routing/queues/catalog.ts';
import { RetainedStore } from '../../../src/routing/retained.ts';
import { TopicRouter } from '../../../src/routing/router.ts';
import { bodyOf, LIMITS, messageOf, QueueWorld } from './support/queues.ts';

const test = suite('routing/queues bound to topics');

/** A router over queues, with a log in memory. */
async function setUp() {
  const world = await new QueueWorld().start();
  const { clock, queues, logger } = world;
  const backbone = new MemoryBackbone({ logBytes: 1024 * 1024, dedup: { seconds: 120, messages: 1000 } }, clock);
  const retained = new RetainedStore(backbone.state, LIMITS, new Counters(), clock, logger);
  const router = new TopicRouter(backbone, retained, queues, new Counters(), clock, logger);
  await backbone.start(router);
  const live: string[] = [];
  const subscriber = { clientId: 's', deliver: (message: Message) => live.push(bodyOf(message)) };
  const flags = { qos: 2, noLocal: false, retainAsPublished: false, identifier: 0, id: '', since: [0] } as const;
  router.subscribe({ ...flags, subscriber, filter: 'orders/#' });
  const publish = async (topic: string, body: string, qos: Qos, properties?: Properties): Promise<void> => {
    router.publish(messageOf(body, properties, topic, qos, clock.now()), world.receiver, 0);
    await world.settle();
  };
  return { world, router, live, publish };
}

test('a message on a matching topic goes to subscribers and into each queue once; its publisher hears when all have it', async () => {
  const { world, live, publish } = await setUp();
  await world.declare('all', { bindings: ['orders/#', 'orders/+'] });
  await world.declare('new', { bindings: ['orders/new'] });
  await publish('orders/new', 'a', 1);
  await publish('orders/old', 'b', 2);
  await publish('other', 'c', 1);
  assert.equal(
    [live, world.answers],
    [
      ['a', 'b'],
      ['0', '0', '0'],
    ],
  );
  assert.equal([await world.bodies('all'), await world.bodies('new')], [['a', 'b'], ['a']]);
  const consumer = world.consume({}, 'new');
  await world.settle();
  assert.equal(
    consumer.messages.map(({ topic, qos, sequence }) => [topic, qos, sequence]),
    [['orders/new', 1, 0]],
  );
});

test('a live message goes to subscribers at once, and is kept in the queue', async () => {
  const { world, live, publish } = await setUp();
  await world.declare('all', { bindings: ['orders/#'] });
  await publish('orders/new', 'a', 0);
  assert.equal([live, await world.bodies('all'), world.answers], [['a'], ['a'], []]);
});

test('where one of the queues is full, the publisher is refused', async () => {
  const { world, publish } = await setUp();
  await world.declare('small', { bindings: ['orders/#'], maxMessages: 1 });
  await publish('orders/1', 'a', 1);
  await publish('orders/2', 'b', 1);
  assert.is(world.answers.length, 2);
  assert.match(world.answers[1] ?? '', /quota.*maxMessages is 1/);
});

test('the id of a message counts in each queue by itself, and not in the log', async () => {
  const { world, live, publish } = await setUp();
  await world.declare('one', { bindings: ['orders/#'] });
  await world.declare('two', { bindings: ['orders/#'] });
  for (let i = 0; i < 2; i++) await publish('orders/1', 'a', 1, { messageId: 'x' });
  assert.equal(
    [live, world.answers],
    [
      ['a', 'a'],
      ['0', '0'],
    ],
  );
  assert.equal([await world.bodies('one'), await world.bodies('two')], [['a'], ['a']]);
});

test('a message that a session publishes again is in a queue once, as in the log', async () => {
  const { world, router, live } = await setUp();
  await world.declare('q', { bindings: ['orders/#'] });
  for (let i = 0; i < 2; i++) {
    const message = messageOf('a', undefined, 'orders/1', 2, world.clock.now());
    message.dedupId = 'session 7';
    router.publish(message, world.receiver, i);
    await world.settle();
  }
  assert.equal([live, await world.bodies('q'), world.answers], [['a'], ['a'], ['0', '1']]);
});

test('published to a queue: QoS 0 is kept, too, and nobody is told', async () => {
  const { world, publish } = await setUp();
  await publish('$queue/a/b', 'x', 0);
  await publish('$queue/a/b', 'y', 1);
  assert.equal([await world.bodies('a/b'), world.answers], [['x', 'y'], ['0']]);
});

test('bindings go with their queue', async () => {
  const { world, publish } = await setUp();
  await world.declare('q', { bindings: ['orders/#'] });
  await publish('orders/1', 'a', 1);
  await world.queues.delete('q');
  await publish('orders/1', 'b', 1);
  await world.settle();
  assert.equal([world.queues.list(), world.queues.bound('orders/1')], [[], []]);
});

/** The state of a cluster, whose changes the test tells of. */
class SharedState implements State {
  readonly atomic = false;
  readonly entries = new Map<string, Entry>();
  revision = 0;
  tell: (key: string, entry: Entry | undefined, revision: number) => void = () => {};

  async get(_: Bucket, key: string): Promise<Entry | undefined> {
    return this.entries.get(key);
  }

  async put(_: Bucket, key: string, value: Uint8Array, expected?: number): Promise<number | undefined> {
    if (expected !== undefined && (this.entries.get(key)?.revision ?? 0) !== expected) return undefined;
    this.entries.set(key, { value, revision: ++this.revision });
    return this.revision;
  }

  async remove(_: Bucket, key: string): Promise<number | undefined> {
    this.entries.delete(key);
    return ++this.revision;
  }

  async scan(): Promise<void> {}

  watch(_: Bucket, changed: typeof this.tell): boolean {
    this.tell = changed;
    return true;
  }
}

test('every node knows the queues of all, whatever the order in which it hears of them', async () => {
  const state = new SharedState();
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const [here, there] = [1, 2].map(() => new QueueCatalog(state, DEFAULT_SETTINGS, LIMITS, logger));
  if (here === undefined || there === undefined) throw new Error('two');
  await there.start();
  await here.start();
  await there.ensure('q', { bindings: ['a'], maxMessages: 3 });
  // It has not heard of it, and finds what is there.
  assert.is((await here.ensure('q', { maxMessages: 4 })).maxMessages, 3);
  assert.equal(here.bound('a'), ['q']);
  const made = state.entries.get('q');
  await here.remove('q');
  state.tell('q', made, 1);
  assert.equal([here.list(), here.bound('a')], [[], []], 'what was before the removal is not news');
  state.tell('q', undefined, 2);
  state.tell('r', made && { ...made, revision: 3 }, 3);
  assert.equal([here.list(), here.bound('a'), here.size], [['r'], ['r'], 1]);
});

test('a queue that was made and deleted at once is said to be so', async () => {
  const state = new SharedState();
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const catalog = new QueueCatalog(state, DEFAULT_SETTINGS, LIMITS, logger);
  state.put = async () => undefined;
  try {
    await catalog.ensure('q', {});
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof BrokerError && error.code === 'unavailable');
  }
});

test.run();
