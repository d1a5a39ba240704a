import { hasWildcard, matches } from '../../src/core/filter.ts';

/** What one read wants. */
export class Wanted {
  readonly filters: readonly Pattern[];
  /** Topics tried against filters so far: what finding has cost. */
  tried = 0;
  readonly #exact: ReadonlySet<string>;
  readonly #wild: readonly { readonly filter: string; readonly start: string }[];
  #key: string | undefined;

  constructor(filters: readonly string[]) {
    this.filters = [...new Set(filters)].map(patternOf);
    this.#exact = new Set(filters.filter((filter) => !hasWildcard(filter)));
    this.#wild = this.filters
      .filter(({ exact }) => !exact)
      .map(({ filter, prefix }) => ({ filter, start: prefix.toString() }));
  }

  /** The same for the same filters; no filter has a NUL. */
  get key(): string {
    this.#key ??= this.filters.map(({ filter }) => filter).join('\0');
    return this.#key;
  }

  has(topic: string): boolean {
    this.tried++;
    if (this.#exact.has(topic)) return true;
    // Most topics are not worth being parted into levels.
    return this.#wild.some(({ filter, start }) => topic.startsWith(start) && matches(filter, topic));
  }
}

export interface Pattern {
  readonly filter: string;
  /** Without wildcards: matched by itself only. */
  readonly exact: boolean;
  /** What every topic that it matches begins with, as UTF-8. */
  readonly prefix: Buffer;
}

function patternOf(filter: string): Pattern {
  const exact = !hasWildcard(filter);
  // a/b/# matches a/b, too: the slash before the wildcard is not in the prefix.
  const wildcard = filter.search(/(?:^|\/)[+#]/);
  return { filter, exact, prefix: Buffer.from(exact ? filter : filter.slice(0, wildcard)) };
}

/** What a reader needs to know of a span, written or still growing. Offsets count from the span's first sequence. */
export interface Span {
  readonly first: number;
  readonly count: number;
  /** At most `max` offsets of messages wanted, ascending, in `[from, to)`. */
  offsets(wanted: Wanted, from: number, to: number, max: number): ArrayLike<number>;
  /** How many there are; and of a block its first offset and its bytes. */
  readonly blocks: number;
  blockFirst(block: number): number;
  blockBytes(block: number): number;
}
