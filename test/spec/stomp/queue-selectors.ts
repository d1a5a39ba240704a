import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startBroker, type TestBroker, withBroker } from '../../support/broker.ts';
import { header, RawStomp, type StompFrame } from '../../support/stomp-client.ts';

/** The header selector of SUBSCRIBE to queues, on real sockets. */

const test = suite('STOMP selectors of queues');

const RED = "color = 'red'";
const OTHERS = "color <> 'red' OR color IS NULL";

class Client {
  readonly #raw: RawStomp;

  private constructor(raw: RawStomp) {
    this.#raw = raw;
  }

  static async connect({ stomp }: TestBroker): Promise<Client> {
    return new Client(await RawStomp.connect(stomp));
  }

  /** Messages as COLOR or COLOR NUMBER; resolves when all are stored. */
  async send(...bodies: string[]): Promise<void> {
    for (const [i, body] of bodies.entries()) {
      const receipt: Record<string, string> = i === bodies.length - 1 ? { receipt: 'sent' } : {};
      const color = body.split(' ', 1)[0] ?? '';
      this.#raw.send('SEND', { destination: '/queue/q', color, persistent: 'true', ...receipt }, body);
    }
    await this.#raw.expect('RECEIPT');
  }

  async subscribe(headers: Record<string, string> = {}): Promise<this> {
    const mode = { id: '1', destination: '/queue/q', ack: 'client-individual', receipt: 'subscribed' };
    this.#raw.send('SUBSCRIBE', { ...mode, ...headers });
    await this.#raw.expect('RECEIPT');
    return this;
  }

  take(): Promise<StompFrame> {
    return this.#raw.expect('MESSAGE');
  }

  async bodies(count: number): Promise<string[]> {
    const bodies: string[] = [];
    while (bodies.length < count) bodies.push(bodyOf(await this.take()));
    return bodies;
  }

  /** What came, and nothing else is to come. */
  async rest(): Promise<string[]> {
    return (await this.#raw.flush()).map(bodyOf);
  }

  async settle(frame: StompFrame): Promise<void> {
    this.#raw.send('ACK', { id: header(frame, 'ack') ?? '', receipt: 'settled' });
    await this.#raw.expect('RECEIPT');
  }

  answer(frame: StompFrame, command: 'ACK' | 'NACK'): void {
    this.#raw.send(command, { id: header(frame, 'ack') ?? '' });
  }

  async refused(headers: Record<string, string>): Promise<string> {
    this.#raw.send('SUBSCRIBE', { id: '1', destination: '/queue/q', ...headers });
    const frame = await this.#raw.expect('ERROR');
    return `${header(frame, 'message')} ${frame.body}`;
  }

  async unsubscribe(): Promise<void> {
    this.#raw.send('UNSUBSCRIBE', { id: '1', receipt: 'gone' });
    await this.#raw.expect('RECEIPT');
  }

  leave(): void {
    this.#raw.destroy();
  }
}

const bodyOf = ({ body }: StompFrame): string => body.toString();
const isAgain = (frame: StompFrame): boolean => header(frame, 'redelivered') === 'true';
/** The body, with * when it is redelivered. */
const told = (frame: StompFrame): string => `${bodyOf(frame)}${isAgain(frame) ? '*' : ''}`;

test('SUBSCRIBE: two consumers whose selectors complement each other share a queue', () =>
  withBroker(async (broker) => {
    const [red, others, sender] = await clients(broker, 3);
    await red.subscribe({ selector: RED });
    await others.subscribe({ selector: OTHERS });
    await sender.send('red 1', 'blue 1', 'red 2', 'blue 2', 'blue 3');
    assert.equal(await red.bodies(2), ['red 1', 'red 2']);
    assert.equal(await others.bodies(3), ['blue 1', 'blue 2', 'blue 3']);
  }));

test('SUBSCRIBE: one without a selector takes what the other does not, and its turn of the rest', () =>
  withBroker(async (broker) => {
    const [red, all, sender] = await clients(broker, 3);
    await red.subscribe({ selector: RED });
    await all.subscribe();
    await sender.send('blue 1', 'red 1', 'red 2', 'blue 2', 'red 3', 'red 4');
    assert.equal((await red.bodies(2)).length, 2);
    const got = await all.bodies(4);
    assert.equal(
      got.filter((each) => each.startsWith('blue')),
      ['blue 1', 'blue 2'],
    );
    assert.equal(await red.rest(), []);
  }));

test('SUBSCRIBE: messages that nobody selects hold up nobody, and are there for whoever comes, in order', () =>
  withBroker(async (broker) => {
    const [red, sender, late] = await clients(broker, 3);
    const blue = Array.from({ length: 2000 }, (_, i) => `blue ${i}`);
    await sender.send(...blue, 'red 1');
    await red.subscribe({ selector: RED });
    await red.settle(await red.take());
    await sender.send('red 2');
    assert.equal(await red.bodies(1), ['red 2']);
    await late.subscribe({ ack: 'auto' });
    const frames: StompFrame[] = [];
    while (frames.length < 2000) frames.push(await late.take());
    assert.equal(frames.map(bodyOf), blue);
    assert.equal(frames.filter(isAgain), []);
  }));

test('NACK: a message goes to another one that selects it, not to one that does not', () =>
  withBroker(async (broker) => {
    const [first, blue, sender] = await clients(broker, 3);
    await first.subscribe({ selector: RED });
    await blue.subscribe({ selector: "color = 'blue'" });
    await sender.send('red');
    const given = await first.take();
    const [second] = await clients(broker, 1);
    await second.subscribe({ selector: "color LIKE 'r%'" });
    first.answer(given, 'NACK');
    const again = await second.take();
    assert.is(told(again), 'red*');
    await second.settle(again);
    assert.equal([await blue.rest(), await first.rest()], [[], []]);
  }));

test('UNSUBSCRIBE: what a consumer leaves waits for the next one that selects it, redelivered', () =>
  withBroker(async (broker) => {
    const [red, all, sender] = await clients(broker, 3);
    await red.subscribe({ selector: RED });
    await sender.send('red 1', 'red 2');
    const first = await red.take();
    await red.take();
    await red.unsubscribe();
    const [blue] = await clients(broker, 1);
    await blue.subscribe({ selector: "color = 'blue'" });
    await sender.send('blue');
    assert.is(told(await blue.take()), 'blue');
    await all.subscribe({ selector: 'color IS NOT NULL' });
    assert.equal([told(await all.take()), told(await all.take())], ['red 1*', 'red 2*']);
    assert.is(told(first), 'red 1');
  }));

test('SUBSCRIBE with prefetch-count: a full consumer does not hold up those that select something else', () =>
  withBroker(async (broker) => {
    const [red, blue, sender] = await clients(broker, 3);
    await red.subscribe({ selector: RED, 'prefetch-count': '2' });
    await blue.subscribe({ selector: "color = 'blue'", 'prefetch-count': '2' });
    const reds = Array.from({ length: 50 }, (_, i) => `red ${i}`);
    await sender.send(...reds, 'blue 1');
    assert.equal(await blue.bodies(1), ['blue 1']);
    const got: string[] = [];
    while (got.length < 50) {
      const [one, two] = [await red.take(), await red.take()];
      got.push(bodyOf(one), bodyOf(two));
      assert.equal(await red.rest(), []);
      red.answer(one, 'NACK');
      const again = await red.take();
      assert.is(told(again), `${bodyOf(one)}*`);
      red.answer(again, 'ACK');
      red.answer(two, 'ACK');
    }
    assert.equal(got, reds);
  }));

test('a restart of the broker: what nobody selected is there, as it was', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'trimaran-selectors-'));
  const config = { backbone: { type: 'embedded', embedded: { directory } } } as const;
  let broker = await startBroker(config);
  try {
    const [red, sender] = await clients(broker, 2);
    await red.subscribe({ selector: RED });
    await sender.send('blue 1', 'red 1', 'blue 2', 'red 2');
    const first = await red.take();
    await red.take();
    await red.settle(first);
    await broker.broker.stop();
    broker = await startBroker(config);
    const [again, all] = await clients(broker, 2);
    await again.subscribe({ selector: RED });
    assert.is(told(await again.take()), 'red 2*');
    await all.subscribe({ selector: OTHERS });
    assert.equal([told(await all.take()), told(await all.take())], ['blue 1', 'blue 2']);
  } finally {
    await broker.broker.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});

test('ACK after another consumer with that selector has left settles its own', () =>
  withBroker(async (broker) => {
    const [one, two, sender] = await clients(broker, 3);
    await one.subscribe({ selector: RED, 'prefetch-count': '1' });
    await two.subscribe({ selector: RED, 'prefetch-count': '1' });
    await sender.send('red 1', 'red 2');
    const [first] = [await one.take(), await two.take()];
    two.leave();
    await one.settle(first);
    const left = await one.take();
    assert.is(told(left), 'red 2*');
    await one.settle(left);
    const [all] = await clients(broker, 1);
    await all.subscribe();
    assert.equal(await all.rest(), []);
  }));

test('SUBSCRIBE: a selector that cannot be read, or asks for what the queue does not know, is an ERROR', () =>
  withBroker(async (broker) => {
    for (const [selector, expected] of [
      ['color =', /selector/],
      ["destination = '/queue/q'", /destination/],
    ] as const) {
      const [client] = await clients(broker, 1);
      assert.match(await client.refused({ selector }), expected);
    }
  }));

type Several<N extends number> = N extends 1 ? [Client] : N extends 2 ? [Client, Client] : [Client, Client, Client];

async function clients<N extends 1 | 2 | 3>(broker: TestBroker, count: N): Promise<Several<N>>;
async function clients(broker: TestBroker, count: number): Promise<Client[]> {
  return Promise.all(Array.from({ length: count }, () => Client.connect(broker)));
}

test.run();
