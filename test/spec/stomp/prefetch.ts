import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bodiesOf, type ServerFrame } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** With an acknowledgement mode a consumer holds at most its prefetch; others get the rest. */

const test = suite('STOMP prefetch');

const BODIES = Array.from({ length: 10 }, (_, i) => String(i));

async function subscribed(client: TestClient, lines: readonly string[]): Promise<void> {
  client.send('SUBSCRIBE', ['id:1', ...lines]);
  await client.later();
}

function acknowledge(client: TestClient, frame: ServerFrame | undefined): void {
  client.send('ACK', [`id:${frame?.headers.ack}`]);
}

const HEADERS = ['prefetch-count', 'activemq.prefetchSize', 'prefetch'];

for (const ack of ['client', 'client-individual']) {
  for (const header of HEADERS) {
    test(`a queue, ack:${ack}, ${header}: one that does not acknowledge holds so many, the other gets the rest`, async () => {
      const harness = Harness.open();
      const [idle, busy] = [harness.connect(), harness.connect()];
      for (const client of [idle, busy])
        await subscribed(client, ['destination:/queue/a', `ack:${ack}`, `${header}:2`]);
      for (const body of BODIES) harness.publish('$queue/a', body);
      const held = await idle.later();
      assert.is(held.length, 2);
      const rest: string[] = [];
      for (let frames = await busy.later(); frames.length > 0; frames = await busy.later()) {
        assert.ok(frames.length <= 2);
        rest.push(...bodiesOf(frames));
        for (const frame of frames) acknowledge(busy, frame);
      }
      assert.equal([...bodiesOf(held), ...rest].sort(), BODIES);
      assert.equal(await idle.later(), []);
      harness.publish('$queue/a', 'more');
      await busy.later();
      // In mode `client` the second is for the first, too.
      acknowledge(idle, held[1]);
      for (const body of BODIES) harness.publish('$queue/a', body);
      assert.is((await idle.later()).length, ack === 'client' ? 2 : 1);
    });
  }

  test(`a topic, ack:${ack}: each subscriber holds at most its own`, async () => {
    const harness = Harness.open();
    const [two, five] = [harness.connect(), harness.connect()];
    await subscribed(two, ['destination:/topic/a', `ack:${ack}`, 'prefetch-count:2']);
    await subscribed(five, ['destination:/topic/a', `ack:${ack}`, 'activemq.prefetchSize:5']);
    for (const body of BODIES) harness.publish('a', body, undefined, 1);
    const [first, second] = [await two.later(), await five.later()];
    assert.equal([bodiesOf(first), bodiesOf(second)], [BODIES.slice(0, 2), BODIES.slice(0, 5)]);
    acknowledge(two, first[1]);
    assert.equal(bodiesOf(await two.later()), ack === 'client' ? ['2', '3'] : ['2']);
  });
}

test('ack:auto has no window', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  await subscribed(client, ['destination:/queue/a', 'prefetch-count:1']);
  for (const body of BODIES) harness.publish('$queue/a', body);
  assert.equal(bodiesOf(await client.later()), BODIES);
});

test('prefetch-count:0 is as many as can be had, as in RabbitMQ', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  await subscribed(client, ['destination:/queue/a', 'ack:client', 'prefetch-count:0']);
  for (const body of BODIES) harness.publish('$queue/a', body);
  assert.is((await client.later()).length, BODIES.length);
});

test.run();
