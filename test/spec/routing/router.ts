import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryBackbone } from '../../../adapters/memory/index.ts';
import { resolveConfig } from '../../../src/config/load.ts';
import { Counters } from '../../../src/core/counters.ts';
import { Message, type Qos } from '../../../src/core/message.ts';
import type { Limits } from '../../../src/ports/limits.ts';
import type { Subscriber, Subscription } from '../../../src/ports/routing.ts';
import { RetainedStore } from '../../../src/routing/retained.ts';
import { TopicRouter } from '../../../src/routing/router.ts';
import { SystemClock } from '../../../src/system-clock.ts';
import { QueueBroker } from '../../support/queue-broker.ts';

class Recorder implements Subscriber {
  readonly clientId: string;
  readonly got: string[] = [];

  constructor(clientId: string) {
    this.clientId = clientId;
  }

  deliver(message: Message, subscriptions: readonly Subscription[]): void {
    if (Buffer.from(message.payload()).toString() === 'throw') throw new Error('a subscriber with an error');
    this.got.push(`${message.topic} by ${subscriptions.map((each) => each.filter).join(' ')}`);
  }
}

const limits: Limits = resolveConfig({ limits: { retainedMessages: 2 } }).limits;
const receiver = { appended() {}, refused() {} };

function setUp() {
  const clock = new SystemClock();
  const counters = new Counters();
  const errors: string[] = [];
  const interest: string[] = [];
  const logger = { debug() {}, info() {}, warn() {}, error: (_: object, text: string) => errors.push(text) };
  const backbone = new MemoryBackbone({ logBytes: 1024 * 1024, dedup: { seconds: 120, messages: 1000 } }, clock);
  backbone.live.interest = (filter, wanted) => interest.push(`${wanted ? '+' : '-'}${filter}`);
  const retained = new RetainedStore(backbone.state, limits, counters, clock, logger);
  const router = new TopicRouter(backbone, retained, new QueueBroker(limits, counters, clock), counters, clock, logger);
  const publish = (topic: string, payload = 'x', clientId = 'p', retain = false, qos: Qos = 0): void => {
    const bytes = Buffer.from(payload);
    router.publish(
      new Message(topic, bytes, 0, bytes.length, qos, retain, undefined, { clientId, protocol: 'mqtt' }, 0),
      receiver,
      0,
    );
  };
  const subscribe = (subscriber: Subscriber, filter: string, noLocal = false): Subscription => {
    const subscription = {
      subscriber,
      filter,
      qos: 0 as const,
      noLocal,
      retainAsPublished: false,
      identifier: 0,
      id: '',
      since: [0],
    };
    router.subscribe(subscription);
    return subscription;
  };
  return { router, retained, counters, errors, interest, publish, subscribe };
}

const test = suite('routing/router');

test('each subscriber gets a message once, with all of its subscriptions that match', () => {
  const { publish, subscribe } = setUp();
  const [a, b] = [new Recorder('a'), new Recorder('b')];
  for (const filter of ['x/y', 'x/+', 'z']) subscribe(a, filter);
  subscribe(b, '#');
  publish('x/y');
  assert.equal([a.got.length, b.got], [1, ['x/y by #']]);
  assert.match(a.got[0] ?? '', 'x/y');
  assert.match(a.got[0] ?? '', 'x/+');
});

test('what is remembered of a topic is forgotten when subscriptions come and go', () => {
  const { router, publish, subscribe } = setUp();
  const a = new Recorder('a');
  publish('x');
  const exact = subscribe(a, 'x');
  publish('x');
  const wild = subscribe(a, '+');
  publish('x');
  router.unsubscribe(exact);
  publish('x');
  router.unsubscribe(wild);
  publish('x');
  assert.equal(a.got.length, 3);
});

test('a subscription without its own messages leaves out only those', () => {
  const { publish, subscribe } = setUp();
  const a = new Recorder('a');
  subscribe(a, 'x', true);
  subscribe(a, '+');
  publish('x', 'x', 'a');
  publish('x', 'x', 'b');
  assert.is(a.got[0], 'x by +');
  assert.match(a.got[1] ?? '', 'x by');
  assert.match(a.got[1] ?? '', '+');
});

test('other nodes are told of the first subscription with a filter and of the last one to go', () => {
  const { router, interest, subscribe } = setUp();
  const [first, second] = [subscribe(new Recorder('a'), 'x/+'), subscribe(new Recorder('b'), 'x/+')];
  router.unsubscribe(first);
  router.unsubscribe(second);
  router.unsubscribe(second);
  assert.equal(interest, ['+x/+', '-x/+']);
});

test('an error with one subscriber is logged, and the others get the message', () => {
  const { publish, subscribe, errors } = setUp();
  const [a, b] = [new Recorder('a'), new Recorder('b')];
  subscribe(a, 'x');
  const copy = { clientId: 'c', deliver: () => b.got.push('got it') };
  subscribe(copy, 'x');
  publish('x', 'throw');
  assert.equal(b.got, ['got it']);
  assert.is(errors.length, 1);
});

test('retained messages past the limit are not kept, and counted; an earlier one of the topic is not left stale', () => {
  const { publish, retained, counters } = setUp();
  publish('a', '1', 'p', true);
  publish('b', '1', 'p', true);
  publish('c', '1', 'p', true);
  const kept: string[] = [];
  retained.match('#', (message) => kept.push(message.topic));
  assert.equal(kept, ['a', 'b']);
  assert.is(counters.droppedRetained, 1);
  publish('a', '', 'p', true);
  publish('c', '1', 'p', true);
  assert.is(retained.count, 2);
});

test.run();
