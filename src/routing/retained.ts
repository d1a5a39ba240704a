import { copyOf } from '../core/bytes.ts';
import type { Counters } from '../core/counters.ts';
import type { Message } from '../core/message.ts';
import { readRecord, recordBytes, writeRecord } from '../core/record.ts';
import type { State } from '../ports/backbone.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import type { Logger, Retained } from '../ports/routing.ts';
import { collect, RetainedTree } from './retained-tree.ts';

/** How often expired retained messages are looked for, milliseconds. */
const SWEEP = 60_000;

/** What this node has put of a topic, and what others have meanwhile. */
interface Put {
  /** Puts under way. */
  pending: number;
  /** Revision of the last that ended; changes up to it are of before. */
  revision: number;
  /** The last change by another node. */
  foreign: { readonly message: Message | undefined; readonly revision: number } | undefined;
}

/**
 * The last retained message of each topic: in memory on every node, and in the backbone's state. A node shows its own
 * at once; which of several nodes' is the last one, the state's revisions say.
 */
export class RetainedStore implements Retained {
  readonly #root = new RetainedTree();
  readonly #puts = new Map<string, Put>();
  readonly #state: State;
  readonly #limits: Limits;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #count = 0;
  #bytes = 0;
  #warned = false;
  #timer: Timer | undefined;
  /** Other nodes have a part in the state. */
  #shared = false;

  constructor(state: State, limits: Limits, counters: Counters, clock: Clock, logger: Logger) {
    this.#state = state;
    this.#limits = limits;
    this.#counters = counters;
    this.#clock = clock;
    this.#logger = logger;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Other nodes have a part in the state. */
  get shared(): boolean {
    return this.#shared;
  }

  /** Reads what is retained from the state. */
  async start(): Promise<void> {
    this.#shared = this.#state.watch('retained', (topic, entry, revision) => {
      this.#foreign(topic, entry && this.#read(topic, entry.value), revision);
    });
    await this.#state.scan('retained', (topic, { value, revision }) => {
      this.#foreign(topic, this.#read(topic, value), revision);
    });
    this.#schedule();
  }

  #schedule(): void {
    this.#timer = this.#clock.schedule(SWEEP, () => {
      this.#sweep();
      this.#schedule();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Puts it in the state, for every node and the time after a restart; resolves when it is durable. */
  async store(message: Message): Promise<void> {
    const { topic } = message;
    const record = message.size > 0 && this.#fits(message) ? encode(message) : undefined;
    const put = this.#begin(topic);
    try {
      const revision =
        record === undefined
          ? await this.#state.remove('retained', topic)
          : await this.#state.put('retained', topic, record);
      put.revision = Math.max(put.revision, revision ?? 0);
    } finally {
      put.pending--;
      this.#end(topic, put);
    }
  }

  #begin(topic: string): Put {
    const put = this.#puts.get(topic) ?? { pending: 0, revision: 0, foreign: undefined };
    put.pending++;
    this.#puts.set(topic, put);
    return put;
  }

  /** When none of its own is under way, a node shows what is last for all. */
  #end(topic: string, put: Put): void {
    if (put.pending > 0) return;
    const { foreign, revision } = put;
    if (foreign !== undefined && foreign.revision > revision) this.#show(topic, foreign.message);
    if (!this.#shared || (foreign !== undefined && foreign.revision >= revision)) this.#puts.delete(topic);
    put.foreign = undefined;
  }

  /** A change of the state; this node's own come by here, too. */
  #foreign(topic: string, message: Message | undefined, revision: number): void {
    const put = this.#puts.get(topic);
    if (put === undefined) {
      this.#show(topic, message);
    } else if (put.pending > 0) {
      put.foreign = { message, revision };
    } else if (revision >= put.revision) {
      this.#puts.delete(topic);
      if (revision > put.revision) this.#show(topic, message);
    }
  }

  #show(topic: string, message: Message | undefined): void {
    if (message === undefined) this.#remove(topic);
    else this.set(message);
  }

  #read(topic: string, value: Uint8Array): Message | undefined {
    try {
      return readRecord(Buffer.from(value.buffer, value.byteOffset, value.length), 0, value.length);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#logger.error({ err: error, topic }, 'a stored retained message cannot be read; it is left out');
      return undefined;
    }
  }

  /** Keeps the message for its topic in place of an earlier one; an empty payload removes that [MQTT-3.3.1-6]. */
  set(message: Message): void {
    if (message.size === 0) {
      this.#remove(message.topic);
      return;
    }
    const words = message.topic.split('/');
    if (!this.#fits(message)) {
      this.#refuse(message);
      return;
    }
    const previous = this.#root.find(words)?.message;
    // Its own copy: the message may live in a log segment or a socket's chunk, and stays here for long.
    const kept = message.with(message.qos, true);
    kept.adopt(copyOf(message.payload()), 0, message.size);
    this.#root.grow(words).message = kept;
    if (previous === undefined) this.#count++;
    this.#bytes += cost(message) - (previous === undefined ? 0 : cost(previous));
  }

  #fits(message: Message): boolean {
    const previous = this.#root.find(message.topic.split('/'))?.message;
    const bytes = this.#bytes + cost(message) - (previous === undefined ? 0 : cost(previous));
    const count = this.#count + (previous === undefined ? 1 : 0);
    return count <= this.#limits.retainedMessages && bytes <= this.#limits.retainedBytes;
  }

  match(filter: string, visit: (message: Message) => void): void {
    const now = this.#clock.now();
    collect(this.#root, filter.split('/'), 0, true, new Set(), (message) => {
      if (!message.expired(now)) visit(message);
    });
  }

  #remove(topic: string): void {
    const words = topic.split('/');
    const message = this.#root.find(words)?.message;
    if (message === undefined) return;
    this.#root.cut(words, 0);
    this.#count--;
    this.#bytes -= cost(message);
  }

  #refuse(message: Message): void {
    this.#counters.droppedRetained++;
    // What was retained before is no longer true; better none than a stale one.
    this.#remove(message.topic);
    if (this.#warned) return;
    this.#warned = true;
    this.#logger.warn(
      { topic: message.topic, count: this.#count, bytes: this.#bytes },
      'retained messages are no longer kept: limits.retainedMessages or limits.retainedBytes is reached',
    );
  }

  #sweep(): void {
    const now = this.#clock.now();
    const expired: string[] = [];
    collect(this.#root, ['#'], 0, false, new Set(), (message) => {
      if (message.expired(now)) expired.push(message.topic);
    });
    for (const topic of expired) {
      this.#remove(topic);
      this.#state.remove('retained', topic).catch(() => {});
    }
    this.#counters.droppedExpired += expired.length;
  }
}

/** Estimate of what a retained message takes, bytes. */
function cost(message: Message): number {
  return message.size + message.topic.length + 200;
}

function encode(message: Message): Uint8Array {
  const buffer = Buffer.allocUnsafe(recordBytes(message));
  writeRecord(buffer, 0, message);
  return buffer;
}
