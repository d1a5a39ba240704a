import { TopicTree } from '../core/topic-tree.ts';
import type { Entry, State } from '../ports/backbone.ts';
import type { Logger } from '../ports/routing.ts';

/** Topics whose answer is remembered; past it all are forgotten. */
const REMEMBERED = 16_384;

interface Known {
  readonly filter: string;
  readonly revision: number;
}

/**
 * The filters of durable subscriptions whose clients expect all that is published, also what its publisher left open
 * (`Claim.filter`): by session, on every node, whether the client is there or not. As many as such sessions may be kept.
 *
 * An entry outlives its session for a while when a node is killed in between: then a message is logged for nobody.
 */
export class DurableTopics {
  readonly #known = new Map<string, Known>();
  readonly #filters = new TopicTree<string>();
  readonly #cache = new Map<string, boolean>();
  /** Keys on their way out of the state. */
  readonly #removing = new Set<string>();
  readonly #state: State;
  readonly #logger: Logger;
  /** Without a session when that was last looked at. */
  #missed: ReadonlySet<string> = new Set();
  /** Other nodes have a part in the state, which tells of their changes and of this one's. */
  #shared = false;

  constructor(state: State, logger: Logger) {
    this.#state = state;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    const apply = (key: string, entry: Entry | undefined, revision: number): void =>
      this.#apply(key, entry && Buffer.from(entry.value).toString('utf8'), revision);
    this.#shared = this.#state.watch('durables', apply);
    await this.#state.scan('durables', (key, entry) => apply(key, entry, entry.revision));
  }

  /** Whether one of the filters matches. */
  has(topic: string): boolean {
    if (this.#filters.size === 0) return false;
    const cached = this.#cache.get(topic);
    if (cached !== undefined) return cached;
    let found = false;
    this.#filters.match(topic, () => {
      found = true;
    });
    if (this.#cache.size >= REMEMBERED) this.#cache.clear();
    this.#cache.set(topic, found);
    return found;
  }

  /** Whether the session has a filter here. */
  knows(key: string): boolean {
    return this.#known.has(key);
  }

  /** Resolves when that is durable, and known here. Rejects with a BrokerError. */
  async add(key: string, filter: string): Promise<void> {
    if (this.#known.get(key)?.filter === filter && !this.#removing.has(key)) return;
    const revision = await this.#state.put('durables', key, Buffer.from(filter));
    if (revision !== undefined) this.#apply(key, filter, revision);
  }

  /** The session has ended. */
  remove(key: string): void {
    if (!this.#known.has(key) || this.#removing.has(key)) return;
    this.#removing.add(key);
    this.#state
      .remove('durables', key)
      .then(
        (revision) => {
          // Where others write, too, what is told in order counts.
          if (revision !== undefined && !this.#shared) this.#apply(key, undefined, revision);
        },
        (error: unknown) =>
          this.#logger.warn({ err: error, session: key }, 'the filter of a session that has ended is still kept'),
      )
      .finally(() => this.#removing.delete(key));
  }

  /**
   * Forgets those whose session there is not: only at the second look, as a session of another node may be stored behind its
   * filter.
   */
  retain(exists: (key: string) => boolean): void {
    const missing = [...this.#known.keys()].filter((key) => !exists(key));
    for (const key of missing) if (this.#missed.has(key)) this.remove(key);
    this.#missed = new Set(missing);
  }

  #apply(key: string, filter: string | undefined, revision: number): void {
    const before = this.#known.get(key);
    if (before !== undefined && before.revision > revision) return;
    if (before !== undefined) this.#filters.remove(before.filter, key);
    if (filter === undefined) this.#known.delete(key);
    else {
      this.#known.set(key, { filter, revision });
      this.#filters.add(filter, key);
    }
    this.#cache.clear();
  }
}
