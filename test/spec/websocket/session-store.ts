import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createWebSocket } from '../../../protocols/websocket/index.ts';
import { BrokerError } from '../../../src/core/errors.ts';
import type { Authorizer } from '../../../src/ports/authorizer.ts';
import type { Channel } from '../../../src/ports/protocol.ts';
import { decodeSession, encodeSession } from '../../../src/routing/session-record.ts';
import { Harness } from '../stomp/support/harness.ts';
import { SlowStore } from '../stomp/support/slow-store.ts';
import { FakeConnection } from './support/connection.ts';

/** Sessions and the store: what is said when, and what becomes of what goes wrong. */

type Json = Record<string, unknown>;

/** The real routing, a store that the test makes durable, and connections of this protocol. */
class Scene {
  readonly harness: Harness;
  readonly store: SlowStore;

  constructor(authorizer: Partial<Authorizer> = {}) {
    this.harness = Harness.open({}, authorizer);
    this.store = new SlowStore(this.harness.backbone.state, this.harness.clock);
  }

  /** A connection that has sent its hello. */
  hello(fields: Json = {}): Client {
    const client = new Client(this.harness);
    client.send({ type: 'hello', clientId: 'page', sessionSeconds: 60, ...fields });
    return client;
  }

  /** One that has its session, and its subscription, if it is the first. */
  async subscribed(): Promise<Client> {
    const client = this.hello();
    client.send({ type: 'subscribe', filter: 'a' });
    await this.store.durable();
    client.take();
    return client;
  }

  /** Payloads of what a new connection gets, with a `*` behind those that come again. */
  async next(fields: Json = {}): Promise<string[]> {
    const client = this.hello(fields);
    await this.store.durable();
    const messages = client.take().filter(({ type }) => type === 'message');
    return messages.map(({ payload, redelivered }) => `${payload}${redelivered === true ? '*' : ''}`);
  }
}

class Client {
  readonly connection = new FakeConnection();
  readonly channel: Channel;
  readonly #harness: Harness;

  constructor(harness: Harness) {
    this.#harness = harness;
    this.channel = createWebSocket(harness.services).open(this.connection);
  }

  send(request: Json): void {
    this.channel.receive(Buffer.from(JSON.stringify(request)), this.#harness.clock.now());
  }

  take(): Json[] {
    return this.connection.take();
  }

  drop(): void {
    this.channel.closed();
  }
}

const test = suite('websocket/sessions and the store');

test('what changes a session is acknowledged when it is durable', async () => {
  const scene = new Scene();
  const client = scene.hello();
  await scene.store.turn();
  assert.equal(
    client.take().map(({ type, resumed }) => [type, resumed]),
    [['hello', false]],
  );
  await scene.store.durable();
  const awaits = async (request: Json): Promise<void> => {
    client.send({ id: 7, ...request });
    await scene.store.turn();
    assert.equal(client.take(), [], `${request.type}, before`);
    await scene.store.durable();
    assert.equal(client.take(), [{ type: 'ack', id: 7 }]);
  };
  await awaits({ type: 'subscribe', filter: 'a' });
  scene.harness.publish('a', '1', undefined, 1);
  const [message] = client.take();
  await awaits({ type: 'received', position: message?.position });
  await awaits({ type: 'unsubscribe', subscription: 'a' });
});

test('a connection that is gone before the store has answered leaves the session as it was', async () => {
  const scene = new Scene();
  const client = await scene.subscribed();
  for (const body of ['1', '2', '3']) scene.harness.publish('a', body, undefined, 1);
  client.send({ type: 'received', position: client.take()[0]?.position });
  client.drop();
  await scene.store.durable();
  const hasty = scene.hello();
  hasty.drop();
  await scene.store.durable();
  assert.equal(hasty.take(), []);
  assert.equal(await scene.next(), ['2*', '3*']);
  // A session that there was not is not there because of one that did not wait for it.
  const other = scene.hello({ clientId: 'other' });
  other.drop();
  await scene.store.durable();
  assert.is(await scene.harness.backbone.state.get('sessions', 'json:other'), undefined);
});

test('requests behind hello wait for it, bounded; the connection is not read from meanwhile', async () => {
  const scene = new Scene();
  const client = scene.hello();
  assert.is(client.connection.pauses, 1);
  client.send({ type: 'ping', id: 1 });
  client.send({ type: 'nonsense', id: 2 });
  client.send({ type: 'ping', id: 3 });
  await scene.store.durable();
  assert.equal(
    client.take().map(({ type, id }) => [type, id]),
    [
      ['hello', undefined],
      ['pong', 1],
      ['error', 2],
      ['pong', 3],
    ],
  );
  assert.is(client.connection.pauses, 0);
  const flood = scene.hello();
  for (let i = 0; i < 12_000; i++) flood.send({ type: 'ping', id: 'x'.repeat(30) });
  assert.equal(
    flood.take().map(({ type, code }) => [type, code]),
    [
      ['error', 'tooLarge'],
      ['goodbye', 'tooLarge'],
    ],
  );
  await scene.store.durable();
  assert.equal(flood.take(), []);
});

test('taken over while it is being opened', async () => {
  const scene = new Scene();
  const clients = [await scene.subscribed(), scene.hello(), scene.hello()];
  scene.harness.publish('a', '1', undefined, 1);
  for (let i = 0; i < 5; i++) await scene.store.durable();
  const heard = clients.map((client) => client.take());
  for (const each of heard.slice(0, 2)) {
    assert.equal([each.at(-1)?.type, each.at(-1)?.code], ['goodbye', 'takenOver']);
  }
  const last = heard[2] ?? [];
  assert.equal(
    last.map(({ type }) => type),
    ['hello', 'message'],
  );
});

test('a session of another user is not to be had', async () => {
  const scene = new Scene();
  await scene.subscribed();
  const other = scene.hello({ userName: 'bob', id: 1 });
  await scene.store.durable();
  const [error, goodbye] = other.take();
  assert.equal([error?.type, error?.id, error?.code], ['error', 1, 'identifierInvalid']);
  assert.equal([goodbye?.type, goodbye?.code], ['goodbye', 'identifierInvalid']);
  assert.ok(other.connection.ended);
});

test('a subscription whose right is gone is not resumed', async () => {
  let allowed = true;
  const scene = new Scene({ maySubscribe: (_, filter) => allowed || filter !== 'a' });
  const client = await scene.subscribed();
  client.send({ type: 'subscribe', filter: 'b' });
  await scene.store.durable();
  client.drop();
  await scene.store.durable();
  allowed = false;
  for (const topic of ['a', 'b']) scene.harness.publish(topic, topic, undefined, 1);
  assert.equal(await scene.next(), ['b']);
});

test('a session is kept for as long as its last connection said', async () => {
  const scene = new Scene();
  const client = await scene.subscribed();
  client.drop();
  await scene.store.durable();
  const short = scene.hello({ sessionSeconds: 10 });
  await scene.store.durable();
  const entry = await scene.harness.backbone.state.get('sessions', 'json:page');
  const { keptFor, expiresAt } = decodeSession(entry?.value ?? new Uint8Array());
  assert.equal([keptFor, expiresAt], [10, 0], 'in the store, too: whoever looks for what is over finds it in use');
  short.drop();
  await scene.store.durable();
  scene.harness.publish('a', '1', undefined, 1);
  scene.harness.clock.advance(9_999);
  assert.equal(await scene.next({ sessionSeconds: 10 }), ['1']);
  scene.harness.clock.advance(20_000);
  const taken = scene.hello({ sessionSeconds: 10 });
  await scene.store.durable();
  assert.is(taken.take()[0]?.resumed, true, 'as long as it is connected, its time does not run');
  taken.drop();
  await scene.store.durable();
  scene.harness.clock.advance(10_001);
  const late = scene.hello();
  await scene.store.durable();
  assert.is(late.take()[0]?.resumed, false);
});

test('a store that does not answer, or holds what is no session', async () => {
  const scene = new Scene();
  const { state } = scene.harness.backbone;
  for (const damage of [(whole: Uint8Array) => whole.subarray(0, -1), () => Uint8Array.of(99)]) {
    const client = await scene.subscribed();
    client.drop();
    await scene.store.durable();
    const entry = await state.get('sessions', 'json:page');
    const record = decodeSession(entry?.value ?? new Uint8Array());
    void state.put('sessions', 'json:page', encodeSession({ ...record, state: damage(record.state) }));
    scene.harness.warnings.length = 0;
    const anew = scene.hello();
    await scene.store.durable();
    assert.is(anew.take()[0]?.resumed, false);
    assert.equal(scene.harness.warnings, ['a stored session cannot be read; it begins anew']);
    anew.drop();
    await scene.store.durable();
  }
  state.get = () => Promise.reject(new BrokerError('unavailable', 'no store'));
  const refused = scene.hello({ clientId: 'other' });
  await scene.store.turn();
  assert.equal(
    refused.take().map(({ type, code }) => [type, code]),
    [
      ['error', 'unavailable'],
      ['goodbye', 'unavailable'],
    ],
  );
  state.get = () => new Promise(() => {});
  const waiting = scene.hello({ clientId: 'third' });
  await scene.store.turn();
  waiting.channel.tick(scene.harness.clock.now() + 11_000);
  assert.is(waiting.take()[0]?.code, 'timeout');
});

test.run();
