// One puts a message in a queue, another takes it out: first RabbitMQ tutorial. The producer may be long gone.
import { check, connectMqtt, connectStomp } from './clients.mjs';

export default async function (urls) {
  const producer = await connectMqtt(urls);
  await producer.publishAsync('$queue/hello', 'Hello, world', { qos: 1 });
  await producer.endAsync();

  const consumer = await connectStomp(urls);
  const body = await new Promise((resolve) => {
    consumer.subscribe(
      '/queue/hello',
      (message) => {
        message.ack();
        resolve(message.body);
      },
      { ack: 'client-individual' },
    );
  });
  console.log(`taken from the queue: ${body}`);
  check(body === 'Hello, world', 'the message');
  await consumer.deactivate();
}
