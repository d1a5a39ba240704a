import type { Message } from '../../src/core/message.ts';
import { Packer, Unpacker } from '../../src/core/pack.ts';
import type { Place, SessionOwner } from '../../src/ports/routing.ts';
import { Progress, positionOf } from './progress.ts';

/** Of what is kept; another number is not understood. */
const FORMAT = 1;

export interface KeptSubscription {
  readonly name: string;
  readonly filter: string;
  readonly noLocal: boolean;
  readonly since: readonly number[];
}

/** The client that has a session. */
export interface SessionHolder {
  subscriptions(): readonly KeptSubscription[];
  /** Per shard, the first position of the log that was not handed on; empty where nothing is subscribed to. */
  positions(): readonly number[];
}

/** A session that outlives its connection: what is subscribed to, and how far the client has come in the log. */
export class KeptSession implements SessionOwner {
  readonly seconds: number;
  readonly #holder: SessionHolder;
  readonly #lost: () => void;
  readonly #progress = new Progress();
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
  restore(place: Place): readonly KeptSubscription[] | undefined {
    this.#place = place;
    const { kept } = place;
    place.kept = undefined;
    if (kept === undefined) return undefined;
    const from = new Unpacker(kept);
    const format = from.integer();
    if (format !== FORMAT) throw new RangeError(`a session of format ${format}; ${FORMAT} is expected`);
    const [settled, sent] = [from.integers(), from.integers()];
    const subscriptions = Array.from({ length: from.count() }, () => ({
      name: from.text(),
      filter: from.text(),
      noLocal: from.integer() === 1,
      since: from.integers(),
    }));
    this.#progress.restore(settled, sent);
    this.#untouched = kept;
    return subscriptions;
  }

  /** From now on the state is the holder's. */
  begin(): void {
    this.#untouched = undefined;
    // In the store it is this connection's now, and kept for as long as this one said.
    void this.#place?.save();
  }

  encode(): Uint8Array {
    if (this.#untouched !== undefined) return this.#untouched;
    const subscriptions = this.#holder.subscriptions();
    const packer = new Packer().integer(FORMAT).integers(this.from()).integers(this.#progress.sentTo);
    packer.integer(subscriptions.length);
    for (const { name, filter, noLocal, since } of subscriptions) {
      packer
        .text(name)
        .text(filter)
        .integer(noLocal ? 1 : 0)
        .integers(since);
    }
    return packer.done();
  }

  /** Per shard, where to go on in the log. */
  from(): readonly number[] {
    return this.#progress.settled(this.#holder.positions());
  }

  takenOver(): void {
    this.#lost();
  }

  /** Messages sent and not settled. */
  get unsettled(): number {
    return this.#progress.unsettled;
  }

  /** Whether the client has settled it, though it has not come on this connection. */
  has(message: Message): boolean {
    return this.#progress.has(message);
  }

  /** A message of the log is being sent; the fields that it has because of it, as JSON text. */
  sent(message: Message): string {
    const again = this.#progress.sent(message);
    this.#place?.changed();
    return `"position":"${positionOf(message)}",${again ? '"redelivered":true,' : ''}`;
  }

  /** `end`: per shard, the end of the log. Throws a RequestError. */
  received(position: string, end: readonly number[]): void {
    this.#progress.received(position, end);
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
