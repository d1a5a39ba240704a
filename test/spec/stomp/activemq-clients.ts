import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withBroker } from '../../support/broker.ts';
import { header, RawStomp } from '../../support/stomp-client.ts';
import { consuming, rest as inQueue } from './support/clauses.ts';
import { ACTIVE, goodbye, messages, publish, receipted, rest, shown, subscribed } from './support/durable.ts';
import { expectError } from './support/expect-error.ts';
import { Harness } from './support/harness.ts';

/** What clients of ActiveMQ send without being asked to, and in which order they take what comes. */

const test = suite("STOMP, ActiveMQ's clients");

for (const version of ['1.0', '1.1', '1.2'] as const) {
  test(`STOMP ${version}: request-id of CONNECT comes back as response-id, not escaped`, () => {
    const [plain, named] = [Harness.open().open(), Harness.open().open()];
    plain.send('CONNECT', [`accept-version:${version}`, 'host:h']);
    assert.is(plain.frame().headers['response-id'], undefined);
    named.send('CONNECT', [`accept-version:${version}`, 'host:h', 'request-id:ä:\\n']);
    assert.ok(named.frame().lines.includes('response-id:ä:\\n'));
  });
}

test("the headers that ActiveMQ's client for .NET has on every SUBSCRIBE, to a queue and to a topic", async () => {
  const lines = [
    'durable-subscriber-name:',
    'selector:',
    'ack:client-individual',
    'transformation:jms-xml',
    'activemq.dispatchAsync:True',
    'activemq.maximumPendingMessageLimit:0',
    'activemq.prefetchSize:32766',
    'activemq.priority:0',
  ];
  for (const destination of ['/queue/a', '/topic/a']) {
    const client = Harness.open().connect('1.1');
    client.send('SUBSCRIBE', ['id:ID\\chost-1-1\\c1\\c1', `destination:${destination}`, ...lines, 'receipt:3']);
    assert.equal(
      (await client.later()).map(({ command }) => command),
      ['RECEIPT'],
    );
    client.send('SEND', [`destination:${destination}`, 'persistent:true', 'NMSXDeliveryMode:true'], 'x');
    const [message] = await client.later();
    client.send('ACK', [
      'receipt:ignore\\c4',
      `message-id:${message?.headers['message-id']}`,
      `subscription:${message?.headers.subscription}`,
    ]);
    assert.equal(
      (await client.later()).map(({ command, headers }) => [command, headers['receipt-id']]),
      [['RECEIPT', 'ignore\\c4']],
    );
  }
});

test('an ACK or NACK with all headers of its MESSAGE: the length of a body is not its own', async () => {
  for (const [command, left] of [
    ['ACK', []],
    ['NACK', ['x*']],
  ] as const) {
    const { client, messages, harness } = await consuming('1.1', ['ack:client'], 'x');
    const lines = messages[0]?.lines ?? [];
    assert.ok(lines.includes('content-length:1'));
    client.send(command, [...lines, 'receipt:r']);
    client.send('UNSUBSCRIBE', ['id:1', 'receipt:u']);
    const receipts = (await client.later()).filter((frame) => frame.command === 'RECEIPT');
    assert.equal(
      receipts.map(({ headers }) => headers['receipt-id']),
      ['r', 'u'],
    );
    assert.equal(await inQueue(harness), left, command);
  }
});

test('STOMP 1.2, Body: an ACK has none, whatever its content-length says', () => {
  const client = Harness.open().connect();
  client.write('ACK\nid:1\ncontent-length:3\n\nabc\0');
  expectError(client, 'a frame other than SEND has a body');
});

test('the RECEIPT of a SUBSCRIBE comes before its messages: of what is retained', () => {
  for (const destination of ['/topic/a', '/topic/b,/topic/a']) {
    const harness = Harness.open();
    const client = harness.connect();
    client.send('SEND', ['destination:/topic/a', 'retain:true'], 'retained');
    client.send('SUBSCRIBE', ['id:1', `destination:${destination}`, 'receipt:r']);
    client.send('SEND', ['destination:/topic/a'], 'live');
    const seen = client.frames().map(({ command, body }) => `${command} ${body}`);
    assert.equal(seen, ['RECEIPT ', 'MESSAGE retained', 'MESSAGE live'], destination);
  }
});

test('the RECEIPT of a SUBSCRIBE comes before its messages: of what was missed', () =>
  withBroker(async (broker) => {
    const login = { 'client-id': 'me' };
    await goodbye(await subscribed(broker, ACTIVE, login));
    await publish(broker, ['1', '2', '3']);
    const client = await RawStomp.connect(broker.stomp, login);
    client.socket.cork();
    client.send('SUBSCRIBE', { ...ACTIVE, receipt: 'r' });
    client.send('SEND', { destination: '/topic/news.a' }, 'live');
    client.socket.uncork();
    const receipt = await client.next();
    assert.equal([receipt.command, header(receipt, 'receipt-id')], ['RECEIPT', 'r']);
    assert.equal(shown(await messages(client, 4)), ['1', '2', '3', 'live']);
    await goodbye(client);
    assert.equal(await rest(broker, ACTIVE, login), []);
  }));

test('activemq.subcriptionName, as ActiveMQ 4 and clients misspell it, names a durable subscription, too', () =>
  withBroker(async (broker) => {
    const login = { 'client-id': 'me' };
    const { 'activemq.subscriptionName': name = '', ...others } = ACTIVE;
    const misspelt = { ...others, 'activemq.subcriptionName': name };
    await goodbye(await subscribed(broker, misspelt, login));
    await publish(broker, ['1']);
    assert.equal(await rest(broker, { ...ACTIVE, 'activemq.subcriptionName': 'another' }, login), ['1']);
    const client = await RawStomp.connect(broker.stomp, login);
    await receipted(client, 'UNSUBSCRIBE', { 'activemq.subcriptionName': name });
    await publish(broker, ['2']);
    await goodbye(client);
    assert.equal(await rest(broker, misspelt, login), []);
  }));

test.run();
