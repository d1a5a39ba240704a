import * as fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runs, tellSeed } from '../support/fuzz-runs.ts';
import { connect, packet, version } from './support/mqtt-arbitraries.ts';
import { firstOf, refit } from './support/mqtt-mutations.ts';
import { type Outcome, ours, plain, theirs } from './support/mqtt-plain.ts';
import { ruleOf } from './support/mqtt-rules.ts';
import { mutate, mutation } from './support/mutations.ts';

/** Our decoder and `mqtt-packet` read the same bytes: packets as they should be, and packets with something wrong. */

const test = suite('fuzz/mqtt-packets');
tellSeed();

/** U+FFFD, which may be in a text as itself. */
const REPLACED = '\uFFFD';

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

test('a packet with bytes changed: both refuse it, or read the same, or the difference has a name', () => {
  fc.assert(
    fc.property(
      version.chain((level) => fc.tuple(fc.constant(level), fc.oneof(connect(level), packet(level)))),
      fc.array(mutation, { minLength: 1, maxLength: 2 }),
      fc.boolean(),
      ([level, valid], mutations, fitting) => {
        const changed = mutations.reduce(mutate, mqttPacket.generate(valid, { protocolVersion: level }));
        const bytes = firstOf(fitting ? refit(changed) : changed);
        const [mine] = ours(bytes, level);
        const {
          packets: [other],
          fault,
        } = theirs(bytes, level);
        const refused = other === undefined && fault !== undefined;
        if (mine?.is === 'refused' ? refused : mine === undefined && other === undefined && !refused) return;
        if (mine?.is === 'packet' && other !== undefined) {
          assert.equal(mine.packet, plain(other));
          // Where both are lax nothing differs: mqtt-packet puts U+FFFD for what is no UTF-8, and takes U+0000.
          const content = JSON.stringify(mine.packet);
          assert.not.match(content, '\\u0000');
          if (content.includes(REPLACED)) assert.ok(bytes.includes(REPLACED), 'ill-formed UTF-8 is taken');
          return;
        }
        const rule = ruleOf({ bytes, version: level, mine, packet: other, fault });
        const [here, there] = [JSON.stringify(mine), JSON.stringify(other) ?? fault];
        assert.ok(rule, `${bytes.toString('hex')} is to us ${here}, to mqtt-packet ${there}`);
      },
    ),
    runs(10_000),
  );
});

test.run();
