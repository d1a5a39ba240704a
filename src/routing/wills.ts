import { Message } from '../core/message.ts';
import type { AppendReceiver, Backbone } from '../ports/backbone.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Logger, Router, Wills } from '../ports/routing.ts';
import { decodeWill, encodeWill, type WillRecord } from './will-record.ts';

interface Held {
  readonly will: Message;
  readonly delay: number;
  /** While it waits for its delay. */
  timer: Timer | undefined;
  /** Resolves with the revision of the stored copy, by which one node wins it; with undefined when it could not be stored. */
  stored: Promise<number | undefined>;
}

/**
 * Wills of this node's clients. The store has a copy of each, so that another node, or this one after a crash, publishes
 * those of clients that were lost with their node.
 */
export class WillKeeper implements Wills, AppendReceiver {
  readonly #held = new Map<string, Held>();
  readonly #backbone: Backbone;
  readonly #router: Router;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(backbone: Backbone, router: Router, clock: Clock, logger: Logger) {
    this.#backbone = backbone;
    this.#router = router;
    this.#clock = clock;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    await this.#adopt();
  }

  stop(): void {
    for (const { timer } of this.#held.values()) timer?.cancel();
    this.#held.clear();
  }

  arm(key: string, will: Message, delay: number): void {
    this.#drop(key);
    this.#held.set(key, { will, delay, timer: undefined, stored: this.#store(key, will, delay, 0) });
  }

  fire(key: string, delay: number): void {
    const held = this.#held.get(key);
    if (held === undefined || held.timer !== undefined) return;
    if (delay <= 0) {
      this.#drop(key);
      this.#publish(key, held.will);
      this.#forget(key);
      return;
    }
    held.stored = this.#store(key, held.will, delay, this.#clock.now() + delay);
    this.#wait(key, held, delay);
  }

  cancel(key: string): void {
    if (this.#drop(key)) this.#forget(key);
    // Another node, or an earlier run, may have left it waiting.
    else void this.#backbone.state.get('wills', key).then((entry) => entry && this.#forget(key), this.#failed);
  }

  release(key: string): void {
    const held = this.#held.get(key);
    if (held?.timer !== undefined) void this.#win(key, held.will, held.stored);
    else if (held === undefined) void this.#releaseStored(key);
  }

  /** Another node, or an earlier run, may have left it waiting. */
  async #releaseStored(key: string): Promise<void> {
    try {
      const entry = await this.#backbone.state.get('wills', key);
      const record = entry && this.#read(key, entry.value);
      if (record !== undefined && record.dueAt > 0) await this.#win(key, record.will, Promise.resolve(entry?.revision));
    } catch (error) {
      this.#failed(error);
    }
  }

  #wait(key: string, held: Held, delay: number): void {
    held.timer = this.#clock.schedule(delay, () => void this.#win(key, held.will, held.stored));
  }

  /** Published by the one node that removes the stored copy, or has put that of the client's next connection in its place. */
  async #win(key: string, will: Message, stored: Promise<number | undefined>): Promise<void> {
    this.#drop(key);
    try {
      const removed = await this.#backbone.state.remove('wills', key, await stored);
      if (removed !== undefined || this.#held.has(key)) this.#publish(key, will);
    } catch (error) {
      this.#logger.warn(
        { err: error, client: key },
        'a will could not be removed from the store; it is published anyway',
      );
      this.#publish(key, will);
    }
  }

  /** Takes over the wills of nodes that are gone: their clients are, too. */
  async nodeLost(): Promise<void> {
    await this.#adopt();
  }

  #publish(key: string, will: Message): void {
    const message = restamped(will, this.#clock.now());
    // After a crash between the two it is published again, and taken in once.
    if (message.qos > 0) message.dedupId = `will ${key} ${will.timestamp}`;
    this.#router.publish(message, this, 0);
  }

  #drop(key: string): boolean {
    const held = this.#held.get(key);
    held?.timer?.cancel();
    return this.#held.delete(key);
  }

  #store(key: string, will: Message, delay: number, dueAt: number): Promise<number | undefined> {
    const bytes = encodeWill({ will, delay, dueAt, node: this.#backbone.cluster.node });
    return this.#backbone.state.put('wills', key, bytes).catch((error: unknown) => {
      this.#failed(error);
      return undefined;
    });
  }

  #forget(key: string): void {
    this.#backbone.state.remove('wills', key).catch(this.#failed);
  }

  readonly #failed = (error: unknown): void => {
    this.#logger.warn({ err: error }, 'a will could not be stored: it is published only if this node lives on');
  };

  async #adopt(): Promise<void> {
    const { state, cluster } = this.#backbone;
    const orphans: { key: string; record: WillRecord; revision: number }[] = [];
    try {
      await state.scan('wills', (key, { value, revision }) => {
        const record = this.#read(key, value);
        if (record !== undefined && !cluster.alive(record.node) && !this.#held.has(key))
          orphans.push({ key, record, revision });
      });
      for (const { key, record, revision } of orphans) {
        const dueAt = record.dueAt > 0 ? record.dueAt : this.#clock.now() + record.delay;
        const bytes = encodeWill({ ...record, dueAt, node: cluster.node });
        // One node wins it.
        const won = await state.put('wills', key, bytes, revision);
        if (won === undefined || this.#held.has(key)) continue;
        const held: Held = { will: record.will, delay: record.delay, timer: undefined, stored: Promise.resolve(won) };
        this.#held.set(key, held);
        this.#wait(key, held, dueAt - this.#clock.now());
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  #read(key: string, value: Uint8Array): WillRecord | undefined {
    try {
      return decodeWill(value);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#logger.error({ err: error, client: key }, 'a stored will cannot be read; it is thrown away');
      this.#forget(key);
      return undefined;
    }
  }

  appended(): void {}
  refused(): void {}
}

/** A will's expiry counts from when it is published (MQTT 5.0, 3.1.3.2.4). */
function restamped(will: Message, now: number): Message {
  const expiresAt = will.properties?.expiresAt;
  const properties =
    expiresAt === undefined ? will.properties : { ...will.properties, expiresAt: expiresAt - will.timestamp + now };
  const { topic, data, start, end, qos, retain, publisher } = will;
  return new Message(topic, data, start, end, qos, retain, properties, publisher, now, true);
}
