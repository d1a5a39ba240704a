// Kafka's offsets: read the log again from the beginning, from a position, the last N, or from a time; then it goes on live.
import { check, collector, connectJson, connectMqtt, connectStomp } from './clients.mjs';

export default async function (urls) {
  const producer = await connectMqtt(urls);
  for (let i = 0; i < 10; i++) await producer.publishAsync('temperature', `${20 + i}`, { qos: 1 });

  // From the first message that is kept; each says where it is.
  const all = collector(11);
  const positions = new Map();
  const mqtt = await connectMqtt(urls);
  mqtt.on('message', (_topic, payload, { properties }) => {
    positions.set(`${payload}`, properties.userProperties.position);
    all.add(`${payload}`);
  });
  await mqtt.subscribeAsync('temperature', { qos: 1, properties: { userProperties: { start: 'first' } } });
  await producer.publishAsync('temperature', '30', { qos: 1 });
  console.log(`MQTT, from the first on, then live: ${(await all.all).join(' ')}`);

  const last = collector(3);
  const stomp = await connectStomp(urls);
  stomp.subscribe('/topic/temperature', (message) => last.add(message.body), { start: 'last 3' });
  console.log(`STOMP, the last 3: ${(await last.all).join(' ')}`);

  const from = collector(4);
  const json = await connectJson(urls, (message) => from.add(message.payload));
  await json.ask({ type: 'subscribe', filter: 'temperature', start: `position ${positions.get('27')}` });
  console.log(`JSON, from the position of 27: ${(await from.all).join(' ')}`);

  check(all.items.join(' ') === '20 21 22 23 24 25 26 27 28 29 30', 'all, in order, without gap or double');
  check(last.items.join(' ') === '28 29 30', 'the last three');
  check(from.items.join(' ') === '27 28 29 30', 'from 27 on');
  json.close();
  await Promise.all([producer.endAsync(), mqtt.endAsync(), stomp.deactivate()]);
}
