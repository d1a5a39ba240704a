import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryBackbone } from '../../../adapters/memory/index.ts';
import { Counters } from '../../../src/core/counters.ts';
import { Message } from '../../../src/core/message.ts';
import type { Clock, Timer } from '../../../src/ports/clock.ts';
import type { OutboxSink, Subscription } from '../../../src/ports/routing.ts';
import { LogOutbox } from '../../../src/routing/outbox.ts';

/** A clock whose turns the test takes. */
class ManualClock implements Clock {
  readonly #tasks: (() => void)[] = [];

  now(): number {
    return 0;
  }

  schedule(): Timer {
    return { cancel() {} };
  }

  defer(task: () => void): void {
    this.#tasks.push(task);
  }

  random(count: number): Uint8Array {
    return new Uint8Array(count);
  }

  /** Runs one deferred task, or all there are. */
  turn(all = false): void {
    do this.#tasks.shift()?.();
    while (all && this.#tasks.length > 0);
  }
}

/** A client whose window the test opens. */
class Client implements OutboxSink {
  readonly got: number[] = [];
  window = 0;
  lostCount = 0;

  ready(): boolean {
    return this.window > 0;
  }

  send(message: Message): void {
    this.window--;
    this.got.push(Number(Buffer.from(message.payload()).toString().trim()));
  }

  filters(): readonly string[] {
    return ['mine'];
  }

  select(message: Message): readonly Subscription[] {
    return message.topic === 'mine' ? [subscription] : [];
  }

  lost(count: number): void {
    this.lostCount += count;
  }
}

const nobody = { clientId: 'c', deliver() {} };
const subscription: Subscription = {
  subscriber: nobody,
  filter: 'mine',
  qos: 1,
  noLocal: false,
  retainAsPublished: false,
  identifier: 0,
  id: '',
  since: [0],
};
const publisher = { clientId: 'p', protocol: 'mqtt' as const };
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const receiver = { appended() {}, refused() {} };

async function setUp(outboxMessages: number, logBytes = 64 * 1024 * 1024) {
  const clock = new ManualClock();
  const backbone = new MemoryBackbone({ logBytes, dedup: { seconds: 120, messages: 1000 } }, clock);
  const client = new Client();
  const limits = { outboxMessages, outboxBytes: 1_000_000 };
  const open = (from?: readonly number[]): LogOutbox =>
    new LogOutbox(client, backbone.log, clock, new Counters(), logger, limits, from);
  let outbox: LogOutbox | undefined = open();
  let position: readonly number[] | undefined;
  /** The client goes, and what is left of it is a position. */
  const leave = (): void => {
    position = outbox?.positions() ?? position;
    outbox?.close();
    outbox = undefined;
  };
  const come = (): void => {
    outbox ??= open(position);
    outbox.pump();
  };
  let count = 0;
  await backbone.start({
    live() {},
    unheard() {},
    liveShared() {},
    tail(messages) {
      for (const message of messages) if (message.topic === 'mine') outbox?.deliver(message, [subscription]);
    },
  });
  const append = (mine: boolean, bytes = 4): void => {
    const payload = Buffer.from(mine ? `${count++}`.padEnd(bytes) : 'other'.padEnd(bytes));
    backbone.log.append(
      new Message(mine ? 'mine' : 'other', payload, 0, payload.length, 1, false, undefined, publisher, 0),
      receiver,
      0,
    );
  };
  const pump = (): void => outbox?.pump();
  const close = (): void => outbox?.close();
  const replay = (...given: Parameters<LogOutbox['replay']>): void => outbox?.replay(...given);
  const forget = (given: Subscription): void => outbox?.forget(given);
  return { clock, client, leave, come, pump, close, replay, forget, append, appended: () => count };
}

const test = suite('routing/outbox');

test('a client that is slow, leaves and returns gets every message once and in order', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 12 }), mine: fc.boolean() }),
    fc.record({ do: fc.constant('window' as const), count: fc.integer({ min: 0, max: 10 }) }),
    fc.constantFrom(
      { do: 'turn' as const },
      { do: 'turns' as const },
      { do: 'detach' as const },
      { do: 'attach' as const },
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 60 }), async (limit, steps) => {
      const { clock, client, leave, come, pump, append, appended } = await setUp(limit);
      for (const each of steps) {
        if (each.do === 'append') for (let i = 0; i < each.count; i++) append(each.mine);
        else if (each.do === 'turn') clock.turn();
        else if (each.do === 'turns') clock.turn(true);
        else if (each.do === 'attach') come();
        else if (each.do === 'detach') {
          client.window = 0;
          leave();
        } else {
          client.window = each.count;
          pump();
        }
      }
      come();
      client.window = Number.POSITIVE_INFINITY;
      pump();
      clock.turn(true);
      assert.equal(
        client.got,
        Array.from({ length: appended() }, (_, i) => i),
      );
      assert.is(client.lostCount, 0);
    }),
    { numRuns: 3000 },
  );
});

test('a client overtaken by retention is told how much, and goes on with what is left', async () => {
  const { clock, client, leave, come, append, appended } = await setUp(5, 1024 * 1024);
  leave();
  for (let i = 0; i < 3000; i++) append(true, 1000);
  clock.turn(true);
  client.window = Number.POSITIVE_INFINITY;
  come();
  clock.turn(true);
  assert.ok(client.lostCount > 1000);
  assert.is(client.got[0], client.lostCount);
  assert.is(client.got.length, appended() - client.lostCount);
});

test('retained messages wait as subscriptions, each once however often it was made, and come before what is later', async () => {
  const { client, clock, replay, append, pump } = await setUp(5);
  let looks = 0;
  const retained = (numbers: readonly number[]) => (visit: (message: Message) => void) => {
    looks++;
    for (const each of numbers) {
      const payload = Buffer.from(`${each}`);
      visit(new Message('mine', payload, 0, payload.length, 1, true, undefined, publisher, 0));
    }
  };
  for (let i = 0; i < 1000; i++) replay(subscription, retained([100, 101, 102]));
  replay({ ...subscription, filter: '+' }, retained([]));
  replay({ ...subscription, filter: '#' }, retained([200]));
  append(true);
  clock.turn(true);
  assert.equal([client.got, looks], [[], 0]);
  client.window = 2;
  pump();
  assert.equal([client.got, looks], [[100, 101], 1]);
  // Made again while its messages are being sent: they come again.
  replay(subscription, retained([103]));
  client.window = 10;
  pump();
  assert.equal([client.got, looks], [[100, 101, 102, 200, 103, 0], 4]);
});

test('retained messages of a subscription that ended wait no longer, and hold up nothing', async () => {
  const { client, clock, replay, forget, append, pump } = await setUp(5);
  let looks = 0;
  const look = (): void => {
    looks++;
  };
  const others = Array.from({ length: 1000 }, (_, i) => ({ ...subscription, filter: `other/${i}` }));
  for (const each of others) replay(each, look);
  replay(subscription, look);
  for (const each of others) forget(each);
  client.window = 10;
  pump();
  assert.is(looks, 1);
  client.window = 0;
  replay(subscription, look);
  forget(subscription);
  client.window = 10;
  append(true);
  clock.turn(true);
  assert.equal([client.got, looks], [[0], 1]);
});

test('after close nothing is sent', async () => {
  const { clock, client, close, pump, append } = await setUp(5);
  append(true);
  clock.turn(true);
  close();
  client.window = 10;
  pump();
  append(true);
  clock.turn(true);
  assert.equal(client.got, []);
});

test.run();
