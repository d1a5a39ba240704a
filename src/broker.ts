import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';
import { EmbeddedBackbone } from '../adapters/embedded/index.ts';
import { JetStreamBackbone } from '../adapters/jetstream/index.ts';
import { MemoryBackbone } from '../adapters/memory/index.ts';
import { createMqtt } from '../protocols/mqtt/index.ts';
import { createStomp } from '../protocols/stomp/index.ts';
import { createWebSocket } from '../protocols/websocket/index.ts';
import { type ConfigInput, resolveConfig } from './config/load.ts';
import { queuesOf } from './config/queues.ts';
import type { Config } from './config/schema.ts';
import { Counters } from './core/counters.ts';
import { createHttpServer } from './http/server.ts';
import { createLogger } from './logging.ts';
import { Messaging } from './messaging.ts';
import type { Authorizer } from './ports/authorizer.ts';
import type { Backbone } from './ports/backbone.ts';
import type { Clock } from './ports/clock.ts';
import type { Protocol } from './ports/protocol.ts';
import type { Logger, Services } from './ports/routing.ts';
import type { SysOptions } from './routing/sys/sys.ts';
import { LoopbackAuthorizer } from './security/loopback-authorizer.ts';
import { UserAuthorizer } from './security/user-authorizer.ts';
import { SystemClock } from './system-clock.ts';
import { listen } from './transport/listen.ts';
import { ConnectionRegistry } from './transport/registry.ts';
import { createTcpServer } from './transport/tcp.ts';
import { attachWebSocket } from './transport/websocket.ts';
import { version } from './version.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Addresses {
  readonly mqtt?: Address;
  readonly stomp?: Address;
  readonly http?: Address;
}

export interface BrokerExtras {
  readonly logger?: Logger;
  /** Who may connect, and what they may do; without it: `security.users`, or anyone on this machine. */
  readonly authorizer?: Authorizer;
}

interface Listener {
  readonly name: 'mqtt' | 'stomp' | 'http';
  readonly server: Server;
}

/**
 * A broker within this process. Nothing is shared between two of them. `start` listens; `stop` lets clients have what
 * is queued for them, says goodbye and closes.
 */
export class Broker {
  readonly counters = new Counters();
  readonly #config: Config;
  readonly #clock: Clock = new SystemClock();
  readonly #backbone: Backbone;
  /** Of the configured users, if there are any. */
  readonly #users: UserAuthorizer | undefined;
  readonly #messaging: Messaging;
  readonly #registry: ConnectionRegistry;
  readonly #listeners: Listener[] = [];
  #http: HttpServer | undefined;
  #addresses: Addresses = {};
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(config: Config, logger: Logger, authorizer?: Authorizer) {
    this.#config = config;
    if (authorizer !== undefined && config.security.users.length > 0)
      throw new Error('security.users and an authorizer of the program: one of them is expected');

    const { limits } = config;
    const clock = this.#clock;
    const { counters } = this;
    const backbone = createBackbone(config.backbone, clock, logger);
    this.#backbone = backbone;
    const { defaults, declared } = queuesOf(config);
    const { checkpointMilliseconds } = config.backbone;
    const queues = { queueDefaults: defaults, declaredQueues: declared };
    const options = { limits, checkpointMilliseconds, ...queues, sys: sysOf(config.sys) };
    this.#users = createUsers(config, clock);
    const guard = authorizer ?? this.#users ?? new LoopbackAuthorizer();
    this.#messaging = new Messaging(options, backbone, guard, clock, counters, logger);
    this.#registry = new ConnectionRegistry(limits, counters, clock, logger);
    this.#listen(this.#messaging.services);
  }

  /** Where it listens, once started. */
  get addresses(): Addresses {
    return this.#addresses;
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') throw new Error(`the broker is ${this.#state}; it starts once`);
    this.#state = 'running';
    await this.#users?.start();
    await this.#backbone.start(this.#messaging.receiver);
    this.#registry.start();
    try {
      await this.#messaging.start();
      for (const { name, server } of this.#listeners) {
        const address = await listen(server, this.#config.listeners[name], `listeners.${name}`);
        this.#addresses = { ...this.#addresses, [name]: address };
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    for (const { server } of this.#listeners) server.close();
    await this.#registry.drain(this.#config.shutdown.drainSeconds * 1000);
    this.#http?.closeAllConnections();
    await this.#messaging.stop();
    await this.#backbone.stop();
  }

  /** undefined when clients can be served, else why not. */
  notReady(): string | undefined {
    return this.#state === 'running' ? this.#backbone.notReady() : `the broker is ${this.#state}`;
  }

  #listen(services: Services): void {
    const mqtt = createMqtt(services, this.#config.mqtt);
    const stomp = createStomp(services, this.#config.stomp);
    const { listeners, limits } = this.#config;
    if (listeners.mqtt.enabled) this.#listeners.push({ name: 'mqtt', server: createTcpServer(mqtt, this.#registry) });
    if (listeners.stomp.enabled)
      this.#listeners.push({ name: 'stomp', server: createTcpServer(stomp, this.#registry) });
    if (listeners.http.enabled) {
      const protocols: Protocol[] = [mqtt, stomp, createWebSocket(services)];
      const server = createHttpServer({ notReady: () => this.notReady() });
      const { allowedOrigins } = listeners.http;
      attachWebSocket(server, { protocols, registry: this.#registry, limits, allowedOrigins });
      this.#http = server;
      this.#listeners.push({ name: 'http', server });
    }
  }
}

function sysOf({ enabled, intervalSeconds }: Config['sys']): SysOptions | undefined {
  if (!enabled || intervalSeconds === 0) return undefined;
  const heapBytes = (): number => {
    const { external, heapUsed } = process.memoryUsage();
    return heapUsed + external;
  };
  return { interval: intervalSeconds * 1000, version: version(), heapBytes };
}

function createUsers({ security, limits }: Config, clock: Clock): UserAuthorizer | undefined {
  const { users, scramIterations: iterations, saltSecret } = security;
  if (users.length === 0) return undefined;
  const secret = saltSecret === '' ? clock.random(SECRET_BYTES) : Buffer.from(saltSecret);
  return new UserAuthorizer({ users, iterations, secret }, limits, (count) => clock.random(count));
}

const SECRET_BYTES = 32;

function createBackbone(config: Config['backbone'], clock: Clock, logger: Logger): Backbone {
  const { dedup, retention, pendingBytes } = config;
  if (config.type === 'embedded') {
    return new EmbeddedBackbone({ ...config.embedded, dedup, retention, pendingBytes }, clock, logger);
  }
  if (config.type === 'nats')
    return new JetStreamBackbone({ ...config.nats, dedup, retention, pendingBytes }, clock, logger);
  return new MemoryBackbone({ logBytes: config.memory.logBytes, dedup }, clock);
}

/** Creates a broker, not yet listening. Throws a ConfigError that lists every fault of `config`. */
export async function createBroker(config: ConfigInput = {}, extras: BrokerExtras = {}): Promise<Broker> {
  const resolved = resolveConfig(config);
  return new Broker(resolved, extras.logger ?? createLogger(resolved.log), extras.authorizer);
}
