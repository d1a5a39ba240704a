import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ServerFrame } from './support/frames.ts';
import { Harness } from './support/harness.ts';

/** Headers of SEND that come out on MESSAGE as in RabbitMQ (rabbit_stomp_util: message_properties, message_headers). */

const test = suite('STOMP headers carried from SEND to MESSAGE');

const ROOM = { userProperties: 32, userPropertyBytes: 1024, stompHeaders: 64 };

/** The MESSAGE that a SEND becomes, at a destination. */
async function carried(
  destination: string,
  lines: readonly string[],
  version: '1.0' | '1.1' | '1.2' = '1.2',
): Promise<ServerFrame | undefined> {
  const client = Harness.open(ROOM).connect(version);
  client.send('SUBSCRIBE', ['id:1', `destination:${destination}`]);
  await client.later();
  client.send('SEND', [`destination:${destination}`, ...lines], 'x');
  return (await client.later()).find(({ command }) => command === 'MESSAGE');
}

const DESTINATIONS = ['/topic/a', '/queue/a'];

test('persistent, priority, correlation-id, reply-to, expiration and the others: same names, same values', async () => {
  const sent = {
    persistent: 'true',
    priority: '5',
    'correlation-id': 'c 1',
    'reply-to': '/queue/answers',
    expiration: '60000',
    timestamp: '1400000000',
    type: 'order',
    'user-id': 'guest',
    'app-id': 'shop',
    'content-encoding': 'gzip',
    'content-type': 'text/plain',
    'amqp-message-id': 'm-1',
    'cluster-id': 'c',
    'x-custom-hdr-1': 'value1',
    'custom-hdr-3': 'value3',
  };
  for (const destination of DESTINATIONS) {
    for (const version of ['1.0', '1.1', '1.2'] as const) {
      const lines = Object.entries(sent).map(([name, value]) => `${name}:${value}`);
      const { headers = {} } = (await carried(destination, lines, version)) ?? {};
      for (const [name, value] of Object.entries(sent)) assert.is(headers[name], value, `${destination} ${name}`);
    }
  }
});

test('headers of queues on SEND come out, too, as they do in RabbitMQ', async () => {
  for (const destination of DESTINATIONS) {
    const lines = ['x-message-ttl:60000', 'x-max-length:10', 'durable:true', 'auto-delete:false'];
    const client = Harness.open(ROOM).connect();
    // The queue is made by the SEND.
    const frames = [['SEND'], ['SUBSCRIBE', 'id:1']];
    for (const [command = '', ...own] of destination === '/queue/a' ? frames : frames.reverse())
      client.send(command, [`destination:${destination}`, ...own, ...(command === 'SEND' ? lines : [])]);
    const { headers = {} } = (await client.later())[0] ?? {};
    for (const line of lines) {
      const [name = '', value] = line.split(':');
      assert.is(headers[name], value, `${destination} ${line}`);
    }
  }
});

test('expiration is shown as given, beside the time it ends at, and has its effect', async () => {
  for (const destination of DESTINATIONS) {
    const { headers = {}, lines = [] } = (await carried(destination, ['expiration:500', 'expiration:9'])) ?? {};
    assert.equal([headers.expiration, headers.expires], ['500', '1000500'], destination);
    // Of a repeated header the first counts.
    assert.is(lines.filter((line) => line.startsWith('expiration')).length, 1, destination);
  }
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SEND', ['destination:/queue/a', 'expiration:500', 'receipt:r'], 'x');
  await client.later();
  harness.clock.advance(600);
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'receipt:s']);
  assert.equal(
    (await client.later()).map(({ command }) => command),
    ['RECEIPT'],
  );
});

test('an application’s own header of that name is told apart', async () => {
  for (const destination of DESTINATIONS) {
    for (const lines of [['user.expiration:500'], ['user.expiration:500', 'expires:1009000']])
      assert.is((await carried(destination, lines))?.headers['user.expiration'], '500', destination);
  }
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  harness.publish('a', 'x', { expiresAt: harness.clock.now() + 500, user: [['expiration', '500']] });
  assert.is(client.frame().headers['user.expiration'], '500');
});

test('a priority above 9 is shown as given, and counts as 9', async () => {
  for (const destination of DESTINATIONS) {
    const { headers = {}, lines = [] } = (await carried(destination, ['priority:255'])) ?? {};
    assert.is(headers.priority, '255', destination);
    assert.not.ok(
      lines.some((line) => line.startsWith('user.priority')),
      destination,
    );
  }
  const client = Harness.open().connect();
  for (const [i, priority] of ['9', '200', '8', '10'].entries())
    client.send('SEND', ['destination:/queue/a', `priority:${priority}`], `${priority}.${i}`);
  await client.later();
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
  assert.equal(
    (await client.later()).map(({ body }) => String(body)),
    ['9.0', '200.1', '10.3', '8.2'],
  );
});

test('persistent:true is shown where it was said, or a receipt was asked for; not else, also by queues', async () => {
  for (const destination of DESTINATIONS) {
    for (const [line, persistent] of [
      ['persistent:true', 'true'],
      ['persistent:True', 'true'],
      ['receipt:r', 'true'],
      ['persistent:false', undefined],
      ['x:y', undefined],
    ] as const) {
      const frame = await carried(destination, [line]);
      assert.is(frame?.headers.persistent, persistent, `${destination} ${line}`);
    }
  }
});

test('redelivered:false the first time, and true from then on, where a message may come again', async () => {
  const harness = Harness.open();
  const first = harness.connect();
  first.send('SEND', ['destination:/queue/a'], 'x');
  first.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
  assert.is((await first.later())[0]?.headers.redelivered, 'false');
  first.send('DISCONNECT', ['receipt:r']);
  await first.later();
  first.drop();
  const second = harness.connect();
  second.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', 'ack:client']);
  assert.is((await second.later())[0]?.headers.redelivered, 'true');
  assert.is((await carried('/topic/a', []))?.headers.redelivered, undefined);
});

test('what comes from elsewhere has no more headers than it had: no timestamp, expires or priority of the broker’s', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  harness.publish('a', 'x');
  assert.equal(
    client.frame().lines.map((line) => line.split(':')[0]),
    ['subscription', 'message-id', 'destination', 'content-length'],
  );
});

test.run();
