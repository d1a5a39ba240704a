import * as fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runs, tellSeed } from '../support/fuzz-runs.ts';
import { connect, packet, version } from './support/mqtt-arbitraries.ts';
import { type Outcome, ours, plain } from './support/mqtt-plain.ts';

/** Our decoder and `mqtt-packet` read the same bytes. */

const test = suite('fuzz/mqtt-packets');
tellSeed();

const found = (packets: readonly mqttPacket.Packet[]): Outcome[] =>
  packets.map((each) => ({ is: 'packet', packet: plain(each) }));

test('every packet with everything in it is read to the same content', () => {
  fc.assert(
    fc.property(
      version.chain((level) => fc.tuple(fc.constant(level), connect(level), fc.array(packet(level), { maxLength: 6 }))),
      ([level, first, rest]) => {
        const packets = [first, ...rest];
        const bytes = packets.map((each) => mqttPacket.generate(each, { protocolVersion: level }));
        assert.equal(ours(Buffer.concat(bytes), level), found(packets));
      },
    ),
    runs(2000),
  );
});

test.run();
