import { asBrokerError, BrokerError } from '../../core/errors.ts';
import type { Message } from '../../core/message.ts';
import type { PartialSettings } from '../../core/queue-settings.ts';
import type { AppendReceiver } from '../../ports/backbone.ts';
import type { Timer } from '../../ports/clock.ts';
import type { QueueStores } from '../../ports/queue-store.ts';
import type {
  BrowsedPortion,
  Consumer,
  ConsumerOptions,
  Consumption,
  QueueStatus,
  Queues,
} from '../../ports/queues.ts';
import { NOBODY } from '../append-receivers.ts';
import type { QueueHost, QueueInlet } from '../hosts.ts';
import type { QueueCatalog } from './catalog.ts';
import type { PushDeadLetter } from './dead-letters.ts';
import { LateConsumption, LocalQueue } from './local-queue.ts';
import { OpenQueue, type QueueContext } from './open-queue.ts';

/** How often queues are looked after, milliseconds; and how many times until queues that are not open are. */
const SWEEP = 1000;
const SWEEPS_OF_ALL = 60;

const NOTHING: PartialSettings = {};

export interface LocalQueuesOptions extends Omit<QueueContext, 'deadLetter' | 'abandoned' | 'bound'> {
  readonly stores: QueueStores;
  readonly catalog: QueueCatalog;
  /** To a queue of whichever node. Without it, all are this node's. */
  readonly deadLetter?: PushDeadLetter;
  /** Whether this node has the queue, or has it from now on. Without it, it has all. */
  readonly own?: (queue: string) => Promise<boolean>;
  /** Whether what this node believes to have is still its own: it may have stood still. Without it, it is. */
  readonly confirm?: (queue: string) => Promise<boolean>;
}

/**
 * The queues that this node serves, opened when they are first used. Where there is one node, these are all, and this is what
 * clients and router use.
 */
export class LocalQueues implements QueueHost, Queues, QueueInlet {
  readonly #options: LocalQueuesOptions;
  readonly #context: QueueContext;
  readonly #queues = new Map<string, LocalQueue>();
  /** Being closed, or deleted: what is to be opened again waits for that. */
  readonly #closing = new Map<string, Promise<void>>();
  #sweeps = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: LocalQueuesOptions) {
    this.#options = options;
    const push: PushDeadLetter = (queue, message, receiver, token) => this.push(queue, message, receiver, token);
    const abandoned = (queue: OpenQueue): void => void this.#expire(queue.name, queue);
    const bound = (topic: string): number => options.catalog.bound(topic).length;
    this.#context = { ...options, deadLetter: options.deadLetter ?? push, abandoned, bound };
  }

  /** Looks after queues from now on: what expires, and those that are not used any more. */
  start(): void {
    this.#timer = this.#options.clock.schedule(SWEEP, () => {
      this.#sweep();
      if (!this.#stopped) this.start();
    });
  }

  /** Gives all back to the store. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    const error = new BrokerError('shutdown');
    for (const name of [...this.#queues.keys()]) this.#close(name, error);
    await Promise.all(this.#closing.values());
  }

  push(queue: string, message: Message, receiver: AppendReceiver, token: number): void {
    const open = this.#queues.get(queue)?.now;
    if (open !== undefined) {
      open.push(message, receiver, token);
      return;
    }
    try {
      this.#queue(queue, NOTHING).push(message, receiver, token);
    } catch (error) {
      const known = asBrokerError(error);
      this.#options.clock.defer(() => receiver.refused(token, known));
    }
  }

  ready(queue: string): Promise<void> | undefined {
    if (this.#queues.get(queue)?.now !== undefined) return undefined;
    try {
      const opening = this.#queue(queue, NOTHING);
      opening.create = true;
      return opening.opened.then(() => {});
    } catch (error) {
      return Promise.reject(asBrokerError(error));
    }
  }

  full(queue: string, messages: number, bytes: number): BrokerError | undefined {
    return this.#queues.get(queue)?.now?.full(messages, bytes);
  }

  request(queue: string, message: Message, nobody: () => void): void {
    const found = this.#queues.get(queue);
    const give = (open: OpenQueue): void => {
      if (open.dispatcher.consumers > 0) open.push(message, NOBODY, 0);
      else this.#options.clock.defer(nobody);
    };
    if (found === undefined) {
      this.#options.clock.defer(nobody);
    } else if (found.now !== undefined) {
      give(found.now);
    } else {
      message.keep();
      found.opened.then(give, nobody);
    }
  }

  bound(topic: string): readonly string[] {
    return this.#options.catalog.bound(topic);
  }

  consume(queue: string, consumer: Consumer, options: ConsumerOptions, settings = NOTHING): Consumption {
    try {
      return this.#queue(queue, settings).consume(consumer, options, settings);
    } catch (error) {
      return new LateConsumption(Promise.reject(error), consumer, options, settings);
    }
  }

  async declare(queue: string, settings: PartialSettings): Promise<QueueStatus> {
    const open = await this.#queue(queue, settings).opened;
    open.check(settings);
    return open.status();
  }

  async status(queue: string): Promise<QueueStatus | undefined> {
    if (this.#options.catalog.get(queue) === undefined) return undefined;
    try {
      return (await this.#existing(queue)).status();
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'notFound') return undefined;
      throw error;
    }
  }

  has(queue: string): boolean {
    return this.#options.catalog.get(queue) !== undefined || this.#queues.has(queue);
  }

  list(): readonly string[] {
    return this.#options.catalog.list();
  }

  async browse(queue: string, after: number, count: number): Promise<BrowsedPortion> {
    return (await this.#existing(queue)).browse(after, count);
  }

  async purge(queue: string): Promise<number> {
    return (await this.#existing(queue)).purge();
  }

  async delete(queue: string, only: { readonly ifEmpty?: boolean; readonly ifUnused?: boolean } = {}): Promise<number> {
    const { store, dispatcher } = await this.#existing(queue);
    const { messages } = store;
    if (only.ifEmpty === true && messages > 0)
      throw new BrokerError('fieldInvalid', `ifEmpty: there are ${messages} messages in the queue`);
    if (only.ifUnused === true && dispatcher.consumers > 0)
      throw new BrokerError('fieldInvalid', `ifUnused: the queue has ${dispatcher.consumers} consumers`);
    await this.#remove(queue);
    return messages;
  }

  drop(queue: string): void {
    this.#close(queue, new BrokerError('unavailable', 'another node serves the queue now'), true);
  }

  // --- opening and closing ------------------------------------------------------------------------------------------

  /** The queue, which is opened, and made with these settings when it is missing. Throws a BrokerError when it cannot be. */
  #queue(name: string, settings: PartialSettings): LocalQueue {
    const { catalog } = this.#options;
    // Whether they are possible at all is said even where the queue is there.
    if (settings !== NOTHING || catalog.get(name) === undefined) catalog.proposed(name, settings);
    return this.#queues.get(name) ?? this.#begin(name, settings, true);
  }

  async #existing(name: string): Promise<OpenQueue> {
    await this.#closing.get(name)?.catch(() => {});
    const queue = this.#queues.get(name);
    if (queue !== undefined) return queue.opened;
    if (this.#options.catalog.get(name) === undefined) throw missing(name);
    return this.#begin(name, NOTHING, false).opened;
  }

  #begin(name: string, settings: PartialSettings, create: boolean): LocalQueue {
    if (this.#stopped) throw new BrokerError('shutdown');
    const queue: LocalQueue = new LocalQueue(
      name,
      create,
      (opening) => this.#open(opening, settings),
      this.#options.clock,
      this.#options.limits.queueMemoryBytes,
      () => this.#forget(name, queue),
    );
    this.#queues.set(name, queue);
    return queue;
  }

  async #open(queue: LocalQueue, given: PartialSettings): Promise<OpenQueue> {
    const { catalog, stores, logger } = this.#options;
    const { name } = queue;
    // In the next turn at the earliest, so that all is set up.
    await this.#closing.get(name)?.catch(() => {});
    try {
      if (!queue.create && catalog.get(name) === undefined) throw missing(name);
      const settings = await catalog.ensure(name, given);
      return new OpenQueue(name, settings, await stores.open(name, queue), this.#context);
    } catch (error) {
      if (!(error instanceof BrokerError)) logger.error({ err: error, queue: name }, 'a queue could not be opened');
      throw error;
    }
  }

  #forget(name: string, queue: LocalQueue): void {
    if (this.#queues.get(name) === queue) this.#queues.delete(name);
  }

  #close(name: string, error: BrokerError, lost = false): void {
    const queue = this.#queues.get(name);
    if (queue === undefined) return;
    this.#queues.delete(name);
    queue.end(error, lost);
    // One that is still being opened closes its store itself.
    this.#finish(
      name,
      queue.opened.then(
        ({ store }) => store.close(),
        () => {},
      ),
    );
  }

  async #remove(name: string): Promise<void> {
    const queue = this.#queues.get(name);
    if (queue?.now === undefined) throw missing(name);
    this.#queues.delete(name);
    queue.end(new BrokerError('notFound', `the queue ${JSON.stringify(name)} was deleted`), true);
    const { store } = queue.now;
    // In this order: one that is made anew does not find old messages.
    const removed = store.destroy().then(() => this.#options.catalog.remove(name));
    this.#finish(name, removed);
    await removed;
  }

  #finish(name: string, done: Promise<void>): void {
    const finished = done
      .catch((error: unknown) => {
        this.#options.logger.warn({ err: error, queue: name }, 'a queue could not be closed as it should be');
      })
      .then(() => {
        if (this.#closing.get(name) === finished) this.#closing.delete(name);
      });
    this.#closing.set(name, finished);
  }

  // --- time ---------------------------------------------------------------------------------------------------------

  #sweep(): void {
    const now = this.#options.clock.now();
    for (const [name, { now: open }] of this.#queues) {
      if (open === undefined) continue;
      open.sweep(now);
      if (open.unused(now)) void this.#expire(name, open);
    }
    if (this.#sweeps++ % SWEEPS_OF_ALL === 0) void this.#openThoseThatExpire();
  }

  async #expire(name: string, open: OpenQueue): Promise<void> {
    const { counters, logger, confirm, clock } = this.#options;
    try {
      // It may be used on another node by now.
      if (confirm !== undefined && !(await confirm(name))) return;
    } catch (error) {
      logger.debug({ err: error, queue: name }, 'it is not known which node has a queue that is not used');
      return;
    }
    if (this.#queues.get(name)?.now !== open || !open.unused(clock.now())) return;
    const { store, settings } = open;
    const { messages } = store;
    counters.droppedQueue += messages;
    const { autoDelete, expiryMilliseconds } = settings;
    logger.info({ queue: name, messages, autoDelete, expiryMilliseconds }, 'a queue is not used any more, and deleted');
    // What goes wrong has been logged.
    this.#remove(name).catch(() => {});
  }

  /** Of queues that expire, someone has to see whether they are used; it is judged from when that began. */
  async #openThoseThatExpire(): Promise<void> {
    const { catalog, own, logger } = this.#options;
    try {
      for (const [name, { expiryMilliseconds }] of [...catalog.entries()]) {
        if (expiryMilliseconds === 0 || this.#queues.has(name) || this.#stopped) continue;
        if (own === undefined || (await own(name))) await this.#existing(name);
      }
    } catch (error) {
      logger.warn({ err: error }, 'queues that expire when they are not used could not be looked at');
    }
  }
}

function missing(name: string): BrokerError {
  return new BrokerError('notFound', `there is no queue ${JSON.stringify(name)}`);
}
