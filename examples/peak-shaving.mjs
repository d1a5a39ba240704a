// Peak shaving: 5,000 orders a second arrive for a minute over three protocols, the shop can do 2,000 a second. The queue takes
// the difference; nothing is lost, nobody is turned away. EXAMPLE_SECONDS sets how long the peak is.
import { setTimeout as sleep } from 'node:timers/promises';
import { check, connectJson, connectMqtt, connectStomp } from './clients.mjs';

const SECONDS = Number(process.env.EXAMPLE_SECONDS ?? 60);
const ARRIVING = 5000;
const CAPACITY = 2000;
const TICK = 50;
/** What the broker takes from an MQTT client without having acknowledged it is 1,000 (Receive Maximum); MQTT.js does not count. */
const MQTT_WINDOW = 900;

export default async function (urls) {
  const admin = await connectJson(urls);
  await admin.ask({ type: 'declare', queue: 'orders', settings: {} });
  const [mqtt, stomp, json] = await Promise.all([connectMqtt(urls), connectStomp(urls), connectJson(urls)]);
  const confirmed = { mqtt: 0, stomp: 0, json: 0 };
  let number = 0;
  stomp.onUnhandledReceipt = () => {
    confirmed.stomp++;
  };
  const sendOne = () => {
    const order = `order ${number++}`;
    if (number % 3 === 0) mqtt.publish('$queue/orders', order, { qos: 1 }, () => confirmed.mqtt++);
    else if (number % 3 === 1)
      stomp.publish({ destination: '/queue/orders', body: order, headers: { receipt: `${number}` } });
    else json.ask({ type: 'publish', queue: 'orders', payload: order }).then(() => confirmed.json++);
  };

  // The shop acknowledges what it has done: 2,000 a second, and it has no more than 500 open at a time.
  const open = [];
  const done = new Set();
  const shop = await connectStomp(urls);
  shop.subscribe('/queue/orders', (message) => open.push(message), {
    ack: 'client-individual',
    'prefetch-count': '500',
  });
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  let capacity = 0;
  const working = setInterval(() => {
    capacity = Math.min(elapsed() * CAPACITY - done.size, CAPACITY);
    for (const message of open.splice(0, Math.max(0, capacity))) {
      done.add(message.body);
      message.ack();
    }
  }, TICK);

  let most = 0;
  const plot = async () => {
    const { messages } = (await admin.ask({ type: 'queueStatus', queue: 'orders' })).status;
    most = Math.max(most, messages);
    const bar = '#'.repeat(Math.round((messages / (SECONDS * (ARRIVING - CAPACITY))) * 60));
    console.log(`${elapsed().toFixed(0).padStart(4)} s ${String(messages).padStart(7)} waiting ${bar}`);
  };
  const plotting = setInterval(() => void plot(), (SECONDS * 1000) / 20);
  while (number < SECONDS * ARRIVING) {
    const due = Math.min(elapsed(), SECONDS) * ARRIVING;
    while (number < due && number / 3 - confirmed.mqtt < MQTT_WINDOW) sendOne();
    await sleep(TICK);
  }
  while (done.size < number) await sleep(TICK);
  clearInterval(plotting);
  clearInterval(working);
  await plot();

  const all = confirmed.mqtt + confirmed.stomp + confirmed.json;
  console.log(
    `${number} orders in ${SECONDS} s; confirmed: ${JSON.stringify(confirmed)}; done after ${elapsed().toFixed(0)} s`,
  );
  console.log(`longest queue: ${most}; the shop never did more than ${CAPACITY} a second`);
  check(all === number && done.size === number, 'every order was confirmed, and done');
  admin.close();
  json.close();
  await Promise.all([mqtt.endAsync(), stomp.deactivate(), shop.deactivate()]);
}
