import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Harness, type TestClient } from './support/harness.ts';

const subscriptions = suite('STOMP subscriptions and acknowledgements');

/** Header with which the version acknowledges, and its value for a MESSAGE. */
function ackLine(version: string, headers: Record<string, string>): string[] {
  if (version === '1.2') return [`id:${headers.ack}`];
  const lines = [`message-id:${headers['message-id']}`];
  return version === '1.1' ? [...lines, `subscription:${headers.subscription}`] : lines;
}

function expectError(client: TestClient, text: string | RegExp): void {
  const frames = client.frames();
  const last = frames.at(-1);
  assert.is(last?.command, 'ERROR');
  assert.match(String(last?.body), text);
  assert.ok(client.closed);
}

subscriptions('1.2, SUBSCRIBE: destination and id are required', () => {
  for (const version of ['1.1', '1.2'] as const) {
    const client = Harness.open().connect(version);
    client.send('SUBSCRIBE', ['destination:/topic/a', 'receipt:r']);
    expectError(client, 'header id');
  }
  for (const version of ['1.0', '1.1', '1.2'] as const) {
    const client = Harness.open().connect(version);
    client.send('SUBSCRIBE', ['id:1']);
    expectError(client, 'header destination');
  }
});

subscriptions('1.2, SUBSCRIBE id Header: a used id is an ERROR, a freed one is not', () => {
  const client = Harness.open().connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  client.send('UNSUBSCRIBE', ['id:1']);
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/b']);
  assert.equal(client.frames(), []);
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/c']);
  expectError(client, '"1" already');
});

subscriptions('1.0: without id, by destination; UNSUBSCRIBE, too', () => {
  const harness = Harness.open();
  const client = harness.connect('1.0');
  client.send('SUBSCRIBE', ['destination: /topic/a']);
  harness.publish('a', 'one');
  const message = client.frame();
  assert.is(message.headers.subscription, undefined);
  client.send('UNSUBSCRIBE', ['destination:/topic/a', 'receipt:r']);
  assert.is(client.frame().command, 'RECEIPT');
  harness.publish('a', 'two');
  assert.equal(client.frames(), []);
  client.send('SUBSCRIBE', ['id:x', 'destination:/topic/a']);
  client.send('UNSUBSCRIBE', ['destination:/topic/a']);
  harness.publish('a', 'three');
  assert.equal(client.frames(), []);
  client.send('UNSUBSCRIBE', ['destination:/topic/a']);
  expectError(client, 'no such subscription');
});

subscriptions('1.2, UNSUBSCRIBE: by an id there is', () => {
  for (const [line, text] of [
    ['id:2', 'no such'],
    ['destination:/topic/a', 'without the header id'],
  ] as const) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    client.send('UNSUBSCRIBE', [line]);
    expectError(client, text);
  }
});

subscriptions('1.2, SUBSCRIBE ack Header: auto, client, client-individual and nothing else', () => {
  for (const mode of ['auto', 'client', 'client-individual']) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', `ack:${mode}`, 'receipt:r']);
    assert.is(client.frame().command, 'RECEIPT');
  }
  const client = Harness.open().connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:always']);
  expectError(client, 'client-individual is expected');
});

subscriptions('1.2, MESSAGE ack header: where an acknowledgement is expected, and only since 1.2', () => {
  for (const version of ['1.0', '1.1', '1.2'] as const) {
    for (const mode of ['auto', 'client']) {
      const harness = Harness.open();
      const client = harness.connect(version);
      client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', `ack:${mode}`]);
      harness.publish('a', 'x');
      const { headers } = client.frame();
      assert.is(headers.ack !== undefined, version === '1.2' && mode === 'client');
      assert.ok(headers['message-id']);
      assert.is(headers.subscription, '1');
    }
  }
});

subscriptions('message ids are unique in the connection', () => {
  const harness = Harness.open();
  const client = harness.connect();
  for (const id of [1, 2]) client.send('SUBSCRIBE', [`id:${id}`, 'destination:/topic/a']);
  for (let i = 0; i < 12; i++) harness.publish('a', 'x');
  const ids = client.frames().map(({ headers }) => headers['message-id']);
  assert.is(ids.length, 24);
  assert.is(new Set(ids).size, 24);
});

for (const version of ['1.0', '1.1', '1.2'] as const) {
  subscriptions(`${version}, ACK in mode client: cumulative, and within its subscription only`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
    client.send('SUBSCRIBE', ['id:2', 'destination:/queue/b', 'ack:client']);
    for (let i = 1; i <= 7; i++) for (const queue of ['a', 'b']) harness.publish(`$queue/${queue}`, `${queue}${i}`);
    const frames = client.frames();
    assert.is(frames.length, 6, 'prefetch is 3 each');
    const second = frames.filter(({ headers }) => headers.subscription === '1')[1];
    client.send('ACK', [...ackLine(version, second?.headers ?? {}), 'receipt:r']);
    const after = client.frames();
    assert.equal(
      after.map(({ command, body }) => `${command} ${body}`),
      ['MESSAGE a4', 'MESSAGE a5', 'RECEIPT '],
    );
  });

  subscriptions(`${version}, ACK in mode client-individual: that message alone`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client-individual']);
    for (let i = 1; i <= 5; i++) harness.publish('$queue/a', `${i}`);
    const [, second] = client.frames();
    client.send('ACK', ackLine(version, second?.headers ?? {}));
    assert.equal(client.bodies(), ['4']);
    client.drop();
    const next = harness.connect();
    next.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
    assert.equal(next.bodies(), ['1', '3', '4', '5']);
  });

  subscriptions(`${version}, NACK: back to the queue, marked as redelivered; requeue:false throws it away`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client-individual']);
    harness.publish('$queue/a', 'x');
    const first = client.frame();
    assert.is(first.headers.redelivered, undefined);
    client.send('NACK', ackLine(version, first.headers));
    const second = client.frame();
    assert.is(second.headers.redelivered, 'true');
    assert.not(second.headers['message-id'] === first.headers['message-id']);
    client.send('NACK', [...ackLine(version, second.headers), 'requeue:false', 'receipt:r']);
    assert.is(client.frame().command, 'RECEIPT');
    assert.is(harness.counters.droppedQueue, 1);
  });
}

subscriptions('NACK in mode client: cumulative, and the order stays', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
  for (let i = 1; i <= 4; i++) harness.publish('$queue/a', `${i}`);
  const third = client.frames()[2];
  client.send('NACK', [`id:${third?.headers.ack}`]);
  assert.equal(client.bodies(), ['1', '2', '3']);
});

subscriptions('1.1, ACK: message-id is enough; the header subscription is not matched strictly', () => {
  for (const lines of [[], ['subscription:other']]) {
    const harness = Harness.open();
    const client = harness.connect('1.1');
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client', 'prefetch-count:1']);
    harness.publish('$queue/a', '1');
    harness.publish('$queue/a', '2');
    client.send('ACK', [`message-id:${client.frame().headers['message-id']}`, ...lines]);
    assert.equal(client.bodies(), ['2']);
  }
});

subscriptions('1.2, ACK: of what was not delivered, or without its header, is an ERROR', () => {
  for (const command of ['ACK', 'NACK']) {
    for (const line of ['id:1', 'id:', 'x:y', 'message-id:1', 'id:0123456789abcdef-1-1', 'id:-1-1']) {
      const client = Harness.open().connect();
      client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client']);
      client.send(command, [line, 'receipt:r']);
      expectError(client, new RegExp(`^${command}`));
    }
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client']);
    harness.publish('a', 'x');
    const ack = client.frame().headers.ack ?? '';
    client.send(command, [`id:${ack.slice(0, -1)}2`]);
    expectError(client, 'was delivered');
    const other = harness.connect();
    other.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'ack:client']);
    other.send(command, [`id:${ack}`]);
    expectError(other, 'was delivered');
  }
});

subscriptions('RabbitMQ b39c83c363: an ACK that crosses the end of its subscription is no ERROR', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
  harness.publish('$queue/a', 'x');
  const { headers } = client.frame();
  client.send('ACK', [`id:${headers.ack}`]);
  client.send('ACK', [`id:${headers.ack}`, 'receipt:again']);
  client.send('UNSUBSCRIBE', ['id:1']);
  client.send('ACK', [`id:${headers.ack}`, 'receipt:late']);
  assert.equal(
    client.frames().map(({ command }) => command),
    ['RECEIPT', 'RECEIPT'],
  );
  assert.not(client.closed);
});

subscriptions('queues: each message to one consumer; what is unacknowledged goes to another when it leaves', () => {
  for (const leave of ['drop', 'UNSUBSCRIBE', 'DISCONNECT', 'error'] as const) {
    const harness = Harness.open();
    const first = harness.connect();
    const second = harness.connect();
    for (const client of [first, second]) {
      client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
    }
    for (let i = 1; i <= 4; i++) harness.publish('$queue/a', `${i}`, undefined, 1);
    assert.equal(first.bodies(), ['1', '3']);
    const [two] = second.frames();
    if (leave === 'drop') first.drop();
    else if (leave === 'error') first.write('bad');
    else first.send(leave, ['id:1']);
    second.send('ACK', [`id:${two?.headers.ack}`]);
    const redelivered = second.frames();
    assert.equal(
      redelivered.map(({ body, headers }) => `${body} ${headers.redelivered} ${headers.destination}`),
      ['1 true /queue/a', '3 true /queue/a'],
      leave,
    );
  }
});

subscriptions('prefetch: a consumer holds at most that many unacknowledged messages', () => {
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
      assert.is(client.bodies().length, count, `queue ${lines.join()} at QoS ${qos}`);
      for (let i = 0; i < 30; i++) harness.publish('a', 'x', undefined, qos);
      assert.is(client.bodies().length, count, `topic ${lines.join()} at QoS ${qos}`);
    }
  }
  const client = Harness.open().connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'prefetch-count:many']);
  expectError(client, 'prefetch-count');
});

subscriptions('topics, mode client: logged messages wait for the window and none is lost', () => {
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

subscriptions('topics, mode client: live messages wait for the window, a bounded number of them', () => {
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

subscriptions('a slow reader: live messages are dropped and counted, logged ones and queues wait', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:t', 'destination:/topic/a']);
  client.send('SUBSCRIBE', ['id:q', 'destination:/queue/a']);
  client.connection.stuck = true;
  for (let i = 0; i < 5; i++) {
    harness.publish('a', 'live');
    harness.publish('a', `logged${i}`, undefined, 1);
    harness.publish('$queue/a', `queued${i}`);
  }
  assert.equal(client.frames(), []);
  assert.is(harness.counters.droppedSlow, 5);
  client.connection.stuck = false;
  client.channel.drained();
  const bodies = client.bodies();
  assert.equal(
    bodies.filter((body) => body.startsWith('logged')),
    [0, 1, 2, 3, 4].map((i) => `logged${i}`),
  );
  assert.equal(
    bodies.filter((body) => body.startsWith('queued')),
    [0, 1, 2, 3, 4].map((i) => `queued${i}`),
  );
});

subscriptions('retained messages come to a new subscription, and say so', () => {
  const harness = Harness.open();
  harness.publish('a/b', 'kept', undefined, 0, true);
  const client = harness.connect();
  client.send('SEND', ['destination:/topic/a.c', 'retain:true'], 'too');
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a.*']);
  const frames = client.frames();
  assert.equal(frames.map(({ headers, body }) => `${headers.destination} ${headers.retain} ${body}`).sort(), [
    '/topic/a.b true kept',
    '/topic/a.c true too',
  ]);
  harness.publish('a/b', 'live', undefined, 0, true);
  assert.is(client.frame().headers.retain, undefined);
  client.send('SEND', ['destination:/topic/a.c', 'retain:true']);
  client.frame();
  client.send('SUBSCRIBE', ['id:2', 'destination:/topic/a.c']);
  assert.equal(client.frames(), [], 'an empty body removes what was retained');
});

subscriptions('wildcards: * one level, # any number anywhere, > one or more at the end', () => {
  const rows: readonly (readonly [destination: string, topics: readonly string[]])[] = [
    ['/topic/a.*', ['a/b', 'a/c']],
    ['/topic/a.#', ['a', 'a/b', 'a/c', 'a/b/c']],
    ['/topic/#.c', ['a/c', 'a/b/c', 'c']],
    ['/topic/a.>', ['a/b', 'a/c', 'a/b/c']],
    ['/topic/a.#.c', ['a/c', 'a/b/c']],
  ];
  for (const [destination, topics] of rows) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', `destination:${destination}`]);
    for (const topic of ['a', 'c', 'a/b', 'a/c', 'a/b/c', 'b']) harness.publish(topic, topic);
    assert.equal(client.bodies().sort(), [...topics].sort(), destination);
  }
});

subscriptions('no-local leaves out what the client sent itself', () => {
  for (const name of ['no-local', 'activemq.noLocal']) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', `${name}:true`]);
    client.send('SEND', ['destination:/topic/a'], 'own');
    client.send('SEND', ['destination:/topic/a', 'persistent:true'], 'own');
    harness.publish('a', 'foreign');
    assert.equal(client.bodies(), ['foreign'], name);
  }
});

subscriptions('what is not offered is refused by name, not left undone silently', () => {
  for (const line of ['selector:a=1', 'browser:true']) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', line]);
    expectError(client, line.slice(0, line.indexOf(':')));
  }
});

subscriptions('rights: SEND, SUBSCRIBE and reply-to, decided on the decoded name', () => {
  const denied = (name: string) => name !== 'secret' && name !== '$queue/secret';
  const rows: readonly (readonly [command: string, line: string])[] = [
    ['SEND', 'destination:/topic/secret'],
    ['SEND', 'destination:/topic/%73ecret'],
    ['SEND', 'destination:/queue/secret'],
    ['SEND', 'destination:/topic/$queue.secret'],
    ['SUBSCRIBE', 'destination:/topic/secret'],
    ['SUBSCRIBE', 'destination:/topic/s%65cret'],
    ['SUBSCRIBE', 'destination:/queue/secret'],
  ];
  for (const [command, line] of rows) {
    const harness = Harness.open(
      {},
      { mayPublish: (_, topic) => denied(topic), maySubscribe: (_, filter) => denied(filter) },
    );
    const client = harness.connect();
    client.send(command, command === 'SEND' ? [line] : [line, 'id:1']);
    expectError(client, 'not allowed');
    assert.is(harness.counters.received, 0);
  }
  const harness = Harness.open(
    {},
    { mayPublish: (_, topic) => denied(topic), maySubscribe: (_, topic) => denied(topic) },
  );
  const client = harness.connect();
  client.send('SEND', ['destination:/topic/a', 'reply-to:/topic/secret']);
  expectError(client, 'reply-to');
});

subscriptions('the names of the server are not for clients', () => {
  for (const line of [
    'destination:/topic/$SYS.x',
    'destination:/topic/%24SYS.x',
    'destination:/topic/$JS.x',
    'destination:/topic/$queue',
  ]) {
    const client = Harness.open().connect();
    client.send('SEND', [line]);
    expectError(client, "server's own");
  }
  const client = Harness.open().connect();
  client.send('SEND', ['destination:/topic/a', 'reply-to:/topic/$SYS.x']);
  expectError(client, 'reply-to');
});

subscriptions('limits: subscriptions of a connection, queues', () => {
  const client = Harness.open().connect();
  for (let i = 0; i < 10; i++) client.send('SUBSCRIBE', [`id:${i}`, 'destination:/topic/a']);
  assert.equal(client.frames(), []);
  client.send('SUBSCRIBE', ['id:10', 'destination:/topic/a']);
  expectError(client, 'limits.subscriptionsPerSession');
  const other = Harness.open().connect();
  for (let i = 0; i < 5; i++) other.send('SUBSCRIBE', [`id:${i}`, `destination:/queue/${i}`]);
  expectError(other, 'limits.queues');
  other.drop();
});

subscriptions('the end of a connection ends its subscriptions', () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  client.send('SUBSCRIBE', ['id:2', 'destination:/queue/a']);
  client.drop();
  harness.publish('a', 'x');
  harness.publish('a', 'x', undefined, 1);
  harness.publish('$queue/a', 'x');
  assert.equal(client.frames(), []);
  assert.is(harness.counters.delivered, 0);
});

subscriptions.run();
