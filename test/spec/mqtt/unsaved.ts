import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Packet } from '../../support/mqtt-client.ts';
import { MqttHarness } from './support/harness.ts';

/** Answers that wait for a store that takes its time are bounded by not reading what would ask for more. */

const test = suite('mqtt/unsaved');

test('many SUBSCRIBE and UNSUBSCRIBE while the state of the session is being written: the client is not read until it is', async () => {
  const broker = new MqttHarness();
  const { state } = broker.harness.backbone;
  const client = await broker.connect('c', { properties: { sessionExpiryInterval: 1000 } });
  const put = state.put.bind(state);
  const held: (() => void)[] = [];
  state.put = async (...entry) => {
    await new Promise<void>((resolve) => held.push(resolve));
    return put(...entry);
  };
  const subscribe = (messageId: number): Packet => ({
    cmd: 'subscribe',
    messageId,
    subscriptions: [{ topic: 't', qos: 1 }],
  });
  const unsubscribe = (messageId: number): Packet => ({ cmd: 'unsubscribe', messageId, unsubscriptions: ['t'] });
  const packets = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? subscribe(i + 1) : unsubscribe(i + 1)));
  await client.send(...packets.slice(0, 40));
  assert.is(client.connection.pauses, 0);
  await client.send(...packets.slice(40));
  assert.is(client.connection.pauses, 1);
  assert.equal(client.take(), []);
  while (held.length > 0) {
    for (const resolve of held.splice(0)) resolve();
    await broker.turn();
  }
  assert.is(client.connection.pauses, 0);
  assert.is(client.take().length, 100);
});

test.run();
