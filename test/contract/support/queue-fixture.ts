import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { QueueStores } from '../../../src/ports/queue-store.ts';
import { HeldQueue, textOf } from './held-queue.ts';

export interface QueueStoresFactory {
  readonly name: string;
  /** On an empty store, ready. Ids of messages are remembered for 120 s. */
  create(): Promise<QueueStores>;
  /** The same store in another process, as it were: the one before has ended, without closing its queues. */
  restart(): Promise<QueueStores>;
  /** Puts the clock forward; left out where the time is someone else's. */
  forward?(milliseconds: number): void;
  end(): Promise<void>;
}

/** Milliseconds in which nothing comes that is not to come. */
export const QUIET = 100;
/** Milliseconds that a message waits in these tests; a store needs less to store it. */
export const DELAY = 300;

/** The queue `q` of the test that runs. */
export class Fixture {
  readonly #factory: QueueStoresFactory;
  #stores: QueueStores | undefined;
  #queue: HeldQueue | undefined;

  constructor(factory: QueueStoresFactory) {
    this.#factory = factory;
  }

  get stores(): QueueStores {
    if (this.#stores === undefined) throw new Error('not begun');
    return this.#stores;
  }

  get queue(): HeldQueue {
    if (this.#queue === undefined) throw new Error('not begun');
    return this.#queue;
  }

  async begin(): Promise<void> {
    this.#stores = await this.#factory.create();
    await this.open();
  }

  async open(): Promise<void> {
    this.#queue = await HeldQueue.open(this.stores, 'q');
  }

  async reopened(): Promise<void> {
    await this.queue.store.close();
    await this.open();
  }

  async restarted(): Promise<void> {
    this.#stores = await this.#factory.restart();
    await this.open();
  }

  async nothingComes(): Promise<void> {
    const before = this.queue.taken.length;
    await sleep(QUIET);
    assert.equal(this.queue.taken.slice(before).map(textOf), []);
  }

  async end(): Promise<void> {
    assert.is(this.queue.lostTimes, 0, 'nobody was told that the queue is lost');
    await this.#factory.end();
  }
}
