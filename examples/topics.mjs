// Patterns: fifth RabbitMQ tutorial. `+` and `*` stand for one word, `#` for any number of them.
import { check, collector, connectMqtt, connectStomp } from './clients.mjs';

export default async function (urls) {
  const orange = collector(2);
  const mqtt = await connectMqtt(urls);
  mqtt.on('message', (topic) => orange.add(topic));
  await mqtt.subscribeAsync('+/orange/+');

  const lazyOrRabbits = collector(3);
  const stomp = await connectStomp(urls);
  for (const [i, pattern] of ['/topic/*.*.rabbit', '/topic/lazy.#'].entries()) {
    await new Promise((subscribed) => {
      stomp.watchForReceipt(`subscribed-${i}`, subscribed);
      const headers = { receipt: `subscribed-${i}` };
      stomp.subscribe(pattern, (message) => lazyOrRabbits.add(message.headers.destination), headers);
    });
  }

  for (const animal of ['quick/orange/fox', 'lazy/orange/elephant', 'quick/brown/fox', 'lazy/pink/rabbit']) {
    await mqtt.publishAsync(animal, '', { qos: 1 });
  }
  console.log(`orange: ${(await orange.all).join(', ')}`);
  console.log(`lazy, or a rabbit: ${(await lazyOrRabbits.all).join(', ')}`);
  check(orange.items.includes('quick/orange/fox'), 'the fox is orange');
  // One that is both comes by both subscriptions.
  check(lazyOrRabbits.items.filter((each) => each === '/topic/lazy.pink.rabbit').length === 2, 'the rabbit is lazy');
  await Promise.all([mqtt.endAsync(), stomp.deactivate()]);
}
