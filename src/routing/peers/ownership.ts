import { asBrokerError, BrokerError } from '../../core/errors.ts';
import type { Cluster } from '../../ports/backbone.ts';

/** Questions to the cluster under way at once. */
const ASKED = 64;
/** Other nodes' names remembered; past it all are forgotten, which costs one question each. */
const REMEMBERED = 65_536;

/** Another node has it by now, or may have: whoever asked looks for the owner again. Clients see it only if that fails. */
export class Moved extends BrokerError {
  constructor() {
    super('unavailable', 'the node of the cluster that had it is gone, or has given it up');
  }
}

/** The way to the owner was: what was asked is not known to be done. */
export class Interrupted extends Moved {}

/** Which node has which of the things that one node has for all. `prefix` and name are the key in the cluster. */
export class Ownership {
  readonly #cluster: Cluster;
  readonly #prefix: string;
  readonly #mine = new Set<string>();
  readonly #others = new Map<string, string>();
  readonly #finding = new Map<string, Promise<string>>();
  readonly #leaving = new Map<string, Promise<void>>();
  /** Who waits for one of the questions under way to be answered. */
  readonly #turns: (() => void)[] = [];
  #asked = 0;
  #stopped = false;

  constructor(cluster: Cluster, prefix: string) {
    this.#cluster = cluster;
    this.#prefix = prefix;
  }

  get node(): string {
    return this.#cluster.node;
  }

  mine(name: string): boolean {
    return this.#mine.has(name);
  }

  /** What this node has, and what is looked for. */
  get size(): number {
    return this.#mine.size + this.#finding.size;
  }

  /** Its owner is being looked for. */
  looksFor(name: string): boolean {
    return this.#finding.has(name);
  }

  /** What this node has. */
  all(): Iterable<string> {
    return this.#mine;
  }

  /** The other node that has it; undefined when that is not known. */
  other(name: string): string | undefined {
    return this.#others.get(name);
  }

  /** The name behind the key of the cluster; undefined when the key is none of these. */
  nameOf(key: string): string | undefined {
    return key.startsWith(this.#prefix) ? key.slice(this.#prefix.length) : undefined;
  }

  /** The node that has it: this one, where none has. Rejects with a BrokerError when that cannot be found out. */
  find(name: string): Promise<string> {
    if (this.#stopped) return Promise.reject(new BrokerError('shutdown'));
    const known = this.#mine.has(name) ? this.node : this.#others.get(name);
    if (known !== undefined) return Promise.resolve(known);
    let finding = this.#finding.get(name);
    if (finding === undefined) {
      finding = this.#find(name).finally(() => this.#finding.delete(name));
      this.#finding.set(name, finding);
    }
    return finding;
  }

  async #find(name: string): Promise<string> {
    await this.#leaving.get(name)?.catch(() => {});
    if (this.#asked >= ASKED) await new Promise<void>((turn) => this.#turns.push(turn));
    else this.#asked++;
    try {
      const node = await this.#cluster.own(this.#prefix + name);
      this.#learn(name, node);
      return node;
    } catch (error) {
      throw asBrokerError(error);
    } finally {
      const next = this.#turns.shift();
      if (next === undefined) this.#asked--;
      else next();
    }
  }

  /** Whether this node has it, also if it has not heard yet that another one has taken it. */
  async confirm(name: string): Promise<boolean> {
    return (await this.#cluster.own(this.#prefix + name)) === this.node;
  }

  #learn(name: string, node: string): void {
    if (node === this.node) {
      this.#others.delete(name);
      this.#mine.add(name);
      return;
    }
    if (this.#others.size >= REMEMBERED) this.#others.clear();
    this.#others.set(name, node);
  }

  /** That other node said that it is not the owner. */
  forget(name: string, node: string): void {
    if (this.#others.get(name) === node) this.#others.delete(name);
  }

  /** That node is gone. */
  lost(node: string): void {
    for (const [name, owner] of this.#others) if (owner === node) this.#others.delete(name);
  }

  /** Another node has taken it. False when it was not this node's. */
  disowned(name: string): boolean {
    return this.#mine.delete(name);
  }

  /** This node gives it up; asked for at once, it is found when that is done. */
  release(name: string): Promise<void> {
    if (!this.#mine.delete(name)) return this.#leaving.get(name) ?? Promise.resolve();
    const leaving = this.#cluster.disown(this.#prefix + name).finally(() => this.#leaving.delete(name));
    this.#leaving.set(name, leaving);
    return leaving;
  }

  /** Nothing is found from now on. */
  stop(): void {
    this.#stopped = true;
  }

  async releaseAll(): Promise<void> {
    await Promise.allSettled([...this.#mine].map((name) => this.release(name)));
  }
}
