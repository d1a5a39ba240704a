import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BrokerError } from '../../../src/core/errors.ts';
import type { Message } from '../../../src/core/message.ts';
import type { Router, Unit } from '../../../src/ports/routing.ts';
import { expectError } from './support/expect-error.ts';
import { FakeQueues } from './support/fake-queues.ts';
import { Harness } from './support/harness.ts';

/** SEND to queues, and what of it is understood on topics, too. */

const sending = suite('STOMP sending to queues');

/** A router that only remembers what is published, in text, and acknowledges it at the end of the turn. */
class Recorder implements Router {
  readonly messages: Message[] = [];
  /** Ids that were seen before. */
  readonly known = new Set<string>();
  defer: (task: () => void) => void = () => {};

  publish(...[message, receiver, token]: Parameters<Router['publish']>): void {
    this.messages.push(message.keep());
    if (message.qos === 0 && !(receiver.hearsAll && message.topic.startsWith('$queue/'))) return;
    const repeated = this.known.has(message.properties?.messageId ?? '');
    this.defer(() => receiver.appended(token, message, repeated));
  }

  publishAll(unit: Unit): undefined {
    let left = unit.messages.length;
    let all = true;
    const appended = (_token: number, _message: Message, repeated = false): void => {
      all &&= repeated;
      if (--left === 0) unit.done(all);
    };
    for (const each of unit.messages) this.publish(each.with(1, each.retain), { appended, refused() {} }, 0);
    unit.join();
  }

  get bodies(): string[] {
    return this.messages.map((message) => Buffer.from(message.payload()).toString());
  }

  request(): void {}
  subscribe(): void {}
  unsubscribe(): void {}
  congested(): boolean {
    return false;
  }
  positions(): readonly number[] {
    return [1];
  }
}

function opened(): { harness: Harness; router: Recorder; queues: FakeQueues } {
  const router = new Recorder();
  const queues = new FakeQueues();
  const harness = Harness.open({ stompHeaders: 30 }, {}, { router, queues });
  router.defer = (task) => harness.clock.defer(task);
  return { harness, router, queues };
}

function sent(destination: string, lines: readonly string[]): { message: Message | undefined; now: number } {
  const { harness, router } = opened();
  const client = harness.connect();
  client.send('SEND', [`destination:${destination}`, ...lines], 'x');
  assert.not(client.closed);
  return { message: router.messages[0], now: harness.clock.now() };
}

sending('headers of SEND to a queue are properties of the message, and nothing else', () => {
  const rows: readonly (readonly [lines: readonly string[], properties: object | undefined])[] = [
    [[], undefined],
    [['priority:0'], { priority: 0 }],
    [['priority:9', 'key:a b', 'message-id:m', 'x:y'], { priority: 9, key: 'a b', messageId: 'm', user: [['x', 'y']] }],
    [['delay:500'], { deliverAt: 1_000_500 }],
    [['delay:0'], undefined],
    [['deliver-at:2000000'], { deliverAt: 2_000_000 }],
    [['deliver-at:5'], undefined],
    [['deliver-at:1000100', 'delay:500'], { deliverAt: 1_000_500 }],
    [['deliver-at:1000900', 'delay:500'], { deliverAt: 1_000_900 }],
    [['priority:1', 'priority:2'], { priority: 1 }],
    [['priority:10'], { priority: 9, user: [['priority', '10']] }],
    [['user.priority:1'], { user: [['priority', '1']] }],
  ];
  for (const [lines, properties] of rows)
    assert.equal(sent('/queue/a', lines).message?.properties, properties, lines.join());
});

sending('to a queue, a wrong value is refused by name with what is allowed', () => {
  const rows: readonly (readonly [line: string, text: RegExp])[] = [
    ['priority:256', /header priority of SEND is "256"; a whole number from 0 to 255/],
    ['priority:high', /header priority of SEND is "high"; a whole number/],
    ['delay:soon', /header delay of SEND is "soon"; a whole number from 0 to 31622400000/],
    ['delay:31622400001', /header delay of SEND/],
    ['deliver-at:tomorrow', /header deliver-at of SEND is "tomorrow"; a time in milliseconds/],
    ['key:', /header key of SEND is ""; at least one character/],
    ['queue-max-messages:many', /queue-max-messages is "many"; a whole number/],
    ['queue-size:1', /no queue setting "queue-size"; known are/],
  ];
  for (const [line, text] of rows) {
    const { harness, router } = opened();
    const client = harness.connect();
    client.send('SEND', ['destination:/queue/a', line, 'receipt:r'], 'x');
    expectError(client, text, 'r');
    assert.is(router.messages.length, 0);
  }
});

sending('to a topic, the same headers are the application’s; valid values are understood for bound queues', () => {
  const lines = ['priority:4', 'delay:500', 'key:k', 'queue-x:1'];
  assert.equal(sent('/topic/a', lines).message?.properties, {
    priority: 4,
    deliverAt: 1_000_500,
    key: 'k',
    user: [
      ['priority', '4'],
      ['delay', '500'],
      ['key', 'k'],
      ['queue-x', '1'],
    ],
  });
  const others = ['priority:high', 'delay:-1', 'deliver-at:x', 'key:'];
  assert.equal(sent('/topic/a', others).message?.properties, {
    user: [
      ['priority', 'high'],
      ['delay', '-1'],
      ['deliver-at', 'x'],
      ['key', ''],
    ],
  });
});

sending(
  'MESSAGE of a topic has them once, in their place; an application’s own beside a priority is user.priority',
  () => {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    const own = (lines: readonly string[]): string[] =>
      lines.filter((line) => /^(x|priority|key|delay|user\..*):/.test(line));
    client.send('SEND', ['destination:/topic/a', 'x:1', 'key:k', 'priority:4', 'delay:5'], 'x');
    assert.equal(own(client.frame().lines), ['x:1', 'key:k', 'priority:4', 'delay:5']);
    harness.publish('a', 'x', { priority: 3, key: 'k', user: [['priority', 'high']] });
    assert.equal(own(client.frame().lines), ['priority:3', 'key:k', 'user.priority:high']);
    harness.publish('a', 'x', { priority: 3, key: 'k', user: [['key', 'other']] });
    assert.equal(own(client.frame().lines), ['priority:3', 'key:k', 'user.key:other']);
    harness.publish('a', 'x', { user: [['priority', 'high']] });
    assert.equal(own(client.frame().lines), ['priority:high']);
  },
);

sending('a repeated message id: RECEIPT with duplicate:true', () => {
  const { harness, router } = opened();
  router.known.add('m');
  const client = harness.connect();
  client.send('SEND', ['destination:/queue/a', 'message-id:m', 'receipt:1'], 'x');
  client.send('SEND', ['destination:/queue/a', 'message-id:n', 'receipt:2'], 'x');
  for (const [i, ids] of [
    ['m', 'm'],
    ['m', 'n'],
    ['n', 'm'],
  ].entries()) {
    client.send('BEGIN', ['transaction:t']);
    for (const id of ids) client.send('SEND', ['destination:/queue/a', `message-id:${id}`, 'transaction:t'], 'x');
    client.send('COMMIT', ['transaction:t', `receipt:${i + 3}`]);
  }
  assert.equal(
    client.frames().map(({ headers }) => `${headers['receipt-id']} ${headers.duplicate}`),
    ['1 true', '2 undefined', '3 true', '4 undefined', '5 undefined'],
  );
});

sending('queue-… on SEND makes the queue first: what is sent after it waits, in order', async () => {
  const { harness, router, queues } = opened();
  const client = harness.connect();
  client.send('SEND', ['destination:/queue/a', 'queue-max-messages:5', 'receipt:1'], '1');
  client.send('SEND', ['destination:/topic/b'], '2');
  client.send('BEGIN', ['transaction:t']);
  client.send('SEND', ['destination:/queue/c', 'transaction:t', 'queue-overflow:refuse'], '3');
  client.send('COMMIT', ['transaction:t', 'receipt:2']);
  assert.equal(
    queues.declared.map(({ queue, settings }) => `${queue} ${JSON.stringify(settings)}`),
    ['a {"maxMessages":5}', 'c {"overflow":"refuse"}'],
  );
  assert.equal(router.bodies, []);
  assert.is(client.connection.pauses, 3, 'it is not read from meanwhile: two queues, and the COMMIT');
  queues.declared[0]?.done();
  await harness.turn();
  assert.equal(router.bodies, []);
  queues.declared[1]?.done();
  const frames = await client.later();
  assert.equal(router.bodies, ['1', '2', '3']);
  assert.is(client.connection.pauses, 0);
  assert.equal(
    frames.map(({ headers }) => headers['receipt-id']),
    ['1', '2'],
  );
});

sending('SUBSCRIBE with settings makes the queue first: what is sent behind it waits, in order', async () => {
  const { harness, router, queues } = opened();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'x-max-length:5']);
  client.send('SUBSCRIBE', ['id:2', 'destination:/topic/b', 'x-queue-name:b']);
  client.send('SUBSCRIBE', ['id:3', 'destination:/queue/c,d', 'queue-max-priority:5']);
  client.send('SEND', ['destination:/queue/a'], '1');
  client.send('SEND', ['destination:/topic/b', 'receipt:1'], '2');
  for (const { open } of queues.consumptions) {
    assert.equal(router.bodies, []);
    assert.ok(client.connection.pauses > 0, 'it is not read from meanwhile');
    open();
    await harness.turn();
  }
  assert.equal(router.bodies, ['1', '2']);
  assert.is(client.connection.pauses, 0);
  client.send('SUBSCRIBE', ['id:4', 'destination:/queue/e']);
  client.send('SEND', ['destination:/queue/e'], '3');
  assert.equal(router.bodies, ['1', '2', '3'], 'without settings there is nothing to wait for');
});

sending('the bodies of what waits outlive the chunk they came in', async () => {
  const { harness, router, queues } = opened();
  const client = harness.connect();
  const chunk = Buffer.from(
    'SEND\ndestination:/queue/a\nqueue-max-bytes:5\n\nbody\0SEND\ndestination:/topic/a\n\nnext\0',
  );
  client.channel.receive(chunk, harness.clock.now());
  chunk.fill('#');
  queues.declared[0]?.done();
  await harness.turn();
  assert.equal(router.bodies, ['body', 'next']);
});

sending('settings that the queue does not have: ERROR with the receipt-id of the SEND, which is not sent', async () => {
  const { harness, router, queues } = opened();
  const client = harness.connect();
  client.send('SEND', ['destination:/queue/a', 'queue-max-messages:6', 'receipt:1'], '1');
  client.send('SEND', ['destination:/queue/a', 'receipt:2'], '2');
  queues.declared[0]?.fail(new BrokerError('fieldInvalid', 'maxMessages of the queue is 5, not 6'));
  await harness.turn();
  expectError(client, 'maxMessages of the queue is 5, not 6', '1');
  assert.equal(router.bodies, []);
});

sending('DISCONNECT is answered after what waits for its queue', async () => {
  const { harness, router, queues } = opened();
  const client = harness.connect();
  client.write('SEND\ndestination:/queue/a\nqueue-max-bytes:5\n\n1\0DISCONNECT\nreceipt:r\n\n\0');
  assert.equal(await client.later(), []);
  queues.declared[0]?.done();
  assert.equal(
    (await client.later()).map(({ headers }) => headers['receipt-id']),
    ['r'],
  );
  assert.equal(router.bodies, ['1']);
});

sending('a SEND to a queue that nobody consumes is no error', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SEND', ['destination:/queue/a', 'receipt:r'], 'x');
  assert.equal(
    (await client.later()).map(({ command }) => command),
    ['RECEIPT'],
  );
});

sending.run();
