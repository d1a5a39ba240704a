import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packet, pingreq } from '../../support/mqtt-bytes.ts';
import { Bench } from './support/bench.ts';
import { WAYS } from './support/peer.ts';

/** MQTT 5.0, 3.12 and 3.13: PINGREQ and PINGRESP. */

const test = suite('mqtt5/3.12 pingreq');
const bench = new Bench();
test.before(() => bench.start());
test.after(() => bench.stop());
test.after.each(() => bench.leave());

for (const way of WAYS) {
  test(`[MQTT-3.12.4-1] PINGRESP for each PINGREQ, ${way.name}`, async () => {
    const peer = await bench.connect({}, way);
    await peer.send(pingreq(), pingreq(), pingreq());
    for (let i = 0; i < 3; i++) {
      const { flags, bytes } = await peer.expect(13);
      assert.equal([flags, bytes], [0, 2]);
    }
    assert.equal(await peer.flush(), []);
  });

  test(`3.12.2 3.12.3 PINGREQ with content is malformed, ${way.name}`, async () => {
    for (const content of [[0], [0, 1], [0, 0, 0]]) assert.is(await bench.fault(packet(0xc0, content), way), 0x81);
  });
}

test.run();
