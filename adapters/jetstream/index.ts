import type { Backbone, BackboneReceiver } from '../../src/ports/backbone.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { JetStreamCluster } from './cluster.ts';
import { Connection, explain } from './connection.ts';
import { JetStreamLive } from './live.ts';
import { JetStreamLog } from './log.ts';
import type { JetStreamOptions } from './options.ts';
import { JetStreamQueues } from './queues.ts';
import { JetStreamState } from './state.ts';
import { ensureStream, logConfig, queueConfig, stateConfig } from './streams.ts';

export type { JetStreamOptions } from './options.ts';

/** Milliseconds a stop waits for what is pending. */
const DRAIN = 5_000;

/** A backbone on NATS JetStream: any number of nodes on it are one broker. */
export class JetStreamBackbone implements Backbone {
  readonly log: JetStreamLog;
  readonly live: JetStreamLive;
  readonly state: JetStreamState;
  readonly cluster: JetStreamCluster;
  readonly queues: JetStreamQueues;
  readonly #options: JetStreamOptions;
  readonly #connection: Connection;
  readonly #logger: Logger;
  #started = false;

  constructor(options: JetStreamOptions, clock: Clock, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    const node = Buffer.from(clock.random(6)).toString('base64url');
    this.#connection = new Connection(options, clock, logger);
    this.state = new JetStreamState(options, node, this.#connection, clock, logger);
    this.live = new JetStreamLive(options, this.#connection, clock);
    this.log = new JetStreamLog(options, node, this.#connection, this.state.changes, clock, logger);
    this.queues = new JetStreamQueues(options, node, this.#connection, clock, logger);
    this.cluster = new JetStreamCluster(options, node, this.state, this.#connection, clock, logger);
  }

  async start(receiver: BackboneReceiver): Promise<void> {
    await this.#connection.open();
    try {
      await this.#checkJetStream();
      const state = await ensureStream(this.#connection, stateConfig(this.#options));
      const log = await ensureStream(this.#connection, logConfig(this.#options));
      const queue = await ensureStream(this.#connection, queueConfig(this.#options));
      await this.state.start(state);
      await this.log.start(receiver, log);
      this.queues.start(queue);
      this.live.start(receiver);
      await this.cluster.start();
    } catch (error) {
      this.#close();
      await this.#connection.close();
      throw error;
    }
    this.#started = true;
    const { replicas } = this.#options;
    this.#logger.info(
      { server: this.#connection.nats.info?.version, node: this.cluster.node, replicas },
      replicas > 1
        ? `NATS keeps ${replicas} copies: an acknowledged message outlives the loss of ${Math.ceil(replicas / 2) - 1} of their machines, but not a power failure of all of them within the servers' sync_interval (2 minutes unless set; always: none)`
        : "NATS keeps one copy: an acknowledged message outlives the end of its process, but not a power failure within the server's sync_interval (2 minutes unless set; always: none)",
    );
  }

  async stop(): Promise<void> {
    if (!this.#started) return;
    this.#started = false;
    const time = this.#connection.up ? DRAIN : 0;
    await Promise.all([this.log.drain(time), this.queues.drain(time)]);
    try {
      if (this.#connection.up) await this.state.changes.all();
      await this.cluster.stop();
    } catch (error) {
      this.#logger.warn({ error: explain(error) }, 'Not everything could be told to NATS before the end');
    }
    this.#close();
    if (this.#connection.up) await this.#connection.flush().catch(() => {});
    await this.#connection.close();
  }

  notReady(): string | undefined {
    if (!this.#started) return 'the backbone is not started';
    return this.#connection.away ?? this.log.notReady();
  }

  #close(): void {
    this.queues.stop();
    this.live.stop();
    this.log.stop();
    this.state.stop();
  }

  async #checkJetStream(): Promise<void> {
    try {
      await this.#connection.ask('$JS.API.INFO');
    } catch (error) {
      throw new Error(
        `JetStream is not enabled at ${this.#options.servers.join(', ')} (nats-server -js, or jetstream {} in its configuration): ${explain(error)}`,
      );
    }
  }
}
