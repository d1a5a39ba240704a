import type { Message } from '../../src/core/message.ts';
import { Packer, Unpacker } from '../../src/core/pack.ts';
import type { Position } from '../../src/ports/routing.ts';

/** Of what is kept; another number is not understood. Only what has a selector needs the second. */
const FORMAT = 1;
const FORMAT_WITH_SELECTOR = 2;

/** What messages a durable subscription is for: what is kept of another one is not its own. */
export interface Wanted {
  readonly filter: string;
  readonly noLocal: boolean;
  readonly selector: { readonly text: string } | undefined;
}

/**
 * How far a durable subscription has come in the log: the first position of each shard that was not sent, and what was
 * sent before it and is not settled. The latter is at most a window's worth, whatever the client settles first.
 */
export class Progress {
  readonly #wanted: Wanted;
  readonly #changed: () => void;
  /** Per shard: what is from here on was never sent, what is below was, or is not for this subscription. */
  #next: number[];
  /** The same as it was when this connection began. */
  #begun: readonly number[];
  /** Sent on earlier connections, not settled there, not yet sent again: sequences by shard. */
  readonly #owed = new Map<number, Set<number>>();
  /** Sent on this connection and not settled, by delivery. */
  readonly #sent = new Map<number, Position>();
  #lastDelivery = 0;

  /** `from`: where a subscription that is new begins. `changed`: it is no longer what was kept. */
  constructor(wanted: Wanted, from: readonly number[], changed: () => void) {
    this.#wanted = wanted;
    this.#next = [...from];
    this.#begun = from;
    this.#changed = changed;
  }

  /** A new one begins there, not with what comes from now on. */
  begin(from: readonly number[]): void {
    this.#next = [...from];
    this.#begun = from;
  }

  /** Goes on where the earlier connection was; false when what is kept is of other messages. Throws RangeError. */
  restore(kept: Uint8Array): boolean {
    const from = new Unpacker(kept);
    const format = from.integer();
    if (format !== FORMAT && format !== FORMAT_WITH_SELECTOR) {
      const expected = `${FORMAT} or ${FORMAT_WITH_SELECTOR} is expected`;
      throw new RangeError(`a subscription of format ${format}; ${expected}`);
    }
    const { filter, noLocal, selector } = this.#wanted;
    const same = from.text() === filter;
    const sameOwn = (from.integer() === 1) === noLocal;
    const text = format === FORMAT_WITH_SELECTOR ? from.text() : undefined;
    if (!same || !sameOwn || text !== selector?.text) return false;
    const next = from.integers();
    const owed = Array.from({ length: from.count() }, () => ({ shard: from.integer(), sequence: from.integer() }));
    this.#next = next;
    this.#begun = [...next];
    for (const { shard, sequence } of owed) {
      const sequences = this.#owed.get(shard) ?? new Set();
      this.#owed.set(shard, sequences.add(sequence));
    }
    return true;
  }

  /** `positions`: per shard, the first that was not handed on. */
  encode(positions: readonly number[]): Uint8Array {
    for (const [shard, position] of positions.entries()) {
      // In the middle of a batch the outbox still says where that began.
      this.#next[shard] = Math.max(this.#next[shard] ?? 0, position);
      // What has been passed by and was not sent is no longer in the log, or has expired.
      for (const sequence of this.#owed.get(shard) ?? [])
        if (sequence < position) this.#owed.get(shard)?.delete(sequence);
    }
    const owed = [...this.#owed].flatMap(([shard, all]) => [...all].map((sequence) => ({ shard, sequence })));
    const unsettled = [...this.#sent.values(), ...owed];
    const { filter, noLocal, selector } = this.#wanted;
    const packer = new Packer()
      .integer(selector === undefined ? FORMAT : FORMAT_WITH_SELECTOR)
      .text(filter)
      .integer(noLocal ? 1 : 0);
    if (selector !== undefined) packer.text(selector.text);
    packer.integers(this.#next).integer(unsettled.length);
    for (const { shard, sequence } of unsettled) packer.integer(shard).integer(sequence);
    return packer.done();
  }

  /** Per shard, where to go on in the log: at the first that is not settled. */
  from(): readonly number[] {
    const from = [...this.#begun];
    for (const [shard, sequences] of this.#owed) {
      for (const sequence of sequences) from[shard] = Math.min(from[shard] ?? sequence, sequence);
    }
    return from;
  }

  /** Whether a message of the log is not behind it. */
  wants({ shard, sequence }: Message): boolean {
    return sequence >= (this.#begun[shard] ?? 0) || this.#owes(shard, sequence);
  }

  /** Whether it was sent on an earlier connection and not settled there. */
  repeats({ shard, sequence }: Message): boolean {
    return this.#owes(shard, sequence);
  }

  /** A message is being sent; with `acknowledged`, it counts as settled under the number returned. */
  sent({ shard, sequence }: Message, acknowledged: boolean): number {
    this.#owed.get(shard)?.delete(sequence);
    this.#next[shard] = Math.max(this.#next[shard] ?? 0, sequence + 1);
    this.#changed();
    if (!acknowledged) return 0;
    this.#sent.set(++this.#lastDelivery, { shard, sequence });
    return this.#lastDelivery;
  }

  /** Where those are that were not settled before. */
  settled(deliveries: readonly number[]): Position[] {
    const settled = deliveries.flatMap((delivery) => this.#sent.get(delivery) ?? []);
    for (const delivery of deliveries) this.#sent.delete(delivery);
    if (deliveries.length > 0) this.#changed();
    return settled;
  }

  /** They are not settled after all. */
  unsettled(positions: readonly Position[]): void {
    for (const position of positions) this.#sent.set(++this.#lastDelivery, position);
  }

  /** How many of `count` positions below `first`, which the log no longer has, may have been for this subscription. */
  lost(count: number, shard: number, first: number): number {
    let lost = Math.max(0, first - Math.max(first - count, this.#begun[shard] ?? 0));
    const owed = this.#owed.get(shard);
    for (const sequence of owed ?? []) if (sequence < first && owed?.delete(sequence)) lost++;
    return lost;
  }

  #owes(shard: number, sequence: number): boolean {
    return this.#owed.get(shard)?.has(sequence) ?? false;
  }
}
