import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Harness, type TestClient } from './support/harness.ts';

/** The header `message` of an ERROR: RabbitMQ's words, for applications that compare it. The body says more. */

type Sent = readonly [command: string, lines: readonly string[], body?: string];

const LOGIN: Sent = ['CONNECT', ['accept-version:1.2', 'host:test']];

const rows: readonly (readonly [message: string, ...frames: Sent[]])[] = [
  ['Illegal command', ['SEND', ['destination:/topic/a']]],
  ['Version mismatch', ['CONNECT', ['accept-version:3.0', 'host:test']]],
  ['Bad command', LOGIN, ['PUBLISH', []]],
  ['Bad command', LOGIN, ['PUBLISHTOTOPIC', []]],
  ['Bad command', LOGIN, ['MESSAGE', []]],
  ['Missing destination', LOGIN, ['SEND', []]],
  ['Missing destination', LOGIN, ['SUBSCRIBE', ['id:1']]],
  ['Missing Header', LOGIN, ['SUBSCRIBE', ['destination:/topic/a']]],
  ['Unknown destination', LOGIN, ['SEND', ['destination:/something/interesting']]],
  ['Invalid destination', LOGIN, ['SEND', ['destination:/queue/']]],
  ['Invalid destination', LOGIN, ['SUBSCRIBE', ['id:1', 'destination:/topic']]],
  ['Invalid destination', LOGIN, ['SEND', ['destination:/exchange//a']]],
  ['Invalid destination', LOGIN, ['SEND', ['destination:/exchange/none/a/b']]],
  ['not_found', LOGIN, ['SUBSCRIBE', ['id:1', 'destination:/exchange/none/a']]],
  ['not_found', LOGIN, ['SEND', ['destination:/exchange/none/a']]],
  [
    'Duplicated subscription identifier',
    LOGIN,
    ['SUBSCRIBE', ['id:1', 'destination:/topic/a']],
    ['SUBSCRIBE', ['id:1', 'destination:/topic/b']],
  ],
  ['No subscription found', LOGIN, ['UNSUBSCRIBE', ['id:1']]],
  ['Missing destination or id', LOGIN, ['UNSUBSCRIBE', []]],
  ['Missing header', LOGIN, ['ACK', []]],
  ['Invalid header', LOGIN, ['NACK', ['id:1']]],
  ['Missing transaction', LOGIN, ['BEGIN', []]],
  ['Bad transaction', LOGIN, ['COMMIT', ['transaction:t']]],
  ['Bad transaction', LOGIN, ['SEND', ['destination:/topic/a', 'transaction:t']]],
];

const words = suite('STOMP words of errors');

function send(client: TestClient, [command, lines, body = '']: Sent): void {
  client.send(command, lines, body);
}

words('each of RabbitMQ’s has them', () => {
  for (const [message, ...frames] of rows) {
    const client = Harness.open().open();
    for (const frame of frames) send(client, frame);
    const error = client.frames().at(-1);
    const sent = JSON.stringify(frames.at(-1));
    assert.equal([error?.command, error?.headers.message], ['ERROR', message], sent);
  }
});

words('who may not is told so', () => {
  const harness = Harness.open({}, { mayPublish: () => false, maySubscribe: () => false });
  for (const frame of [
    ['SEND', ['destination:/topic/a']],
    ['SUBSCRIBE', ['id:1', 'destination:/topic/a']],
  ] as const) {
    const client = harness.connect();
    send(client, frame);
    assert.is(client.frame().headers.message, 'access_refused');
  }
  const closed = Harness.open({}, { authenticate: () => 'badCredentials' }).open();
  send(closed, LOGIN);
  assert.is(closed.frame().headers.message, 'Bad CONNECT');
});

words.run();
