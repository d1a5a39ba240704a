import { asBrokerError, BrokerError } from '../../core/errors.ts';
import { DEFAULT_SETTINGS, type PartialSettings, type QueueSettings } from '../../core/queue-settings.ts';
import { isExchange } from '../../core/topic.ts';
import { TopicTree } from '../../core/topic-tree.ts';
import type { Entry, State } from '../../ports/backbone.ts';
import type { Limits } from '../../ports/limits.ts';
import type { Logger } from '../../ports/routing.ts';
import { checkQueueName, decodeSettings, encodeSettings, settingsOf } from './settings.ts';

const NONE: readonly string[] = [];
/** Topics whose queues are remembered; past it all are forgotten. */
const CACHED_TOPICS = 16_384;

interface Known {
  /** undefined: it was removed, and the state has not said so yet. */
  readonly settings: QueueSettings | undefined;
  readonly revision: number;
}

/** The names, settings and bindings of all queues of the cluster, on every node. */
export class QueueCatalog {
  readonly #known = new Map<string, Known>();
  readonly #bindings = new TopicTree<string>();
  /** Topics to the queues bound to them. */
  readonly #cache = new Map<string, readonly string[]>();
  readonly #state: State;
  readonly #defaults: QueueSettings;
  readonly #limits: Limits;
  readonly #logger: Logger;
  #size = 0;
  /** On their way into the state. */
  #making = 0;
  /** Other nodes have a part in the state. */
  #shared = false;

  constructor(state: State, defaults: QueueSettings, limits: Limits, logger: Logger) {
    this.#state = state;
    this.#defaults = defaults;
    this.#limits = limits;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    const apply = (name: string, entry: Entry | undefined, revision: number): void =>
      this.#apply(name, entry && this.#read(name, entry), revision, true);
    this.#shared = this.#state.watch('queues', apply);
    await this.#state.scan('queues', (name, entry) => apply(name, entry, entry.revision));
  }

  get size(): number {
    return this.#size;
  }

  get(name: string): QueueSettings | undefined {
    return this.#known.get(name)?.settings;
  }

  /** In order. */
  list(): readonly string[] {
    return [...this.#known].flatMap(([name, { settings }]) => (settings === undefined ? [] : [name])).sort();
  }

  *entries(): Generator<readonly [name: string, settings: QueueSettings]> {
    for (const [name, { settings }] of this.#known) if (settings !== undefined) yield [name, settings];
  }

  /** Queues with a binding that matches the topic. */
  bound(topic: string): readonly string[] {
    // Of topics that begin with $, only those of exchanges can be bound; no wildcard reaches the others.
    if (this.#bindings.size === 0 || (topic.charCodeAt(0) === 0x24 && !isExchange(topic))) return NONE;
    const cached = this.#cache.get(topic);
    if (cached !== undefined) return cached;
    const found = new Set<string>();
    this.#bindings.match(topic, (name) => found.add(name));
    const queues = found.size === 0 ? NONE : [...found];
    if (this.#cache.size >= CACHED_TOPICS) this.#cache.clear();
    this.#cache.set(topic, queues);
    return queues;
  }

  /** What a queue that is missing would be set to. Throws a BrokerError. */
  proposed(name: string, given: PartialSettings): QueueSettings {
    checkQueueName(name, this.#limits);
    return settingsOf(name, given, this.#defaults, this.#limits);
  }

  /** Why a queue can neither be there nor be made so, as far as is known here; undefined when it can. */
  refusal(name: string, given: PartialSettings): BrokerError | undefined {
    if (this.#known.has(name)) return undefined;
    try {
      this.proposed(name, given);
    } catch (error) {
      return asBrokerError(error);
    }
    return this.#full(this.#size + this.#making);
  }

  #full(size: number): BrokerError | undefined {
    const { queues } = this.#limits;
    return size < queues
      ? undefined
      : new BrokerError('quota', `there are ${size} queues already; limits.queues is ${queues}`);
  }

  /** The settings of a queue, which is made with these when it is missing. Rejects with a BrokerError. */
  async ensure(name: string, given: PartialSettings): Promise<QueueSettings> {
    const known = this.get(name);
    if (known !== undefined) return known;
    const settings = this.proposed(name, given);
    const full = this.#full(this.#size + this.#making);
    if (full !== undefined) throw full;
    this.#making++;
    try {
      return await this.#make(name, settings);
    } finally {
      this.#making--;
    }
  }

  async #make(name: string, settings: QueueSettings): Promise<QueueSettings> {
    const revision = await this.#state.put('queues', name, encodeSettings(settings), 0);
    if (revision !== undefined) {
      this.#apply(name, settings, revision, false);
      return settings;
    }
    // Another node made it.
    const entry = await this.#state.get('queues', name);
    if (entry === undefined) throw new BrokerError('unavailable', 'the queue was made and deleted at the same time');
    const found = this.#read(name, entry);
    this.#apply(name, found, entry.revision, false);
    return found;
  }

  async remove(name: string): Promise<void> {
    const revision = await this.#state.remove('queues', name);
    if (revision !== undefined) this.#apply(name, undefined, revision, false);
  }

  /** A change; of several, the one with the highest revision counts. `told`: the state says so, in order. */
  #apply(name: string, settings: QueueSettings | undefined, revision: number, told: boolean): void {
    const before = this.#known.get(name);
    if (before !== undefined && before.revision > revision) return;
    this.#unbind(name, before?.settings);
    if (settings === undefined && (told || !this.#shared)) this.#known.delete(name);
    else this.#known.set(name, { settings, revision });
    this.#size += (settings === undefined ? 0 : 1) - (before?.settings === undefined ? 0 : 1);
    if (settings === undefined || settings.bindings.length === 0) return;
    for (const binding of settings.bindings) this.#bindings.add(binding, name);
    this.#cache.clear();
  }

  #unbind(name: string, settings: QueueSettings | undefined): void {
    if (settings === undefined || settings.bindings.length === 0) return;
    for (const binding of settings.bindings) this.#bindings.remove(binding, name);
    this.#cache.clear();
  }

  #read(name: string, { value }: Entry): QueueSettings {
    const settings = decodeSettings(value, this.#limits);
    if (settings !== undefined) return settings;
    this.#logger.error({ queue: name }, 'the stored settings of a queue cannot be read; it has the defaults');
    return DEFAULT_SETTINGS;
  }
}
