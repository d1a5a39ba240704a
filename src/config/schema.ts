import { z } from 'zod';
import type { Limits } from '../ports/limits.ts';
import { choice, flag, integer, list, secret, text } from './field.ts';
import { ANY_TEXT, DIRECTORY, HOST, NATS_SERVERS, ORIGINS, PREFIX } from './forms.ts';
import { section as limits } from './limits.ts';
import { section as mqtt } from './mqtt.ts';
import { section as queues } from './queues.ts';
import { section as security } from './security.ts';
import { section as stomp } from './stomp.ts';

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
  stomp: stomp.prefault({}),
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
