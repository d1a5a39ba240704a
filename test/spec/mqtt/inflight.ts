import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Inflight } from '../../../protocols/mqtt/inflight.ts';
import { sentAt } from './support/sent.ts';

/** Packet identifiers and the window of messages to one client. */

const test = suite('mqtt/inflight');

const sent = sentAt(2);
const ids = (inflight: Inflight) => Array.from(inflight.entries(), ([id]) => id);

test('[MQTT-2.2.1-4] an identifier in flight is never used for another message, through all 65,535 of them', () => {
  const inflight = new Inflight();
  const held = new Set([inflight.add(sent), inflight.add(sent)]);
  inflight.release(2);
  const seen = new Set<number>();
  for (let i = 0; i < 200_000; i++) {
    const id = inflight.add(sent);
    assert.ok(id >= 1 && id <= 65_535 && !held.has(id), `${id}`);
    seen.add(id);
    inflight.settle(id);
  }
  assert.is(seen.size, 65_533);
  assert.equal(ids(inflight), [1, 2]);
});

test('[MQTT-2.2.1-4] with all identifiers in flight there is no room, whatever the window', () => {
  const inflight = new Inflight();
  inflight.restore(7, { ...sent, released: true });
  for (let i = 1; i < 65_535; i++) {
    assert.ok(inflight.hasRoom(65_535, 65_535));
    inflight.add(sent);
  }
  assert.not(inflight.hasRoom(65_535, 65_535));
  inflight.settle(9);
  assert.ok(inflight.hasRoom(65_535, 65_535));
  assert.is(inflight.add(sent), 9);
});

test('[MQTT-4.9.0-2] what an earlier connection sent opens no window of this one', () => {
  const inflight = new Inflight();
  for (const id of [1, 2, 3]) inflight.restore(id, sent);
  inflight.release(3);
  inflight.repeated(1);
  inflight.add(sent);
  assert.is(inflight.outstanding, 2);
  // Not sent again yet; waits for PUBCOMP alone.
  inflight.settle(2);
  inflight.settle(3);
  assert.is(inflight.outstanding, 2);
  inflight.settle(1);
  assert.is(inflight.outstanding, 1);
});

test('what is left of earlier connections takes no place, up to the bound', () => {
  const inflight = new Inflight();
  for (let id = 1; id <= 5; id++) inflight.restore(id, { ...sent, released: true });
  assert.ok(inflight.hasRoom(2, 5));
  assert.ok(inflight.hasRoom(2, 4));
  assert.not(inflight.hasRoom(2, 3));
});

test('[MQTT-4.6.0-4] [MQTT-4.6.0-1] released ones are in the order of their PUBRECs, the others in the order sent', () => {
  const inflight = new Inflight();
  for (let i = 0; i < 5; i++) inflight.add(sent);
  inflight.release(4);
  inflight.release(2);
  inflight.release(4);
  assert.equal(ids(inflight), [1, 3, 5, 4, 2]);
});

test.run();
