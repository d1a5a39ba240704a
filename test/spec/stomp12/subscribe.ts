import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ALL, consuming, naming, receipts, refused, rest } from '../stomp/support/clauses.ts';
import { bodiesOf } from '../stomp/support/frames.ts';
import { Harness } from '../stomp/support/harness.ts';

/** SUBSCRIBE, its id and its ack. Other headers are in `../stomp/subscriptions`, `../stomp/queues`, `../stomp/replay` and others. */

const test = suite('STOMP 1.2 SUBSCRIBE');

for (const version of ALL) {
  test(`STOMP ${version}, SUBSCRIBE: destination is required`, () => {
    const client = Harness.open().connect(version);
    client.send('SUBSCRIBE', ['id:1', 'receipt:r']);
    refused(client, 'r', 'SUBSCRIBE without the header destination', '/topic/NAME or /queue/NAME');
  });

  test(`STOMP ${version}, SUBSCRIBE: what is sent to the destination from then on comes as MESSAGE`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    harness.publish('a', 'before');
    harness.publish('a', 'before', undefined, 1);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    harness.publish('a', 'live');
    harness.publish('a', 'logged', undefined, 1);
    harness.publish('b', 'elsewhere');
    assert.equal(client.bodies(), ['live', 'logged']);
    client.send('SUBSCRIBE', ['id:2', 'destination:/queue/a']);
    await client.turn();
    for (const body of ['1', '2']) harness.publish('$queue/a', body, undefined, 1);
    assert.equal(bodiesOf(await client.later()), ['1', '2']);
  });

  test(`STOMP ${version}, SUBSCRIBE: one that cannot be created is an ERROR`, async () => {
    const rows: readonly (readonly [harness: Harness, destination: string, text: string])[] = [
      [Harness.open({}, { maySubscribe: () => false }), '/topic/a', 'not allowed to subscribe'],
      [Harness.open({}, { maySubscribe: () => false }), '/queue/a', 'not allowed to subscribe'],
      [Harness.open({ subscriptionsPerSession: 0 }), '/topic/a', 'limits.subscriptionsPerSession'],
      [Harness.open({ queues: 0 }), '/queue/a', 'limits.queues'],
      [Harness.open(), '/nowhere/a', 'destination'],
      [Harness.open(), '/queue/', 'destination'],
    ];
    for (const [harness, destination, text] of rows) {
      const client = harness.connect(version);
      client.send('SUBSCRIBE', ['id:1', `destination:${destination}`, 'receipt:r']);
      await client.turn();
      refused(client, 'r', text);
    }
  });

  test(`STOMP ${version}, SUBSCRIBE id Header: one that is used on this connection is an ERROR`, () => {
    const harness = Harness.open();
    for (const destination of ['/topic/a', '/topic/b', '/queue/a']) {
      const client = harness.connect(version);
      client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
      client.send('SUBSCRIBE', ['id:2', 'destination:/topic/a']);
      client.send('SUBSCRIBE', ['id:1', `destination:${destination}`, 'receipt:r']);
      refused(client, 'r', 'there is a subscription with the id "1" already', 'UNSUBSCRIBE first');
    }
  });

  test(`STOMP ${version}, SUBSCRIBE id Header: one that is used no more, or elsewhere, is free`, () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
    client.send('UNSUBSCRIBE', ['id:1']);
    client.send('SUBSCRIBE', ['id:1', 'destination:/topic/b']);
    const other = harness.connect(version);
    other.send('SUBSCRIBE', ['id:1', 'destination:/topic/b']);
    harness.publish('b', 'x');
    assert.equal([client.bodies(), other.bodies()], [['x'], ['x']]);
  });

  test(`STOMP ${version}, SUBSCRIBE id Header: several to one destination are told apart by it`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    for (const id of ['one', 'two']) {
      client.send('SUBSCRIBE', [`id:${id}`, 'destination:/topic/a']);
      client.send('SUBSCRIBE', [`id:queue ${id}`, 'destination:/queue/a']);
    }
    await client.turn();
    harness.publish('a', 'x');
    const seen = client.frames().map(({ headers, body }) => `${headers.subscription} ${body}`);
    assert.equal(seen.sort(), ['one x', 'two x'], 'a topic: each gets it');
    for (const body of ['1', '2', '3', '4']) harness.publish('$queue/a', body, undefined, 1);
    const shared = (await client.later()).map(({ headers, body }) => `${headers.subscription} ${body}`);
    assert.equal(shared.sort(), ['queue one 1', 'queue one 3', 'queue two 2', 'queue two 4'], 'a queue: one of them');
  });

  test(`STOMP ${version}, SUBSCRIBE ack Header: auto, client and client-individual, and nothing else`, () => {
    for (const mode of ['auto', 'client', 'client-individual']) {
      const client = Harness.open().connect(version);
      client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', `ack:${mode}`, 'receipt:r']);
      assert.equal(receipts(client), ['r']);
    }
    for (const mode of ['', 'always', 'Client', 'auto client']) {
      const client = Harness.open().connect(version);
      client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', `ack:${mode}`, 'receipt:r']);
      refused(client, 'r', 'header ack', 'auto, client or client-individual is expected');
    }
  });

  for (const lines of [[], ['ack:auto']]) {
    test(`STOMP ${version}, SUBSCRIBE ack Header ${lines[0] ?? 'left out'}: what was sent is taken for received`, async () => {
      const { harness, client, messages } = await consuming(version, lines, ...'123456789');
      assert.is(messages.length, 9, 'no ACK is waited for');
      client.drop();
      assert.equal(await rest(harness), []);
    });
  }

  for (const mode of ['client', 'client-individual']) {
    test(`STOMP ${version}, SUBSCRIBE ack Header ${mode}: what has no ACK when the connection fails goes to others`, async () => {
      const { harness, client, messages } = await consuming(version, [`ack:${mode}`], '1', '2', '3');
      assert.equal(bodiesOf(messages), ['1', '2', '3']);
      client.send('ACK', naming(version, messages[0]));
      assert.equal(await rest(harness), [], 'as long as it is there, they are its own');
      client.drop();
      assert.equal(await rest(harness), ['2*', '3*']);
    });
  }

  test(`STOMP ${version}, SUBSCRIBE ack Header client-individual: an ACK or NACK is for its message alone`, async () => {
    for (const command of ['ACK', 'NACK']) {
      const { harness, client, messages } = await consuming(version, ['ack:client-individual'], '1', '2', '3');
      client.send(command, [
        ...naming(version, messages[2]),
        ...(command === 'NACK' && version !== '1.0' ? ['requeue:false'] : []),
        'receipt:r',
      ]);
      await client.turn();
      client.drop();
      const left = await rest(harness);
      assert.equal(left.slice(0, 2), ['1*', '2*'], `${command} of the third`);
    }
  });

  test(`STOMP ${version}, SUBSCRIBE: messages of a subscription come in the order of the destination`, async () => {
    const harness = Harness.open();
    const client = harness.connect(version);
    for (const id of [1, 2]) client.send('SUBSCRIBE', [`id:${id}`, 'destination:/topic/#', 'ack:client', 'prefetch:2']);
    for (let i = 0; i < 10; i++) harness.publish(`t/${i % 3}`, `${i}`, undefined, 1);
    const seen = new Map<string, string[]>();
    for (let frames = await client.later(); frames.length > 0; frames = await client.later()) {
      for (const frame of frames) {
        const id = frame.headers.subscription ?? '';
        seen.set(id, [...(seen.get(id) ?? []), `${frame.body}`]);
        client.send('ACK', naming(version, frame));
      }
    }
    const all = Array.from({ length: 10 }, (_, i) => `${i}`);
    assert.equal(
      [...seen],
      [
        ['1', all],
        ['2', all],
      ],
    );
  });
}

for (const version of ['1.1', '1.2'] as const) {
  test(`STOMP ${version}, SUBSCRIBE id Header: MUST be included`, () => {
    const client = Harness.open().connect(version);
    client.send('SUBSCRIBE', ['destination:/topic/a', 'receipt:r']);
    refused(client, 'r', 'SUBSCRIBE without the header id', 'each subscription has an id of its own');
  });
}

test.run();
