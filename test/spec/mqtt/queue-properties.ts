import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import {
  type Client,
  hold,
  lasting,
  type Named,
  propertyOf,
  publish,
  Rig,
  receive,
  subscribe,
  textOf,
} from './support/rig.ts';

/** User properties that queues go by: on PUBLISH, on SUBSCRIBE, and on PUBACK and PUBREC that reject. */

const test = suite('mqtt/queue-properties');
const rig = new Rig();
test.before.each(() => rig.start());
test.after.each(() => rig.stop());

/** One message at QoS 1, and how it was answered. */
async function ask(client: Client, topic: string, userProperties: Named, messageId = 1) {
  client.publish(topic, 'x', { qos: 1, messageId, properties: { userProperties } });
  const { reasonCode, properties } = await client.expect('puback');
  return { code: reasonCode ?? 0, reason: properties?.reasonString ?? '', user: { ...properties?.userProperties } };
}

// --- PUBLISH ----------------------------------------------------------------------------------------------------------

test('priority: the highest first; key and priority are seen by the consumer, as are properties of the message', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, '$queue/x', ['low'], { priority: '1', key: 'k', mine: 'yes' });
  await publish(publisher, '$queue/x', ['high'], { priority: '9' });
  const consumer = await rig.client('c');
  await subscribe(consumer, '$queue/x');
  const [high, low] = await receive(consumer, 2);
  if (high === undefined || low === undefined) throw new Error('two messages were expected');
  assert.equal([textOf(high), propertyOf(high, 'priority')], ['high', '9']);
  assert.equal(
    ['priority', 'key', 'mine', 'redelivered', 'delivery-count'].map((name) => propertyOf(low, name)),
    ['1', 'k', 'yes', undefined, undefined],
  );
});

test('delay and deliver-at: not before then', async () => {
  const consumer = await rig.client('c');
  await subscribe(consumer, '$queue/x');
  const publisher = await rig.client('p');
  const began = Date.now();
  await publish(publisher, '$queue/x', ['second'], { delay: '300' });
  await publish(publisher, '$queue/x', ['first'], { 'deliver-at': String(began + 150) });
  await publish(publisher, '$queue/x', ['never'], { delay: '3600000' });
  const [first] = await receive(consumer, 1);
  assert.is(first && textOf(first), 'first');
  assert.ok(Date.now() - began >= 149);
  const [second] = await receive(consumer, 1);
  assert.is(second && textOf(second), 'second');
  assert.ok(Date.now() - began >= 299);
  assert.equal(await consumer.flush(), []);
});

test('a repeated message-id is stored once, and acknowledged as such', async () => {
  const publisher = await rig.client('p');
  assert.equal((await ask(publisher, '$queue/x', { 'message-id': 'a' })).user, {});
  assert.equal(await ask(publisher, '$queue/x', { 'message-id': 'a' }), {
    code: 0,
    reason: '',
    user: { duplicate: 'true' },
  });
  assert.equal((await ask(publisher, '$queue/other', { 'message-id': 'a' })).user, {}, 'another queue, another id');
  publisher.publish('$queue/x', 'x', { qos: 2, messageId: 5, properties: { userProperties: { 'message-id': 'a' } } });
  assert.equal({ ...(await publisher.expect('pubrec')).properties?.userProperties }, { duplicate: 'true' });
  // [MQTT-3.1.2-29]
  const quiet = await rig.client('q', { properties: { requestProblemInformation: false } });
  assert.equal(await ask(quiet, '$queue/x', { 'message-id': 'a' }), { code: 0, reason: '', user: {} });
  const consumer = await rig.client('c');
  await subscribe(consumer, '$queue/x');
  await receive(consumer, 1);
  assert.equal(await consumer.flush(), []);
});

for (const [name, value, expected] of [
  ['priority', '10', /priority is "10"; a whole number from 0 to 9/],
  ['priority', '', /priority is ""; a whole number from 0 to 9/],
  ['delay', '1s', /delay is "1s"; a whole number from 0 to 31622400000 \(milliseconds\)/],
  ['delay', '31622400001', /delay is "31622400001"/],
  ['deliver-at', 'noon', /deliver-at is "noon"; a time in milliseconds since 1970/],
  ['key', '', /key is ""; a text that is not empty/],
  ['message-id', '', /message-id is ""; a text that is not empty/],
] as const) {
  test(`${name}=${JSON.stringify(value)} is refused for a queue, and goes through as it is on a topic`, async () => {
    const publisher = await rig.client('p');
    const { code, reason } = await ask(publisher, '$queue/x', { [name]: value });
    assert.is(code, 0x83);
    assert.match(reason, expected);
    publisher.publish('$queue/x', 'x', { qos: 2, messageId: 2, properties: { userProperties: { [name]: value } } });
    const pubrec = await publisher.expect('pubrec');
    assert.equal([pubrec.reasonCode, pubrec.properties?.reasonString], [0x83, reason]);
    const before = rig.server.broker.counters.droppedRefused;
    publisher.publish('$queue/x', 'x', { properties: { userProperties: { [name]: value } } });
    await publisher.flush();
    assert.is(rig.server.broker.counters.droppedRefused, before + 1, 'at QoS 0 it is dropped, and counted');
    await publisher.subscribe('t', 0);
    publisher.publish('t', 'x', { properties: { userProperties: { [name]: value } } });
    assert.is(propertyOf(await publisher.expect('publish'), name), value);
  });
}

test('delay beside deliver-at, and RETAIN, are refused for a queue', async () => {
  const publisher = await rig.client('p');
  const both = await ask(publisher, '$queue/x', { delay: '1', 'deliver-at': '1' });
  assert.is(both.code, 0x83);
  assert.match(both.reason, 'delay and deliver-at');
  publisher.publish('$queue/x', 'x', { qos: 1, messageId: 3, retain: true });
  const puback = await publisher.expect('puback');
  assert.is(puback.reasonCode, 0x83);
  assert.match(puback.properties?.reasonString ?? '', 'RETAIN is 1');
});

test('a full queue refuses with 0x97, and says which setting', async () => {
  const consumer = await rig.client('c');
  await subscribe(consumer, '$queue/x', { 'queue-max-messages': '2', prefetch: '1' });
  await publish(consumer, '$queue/x', [1]);
  await hold(consumer, 1);
  await publish(consumer, '$queue/x', [2]);
  const { code, reason } = await ask(consumer, '$queue/x', { mine: 'x' });
  assert.is(code, 0x97);
  assert.match(reason, /maxMessages|max-messages/);
});

// --- SUBSCRIBE --------------------------------------------------------------------------------------------------------

for (const [filter, user, expected] of [
  ['$queue/x', { 'consumer-priority': '101' }, /consumer-priority is "101"; a whole number from -100 to 100/],
  ['$queue/x', { exclusive: 'yes' }, /exclusive is "yes"; true or false/],
  ['$queue/x', { prefetch: '0' }, /prefetch is "0"; a whole number from 1 to 65535/],
  ['$queue/x', { 'queue-max-messages': 'many' }, /queue-max-messages is "many"; a whole number/],
  ['$queue/x', { 'queue-colour': 'red' }, /there is no queue setting "queue-colour"; known are/],
  ['$queue/x', { start: 'first' }, /start is for a subscription to topics or a shared subscription, not for a queue/],
  ['$queue/x', { positions: 'true' }, /positions is for a subscription to topics, not for a queue/],
  ['$queue/x', { 'group-order': 'key' }, /group-order is for a shared subscription, not for a queue/],
  ['$share/g/t', { 'group-order': 'time' }, /group-order is "time"; key is expected/],
  ['$share/g/t', { exclusive: 'true' }, /exclusive is for a queue, not for a shared subscription/],
  ['$share/g/t', { start: 'last' }, /start is "last"; one of new, first, last N/],
  ['t', { start: 'yesterday' }, /start is "yesterday"; one of new, first, last N/],
  ['t', { prefetch: '5' }, /prefetch is for a queue or a shared subscription, not for a subscription to topics/],
  ['t', { 'queue-max-messages': '5' }, /queue-max-messages is for a queue, not for a subscription to topics/],
] as const) {
  test(`SUBSCRIBE ${filter} with ${JSON.stringify(user)} is refused by name`, async () => {
    const client = await rig.client('c');
    const { codes, reason } = await subscribe(client, filter, user);
    assert.equal(codes, [0x83]);
    assert.match(reason, expected);
    assert.equal(await subscribe(client, filter), { codes: [1], reason: '' }, 'and nothing is left of it');
  });
}

test('each filter of a packet is judged by itself; properties that are not ours say nothing', async () => {
  const client = await rig.client('c');
  const { codes, reason } = await subscribe(client, ['$queue/x', 't', '$share/g/t'], { prefetch: '5', colour: 'red' });
  assert.equal(codes, [1, 0x83, 1]);
  assert.match(reason, /^t: prefetch is for/);
});

for (const [filter, code, expected] of [
  ['$queue/+', 0x8f, /wildcard in the name of a queue/],
  ['$queue/a/#', 0x8f, /wildcard in the name of a queue/],
  ['$queue/', 0x8f, /no name of a queue/],
  ['$share/g/$queue/x', 0x8f, /shares a queue/],
] as const) {
  test(`SUBSCRIBE ${filter} is refused`, async () => {
    const { codes, reason } = await subscribe(await rig.client('c'), filter);
    assert.equal(codes, [code]);
    assert.match(reason, expected);
  });
}

test('No Local on a queue is refused', async () => {
  const client = await rig.client('c');
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$queue/x', qos: 1, nl: true }] });
  const { granted, properties } = await client.expect('suback');
  assert.equal(granted, [0x83]);
  assert.match(properties?.reasonString ?? '', 'No Local');
});

test('settings that contradict the queue are refused with both values', async () => {
  const client = await rig.client('c');
  assert.equal((await subscribe(client, '$queue/x', { 'queue-max-messages': '2' })).codes, [1]);
  const { codes, reason } = await subscribe(await rig.client('d'), '$queue/x', { 'queue-max-messages': '3' });
  assert.equal(codes, [0x83]);
  assert.match(reason, /2.*3/);
});

// --- rejection --------------------------------------------------------------------------------------------------------

/** A queue with a dead-letter queue, one message with its consumer at QoS 1, and a consumer of the dead letters. */
async function rejected(answer: object): Promise<{ consumer: Client; dead: Client }> {
  const consumer = await rig.client('c');
  await subscribe(consumer, '$queue/x', { 'queue-dead-letter-queue': 'dead', 'queue-retry-milliseconds': '100' });
  const dead = await rig.client('d');
  await subscribe(dead, '$queue/dead');
  await publish(await rig.client('p'), '$queue/x', ['x']);
  await receive(consumer, 1, answer);
  return { consumer, dead };
}

for (const [title, answer] of [
  ['0x99', { reasonCode: 0x99 }],
  ['0x90', { reasonCode: 0x90 }],
  ['0x80 and requeue=false', { reasonCode: 0x80, properties: { userProperties: { requeue: 'false' } } }],
] as const) {
  test(`PUBACK with ${title} rejects: the message is a dead letter, with reason, count and origin`, async () => {
    const { consumer, dead } = await rejected(answer);
    const [letter] = await receive(dead, 1);
    if (letter === undefined) throw new Error('a dead letter was expected');
    const marks = ['dead-letter-reason', 'dead-letter-count', 'dead-letter-queue'];
    assert.equal(
      marks.map((name) => propertyOf(letter, name)),
      ['rejected', '1', 'x'],
    );
    assert.equal(await consumer.flush(), []);
  });
}

for (const [title, answer, least] of [
  ['0x80: again, with the back-off of the queue', { reasonCode: 0x80 }, 100],
  ['0x97: again, with the back-off of the queue', { reasonCode: 0x97 }, 100],
  ['0x99 and requeue=true: again', { reasonCode: 0x99, properties: { userProperties: { requeue: 'true' } } }, 100],
  ['0x80 and delay=250: again, then', { reasonCode: 0x80, properties: { userProperties: { delay: '250' } } }, 250],
] as const) {
  test(`PUBACK with ${title}`, async () => {
    const began = Date.now();
    const { consumer, dead } = await rejected(answer);
    const [again] = await receive(consumer, 1);
    if (again === undefined) throw new Error('the message was expected again');
    assert.ok(Date.now() - began >= least - 1);
    assert.equal([propertyOf(again, 'redelivered'), propertyOf(again, 'delivery-count')], ['true', '2']);
    assert.equal(await dead.flush(), []);
  });
}

for (const [userProperties, expected] of [
  [{ requeue: 'maybe' }, /requeue is "maybe"; true or false/],
  [{ delay: '-1' }, /delay is "-1"; a whole number/],
  [{ requeue: 'false', delay: '5' }, /delay is for a message that is requeued/],
] as const) {
  test(`PUBACK with ${JSON.stringify(userProperties)} is answered by DISCONNECT, and the message is not lost`, async () => {
    const { consumer } = await rejected({ reasonCode: 0x80, properties: { userProperties } });
    const { reasonCode, properties } = await consumer.expect('disconnect');
    assert.is(reasonCode, 0x83);
    assert.match(properties?.reasonString ?? '', expected);
    const other = await rig.client('o');
    await subscribe(other, '$queue/x');
    await receive(other, 1);
  });
}

test('PUBREC with 0x99 rejects, too; a session that outlives its connection has the message already: it is dropped, counted', async () => {
  for (const [id, options] of [
    ['ends', {}],
    ['stays', lasting],
  ] as const) {
    const consumer = await rig.client(id, options);
    const queue = `$queue/${id}`;
    await subscribe(consumer, queue, { 'queue-dead-letter-queue': 'dead' }, 2);
    await publish(await rig.client('p'), queue, [id]);
    const [message] = await hold(consumer, 1);
    consumer.send({ cmd: 'pubrec', messageId: message?.messageId ?? 0, reasonCode: 0x99 });
    await consumer.flush();
  }
  const dead = await rig.client('dead');
  await subscribe(dead, '$queue/dead');
  assert.equal((await receive(dead, 1)).map(textOf), ['ends']);
  assert.equal(await dead.flush(), []);
  await eventually('it is counted', () => rig.server.broker.counters.droppedQueue === 1);
});

test.run();
