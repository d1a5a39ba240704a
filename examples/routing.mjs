// Each gets what it asked for: fourth RabbitMQ tutorial. Errors are also kept in a queue, by a binding, until someone has time
// for them.
import { check, collector, connectJson, connectMqtt } from './clients.mjs';

export default async function (urls) {
  const admin = await connectJson(urls);
  await admin.ask({ type: 'declare', queue: 'errors', settings: { bindings: ['log/error'] } });

  const screen = await connectMqtt(urls);
  const shown = collector(3);
  screen.on('message', (topic, line) => shown.add(`${topic}: ${line}`));
  await screen.subscribeAsync(['log/info', 'log/warning', 'log/error']);

  const program = await connectMqtt(urls);
  for (const severity of ['info', 'debug', 'error', 'warning']) {
    await program.publishAsync(`log/${severity}`, `a line of ${severity}`, { qos: 1 });
  }
  for (const line of await shown.all) console.log(`screen: ${line}`);

  const repair = await connectMqtt(urls);
  const kept = collector(1);
  repair.on('message', (_topic, line) => kept.add(`${line}`));
  await repair.subscribeAsync('$queue/errors', { qos: 1 });
  await kept.all;
  console.log(`repair: ${kept.items[0]}`);
  check(shown.items.length === 3 && kept.items[0] === 'a line of error', 'who got what');
  admin.close();
  await Promise.all([screen.endAsync(), program.endAsync(), repair.endAsync()]);
}
