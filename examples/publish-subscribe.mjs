// One publishes, everybody gets a copy, whatever they speak: third RabbitMQ tutorial.
import { check, collector, connectJson, connectMqtt, connectStomp } from './clients.mjs';

export default async function (urls) {
  const got = collector(3);

  const mqtt = await connectMqtt(urls);
  mqtt.on('message', (_topic, line) => got.add(`MQTT: ${line}`));
  await mqtt.subscribeAsync('logs');

  const stomp = await connectStomp(urls);
  await new Promise((subscribed) => {
    stomp.watchForReceipt('subscribed', subscribed);
    stomp.subscribe('/topic/logs', (message) => got.add(`STOMP: ${message.body}`), { receipt: 'subscribed' });
  });

  const json = await connectJson(urls, (message) => got.add(`JSON: ${message.payload}`));
  await json.ask({ type: 'subscribe', filter: 'logs' });

  await mqtt.publishAsync('logs', 'the house is on fire');
  for (const line of (await got.all).sort()) console.log(line);
  check(got.items.length === 3, 'three copies');
  json.close();
  await Promise.all([mqtt.endAsync(), stomp.deactivate()]);
}
