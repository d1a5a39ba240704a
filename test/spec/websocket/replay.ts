import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import type { Start } from '../../../src/core/start.ts';
import { fromDevice, World } from './support/fakes.ts';
import { turn } from './support/queues.ts';

const test = suite('websocket/replay');

/** A broker that finds starts when the test says so. */
class Starts {
  readonly asked: [start: Start, filter: string][] = [];
  readonly world: World;
  #found: (() => void)[] = [];

  constructor(from: readonly number[] | BrokerError) {
    const startOf = (start: Start, filter: string): Promise<readonly number[]> => {
      this.asked.push([start, filter]);
      return new Promise((resolve, reject) => {
        this.#found.push(() => (from instanceof BrokerError ? reject(from) : resolve(from)));
      });
    };
    this.world = new World({}, { startOf });
  }

  async found(): Promise<void> {
    for (const each of this.#found.splice(0)) each();
    await turn();
  }
}

test('a start is looked for, then there is an outbox of its own from there', async () => {
  const starts = new Starts([7, 3]);
  const { world } = starts;
  const client = world.login();
  world.retained.push(fromDevice('a', 'kept', 1, true));
  client.connection.take();
  client.ask({ type: 'subscribe', id: 1, filter: 'a/#', start: 'time 2026-11-21T12:00:00Z', noLocal: true });
  assert.equal(starts.asked, [[{ from: 'time', time: Date.UTC(2026, 10, 21, 12) }, 'a/#']]);
  assert.equal([client.connection.take(), world.router.subscriptions.length], [[], 0]);
  await starts.found();
  assert.equal(client.connection.take(), [{ type: 'ack', id: 1 }], 'and nothing that is retained');
  const [outbox] = world.outboxes;
  assert.equal(outbox?.from, [7, 3]);
  assert.equal(outbox?.sink.filters(), ['a/#']);
  const ofShard = (shard: number, sequence: number, topic = 'a/b') => {
    const message = fromDevice(topic, '', 1);
    message.shard = shard;
    message.sequence = sequence;
    return outbox?.sink.select(message).length;
  };
  assert.equal([ofShard(0, 6), ofShard(0, 7), ofShard(1, 3), ofShard(1, 9, 'b')], [0, 1, 1, 0]);
});

test('messages carry their positions, live ones have none', async () => {
  const starts = new Starts([1]);
  const { world } = starts;
  const client = world.login();
  client.ask({ type: 'subscribe', filter: 'a', start: 'first', subscription: 'replay' });
  client.ask({ type: 'subscribe', filter: 'a', positions: true, subscription: 'told' });
  client.ask({ type: 'subscribe', filter: 'a', start: 'new', subscription: 'new' });
  client.ask({ type: 'subscribe', filter: 'a', subscription: 'plain' });
  await starts.found();
  client.connection.take();
  const publisher = world.login('publisher');
  publisher.ask({ type: 'publish', topic: 'a', payload: 'logged', durable: true });
  world.router.append();
  publisher.ask({ type: 'publish', topic: 'a', payload: 'live' });
  const positions = client.connection
    .take()
    .map(({ subscription, payload, position }) => `${subscription} ${payload} ${position}`);
  assert.equal(positions.sort(), [
    'new live undefined',
    'new logged 0-1',
    'plain live undefined',
    'plain logged undefined',
    'replay live undefined',
    'replay logged 0-1',
    'told live undefined',
    'told logged 0-1',
  ]);
});

test('what is retained comes with start new, without a position', async () => {
  const { world } = new Starts([]);
  const kept = fromDevice('a', 'kept', 1, true);
  kept.sequence = 5;
  world.retained.push(kept);
  const client = world.login();
  client.connection.take();
  const [, message] = client.ask({ type: 'subscribe', id: 1, filter: 'a', start: 'new' });
  assert.equal([message?.payload, message?.retain, message?.position], ['kept', true, undefined]);
});

test('a start that cannot be found is an error of the request, and the name is free', async () => {
  const starts = new Starts(new BrokerError('unavailable'));
  const client = starts.world.login();
  client.connection.take();
  for (const id of [1, 2]) {
    client.ask({ type: 'subscribe', id, filter: 'a', start: 'last 3' });
    await starts.found();
    assert.equal(
      client.connection.take().map(({ id: of, code }) => [of, code]),
      [[id, 'unavailable']],
    );
  }
});

test('unsubscribe before the start is found: it never begins', async () => {
  const starts = new Starts([1]);
  const { world } = starts;
  const client = world.login();
  client.connection.take();
  client.ask({ type: 'subscribe', id: 1, filter: 'a', start: 'first' });
  assert.equal(client.ask({ type: 'unsubscribe', id: 2, subscription: 'a' }), [{ type: 'ack', id: 2 }]);
  await starts.found();
  assert.equal([world.router.subscriptions.length, world.outboxes.length], [0, 0]);
  client.ask({ type: 'subscribe', id: 3, filter: 'a', start: 'first' });
  client.channel.closed();
  await starts.found();
  assert.equal([world.router.subscriptions.length, world.outboxes.length], [0, 0]);
});

test('its outbox goes with it, and is pumped when there is room', async () => {
  const starts = new Starts([1]);
  const { world } = starts;
  const client = world.login();
  client.ask({ type: 'subscribe', filter: 'a', start: 'first' });
  await starts.found();
  client.connection.isFull = true;
  client.ask({ type: 'publish', topic: 'a', payload: 'x', durable: true });
  world.router.append();
  client.connection.take();
  client.connection.isFull = false;
  client.channel.drained();
  assert.is(client.connection.take()[0]?.payload, 'x');
  client.ask({ type: 'unsubscribe', subscription: 'a' });
  assert.is(world.outboxes[0]?.closed, true);
  assert.equal(world.router.subscriptions, []);
});

test.run();
