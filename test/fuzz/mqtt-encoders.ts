import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Property,
  writeAcknowledgement,
  writeAuth,
  writeCodes,
  writeConnack,
  writeDisconnect,
  writePingresp,
} from '../../protocols/mqtt/encoder.ts';
import { BY_BOTH, BY_TOPIC, publishBytes, writePublish } from '../../protocols/mqtt/publish-encoder.ts';
import { Message, type Properties } from '../../src/core/message.ts';
import { runs, tellSeed } from '../support/fuzz-runs.ts';
import { id, qos, text, topic, type Version, version } from './support/mqtt-arbitraries.ts';
import { type Plain, plain, propertiesOf, theirs } from './support/mqtt-plain.ts';
import { Sink } from './support/sink.ts';

/** What our encoders write is parsed by `mqtt-packet` to what was meant. */

const test = suite('fuzz/mqtt-encoders');
tellSeed();

/** The one packet in what was written. */
function parsed(sink: Sink, level: Version): Plain {
  const { packets, fault } = theirs(sink.take(), level);
  assert.is(fault, undefined);
  assert.is(packets.length, 1);
  const [packet] = packets;
  if (packet === undefined) throw new Error('unreachable');
  return {
    ...packet,
    qos: undefined,
    dup: undefined,
    retain: undefined,
    length: undefined,
    topic: undefined,
    payload: undefined,
    properties: propertiesOf('properties' in packet ? packet.properties : undefined),
  };
}

function agree(seen: Plain, meant: Plain): void {
  const known = Object.entries(seen).filter(([, value]) => value !== undefined && value !== null);
  assert.equal(Object.fromEntries(known), { properties: {}, ...meant });
}

const uint8 = fc.integer({ min: 0, max: 255 });
const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const bit = fc.constantFrom(0, 1);
const bytes = fc.uint8Array({ maxLength: 300 });

/** A property as our encoder takes it, and as mqtt-packet reads it. */
type Meant = readonly [ours: Property, name: string, theirs: unknown];

const settings: fc.Arbitrary<Meant>[] = [
  uint32.map((value) => [[0x11, value], 'sessionExpiryInterval', value]),
  uint32.map((value) => [[0x27, value], 'maximumPacketSize', value]),
  uint16.map((value) => [[0x13, value], 'serverKeepAlive', value]),
  uint16.map((value) => [[0x21, value], 'receiveMaximum', value]),
  uint16.map((value) => [[0x22, value], 'topicAliasMaximum', value]),
  bit.map((value) => [[0x24, value], 'maximumQoS', value]),
  bit.map((value) => [[0x25, value], 'retainAvailable', value === 1]),
  bit.map((value) => [[0x28, value], 'wildcardSubscriptionAvailable', value === 1]),
  bit.map((value) => [[0x29, value], 'subscriptionIdentifiersAvailable', value === 1]),
  bit.map((value) => [[0x2a, value], 'sharedSubscriptionAvailable', value === 1]),
  text.map((value) => [[0x12, value], 'assignedClientIdentifier', value]),
  text.map((value) => [[0x1a, value], 'responseInformation', value]),
];
const explained: fc.Arbitrary<Meant>[] = [
  text.map((value) => [[0x1f, value], 'reasonString', value]),
  fc.tuple(text, text).map(([name, value]) => [[0x26, [name, value]], 'userProperties', { [`user ${name}`]: [value] }]),
];
const pick = (of: fc.Arbitrary<Meant>[]): fc.Arbitrary<Meant[]> =>
  fc
    .tuple(...of.map((each) => fc.option(each, { nil: undefined })))
    .map((all) => all.filter((each) => each !== undefined));
const properties = (meant: readonly Meant[]): Property[] => meant.map(([each]) => each);
const named = (meant: readonly Meant[], level: Version): Plain =>
  level === 5 ? Object.fromEntries(meant.map(([, name, value]) => [name, value])) : {};

test('CONNACK', () => {
  fc.assert(
    fc.property(version, fc.boolean(), uint8, pick([...settings, ...explained]), (level, present, code, meant) => {
      const sink = new Sink();
      writeConnack(sink, level, present, code, properties(meant));
      const answer = level === 5 ? { reasonCode: code } : { returnCode: code };
      agree(parsed(sink, level), {
        cmd: 'connack',
        sessionPresent: present && level > 3,
        ...answer,
        properties: named(meant, level),
      });
    }),
    runs(1000),
  );
});

const RECEIVED = fc.constantFrom(0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99);
const RELEASED = fc.constantFrom(0, 0x92);
const ACKNOWLEDGEMENTS = [
  [4, 'puback', RECEIVED],
  [5, 'pubrec', RECEIVED],
  [6, 'pubrel', RELEASED],
  [7, 'pubcomp', RELEASED],
] as const;

for (const [type, cmd, reasons] of ACKNOWLEDGEMENTS) {
  test(cmd.toUpperCase(), () => {
    fc.assert(
      fc.property(version, id, reasons, pick(explained), (level, messageId, reasonCode, meant) => {
        const sink = new Sink();
        writeAcknowledgement(sink, type, level, messageId, reasonCode, properties(meant));
        agree(parsed(sink, level), {
          cmd,
          messageId,
          ...(level === 5 && { reasonCode }),
          properties: named(meant, level),
        });
      }),
      runs(500),
    );
  });
}

const GRANTS = [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2];
const ENDS = [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91];

for (const [type, cmd, codes] of [
  [9, 'suback', GRANTS],
  [11, 'unsuback', ENDS],
] as const) {
  test(cmd.toUpperCase(), () => {
    const list = (level: Version): fc.Arbitrary<number[]> =>
      fc.array(fc.constantFrom(...(level < 5 && type === 9 ? [0, 1, 2, 0x80] : codes)), {
        minLength: 1,
        maxLength: 200,
      });
    fc.assert(
      fc.property(
        version.chain((level) => fc.tuple(fc.constant(level), list(level))),
        id,
        pick(explained),
        ([level, granted], messageId, meant) => {
          const sink = new Sink();
          writeCodes(sink, type, level, messageId, granted, properties(meant));
          // Before MQTT 5 UNSUBACK has no codes.
          const answers = level === 5 || type === 9 ? { granted } : {};
          agree(parsed(sink, level), { cmd, messageId, ...answers, properties: named(meant, level) });
        },
      ),
      runs(500),
    );
  });
}

test('DISCONNECT and PINGRESP', () => {
  const codes = [
    0, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9d,
  ];
  fc.assert(
    fc.property(fc.constantFrom(...codes), pick(explained), (reasonCode, meant) => {
      const sink = new Sink();
      writeDisconnect(sink, reasonCode, properties(meant));
      agree(parsed(sink, 5), { cmd: 'disconnect', reasonCode, properties: named(meant, 5) });
    }),
    runs(500),
  );
  const sink = new Sink();
  writePingresp(sink);
  agree(parsed(sink, 4), { cmd: 'pingresp' });
});

test('AUTH', () => {
  const exchanged: fc.Arbitrary<Meant>[] = [
    text.map((value) => [[0x15, value], 'authenticationMethod', value]),
    bytes.map((value) => [[0x16, value], 'authenticationData', Buffer.from(value).toString('hex')]),
    ...explained,
  ];
  fc.assert(
    fc.property(fc.constantFrom(0, 0x18, 0x19), pick(exchanged), (reasonCode, meant) => {
      const sink = new Sink();
      writeAuth(sink, reasonCode, properties(meant));
      agree(parsed(sink, 5), { cmd: 'auth', reasonCode, properties: named(meant, 5) });
    }),
    runs(500),
  );
});

/** Milliseconds since 1970, when everything is written. */
const NOW = 1_700_000_000_000;
const publisher = { clientId: 'fuzz', protocol: 'mqtt' } as const;
const user = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 });
const carried: fc.Arbitrary<Properties | undefined> = fc.option(
  fc.record(
    {
      contentType: text,
      textPayload: fc.boolean(),
      responseTopic: topic,
      correlation: bytes,
      expiresAt: fc.integer({ min: 1, max: 100_000 }).map((seconds) => NOW + seconds * 1000),
      user,
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);
/** Short ones, and ones that go out by reference. */
const payload = fc.oneof(
  { weight: 9, arbitrary: bytes },
  { weight: 1, arbitrary: fc.integer({ min: 16_000, max: 70_000 }).map((length) => Buffer.alloc(length, 'x')) },
);
const delivery = fc
  .record({
    qos,
    retain: fc.boolean(),
    again: fc.boolean(),
    number: id,
    naming: fc.oneof(
      fc.constant(BY_TOPIC),
      id,
      id.map((alias) => BY_BOTH | alias),
    ),
    extras: fc.option(
      fc.record({
        identifiers: fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 3 }),
        user: fc.array(fc.tuple(text, text), { maxLength: 2 }),
      }),
      { nil: undefined },
    ),
  })
  .map(({ again, number, ...rest }) => ({
    ...rest,
    dup: again && rest.qos > 0,
    packetId: rest.qos > 0 ? number : 0,
  }));

test('PUBLISH: each delivery of a message, alone and fanned out, in each version', () => {
  fc.assert(
    fc.property(
      topic,
      payload,
      carried,
      fc.array(fc.tuple(version, delivery), { minLength: 1, maxLength: 5 }),
      (name, content, props, deliveries) => {
        // As it comes: in the middle of a chunk.
        const chunk = Buffer.concat([Buffer.from('before'), content, Buffer.from('behind')]);
        const message = new Message(name, chunk, 6, 6 + content.length, 2, false, props, publisher, NOW);
        message.fanout = deliveries.length;
        for (const [level, each] of deliveries) {
          const extras = level === 5 ? each.extras : undefined;
          const sink = new Sink();
          const naming = level === 5 ? each.naming : BY_TOPIC;
          writePublish(sink, message, level, { ...each, extras }, NOW, naming);
          const written = sink.take();
          assert.is(written.length, publishBytes(message, level, { ...each, extras }, naming));
          const { packets, fault } = theirs(written, level);
          assert.is(fault, undefined);
          assert.equal(packets.map(plain), [meantBy(message, level, { ...each, extras })]);
        }
      },
    ),
    runs(2000),
  );
});

type Made = typeof delivery extends fc.Arbitrary<infer T> ? T : never;

function meantBy(message: Message, level: Version, { packetId, extras, qos: at, retain, dup, naming }: Made): Plain {
  const { contentType, textPayload, responseTopic, correlation, expiresAt, user: own } = message.properties ?? {};
  const identifiers = extras?.identifiers ?? [];
  const all = [...(extras?.user ?? []), ...(own ?? [])];
  const content = {
    contentType,
    payloadFormatIndicator: textPayload,
    responseTopic,
    correlationData: correlation,
    messageExpiryInterval: expiresAt === undefined ? undefined : (expiresAt - NOW) / 1000,
    subscriptionIdentifier: identifiers.length > 1 ? identifiers : identifiers[0],
    userProperties: all.length > 0 ? all : undefined,
    topicAlias: naming === BY_TOPIC ? undefined : naming & 0xffff,
  };
  const aliased = level === 5 && naming !== BY_TOPIC && naming < BY_BOTH;
  return {
    cmd: 'publish',
    topic: aliased ? '' : message.topic,
    qos: at,
    retain,
    dup,
    id: packetId,
    payload: Buffer.from(message.payload()).toString('hex'),
    properties: propertiesOf(level === 5 ? content : {}),
  };
}

test.run();
