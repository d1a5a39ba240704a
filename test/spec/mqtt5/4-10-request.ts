import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, lasting, Rig, subscribe, textOf } from '../mqtt/support/rig.ts';

/** MQTT 5.0, 4.10: request and response, with topics for answers that are the asking client's own. */

const test = suite('mqtt5/4-10-request');
const rig = new Rig();
test.before.each(() => rig.start());
test.after.each(() => rig.stop());

const asking = { properties: { requestResponseInformation: true } };

function reply(client: Client): string {
  return client.connack.properties?.responseInformation ?? '';
}

test('3.2.2.3.14 Response Information comes to those who ask for it, another to each', async () => {
  assert.is(reply(await rig.client('plain')), '');
  const [one, two] = [reply(await rig.client('a', asking)), reply(await rig.client('b', asking))];
  assert.match(one, /^\$reply\/[A-Za-z0-9_-]{22}$/);
  assert.is.not(one, two);
});

test('a request is answered, with its correlation data', async () => {
  const asker = await rig.client('asker', asking);
  await subscribe(asker, `${reply(asker)}/#`);
  const service = await rig.client('service');
  await subscribe(service, 'service');
  const properties = { responseTopic: `${reply(asker)}/7`, correlationData: Buffer.from('c') };
  asker.publish('service', 'now?', { properties });
  const request = await service.expect('publish');
  const { responseTopic = '', correlationData = Buffer.of() } = request.properties ?? {};
  service.publish(responseTopic, 'noon', { qos: 1, messageId: 1, properties: { correlationData } });
  assert.is((await service.expect('puback')).reasonCode ?? 0, 0);
  const answer = await asker.expect('publish');
  assert.equal([textOf(answer), answer.properties?.correlationData?.toString()], ['noon', 'c']);
});

test('a client subscribes to its own topic and below it, to no other', async () => {
  const [own, other] = [await rig.client('a', asking), await rig.client('b', asking)];
  const foreign = reply(other);
  const filters = [reply(own), `${reply(own)}/#`, foreign, `${foreign}/x`, `${reply(own)}x`, '$reply/+', '$reply/#'];
  const { codes, reason } = await subscribe(own, filters);
  assert.equal(codes, [1, 1, 0x87, 0x87, 0x87, 0x87, 0x87]);
  assert.match(reason, 'Response Information');
  const { codes: none } = await subscribe(await rig.client('plain'), ['$reply/', '$reply/x']);
  assert.equal(none, [0x87, 0x87]);
});

test('a session that outlives its connection keeps its topic, and answers that came meanwhile', async () => {
  const options = { clean: false, properties: { ...lasting.properties, ...asking.properties } };
  const first = await rig.client('s', options);
  await subscribe(first, reply(first));
  first.destroy();
  await first.end();
  const service = await rig.client('service');
  service.publish(reply(first), 'late', { qos: 1, messageId: 1 });
  await service.expect('puback');
  const again = await rig.client('s', options);
  assert.is(reply(again), reply(first));
  assert.is(textOf(await again.expect('publish')), 'late');
});

test.run();
