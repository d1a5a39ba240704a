import type { Clock, Timer } from '../../src/ports/clock.ts';
import { FIRST_KEY, KIND, logKey } from './keys.ts';
import type { Retention, Spans, Summary } from './spans.ts';
import type { Change, Store } from './store.ts';

/** Milliseconds between looks. */
const INTERVAL = 1000;
/** LevelDB gives the disk's room back when it compacts; it is asked to for every so many bytes removed. */
const COMPACT_BYTES = 256 * 1024 * 1024;
/** For small logs, this part of what is kept. */
const COMPACT_PART = 4;

/** Removes what is kept no longer: span by span from the front, never the newest one. */
export class LogRetention {
  readonly #limits: Retention;
  readonly #spans: Spans;
  readonly #trim: (store: Store) => Promise<void>;
  readonly #next: () => number;
  readonly #clock: Clock;
  readonly #debug: (error: unknown) => void;
  #store: Store | undefined;
  #timer: Timer | undefined;
  #run: Promise<void> | undefined;
  /** Takes as long as LevelDB is busy, seconds at times; removal goes on meanwhile. */
  #compaction: Promise<void> | undefined;
  /** Removed since the last compaction: bytes, and the sequence they began at. */
  #removed = 0;
  #from = 0;

  /** `trim`: called now and then, for what else is not kept for ever. */
  constructor(
    limits: Retention,
    spans: Spans,
    trim: (store: Store) => Promise<void>,
    next: () => number,
    clock: Clock,
    debug: (error: unknown) => void,
  ) {
    this.#limits = limits;
    this.#spans = spans;
    this.#trim = trim;
    this.#next = next;
    this.#clock = clock;
    this.#debug = debug;
  }

  open(store: Store): void {
    this.#store = store;
    this.#from = this.#spans.first;
    this.#removed = 0;
    this.#schedule();
  }

  /** Resolves when it does nothing any more. */
  async close(): Promise<void> {
    this.#store = undefined;
    this.#timer?.cancel();
    await this.#run;
    await this.#compaction;
  }

  #schedule(): void {
    this.#timer = this.#clock.schedule(INTERVAL, () => {
      this.#run = this.#look()
        // A store that fails says so to the next write, which closes it.
        .catch(this.#debug)
        .finally(() => {
          this.#run = undefined;
          if (this.#store !== undefined) this.#schedule();
        });
    });
  }

  async #look(): Promise<void> {
    for (let store = this.#store; store !== undefined; store = this.#store) {
      const oldest = this.#spans.closed[0];
      if (oldest === undefined || !this.#isOver(oldest)) break;
      // A write that is under way may still fail, and its span with it.
      if (oldest.first + oldest.count > this.#next()) break;
      await this.#remove(oldest, store);
      // One span's work, and then whatever else there is.
      await new Promise<void>((resolve) => this.#clock.defer(resolve));
    }
    if (this.#store !== undefined) await this.#trim(this.#store);
    this.#compaction ??= this.#compact()
      .catch(this.#debug)
      .finally(() => {
        this.#compaction = undefined;
      });
  }

  #isOver({ until }: Summary): boolean {
    if (this.#spans.bytes > this.#limits.bytes) return true;
    return until + this.#limits.seconds * 1000 < this.#clock.now();
  }

  /** By its keys, which the directory has: LevelDB's removal of a range reads all that is in it. */
  async #remove(span: Summary, store: Store): Promise<void> {
    const directory = await this.#spans.directory(span, store);
    const changes: Change[] = [
      [FIRST_KEY, logKey(KIND.block, span.first + span.count)],
      [logKey(KIND.directory, span.first), undefined],
      [logKey(KIND.summary, span.first), undefined],
    ];
    for (let block = 0; block < directory.blocks; block++) {
      changes.push([logKey(KIND.block, span.first + directory.blockFirst(block)), undefined]);
    }
    // From here on no read begins in it. Should the removal be lost with the power, it is done again.
    this.#spans.closed.shift();
    this.#spans.bytes -= span.bytes;
    await store.write(changes, false);
    this.#removed += span.bytes;
  }

  async #compact(): Promise<void> {
    const store = this.#store;
    if (store === undefined || this.#removed < Math.min(COMPACT_BYTES, this.#limits.bytes / COMPACT_PART)) return;
    const from = this.#from;
    this.#from = this.#spans.first;
    this.#removed = 0;
    await store.compact(logKey(KIND.block, from), logKey(KIND.block, this.#from));
  }
}
