import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { expectError } from './support/expect-error.ts';
import { bodiesOf, type ServerFrame } from './support/frames.ts';
import { Harness, type TestClient } from './support/harness.ts';

/** Headers as ActiveMQ has them: of its ConsumerInfo on SUBSCRIBE, of its scheduler and of JMS on SEND. */

const test = suite('STOMP headers of ActiveMQ');

async function subscribed(client: TestClient, lines: readonly string[]): Promise<ServerFrame[]> {
  client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', ...lines]);
  return client.later();
}

test('activemq.exclusive: the first one alone gets messages, and the next one when it goes', async () => {
  const harness = Harness.open();
  const [plain, one, two] = [harness.connect(), harness.connect(), harness.connect()];
  await subscribed(plain, []);
  for (const client of [one, two]) await subscribed(client, ['activemq.exclusive:true']);
  const bodies = async (): Promise<string[][]> => {
    for (const body of ['1', '2', '3']) harness.publish('$queue/a', body);
    return [bodiesOf(await plain.later()), bodiesOf(await one.later()), bodiesOf(await two.later())];
  };
  assert.equal(await bodies(), [[], ['1', '2', '3'], []]);
  one.drop();
  assert.equal(await bodies(), [[], [], ['1', '2', '3']]);
  two.send('UNSUBSCRIBE', ['id:1']);
  assert.equal(await bodies(), [['1', '2', '3'], [], []], 'without one, all get them');
});

test('exclusive, as in RabbitMQ: the only consumer, or none', async () => {
  const harness = Harness.open();
  await subscribed(harness.connect(), ['exclusive:true']);
  const other = harness.connect();
  other.send('SUBSCRIBE', ['id:1', 'destination:/queue/a']);
  await harness.turn();
  expectError(other, /there is an exclusive consumer/);
});

test('exclusive:true with a topic is what every subscription is, and cannot be durable', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a', 'exclusive:true', 'auto-delete:true']);
  harness.publish('a', 'x');
  assert.equal(client.bodies(), ['x']);
  client.send('SUBSCRIBE', ['id:2', 'destination:/topic/a', 'exclusive:true', 'durable:true']);
  expectError(client, /header exclusive of SUBSCRIBE[\s\S]*Leave it out/);
});

test('what is not understood of activemq.… is refused by name, with what to write instead', () => {
  const rows: readonly (readonly [line: string, text: RegExp])[] = [
    ['activemq.retroactive:true', /header activemq\.retroactive of SUBSCRIBE[\s\S]*start/],
    ['activemq.maximumPendingMessageLimit:10', /maximumPendingMessageLimit[\s\S]*limits\.outboxMessages/],
    ['activemq.selector:a=1', /header activemq\.selector[\s\S]*header selector/],
    ['activemq.optimizedAcknowledge:true', /optimizedAcknowledge[\s\S]*ack:client/],
    ['activemq.networkSubscription:true', /networkSubscription[\s\S]*activemq\.prefetchSize/],
    ['activemq.dispatchAsync:maybe', /dispatchAsync of SUBSCRIBE is "maybe"; true or false/],
    ['activemq.prefetchSize:0', /activemq\.prefetchSize of SUBSCRIBE is 0[\s\S]*Write 1/],
    ['activemq.prefetchSize:-1', /activemq\.prefetchSize of SUBSCRIBE is "-1"; a whole number from 0/],
    ['activemq.priority:128', /activemq\.priority of SUBSCRIBE is "128"; a whole number from -128 to 127/],
    ['transformation:jms-byte', /header transformation of SUBSCRIBE is "jms-byte"/],
  ];
  for (const destination of ['/queue/a', '/topic/a']) {
    for (const [line, text] of rows) {
      if (destination === '/topic/a' && line.startsWith('activemq.priority')) continue;
      const client = Harness.open().connect();
      client.send('SUBSCRIBE', ['id:1', `destination:${destination}`, line, 'receipt:r']);
      expectError(client, text, 'r');
    }
  }
});

test('options in a destination are refused, with what to write instead', () => {
  for (const destination of ['/queue/a?consumer.prefetchSize=1', '/topic/a?x=1&consumer.retroactive=true?consumer.x']) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', `destination:${destination}`]);
    expectError(client, 'has options, which are none here');
  }
});

test('what changes nothing here is let pass', async () => {
  for (const line of [
    'activemq.dispatchAsync:true',
    'activemq.dispatchAsync:false',
    'activemq.retroactive:false',
    'activemq.exclusive:false',
    'activemq.noLocal:false',
    'activemq.maximumPendingMessageLimit:0',
    'activemq.subcriptionName:n',
    'transformation:jms-xml',
    'transformation:jms-json',
    'transformation:jms-map-xml',
    'transformation:jms-map-json',
    'transformation:jms-object-xml',
    'transformation:jms-object-json',
  ]) {
    const client = Harness.open().connect();
    client.send('SUBSCRIBE', ['id:1', 'destination:/queue/a', line, 'receipt:r']);
    assert.equal(
      (await client.later()).map(({ command }) => command),
      ['RECEIPT'],
      line,
    );
  }
});

test('AMQ_SCHEDULED_DELAY: not before so many milliseconds; the later of it and the others', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  await subscribed(client, []);
  client.send('SEND', ['destination:/queue/a', 'AMQ_SCHEDULED_DELAY:500'], 'delayed');
  client.send('SEND', ['destination:/queue/a', 'AMQ_SCHEDULED_DELAY:500', 'delay:800'], 'longer');
  client.send('SEND', ['destination:/queue/a', 'AMQ_SCHEDULED_DELAY:0', 'AMQ_SCHEDULED_REPEAT:0'], 'now');
  const frames = await client.later();
  assert.equal(bodiesOf(frames), ['now']);
  assert.not.ok(frames[0]?.lines.some((line) => line.startsWith('AMQ_')));
  for (const [step, expected] of [
    [490, []],
    [20, ['delayed']],
    [280, []],
    [20, ['longer']],
  ] as const) {
    harness.clock.advance(step);
    assert.equal(bodiesOf(await client.later()), expected);
  }
});

test('repeating, cron, a delay to a topic and the fields of JMS are refused by name', () => {
  const rows: readonly (readonly [destination: string, line: string, text: RegExp])[] = [
    ['/queue/a', 'AMQ_SCHEDULED_PERIOD:1000', /header AMQ_SCHEDULED_PERIOD of SEND/],
    ['/queue/a', 'AMQ_SCHEDULED_REPEAT:3', /header AMQ_SCHEDULED_REPEAT of SEND/],
    ['/queue/a', 'AMQ_SCHEDULED_CRON:0 * * * *', /header AMQ_SCHEDULED_CRON of SEND/],
    ['/queue/a', 'AMQ_SCHEDULER_ACTION:BROWSE', /header AMQ_SCHEDULER_ACTION of SEND/],
    ['/queue/a', 'AMQ_SCHEDULED_DELAY:soon', /AMQ_SCHEDULED_DELAY of SEND is "soon"; a whole number from 0/],
    ['/queue/a', 'AMQ_SCHEDULED_DELAY:31622400001', /AMQ_SCHEDULED_DELAY of SEND/],
    ['/topic/a', 'AMQ_SCHEDULED_DELAY:5', /header AMQ_SCHEDULED_DELAY of SEND is for queues/],
    ['/topic/a', 'AMQ_SCHEDULED_CRON:0 * * * *', /header AMQ_SCHEDULED_CRON of SEND/],
    ['/topic/a', 'JMSExpiration:5', /header JMSExpiration of SEND [\s\S]*expires/],
    ['/queue/a', 'JMSPriority:5', /header JMSPriority of SEND [\s\S]*priority/],
    ['/queue/a', 'JMSReplyTo:/queue/b', /header JMSReplyTo of SEND [\s\S]*reply-to/],
    ['/queue/a', 'JMSType:t', /header JMSType of SEND [\s\S]*type/],
    ['/queue/a', 'JMSCorrelationID:c', /header JMSCorrelationID of SEND [\s\S]*correlation-id/],
  ];
  for (const [destination, line, text] of rows) {
    const client = Harness.open().connect();
    client.send('SEND', [`destination:${destination}`, line, 'receipt:r'], 'x');
    expectError(client, text, 'r');
  }
});

test('JMSXGroupID: messages of a group are with one consumer at a time, in order, and say their group', async () => {
  const harness = Harness.open();
  const [one, two] = [harness.connect(), harness.connect()];
  for (const client of [one, two]) await subscribed(client, ['ack:client-individual']);
  for (const body of ['1', '2', '3'])
    one.send('SEND', ['destination:/queue/a', 'JMSXGroupID:g', `JMSXGroupSeq:${body}`], body);
  const [mine, other] = [await one.later(), await two.later()];
  const [with1, without] = mine.length > 0 ? [mine, other] : [other, mine];
  assert.equal([bodiesOf(with1), bodiesOf(without)], [['1', '2', '3'], []]);
  assert.equal(
    with1.map(({ headers }) => `${headers.JMSXGroupID} ${headers.JMSXGroupSeq}`),
    ['g 1', 'g 2', 'g 3'],
  );
});

test('transformation and amq-msg-type on SEND go on with the message', async () => {
  const client = Harness.open().connect();
  client.send('SUBSCRIBE', ['id:1', 'destination:/topic/a']);
  client.send('SEND', ['destination:/topic/a', 'transformation:jms-map-json', 'amq-msg-type:text'], '{}');
  const { headers } = client.frame();
  assert.equal([headers.transformation, headers['amq-msg-type']], ['jms-map-json', 'text']);
});

test('expires: milliseconds since 1970, 0 never', async () => {
  const harness = Harness.open();
  const client = harness.connect();
  client.send('SEND', ['destination:/queue/a', 'expires:0'], 'never');
  client.send('SEND', ['destination:/queue/a', `expires:${harness.clock.now() + 500}`], 'soon');
  await client.later();
  harness.clock.advance(600);
  const frames = await subscribed(client, []);
  assert.equal(bodiesOf(frames), ['never']);
  assert.is(frames[0]?.headers.expires, undefined);
});

test.run();
