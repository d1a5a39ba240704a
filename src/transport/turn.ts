import type { Counters } from '../core/counters.ts';

/** What one turn of the event loop has to write, and the memory it is collected in. */

/** Bytes of a chunk of output; a flush usually is one chunk. */
export const CHUNK_BYTES = 64 * 1024;
/** Chunks kept for reuse at most; more are left to the garbage collector. */
const SPARE_CHUNKS = 128;
/** Connections with output at which they are flushed within the turn: a fan-out to thousands must not hold a chunk each. */
const MAX_DIRTY = 256;

export interface Flushable {
  flush(): void;
}

/** Shared by all connections of a broker: flushes each that has output once, when the work of the turn is done. */
export class Turn {
  readonly counters: Counters;
  #dirty: Flushable[] = [];
  #flushing: Flushable[] = [];
  #scheduled = false;
  readonly #spare: Buffer[] = [];
  /** Fewest spare chunks since the last `trim`: so many were not needed. */
  #unneeded = 0;
  readonly #run = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  constructor(counters: Counters) {
    this.counters = counters;
  }

  add(connection: Flushable): void {
    if (this.#dirty.length >= MAX_DIRTY) this.flush();
    this.#dirty.push(connection);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#run);
    }
  }

  flush(): void {
    const dirty = this.#dirty;
    this.#dirty = this.#flushing;
    this.#flushing = [];
    for (let i = 0; i < dirty.length; i++) dirty[i]?.flush();
    dirty.length = 0;
    this.#flushing = dirty;
  }

  take(): Buffer {
    const chunk = this.#spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    if (this.#spare.length < this.#unneeded) this.#unneeded = this.#spare.length;
    return chunk;
  }

  give(chunk: Buffer): void {
    if (this.#spare.length < SPARE_CHUNKS) this.#spare.push(chunk);
  }

  /** Called about once a second: lets go of chunks that no turn since the last call needed. An idle broker holds none. */
  trim(): void {
    this.#spare.length -= this.#unneeded;
    this.#unneeded = this.#spare.length;
  }
}
