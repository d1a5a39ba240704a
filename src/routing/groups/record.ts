import { Packer, Unpacker } from '../../core/pack.ts';
import type { Position } from '../../ports/routing.ts';

/** What is kept of a group: what it is, and its place in the log. */
export interface GroupRecord {
  readonly ordered: boolean;
  /** Of its messages; empty: all. */
  readonly selector: string;
  /** Seconds it is kept after its last member. */
  readonly keptFor: number;
  /** None of the members that went wants it to be kept. */
  readonly forget: boolean;
  /** Per shard: what is before it was given to members. */
  readonly positions: readonly number[];
  /** Before `positions`, and not settled; in order, each once. */
  readonly unsettled: readonly Unsettled[];
}

export interface Unsettled extends Position {
  /** How often it was given to a member and came back. */
  readonly deliveries: number;
}

const FORMAT = 2;
/** The same with a selector; without one, the other is written. */
const FORMAT_WITH_SELECTOR = 3;

export function encodeGroup({ ordered, selector, keptFor, forget, positions, unsettled }: GroupRecord): Uint8Array {
  const packer = new Packer()
    .integer(selector === '' ? FORMAT : FORMAT_WITH_SELECTOR)
    .integer(ordered ? 1 : 0)
    .integer(keptFor)
    .integer(forget ? 1 : 0);
  if (selector !== '') packer.text(selector);
  packer.integers(positions).integer(unsettled.length);
  let before: Position = { shard: 0, sequence: 0 };
  for (const { shard, sequence, deliveries } of unsettled) {
    // They are close to each other: most have a byte for the distance.
    const distance = shard === before.shard ? sequence - before.sequence : sequence;
    packer.integer(shard).integer(distance).integer(deliveries);
    before = { shard, sequence };
  }
  return packer.done();
}

/** Throws RangeError on bytes that are no group. */
export function decodeGroup(bytes: Uint8Array): GroupRecord {
  const unpacker = new Unpacker(bytes);
  const format = unpacker.integer();
  if (format !== FORMAT && format !== FORMAT_WITH_SELECTOR) {
    throw new RangeError(`a group of format ${format}; ${FORMAT} or ${FORMAT_WITH_SELECTOR} is expected`);
  }
  const ordered = unpacker.integer() === 1;
  const keptFor = unpacker.integer();
  const forget = unpacker.integer() === 1;
  const selector = format === FORMAT_WITH_SELECTOR ? unpacker.text() : '';
  const positions = unpacker.integers();
  let before: Position = { shard: 0, sequence: 0 };
  const unsettled = Array.from({ length: unpacker.count() }, (): Unsettled => {
    const shard = unpacker.integer();
    const sequence = unpacker.integer() + (shard === before.shard ? before.sequence : 0);
    before = { shard, sequence };
    return { shard, sequence, deliveries: unpacker.integer() };
  });
  return { ordered, selector, keptFor, forget, positions, unsettled };
}
