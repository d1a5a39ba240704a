import * as fc from 'fast-check';
import mqttPacket from 'mqtt-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Decoder } from '../../protocols/mqtt/decoder.ts';
import type { PacketHandler } from '../../protocols/mqtt/packets.ts';
import { BrokerError } from '../../src/core/errors.ts';
import { limits, topics } from './support/mqtt-plain.ts';

/** Runs a decoder over the pieces and returns what it handed on, as text, ending with the error if there was one. */
function decode(pieces: readonly Buffer[], version: 3 | 4 | 5, admitted = true): string[] {
  const seen: string[] = [];
  const note =
    (name: string) =>
    (...args: unknown[]) => {
      seen.push(`${name} ${JSON.stringify(args)}`);
    };
  const handler: PacketHandler = {
    connect: note('connect'),
    publish({ topic, qos, retain, dup, packetId, data, start, end, properties }) {
      const payload = Buffer.from(data.subarray(start, end)).toString('hex');
      seen.push(`publish ${JSON.stringify({ topic, qos, retain, dup, packetId, payload, properties })}`);
    },
    puback: note('puback'),
    pubrec: note('pubrec'),
    pubrel: note('pubrel'),
    pubcomp: note('pubcomp'),
    subscribe: note('subscribe'),
    unsubscribe: note('unsubscribe'),
    pingreq: note('pingreq'),
    disconnect: note('disconnect'),
    auth: note('auth'),
  };
  const decoder = new Decoder(handler, limits, topics);
  decoder.version = version;
  if (admitted) decoder.admit();
  for (const piece of pieces) {
    try {
      decoder.push(piece);
    } catch (error) {
      assert.instance(error, BrokerError);
      if (error instanceof BrokerError) seen.push(`${error.code}: ${error.message}`);
    }
  }
  return seen;
}

const word = fc.stringMatching(/^[a-zé]{1,6}$/);
const topic = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join('/'));
const id = fc.integer({ min: 1, max: 65535 });
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const packet: fc.Arbitrary<mqttPacket.Packet> = fc.oneof(
  fc
    .record({ topic, payload: fc.uint8Array({ maxLength: 300 }), qos, messageId: id, retain: fc.boolean() })
    .map((fields) => {
      return { cmd: 'publish' as const, dup: false, ...fields, payload: Buffer.from(fields.payload) };
    }),
  fc
    .constantFrom('puback' as const, 'pubrec' as const, 'pubcomp' as const, 'pubrel' as const)
    .chain((cmd) => fc.record({ cmd: fc.constant(cmd), messageId: id })),
  fc
    .record({ messageId: id, topics: fc.array(topic, { minLength: 1, maxLength: 3 }) })
    .map(({ messageId, topics: filters }) => {
      return {
        cmd: 'subscribe' as const,
        messageId,
        subscriptions: filters.map((each) => ({ topic: each, qos: 1 as const, nl: false, rap: false, rh: 0 })),
      };
    }),
  fc
    .record({ messageId: id, unsubscriptions: fc.array(topic, { minLength: 1, maxLength: 3 }) })
    .map((fields) => ({ cmd: 'unsubscribe' as const, ...fields })),
  fc.constant({ cmd: 'pingreq' as const }),
);
const version = fc.constantFrom(4 as const, 5 as const);

const test = suite('fuzz/mqtt');

test('what mqtt-packet writes is read, packet by packet', () => {
  fc.assert(
    fc.property(version, fc.array(packet, { maxLength: 8 }), (level, packets) => {
      const bytes = Buffer.concat(packets.map((each) => mqttPacket.generate(each, { protocolVersion: level })));
      const seen = decode([bytes], level);
      assert.equal(
        seen.map((line) => line.split(' ', 1)[0]),
        packets.map((each) => each.cmd),
      );
      for (const [i, each] of packets.entries()) {
        if (each.cmd === 'publish')
          assert.match(seen[i] ?? '', `"payload":"${Buffer.from(each.payload).toString('hex')}"`);
        if ('messageId' in each && each.messageId !== undefined && (each.cmd !== 'publish' || each.qos > 0))
          assert.match(seen[i] ?? '', `${each.messageId}`);
      }
    }),
    { numRuns: 500 },
  );
});

test('any split of a stream gives the same packets', () => {
  fc.assert(
    fc.property(version, fc.array(packet, { minLength: 1, maxLength: 4 }), (level, packets) => {
      const bytes = Buffer.concat(packets.map((each) => mqttPacket.generate(each, { protocolVersion: level })));
      const whole = decode([bytes], level);
      for (let at = 1; at < bytes.length; at++) {
        assert.equal(decode([bytes.subarray(0, at), bytes.subarray(at)], level), whole, `split at ${at}`);
      }
      assert.equal(
        decode(
          [...bytes].map((byte) => Buffer.of(byte)),
          level,
        ),
        whole,
        'byte by byte',
      );
    }),
    { numRuns: 100 },
  );
});

test('arbitrary bytes, before and after login, end in an error or wait for more; nothing else is thrown', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(3 as const, 4 as const, 5 as const),
      fc.boolean(),
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }),
      (level, admitted, pieces) => {
        decode(
          pieces.map((each) => Buffer.from(each)),
          level,
          admitted,
        );
      },
    ),
    { numRuns: 20_000 },
  );
});

test('a valid stream with bytes changed gives the same however it is split', () => {
  fc.assert(
    fc.property(
      version,
      fc.array(packet, { minLength: 1, maxLength: 4 }),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      fc.nat(),
      (level, packets, where, value, split) => {
        const bytes = Buffer.concat(packets.map((each) => mqttPacket.generate(each, { protocolVersion: level })));
        bytes[where % bytes.length] = value;
        const at = split % bytes.length;
        assert.equal(decode([bytes.subarray(0, at), bytes.subarray(at)], level), decode([bytes], level));
      },
    ),
    { numRuns: 5000 },
  );
});

test('a packet of 1 MB in segments of one byte costs linear time', () => {
  const bytes = mqttPacket.generate({
    cmd: 'publish',
    topic: 'a',
    payload: Buffer.alloc(1_000_000),
    qos: 0,
    dup: false,
    retain: false,
  });
  const before = process.hrtime.bigint();
  const seen = decode(
    Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)),
    4,
  );
  assert.is(seen.length, 1);
  // Quadratic copying would be 5 * 10^11 bytes: minutes.
  assert.ok(process.hrtime.bigint() - before < 10_000_000_000n);
});

test('a declared length allocates nothing before the bytes come', () => {
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 100 }, () => {
    const decoder = new Decoder({} as never, { ...limits, packetBytes: 300_000_000 }, topics);
    decoder.admit();
    decoder.push(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 97]));
    return decoder;
  });
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
  assert.is(decoders.length, 100);
});

test.run();
