import { Packer, Unpacker } from '../../src/core/pack.ts';
import type { Place, SessionOwner } from '../../src/ports/routing.ts';
import { Progress } from './progress.ts';

/** Of what is kept; sessions of format 1 have no feeds, those of 1 and 2 no selectors. */
const FORMAT = 3;

export interface KeptSubscription {
  readonly name: string;
  readonly filter: string;
  readonly noLocal: boolean;
  /** Empty: none. */
  readonly selector: string;
  readonly since: readonly number[];
}

/** A subscription with a place of its own: what asked for it, and how far it has come in the log, if it reads that. */
export interface KeptFeed {
  /** The `subscribe`, as JSON text. */
  readonly request: string;
  readonly settled: readonly number[];
  readonly sent: readonly number[];
}

export interface Kept {
  readonly subscriptions: readonly KeptSubscription[];
  readonly feeds: readonly KeptFeed[];
}

/** The client that has a session. */
export interface SessionHolder {
  kept(): Kept;
  /** Per shard, the first position of the log that was not handed on; empty where nothing is subscribed to. */
  positions(): readonly number[];
}

/** A session that outlives its connection: what is subscribed to, and how far the client has come in the log. */
export class KeptSession implements SessionOwner {
  readonly seconds: number;
  readonly #holder: SessionHolder;
  readonly #lost: () => void;
  /** Of all subscriptions that have no place of their own. */
  readonly progress = new Progress(() => this.changed());
  #place: Place | undefined;
  /** What was kept, as long as the client does not go on with it. */
  #untouched: Uint8Array | undefined;

  /** `seconds` it outlives its connection. `lost`: another connection has it now. */
  constructor(seconds: number, holder: SessionHolder, lost: () => void) {
    this.seconds = seconds;
    this.#holder = holder;
    this.#lost = lost;
  }

  /** Goes on here; undefined when there was no session. Throws RangeError when what is kept cannot be read. */
  restore(place: Place): Kept | undefined {
    this.#place = place;
    const { kept } = place;
    place.kept = undefined;
    if (kept === undefined) return undefined;
    const from = new Unpacker(kept);
    const format = from.integer();
    if (format < 1 || format > FORMAT)
      throw new RangeError(`a session of format ${format}; 1 to ${FORMAT} are expected`);
    const [settled, sent] = [from.integers(), from.integers()];
    const subscriptions = Array.from({ length: from.count() }, () => ({
      name: from.text(),
      filter: from.text(),
      noLocal: from.integer() === 1,
      since: from.integers(),
      selector: format < 3 ? '' : from.text(),
    }));
    const feeds = Array.from({ length: format === 1 ? 0 : from.count() }, () => ({
      request: from.text(),
      settled: from.integers(),
      sent: from.integers(),
    }));
    this.progress.restore(settled, sent);
    this.#untouched = kept;
    return { subscriptions, feeds };
  }

  /** From now on the state is the holder's. */
  begin(): void {
    this.#untouched = undefined;
    this.#place?.listens(true);
    // In the store it is this connection's now, and kept for as long as this one said.
    void this.#place?.save();
  }

  encode(): Uint8Array {
    if (this.#untouched !== undefined) return this.#untouched;
    const { subscriptions, feeds } = this.#holder.kept();
    const packer = new Packer().integer(FORMAT).integers(this.from()).integers(this.progress.sentTo);
    packer.integer(subscriptions.length);
    for (const { name, filter, noLocal, selector, since } of subscriptions) {
      packer
        .text(name)
        .text(filter)
        .integer(noLocal ? 1 : 0)
        .integers(since)
        .text(selector);
    }
    packer.integer(feeds.length);
    for (const { request, settled, sent } of feeds) packer.text(request).integers(settled).integers(sent);
    return packer.done();
  }

  /** Per shard, where to go on in the log. */
  from(): readonly number[] {
    return this.progress.settled(this.#holder.positions());
  }

  takenOver(): void {
    this.#lost();
  }

  /** The state has changed; it may be kept later. */
  changed(): void {
    this.#place?.changed();
  }

  /** Runs `action` once the session, as it is now, is durable; not when it has been left by then. */
  saved(action: () => void): void {
    void this.#place?.save().then(action);
  }

  /** The connection is gone. */
  leave(): void {
    this.#place?.leave(this.seconds);
  }

  /** The connection was gone before it had the session: there is one if there was one. */
  giveBack(): void {
    this.#place?.leave(this.#untouched === undefined ? 0 : this.seconds);
  }
}
