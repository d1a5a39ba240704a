import * as fc from 'fast-check';
import type { StompVersion } from '../../support/stomp-reference.ts';
import { cut, type Mutation, mutate, mutation, shuffle, shuffled } from './mutations.ts';
import { bytesOf, frame, insertion, type Pair, version } from './stomp-arbitraries.ts';

/** Whole connections of STOMP clients with something wrong in them. */

/** Few, so that most frames find what others have left there. */
const TOPICS = ['/topic/t', '/topic/t.a', '/topic/t.b', '/temp-queue/x'];
const QUEUES = ['/queue/fuzz', '/queue/other', '/queue/short'];
const FILTERS = [...TOPICS, ...QUEUES, ...QUEUES, '/topic/t.#', '/topic/*.a', '/topic/>', '/topic/#', '/topic/$SYS.#'];
const NOWHERE = ['/topic/$SYS.x', '/reply-queue/x', '/queue/', 'fuzz', '/topic/a*', '/exchange/x/y', ''];

/** Stands for the id by which the newest message, or one before it, is acknowledged. */
export const ACK_ID = /@([0-3])@/g;
const ackId = fc.nat(3).map((back) => `@${back}@`);

/** Absent so many times as it is there. */
const some = <T>(usual: fc.Arbitrary<T>, absent = 5): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: absent, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: usual });
const receipt = some(fc.constantFrom('1', '2', 'three', 'v:4', 'é\\'), 1);
const subscription = fc.nat(40).map((number) => `s${number}`);
const ack = fc.constantFrom('auto', 'client', 'client-individual', undefined);
const flag = fc.constantFrom('true', 'false');

/** Those that are there, as a frame. */
function written(
  level: StompVersion,
  command: string,
  headers: Readonly<Record<string, string | undefined>>,
  body = '',
) {
  const there = Object.entries(headers).flatMap(([name, value]): Pair[] =>
    value === undefined ? [] : [[name, value]],
  );
  return bytesOf(
    { command, headers: there, body: Buffer.from(body), counted: body !== '', eol: '\n', behind: 0 },
    level,
  );
}

/** By the header that the version has for it. */
const settled = (level: StompVersion, id: string) =>
  level === '1.2' ? { id } : { 'message-id': id, subscription: 's1' };

/** Of topics, and of queues. */
const FOR_TOPICS = ['retain', 'group', 'start'];
const FOR_QUEUES = ['browser', 'exclusive', 'queue-max-messages'];

/** Most leave out what is not for their destination. */
function fitting<H extends { readonly destination: string; readonly receipt: string | undefined }>(headers: H): H {
  if (headers.receipt === 'three') return headers;
  const others = headers.destination.startsWith('/queue/') ? FOR_TOPICS : FOR_QUEUES;
  return { ...headers, ...Object.fromEntries(others.map((each) => [each, undefined])) };
}

const sendHeaders = fc
  .record({
    destination: fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom(...TOPICS, ...QUEUES, ...QUEUES) },
      { weight: 1, arbitrary: fc.constantFrom(...NOWHERE) },
    ),
    receipt,
    persistent: some(flag, 2),
    retain: some(flag, 6),
    expires: some(fc.constantFrom('1', '0', '99999999999999')),
    key: some(fc.constantFrom('k', 'l')),
    priority: some(fc.constantFrom('0', '9', '5'), 8),
    delay: some(fc.constantFrom('5', '60000'), 8),
    'message-id': some(fc.constantFrom('m', 'n'), 8),
    'reply-to': some(fc.constantFrom('/temp-queue/x', '/topic/t'), 6),
    'queue-max-messages': some(fc.constantFrom('3', '5', '-'), 80),
  })
  .map(fitting);
const subscribeHeaders = fc
  .record({
    id: subscription,
    destination: fc.constantFrom(...FILTERS),
    ack,
    receipt,
    'prefetch-count': some(fc.constantFrom('1', '2', '0'), 2),
    durable: some(flag, 8),
    'auto-delete': some(flag, 8),
    browser: some(flag, 6),
    exclusive: some(flag, 20),
    group: some(fc.constantFrom('g', 'h'), 8),
    start: some(fc.constantFrom('first', 'last 2', 'new', 'first', 'last'), 8),
    'queue-max-messages': some(fc.constantFrom('3', '5'), 80),
  })
  .map(fitting);

/** Frames that belong together, of a client that knows what there is. */
const step = (level: StompVersion): fc.Arbitrary<Buffer[]> =>
  fc.oneof(
    { weight: 6, arbitrary: sendHeaders.map((headers) => [written(level, 'SEND', headers, 'fuzz')]) },
    { weight: 4, arbitrary: subscribeHeaders.map((headers) => [written(level, 'SUBSCRIBE', headers)]) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(subscribeHeaders, receipt)
        .map(([headers, asked]) => [
          written(level, 'SUBSCRIBE', headers),
          written(level, 'UNSUBSCRIBE', { id: headers.id, receipt: asked, durable: headers.durable }),
        ]),
    },
    {
      weight: 5,
      arbitrary: fc
        .record({
          id: subscription,
          mode: fc.constantFrom('client', 'client-individual'),
          destination: fc.constantFrom(...QUEUES, '/topic/t'),
          command: fc.constantFrom('ACK', 'ACK', 'NACK'),
          requeue: some(flag, 2),
          transaction: some(fc.constantFrom('a', 'b'), 1),
          receipt,
          which: ackId,
        })
        .map(({ id, mode, destination, command, requeue, transaction, which, ...asked }) => [
          written(level, 'SUBSCRIBE', { id, destination, ack: mode }),
          written(level, 'SEND', { destination }, 'one'),
          written(level, 'SEND', { destination, ...asked }, 'two'),
          ...(transaction === undefined ? [] : [written(level, 'BEGIN', { transaction })]),
          written(level, command, {
            ...settled(level, which),
            ...(command === 'NACK' && { requeue }),
            transaction,
            ...asked,
          }),
          ...(transaction === undefined ? [] : [written(level, 'COMMIT', { transaction, ...asked })]),
        ]),
    },
    {
      weight: 3,
      arbitrary: fc
        .record({
          transaction: fc.constantFrom('t', 'u'),
          sends: fc.array(sendHeaders, { maxLength: 3 }),
          end: fc.constantFrom('COMMIT', 'COMMIT', 'ABORT'),
          receipt,
        })
        .map(({ transaction, sends, end, ...asked }) => [
          written(level, 'BEGIN', { transaction, ...asked }),
          ...sends.map((headers) => written(level, 'SEND', { ...headers, transaction }, 'held')),
          written(level, end, { transaction, ...asked }),
        ]),
    },
    // What is likely to be wrong where it stands.
    {
      weight: 1,
      arbitrary: fc.oneof(
        ackId.map((id) => [written(level, 'ACK', settled(level, id))]),
        fc
          .constantFrom('BEGIN', 'COMMIT', 'ABORT', 'UNSUBSCRIBE', 'DISCONNECT')
          .map((command) => [written(level, command, { transaction: 't', id: 's1', receipt: 'r' })]),
        frame(level).map((each) => [bytesOf(each, level)]),
      ),
    },
  );

const CONNECTS = (level: StompVersion): readonly Readonly<Record<string, string>>[] => [
  { 'accept-version': level, host: 'test', 'heart-beat': '0,0' },
  { 'accept-version': level, host: 'test', login: 'guest', passcode: 'guest', 'client-id': 'fuzz-1' },
  { 'accept-version': level, host: 'test', 'heart-beat': '60000,60000', receipt: 'login' },
];

export interface Stream {
  readonly level: StompVersion;
  readonly transport: 'tcp' | 'websocket';
  /** As they are written, one after the other; on a WebSocket each is a message. */
  readonly chunks: readonly Buffer[];
  /** The client closes it orderly. */
  readonly closes: boolean;
}

/** Cut in front of each frame that has the id of a message, so that this can have come. */
function beforeIds(chunk: Buffer): Buffer[] {
  const text = chunk.toString('latin1');
  const ends = [...text.matchAll(ACK_ID)].map(({ index }) => text.lastIndexOf('\0', index) + 1);
  return cut(chunk, ends);
}

const made = (level: StompVersion): fc.Arbitrary<Stream> =>
  fc
    .record({
      first: fc.constantFrom(...CONNECTS(level)),
      rest: fc.array(step(level), { maxLength: 14, size: 'max' }),
      shuffles: fc.boolean().chain((any) => fc.array(shuffle, { maxLength: any ? 2 : 0 })),
      // Half have all their bytes right, and most the CONNECT: or few would come any further.
      mutations: fc.boolean().chain((any) => fc.array(fc.oneof(mutation, insertion), { maxLength: any ? 2 : 0 })),
      behind: fc.oneof({ weight: 6, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      places: fc.array(fc.nat({ max: 4000 }), { maxLength: 5 }),
      transport: fc.constantFrom('tcp', 'websocket'),
      closes: fc.boolean(),
      ends: fc.boolean(),
    })
    .map(({ first, rest, shuffles, mutations, behind, places, transport, closes, ends }) => {
      const connect = written(level, 'CONNECT', first);
      const frames = shuffles.reduce(shuffled, rest.flat());
      const last = ends ? [written(level, 'DISCONNECT', { receipt: 'bye' })] : [];
      const wrong = (of: Buffer): Buffer =>
        mutations.reduce((changed: Buffer, how: Mutation) => mutate(changed, how), of);
      const session = Buffer.concat([...frames, ...last]);
      const all = behind ? Buffer.concat([connect, wrong(session)]) : wrong(Buffer.concat([connect, session]));
      return { level, transport, chunks: cut(all, places).flatMap(beforeIds), closes };
    });

export const stream = version.chain(made);
