import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type TestBroker, withBroker } from '../../support/broker.ts';
import { RawStomp } from '../../support/stomp-client.ts';
import { errorOf, goodbye, type Headers, messages, RABBIT, receipted, shown, subscribed } from './support/durable.ts';

/** Selectors where several connections share a subscription: groups, and durable subscriptions of RabbitMQ's form. */

const selectors = suite('STOMP selectors of groups');

const ODD = { selector: 'number % 2 = 1' };
const GROUP: Headers = { id: 'g', destination: '/topic/news.#', group: 'g', ...ODD };

/** Sends the numbers, logged or live. */
async function publish({ stomp }: TestBroker, numbers: readonly number[], live = false): Promise<void> {
  const client = await RawStomp.connect(stomp);
  for (const number of numbers) {
    const headers = { destination: '/topic/news.a', number: `${number}` };
    if (live) client.send('SEND', headers, `${number}`);
    else await receipted(client, 'SEND', headers, `${number}`);
  }
  await goodbye(client);
}

for (const live of [false, true]) {
  selectors(`members share what the group selects, ${live ? 'live' : 'logged'}`, () =>
    withBroker(async (broker) => {
      const members = [await subscribed(broker, GROUP), await subscribed(broker, GROUP)];
      await publish(broker, [1, 2, 3, 4, 5, 6, 7, 8], live);
      const got = await Promise.all(members.map((member) => messages(member, 2)));
      assert.equal(shown(got.flat()).sort(), ['1', '3', '5', '7']);
      for (const member of members) assert.equal(await receipted(member, 'UNSUBSCRIBE', { id: 'g' }), []);
      for (const member of members) member.destroy();
    }),
  );
}

selectors('a member with another selector is refused, with both', () =>
  withBroker(async (broker) => {
    const member = await subscribed(broker, GROUP);
    for (const headers of [
      { ...GROUP, selector: 'number = 1' },
      { ...GROUP, selector: '' },
    ]) {
      const other = await RawStomp.connect(broker.stomp);
      other.send('SUBSCRIBE', headers);
      assert.match(await errorOf(other), 'the selector of group g is "number % 2 = 1", not ');
    }
    member.destroy();
  }),
);

selectors("RabbitMQ's durable subscriptions keep theirs; with another one they begin anew", () =>
  withBroker(async (broker) => {
    const headers = { ...RABBIT, ...ODD };
    await goodbye(await subscribed(broker, headers));
    await publish(broker, [1, 2, 3]);
    const second = await RawStomp.connect(broker.stomp);
    second.send('SUBSCRIBE', headers);
    assert.equal(shown(await messages(second, 2)), ['1', '3']);
    await goodbye(second);
    await publish(broker, [4, 5]);
    const third = await subscribed(broker, { ...RABBIT, selector: 'number > 0' });
    const other = await RawStomp.connect(broker.stomp);
    other.send('SUBSCRIBE', headers);
    assert.match(
      await errorOf(other),
      /^the selector of the durable subscription is "number > 0", not "number % 2 = 1"/,
    );
    await publish(broker, [6]);
    assert.equal(shown(await messages(third, 1)), ['6']);
    third.destroy();
  }),
);

selectors.run();
