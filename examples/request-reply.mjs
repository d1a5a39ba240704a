// A question and its answer: sixth RabbitMQ tutorial. MQTT asks STOMP, STOMP asks MQTT, JSON asks both.
import { randomUUID } from 'node:crypto';
import { check, connectJson, connectMqtt, connectStomp } from './clients.mjs';

const fibonacci = (n) => (n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2));

export default async function (urls) {
  // Two who answer. The one takes its questions from a queue, so that any number of it can share the work.
  const stomp = await connectStomp(urls);
  stomp.subscribe(
    '/queue/fibonacci',
    (question) => {
      const { 'reply-to': destination, 'correlation-id': correlation } = question.headers;
      stomp.publish({
        destination,
        body: `${fibonacci(Number(question.body))}`,
        headers: correlation === undefined ? {} : { 'correlation-id': correlation },
      });
      question.ack();
    },
    { ack: 'client-individual' },
  );
  const mqtt = await connectMqtt(urls, { properties: { requestResponseInformation: true } });
  mqtt.on('message', (topic, question, { properties }) => {
    if (topic !== 'square') return;
    const { responseTopic, correlationData } = properties;
    mqtt.publish(responseTopic, `${Number(`${question}`) ** 2}`, { properties: { correlationData } });
  });
  await mqtt.subscribeAsync('square');

  // MQTT asks: an own topic for answers, and data by which it knows which question an answer is for.
  const asker = await connectMqtt(urls);
  const correlationData = Buffer.from(randomUUID());
  const answer = new Promise((resolve) => {
    asker.on('message', (_topic, payload, { properties }) => {
      if (properties.correlationData.equals(correlationData)) resolve(`${payload}`);
    });
  });
  await asker.subscribeAsync('answers/for/me');
  await asker.publishAsync('$queue/fibonacci', '20', {
    qos: 1,
    properties: { responseTopic: 'answers/for/me', correlationData },
  });
  console.log(`MQTT asks STOMP: fibonacci(20) = ${await answer}`);
  check((await answer) === '6765', 'fibonacci(20)');

  // STOMP asks: a temporary queue, which nobody else can read.
  const square = await new Promise((resolve) => {
    stomp.onUnhandledMessage = (message) => resolve(message.body);
    stomp.publish({ destination: '/topic/square', body: '12', headers: { 'reply-to': '/temp-queue/mine' } });
  });
  console.log(`STOMP asks MQTT: 12 squared = ${square}`);
  check(square === '144', '12 squared');

  // JSON asks: the broker sees to the rest, and says so at once when no one listens.
  const json = await connectJson(urls);
  console.log(
    `JSON asks MQTT: 9 squared = ${(await json.ask({ type: 'request', topic: 'square', payload: '9' })).payload}`,
  );
  const { payload } = await json.ask({ type: 'request', queue: 'fibonacci', payload: '10' });
  console.log(`JSON asks STOMP: fibonacci(10) = ${payload}`);
  const refusal = await json
    .ask({ type: 'request', topic: 'nobody/there', payload: '?' })
    .catch((error) => error.message);
  console.log(`JSON asks nobody: ${refusal}`);
  check(payload === '55' && /^noListener/.test(refusal), 'answers');
  json.close();
  await Promise.all([mqtt.endAsync(), asker.endAsync(), stomp.deactivate()]);
}
