import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';
import { MemoryBackbone } from '../adapters/memory/index.ts';
import { createMqtt } from '../protocols/mqtt/index.ts';
import { createStomp } from '../protocols/stomp/index.ts';
import { createWebSocket } from '../protocols/websocket/index.ts';
import { type ConfigInput, resolveConfig } from './config/load.ts';
import type { Config } from './config/schema.ts';
import { Counters } from './core/counters.ts';
import { BrokerError } from './core/errors.ts';
import { createHttpServer } from './http/server.ts';
import { createLogger } from './logging.ts';
import type { Backbone } from './ports/backbone.ts';
import type { Clock } from './ports/clock.ts';
import type { Protocol } from './ports/protocol.ts';
import type { Logger, Services, Session } from './ports/routing.ts';
import { LogOutbox } from './routing/outbox.ts';
import { QueueBroker } from './routing/queues.ts';
import { RetainedStore } from './routing/retained.ts';
import { TopicRouter } from './routing/router.ts';
import { SessionTable } from './routing/sessions.ts';
import { DelayedWills } from './routing/wills.ts';
import { LoopbackAuthorizer } from './security/loopback-authorizer.ts';
import { SystemClock } from './system-clock.ts';
import { listen } from './transport/listen.ts';
import { ConnectionRegistry } from './transport/registry.ts';
import { createTcpServer } from './transport/tcp.ts';
import { attachWebSocket } from './transport/websocket.ts';

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
  readonly #logger: Logger;
  readonly #clock: Clock = new SystemClock();
  readonly #backbone: Backbone;
  readonly #retained: RetainedStore;
  readonly #wills: DelayedWills;
  readonly #router: TopicRouter;
  readonly #sessionTables: { stop(): void }[] = [];
  readonly #registry: ConnectionRegistry;
  readonly #listeners: Listener[] = [];
  #http: HttpServer | undefined;
  #addresses: Addresses = {};
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(config: Config, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
    const { limits } = config;
    const clock = this.#clock;
    const { counters } = this;
    this.#backbone = new MemoryBackbone(
      { logBytes: config.backbone.memory.logBytes, dedup: config.backbone.dedup },
      clock,
    );
    this.#retained = new RetainedStore(limits, counters, clock, logger);
    const queues = new QueueBroker(limits, counters, clock);
    const router = new TopicRouter(this.#backbone, this.#retained, queues, counters, logger);
    this.#router = router;
    this.#wills = new DelayedWills(router, clock);
    this.#registry = new ConnectionRegistry(limits, counters, clock, logger);
    const log = this.#backbone.log;
    this.#listen({
      router,
      queues,
      retained: this.#retained,
      wills: this.#wills,
      clock,
      authorizer: new LoopbackAuthorizer(),
      counters,
      limits,
      logger,
      outbox: (sink) => new LogOutbox(sink, log, clock, counters, logger, limits),
      sessions: <T extends Session>() => {
        const table = new SessionTable<T>(limits, clock, counters);
        this.#sessionTables.push(table);
        return table;
      },
    });
  }

  /** Where it listens, once started. */
  get addresses(): Addresses {
    return this.#addresses;
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') throw new Error(`the broker is ${this.#state}; it starts once`);
    if (this.#config.backbone.type === 'nats') {
      throw new BrokerError('unsupported', 'backbone.type nats is not in this version; expected memory or embedded');
    }
    if (this.#config.backbone.type === 'embedded') {
      this.#logger.warn(
        { 'backbone.embedded.directory': this.#config.backbone.embedded.directory },
        'this version keeps everything in memory: messages and sessions end with the process, nothing is written to the directory',
      );
    }
    this.#state = 'running';
    await this.#backbone.start(this.#router);
    this.#registry.start();
    this.#retained.start();
    try {
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
    for (const table of this.#sessionTables) table.stop();
    this.#wills.stop();
    this.#retained.stop();
    await this.#backbone.stop();
  }

  /** undefined when clients can be served, else why not. */
  notReady(): string | undefined {
    return this.#state === 'running' ? this.#backbone.notReady() : `the broker is ${this.#state}`;
  }

  #listen(services: Services): void {
    const mqtt = createMqtt(services);
    const stomp = createStomp(services);
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

/** Creates a broker, not yet listening. Throws a ConfigError that lists every fault of `config`. */
export async function createBroker(config: ConfigInput = {}, extras: BrokerExtras = {}): Promise<Broker> {
  const resolved = resolveConfig(config);
  return new Broker(resolved, extras.logger ?? createLogger(resolved.log));
}
