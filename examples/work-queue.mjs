// Tasks for workers, each to one of them. A worker has one task at a time, and when it dies in the middle of one, another
// worker gets that: second RabbitMQ tutorial. The workers speak STOMP and MQTT, whoever has tasks speaks JSON.
import { check, collector, connectJson, connectMqtt, connectStomp } from './clients.mjs';

const TASKS = 20;

export default async function (urls) {
  const done = collector(TASKS);

  const steady = await connectMqtt(urls, { properties: { receiveMaximum: 1 } });
  steady.on('message', (_topic, task) => {
    console.log(`steady worker: task ${task}`);
    done.add(`${task}`);
  });

  const clumsy = await connectStomp(urls);
  let begun = 0;
  clumsy.subscribe(
    '/queue/tasks',
    (message) => {
      if (++begun < 5) {
        console.log(`clumsy worker: task ${message.body}`);
        done.add(message.body);
        message.ack();
      } else {
        console.log(`clumsy worker: dies in the middle of task ${message.body}`);
        clumsy.webSocket.terminate();
      }
    },
    { ack: 'client-individual', 'prefetch-count': '1' },
  );
  await steady.subscribeAsync('$queue/tasks', { qos: 1 });

  const boss = await connectJson(urls);
  for (let task = 1; task <= TASKS; task++) await boss.ask({ type: 'publish', queue: 'tasks', payload: `${task}` });
  await done.all;
  check(new Set(done.items).size === TASKS, 'every task was done once');
  console.log(`${TASKS} tasks done`);
  boss.close();
  await steady.endAsync();
}
