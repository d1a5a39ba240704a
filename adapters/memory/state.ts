import { copyOf } from '../../src/core/bytes.ts';
import type { Bucket, Entry, Fence, State } from '../../src/ports/backbone.ts';

/** Entries of one process. Values are copied both ways, as a store would. */
export class MemoryState implements State {
  readonly atomic = true;
  readonly #buckets: Readonly<Record<Bucket, Map<string, Entry>>> = {
    sessions: new Map(),
    retained: new Map(),
    wills: new Map(),
    queues: new Map(),
    durables: new Map(),
  };
  #revision = 0;

  async get(bucket: Bucket, key: string): Promise<Entry | undefined> {
    const entry = this.#buckets[bucket].get(key);
    return entry && { value: copyOf(entry.value), revision: entry.revision };
  }

  async put(bucket: Bucket, key: string, value: Uint8Array, expected?: number | Fence): Promise<number | undefined> {
    if (!this.#holds(bucket, key, expected)) return undefined;
    const revision = ++this.#revision;
    this.#buckets[bucket].set(key, { value: copyOf(value), revision });
    return revision;
  }

  async remove(bucket: Bucket, key: string, expected?: number | Fence): Promise<number | undefined> {
    if (!this.#holds(bucket, key, expected)) return undefined;
    this.#buckets[bucket].delete(key);
    return ++this.#revision;
  }

  async scan(bucket: Bucket, visit: (key: string, entry: Entry) => void): Promise<void> {
    for (const [key, entry] of this.#buckets[bucket]) visit(key, entry);
  }

  /** There are no other nodes. */
  watch(): boolean {
    return false;
  }

  #holds(bucket: Bucket, key: string, expected: number | Fence | undefined): boolean {
    return typeof expected !== 'number' || (this.#buckets[bucket].get(key)?.revision ?? 0) === expected;
  }
}
