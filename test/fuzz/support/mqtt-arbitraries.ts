import * as fc from 'fast-check';
import type {
  IAuthPacket,
  IConnectPacket,
  IDisconnectPacket,
  IPublishPacket,
  ISubscribePacket,
  IUnsubscribePacket,
  Packet,
  UserProperties,
} from 'mqtt-packet';

/** Every packet that a client may send, in each version, with everything that may stand in it. */

export type Version = 3 | 4 | 5;

export const version = fc.constantFrom<Version>(3, 4, 5);

/** Any characters but U+0000 and surrogates (1.5.4), of one to four bytes. */
export const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom('', 'é', '\uFEFF', '\uFFFD', '\u0001', '𝄞', 'x'.repeat(300)) },
);
const word = fc.constantFrom('a', 'b', 'sport', 'é', '', ' ', '𝄞');
export const topic = fc
  .array(word, { minLength: 1, maxLength: 4 })
  .map((words) => words.join('/'))
  .filter((name) => name !== '');
const filter = fc
  .array(fc.oneof({ weight: 5, arbitrary: word }, { weight: 1, arbitrary: fc.constant('+') }), {
    minLength: 1,
    maxLength: 4,
  })
  .chain((words) => fc.constantFrom(words.join('/'), [...words, '#'].join('/'), `$share/g/${words.join('/')}`))
  .filter((name) => name !== '');
const bytes = fc
  .oneof(
    { weight: 5, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 120, maxLength: 300 }) },
  )
  .map((each) => Buffer.from(each));
export const id = fc.oneof(fc.integer({ min: 1, max: 65535 }), fc.constantFrom(1, 255, 256, 65535));
export const qos = fc.constantFrom<0 | 1 | 2>(0, 1, 2);
const uint16 = fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 1, 0xffff));
const uint32 = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, 0xffffffff));
const positive16 = uint16.map((value) => value || 1);
const positive32 = uint32.map((value) => value || 1);

/** Repeated names, and values of no length. Without a prototype: a name may be `__proto__`. */
const userProperties: fc.Arbitrary<UserProperties> = fc
  .array(fc.tuple(fc.oneof(text, fc.constantFrom('a', '__proto__')), fc.array(text, { minLength: 1, maxLength: 3 })), {
    minLength: 1,
    maxLength: 3,
  })
  .map((entries) => {
    const made: UserProperties = Object.create(null);
    for (const [name, values] of entries) made[name] = values;
    return made;
  });

/** Each property is there or not. */
const OPTIONAL: { requiredKeys: [] } = { requiredKeys: [] };

const messageProperties = {
  payloadFormatIndicator: fc.boolean(),
  messageExpiryInterval: uint32,
  contentType: text,
  responseTopic: topic,
  correlationData: bytes,
  userProperties,
};
const explained = { reasonString: text, userProperties };

const will = (level: Version) =>
  fc
    .record({
      topic,
      payload: bytes,
      qos,
      retain: fc.boolean(),
      properties: fc.record({ willDelayInterval: uint32, ...messageProperties }, OPTIONAL),
    })
    .map(({ properties, ...rest }) => (level === 5 ? { ...rest, properties } : rest));

const connectProperties = fc
  .tuple(
    fc.record(
      {
        sessionExpiryInterval: uint32,
        receiveMaximum: positive16,
        maximumPacketSize: positive32,
        topicAliasMaximum: uint16,
        requestResponseInformation: fc.boolean(),
        requestProblemInformation: fc.boolean(),
        userProperties,
      },
      OPTIONAL,
    ),
    fc.option(fc.record({ authenticationMethod: text, authenticationData: bytes }), { nil: {} }),
  )
  .map(([properties, authentication]) => ({ ...properties, ...authentication }));

export const connect = (level: Version): fc.Arbitrary<IConnectPacket> =>
  fc
    .record({
      clientId: text.filter((each) => each !== ''),
      clean: fc.boolean(),
      keepalive: uint16,
      will: fc.option(will(level), { nil: undefined }),
      // mqtt-packet writes no empty ones.
      username: fc.option(
        text.filter((each) => each !== ''),
        { nil: undefined },
      ),
      password: fc.option(
        bytes.filter((each) => each.length > 0),
        { nil: undefined },
      ),
      properties: connectProperties,
    })
    .map(({ username, password, will: last, properties, ...rest }) => ({
      cmd: 'connect',
      protocolId: level === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: level,
      ...rest,
      ...(last !== undefined && { will: last }),
      ...(username !== undefined && { username }),
      // A password without a name is allowed in MQTT 5 only, and mqtt-packet does not write it.
      ...(username !== undefined && password !== undefined && { password }),
      ...(level === 5 && { properties }),
    }));

const publish = (level: Version): fc.Arbitrary<IPublishPacket> =>
  fc
    .record({
      topic,
      payload: bytes,
      qos,
      retain: fc.boolean(),
      again: fc.boolean(),
      messageId: id,
      properties: fc.record({ topicAlias: positive16, ...messageProperties }, OPTIONAL),
    })
    .map(({ messageId, again, properties, ...rest }) => ({
      cmd: 'publish',
      ...rest,
      dup: again && rest.qos > 0,
      ...(rest.qos > 0 && { messageId }),
      ...(level === 5 && { properties }),
    }));

const REASONS = {
  puback: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  pubrec: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  pubrel: [0, 0x92],
  pubcomp: [0, 0x92],
  /** Those that clients send (3.14.2.1). */
  disconnect: [0, 4, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99],
  auth: [0x18, 0x19],
} as const;

const acknowledgement = (level: Version): fc.Arbitrary<Packet> =>
  fc.constantFrom('puback', 'pubrec', 'pubrel', 'pubcomp').chain((cmd) =>
    fc
      .record({
        messageId: id,
        reasonCode: fc.constantFrom(...REASONS[cmd]),
        properties: fc.record(explained, OPTIONAL),
      })
      .map(({ messageId, ...rest }): Packet => ({ cmd, messageId, ...(level === 5 && rest) })),
  );

const subscribe = (level: Version): fc.Arbitrary<ISubscribePacket> =>
  fc
    .record({
      messageId: id,
      subscriptions: fc.array(
        fc
          .record({ topic: filter, qos, nl: fc.boolean(), rap: fc.boolean(), rh: fc.constantFrom(0, 1, 2) })
          .map(({ topic: name, qos: level3, ...options }) =>
            level === 5
              ? { topic: name, qos: level3, ...options, nl: options.nl && !name.startsWith('$share/') }
              : { topic: name, qos: level3 },
          ),
        { minLength: 1, maxLength: 4 },
      ),
      properties: fc.record(
        { subscriptionIdentifier: fc.integer({ min: 1, max: 268_435_455 }), userProperties },
        OPTIONAL,
      ),
    })
    .map(({ properties, ...rest }) => ({ cmd: 'subscribe', ...rest, ...(level === 5 && { properties }) }));

const unsubscribe = (level: Version): fc.Arbitrary<IUnsubscribePacket> =>
  fc
    .record({
      messageId: id,
      unsubscriptions: fc.array(filter, { minLength: 1, maxLength: 4 }),
      properties: fc.record({ userProperties }, OPTIONAL),
    })
    .map(({ properties, ...rest }) => ({ cmd: 'unsubscribe', ...rest, ...(level === 5 && { properties }) }));

const disconnect = (level: Version): fc.Arbitrary<IDisconnectPacket> =>
  fc
    .record({
      reasonCode: fc.constantFrom(...REASONS.disconnect),
      properties: fc.record({ sessionExpiryInterval: uint32, ...explained }, OPTIONAL),
    })
    .map((rest) => ({ cmd: 'disconnect', ...(level === 5 && rest) }));

const auth: fc.Arbitrary<IAuthPacket> = fc
  .tuple(
    fc.constantFrom(...REASONS.auth),
    fc.record({ authenticationMethod: text, authenticationData: bytes }),
    fc.record(explained, OPTIONAL),
  )
  .map(([reasonCode, authentication, rest]) => ({
    cmd: 'auth',
    reasonCode,
    properties: { ...authentication, ...rest },
  }));

/** Any packet of a client behind CONNECT. */
export const packet = (level: Version): fc.Arbitrary<Packet> =>
  fc.oneof(
    { weight: 4, arbitrary: publish(level) },
    { weight: 3, arbitrary: acknowledgement(level) },
    { weight: 3, arbitrary: subscribe(level) },
    { weight: 2, arbitrary: unsubscribe(level) },
    { weight: 1, arbitrary: fc.constant<Packet>({ cmd: 'pingreq' }) },
    { weight: 1, arbitrary: disconnect(level) },
    ...(level === 5 ? [{ weight: 1, arbitrary: auth }] : []),
  );
