import { ClassicLevel } from 'classic-level';
import { BrokerError } from '../../src/core/errors.ts';
import { VERSION_KEY } from './keys.ts';

/** The format of what this version writes; the number is raised with every change that an older version cannot read. */
const FORMAT = 1;

const MiB = 1024 * 1024;
/**
 * Snappy costs the threads in the background, not this one: as many messages a second with it as without, on two
 * processors, for two thirds (JSON) to a fifth less disk. Twice the write buffer would be a third faster under a load that
 * never ends, and pin twice the memory (there are up to two), which is also what an opening reads again.
 */
const OPTIONS = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  compression: true,
  writeBufferSize: 32 * MiB,
  maxFileSize: 16 * MiB,
  cacheSize: 8 * MiB,
} as const;
/** Bytes an iterator fetches at once. */
const FETCH_BYTES = MiB;
const FETCH_ENTRIES = 1000;

export type Value = Buffer | undefined;
/** A key and what it gets; undefined for nothing. */
export type Change = readonly [key: Buffer, value: Value];

export interface Range {
  readonly gte: Buffer;
  readonly lt: Buffer;
  readonly reverse?: boolean;
}

/** The store as it is at one time; closed by the one who asked for it. */
export type View = ReturnType<ClassicLevel['snapshot']>;

/** The LevelDB in a directory, and its errors in the broker's words. */
export class Store {
  readonly directory: string;
  readonly #db: ClassicLevel<Buffer, Buffer>;

  private constructor(directory: string, db: ClassicLevel<Buffer, Buffer>) {
    this.directory = directory;
    this.#db = db;
  }

  static async open(directory: string): Promise<Store> {
    const db = new ClassicLevel<Buffer, Buffer>(directory, OPTIONS);
    const store = new Store(directory, db);
    try {
      await db.open();
      await store.#checkFormat();
    } catch (error) {
      await store.close();
      throw store.#failure(error, 'opened');
    }
    return store;
  }

  async get(key: Buffer, cached = true, snapshot?: View): Promise<Value> {
    try {
      return await this.#db.get(key, { fillCache: cached, snapshot });
    } catch (error) {
      throw this.#failure(error, 'read');
    }
  }

  getSync(key: Buffer): Value {
    try {
      return this.#db.getSync(key);
    } catch (error) {
      throw this.#failure(error, 'read');
    }
  }

  /** Past LevelDB's own cache: the caller has one. */
  async getMany(keys: Buffer[]): Promise<Value[]> {
    try {
      return await this.#db.getMany(keys, { fillCache: false });
    } catch (error) {
      throw this.#failure(error, 'read');
    }
  }

  /** All changes or none. `sync`: they are on the disk when the promise resolves. The bytes are copied during the call. */
  write(changes: Iterable<Change>, sync: boolean): Promise<void> {
    try {
      const batch = this.#db.batch();
      for (const [key, value] of changes) {
        if (value === undefined) batch.del(key);
        else batch.put(key, value);
      }
      return batch.write({ sync }).catch((error: unknown) => {
        throw this.#failure(error, 'written');
      });
    } catch (error) {
      return Promise.reject(this.#failure(error, 'written'));
    }
  }

  /** The entries as they are now, in portions; `visit` ends it with false. */
  async each(range: Range, visit: (key: Buffer, value: Buffer) => boolean): Promise<void> {
    const iterator = this.#db.iterator({ ...range, highWaterMarkBytes: FETCH_BYTES });
    try {
      for (;;) {
        const entries = await iterator.nextv(FETCH_ENTRIES).catch((error: unknown) => {
          throw this.#failure(error, 'read');
        });
        if (entries.length === 0) return;
        for (const [key, value] of entries) if (visit(key, value) === false) return;
      }
    } finally {
      await iterator.close();
    }
  }

  view(): View {
    try {
      return this.#db.snapshot();
    } catch (error) {
      throw this.#failure(error, 'read');
    }
  }

  /** Its first entries: at most so many, and no further ones once they have so many bytes. None: there are none. */
  async portion(range: Range, entries: number, bytes: number, snapshot?: View): Promise<[Buffer, Buffer][]> {
    try {
      const iterator = this.#db.iterator({ ...range, highWaterMarkBytes: bytes, fillCache: false, snapshot });
      try {
        return await iterator.nextv(entries);
      } finally {
        await iterator.close();
      }
    } catch (error) {
      throw this.#failure(error, 'read');
    }
  }

  async clear(range: Range): Promise<void> {
    try {
      await this.#db.clear(range);
    } catch (error) {
      throw this.#failure(error, 'written');
    }
  }

  async compact(start: Buffer, end: Buffer): Promise<void> {
    try {
      await this.#db.compactRange(start, end);
    } catch (error) {
      throw this.#failure(error, 'written');
    }
  }

  /** Whatever state it is in. */
  async close(): Promise<void> {
    await this.#db.close().catch(() => {});
  }

  /** What is not as it was written. */
  damaged(what: string): BrokerError {
    return new BrokerError(
      'unavailable',
      `the store in ${this.directory} is damaged: ${what} (backbone.embedded.directory)`,
    );
  }

  async #checkFormat(): Promise<void> {
    const version = await this.#db.get(VERSION_KEY);
    if (version === undefined) {
      for await (const _key of this.#db.keys({ limit: 1 })) {
        throw this.#refusal('holds a LevelDB of something else');
      }
      await this.#db.put(VERSION_KEY, Buffer.of(FORMAT), { sync: true });
    } else if (version[0] !== FORMAT) {
      throw this.#refusal(`holds a store of format ${version[0]}; this version of Trimaran knows format ${FORMAT}`);
    }
  }

  #refusal(text: string): BrokerError {
    return new BrokerError('unavailable', `the directory ${this.directory} ${text} (backbone.embedded.directory)`);
  }

  #failure(error: unknown, what: 'opened' | 'read' | 'written'): BrokerError {
    if (error instanceof BrokerError) return error;
    const { codes, text } = unfold(error);
    if (codes.includes('LEVEL_LOCKED')) return this.#refusal('is used by another broker');
    if (codes.includes('LEVEL_CORRUPTION')) return this.damaged(text);
    if (what === 'written' && (codes.includes('LEVEL_IO_ERROR') || codes.includes('ENOSPC'))) {
      return new BrokerError(
        'quota',
        `the store is full or its disk fails: ${text} (backbone.embedded.directory ${this.directory})`,
      );
    }
    return this.#refusal(`cannot be ${what}: ${text}`);
  }
}

/** The codes of an error and of what caused it, and the innermost text. */
function unfold(error: unknown): { codes: string[]; text: string } {
  const codes: string[] = [];
  let text = String(error);
  for (let each = error; each instanceof Error; each = each.cause) {
    if ('code' in each && typeof each.code === 'string') codes.push(each.code);
    text = each.message;
  }
  return { codes, text };
}
