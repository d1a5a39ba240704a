import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';
import { EmbeddedBackbone } from '../adapters/embedded/index.ts';
import { JetStreamBackbone } from '../adapters/jetstream/index.ts';
import { MemoryBackbone } from '../adapters/memory/index.ts';
import { MemoryQueueStores } from '../adapters/memory/queues.ts';
import { createMqtt } from '../protocols/mqtt/index.ts';
import { createStomp } from '../protocols/stomp/index.ts';
import { createWebSocket } from '../protocols/websocket/index.ts';
import { type ConfigInput, resolveConfig } from './config/load.ts';
import { queuesOf } from './config/queues.ts';
import type { Config } from './config/schema.ts';
import { Counters } from './core/counters.ts';
import { createHttpServer } from './http/server.ts';
import { createLogger } from './logging.ts';
import type { Backbone } from './ports/backbone.ts';
import type { Clock } from './ports/clock.ts';
import type { Protocol } from './ports/protocol.ts';
import type { Logger, OutboxSink, Services } from './ports/routing.ts';
import { ConnectionBacklog } from './routing/backlog.ts';
import { declareQueues } from './routing/declare.ts';
import { GroupTable, type OpenSource } from './routing/groups.ts';
import { LogGroup } from './routing/log-group.ts';
import { LogOutbox } from './routing/outbox.ts';
import { QueueCatalog } from './routing/queues/catalog.ts';
import { LocalQueues } from './routing/queues/local-queues.ts';
import { recall } from './routing/recall.ts';
import { RetainedStore } from './routing/retained.ts';
import { TopicRouter } from './routing/router.ts';
import { SessionRegistry } from './routing/sessions.ts';
import { startOf } from './routing/start.ts';
import { WillKeeper } from './routing/wills.ts';
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
  readonly #clock: Clock = new SystemClock();
  readonly #backbone: Backbone;
  readonly #retained: RetainedStore;
  readonly #wills: WillKeeper;
  readonly #sessions: SessionRegistry;
  readonly #router: TopicRouter;
  readonly #catalog: QueueCatalog;
  readonly #queues: LocalQueues;
  readonly #registry: ConnectionRegistry;
  readonly #listeners: Listener[] = [];
  #http: HttpServer | undefined;
  #addresses: Addresses = {};
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(config: Config, logger: Logger) {
    this.#config = config;

    const { limits } = config;
    const clock = this.#clock;
    const { counters } = this;
    const backbone = createBackbone(config.backbone, clock, logger);
    this.#backbone = backbone;
    this.#retained = new RetainedStore(backbone.state, limits, counters, clock, logger);
    const catalog = new QueueCatalog(backbone.state, queuesOf(config).defaults, limits, logger);
    this.#catalog = catalog;
    const { node } = backbone.cluster;
    // A backbone without a store for them keeps them in memory.
    const stores = backbone.queues ?? new MemoryQueueStores(config.backbone.dedup, clock);
    const queues = new LocalQueues({ stores, catalog, node, limits, counters, clock, logger });
    this.#queues = queues;
    const router = new TopicRouter(this.#backbone, this.#retained, queues, counters, clock, logger);
    this.#router = router;
    this.#wills = new WillKeeper(backbone, router, clock, logger);
    const { checkpointMilliseconds } = config.backbone;
    const { detachedSessions } = limits;
    const options = { checkpointMilliseconds, detachedSessions };
    this.#sessions = new SessionRegistry(backbone, clock, counters, logger, options, (key) => this.#wills.release(key));
    backbone.cluster.join({
      yieldClient: (key) => this.#sessions.yield(key),
      nodeLost: () => this.#nodeLost(),
      disowned: () => {},
      received: () => {},
      interrupted: () => {},
    });
    this.#registry = new ConnectionRegistry(limits, counters, clock, logger);
    const { log } = backbone;
    const outbox = (sink: OutboxSink, from?: readonly number[]): LogOutbox =>
      new LogOutbox(sink, log, clock, counters, logger, limits, from);
    const context = { log, clock, logger, router, sessions: this.#sessions, outbox };
    const openSource: OpenSource = (name, filter, receiver, keptFor) =>
      backbone.groups?.open(name, filter, receiver) ?? new LogGroup(name, filter, receiver, keptFor, context);
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
      sessions: this.#sessions,
      outbox,
      backlog: (connection) => new ConnectionBacklog(router, connection, limits.publishBacklog),
      groups: new GroupTable(router, counters, openSource),
      startOf: (start, filter) => startOf(log, start, filter),
      recall: (positions, receiver) => recall(log, clock, positions, receiver),
    });
  }

  /** Where it listens, once started. */
  get addresses(): Addresses {
    return this.#addresses;
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') throw new Error(`the broker is ${this.#state}; it starts once`);
    this.#state = 'running';
    await this.#backbone.start(this.#router);
    this.#registry.start();
    try {
      await this.#retained.start();
      await this.#catalog.start();
      this.#queues.start();
      await this.#sessions.start();
      await this.#wills.start();
      await declareQueues(this.#queues, queuesOf(this.#config).declared);
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
    this.#sessions.stop();
    this.#wills.stop();
    this.#retained.stop();
    await this.#queues.stop();
    await this.#backbone.stop();
  }

  /** undefined when clients can be served, else why not. */
  notReady(): string | undefined {
    return this.#state === 'running' ? this.#backbone.notReady() : `the broker is ${this.#state}`;
  }

  /** What was connected to it is disconnected now. */
  #nodeLost(): void {
    void this.#sessions.nodeLost();
    void this.#wills.nodeLost();
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
  return new Broker(resolved, extras.logger ?? createLogger(resolved.log));
}
