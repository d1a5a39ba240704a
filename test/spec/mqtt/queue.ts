import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../../support/eventually.ts';
import { hold, lasting, propertyOf, publish, Rig, range, receive, subscribe, textOf } from './support/rig.ts';

/** `$queue/NAME`: what fills a queue, who empties it, and what the client's acknowledgements do. */

const test = suite('mqtt/queue');
const rig = new Rig();
test.before.each(() => rig.start());
test.after.each(() => rig.stop());

test('each message goes to one consumer, in order; what came before the consumers waits for them', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, '$queue/work', range(0, 4));
  const first = await rig.client('a');
  assert.equal((await subscribe(first, '$queue/work')).codes, [1]);
  assert.equal((await receive(first, 4)).map(textOf), range(0, 4));
  const second = await rig.client('b');
  await subscribe(second, '$queue/work');
  await publish(publisher, '$queue/work', range(4, 24));
  const seen = [...(await first.flush()), ...(await second.flush())];
  const texts = seen.flatMap((packet) => (packet.cmd === 'publish' ? [Number(textOf(packet))] : []));
  assert.equal(
    texts.sort((a, b) => a - b),
    range(4, 24).map(Number),
  );
});

for (const protocolVersion of [3, 4] as const) {
  test(`version ${protocolVersion}: the same, without properties`, async () => {
    const client = await rig.client('old', { protocolVersion });
    assert.equal(await client.subscribe('$queue/work', 1), [1]);
    client.publish('$queue/work', 'x', { qos: 1, messageId: 1, retain: true });
    const packets = [await client.next(), await client.next()];
    assert.equal(packets.map(({ cmd }) => cmd).sort(), ['puback', 'publish']);
    const [message] = packets.flatMap((packet) => (packet.cmd === 'publish' ? [packet] : []));
    assert.equal([message?.topic, message?.qos, message?.retain], ['$queue/work', 1, false]);
  });
}

test('a message comes at the QoS of the subscription, whatever it was published at', async () => {
  const publisher = await rig.client('p');
  for (const qos of [0, 1, 2] as const) {
    const consumer = await rig.client(`c${qos}`);
    await subscribe(consumer, `$queue/at-${qos}`, {}, qos);
    for (const sent of [0, 1, 2] as const)
      publisher.publish(`$queue/at-${qos}`, `${sent}`, { qos: sent, messageId: 1 + sent + 3 * qos });
    for (const message of await hold(consumer, 3)) assert.is(message.qos, qos);
  }
});

test('what a lost consumer did not acknowledge goes to another, marked; what it did does not', async () => {
  const lost = await rig.client('lost');
  await subscribe(lost, '$queue/work');
  await publish(await rig.client('p'), '$queue/work', range(0, 4));
  assert.equal((await receive(lost, 2)).map(textOf), ['0', '1']);
  for (const packet of await hold(lost, 2)) assert.is(propertyOf(packet, 'redelivered'), undefined);
  await lost.flush();
  lost.destroy();
  const other = await rig.client('other');
  await subscribe(other, '$queue/work');
  for (const [i, packet] of (await receive(other, 2)).entries()) {
    assert.equal([textOf(packet), packet.dup], [`${i + 2}`, false]);
    assert.equal([propertyOf(packet, 'redelivered'), propertyOf(packet, 'delivery-count')], ['true', '2']);
  }
  assert.equal(await other.flush(), []);
});

test('not more than Receive Maximum, or prefetch, are with a consumer', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, '$queue/work', range(0, 10));
  for (const [receiveMaximum, prefetch, expected] of [
    [3, undefined, 3],
    [10, '2', 2],
    [2, '5', 2],
  ] as const) {
    const consumer = await rig.client('c', { properties: { receiveMaximum } });
    await subscribe(consumer, '$queue/work', prefetch === undefined ? {} : { prefetch });
    assert.is((await hold(consumer, expected)).length, expected);
    assert.equal(await consumer.flush(), []);
    consumer.destroy();
  }
});

test('QoS 2: settled by PUBREC; without it the message goes to another', async () => {
  const first = await rig.client('a');
  await subscribe(first, '$queue/once', {}, 2);
  await publish(await rig.client('p'), '$queue/once', ['x', 'y']);
  const [settled] = await hold(first, 2);
  first.send({ cmd: 'pubrec', messageId: settled?.messageId ?? 0 });
  await first.expect('pubrel');
  first.destroy();
  const second = await rig.client('b');
  await subscribe(second, '$queue/once', {}, 2);
  assert.equal((await hold(second, 1)).map(textOf), ['y']);
  assert.equal(await second.flush(), []);
});

test('QoS 2: a session that outlives its connection keeps the message, and nobody else gets it', async () => {
  const first = await rig.client('s', lasting);
  await subscribe(first, '$queue/once', {}, 2);
  await publish(await rig.client('p'), '$queue/once', ['x']);
  const [message] = await hold(first, 1);
  first.destroy();
  const other = await rig.client('b');
  await subscribe(other, '$queue/once', {}, 2);
  assert.equal(await other.flush(), []);
  const again = await rig.client('s', lasting);
  const repeated = await again.expect('publish');
  assert.equal([textOf(repeated), repeated.messageId, repeated.dup], ['x', message?.messageId, true]);
  again.send({ cmd: 'pubrec', messageId: repeated.messageId ?? 0 });
  await again.expect('pubrel');
  again.send({ cmd: 'pubcomp', messageId: repeated.messageId ?? 0 });
  assert.equal(await again.flush(), []);
});

test('a session that is resumed consumes its queues again, as it asked to', async () => {
  const first = await rig.client('s', lasting);
  await subscribe(first, '$queue/work', { prefetch: '1' });
  first.destroy();
  await first.end();
  await publish(await rig.client('p'), '$queue/work', range(0, 3));
  const again = await rig.client('s', lasting);
  assert.equal((await hold(again, 1)).map(textOf), ['0']);
  assert.equal(await again.flush(), [], 'its prefetch is 1');
});

test('[MQTT-3.10.4-3] after UNSUBSCRIBE nothing more comes, and what the client has is still its own', async () => {
  const first = await rig.client('a');
  await subscribe(first, '$queue/work', { prefetch: '2' });
  const publisher = await rig.client('p');
  await publish(publisher, '$queue/work', range(0, 3));
  const held = await hold(first, 2);
  first.send({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['$queue/work', '$queue/none'] });
  assert.equal((await first.expect('unsuback')).granted, [0, 0x11]);
  const other = await rig.client('b');
  await subscribe(other, '$queue/work');
  assert.equal((await receive(other, 1)).map(textOf), ['2']);
  for (const { messageId = 0 } of held) first.send({ cmd: 'puback', messageId });
  assert.equal(await first.flush(), []);
  first.destroy();
  assert.equal(await other.flush(), []);
});

test('an exclusive consumer is alone: others are told with 0x97', async () => {
  const [first, second] = [await rig.client('a'), await rig.client('b')];
  assert.equal((await subscribe(first, '$queue/x', { exclusive: 'true' })).codes, [1]);
  assert.equal((await subscribe(second, '$queue/x')).codes, [0x97]);
  first.destroy();
  await eventually('the queue is free', async () => (await subscribe(second, '$queue/x')).codes[0] === 1);
});

test('consumers of higher priority come first', async () => {
  const [low, high] = [await rig.client('low'), await rig.client('high')];
  await subscribe(low, '$queue/x', { 'consumer-priority': '-1' });
  await subscribe(high, '$queue/x', { 'consumer-priority': '1', prefetch: '2' });
  await publish(await rig.client('p'), '$queue/x', range(0, 3));
  assert.equal((await hold(high, 2)).map(textOf), ['0', '1']);
  assert.equal((await receive(low, 1)).map(textOf), ['2']);
});

test('a message that is too large for a consumer goes to the dead letters', async () => {
  const small = await rig.client('small', { properties: { maximumPacketSize: 100 } });
  await subscribe(small, '$queue/x', { 'queue-dead-letter-queue': 'dead' });
  const dead = await rig.client('dead');
  await subscribe(dead, '$queue/dead');
  await publish(await rig.client('p'), '$queue/x', ['x'.repeat(100)]);
  const [letter] = await receive(dead, 1);
  assert.is(letter && propertyOf(letter, 'dead-letter-reason'), 'rejected');
});

test.run();
