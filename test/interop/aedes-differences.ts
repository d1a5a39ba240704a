import { suite } from 'uvu';
import { lasting, SecondOpinion } from './support/second-opinion.ts';

/** On MQTT 3.1.1: where aedes does something else, with the clause that allows what we do. */

const test = suite('aedes as a second opinion: differences');
const { differ } = new SecondOpinion(test);

/**
 * What is sent for a subscription has the lower QoS of the publication's and the subscription's. For filters with
 * wildcards aedes sends retained messages at the QoS they were published with.
 */
differ(
  'retained messages at the QoS of the subscription [MQTT-3.8.4-6]',
  async (session) => {
    const client = await session.client();
    await client.publish('retained/2', 'x', { qos: 2, retain: true });
    await client.subscribe('retained/+', { qos: 0 });
    return (await client.seen()).qos;
  },
  { ours: 0, theirs: 2 },
);

/** The same clause, for what waited for a session without a connection. */
differ(
  'messages that waited, at the QoS of the subscription [MQTT-3.8.4-6]',
  async (session) => {
    const first = await session.client(lasting('level'));
    await first.subscribe('level/waiting', { qos: 1 });
    await first.end();
    await (await session.client()).publish('level/waiting', 'x', { qos: 2 });
    return (await (await session.client(lasting('level'))).seen()).qos;
  },
  { ours: 1, theirs: 2 },
);

/** 4.7.1.3: `+` stands for one whole level, and 4.7.3 makes an empty one a level; aedes agrees except on retained ones. */
differ(
  'a retained message whose last level is empty is matched by + (4.7.1.3)',
  async (session) => {
    const client = await session.client();
    await client.publish('empty/', 'x', { qos: 1, retain: true });
    await client.subscribe('empty/+', { qos: 1 });
    const seen = [...(await client.flush()), ...(await client.flush())];
    return seen.map(({ topic }) => topic);
  },
  { ours: ['empty/'], theirs: [] },
);

/** DUP must be 1 on what is delivered again. */
differ(
  'what is sent again is marked as a duplicate [MQTT-3.3.1-1]',
  async (session) => {
    const first = await session.client(lasting('lazy'));
    // Without the call of its callback the library sends no PUBACK.
    first.client.handleMessage = () => {};
    await first.subscribe('lazy', { qos: 1 });
    const sender = await session.client();
    await sender.publish('lazy', 'again', { qos: 1 });
    const once = await first.next();
    await first.cut();
    const second = await session.client(lasting('lazy'));
    const twice = await second.next();
    return [once, twice].map(({ payload, qos, dup, retain }) => [payload.toString(), qos, dup, retain]);
  },
  {
    ours: [
      ['again', 1, false, false],
      ['again', 1, true, false],
    ],
    theirs: [
      ['again', 1, false, false],
      ['again', 1, false, false],
    ],
  },
);

/**
 * 4.7.2: a server should keep clients from exchanging messages by topics with `$`. Before MQTT 5 there is no refusal but
 * to acknowledge and drop, or to close the connection (3.3.5); aedes closes it for $SYS, and passes on the others.
 */
differ(
  'topics with $ are no way from client to client (4.7.2)',
  async (session) => {
    const [sender, receiver] = [await session.client(), await session.client()];
    await receiver.subscribe('$x/#', { qos: 1 });
    await sender.publish('$x/y', 'x', { qos: 1 });
    const seen = (await receiver.flush()).map(({ topic }) => topic);
    const closed = sender.closed().then(() => 'closed');
    const outcome = sender.publish('$SYS/x', 'x', { qos: 1 }).then(() => 'acknowledged');
    return [seen, await Promise.race([outcome, closed])];
  },
  { ours: [[], 'acknowledged'], theirs: [['$x/y'], 'closed'] },
);

test.run();
