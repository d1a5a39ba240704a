import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Consumptions } from '../../../protocols/mqtt/consumptions.ts';
import type { ConsumeOptions } from '../../../protocols/mqtt/holding.ts';
import { BrokerError, type FaultCode } from '../../../src/core/errors.ts';
import { Message } from '../../../src/core/message.ts';
import type { Consumer, ConsumerOptions, Consumption } from '../../../src/ports/queues.ts';

/** What becomes of a subscription to a queue when the queue cannot be served, is deleted, or is slow to open. */

const test = suite('mqtt/consumptions');

/** One call of `Queues.consume`: the test is the queue. */
class Asked implements Consumption {
  readonly consumer: Consumer;
  readonly options: ConsumerOptions;
  readonly opened: Promise<void>;
  readonly seen: string[] = [];
  open: () => void = () => {};
  refuse: (code: FaultCode) => void = () => {};

  constructor(consumer: Consumer, options: ConsumerOptions) {
    this.consumer = consumer;
    this.options = options;
    this.opened = new Promise((resolve, reject) => {
      this.open = resolve;
      this.refuse = (code) => {
        const error = new BrokerError(code);
        consumer.ended(error);
        reject(error);
      };
    });
  }

  give(number: number): void {
    const message = new Message('$queue/x', Buffer.alloc(0), 0, 0, 1, false, undefined, publisher, 0);
    this.consumer.take(message, { number, count: 1, redelivered: false });
  }

  settle(delivery: number, outcome: string): void {
    this.seen.push(`${outcome} ${delivery}`);
  }

  holds(): boolean {
    return true;
  }

  async settled(): Promise<void> {}

  pump(): void {
    this.seen.push('pump');
  }

  cancel(): void {
    this.seen.push('cancel');
  }
}

const publisher = { clientId: 'p', protocol: 'mqtt' } as const;

function setUp() {
  const asked: Asked[] = [];
  const timers: { readonly delay: number; readonly task: () => void; cancelled: boolean }[] = [];
  const ended: string[] = [];
  const consumptions = new Consumptions({
    clientId: 'c',
    keptFor: 60,
    window: 4,
    services: {
      queues: {
        consume(_queue, consumer, options) {
          const each = new Asked(consumer, options);
          asked.push(each);
          return each;
        },
      },
      groups: {
        join() {
          throw new Error('there are no groups here');
        },
      },
      clock: {
        schedule(delay, task) {
          const timer = { delay, task, cancelled: false };
          timers.push(timer);
          return {
            cancel() {
              timer.cancelled = true;
            },
          };
        },
      },
    },
    outgoing: { connected: true, ready: () => true, roomy: () => true, fits: () => true, send() {}, sendLive() {} },
    ended: (filter, { code }) => ended.push(`${filter} ${code}`),
  });
  const last = (): Asked => {
    const found = asked[asked.length - 1];
    if (found === undefined) throw new Error('nobody asked');
    return found;
  };
  return { consumptions, asked, timers, ended, last };
}

const options: ConsumeOptions = {
  filter: '$queue/x',
  qos: 1,
  noLocal: false,
  retainAsPublished: false,
  identifier: 0,
  since: [],
  wishes: [],
};

async function opened(consumptions: Consumptions, last: () => Asked): Promise<void> {
  const added = consumptions.add(options);
  last().open();
  await added;
}

test('nothing is taken before it is open; the prefetch is the window, or less', async () => {
  const { consumptions, last } = setUp();
  const added = consumptions.add(options);
  assert.is(last().consumer.ready(), false);
  assert.is(last().options.prefetch, 4);
  last().open();
  await added;
  assert.is(last().consumer.ready(), true);
});

test('what is refused is not there, and whoever asked hears why', async () => {
  const { consumptions, last, ended, timers } = setUp();
  const added = consumptions.add(options);
  last().refuse('unavailable');
  const error = await added.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.is(error instanceof BrokerError && error.code, 'unavailable');
  assert.not(consumptions.has('$queue/x'));
  assert.equal([ended, timers], [[], []]);
});

test('one that was unsubscribed before it was open is let go', async () => {
  const { consumptions, last } = setUp();
  const added = consumptions.add(options);
  assert.ok(consumptions.remove('$queue/x'));
  await added;
  assert.equal(last().seen, ['cancel']);
  last().refuse('unavailable');
  await Promise.resolve();
});

test('a deleted queue ends it: it is not part of the session any more', async () => {
  const { consumptions, last, ended, timers } = setUp();
  await opened(consumptions, last);
  last().consumer.ended(new BrokerError('notFound'));
  assert.equal(ended, ['$queue/x notFound']);
  assert.not(consumptions.has('$queue/x'));
  assert.is(timers.length, 0);
});

test('a queue that cannot be served is asked for again each second, and stays part of the session', async () => {
  const { consumptions, last, asked, ended, timers } = setUp();
  await opened(consumptions, last);
  const first = last();
  first.give(1);
  first.consumer.ended(new BrokerError('unavailable'));
  for (let i = 0; i < 2; i++) {
    assert.ok(consumptions.has('$queue/x'));
    assert.equal([timers[i]?.delay, ended], [1000, []]);
    timers[i]?.task();
    if (i === 0) {
      last().refuse('unavailable');
      for (let turns = 0; turns < 5; turns++) await Promise.resolve();
    }
  }
  last().open();
  for (let turns = 0; turns < 5; turns++) await Promise.resolve();
  assert.is(last().consumer.ready(), true);
  assert.equal([asked.length, last().seen], [3, ['pump']]);
});

test('once the connection is gone, nothing is asked for again', async () => {
  const { consumptions, last, timers } = setUp();
  await opened(consumptions, last);
  last().consumer.ended(new BrokerError('unavailable'));
  consumptions.leave(false);
  assert.ok(timers[0]?.cancelled);
  assert.equal(
    [...consumptions.options()].map(({ filter }) => filter),
    ['$queue/x'],
    'it is still to be written',
  );
});

test('one that is resumed and refused for good ends', async () => {
  const { consumptions, last, ended } = setUp();
  consumptions.resume(options);
  last().refuse('quota');
  for (let turns = 0; turns < 5; turns++) await Promise.resolve();
  assert.equal(ended, ['$queue/x quota']);
  assert.not(consumptions.has('$queue/x'));
});

test('other wishes: the one that was there finishes first, and takes nothing more', async () => {
  const { consumptions, last, asked } = setUp();
  await opened(consumptions, last);
  const first = last();
  first.give(1);
  const added = consumptions.add({ ...options, wishes: [['prefetch', '2']] });
  assert.is(first.consumer.ready(), false);
  assert.equal([asked.length, last().options.prefetch], [2, 2]);
  last().open();
  await added;
  await consumptions.add({ ...options, qos: 2, wishes: [['prefetch', '2']] });
  assert.is(asked.length, 2, 'another QoS alone changes nothing for the queue');
});

test.run();
