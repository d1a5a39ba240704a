import * as fc from 'fast-check';
import mqttPacket, { type IConnectPacket, type Packet, type UserProperties } from 'mqtt-packet';
import { connect, id, packet, qos, type Version, version } from './mqtt-arbitraries.ts';
import { cut, type Mutation, mutate, mutation, shuffle, shuffled } from './mutations.ts';

/** Whole connections of MQTT clients with something wrong in them. */

const CLIENTS = ['fuzz-1', 'fuzz-2', 'fuzz-3', 'fuzz-4'];
/** Few, so that most packets find what others have left there. */
const TOPICS = ['t', 't/a', 't/b', '$queue/fuzz', '$queue/other', '$reply/x', '$SYS/x'];
const FILTERS = [
  't',
  't/#',
  '+/a',
  '#',
  '$queue/fuzz',
  '$queue/other',
  '$share/g/t/#',
  '$share/g/$queue/fuzz',
  '$SYS/#',
];
const OWN: readonly (readonly [string, string])[] = [
  ...([
    ['key', 'k'],
    ['message-id', 'm'],
    ['priority', '9'],
    ['delay', '5'],
    ['start', 'first'],
  ] as const),
  ...([
    ['start', 'last 2'],
    ['positions', 'true'],
    ['prefetch', '1'],
    ['exclusive', 'true'],
    ['requeue', 'true'],
  ] as const),
];

const userProperties: fc.Arbitrary<UserProperties> = fc
  .uniqueArray(fc.constantFrom(...OWN), { minLength: 1, maxLength: 2, selector: ([name]) => name })
  .map((pairs) => Object.fromEntries(pairs));
const lowId = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }) }, { weight: 1, arbitrary: id });
const withOwn = (level: Version) =>
  level === 5 ? fc.option(userProperties, { nil: undefined }) : fc.constant(undefined);

/** One step of a client that knows what there is: packets that belong together. */
const step = (level: Version): fc.Arbitrary<Packet[]> =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .record({ topic: fc.constantFrom(...TOPICS), qos, messageId: lowId, retain: fc.boolean(), own: withOwn(level) })
        .map(({ own, messageId, ...rest }): Packet[] => [
          {
            cmd: 'publish',
            payload: 'fuzz',
            dup: false,
            messageId,
            ...rest,
            ...(own && { properties: { userProperties: own } }),
          },
          ...(rest.qos === 2 ? [{ cmd: 'pubrel' as const, messageId }] : []),
        ]),
    },
    {
      weight: 4,
      arbitrary: fc
        .record({
          messageId: lowId,
          subscriptions: fc.array(fc.record({ topic: fc.constantFrom(...FILTERS), qos }), {
            minLength: 1,
            maxLength: 3,
          }),
          own: withOwn(level),
        })
        .map(({ own, ...rest }): Packet[] => [
          { cmd: 'subscribe', ...rest, ...(own && { properties: { userProperties: own } }) },
        ]),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom('puback' as const, 'pubrec' as const, 'pubcomp' as const), lowId)
        .map(([cmd, messageId]): Packet[] => [{ cmd, messageId }]),
    },
    { weight: 4, arbitrary: packet(level).map((each) => [each]) },
  );

/** CONNECT as a client would send it that this broker lets in. */
function welcome(first: IConnectPacket, clientId: string): IConnectPacket {
  const { authenticationMethod: _method, authenticationData: _data, ...properties } = first.properties ?? {};
  const { will } = first;
  return {
    ...first,
    clientId,
    ...(first.properties !== undefined && { properties }),
    ...(will !== undefined && { will: { ...will, topic: 't/will' } }),
  };
}

export interface Stream {
  readonly level: Version;
  /** As they are written, one after the other. */
  readonly chunks: readonly Buffer[];
  /** The client closes it orderly. */
  readonly closes: boolean;
}

const made = (level: Version): fc.Arbitrary<Stream> =>
  fc
    .record({
      first: fc.oneof(
        { weight: 6, arbitrary: fc.tuple(connect(level), fc.constantFrom(...CLIENTS)).map((each) => welcome(...each)) },
        { weight: 1, arbitrary: connect(level) },
      ),
      rest: fc.array(step(level), { maxLength: 12, size: 'max' }),
      shuffles: fc.array(shuffle, { maxLength: 2 }),
      // Most of CONNECT is kept whole, or few would come any further.
      mutations: fc.array(mutation, { maxLength: 3 }),
      behind: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      places: fc.array(fc.nat({ max: 5000 }), { maxLength: 4 }),
      closes: fc.boolean(),
    })
    .map(({ first, rest, shuffles, mutations, behind, places, closes }) => {
      const bytes = (each: Packet): Buffer => mqttPacket.generate(each, { protocolVersion: level });
      const packets = shuffles.reduce(shuffled, rest.flat().map(bytes));
      const wrong = (of: Buffer): Buffer =>
        mutations.reduce((changed: Buffer, how: Mutation) => mutate(changed, how), of);
      const all = behind
        ? Buffer.concat([bytes(first), wrong(Buffer.concat(packets))])
        : wrong(Buffer.concat([bytes(first), ...packets]));
      return { level, chunks: cut(all, places), closes };
    });

export const stream = version.chain(made);
