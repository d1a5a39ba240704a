import type { JetStreamOptions } from '../../adapters/jetstream/index.ts';
import type { Logger } from '../../src/ports/routing.ts';
import type { NatsServer } from './nats-server.ts';

/** What the tests of the adapter for JetStream have in common. */

export const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

const LOUD: Logger = { debug: console.log, info: console.log, warn: console.log, error: console.log };

export function logger(): Logger {
  return process.env.TEST_LOG === undefined ? SILENT : LOUD;
}

export function jetStreamOptions(
  servers: NatsServer | readonly NatsServer[],
  changes: Partial<JetStreamOptions> = {},
): JetStreamOptions {
  return {
    servers: [servers].flat().map(({ url }) => url),
    prefix: 'trimaran',
    replicas: 1,
    user: '',
    password: '',
    token: '',
    credentials: '',
    tls: { ca: '', certificate: '', key: '' },
    holdSeconds: 30,
    leaseSeconds: 6,
    pendingBytes: 64 * 1024 * 1024,
    retention: { bytes: 1024 * 1024 * 1024, seconds: 3600 },
    dedup: { seconds: 120, messages: 100_000 },
    ...changes,
  };
}
