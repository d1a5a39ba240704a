import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { field, NONE, packet, section } from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { WAYS } from './support/peer.ts';

/** MQTT 5.0, 3.15: AUTH, where CONNECT had no method. The exchange itself is in the tests of enhanced authentication. */

const test = suite('mqtt5/3.15 auth');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

for (const way of WAYS) {
  test(`[MQTT-3.15.1-1] other flags are malformed, ${way.name}`, async () => {
    for (let flags = 1; flags < 16; flags++) assert.is(await bench.fault(packet(0xf0 | flags), way), 0x81, `${flags}`);
  });

  test(`[MQTT-4.12.0-6] [MQTT-4.12.1-1] AUTH without a method agreed in CONNECT is a protocol error, ${way.name}`, async () => {
    const method = section([0x15], field('SCRAM-SHA-256'), [0x16], field('n,,n=user,r=nonce'));
    for (const bytes of [
      packet(0xf0),
      packet(0xf0, [0x18], method),
      packet(0xf0, [0x19], method),
      packet(0xf0, [0], NONE),
    ])
      assert.is(await bench.fault(bytes, way), 0x82);
  });
}

test.run();
