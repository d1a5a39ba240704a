import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../support/broker.ts';
import { type Json, RawJson } from '../support/json-client.ts';
import { RawMqtt } from '../support/mqtt-client.ts';
import { RawStomp } from '../support/stomp-client.ts';

/**
 * Clients of all protocols that ask queues, groups and the log for anything, right and wrong, on one broker: nothing of it is
 * an internal error, each request is answered or ends the connection, and the broker goes on serving others.
 * `node dist/test/fuzz/queues.js RUNS SEED` repeats a run, or makes it longer.
 */

const RUNS = Number(process.argv[2] ?? 120);
const SEED = Number(process.argv[3] ?? Date.now() % 1_000_000);
console.log(`measured: seed ${SEED}`);
fc.configureGlobal({ seed: SEED, numRuns: RUNS, endOnFailure: true });

const test = suite('fuzz/queues');
let server: TestBroker;
const faults: string[] = [];

test.before(async () => {
  const logger = {
    debug() {},
    info() {},
    warn() {},
    error: (fields: object, text: string) => void faults.push(`${text} ${'err' in fields ? fields.err : ''}`),
  };
  server = await startBroker({ limits: { queues: 50, queueMessages: 200, subscriptionsPerSession: 40 } }, { logger });
});
test.after(async () => {
  const mqtt = await RawMqtt.connect(server.mqtt, { clientId: 'alive' });
  assert.equal(await mqtt.flush(), []);
  mqtt.destroy();
  await server.broker.stop();
  assert.equal(faults, []);
});

const queue = fc.constantFrom('a', 'b', 'c', 'd.e', 'ü', 'x/y', ...Array.from({ length: 60 }, (_, i) => `n${i}`));
const filter = fc.constantFrom('t', 't/#', '+/t', '#', '$queue/a', '$reply/#', '$share/g/t', '$SYS/#', '', 't//', '/');
const value = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '1',
    '-1',
    '9',
    '10',
    '1e300',
    'true',
    'false',
    'key',
    'first',
    'new',
    'last 3',
    'last 999999999',
  ),
  fc.constantFrom('time 0', 'time 99999999999999', 'position 0-1', 'position 0-999999999', 'position 9-1', 'a,b', 'x'),
  fc.constantFrom(
    '2147483648',
    '31622400000',
    '999999999999999',
    'refuse',
    'dropOldest',
    'deadLetterOldest',
    'dead',
    'a',
  ),
  fc.string({ maxLength: 8 }),
);
const setting = fc.constantFrom(
  ...['maxMessages', 'maxBytes', 'overflow', 'messageMilliseconds', 'expiryMilliseconds', 'maxDeliveries', 'bindings'],
  ...['retryMilliseconds', 'retryMaxMilliseconds', 'ackMilliseconds', 'deadLetterQueue', 'singleActiveConsumer', 'odd'],
  ...['autoDelete', 'deadLetterTopic', 'maxPriority'],
);
const header = fc.oneof(
  fc.constantFrom(
    ...[
      'key',
      'message-id',
      'priority',
      'delay',
      'deliver-at',
      'start',
      'positions',
      'group',
      'group-order',
      'browser',
    ],
    ...['consumer-priority', 'exclusive', 'prefetch', 'requeue', 'durable', 'expires', 'expiration', 'persistent', 'x'],
    ...['x-message-ttl', 'x-expires', 'x-max-length', 'x-overflow', 'x-dead-letter-exchange', 'x-queue-name', 'x-odd'],
    ...['x-dead-letter-routing-key', 'x-max-priority', 'x-delivery-limit', 'x-queue-type', 'auto-delete'],
    ...['activemq.exclusive', 'activemq.prefetchSize', 'AMQ_SCHEDULED_DELAY', 'AMQ_SCHEDULED_CRON', 'JMSXGroupID'],
    ...['dead-letter-queue', 'dead-letter-reason', 'reply-to', 'correlation-id', 'selector', 'ack', 'transaction'],
  ),
  setting.map((name) => `queue-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`),
);
const headers = fc.array(fc.tuple(header, value), { maxLength: 4 });
const script = <T>(step: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(step, { maxLength: 25 });

/** Not one that has no end: an answer, or the end of the connection. */
async function within<T>(promise: Promise<T>): Promise<T> {
  const late = sleep(8000, undefined, { ref: false }).then(() => {
    throw new Error('neither an answer nor an end');
  });
  return Promise.race([promise, late]);
}

const jsonValue = fc.oneof(
  value,
  fc.constantFrom(0, 1, -1, 0.5, 9, 10, 1e300, 2 ** 31, true, false, null),
  fc.jsonValue(),
);
const settings = fc.dictionary(setting, fc.oneof(jsonValue, fc.constantFrom(1, 5, 100, true, ['t/#'], ['#', ''])), {
  maxKeys: 3,
  noNullPrototype: true,
});
const jsonRequest = fc
  .tuple(
    fc.constantFrom(
      ...['publish', 'publish', 'subscribe', 'subscribe', 'unsubscribe', 'accept', 'reject', 'request', 'declare'],
      ...['queueStatus', 'browse', 'purge', 'deleteQueue', 'received'],
    ),
    fc.oneof(
      queue.map((name): Json => ({ queue: name })),
      filter.map((text): Json => ({ filter: text, topic: text })),
      filter.map((text): Json => ({ filter: text })),
      fc.constant<Json>({ topic: 't' }),
    ),
    fc.dictionary(
      fc.constantFrom(
        ...[
          'key',
          'messageId',
          'priority',
          'delay',
          'deliverAt',
          'expiresAt',
          'start',
          'positions',
          'group',
          'groupOrder',
        ],
        ...['consumerPriority', 'exclusive', 'prefetch', 'acknowledge', 'requeue', 'delivery', 'deliveries', 'count'],
        ...[
          'after',
          'ifEmpty',
          'ifUnused',
          'subscription',
          'timeoutMilliseconds',
          'durable',
          'retain',
          'position',
          'odd',
        ],
      ),
      fc.oneof(jsonValue, fc.constantFrom(1, 2, 'a', 't', true, 'client', 'auto', [1, 2], 'g')),
      { maxKeys: 3, noNullPrototype: true },
    ),
    fc.option(settings, { nil: undefined }),
  )
  .map(([type, where, more, set]): Json => {
    const payload = type === 'publish' || type === 'request' ? { payload: 'x' } : {};
    return { type, ...where, ...payload, ...more, ...(set !== undefined && { settings: set }) };
  });

test('JSON: every request with an id has one answer', async () => {
  await fc.assert(
    fc.asyncProperty(script(jsonRequest), fc.boolean(), async (requests, lasting) => {
      const hello = lasting ? { clientId: 'lasting', sessionSeconds: 60 } : {};
      const client = await within(RawJson.connect(server.http, hello));
      for (const [id, request] of requests.entries())
        client.send({ ...request, id, ...(request.type === 'request' && { timeoutMilliseconds: 50 }) });
      client.send({ type: 'ping', id: 'end' });
      const open = new Set<unknown>([...requests.keys(), 'end']);
      while (open.size > 0) {
        const answer = await within(client.next());
        if (answer.type === 'goodbye') break;
        if (answer.type === 'browsed' || answer.type === 'message' || answer.type === 'ended') continue;
        assert.ok(open.delete(answer.id), `a second answer ${JSON.stringify(answer)}`);
        assert.not(answer.code === 'internal', JSON.stringify(answer));
      }
      client.destroy();
    }),
  );
});

const stompFrame = fc
  .tuple(
    fc.constantFrom('SEND', 'SEND', 'SUBSCRIBE', 'SUBSCRIBE', 'UNSUBSCRIBE', 'ACK', 'NACK', 'BEGIN', 'COMMIT'),
    fc.oneof(
      queue.map((name) => `/queue/${name}`),
      queue.map((name) => `/amq/queue/${name},${name},/topic/t`),
      fc.constantFrom('/topic/t', '/topic/>', '/topic/#', '/temp-queue/r', '/reply-queue/x', '/topic/$reply.x'),
      fc.constantFrom(
        '/exchange/amq.fanout/k',
        '/exchange/amq.direct',
        '/exchange/x',
        '/queue/q,/topic/#,/topic/t',
        'q,',
      ),
    ),
    fc.constantFrom('1', '2', '3'),
    fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: headers }),
  )
  .map(([command, destination, id, more]) => ({ command, destination, id, more }));

test('STOMP: receipts come, or an ERROR and the end', async () => {
  await fc.assert(
    fc.asyncProperty(script(stompFrame), async (frames) => {
      const client = await within(RawStomp.connect(server.stomp));
      const acks: string[] = [];
      for (const { command, destination, id, more } of frames) {
        const named = command.endsWith('ACK') ? (acks.shift() ?? `${id}-1-1`) : id;
        const lines: [string, string][] = [['id', named], ['destination', destination], ...more, ['receipt', 'r']];
        if (command === 'SUBSCRIBE') lines.push(['ack', 'client-individual']);
        client.send(command, lines, command === 'SEND' ? 'x' : '');
        let frame = await within(client.next().catch(() => undefined));
        while (frame?.command === 'MESSAGE') {
          const ack = frame.headers.find(([name]) => name === 'ack')?.[1];
          if (ack !== undefined) acks.push(ack);
          frame = await within(client.next().catch(() => undefined));
        }
        if (frame?.command !== 'RECEIPT') {
          const text = `${frame?.body ?? ''}`;
          assert.not.match(text, /error of this server/);
          break;
        }
      }
      client.destroy();
    }),
  );
});

const userProperties = headers.map((pairs) => Object.fromEntries(pairs.filter(([name]) => name !== '')));
const mqttPacket = fc.oneof(
  fc.record({
    cmd: fc.constant('publish' as const),
    queue,
    userProperties,
    qos: fc.constantFrom(0 as const, 1 as const),
  }),
  fc.record({
    cmd: fc.constant('subscribe' as const),
    filters: fc.array(
      fc.oneof(
        filter,
        queue.map((name) => `$queue/${name}`),
        fc.constant('$share/g/t'),
      ),
      {
        minLength: 1,
        maxLength: 3,
      },
    ),
    userProperties,
    qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
  }),
  fc.record({ cmd: fc.constant('unsubscribe' as const), queue }),
  fc.record({
    cmd: fc.constantFrom('puback' as const, 'pubrec' as const, 'pubcomp' as const),
    reasonCode: fc.constantFrom(0, 0x80, 0x83, 0x97),
    userProperties,
  }),
);

test('MQTT 5: what is asked is answered, or the connection ends', async () => {
  await fc.assert(
    fc.asyncProperty(script(mqttPacket), fc.boolean(), async (packets, lasting) => {
      const session = lasting ? { clean: false, properties: { sessionExpiryInterval: 60 } } : {};
      const clientId = lasting ? 'lasting' : 'once';
      const client = await within(RawMqtt.connect(server.mqtt, { clientId, protocolVersion: 5, ...session }));
      let messageId = 1;
      for (const packet of packets) {
        const id = (messageId % 60_000) + 1;
        messageId++;
        const user = 'userProperties' in packet ? packet.userProperties : {};
        const properties = Object.keys(user).length > 0 ? { properties: { userProperties: user } } : {};
        if (packet.cmd === 'publish') {
          client.publish(`$queue/${packet.queue}`, 'x', { qos: packet.qos, messageId: id, ...properties });
        } else if (packet.cmd === 'subscribe') {
          const subscriptions = packet.filters.map((topic) => ({ topic, qos: packet.qos }));
          client.send({ cmd: 'subscribe', messageId: id, subscriptions, ...properties });
        } else if (packet.cmd === 'unsubscribe') {
          client.send({ cmd: 'unsubscribe', messageId: id, unsubscriptions: [`$queue/${packet.queue}`] });
        } else {
          client.send({ cmd: packet.cmd, messageId: (id % 5) + 1, reasonCode: packet.reasonCode, ...properties });
        }
      }
      // Whatever of it was wrong, PINGREQ is answered or the connection has ended.
      await within(client.flush().catch(() => []));
      client.destroy();
    }),
  );
});

test.run();
