import { z } from 'zod';
import type { Limits } from '../ports/limits.ts';
import { choice, flag, integer, list, secret, text } from './field.ts';
import { ANY_TEXT, DIRECTORY, HOST, NATS_SERVERS, ORIGINS, PREFIX } from './forms.ts';
import { section as mqtt } from './mqtt.ts';
import { section as queues } from './queues.ts';
import { section as security } from './security.ts';

/**
 * The one schema of the configuration: type, default, range, unit and documentation of every key. The type `Config`,
 * validation, `config/default.yaml`, `config/schema.json` and the environment variables all come from here.
 */

const MiB = 1024 * 1024;

function listener(port: number, what: string) {
  return {
    enabled: flag(true, `Whether ${what} is served`),
    host: text(
      '127.0.0.1',
      HOST,
      'Address to listen on. Without security.users only clients on this machine are served',
    ),
    port: integer(port, 0, 65535, 'TCP port; 0 picks a free one, and the log says which'),
  };
}

const limits = z.strictObject({
  connections: integer(100_000, 1, 10_000_000, 'Open connections in all', 'connections'),
  connectionsPerAddress: integer(100_000, 1, 10_000_000, 'Open connections from one address', 'connections'),
  loginSeconds: integer(10, 1, 3600, 'Time from the connection to the end of its login', 'seconds'),
  passwordChecks: integer(
    2,
    1,
    1024,
    'Logins whose password is being checked at the same time; they share threads with the store',
    'logins',
  ),
  passwordChecksWaiting: integer(10_000, 0, 10_000_000, 'Logins that wait for this; more are refused', 'logins'),
  loginPacketBytes: integer(65_536, 128, 268_435_455, 'Largest packet or frame before login', 'bytes'),
  packetBytes: integer(MiB, 128, 268_435_455, 'Largest packet, frame or WebSocket message', 'bytes'),
  outputBytes: integer(
    MiB,
    4096,
    1024 * MiB,
    'What may wait to be written to one connection; beyond it QoS 0 messages to it are dropped and counted',
    'bytes',
  ),
  slowReaderSeconds: integer(
    15,
    1,
    3600,
    'How long a client may take nothing of what waits for it before it is cut off',
    'seconds',
  ),
  topicBytes: integer(1024, 1, 65_535, 'Longest topic or filter', 'bytes'),
  topicLevels: integer(128, 1, 1024, 'Most levels of a topic or filter', 'levels'),
  clientIdBytes: integer(1024, 23, 65_535, 'Longest client identifier', 'bytes'),
  keepAliveSeconds: integer(
    600,
    1,
    65_535,
    'Longest keep alive a client gets. MQTT 5 clients are told; earlier versions are held to it',
    'seconds',
  ),
  subscriptionsPerSession: integer(1000, 1, 1_000_000, 'Subscriptions of one session or connection', 'subscriptions'),
  inflightOut: integer(256, 1, 65_535, 'Messages sent to one MQTT client that it has not acknowledged', 'messages'),
  inflightIn: integer(
    1000,
    1,
    65_535,
    'Messages from one MQTT client that are not acknowledged or not released (Receive Maximum)',
    'messages',
  ),
  outboxMessages: integer(
    1000,
    1,
    1_000_000,
    'Messages held in memory for one client whose window is closed; more are read from the log later',
    'messages',
  ),
  outboxBytes: integer(4 * MiB, 1024, 1024 * MiB, 'Messages held in memory for such a client together', 'bytes'),
  publishBacklog: integer(
    10_000,
    1,
    1_000_000,
    'Messages of one connection that wait to become durable before it is no longer read from',
    'messages',
  ),
  detachedSessions: integer(100_000, 0, 10_000_000, 'Sessions kept without a connection', 'sessions'),
  sessionExpirySeconds: integer(
    604_800,
    0,
    0xffff_fffe,
    'Longest time a session is kept without a connection',
    'seconds',
  ),
  userProperties: integer(64, 0, 65_535, 'User headers of one message', 'headers'),
  // Texts of more than 65,535 bytes cannot be told to MQTT clients (MQTT 5.0, 1.5.4).
  userPropertyBytes: integer(16_384, 0, 65_535, 'User headers of one message together', 'bytes'),
  topicAliases: integer(16, 0, 65_535, 'MQTT 5 topic aliases a client may set on a connection', 'aliases'),
  topicAliasesOut: integer(
    32,
    0,
    65_535,
    'MQTT 5 topic aliases set towards a client on a connection, if it allows as many; 0: none',
    'aliases',
  ),
  retainedMessages: integer(100_000, 0, 100_000_000, 'Retained messages kept', 'messages'),
  retainedBytes: integer(256 * MiB, 0, 1024 * 1024 * MiB, 'Retained messages kept together', 'bytes'),
  queues: integer(10_000, 0, 1_000_000, 'Queues', 'queues'),
  queueMessages: integer(
    10_000_000,
    1,
    1_000_000_000,
    'Messages in one queue, whatever it is set to; more are refused',
    'messages',
  ),
  queueBytes: integer(16 * 1024 * MiB, 1, 1024 * 1024 * 1024 * MiB, 'Messages in one queue together', 'bytes'),
  queueBindings: integer(256, 0, 65_535, 'Bindings of one queue', 'bindings'),
  queueBindingBytes: integer(16_384, 0, MiB / 2, 'Bindings of one queue together', 'bytes'),
  queueMemoryBytes: integer(
    64 * MiB,
    65_536,
    1024 * 1024 * MiB,
    'Messages of one queue or group that wait in memory: for a consumer, or for others of their key; with properties',
    'bytes',
  ),
  consumerBytes: integer(
    16 * MiB,
    1024,
    1024 * 1024 * MiB,
    'Messages that one consumer has unsettled; at so many it gets no more, whatever its prefetch',
    'bytes',
  ),
  heldMessages: integer(
    4096,
    1,
    1_000_000,
    'Messages of one queue or group that wait for others of their key or for another try; at so many, it waits for them',
    'messages',
  ),
  groupMessages: integer(
    50_000,
    1,
    10_000_000,
    'Messages of one group that are with members or came back; at so many, no others are read',
    'messages',
  ),
  peerBytes: integer(
    256 * MiB,
    65_536,
    1024 * 1024 * MiB,
    'Messages for queues on their way to other nodes, or to owners not known yet; more are refused',
    'bytes',
  ),
  deadLetterHops: integer(
    16,
    1,
    1000,
    'Queues in a row from which a message is dead-lettered because it expired; then it is dropped and counted',
    'queues',
  ),
  replays: integer(
    32,
    0,
    65_535,
    'Subscriptions of one session or connection with start or positions, each of which reads the log by itself',
    'subscriptions',
  ),
  stompHeaders: integer(64, 8, 10_000, 'Header lines of one STOMP frame', 'lines'),
  stompHeaderBytes: integer(8192, 128, 65_535, 'One STOMP header line', 'bytes'),
  stompPrefetch: integer(
    100,
    1,
    65_535,
    'Unacknowledged messages at a STOMP consumer that names no prefetch',
    'messages',
  ),
  transactions: integer(16, 0, 10_000, 'Open STOMP transactions of one connection', 'transactions'),
  transactionActions: integer(1024, 1, 1_000_000, 'Frames in one STOMP transaction', 'frames'),
  transactionBytes: integer(16 * MiB, 1, 1024 * MiB, 'Frames in one STOMP transaction together', 'bytes'),
  heartBeatMilliseconds: integer(100, 10, 3_600_000, 'Shortest STOMP heart-beat interval agreed to', 'milliseconds'),
  requests: integer(1000, 1, 1_000_000, 'Open requests of one JSON client', 'requests'),
  webSocketFragments: integer(1024, 1, 65_535, 'Fragments of one WebSocket message', 'fragments'),
});

export const schema = z.strictObject({
  listeners: z
    .strictObject({
      mqtt: z.strictObject(listener(1883, 'MQTT over TCP')).prefault({}),
      stomp: z.strictObject(listener(61613, 'STOMP over TCP')).prefault({}),
      http: z
        .strictObject({
          ...listener(8080, 'HTTP: WebSocket for every protocol, the chat page and the health checks'),
          allowedOrigins: list(
            [],
            0,
            ORIGINS,
            'Origins of web pages that may connect, beside pages of this server itself; "*" is any',
          ),
        })
        .prefault({}),
    })
    .prefault({}),
  backbone: z
    .strictObject({
      type: choice(
        ['memory', 'embedded', 'nats'],
        'embedded',
        'What keeps messages and sessions: memory (nothing outlives the process), embedded (a store in a directory of this machine), nats (NATS JetStream; any number of brokers on it are one)',
      ),
      checkpointMilliseconds: integer(
        500,
        10,
        60_000,
        'How often the places of durable sessions in the log are made durable; after a crash, messages acknowledged since then may come again (QoS 2 never does)',
        'milliseconds',
      ),
      retention: z
        .strictObject({
          bytes: integer(
            8192 * MiB,
            MiB,
            1024 * 1024 * 1024 * MiB,
            'How much of the log is kept, at least the newest; durable sessions that are further behind lose messages',
            'bytes',
          ),
          seconds: integer(604_800, 1, 0xffff_fffe, 'How long messages are kept in the log', 'seconds'),
        })
        .prefault({}),
      dedup: z
        .strictObject({
          seconds: integer(120, 1, 86_400, 'How long a repeated message is recognised', 'seconds'),
          messages: integer(100_000, 1, 10_000_000, 'Messages that are remembered for this', 'messages'),
        })
        .prefault({}),
      pendingBytes: integer(
        64 * MiB,
        MiB,
        16 * 1024 * MiB,
        'Messages that wait to become durable, together; beyond half of it publishers are not read from, beyond it messages are refused',
        'bytes',
      ),
      memory: z
        .strictObject({
          logBytes: integer(
            64 * MiB,
            MiB,
            1024 * 1024 * MiB,
            'How much of the log is kept for slow and returning clients',
            'bytes',
          ),
        })
        .prefault({}),
      embedded: z
        .strictObject({
          directory: text(
            './data',
            DIRECTORY,
            'Where the store is kept. One broker at a time can use it; it may need two to three times backbone.retention.bytes',
          ),
          sync: choice(
            ['always', 'system'],
            'always',
            'always: what is acknowledged is on the disk (fsync); system: the operating system writes it when it likes, and a power failure loses the last seconds',
          ),
          cacheBytes: integer(
            32 * MiB,
            MiB,
            16 * 1024 * MiB,
            'Memory for parts of the log that returning clients have in common',
            'bytes',
          ),
          reads: integer(4, 1, 64, 'Reads of the log at the same time; more wait their turn', 'reads'),
        })
        .prefault({}),
      nats: z
        .strictObject({
          servers: list(['nats://127.0.0.1:4222'], 1, NATS_SERVERS, 'NATS servers, 2.12 or later, with JetStream'),
          prefix: text('trimaran', PREFIX, 'First token of all NATS subjects, and of the names of streams'),
          replicas: integer(1, 1, 5, 'Copies that JetStream keeps', 'copies'),
          user: text('', ANY_TEXT, 'User name for the NATS servers; empty for none'),
          password: secret('', ANY_TEXT, 'Password for the NATS servers'),
          token: secret('', ANY_TEXT, 'Token for the NATS servers, instead of a user; empty for none'),
          credentials: text('', ANY_TEXT, 'File with NATS credentials (JWT and seed, .creds); empty for none'),
          tls: z
            .strictObject({
              ca: text('', ANY_TEXT, "File with the certificates to trust (PEM); empty for the system's"),
              certificate: text('', ANY_TEXT, 'File with the certificate to show (PEM); empty for none'),
              key: text('', ANY_TEXT, 'File with its private key (PEM)'),
            })
            .prefault({}),
          holdSeconds: integer(
            30,
            0,
            3600,
            'How long publishers are held while NATS is away; then their messages are refused until it is back',
            'seconds',
          ),
          leaseSeconds: integer(
            6,
            2,
            300,
            'How long a broker may not be heard of before the others take its clients over and publish their wills',
            'seconds',
          ),
        })
        .prefault({}),
    })
    .prefault({}),
  security: security.prefault({}),
  queues: queues.prefault({}),
  mqtt: mqtt.prefault({}),
  limits: limits.prefault({}),
  sys: z
    .strictObject({
      enabled: flag(true, 'Whether the broker tells of itself on topics that begin with $SYS/'),
      intervalSeconds: integer(10, 0, 86_400, 'How often it does; 0: not at all', 'seconds'),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: choice(
        ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
        'info',
        'Least severe lines that are logged',
      ),
      format: choice(['auto', 'json', 'pretty'], 'auto', 'JSON lines, or for people; auto: for people on a terminal'),
    })
    .prefault({}),
  shutdown: z
    .strictObject({
      drainSeconds: integer(
        10,
        0,
        3600,
        'How long clients get to take what is queued for them when the broker stops',
        'seconds',
      ),
    })
    .prefault({}),
});

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly E[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** A complete, valid configuration, frozen. */
export type Config = DeepReadonly<z.output<typeof schema>>;
/** What a caller may give: any part of it. */
export type ConfigInput = DeepReadonly<z.input<typeof schema>>;

/** Fails to compile when the section and the interface differ. */
export function limitsOf(config: Config): Limits {
  return config.limits;
}

/** One key of the configuration, as documentation and the environment see it. */
export interface Leaf {
  readonly path: readonly string[];
  readonly doc: string;
  readonly unit: string | undefined;
  readonly fallback: unknown;
  /** Range or allowed values, in words. */
  readonly allowed: string;
  /** It is not shown. */
  readonly secret: boolean;
}

/** Every key, in the order of the schema. */
export function leaves(): readonly Leaf[] {
  return [...walk(schema, [])];
}

function* walk(type: z.core.$ZodType, path: readonly string[]): Generator<Leaf> {
  if (type instanceof z.ZodPrefault) {
    yield* walk(type.unwrap(), path);
  } else if (type instanceof z.ZodObject) {
    for (const [name, child] of Object.entries(type.shape)) if (isType(child)) yield* walk(child, [...path, name]);
  } else if (type instanceof z.ZodDefault) {
    const { description: doc = '', unit, allowed = allowedBy(type.unwrap()), secret = false } = type.meta() ?? {};
    yield { path, doc, unit, fallback: type.parse(undefined), allowed, secret };
  } else {
    throw new Error(`${path.join('.')} is neither a section nor a key with a default`);
  }
}

function isType(value: unknown): value is z.core.$ZodType {
  return value instanceof z.ZodType;
}

function allowedBy(type: z.core.$ZodType): string {
  if (type instanceof z.ZodEnum) return type.options.join(' | ');
  if (type instanceof z.ZodNumber) return `${type.minValue} to ${type.maxValue}`;
  if (type instanceof z.ZodBoolean) return 'true | false';
  return 'text';
}
