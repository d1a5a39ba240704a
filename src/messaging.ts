import type { Counters } from './core/counters.ts';
import type { PartialSettings, QueueSettings } from './core/queue-settings.ts';
import type { Authorizer } from './ports/authorizer.ts';
import type { Backbone, BackboneReceiver } from './ports/backbone.ts';
import type { Clock } from './ports/clock.ts';
import type { Limits } from './ports/limits.ts';
import type { Logger, OutboxSink, Services } from './ports/routing.ts';
import { ConnectionBacklog } from './routing/backlog.ts';
import { declareQueues } from './routing/declare.ts';
import { LocalGroups } from './routing/groups/local-groups.ts';
import { GroupTable } from './routing/groups/table.ts';
import type { GroupHost } from './routing/hosts.ts';
import { LogOutbox } from './routing/outbox.ts';
import { Peers } from './routing/peers/peers.ts';
import { QueueCatalog } from './routing/queues/catalog.ts';
import { LetterPublisher } from './routing/queues/letter-publisher.ts';
import { LocalQueues } from './routing/queues/local-queues.ts';
import { recall } from './routing/recall.ts';
import { RetainedStore } from './routing/retained.ts';
import { TopicRouter } from './routing/router.ts';
import { SessionRegistry } from './routing/sessions.ts';
import { startOf } from './routing/start.ts';
import { type SysOptions, SysTopics } from './routing/sys/sys.ts';
import { WillKeeper } from './routing/wills.ts';

export interface MessagingOptions {
  readonly limits: Limits;
  readonly checkpointMilliseconds: number;
  /** What queues are set to where nothing else is said, and those that are made at start. */
  readonly queueDefaults: QueueSettings;
  readonly declaredQueues: readonly { readonly name: string; readonly settings: PartialSettings }[];
  /** Of the topics by which the node tells of itself; undefined: it does not. */
  readonly sys: SysOptions | undefined;
}

/** All of routing over one backbone, put together: what protocols are served with. */
export class Messaging {
  readonly services: Services;
  /** For what the backbone brings. */
  readonly receiver: BackboneReceiver;
  readonly #options: MessagingOptions;
  readonly #retained: RetainedStore;
  readonly #wills: WillKeeper;
  readonly #sessions: SessionRegistry;
  readonly #catalog: QueueCatalog;
  readonly #queues: LocalQueues;
  readonly #peers: Peers;
  readonly #sys: SysTopics | undefined;

  constructor(
    options: MessagingOptions,
    backbone: Backbone,
    authorizer: Authorizer,
    clock: Clock,
    counters: Counters,
    logger: Logger,
  ) {
    const { limits, checkpointMilliseconds } = options;
    const { log, state, cluster } = backbone;
    this.#options = options;
    const retained = new RetainedStore(state, limits, counters, clock, logger);
    this.#retained = retained;
    this.#catalog = new QueueCatalog(state, options.queueDefaults, limits, logger);
    const { node } = cluster;
    const common = { limits, counters, clock, logger };
    this.#queues = new LocalQueues({
      ...common,
      stores: backbone.queues,
      catalog: this.#catalog,
      node,
      publish: (message, receiver, token) => letters.publish(message, receiver, token),
      deadLetter: (queue, message, receiver, token) => queues.push(queue, message, receiver, token),
      own: (queue) => peers.own(queue),
      confirm: (queue) => peers.confirm(queue),
    });
    const hosts = { queues: this.#queues, catalog: this.#catalog, groups: (): GroupHost => groups };
    const peers = new Peers(cluster, hosts, clock, logger, limits.peerBytes);
    this.#peers = peers;
    const { queues } = peers;
    const router = new TopicRouter(backbone, retained, queues, counters, clock, logger);
    const letters = new LetterPublisher((...letter) => router.append(...letter), queues, clock);
    this.receiver = router;
    this.#wills = new WillKeeper(backbone, router, clock, logger);
    const kept = { checkpointMilliseconds, detachedSessions: limits.detachedSessions };
    const sessions = new SessionRegistry(backbone, clock, counters, logger, kept, (key) => this.#wills.release(key));
    this.#sessions = sessions;
    const outbox = (sink: OutboxSink, from?: readonly number[]): LogOutbox =>
      new LogOutbox(sink, log, clock, counters, logger, limits, from);
    const groups = new LocalGroups({ ...common, log, router, outbox, sessions, state, node }, (name, filter) =>
      peers.groups.closed(name, filter),
    );
    const table = new GroupTable(router, counters, peers.groups);
    this.#sys =
      options.sys && new SysTopics(options.sys, { clock, counters, router, groups: table, sessions, retained });
    cluster.join({
      yieldClient: (key) => sessions.yield(key),
      nodeLost: (lost) => this.#nodeLost(lost),
      disowned: (key) => peers.disowned(key),
      received: (from, bytes) => peers.received(from, bytes),
      interrupted: () => peers.interrupted(),
    });
    this.services = {
      ...common,
      router,
      retained: this.#sys ?? retained,
      sessions,
      wills: this.#wills,
      authorizer,
      outbox,
      queues,
      groups: table,
      logs: (topic) => sessions.logs(topic),
      unmatched: (message) => router.unmatched(message) && sessions.allHeard,
      backlog: (connection) => new ConnectionBacklog(router, connection, limits.publishBacklog),
      startOf: (start, filter) => startOf(log, start, filter),
      recall: (positions, receiver) => recall(log, clock, positions, receiver),
    };
  }

  /** Takes up what the backbone keeps, which has started. Clients may come when it resolves. */
  async start(): Promise<void> {
    await this.#retained.start();
    await this.#catalog.start();
    this.#queues.start();
    this.#peers.start();
    await this.#sessions.start();
    await this.#wills.start();
    await declareQueues(this.#peers.queues, this.#options.declaredQueues);
    this.#sys?.start();
  }

  /** Clients are gone; the backbone stops afterwards. */
  async stop(): Promise<void> {
    this.#sys?.stop();
    this.#sessions.stop();
    this.#wills.stop();
    this.#retained.stop();
    this.#peers.close();
    await this.#queues.stop();
    await this.#peers.release();
  }

  /** What was connected to it is disconnected now, what it owned is nobody's. */
  #nodeLost(node: string): void {
    void this.#sessions.nodeLost();
    void this.#wills.nodeLost();
    this.#peers.nodeLost(node);
  }
}
