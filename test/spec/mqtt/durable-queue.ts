import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DurableRig } from './support/durable-rig.ts';
import { hold, lasting, propertyOf, publish, receive, subscribe, textOf } from './support/rig.ts';

/** Queues and replays of MQTT sessions through the server's SIGKILL. */

const test = suite('mqtt/durable-queue');
const rig = new DurableRig(test);

test('what was acknowledged to the publisher comes, also at QoS 0; what the consumer acknowledged does not come again', async () => {
  const consumer = await rig.client('s', lasting);
  await subscribe(consumer, '$queue/x', { prefetch: '3' });
  const publisher = await rig.client('p');
  await publish(publisher, '$queue/x', [0, 1, 2, 3]);
  await receive(consumer, 2);
  await hold(consumer, 2);
  // What is settled is durable no later than what is stored after it.
  await consumer.flush();
  await publish(publisher, '$queue/x', [4]);
  await rig.restart('killed');
  const again = await rig.client('s', lasting);
  const seen = await receive(again, 3);
  assert.equal(seen.map(textOf).sort(), ['2', '3', '4'], 'and its queue is consumed again without another SUBSCRIBE');
});

test('a QoS 2 message for a queue whose PUBREC was lost is taken in once', async () => {
  const first = await rig.client('p', lasting);
  first.publish('$queue/x', 'once', { qos: 2, messageId: 5 });
  await first.expect('pubrec');
  first.destroy();
  await rig.restart('killed');
  const again = await rig.client('p', lasting);
  assert.ok(again.connack.sessionPresent);
  again.publish('$queue/x', 'once', { qos: 2, messageId: 5, dup: true });
  await again.expect('pubrec');
  const consumer = await rig.client('c');
  await subscribe(consumer, '$queue/x');
  await receive(consumer, 1);
  assert.equal(await consumer.flush(), []);
});

test('a QoS 2 message of a queue that is with a session is sent again with its identifier, and not to others', async () => {
  const first = await rig.client('s', lasting);
  await subscribe(first, '$queue/x', {}, 2);
  const publisher = await rig.client('p');
  await publish(publisher, '$queue/x', ['x']);
  const [held] = await hold(first, 1);
  await publish(publisher, 'later', ['y']);
  await rig.restart('killed');
  const again = await rig.client('s', lasting);
  const repeated = await again.expect('publish');
  assert.equal([textOf(repeated), repeated.messageId, repeated.dup], ['x', held?.messageId, true]);
  const other = await rig.client('o');
  await subscribe(other, '$queue/x', {}, 2);
  assert.equal(await other.flush(), []);
});

test('a replay goes on where it was; its topic for answers is the same', async () => {
  const publisher = await rig.client('p');
  await publish(publisher, 't', [0, 1, 2, 3, 4]);
  const properties = { ...lasting.properties, requestResponseInformation: true, receiveMaximum: 2 };
  const first = await rig.client('s', { clean: false, properties });
  await subscribe(first, 't', { start: 'first' });
  await hold(first, 2);
  // As a session that leaves is stored.
  first.destroy();
  await rig.client('s', { clean: false, properties }).then((second) => hold(second, 2));
  await rig.restart('killed');
  await publish(await rig.client('p'), 't', [5]);
  const again = await rig.client('s', { clean: false, properties });
  assert.is(again.connack.properties?.responseInformation, first.connack.properties?.responseInformation);
  const seen = await receive(again, 6);
  assert.equal(seen.map(textOf), ['0', '1', '2', '3', '4', '5']);
  assert.equal(seen.map(({ dup }) => dup).slice(0, 3), [true, true, false]);
  for (const packet of seen) assert.match(String(propertyOf(packet, 'position')), /^0-/);
});

test.run();
