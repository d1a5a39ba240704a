import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StompSubscription } from '../../../protocols/stomp/subscription.ts';
import { Subscriptions } from '../../../protocols/stomp/subscription-table.ts';

/** The subscriptions of a connection, of which there may be thousands. */

const test = suite('STOMP subscriptions of a connection');

function named(name: string): StompSubscription {
  return {
    name,
    destination: '/topic/a',
    durable: undefined,
    competes: false,
    joins: false,
    start: () => undefined,
    issued: () => false,
    unsettled: () => false,
    holds: () => true,
    settle: () => {},
    stored: () => undefined,
    pump: () => {},
    unsubscribe: () => undefined,
    close: () => {},
  };
}

test('numbers are not used again: an ACK that comes late finds that its subscription is gone', () => {
  const table = new Subscriptions();
  const [first, second, third] = [named('1'), named('2'), named('3')];
  assert.is(table.nextNumber, 1);
  table.add(first, 0);
  table.add(second, 10);
  assert.equal([table.size, table.nextNumber, table.selectorBytes], [2, 3, 10]);
  table.remove(first);
  assert.equal([table.numbered(0), table.numbered(1), table.numbered(3)], [undefined, 'gone', undefined]);
  assert.is(table.numbered(2), second);
  table.remove(second);
  table.add(third, 0);
  assert.equal([table.size, table.selectorBytes, table.numbered(2)], [1, 0, 'gone']);
  assert.is(table.numbered(3), third);
  table.close();
  assert.equal([table.size, table.numbered(3)], [0, 'gone']);
});

test('UNSUBSCRIBE costs the same however many subscriptions there are', () => {
  const count = 40_000;
  const table = new Subscriptions();
  const all = Array.from({ length: count }, (_, i) => named(String(i)));
  for (const each of all) table.add(each, 0);
  const began = performance.now();
  for (const each of all) table.remove(each);
  const milliseconds = performance.now() - began;
  assert.is(table.size, 0);
  // Looking through all of them for each takes many seconds; this takes some 20 ms.
  assert.ok(milliseconds < 2000, `${Math.round(milliseconds)} ms for ${count}`);
});

test.run();
