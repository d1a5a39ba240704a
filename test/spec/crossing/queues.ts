import * as assert from 'uvu/assert';
import type { Neutral } from '../../support/neutral-forms.ts';
import { type Participant, type Protocol, refusal, type Source } from './support/participant.ts';
import { onEveryBackbone, type Scene } from './support/scene.ts';

/** Queues are the same from every protocol: whoever fills them, whoever empties them, on whichever node. */

/** Milliseconds that a delayed message waits, and that timers may be early by. */
const DELAY = 300;
const EARLY = 20;

const text = (topic: string, payload: string): Neutral => ({ topic, payload: Buffer.from(payload), durable: true });

/** All that a message can say. */
const whole = (topic: string, messageId: string): Neutral => ({
  ...text(topic, 'body: ü'),
  contentType: 'text/plain; charset=utf-8',
  replyTo: 'answers/to me',
  correlation: Buffer.from('c-1: ü'),
  headers: [
    ['b', '2'],
    ['b', '1: ü'],
    ['a', ''],
  ],
  key: 'customer 7',
  messageId,
});

onEveryBackbone('queues', (test, scene: Scene) => {
  const all = scene.protocols;
  /** Those who can say what a message carries, and read it. */
  const telling = scene.those('mqtt5', 'stomp', 'json', 'nats');
  /** Clients of the broker that say how a queue is set, and reject for good. */
  const full = scene.those('mqtt5', 'stomp', 'json');

  /** An application takes from a queue beside brokers, not from them: what these have asked for before stays with them. */
  const withinReach = (one: Protocol, other: Protocol): boolean => other !== 'nats' || one === 'nats';
  const pairs = (
    title: string,
    ones: readonly Protocol[],
    others: readonly Protocol[],
    body: (one: Protocol, other: Protocol, topic: string, queue: string) => Promise<void>,
    fits: (one: Protocol, other: Protocol) => boolean = () => true,
  ): void => {
    for (const one of ones) {
      for (const other of others.filter((each) => fits(one, each))) {
        test(title.replace('ONE', one).replace('OTHER', other), () => {
          const queue = scene.name('queue');
          return body(one, other, `$queue/${queue}`, queue);
        });
      }
    }
  };
  const consumer = async (protocol: Protocol, source: Source): Promise<Participant> => {
    const participant = await scene.connect(protocol, 1);
    await participant.consume(source);
    return participant;
  };
  const producer = (protocol: Protocol): Promise<Participant> => scene.connect(protocol, 0);

  pairs('ONE fills, OTHER empties', all, all, async (one, other, topic, queue) => {
    const to = await consumer(other, { topic });
    const from = await producer(one);
    for (const body of ['1', '2']) await from.send(text(topic, body));
    for (const body of ['1', '2']) {
      const taken = await to.take();
      assert.equal([taken.payload.toString(), taken.topic, taken.redelivered], [body, topic, false]);
      taken.accept();
    }
    // What applications take, brokers hear of when they come to read.
    if (other !== 'nats') await scene.emptied(queue);
  });

  pairs('OTHER gets all that ONE said', telling, telling, async (one, other, topic, queue) => {
    const to = await consumer(other, { topic });
    // A consumer of NATS is one for each priority.
    const priority = other === 'nats' ? undefined : 7;
    const expiresAt = Date.now() + 60_000;
    const sent = { ...whole(topic, `id of ${queue}`), priority, expiresAt };
    await (await producer(one)).send(sent);
    const taken = await to.take();
    const { payload, contentType, replyTo, correlation, headers, key, messageId } = taken;
    assert.is(payload.toString(), 'body: ü');
    assert.equal(
      { contentType, replyTo, key, messageId, priority: taken.priority },
      {
        contentType: sent.contentType,
        replyTo: sent.replyTo,
        key: sent.key,
        messageId: sent.messageId,
        priority,
      },
    );
    assert.is(correlation?.toString(), 'c-1: ü');
    assert.equal(headers, sent.headers);
    assert.ok(Math.abs((taken.expiresAt ?? 0) - expiresAt) <= 1500, 'within the second that MQTT counts in');
    assert.equal([taken.redelivered, taken.deliveries], [false, 1]);
  });

  pairs(
    'ONE gives back, OTHER gets it, redelivered',
    all,
    all,
    async (one, other, topic) => {
      const first = await consumer(one, { topic, consumerPriority: -1 });
      await (await producer('json')).send(text(topic, 'once more'));
      const taken = await first.take();
      assert.equal([taken.redelivered, taken.deliveries], [false, 1]);
      if (one === 'mqtt4') taken.giveBack();
      const second = await consumer(other, { topic });
      if (one !== 'mqtt4') taken.giveBack();
      const again = await second.take();
      assert.is(again.payload.toString(), 'once more');
      if (other !== 'mqtt4') assert.equal([again.redelivered, again.deliveries], [true, 2]);
      again.accept();
    },
    withinReach,
  );

  pairs(
    'ONE is lost, OTHER gets what it had',
    all,
    all,
    async (one, other, topic) => {
      const first = await consumer(one, { topic });
      await (await producer('stomp')).send(text(topic, 'left'));
      const taken = await first.take();
      // Only time tells the server of NATS that a client of its own is lost (`ack_wait`); it says so itself.
      if (one === 'nats') taken.giveBack();
      first.close();
      const again = await (await consumer(other, { topic })).take();
      assert.is(again.payload.toString(), 'left');
      if (other !== 'mqtt4') assert.equal([again.redelivered, again.deliveries], [true, 2]);
      again.accept();
    },
    withinReach,
  );

  // Brokers hold back what is not due yet, the server of NATS does not.
  pairs(
    'ONE delays, OTHER waits',
    telling,
    scene.those('mqtt4', 'mqtt5', 'stomp', 'json'),
    async (one, other, topic) => {
      const to = await consumer(other, { topic });
      const from = await producer(one);
      const began = Date.now();
      await from.send({ ...text(topic, 'later'), delay: DELAY });
      await from.send(text(topic, 'now'));
      assert.is((await to.take()).payload.toString(), 'now');
      const taken = await to.take();
      assert.equal([taken.payload.toString(), taken.redelivered], ['later', false]);
      assert.ok(Date.now() - began >= DELAY - EARLY, `it came after ${Date.now() - began} ms`);
    },
  );

  pairs('ONE gives back with a delay, OTHER waits', full, full, async (one, other, topic) => {
    const first = await consumer(one, { topic, consumerPriority: -1 });
    await (await producer('mqtt5')).send(text(topic, 'tired'));
    const taken = await first.take();
    const second = await consumer(other, { topic });
    const began = Date.now();
    taken.giveBack(DELAY);
    const again = await second.take();
    assert.ok(Date.now() - began >= DELAY - EARLY, `it came after ${Date.now() - began} ms`);
    assert.is(again.deliveries, 2);
  });

  pairs('ONE rejects, OTHER reads the dead letter', full, telling, async (one, other, topic, queue) => {
    const dead = scene.name('dead');
    const first = await consumer(one, { topic, settings: { deadLetterQueue: dead } });
    const second = await consumer(other, { topic: `$queue/${dead}` });
    await (await producer('json')).send(whole(topic, `id of ${queue}`));
    const began = Date.now();
    (await first.take()).reject();
    const { payload, headers, key, contentType } = await second.take();
    assert.equal([payload.toString(), key, contentType], ['body: ü', 'customer 7', 'text/plain; charset=utf-8']);
    assert.equal(headers.slice(0, 3), whole('', '').headers);
    const [reason, count, place, time] = headers.slice(3);
    assert.equal(
      [reason, count, place],
      [
        ['dead-letter-reason', 'rejected'],
        ['dead-letter-count', '1'],
        ['dead-letter-queue', queue],
      ],
    );
    assert.is(time?.[0], 'dead-letter-time');
    assert.ok(Math.abs(Number(time?.[1]) - began) < 5000);
    await scene.emptied(queue);
  });

  pairs('an id that ONE used is one that OTHER repeats', full, full, async (one, other, topic) => {
    const first = await producer(one);
    const second = await scene.connect(other, 1);
    const message = { ...text(topic, 'once'), messageId: 'order 7' };
    assert.not((await first.send(message)).duplicate);
    assert.ok((await second.send(message)).duplicate);
    assert.ok((await first.send(message)).duplicate);
    assert.not((await second.send(text(topic, 'end'))).duplicate);
    await second.consume({ topic });
    for (const body of ['once', 'end']) assert.is((await second.take()).payload.toString(), body);
  });

  for (const protocol of scene.those('nats')) {
    test(`an id that ${protocol} repeats is stored once`, async () => {
      const topic = `$queue/${scene.name('queue')}`;
      const from = await producer(protocol);
      const seen = [];
      for (let i = 0; i < 2; i++) seen.push(await from.send({ ...text(topic, 'once'), messageId: `${topic} order` }));
      assert.equal(
        seen.map(({ duplicate }) => duplicate),
        [false, true],
      );
    });
  }

  /** What each publisher is told by a full queue; one of NATS is not held back. */
  const FULL = {
    mqtt4: /^closed: /,
    mqtt5: /^0x97: .*maxMessages/,
    stomp: /^ERROR true: .*maxMessages/s,
    json: /^quota: .*maxMessages/,
    nats: /^$/,
  } as const satisfies Record<Protocol, RegExp>;
  for (const protocol of scene.those('mqtt4', 'mqtt5', 'stomp', 'json')) {
    test(`${protocol} is told that the queue is full`, async () => {
      const queue = scene.name('queue');
      const topic = `$queue/${queue}`;
      await scene.declare(queue, { maxMessages: 1 });
      await (await producer('json')).send(text(topic, 'has room'));
      const { code, message } = await refusal((await producer(protocol)).send(text(topic, 'has none')));
      assert.match(`${code}: ${message}`, FULL[protocol]);
      const to = await consumer('json', { topic });
      (await to.take()).accept();
      await scene.emptied(queue);
      await (await producer(protocol)).send(text(topic, 'has room again'));
      assert.is((await to.take()).payload.toString(), 'has room again');
    });
  }

  pairs(
    'settings of ONE that OTHER contradicts are refused with both values',
    full,
    full,
    async (one, other, topic) => {
      await (await producer(one)).consume({ topic, settings: { maxMessages: 5, overflow: 'dropOldest' } });
      const second = await scene.connect(other, 1);
      const settings = { maxMessages: 6, overflow: 'dropOldest' };
      assert.match((await refusal(second.consume({ topic, settings }))).message, /maxMessages .*\b5\b.*\b6\b/s);
      await (await scene.connect(other, 1)).consume({ topic, settings: { maxMessages: 5 } });
    },
  );

  for (const protocol of full) {
    test(`${protocol}: an unknown setting is refused by name, a wrong value with what is allowed`, async () => {
      const topic = `$queue/${scene.name('queue')}`;
      const refused = async (settings: Source['settings'] & object): Promise<string> =>
        (await refusal((await scene.connect(protocol, 1)).consume({ topic, settings }))).message;
      assert.match(
        await refused({ maxMesages: 5 }),
        /(maxMesages|queue-max-mesages).*known are.*(maxMessages|queue-max-messages)/s,
      );
      assert.match(await refused({ overflow: 'explode' }), /overflow.*explode.*refuse, dropOldest, deadLetterOldest/s);
      assert.match(await refused({ maxMessages: -1 }), /(maxMessages|queue-max-messages).*-1.*a whole number/s);
    });
  }
});
