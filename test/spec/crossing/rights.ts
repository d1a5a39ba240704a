import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { matches } from '../../../src/core/filter.ts';
import type { Authorizer, Credentials, Principal } from '../../../src/ports/authorizer.ts';
import { startBroker, type TestBroker } from '../../support/broker.ts';
import { type Json, RawJson } from '../../support/json-client.ts';
import { RawMqtt } from '../../support/mqtt-client.ts';
import { RawStomp } from '../../support/stomp-client.ts';
import { lasting, subscribe } from '../mqtt/support/rig.ts';

/** What a client has no right to, it does not get by way of queues, groups, replay and answers either, by any protocol. */

/** Nobody reads `secret/#` nor the queue `vault`, and nobody writes to `orders/#` nor the queue `payments`. */
class Guard implements Authorizer {
  revoked = false;

  authenticate(_: Credentials): Principal {
    return { name: 'eve' };
  }

  mayPublish(_: Principal, topic: string): boolean {
    return !/^(orders|secret)\//.test(topic) && topic !== '$queue/payments';
  }

  maySubscribe(_: Principal, filter: string): boolean {
    if (this.revoked && filter.includes('revoked')) return false;
    // As an authorizer should: a filter that reaches what is denied is denied.
    return filter !== '$queue/vault' && !matches(filter, 'secret/x') && !filter.startsWith('secret');
  }
}

const test = suite('crossing/rights');
let guard: Guard;
let server: TestBroker;
const clients: { destroy(): void }[] = [];

test.before.each(async () => {
  guard = new Guard();
  server = await startBroker({}, { authorizer: guard });
});
test.after.each(async () => {
  for (const each of clients.splice(0)) each.destroy();
  await server.broker.stop();
});

const NOT_AUTHORIZED = 0x87;

async function mqtt(clientId = 'eve', options: object = {}): Promise<RawMqtt> {
  const client = await RawMqtt.connect(server.mqtt, { clientId, protocolVersion: 5, ...options });
  clients.push(client);
  return client;
}

/** What the ERROR says that the frame is answered with. */
async function stompRefusal(command: string, headers: Record<string, string>): Promise<string> {
  const client = await RawStomp.connect(server.stomp);
  clients.push(client);
  client.send(command, { receipt: 'r', ...headers });
  return `${(await client.expect('ERROR')).body}`;
}

async function jsonRefusal(request: Json): Promise<unknown[]> {
  const client = await RawJson.connect(server.http);
  clients.push(client);
  client.send({ ...request, id: 1 });
  const { code, field } = await client.expect('error');
  return [code, field];
}

/** Settings that reach what the client may not, as headers and as fields. */
const SETTINGS: readonly [what: string, headers: Record<string, string>, fields: Json][] = [
  ['a binding', { 'queue-bindings': 'secret/x' }, { bindings: ['secret/x'] }],
  ['a binding among others', { 'queue-bindings': 'a/b,secret/#' }, { bindings: ['a/b', 'secret/#'] }],
  ['a binding with wildcards', { 'queue-bindings': '+/x' }, { bindings: ['+/x'] }],
  ['a dead-letter queue', { 'queue-dead-letter-queue': 'payments' }, { deadLetterQueue: 'payments' }],
];

for (const [what, headers, settings] of SETTINGS) {
  test(`a queue cannot be set to ${what} without the right to it`, async () => {
    const client = await mqtt();
    assert.equal((await subscribe(client, '$queue/eves', headers)).codes, [NOT_AUTHORIZED]);
    assert.match(await stompRefusal('SUBSCRIBE', { id: '1', destination: '/queue/eves', ...headers }), /not allowed/);
    assert.match(await stompRefusal('SEND', { destination: '/queue/eves', ...headers }), /not allowed/);
    const refused = ['notAuthorized', 'settings'];
    assert.equal(await jsonRefusal({ type: 'subscribe', queue: 'eves', settings }), refused);
    assert.equal(await jsonRefusal({ type: 'declare', queue: 'eves', settings }), refused);
    assert.equal(await jsonRefusal({ type: 'queueStatus', queue: 'eves' }), ['notFound', undefined], 'it was not made');
  });
}

test('with the right, the same is taken', async () => {
  const headers = { 'queue-bindings': 'open/#', 'queue-dead-letter-queue': 'dead' };
  assert.equal((await subscribe(await mqtt(), '$queue/ours', headers)).codes, [1]);
});

test('no group and no replay on what the client may not read', async () => {
  const client = await mqtt();
  for (const filter of ['$share/g/secret/#', '$share/g/#', '$share/g/+/x'])
    assert.equal((await subscribe(client, filter)).codes, [NOT_AUTHORIZED], filter);
  assert.equal((await subscribe(client, 'secret/#', { start: 'first' })).codes, [NOT_AUTHORIZED]);
  assert.match(await stompRefusal('SUBSCRIBE', { id: '1', destination: '/topic/secret.#', group: 'g' }), /not allowed/);
  assert.match(
    await stompRefusal('SUBSCRIBE', { id: '1', destination: '/topic/secret.x', start: 'first' }),
    /not allowed/,
  );
  const refused = ['notAuthorized', 'filter'];
  assert.equal(await jsonRefusal({ type: 'subscribe', group: 'g', filter: 'secret/#' }), refused);
  assert.equal(await jsonRefusal({ type: 'subscribe', filter: 'secret/x', start: 'first' }), refused);
});

test('a queue that the client may not read is not consumed, browsed, counted, emptied or deleted', async () => {
  const client = await mqtt();
  assert.equal((await subscribe(client, '$queue/vault')).codes, [NOT_AUTHORIZED]);
  for (const more of [{}, { browser: 'true' }])
    assert.match(await stompRefusal('SUBSCRIBE', { id: '1', destination: '/queue/vault', ...more }), /not allowed/);
  for (const type of ['subscribe', 'declare', 'queueStatus', 'browse', 'purge', 'deleteQueue'])
    assert.equal(await jsonRefusal({ type, queue: 'vault' }), ['notAuthorized', 'queue'], type);
  // Nor by one who may read it, but not write to it.
  for (const type of ['purge', 'deleteQueue'])
    assert.equal(await jsonRefusal({ type, queue: 'payments' }), ['notAuthorized', 'queue'], type);
});

test('nobody has answers sent where they may neither read nor write', async () => {
  const client = await mqtt();
  client.publish('ask', 'x', { qos: 1, messageId: 1, properties: { responseTopic: 'secret/x' } });
  assert.is((await client.expect('puback')).reasonCode, NOT_AUTHORIZED);
  client.publish('ask', 'x', { qos: 1, messageId: 2, properties: { responseTopic: 'open/x' } });
  assert.not((await client.expect('puback')).reasonCode === NOT_AUTHORIZED);
  assert.match(await stompRefusal('SEND', { destination: '/topic/ask', 'reply-to': '/topic/secret.x' }), /not allowed/);
  assert.equal(await jsonRefusal({ type: 'publish', topic: 'ask', payload: '', replyTo: 'secret/x' }), [
    'notAuthorized',
    'replyTo',
  ]);
});

test('nobody listens to answers for others', async () => {
  const own = await mqtt('own', { properties: { requestResponseInformation: true } });
  const client = await mqtt();
  for (const filter of ['$reply/#', '$reply/+', '$reply/nats/#', '$share/g/$reply/#', '$share/g/$queue/q'])
    assert.not((await subscribe(client, filter)).codes[0] === 1, filter);
  for (const destination of ['/reply-queue/x', '/topic/$reply.#', '/topic/$reply.>', '/topic/%24reply.x'])
    assert.match(await stompRefusal('SUBSCRIBE', { id: '1', destination }), /destination/, destination);
  for (const filter of ['$reply/#', '$reply/+', '$share/g/$reply/#'])
    assert.not((await jsonRefusal({ type: 'subscribe', filter }))[0] === undefined, filter);
  assert.is((await jsonRefusal({ type: 'subscribe', group: 'g', filter: '$reply/#' }))[0], 'filterInvalid');
  // What matches everything does not match those.
  const reader = await mqtt('reader');
  assert.equal((await subscribe(reader, ['+/+/+', 'open/#'])).codes, [1, 1]);
  client.publish('$reply/a/b', 'x');
  await client.flush();
  assert.equal(await reader.flush(), []);
  own.destroy();
});

test('a durable session does not go on with what was taken from its client', async () => {
  const client = await mqtt('s', lasting);
  const filters = ['revoked/a', 'kept/a', '$share/g/revoked/b', '$queue/revoked'];
  assert.equal((await subscribe(client, filters)).codes, [1, 1, 1, 1]);
  client.destroy();
  guard.revoked = true;
  const again = await mqtt('s', lasting);
  const publisher = await mqtt('p');
  for (const topic of ['revoked/a', 'revoked/b', '$queue/revoked', 'kept/a']) {
    publisher.publish(topic, topic, { qos: 1, messageId: 1 });
    await publisher.expect('puback');
  }
  assert.is((await again.expect('publish')).topic, 'kept/a');
  assert.equal(await again.flush(), []);
});

test.run();
