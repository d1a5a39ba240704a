import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConfigInput } from '../../../src/config/load.ts';
import { startBroker } from '../../support/broker.ts';
import { type Json, RawJson } from '../../support/json-client.ts';

/** Queues and requests over real sockets, with the routing as it is. */

const test = suite('websocket/work');

type Connect = (clientId?: string) => Promise<RawJson>;

async function withBroker(run: (connect: Connect) => Promise<void>, queues: ConfigInput['queues'] = {}): Promise<void> {
  const { broker, http } = await startBroker({ queues });
  try {
    await run((clientId) => RawJson.connect(http, clientId === undefined ? {} : { clientId }));
  } finally {
    await broker.stop();
  }
}

let ids = 0;

/** The answer, and what came before it. */
async function ask(client: RawJson, request: Json): Promise<{ answer: Json; before: Json[] }> {
  const id = `r${++ids}`;
  client.send({ ...request, id });
  const before: Json[] = [];
  for (;;) {
    const next = await client.next();
    if (next.id === id && next.type !== 'browsed') return { answer: next, before };
    before.push(next);
  }
}

function publish(client: RawJson, payload: string, more: Json = {}): Promise<{ answer: Json }> {
  return ask(client, { type: 'publish', queue: 'work', payload, ...more });
}

test('each message to one consumer, back after a delay, then accepted for good', () =>
  withBroker(async (connect) => {
    const [producer, worker] = [await connect(), await connect()];
    await worker.request({ type: 'subscribe', queue: 'work', prefetch: 1 });
    for (const payload of ['a', 'b']) assert.is((await publish(producer, payload)).answer.type, 'ack');
    const first = await worker.expect('message');
    assert.equal(
      [first.payload, first.delivery, first.deliveryCount, first.redelivered],
      ['a', 1, undefined, undefined],
    );
    worker.send({ type: 'reject', subscription: 'work', delivery: first.delivery, delay: 30 });
    const second = await worker.expect('message');
    assert.is(second.payload, 'b');
    worker.send({ type: 'accept', subscription: 'work', delivery: second.delivery });
    const again = await worker.expect('message');
    assert.equal([again.payload, again.deliveryCount, again.redelivered], ['a', 2, true]);
    await worker.request({ type: 'accept', subscription: 'work', delivery: again.delivery });
    const { answer } = await ask(producer, { type: 'queueStatus', queue: 'work' });
    assert.is(JSON.stringify(answer.status).includes('"messages":0'), true);
  }));

test('a repeated id is stored once, and said to be repeated', () =>
  withBroker(async (connect) => {
    const client = await connect();
    assert.is((await publish(client, 'mail', { messageId: 'order-7' })).answer.duplicate, undefined);
    assert.is((await publish(client, 'mail', { messageId: 'order-7' })).answer.duplicate, true);
    const { answer, before } = await ask(client, { type: 'browse', queue: 'work' });
    assert.equal([answer.count, before.length, before[0]?.messageId], [1, 1, 'order-7']);
  }));

test('what is rejected for good is in the dead-letter queue', () =>
  withBroker(async (connect) => {
    const client = await connect();
    await client.request({ type: 'subscribe', queue: 'work', settings: { deadLetterQueue: 'dead' } });
    client.send({ type: 'publish', queue: 'work', payload: 'bad' });
    const { delivery } = await client.expect('message');
    await client.request({ type: 'reject', subscription: 'work', delivery, requeue: false });
    await client.request({ type: 'subscribe', queue: 'dead' });
    const dead = await client.expect('message');
    assert.equal([dead.payload, dead.queue], ['bad', 'dead']);
    assert.match(JSON.stringify(dead.headers), /"dead-letter-reason","rejected"/);
  }));

test('declare, purge and delete; settings that differ are refused with both values', () =>
  withBroker(async (connect) => {
    const client = await connect();
    const declare = (maxMessages: number) => ({ type: 'declare', queue: 'work', settings: { maxMessages } });
    assert.is((await ask(client, declare(2))).answer.type, 'ack');
    const refused = (await ask(client, declare(3))).answer;
    assert.is(refused.code, 'fieldInvalid');
    assert.match(String(refused.message), /maxMessages of the queue is 2, not 3/);
    for (const payload of ['a', 'b']) await publish(client, payload);
    assert.is((await publish(client, 'c')).answer.code, 'quota');
    assert.is((await ask(client, { type: 'purge', queue: 'work' })).answer.count, 2);
    await client.request({ type: 'subscribe', queue: 'work' });
    const { answer, before } = await ask(client, { type: 'deleteQueue', queue: 'work' });
    assert.is(answer.type, 'ack');
    assert.equal(
      before.map(({ type, subscription }) => [type, subscription]),
      [['ended', 'work']],
    );
    assert.is((await ask(client, { type: 'queueStatus', queue: 'work' })).answer.code, 'notFound');
  }));

test('queues of the configuration are there from the start, with their settings and the defaults', () =>
  withBroker(
    async (connect) => {
      const client = await connect();
      const { answer } = await ask(client, { type: 'declare', queue: 'orders', settings: { maxMessages: 5 } });
      assert.match(JSON.stringify(answer.status), /"maxMessages":5.*"maxDeliveries":7/);
      await client.request({ type: 'publish', topic: 'shop/a/order', payload: 'x', durable: true });
      const browsed = await ask(client, { type: 'browse', queue: 'orders' });
      assert.equal(
        browsed.before.map(({ topic }) => topic),
        ['shop/a/order'],
      );
    },
    { defaults: { maxDeliveries: 7 }, declared: [{ name: 'orders', maxMessages: 5, bindings: ['shop/+/order'] }] },
  ));

test('a request is answered by who listens, and no one is told at once', () =>
  withBroker(async (connect) => {
    const [asker, shop] = [await connect(), await connect('shop')];
    const question = { type: 'request', topic: 'price', payload: 'apples' };
    assert.is((await ask(asker, question)).answer.code, 'noListener');
    assert.is((await ask(asker, { type: 'request', queue: 'price', payload: '' })).answer.code, 'noListener');
    await shop.request({ type: 'subscribe', filter: 'price' });
    await shop.request({ type: 'subscribe', queue: 'price', subscription: 'q', acknowledge: 'auto' });
    for (const more of [{}, { topic: undefined, queue: 'price' }]) {
      const answered = ask(asker, { ...question, ...more });
      const { replyTo: topic, correlationId, subscription } = await shop.expect('message');
      await shop.request({ type: 'publish', topic, correlationId, payload: `3.20 ${subscription}`, durable: true });
      const { answer } = await answered;
      assert.equal([answer.type, answer.payload], ['reply', `3.20 ${more.queue === undefined ? 'price' : 'q'}`]);
    }
  }));

test('how far a group is, and moving it', () =>
  withBroker(async (connect) => {
    const [producer, member] = [await connect(), await connect()];
    const group = { group: 'g', filter: 'events/#' };
    const none = await ask(producer, { type: 'groupStatus', ...group });
    assert.is(none.answer.code, 'notFound');
    await member.request({ type: 'subscribe', ...group, prefetch: 2 });
    for (const payload of ['a', 'b', 'c', 'd']) {
      await ask(producer, { type: 'publish', topic: 'events/x', payload, durable: true });
    }
    for (const payload of ['a', 'b']) assert.is((await member.expect('message')).payload, payload);
    const { status } = (await ask(producer, { type: 'groupStatus', ...group })).answer;
    assert.ok(typeof status === 'object' && status !== null && 'positions' in status && 'ends' in status);
    assert.equal(
      { ...status, node: '', positions: [], ends: [] },
      {
        name: 'g',
        filter: 'events/#',
        ordered: false,
        lag: 2,
        unsettled: 2,
        members: 1,
        node: '',
        positions: [],
        ends: [],
      },
    );
    assert.match(String(status.positions), /^0-[0-9]+$/);
    for (const delivery of [1, 2]) member.send({ type: 'accept', subscription: 'events/#', delivery });
    for (const payload of ['c', 'd']) assert.is((await member.expect('message')).payload, payload);
    await member.request({ type: 'accept', subscription: 'events/#', deliveries: [3, 4] });
    assert.is((await ask(producer, { type: 'moveGroup', ...group })).answer.field, 'start');
    assert.is((await ask(producer, { type: 'moveGroup', ...group, start: 'first' })).answer.type, 'ack');
    for (const payload of ['a', 'b']) assert.is((await member.expect('message')).payload, payload);
  }));

test.run();
