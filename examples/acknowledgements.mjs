// What Kafka calls acks=0, 1 and all: how sure a producer wants to be.
//   acks=0    QoS 0: sent, nothing more.
//   acks=1    QoS 1: acknowledged when it is on the disk of this broker, or stored by NATS (backbone.nats.replicas: 1).
//   acks=all  QoS 1 with backbone.nats.replicas: 3: acknowledged when a majority of three NATS servers has it.
// The producer does the same in the second and third case: how many copies there are is a matter of the broker.
import { check, connectMqtt } from './clients.mjs';

const COUNT = 5000;
/** At most so many are on their way. The broker says how many it takes (Receive Maximum: 1,000); MQTT.js does not see to that. */
const WINDOW = 500;

export default async function (urls) {
  const producer = await connectMqtt(urls);
  for (const [name, qos] of [
    ['acks=0', 0],
    ['acks=1, or all with replicas', 1],
    ['exactly once', 2],
  ]) {
    const began = performance.now();
    let next = 0;
    const send = async () => {
      while (next < COUNT) await producer.publishAsync('measurements', `${next++}`, { qos });
    };
    await Promise.all(Array.from({ length: WINDOW }, send));
    const seconds = (performance.now() - began) / 1000;
    console.log(`${name}: QoS ${qos}, ${COUNT} messages, ${Math.round(COUNT / seconds)} a second by this client`);
    check(seconds < 60, 'all were taken');
  }
  await producer.endAsync();
}
