// Kafka's keys: what belongs together (here: the events of one car) goes to one member of the group, in order, while different
// cars are worked on at the same time.
import { check, collector, connectMqtt } from './clients.mjs';

const CARS = ['red', 'green', 'blue', 'white', 'black', 'silver', 'yellow', 'brown'];
const EVENTS = 20;

export default async function (urls) {
  const seen = collector(CARS.length * EVENTS);
  const members = await Promise.all(
    ['a', 'b', 'c'].map(async (name) => {
      const member = await connectMqtt(urls);
      member.on('message', (_topic, payload) => {
        const [car, event] = `${payload}`.split(' ');
        seen.add({ name, car, event: Number(event) });
      });
      await member.subscribeAsync('$share/garage/cars', {
        qos: 1,
        properties: { userProperties: { 'group-order': 'key' } },
      });
      return member;
    }),
  );
  const producer = await connectMqtt(urls);
  for (let event = 0; event < EVENTS; event++) {
    for (const car of CARS) {
      const properties = { userProperties: { key: car } };
      await producer.publishAsync('cars', `${car} ${event}`, { qos: 1, properties });
    }
  }
  await seen.all;
  for (const car of CARS) {
    const events = seen.items.filter((each) => each.car === car);
    const workers = [...new Set(events.map(({ name }) => name))];
    console.log(`${car}: ${events.length} events, by member ${workers.join(', ')}`);
    check(workers.length === 1, `one member has all of ${car}`);
    check(
      events.every(({ event }, i) => event === i),
      `the events of ${car} are in order`,
    );
  }
  await Promise.all([producer, ...members].map((client) => client.endAsync()));
}
