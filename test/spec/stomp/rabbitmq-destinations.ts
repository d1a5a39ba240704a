import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withBroker } from '../../support/broker.ts';
import { RawStomp } from '../../support/stomp-client.ts';
import { expectError } from './support/expect-error.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** Destinations as applications written for RabbitMQ write them, and as they come back. */

const rabbit = suite("STOMP, RabbitMQ's destinations");

function subscribe(client: TestClient, id: string, destination: string, ...lines: readonly string[]): void {
  client.send('SUBSCRIBE', [`id:${id}`, `destination:${destination}`, ...lines]);
}

/** What each subscription got, as `ID DESTINATION BODY`. */
async function got(client: TestClient): Promise<string[]> {
  return (await client.later()).map(
    ({ headers, body }) => `${headers.subscription} ${headers.destination} ${body.toString()}`,
  );
}

rabbit('what is sent comes back by the destination it was sent to', async () => {
  for (const destination of [
    '/topic/a',
    '/topic/a.b.c',
    '/queue/x',
    '/queue/a.b',
    '/queue/foo%2Fbar',
    '/queue/100%25',
    '/queue/é',
    '/queue/a b',
    '/topic/a b.c d',
    '/exchange/amq.direct/a b',
    '/exchange/amq.direct/route',
    '/exchange/amq.direct/a%2Fb',
    '/exchange/amq.direct/a.b.c',
    '/exchange/amq.direct',
    '/exchange/amq.fanout/route',
    '/exchange/amq.fanout',
  ]) {
    const client = Harness.open().connect();
    subscribe(client, '1', destination);
    await client.turn();
    client.send('SEND', [`destination:${destination}`], 'x');
    assert.equal(await got(client), [`1 ${destination} x`]);
  }
});

rabbit('other ways to write a queue or topic: one of them comes back', async () => {
  for (const [written, expected] of [
    ['foo', '/queue/foo'],
    ['a.b', '/queue/a.b'],
    ['a%20b%2Fé', '/queue/a b%2Fé'],
    ['/exchange/amq.topic/a.b', '/topic/a.b'],
    ['/exchange/amq.topic/a%2Fb', '/topic/a.b'],
    ['/exchange/amq.direct/', '/exchange/amq.direct'],
  ] as const) {
    const client = Harness.open().connect('1.2');
    subscribe(client, '1', written);
    await client.turn();
    client.send('SEND', [`destination:${written}`], 'x');
    client.send('SEND', [`destination:${expected}`], 'y');
    assert.equal(await got(client), [`1 ${expected} x`, `1 ${expected} y`]);
  }
});

rabbit('amq.topic: * is one word, # any number of them, anywhere, as its own bindings match', () => {
  // By the rules of AMQP 0-9-1, 3.1.3.3: words parted by dots.
  for (const [pattern, keys, others] of [
    ['#', ['a', 'a.b', 'a.b.c'], []],
    ['a.#', ['a', 'a.b', 'a.b.c'], ['b', 'ab', 'b.a']],
    ['#.b', ['b', 'a.b', 'a.a.b'], ['a', 'b.a']],
    ['a.#.b', ['a.b', 'a.x.b', 'a.x.y.b'], ['a', 'b', 'a.b.c']],
    ['*', ['a', 'b'], ['a.b']],
    ['*.b', ['a.b'], ['b', 'a.a.b']],
    ['a.*.c', ['a.b.c'], ['a.c', 'a.b.b.c']],
    ['#.*', ['a', 'a.b'], []],
    ['*.#', ['a', 'a.b', 'a.b.c'], []],
    ['#.a.#', ['a', 'b.a', 'a.b', 'b.a.b'], ['b']],
    ['*.#.*', ['a.b', 'a.b.c'], ['a']],
  ] as const) {
    for (const beginning of ['/topic/', '/exchange/amq.topic/']) {
      const harness = Harness.open();
      const client = harness.connect();
      subscribe(client, '1', beginning + pattern);
      for (const key of [...keys, ...others]) client.send('SEND', [`destination:/topic/${key}`], key);
      assert.equal(client.bodies(), [...keys], pattern);
    }
  }
});

rabbit('amq.direct: who has the same key', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  subscribe(client, '1', '/exchange/amq.direct/a');
  subscribe(client, '2', '/exchange/amq.direct/a');
  subscribe(client, '3', '/exchange/amq.direct/a.b');
  subscribe(client, '4', '/exchange/amq.direct');
  client.send('SEND', ['destination:/exchange/amq.direct/a'], 'x');
  client.send('SEND', ['destination:/exchange/amq.direct/a.b'], 'y');
  client.send('SEND', ['destination:/exchange/amq.direct/a.b.c'], 'no one');
  client.send('SEND', ['destination:/exchange/amq.direct'], 'z');
  const a = '/exchange/amq.direct/a';
  assert.equal(await got(client), [`1 ${a} x`, `2 ${a} x`, `3 ${a}.b y`, '4 /exchange/amq.direct z']);
});

rabbit('amq.fanout: everyone, whatever the key', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  subscribe(client, '1', '/exchange/amq.fanout');
  subscribe(client, '2', '/exchange/amq.fanout/k');
  client.send('SEND', ['destination:/exchange/amq.fanout'], 'x');
  client.send('SEND', ['destination:/exchange/amq.fanout/k'], 'y');
  client.send('SEND', ['destination:/exchange/amq.fanout/a%2Fb'], 'z');
  const fanout = '/exchange/amq.fanout';
  assert.equal(await got(client), [
    `1 ${fanout} x`,
    `2 ${fanout} x`,
    `1 ${fanout}/k y`,
    `2 ${fanout}/k y`,
    `1 ${fanout}/a%2Fb z`,
    `2 ${fanout}/a%2Fb z`,
  ]);
});

rabbit('what goes through one exchange does not come out of another, nor out of queues', async () => {
  const client = Harness.open().connect();
  const all = ['/topic/#', '/exchange/amq.direct/k', '/exchange/amq.fanout', '/queue/k'];
  for (const [i, destination] of all.entries()) subscribe(client, String(i), destination);
  await client.turn();
  for (const destination of ['/topic/k', '/exchange/amq.direct/k', '/exchange/amq.fanout/k', '/queue/k']) {
    client.send('SEND', [`destination:${destination}`], 'x');
    const [only, ...others] = await got(client);
    assert.match(only ?? '', destination);
    assert.equal(others, []);
  }
});

rabbit('through an exchange: logged with a receipt, retained, reply-to', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  subscribe(client, '1', '/exchange/amq.direct/k');
  client.send('SEND', ['destination:/exchange/amq.direct/k', 'receipt:r'], 'logged');
  client.send('SEND', ['destination:/exchange/amq.direct/k', 'retain:true', 'receipt:s'], 'retained');
  const frames = await client.later();
  assert.equal(
    frames.map(({ command }) => command),
    ['MESSAGE', 'RECEIPT', 'MESSAGE', 'RECEIPT'],
  );
  subscribe(client, '2', '/exchange/amq.direct/k');
  const [retained] = await client.later();
  assert.equal([String(retained?.body), retained?.headers.retain], ['retained', 'true']);
  client.send('SEND', ['destination:/topic/ask', 'reply-to:/exchange/amq.direct/k']);
  subscribe(client, '3', '/topic/ask');
  client.send('SEND', ['destination:/topic/ask', 'reply-to:/exchange/amq.direct/k']);
  assert.is((await client.later())[0]?.headers['reply-to'], '/exchange/amq.direct/k');
});

rabbit('a queue bound to an exchange', async () => {
  const client = Harness.open().connect();
  const bindings = 'queue-bindings:$exchange/amq.direct/k,$exchange/amq.fanout/#';
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/bound', bindings, 'receipt:r']);
  await client.later();
  for (const destination of ['/exchange/amq.direct/k', '/exchange/amq.direct/l', '/exchange/amq.fanout', '/topic/k'])
    client.send('SEND', [`destination:${destination}`], destination);
  assert.equal(await got(client), [
    '1 /exchange/amq.direct/k /exchange/amq.direct/k',
    '1 /exchange/amq.fanout /exchange/amq.fanout',
  ]);
});

rabbit('an exchange that there is not: an ERROR that says which there are', () => {
  for (const exchange of ['does.not.exist', 'amq.headers', 'amq.match', 'amq.rabbitmq.trace', 'amq.directx']) {
    for (const command of ['SEND', 'SUBSCRIBE']) {
      for (const rest of ['', '/k']) {
        const client = Harness.open().connect();
        client.send(command, ['id:1', `destination:/exchange/${exchange}${rest}`, 'receipt:r']);
        expectError(client, `names the exchange "${exchange}", which there is not`, 'r');
      }
    }
    const client = Harness.open().connect();
    client.send('SEND', ['destination:/topic/a', `reply-to:/exchange/${exchange}/k`]);
    expectError(client, 'There are amq.direct, amq.fanout and amq.topic.');
  }
});

rabbit('what is no destination of an exchange: an ERROR that says what is expected', () => {
  for (const [destination, expected] of [
    ['/exchange/', 'is not a destination'],
    ['/exchange', 'is not a destination'],
    ['/exchange//foo', 'names no exchange'],
    ['/exchange/does.not.exist/a/b', '%2F'],
    ['/exchange/amq.topic', '/exchange/amq.topic/KEY is expected'],
    ['/exchange/amq.topic/', '/exchange/amq.topic/KEY is expected'],
    ['/exchange/amq.direct/a/b', '%2F'],
    ['/exchange/amq.direct/a.*', '%2A'],
    ['/exchange/amq.direct/#', 'wildcards'],
  ] as const) {
    for (const command of ['SEND', 'SUBSCRIBE']) {
      const client = Harness.open().connect();
      client.send(command, ['id:1', `destination:${destination}`]);
      expectError(client, expected);
    }
  }
});

rabbit("the header message of ERROR, with RabbitMQ's words", () => {
  for (const [destination, title] of [
    ['/something/interesting', 'Unknown destination'],
    ['foo/bar', 'Unknown destination'],
    ['/queues/a', 'Unknown destination'],
    ['/queue', 'Invalid destination'],
    ['/topic/', 'Invalid destination'],
    ['/exchange', 'Invalid destination'],
    ['', 'Invalid destination'],
    ['/exchange/amq.direct/a/b', 'Invalid destination'],
    ['/exchange/does.not.exist', 'not_found'],
    ['/amq/queue/none', 'not_found'],
  ] as const) {
    for (const command of ['SEND', 'SUBSCRIBE']) {
      const client = Harness.open().connect();
      client.send(command, ['id:1', `destination:${destination}`]);
      assert.is(client.frame().headers.message, title, destination);
    }
  }
});

rabbit('/amq/queue/NAME: a queue that is there, for SEND and SUBSCRIBE, and comes back as /queue/NAME', async () => {
  const harness = Harness.open();
  const owner = harness.connect();
  owner.send('SEND', ['destination:/queue/a%2Fb', 'receipt:r'], 'first');
  await owner.later();
  const client = harness.connect();
  subscribe(client, '1', '/amq/queue/a%2Fb');
  client.send('SEND', ['destination:/amq/queue/a%2Fb'], 'second');
  assert.equal(await got(client), ['1 /queue/a%2Fb first', '1 /queue/a%2Fb second']);
  client.send('SEND', ['destination:/topic/ask', 'reply-to:/amq/queue/a%2Fb']);
  assert.equal(await client.later(), []);
});

rabbit('/amq/queue/NAME: one that is made by what came before is there', async () => {
  for (const lines of [['SUBSCRIBE', 'id:1'], ['SEND']]) {
    const [command = '', ...more] = lines;
    const client = Harness.open().connect();
    client.send(command, ['destination:/queue/a', ...more]);
    subscribe(client, '2', '/amq/queue/a');
    client.send('SEND', ['destination:/amq/queue/a', 'receipt:r']);
    const frames = await client.later();
    assert.not(frames.some((each) => each.command === 'ERROR'));
    assert.ok(frames.some(({ headers }) => headers['receipt-id'] === 'r'));
  }
  await withBroker(async ({ stomp }) => {
    const client = await RawStomp.connect(stomp);
    client.socket.cork();
    client.send('SEND', { destination: '/queue/b' }, 'x');
    client.send('SUBSCRIBE', { id: '1', destination: '/amq/queue/b' });
    client.socket.uncork();
    assert.is(`${(await client.expect('MESSAGE')).body}`, 'x');
    client.send('SEND', { destination: '/amq/queue/c' });
    assert.match(`${(await client.expect('ERROR')).body}`, 'there is no queue "c"');
    client.destroy();
  });
});

rabbit('/amq/queue/NAME: an ERROR that names it where there is none, and none is made', async () => {
  const harness = Harness.open();
  for (const lines of [['destination:/amq/queue/none'], ['destination:/topic/a,/amq/queue/none']]) {
    for (const command of ['SEND', 'SUBSCRIBE']) {
      const client = harness.connect();
      client.send(command, [...lines, 'id:1', 'receipt:r']);
      expectError(client, 'there is no queue "none"', 'r');
    }
  }
  await harness.turn();
  assert.equal(harness.services.queues.list(), []);
});

rabbit('/amq/queue/NAME with a setting of the queue: an ERROR that names the setting', async () => {
  const harness = Harness.open();
  for (const [command, setting] of [
    ['SEND', 'queue-max-messages:5'],
    ['SUBSCRIBE', 'queue-max-messages:5'],
  ] as const) {
    const client = harness.connect();
    client.send('SEND', ['destination:/queue/there', 'receipt:r']);
    await client.later();
    client.send(command, ['id:1', 'destination:/amq/queue/there', setting]);
    expectError(client, 'maxMessages');
  }
});

rabbit('/amq/queue/NAME: who may not use the queue is not told whether it is there', () => {
  const refused = { mayPublish: () => false, maySubscribe: () => false };
  for (const command of ['SEND', 'SUBSCRIBE']) {
    const client = Harness.open({}, refused).connect();
    client.send(command, ['id:1', 'destination:/amq/queue/none']);
    expectError(client, 'not allowed');
  }
});

rabbit('the name of an exchange hides no key, nor a wildcard: its / is not read as one that parts them', () => {
  for (const [destination, name] of [
    ['/exchange/amq.direct%2F%23', 'amq.direct/#'],
    ['/exchange/amq.direct%2F%2B', 'amq.direct/+'],
    ['/exchange/amq.fanout%2Fx/k', 'amq.fanout/x'],
  ]) {
    for (const command of ['SEND', 'SUBSCRIBE']) {
      const client = Harness.open().connect();
      client.send(command, ['id:1', `destination:${destination}`]);
      expectError(client, `names the exchange "${name}", which there is not`);
    }
  }
});

rabbit('a queue: its wildcards are refused by name', () => {
  for (const destination of ['/queue/a.>', '/queue/*', '/amq/queue/a.*', 'a.>', '/exchange/amq.direct/*']) {
    const client = Harness.open().connect();
    subscribe(client, '1', destination);
    expectError(client, 'has a wildcard, which only topics have');
  }
});

rabbit("reply-to:/temp-queue/x: an id like its subscription's is refused, other than for itself", () => {
  for (const id of ['/temp-queue/x', '/temp-topic/x']) {
    const client = Harness.open().connect();
    subscribe(client, id, '/topic/a');
    expectError(client, 'Choose an id');
  }
  const client = Harness.open().connect();
  subscribe(client, '/temp-queue/x', '/temp-queue/x');
  assert.equal(client.frames(), []);
});

rabbit.run();
