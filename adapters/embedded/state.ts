import { copyOf } from '../../src/core/bytes.ts';
import { BrokerError } from '../../src/core/errors.ts';
import type { Bucket, Entry, Fence, State } from '../../src/ports/backbone.ts';
import type { Commit, Write } from './commit.ts';
import { bucketRange, nameOf, REVISION_KEY, stateKey } from './keys.ts';
import type { Store, Value } from './store.ts';

/** A value in the store begins with its revision. */
const REVISION = 8;

interface Waiting {
  readonly value: Value;
  readonly revision: number;
  readonly write: Write;
}

/** Entries in the store, with those that are on their way there in front of them. */
export class EmbeddedState implements State {
  readonly atomic = true;
  readonly #commit: Commit;
  readonly #waiting = new Map<string, Waiting>();
  #store: Store | undefined;
  #revision = 0;

  constructor(commit: Commit) {
    this.#commit = commit;
  }

  async load(store: Store): Promise<void> {
    const revision = (await store.get(REVISION_KEY)) ?? Buffer.alloc(REVISION);
    if (revision.length !== REVISION) throw store.damaged('the last revision is not a number');
    this.#revision = Math.max(this.#revision, revision.readDoubleLE(0));
    this.#store = store;
  }

  close(): void {
    this.#store = undefined;
  }

  durable(write: Write): void {
    for (const name of write.state.keys()) {
      if (this.#waiting.get(name)?.write === write) this.#waiting.delete(name);
    }
  }

  failed(): void {
    this.#waiting.clear();
  }

  async get(bucket: Bucket, key: string): Promise<Entry | undefined> {
    const waiting = this.#waiting.get(bucket + key);
    if (waiting !== undefined) return entryOf(waiting.value);
    const store = this.#opened();
    const value = await store.get(stateKey(bucket, key));
    return entryOf(checked(store, key, value));
  }

  put(bucket: Bucket, key: string, value: Uint8Array, expected?: number | Fence): Promise<number | undefined> {
    return this.#change(bucket, key, value, expected);
  }

  remove(bucket: Bucket, key: string, expected?: number | Fence): Promise<number | undefined> {
    return this.#change(bucket, key, undefined, expected);
  }

  async scan(bucket: Bucket, visit: (key: string, entry: Entry) => void): Promise<void> {
    const waiting = new Map<string, Value>();
    for (const [name, { value }] of this.#waiting) {
      if (name.startsWith(bucket)) waiting.set(name.slice(bucket.length), value);
    }
    const show = (key: string, value: Value): void => {
      const entry = entryOf(value);
      if (entry !== undefined) visit(key, entry);
    };
    const [gte, lt] = bucketRange(bucket);
    const store = this.#opened();
    await store.each({ gte, lt }, (bytes, value) => {
      const key = nameOf(bytes);
      if (!waiting.has(key)) show(key, checked(store, key, value));
      return true;
    });
    for (const [key, value] of waiting) show(key, value);
  }

  /** There are no other nodes. */
  watch(): boolean {
    return false;
  }

  /** Decided during the call, so that what follows in the same turn is behind it. */
  async #change(
    bucket: Bucket,
    key: string,
    value: Uint8Array | undefined,
    expected: number | Fence | undefined,
  ): Promise<number | undefined> {
    const refusal = this.#commit.refusal();
    if (refusal !== undefined) throw refusal;
    const name = bucket + key;
    const at = stateKey(bucket, key);
    if (typeof expected === 'number' && this.#revisionOf(name, at) !== expected) return undefined;
    const revision = ++this.#revision;
    const stored = value === undefined ? undefined : storedValue(value, revision);
    this.#waiting.set(name, { value: stored, revision, write: this.#commit.pending });
    return this.#commit.change(name, at, stored, revision);
  }

  /** The store is asked at once, for 3 to 10 microseconds: it has the key in memory when it was read or written lately. */
  #revisionOf(name: string, key: Buffer): number {
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) return waiting.value === undefined ? 0 : waiting.revision;
    const store = this.#opened();
    return checked(store, name, store.getSync(key))?.readDoubleLE(0) ?? 0;
  }

  #opened(): Store {
    if (this.#store !== undefined) return this.#store;
    throw this.#commit.refusal() ?? new BrokerError('unavailable');
  }
}

function storedValue(value: Uint8Array, revision: number): Buffer {
  const bytes = Buffer.allocUnsafe(REVISION + value.length);
  bytes.writeDoubleLE(revision);
  bytes.set(value, REVISION);
  return bytes;
}

function checked(store: Store, key: string, value: Value): Value {
  if (value !== undefined && value.length < REVISION) throw store.damaged(`the entry of ${key} is cut off`);
  return value;
}

function entryOf(value: Value): Entry | undefined {
  return value && { value: copyOf(value, REVISION), revision: value.readDoubleLE(0) };
}
