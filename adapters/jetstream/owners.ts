import type { Logger } from '../../src/ports/routing.ts';
import { type Connection, explain } from './connection.ts';
import { InOrder } from './in-order.ts';
import type { Leases } from './leases.ts';
import type { JetStreamState } from './state.ts';

/** Apart from that of clients, whose owners yield. */
const BUCKET = 'owned';

/**
 * What one node has for all: entries of the state, taken by compare-and-set. Nobody yields; the entry of a node that is
 * lost is replaced. A node that was taken for lost, and was not, hears from the entry that another has its key.
 */
export class Owners {
  readonly #node: string;
  readonly #state: JetStreamState;
  readonly #leases: Leases;
  readonly #logger: Logger;
  readonly #disowned: (key: string) => void;
  readonly #order = new InOrder();
  readonly #value: Uint8Array;
  /** Keys of this node, with the revision of their entry. */
  readonly #owned = new Map<string, number>();

  constructor(
    node: string,
    state: JetStreamState,
    leases: Leases,
    connection: Connection,
    logger: Logger,
    disowned: (key: string) => void,
  ) {
    this.#node = node;
    this.#state = state;
    this.#leases = leases;
    this.#logger = logger;
    this.#disowned = disowned;
    this.#value = Buffer.from(node);
    state.watch(BUCKET, (key, entry, revision) => {
      const owned = this.#owned.get(key);
      if (owned === undefined || revision <= owned) return;
      if (entry !== undefined && this.#isOwn(entry.value)) this.#owned.set(key, revision);
      else this.#lose(key);
    });
    connection.listen({ up: () => void this.#check(), down: () => {} });
  }

  own(key: string): Promise<string> {
    return this.#order.after(key, async () => {
      for (;;) {
        const entry = await this.#state.get(BUCKET, key);
        const own = entry !== undefined && this.#isOwn(entry.value);
        if (own && this.#owned.has(key)) return this.#node;
        if (!own && this.#owned.has(key)) this.#lose(key);
        // An own one: a change of which the answer was lost.
        const owner = entry === undefined || own ? undefined : Buffer.from(entry.value).toString();
        if (owner !== undefined && (await this.#leases.find(owner))) return owner;
        const revision = await this.#state.put(BUCKET, key, this.#value, entry?.revision ?? 0);
        if (revision === undefined) continue;
        this.#owned.set(key, revision);
        return this.#node;
      }
    });
  }

  disown(key: string): Promise<void> {
    return this.#order.after(key, async () => {
      const revision = this.#owned.get(key);
      if (revision === undefined) return;
      this.#owned.delete(key);
      try {
        await this.#state.remove(BUCKET, key, revision);
      } catch (error) {
        // Who asks for it finds this node, which takes it again then.
        this.#logger.debug({ key, error: explain(error) }, 'An entry of an owner could not be removed');
      }
    });
  }

  #isOwn(value: Uint8Array): boolean {
    return Buffer.from(value).toString() === this.#node;
  }

  #lose(key: string): void {
    this.#owned.delete(key);
    this.#logger.warn({ key }, 'Another broker has what was this one’s');
    this.#disowned(key);
  }

  /** After NATS was away: removals that have gone meanwhile do not come by the watch. */
  async #check(): Promise<void> {
    if (this.#owned.size === 0) return;
    const before = new Map(this.#owned);
    const found = new Map<string, boolean>();
    try {
      await this.#state.scan(BUCKET, (key, { value }) => found.set(key, this.#isOwn(value)));
    } catch (error) {
      this.#logger.debug({ error: explain(error) }, 'What this broker owns could not be looked up');
      return;
    }
    for (const [key, revision] of before) {
      if (found.get(key) !== true && this.#owned.get(key) === revision) this.#lose(key);
    }
  }
}
