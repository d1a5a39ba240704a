import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { FakeQueues, messageOf } from './support/fake-queues.ts';
import { bodiesOf } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

const browser = suite('STOMP browsers of queues');

function browsing(
  bodies: readonly (readonly string[])[],
  lines: readonly string[] = [],
): { harness: Harness; queues: FakeQueues; client: TestClient } {
  const queues = new FakeQueues();
  const harness = Harness.open({}, {}, { queues });
  const client = harness.connect();
  queues.portions = bodies.map((each, i) => ({
    messages: each.map((body, j) => ({ message: messageOf('$queue/a.b', body), id: i * 100 + j + 1, deliveries: j })),
    next: i === bodies.length - 1 ? undefined : i + 1,
  }));
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a.b', 'browser:true', ...lines]);
  return { harness, queues, client };
}

browser(
  'browser:true shows what is in a queue, portion by portion, then an empty MESSAGE with browser:end',
  async () => {
    const { queues, client } = browsing([['1', '2', '3'], ['4']], ['ack:client', 'receipt:r']);
    const frames = (await client.later()).filter(({ command }) => command === 'MESSAGE');
    assert.equal(bodiesOf(frames), ['1', '2', '3', '4', '']);
    assert.equal(
      frames.map(({ headers }) => headers.browser),
      [undefined, undefined, undefined, undefined, 'end'],
    );
    assert.equal(
      frames.map(({ headers }) => [headers.redelivered, headers['delivery-count']]),
      [
        [undefined, undefined],
        ['true', undefined],
        ['true', '2'],
        [undefined, undefined],
        [undefined, undefined],
      ],
    );
    for (const { headers } of frames) {
      assert.is(headers.destination, '/queue/a.b');
      assert.is(headers.subscription, '1');
      assert.is(headers.ack, undefined, 'there is nothing to acknowledge');
    }
    assert.equal(queues.browsed, ['a.b 0', 'a.b 1']);
    assert.is(queues.consumptions.length, 0);
    client.send('ACK', [`id:${frames[0]?.headers['message-id']}`]);
    assert.not(client.closed, 'an ACK changes nothing');
  },
);

browser('an empty queue has an end, too', async () => {
  const { client } = browsing([[]]);
  assert.equal(
    (await client.later()).map(({ headers }) => headers.browser),
    ['end'],
  );
});

browser('a browser waits while the connection is full, and goes on when it is not', async () => {
  const { harness, queues, client } = browsing([['1', '2'], ['3']]);
  client.connection.stuck = true;
  assert.equal(await client.later(), []);
  assert.equal(queues.browsed, ['a.b 0'], 'no further portion is asked for');
  client.connection.stuck = false;
  client.channel.drained();
  await harness.turn();
  assert.equal(client.bodies(), ['1', '2', '3', '']);
});

browser('it stops where the connection becomes full: within a portion, between two, and before the end', async () => {
  for (let room = 1; room <= 4; room++) {
    const { queues, client } = browsing([['1', '2'], ['3']]);
    const { connection } = client;
    const begun = connection.texts.length;
    connection.full = () => connection.texts.length - begun >= room;
    const all = ['1', '2', '3', ''];
    assert.equal(bodiesOf(await client.later()), all.slice(0, room));
    assert.is(queues.browsed.length, room > 2 ? 2 : 1);
    connection.full = () => false;
    client.channel.drained();
    assert.equal(bodiesOf(await client.later()), all.slice(room));
  }
});

browser('a browser that is unsubscribed gets no more', async () => {
  const { client } = browsing([['1'], ['2']]);
  client.send('UNSUBSCRIBE', ['id:1']);
  assert.equal(await client.later(), []);
});

browser('of a queue that there is not nothing is shown, and it is not made', async () => {
  const { client, queues } = browsing([], ['receipt:r']);
  assert.equal(
    (await client.later()).map(({ command, headers }) => [command, headers.browser, headers.destination]),
    [
      ['RECEIPT', undefined, undefined],
      ['MESSAGE', 'end', '/queue/a.b'],
    ],
  );
  assert.is(queues.consumptions.length, 0);
});

browser('a queue that is deleted while it is browsed is an ERROR', async () => {
  const { queues, client } = browsing([['1'], ['2']]);
  queues.portions = [];
  const [shown, error, ...others] = await client.later();
  assert.equal([shown?.command, error?.command, others], ['MESSAGE', 'ERROR', []]);
  assert.match(String(error?.body), 'there is no queue "a.b"');
});

browser('a browser is no consumer: what is said of one is refused', () => {
  for (const line of ['exclusive:true', 'consumer-priority:1', 'queue-max-messages:1']) {
    const { client, queues } = browsing([['1']], [line]);
    expectError(client, /browser:true/);
    assert.equal(queues.browsed, []);
  }
});

browser.run();
