import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { header, RawStomp, type StompFrame } from '../../support/stomp-client.ts';

/** Groups and replay as the broker serves them, over real sockets, the log in memory. */

const groups = suite('STOMP groups and replay on the log');

type Headers = Record<string, string>;

async function withBroker(test: (broker: TestBroker) => Promise<void>): Promise<void> {
  const broker = await startBroker({});
  try {
    await test(broker);
  } finally {
    await broker.broker.stop();
  }
}

async function subscribed({ stomp }: TestBroker, headers: Headers): Promise<RawStomp> {
  const client = await RawStomp.connect(stomp);
  client.send('SUBSCRIBE', { id: '1', destination: '/topic/a.#', receipt: 's', ...headers });
  await client.expect('RECEIPT');
  return client;
}

/** One that does not ask for a receipt, before which messages might come. */
async function returned({ stomp }: TestBroker, headers: Headers): Promise<RawStomp> {
  const client = await RawStomp.connect(stomp);
  client.send('SUBSCRIBE', { id: '1', destination: '/topic/a.#', ...headers });
  return client;
}

async function publish({ stomp }: TestBroker, bodies: readonly string[], headers: Headers = {}): Promise<void> {
  const client = await RawStomp.connect(stomp);
  for (const body of bodies) client.send('SEND', { destination: '/topic/a.b', persistent: 'true', ...headers }, body);
  client.send('DISCONNECT', { receipt: 'bye' });
  await client.expect('RECEIPT');
  client.destroy();
}

async function messages(client: RawStomp, count: number): Promise<StompFrame[]> {
  const frames: StompFrame[] = [];
  while (frames.length < count) frames.push(await client.expect('MESSAGE'));
  return frames;
}

const bodies = (frames: readonly StompFrame[]): string[] => frames.map(({ body }) => `${body}`);

groups('each message to one member; what one leaves unacknowledged goes to another, marked', () =>
  withBroker(async (broker) => {
    const headers = { group: 'g', ack: 'client-individual', prefetch: '2' };
    const first = await subscribed(broker, headers);
    const second = await subscribed(broker, headers);
    await publish(broker, ['1', '2', '3', '4']);
    const [one, two] = [await messages(first, 2), await messages(second, 2)];
    assert.equal([...bodies(one), ...bodies(two)].sort(), ['1', '2', '3', '4']);
    for (const frame of two) second.send('ACK', { id: header(frame, 'ack') ?? '' });
    first.destroy();
    const again = await messages(second, 2);
    assert.equal(bodies(again).sort(), bodies(one).sort());
    assert.equal(
      again.map((frame) => header(frame, 'redelivered')),
      ['true', 'true'],
    );
    second.destroy();
  }),
);

groups('a durable group goes on where it was; start is for a new one', () =>
  withBroker(async (broker) => {
    await publish(broker, ['1', '2', '3']);
    const headers = { group: 'g', durable: 'true', positions: 'true' };
    const first = await returned(broker, { ...headers, start: 'last 2' });
    assert.equal(bodies(await messages(first, 2)), ['2', '3']);
    first.send('DISCONNECT', { receipt: 'bye' });
    await first.end();
    await publish(broker, ['4']);
    const second = await returned(broker, { ...headers, start: 'first' });
    const next = await messages(second, 1);
    assert.equal(bodies(next), ['4']);
    for (const frame of next) assert.match(header(frame, 'position') ?? '', /^0-\d+$/);
    second.destroy();
  }),
);

groups('start: first, last, time and position, each with what comes live behind it', async () => {
  const rows: readonly (readonly [start: (second: string) => string, expected: readonly string[]])[] = [
    [() => 'first', ['1', '2', '3']],
    [() => 'last 1', ['3']],
    [() => 'last 9', ['1', '2', '3']],
    [() => 'time 1000', ['1', '2', '3']],
    [(second) => `position ${second}`, ['2', '3']],
    [() => 'new', []],
  ];
  for (const [start, expected] of rows) await withBroker((broker) => startsAt(broker, start, expected));
});

async function startsAt(
  broker: TestBroker,
  start: (second: string) => string,
  expected: readonly string[],
): Promise<void> {
  await publish(broker, ['1', '2', '3']);
  await publish(broker, ['other'], { destination: '/topic/other' });
  const client = await RawStomp.connect(broker.stomp);
  client.send('SUBSCRIBE', { id: '1', destination: '/topic/a.b', start: 'first' });
  const positions = (await messages(client, 3)).map((frame) => header(frame, 'position') ?? '');
  client.send('SUBSCRIBE', { id: '2', destination: '/topic/#.b', start: start(positions[1] ?? ''), receipt: 's' });
  const frames: StompFrame[] = [];
  while (frames.length < expected.length + 1) frames.push(await client.next());
  client.send('UNSUBSCRIBE', { id: '1' });
  client.send('SEND', { destination: '/topic/a.b', persistent: 'true' }, 'live');
  frames.push(...(await messages(client, 1)));
  assert.equal(bodies(frames.filter(({ command }) => command === 'MESSAGE')), [...expected, 'live']);
  client.destroy();
}

groups.run();
