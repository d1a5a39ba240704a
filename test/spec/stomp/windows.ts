import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { bodiesOf } from './support/frames.ts';
import { Harness } from './support/harness.ts';

const windows = suite('STOMP prefetch and slow readers');

windows('prefetch: a consumer holds at most that many unacknowledged messages', async () => {
  const rows: readonly (readonly [lines: readonly string[], count: number])[] = [
    [['ack:client'], 3],
    [['ack:client', 'prefetch-count:1'], 1],
    [['ack:client-individual', 'activemq.prefetchSize:5'], 5],
    [['ack:client', 'prefetch-count:0'], 20],
    [['ack:client', 'prefetch-count:99999'], 20],
    [['ack:auto', 'prefetch-count:1'], 30],
    [[], 30],
  ];
  for (const [lines, count] of rows) {
    for (const qos of [0, 1] as const) {
      const harness = Harness.open();
      const client = harness.connect();
      client.send('SUBSCRIBE', ['id:q', 'destination:/queue/a', ...lines]);
      client.send('SUBSCRIBE', ['id:t', 'destination:/topic/a', ...lines]);
      for (let i = 0; i < 30; i++) harness.publish('$queue/a', 'x', undefined, qos);
      assert.is(bodiesOf(await client.later()).length, count, `queue ${lines.join()} at QoS ${qos}`);
      for (let i = 0; i < 30; i++) harness.publish('a', 'x', undefined, qos);
      assert.is(client.bodies().length, count, `topic ${lines.join()} at QoS ${qos}`);
    }
  }
  const client = Harness.open().connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'prefetch-count:many']);
  expectError(client, 'prefetch-count');
});

windows('topics, mode client: logged messages wait for the window and none is lost', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client']);
  for (let i = 1; i <= 200; i++) harness.publish('a', `${i}`, undefined, 1);
  const seen: string[] = [];
  for (let frames = client.frames(); frames.length > 0; frames = client.frames()) {
    assert.ok(frames.length <= 3);
    seen.push(...frames.map(({ body }) => String(body)));
    client.send('ACK', [`id:${frames.at(-1)?.headers.ack}`]);
  }
  assert.equal(
    seen,
    Array.from({ length: 200 }, (_, i) => `${i + 1}`),
  );
});

windows('topics, mode client: live messages wait for the window, a bounded number of them', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client']);
  for (let i = 1; i <= 30; i++) harness.publish('a', `${i}`);
  assert.is(harness.counters.droppedSlow, 7, 'limits.outboxMessages and the window');
  const seen: string[] = [];
  for (let frames = client.frames(); frames.length > 0; frames = client.frames()) {
    seen.push(...frames.map(({ body }) => String(body)));
    client.send('ACK', [`id:${frames.at(-1)?.headers.ack}`]);
  }
  assert.equal(
    seen,
    Array.from({ length: 23 }, (_, i) => `${i + 1}`),
  );
  const slow = Harness.open();
  const third = slow.connect();
  third.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client', 'prefetch-count:1']);
  for (let i = 1; i <= 2; i++) slow.publish('a', `${i}`);
  third.connection.stuck = true;
  third.send('ACK', [`id:${third.frame().headers.ack}`]);
  third.connection.stuck = false;
  slow.publish('a', '3');
  third.channel.drained();
  assert.equal(third.bodies(), ['2'], 'what waits comes first');
  const big = Harness.open({ outputBytes: 100 });
  const other = big.connect();
  other.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client', 'prefetch-count:1']);
  for (let i = 0; i < 4; i++) big.publish('a', 'x'.repeat(60));
  assert.is(big.counters.droppedSlow, 2, 'limits.outputBytes');
  for (let i = 0; i < 5; i++) {
    other.send('ACK', [`id:${other.frame().headers.ack}`]);
    big.publish('a', 'x'.repeat(60));
  }
  assert.is(big.counters.droppedSlow, 2, 'what has gone out no longer counts');
});

windows('a slow reader: live messages are dropped and counted, logged ones and queues wait', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:t', 'destination:/topic/a']);
  client.send('SUBSCRIBE', ['id:q', 'destination:/queue/a']);
  await harness.turn();
  client.connection.stuck = true;
  for (let i = 0; i < 5; i++) {
    harness.publish('a', 'live');
    harness.publish('a', `logged${i}`, undefined, 1);
    harness.publish('$queue/a', `queued${i}`);
  }
  assert.equal(await client.later(), []);
  assert.is(harness.counters.droppedSlow, 5);
  client.connection.stuck = false;
  client.channel.drained();
  const bodies = bodiesOf(await client.later());
  assert.equal(
    bodies.filter((body) => body.startsWith('logged')),
    [0, 1, 2, 3, 4].map((i) => `logged${i}`),
  );
  assert.equal(
    bodies.filter((body) => body.startsWith('queued')),
    [0, 1, 2, 3, 4].map((i) => `queued${i}`),
  );
});

windows.run();
