import { resolve } from 'node:path';
import { BrokerError } from '../../src/core/errors.ts';
import type { Backbone, BackboneReceiver, Live } from '../../src/ports/backbone.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { NoOtherNodes, OnlyNode } from '../shared/single-node.ts';
import { Commit, type CommitReceiver, undo, type Write } from './commit.ts';
import { type DedupLimits, Ids } from './ids.ts';
import { KIND } from './keys.ts';
import { EmbeddedLog } from './log.ts';
import { EmbeddedQueueStores } from './queues.ts';
import { Reader } from './reader.ts';
import { LogRetention } from './retention.ts';
import { type Retention, SPAN_MESSAGES, Spans } from './spans.ts';
import { EmbeddedState } from './state.ts';
import { type Change, Store } from './store.ts';

export interface EmbeddedOptions {
  readonly directory: string;
  /** always: what is acknowledged is on the disk; system: the operating system writes it when it likes. */
  readonly sync: 'always' | 'system';
  readonly cacheBytes: number;
  /** Reads of the log at the same time. */
  readonly reads: number;
  /** How much may wait to become durable. */
  readonly pendingBytes: number;
  readonly retention: Retention;
  readonly dedup: DedupLimits;
  /** For tests, which have fewer messages. */
  readonly spanMessages?: number;
}

/** Milliseconds between attempts to open the store again. */
const RETRY = 1000;

const UNDONE = 'messages that were refused may be in the store all the same';

/** A backbone of one node that keeps everything in a LevelDB in a directory. */
export class EmbeddedBackbone implements Backbone, CommitReceiver {
  readonly log: EmbeddedLog;
  readonly live: Live = new NoOtherNodes();
  readonly state: EmbeddedState;
  readonly cluster: OnlyNode;
  readonly queues: EmbeddedQueueStores;
  readonly #directory: string;
  readonly #synced: boolean;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #commit: Commit;
  readonly #spans: Spans;
  readonly #ids: Ids;
  readonly #reader: Reader;
  readonly #retention: LogRetention;
  #receiver: BackboneReceiver | undefined;
  #store: Store | undefined;
  /** Why messages are not taken. */
  #fault: string | undefined = 'the store is not open';
  #stopping = false;
  #retry: Timer | undefined;
  /** What undoes the write that failed, until that is done. */
  #changes: readonly Change[] = [];
  /** The closing of a store that failed, or an attempt to open it again. */
  #recovery: Promise<void> | undefined;

  constructor(options: EmbeddedOptions, clock: Clock, logger: Logger) {
    const { directory, sync, cacheBytes, reads, pendingBytes, retention, dedup } = options;
    this.#directory = directory;
    this.#synced = sync === 'always';
    this.#clock = clock;
    this.#logger = logger;
    const next = (): number => this.log.next(0);
    const warn = (error: BrokerError): void => logger.warn({ directory, err: error }, 'the log cannot be read');
    const debug = (error: unknown): void => logger.debug({ directory, err: error }, 'old messages cannot be removed');
    this.#commit = new Commit(pendingBytes, sync === 'always', clock, this);
    // Every client that returns goes through the directories, and through blocks only where there is something for it.
    this.#spans = new Spans(retention, options.spanMessages ?? SPAN_MESSAGES, cacheBytes / 2, clock);
    this.#ids = new Ids(KIND.ids, dedup, clock);
    this.#reader = new Reader({ reads, cacheBytes: cacheBytes / 4 }, this.#spans, next, clock, warn);
    const broken = (error: unknown, queue: string): void =>
      logger.error({ directory, queue, err: error }, 'the queue cannot be read; it is closed');
    this.queues = new EmbeddedQueueStores(this.#commit, dedup, cacheBytes / 4, clock, broken);
    const trim = async (store: Store): Promise<void> => {
      await this.#ids.trim(next(), store);
      await this.queues.trim(store);
    };
    this.#retention = new LogRetention(retention, this.#spans, trim, next, clock, debug);
    const parts = { commit: this.#commit, spans: this.#spans, ids: this.#ids, reader: this.#reader };
    this.log = new EmbeddedLog(pendingBytes, parts, clock);
    this.state = new EmbeddedState(this.#commit);
    this.cluster = new OnlyNode(clock);
  }

  async start(receiver: BackboneReceiver): Promise<void> {
    this.#receiver = receiver;
    this.#stopping = false;
    await this.#open();
    this.#logger.info(
      { directory: resolve(this.#directory) },
      this.#synced
        ? 'Messages and sessions are kept in this directory, on the disk before they are acknowledged'
        : 'Messages and sessions are kept in this directory; a power failure may lose the last seconds (backbone.embedded.sync: system)',
    );
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#close(new BrokerError('unavailable', 'the store is being closed'));
    this.#retry?.cancel();
    await this.#commit.flushed();
    await this.#recovery;
    await this.#retention.close();
    await this.queues.idle();
    try {
      // The last chance to undo a write that failed: what was refused is not to be there at the next start.
      if (this.#changes.length > 0) this.#store = await this.#opened();
    } catch (error) {
      this.#logger.warn({ directory: this.#directory, err: error }, UNDONE);
    }
    await this.#store?.close();
    this.#store = undefined;
  }

  together(work: () => void): BrokerError | undefined {
    return this.#commit.together(work);
  }

  notReady(): string | undefined {
    return this.#fault;
  }

  seal(write: Write): void {
    this.log.seal(write);
    this.queues.seal(write);
  }

  durable(write: Write): void {
    this.state.durable(write);
    this.log.durable(write);
    this.queues.durable(write);
  }

  failed(writes: readonly Write[], error: BrokerError): void {
    const store = this.#store;
    this.#store = undefined;
    this.#close(error);
    this.state.failed();
    this.#logger.error({ directory: this.#directory, err: error }, 'messages are refused until the store takes them');
    const [underway] = writes;
    if (store !== undefined && underway !== undefined) this.#recovery = this.#abandon(store, underway);
    for (const write of writes) {
      this.log.failed(write, error);
      this.queues.failed(write, error);
    }
  }

  #close(error: BrokerError): void {
    this.#fault = error.message;
    this.#commit.close(error);
    this.#reader.close();
    this.state.close();
    this.queues.close();
  }

  async #open(): Promise<void> {
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    const store = await this.#opened();
    try {
      await this.#spans.load(store);
      await this.#ids.load(store);
      await this.state.load(store);
      await this.queues.load(store);
    } catch (error) {
      this.state.close();
      await store.close();
      throw error instanceof RangeError ? store.damaged(error.message) : error;
    }
    if (this.#stopping) {
      await store.close();
      return;
    }
    this.#store = store;
    this.#reader.open(store);
    this.log.load(receiver);
    this.#retention.open(store);
    this.#commit.open(store);
    this.#fault = undefined;
    this.queues.resume();
  }

  /** The store, without what was refused. */
  async #opened(): Promise<Store> {
    const store = await Store.open(this.#directory);
    try {
      if (this.#changes.length > 0) await store.write(this.#changes, true);
    } catch (error) {
      await store.close();
      throw error;
    }
    this.#changes = [];
    return store;
  }

  /** Closes a store that no longer takes anything; LevelDB then takes nothing until it is opened again. */
  async #abandon(store: Store, write: Write): Promise<void> {
    try {
      this.#changes = await undo(write, store);
    } catch (error) {
      this.#logger.warn({ directory: this.#directory, err: error }, UNDONE);
    }
    await this.#retention.close();
    await this.queues.idle();
    await store.close();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#stopping) return;
    this.#retry = this.#clock.schedule(RETRY, () => {
      this.#recovery = this.#reopen();
    });
  }

  async #reopen(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      this.#logger.debug({ directory: this.#directory, err: error }, 'the store cannot be opened again yet');
      this.#schedule();
      return;
    }
    if (!this.#stopping) this.#logger.info({ directory: this.#directory }, 'the store takes messages again');
  }
}
