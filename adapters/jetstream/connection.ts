import { readFileSync } from 'node:fs';
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type Msg,
  type NatsConnection,
  type Subscription,
  type TlsOptions,
} from 'nats';
import { BrokerError } from '../../src/core/errors.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { type Answer, apiError, EncodedHeaders, parseAnswer } from './api.ts';
import type { JetStreamOptions } from './options.ts';

/** The oldest whose compare-and-set, time to live of messages and batched direct reads do what is relied on. */
const NEEDED_VERSION = [2, 12] as const;
/** Milliseconds between pings; two that are not answered end the connection. */
const PING = 5_000;
/** Milliseconds an answer may take. */
export const ANSWER = 5_000;
/** The same where it is asked again, perhaps of a leader that is only now being elected. */
export const SHORT = 1_500;
/** Milliseconds between attempts to connect again. */
const RECONNECT = 500;

/** Why this server will not do; undefined when it will. */
export function versionFault(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const [neededMajor, neededMinor] = NEEDED_VERSION;
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return undefined;
  return `the NATS server is version ${version}; ${neededMajor}.${neededMinor} or later is needed (backbone.nats.servers)`;
}

export interface ConnectionListener {
  /** There is a connection again, and every subscription is on it. */
  up(): void;
  /** There is none; what was sent lately may have been lost. */
  down(): void;
}

/**
 * The connection to NATS. nats.js connects again by itself, for ever; but what is published meanwhile it drops without
 * a word, and requests it leaves to their time-outs: so everything asks `up` first, and hears when it changes.
 */
export class Connection {
  readonly #options: JetStreamOptions;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #listeners: ConnectionListener[] = [];
  readonly #waiting = new Set<() => void>();
  #nats: NatsConnection | undefined;
  #away: string | undefined = 'not connected to NATS yet';
  #closing = false;
  /** Raised with every loss, so that an answer's time-out knows whether the connection is still the one it asked. */
  #losses = 0;

  constructor(options: JetStreamOptions, clock: Clock, logger: Logger) {
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
  }

  async open(): Promise<void> {
    const servers = this.#options.servers.join(', ');
    this.#closing = false;
    try {
      this.#nats = await connect(connectionOptions(this.#options));
    } catch (error) {
      throw new Error(`NATS at ${servers} (backbone.nats.servers): ${explain(error)}`);
    }
    const fault = versionFault(this.nats.info?.version ?? 'unknown');
    if (fault !== undefined) {
      await this.close();
      throw new Error(fault);
    }
    this.#away = undefined;
    void this.#watch(this.nats);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#lost('the connection to NATS is closed');
    await this.#nats?.close();
  }

  listen(listener: ConnectionListener): void {
    this.#listeners.push(listener);
  }

  get nats(): NatsConnection {
    if (this.#nats === undefined) throw new BrokerError('unavailable', 'not connected to NATS yet');
    return this.#nats;
  }

  get closing(): boolean {
    return this.#closing;
  }

  get up(): boolean {
    return this.#away === undefined;
  }

  /** Why not, in words. */
  get away(): string | undefined {
    return this.#away;
  }

  get losses(): number {
    return this.#losses;
  }

  /** Largest message the server takes, headers included, bytes. */
  get maxPayload(): number {
    return this.#nats?.info?.max_payload ?? 1024 * 1024;
  }

  /** `queue`: of those that subscribe with the same, one gets a message. */
  subscribe(subject: string, callback: (message: Msg) => void, queue?: string): Subscription {
    return this.nats.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error === null) callback(message);
        else this.#logger.warn({ subject, error: error.message }, 'NATS refused a subscription');
      },
    });
  }

  /** One question, one answer. Fails at once while NATS is away, when it goes away, and when no answer comes in time. */
  async request(subject: string, payload: string | Uint8Array = '', headers?: Uint8Array, time = ANSWER): Promise<Msg> {
    if (!this.up) throw new BrokerError('unavailable', this.#away);
    let lost = (): void => {};
    const gone = new Promise<never>((_, reject) => {
      lost = () => reject(new BrokerError('unavailable', this.#away ?? 'the connection to NATS was lost'));
    });
    this.#waiting.add(lost);
    try {
      const asked = this.nats.request(subject, payload, {
        timeout: time,
        ...(headers === undefined ? {} : { headers: new EncodedHeaders(headers) }),
      });
      // The one that loses the race fails later, unheard.
      asked.catch(() => {});
      return await Promise.race([asked, gone]);
    } catch (error) {
      if (error instanceof BrokerError) throw error;
      throw new BrokerError('unavailable', `NATS did not answer: ${explain(error)}`);
    } finally {
      this.#waiting.delete(lost);
    }
  }

  /** A request whose answer is JSON. An `error` in it is thrown as ApiError. */
  async ask(subject: string, body: object = {}, time = ANSWER): Promise<Answer> {
    const answer = parseAnswer((await this.request(subject, JSON.stringify(body), undefined, time)).data);
    const error = apiError(answer);
    if (error !== undefined) throw error;
    return answer;
  }

  /** Everything published before has reached the server. */
  async flush(): Promise<void> {
    let timer: { cancel(): void } | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = this.#clock.schedule(ANSWER, () => reject(new BrokerError('unavailable', 'NATS did not answer a ping')));
    });
    const flushed = this.nats.flush();
    flushed.catch(() => {});
    try {
      await Promise.race([flushed, late]);
    } finally {
      timer?.cancel();
    }
  }

  async #watch(nats: NatsConnection): Promise<void> {
    for await (const { type, data } of nats.status()) {
      if (type === 'disconnect') {
        this.#logger.warn({ server: String(data) }, 'The connection to NATS is lost');
        this.#lost(`NATS is away (${this.#options.servers.join(', ')})`);
      } else if (type === 'reconnect') {
        this.#found();
      } else if (type === 'error') {
        this.#logger.warn({ error: String(data) }, 'NATS reports an error');
      }
    }
    if (!this.#closing) this.#lost('the connection to NATS has ended');
  }

  #found(): void {
    const fault = versionFault(this.nats.info?.version ?? 'unknown');
    if (fault !== undefined) {
      this.#away = fault;
      this.#logger.error({}, fault);
      return;
    }
    this.#logger.info({ server: this.nats.getServer() }, 'Connected to NATS again');
    this.#away = undefined;
    for (const listener of this.#listeners) listener.up();
  }

  #lost(why: string): void {
    const wasUp = this.up;
    this.#away = why;
    if (!wasUp) return;
    this.#losses++;
    for (const lost of [...this.#waiting]) lost();
    for (const listener of this.#listeners) listener.down();
  }
}

function connectionOptions(options: JetStreamOptions): ConnectionOptions {
  const { servers, user, password, token, credentials, tls } = options;
  return {
    servers: [...servers],
    name: `trimaran ${options.prefix}`,
    noEcho: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT,
    reconnectJitter: RECONNECT / 5,
    reconnectJitterTLS: RECONNECT / 5,
    ignoreAuthErrorAbort: true,
    pingInterval: PING,
    maxPingOut: 2,
    timeout: ANSWER,
    noAsyncTraces: true,
    ...(user === '' ? {} : { user, pass: password }),
    ...(token === '' ? {} : { token }),
    ...(credentials === '' ? {} : { authenticator: credsAuthenticator(read(credentials, 'credentials')) }),
    ...tlsOptions(servers, tls),
  };
}

function tlsOptions(servers: readonly string[], files: JetStreamOptions['tls']): { tls?: TlsOptions } {
  const tls: TlsOptions = {
    ...(files.ca === '' ? {} : { ca: read(files.ca, 'tls.ca').toString() }),
    ...(files.certificate === '' ? {} : { cert: read(files.certificate, 'tls.certificate').toString() }),
    ...(files.key === '' ? {} : { key: read(files.key, 'tls.key').toString() }),
  };
  // Given at all, it makes the client insist on TLS.
  return Object.keys(tls).length > 0 || servers.some((server) => server.startsWith('tls://')) ? { tls } : {};
}

function read(path: string, key: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`backbone.nats.${key}: ${path} cannot be read: ${explain(error)}`);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  CONNECTION_REFUSED: 'no one answers there',
  TIMEOUT: 'no answer in time',
  '503': 'no one answers to this subject',
  AUTHORIZATION_VIOLATION:
    'it does not accept us (backbone.nats.user, backbone.nats.password, backbone.nats.token, backbone.nats.credentials)',
};

export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  // The client gives TLS no name to check for an address.
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `${error.message} (with TLS, servers are to be given by host name)`;
  return WORDS[code] ?? (error.message === '' ? code : error.message);
}
