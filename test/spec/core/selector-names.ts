import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Properties, Qos } from '../../../src/core/message.ts';
import { parseSelector } from '../../../src/core/selector.ts';
import { type Headers, LIMITS, messageOf, refusal } from './support/selecting.ts';

/** What names stand for, beside user properties. */

function check(conditions: readonly string[], headers: Headers, more: Properties = {}, qos: Qos = 0): void {
  const message = messageOf(headers, more, qos);
  for (const each of conditions) assert.ok(parseSelector(each, LIMITS).matches(message), each);
}

const FULL: Properties = {
  contentType: 'text/plain',
  correlation: Buffer.from('c-1'),
  expiresAt: 1_800_000_000_000,
  key: 'k',
  messageId: 'm-1',
  priority: 7,
};

test('JMS 2.0, 3.8.1.1: the header fields of JMS', () => {
  check(
    [
      "JMSDeliveryMode = 'PERSISTENT'",
      'JMSPriority > 6 AND JMSPriority < 8',
      "JMSPriority IN ('7')",
      "JMSMessageID = 'm-1'",
      'JMSTimestamp BETWEEN 1700000000123 AND 1700000000123',
      "JMSTimestamp LIKE '17%'",
      "JMSCorrelationID LIKE 'c-_'",
      "JMSType = 'order'",
      'JMSExpiration = 1800000000000',
      "JMSXGroupID = 'k'",
    ],
    { type: 'order' },
    FULL,
    1,
  );
  check(["JMSDeliveryMode = 'NON_PERSISTENT'", 'JMSPriority = 0', 'JMSExpiration = 0', 'JMSMessageID IS NULL'], {});
  check(['JMSCorrelationID IS NULL', 'JMSType IS NULL', 'JMSXGroupID IS NULL', "JMSXGroupSeq = '2'"], {
    JMSXGroupSeq: '2',
  });
});

test('the identifiers of ActiveMQ Artemis', () => {
  const names = ["AMQDurable = 'DURABLE'", 'AMQPriority = 7', 'AMQTimestamp = JMSTimestamp', 'AMQSize = 4'];
  check([...names, 'AMQExpiration > 0'], {}, FULL, 2);
  check(["AMQDurable = 'NON_DURABLE'", "AMQ_OTHER = 'x'"], { AMQ_OTHER: 'x' });
});

test('the headers by which messages show what they carry', () => {
  const headers = ["content-type = 'text/plain'", "correlation-id = 'c-1'", 'expires = 1800000000000', "key = 'k'"];
  check([...headers, "message-id = 'm-1'", "amqp-message-id = 'm-1'", 'priority = 7', 'content-length = 4'], {}, FULL);
  check(['persistent', 'persistent = TRUE', "persistent = 'true'"], {}, {}, 1);
  check(
    ['NOT persistent', 'content-type IS NULL', 'correlation-id IS NULL', 'expires IS NULL', 'priority IS NULL'],
    {},
  );
});

test('priority and key may be user properties, other names of this kind are with user. before them', () => {
  check(["priority = 'high'", "key = 'own'"], { priority: 'high', key: 'own' });
  check(["user.content-type = 'own'", 'content-type IS NULL', 'user.other = 1', 'other = 1'], {
    'content-type': 'own',
    other: '1',
  });
});

test('names of JMS that stand for nothing are refused', () => {
  for (const name of ['JMSReplyTo', 'JMSDestination', 'JMSRedelivered', 'JMS_x', '"JMSReplyTo"']) {
    const text = String(refusal(`${name} IS NULL`));
    assert.match(text, name.replaceAll('"', ''));
    assert.match(text, 'JMSPriority');
  }
});

test("a protocol's own names come first", () => {
  const naming = (name: string): (() => string) | undefined => (name === 'priority' ? () => 'own' : undefined);
  const message = messageOf({ a: '1' }, FULL);
  assert.ok(parseSelector("priority = 'own' AND a = 1 AND JMSPriority = 7", LIMITS, naming).matches(message));
});

test.run();
