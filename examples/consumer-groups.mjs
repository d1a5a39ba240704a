// Kafka's consumer groups: every group gets all messages, within a group each goes to one member. A group has a place of its
// own in the log, and goes on there when its members come back.
import { check, collector, connectMqtt } from './clients.mjs';

const COUNT = 100;

async function join(urls, group, clientId, onPayload) {
  const member = await connectMqtt(urls, { clientId, clean: false, properties: { sessionExpiryInterval: 3600 } });
  member.on('message', (_topic, payload) => onPayload(clientId, Number(`${payload}`)));
  await member.subscribeAsync(`$share/${group}/orders/#`, { qos: 1 });
  return member;
}

export default async function (urls) {
  const billing = collector(COUNT);
  const shipping = collector(2 * COUNT);
  const members = [
    await join(urls, 'billing', 'billing-1', (name, order) => billing.add({ name, order })),
    await join(urls, 'shipping', 'shipping-1', (name, order) => shipping.add({ name, order })),
    await join(urls, 'shipping', 'shipping-2', (name, order) => shipping.add({ name, order })),
  ];
  const producer = await connectMqtt(urls);
  const publish = (from) =>
    Promise.all(
      Array.from({ length: COUNT }, (_, i) => producer.publishAsync('orders/new', `${from + i}`, { qos: 1 })),
    );
  await publish(0);
  await billing.all;
  while (shipping.items.length < COUNT) await new Promise((resolve) => setTimeout(resolve, 20));
  console.log(`billing: ${billing.items.length}, shipping: ${shipping.items.length}`);

  for (const member of members) await member.endAsync();
  await publish(COUNT);
  console.log('nobody was there; the group goes on where it was:');
  const back = await join(urls, 'shipping', 'shipping-1', (name, order) => shipping.add({ name, order }));
  await shipping.all;
  const orders = shipping.items.map(({ order }) => order);
  console.log(`shipping: ${new Set(orders).size} different orders of ${2 * COUNT}`);
  check(new Set(orders).size === 2 * COUNT, 'every order once to the group');
  check(new Set(shipping.items.slice(0, COUNT).map(({ name }) => name)).size === 2, 'both members worked');
  await Promise.all([back.endAsync(), producer.endAsync()]);
}
