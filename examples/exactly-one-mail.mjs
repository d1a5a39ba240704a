// Exactly one e-mail for each order, although the shop is not sure what it sent before its connection broke, and sends all of it
// again: the id of the order is the message's id, and the queue stores a repeated id once.
import { check, connectMqtt } from './clients.mjs';

const ORDERS = 50;

export default async function (urls) {
  for (const attempt of ['first', 'second']) {
    const shop = await connectMqtt(urls);
    for (let order = 1; order <= ORDERS; order++) {
      const properties = { userProperties: { 'message-id': `order-${order}` } };
      await shop.publishAsync('$queue/mails', `order ${order}`, { qos: 1, properties });
    }
    console.log(`the shop sent ${ORDERS} messages, for the ${attempt} time`);
    await shop.endAsync();
  }
  const mailer = await connectMqtt(urls);
  const mails = [];
  mailer.on('message', (_topic, order) => mails.push(`${order}`));
  await mailer.subscribeAsync('$queue/mails', { qos: 2 });
  while (mails.length < ORDERS) await new Promise((resolve) => setTimeout(resolve, 20));
  await new Promise((resolve) => setTimeout(resolve, 300));
  console.log(`${mails.length} mails went out, for ${new Set(mails).size} orders`);
  check(mails.length === ORDERS && new Set(mails).size === ORDERS, 'one mail for each order');
  await mailer.endAsync();
}
