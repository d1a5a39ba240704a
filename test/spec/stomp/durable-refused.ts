import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withBroker } from '../../support/broker.ts';
import { RawStomp } from '../../support/stomp-client.ts';
import {
  ACTIVE,
  errorOf,
  goodbye,
  type Headers,
  publish,
  RABBIT,
  receipted,
  rest,
  subscribed,
} from './support/durable.ts';

const refused = suite('STOMP durable subscriptions that are none');

refused('asked for wrongly, it is refused with what is wrong', () =>
  withBroker(async (broker) => {
    const cases: readonly (readonly [command: string, headers: Headers, login: Headers, text: RegExp])[] = [
      ['SUBSCRIBE', ACTIVE, {}, /after a CONNECT without the header client-id/],
      [
        'SUBSCRIBE',
        { ...ACTIVE, 'activemq.subscriptionName': '' },
        { 'client-id': 'me' },
        /subscriptionName .* is empty/,
      ],
      ['SUBSCRIBE', { ...ACTIVE, destination: '/queue/q' }, { 'client-id': 'me' }, /with a queue/],
      ['SUBSCRIBE', { ...RABBIT, durable: 'yes' }, {}, /durable of SUBSCRIBE is "yes"; true or false/],
      ['SUBSCRIBE', { ...RABBIT, 'auto-delete': '' }, {}, /auto-delete of SUBSCRIBE is ""; true or false/],
      ['SUBSCRIBE', { id: 'd', durable: 'true' }, {}, /without the header destination/],
      ['SUBSCRIBE', { ...RABBIT, id: 'x'.repeat(3000) }, {}, /needs \d+ bytes .* 2000 are taken/],
      ['SUBSCRIBE', { destination: '/topic/a', durable: 'true' }, { 'accept-version': '1.0' }, /without the header id/],
      ['UNSUBSCRIBE', { id: 'd', durable: 'true' }, {}, /send both/],
      ['UNSUBSCRIBE', { 'activemq.subscriptionName': 'reader' }, {}, /without the header client-id/],
      ['UNSUBSCRIBE', { id: 'd', destination: '/topic/a+b', durable: 'true' }, {}, /has # or \+/],
      ['UNSUBSCRIBE', { id: 'd', durable: '1' }, {}, /durable of UNSUBSCRIBE is "1"; true or false/],
    ];
    for (const [command, headers, login, text] of cases) {
      const client = await RawStomp.connect(broker.stomp, login);
      client.send(command, headers);
      assert.match(await errorOf(client), text);
    }
    const mixed = await subscribed(broker, { id: 'a', destination: '/topic/x' }, { 'client-id': 'me' });
    mixed.send('UNSUBSCRIBE', { id: 'a', 'activemq.subscriptionName': 'reader' });
    assert.match(await errorOf(mixed), /is not the durable one/);
    const wrong = await subscribed(broker, RABBIT);
    wrong.send('UNSUBSCRIBE', { id: 'd', destination: '/topic/news.other', durable: 'true' });
    assert.match(await errorOf(wrong), /is not the durable one/);
  }),
);

refused('auto-delete:true is what every other subscription is', () =>
  withBroker(async (broker) => {
    const headers = { ...RABBIT, 'auto-delete': 'true' };
    const client = await subscribed(broker, headers);
    await receipted(client, 'UNSUBSCRIBE', { id: 'd', destination: '/topic/news.#', durable: 'true' });
    await receipted(client, 'SUBSCRIBE', headers);
    await goodbye(client);
    await publish(broker, ['1']);
    assert.equal(await rest(broker, headers), []);
  }),
);

refused('limits.sessionExpirySeconds 0: not offered', () =>
  withBroker(
    async (broker) => {
      for (const [headers, name] of [
        [RABBIT, /header durable .*limits\.sessionExpirySeconds/],
        [ACTIVE, /header activemq\.subscriptionName .*limits\.sessionExpirySeconds/],
      ] as const) {
        const client = await RawStomp.connect(broker.stomp, { 'client-id': 'me' });
        client.send('SUBSCRIBE', headers);
        assert.match(await errorOf(client), name);
      }
    },
    { sessionExpirySeconds: 0 },
  ),
);

refused.run();
