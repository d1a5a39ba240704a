import type { Message } from '../../src/core/message.ts';
import { parsePosition } from '../../src/core/start.ts';
import type { Position } from '../../src/ports/routing.ts';
import { RequestError, shown } from './codec.ts';
import { positionField } from './encoder.ts';

/** A shard of the log, as far as a session has come in it. */
interface Reach {
  /** All below is settled. */
  settled: number;
  /** What is below was sent on an earlier connection; what of it is not settled comes again. */
  readonly earlier: number;
  /** Behind the last one sent. */
  sent: number;
  /** Sent on this connection and not settled, ascending. */
  readonly unsettled: number[];
}

/** How far a session has come in the log. A client settles by position: that message and all before it in its shard. */
export class Progress {
  readonly #reaches: (Reach | undefined)[] = [];
  readonly #changed: () => void;
  #unsettled = 0;

  /** `changed`: it is to be kept anew, at times. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** What was kept: per shard the first position not settled, and the first not sent. */
  restore(settled: readonly number[], sent: readonly number[]): void {
    for (const [shard, first] of settled.entries()) {
      const earlier = sent[shard] ?? first;
      this.#reaches[shard] = { settled: first, earlier, sent: earlier, unsettled: [] };
    }
  }

  /** Messages sent and not settled. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Whether a message of the log has been settled: by a client that had it, before it comes again. */
  has({ shard, sequence }: Message): boolean {
    return sequence < (this.#reaches[shard]?.settled ?? 0);
  }

  /** A message is being sent; the fields that it has because of it, as JSON text, each with a comma behind it. */
  sent(message: Message): string {
    const { shard, sequence } = message;
    const reach = this.#reach(shard);
    reach.unsettled.push(sequence);
    reach.sent = Math.max(reach.sent, sequence + 1);
    this.#unsettled++;
    this.#changed();
    return sequence < reach.earlier ? `${positionField(message)}"redelivered":true,` : positionField(message);
  }

  /**
   * Also of what was sent on an earlier connection and is yet to come again. `end`: per shard, the end of the log; what
   * is not in it has not been received. Throws a RequestError.
   */
  received(text: string, end: readonly number[]): void {
    const { shard, sequence } = readPosition(text);
    if (sequence >= (end[shard] ?? 0)) {
      const detail = `position ${shown(text)} is beyond the last message there is; the position of one that came is expected`;
      throw new RequestError('fieldInvalid', 'position', detail);
    }
    const reach = this.#reach(shard);
    reach.settled = Math.max(reach.settled, sequence + 1);
    const beyond = reach.unsettled.findIndex((each) => each > sequence);
    this.#unsettled -= reach.unsettled.splice(0, beyond === -1 ? reach.unsettled.length : beyond).length;
    this.#changed();
  }

  /** Per shard, the first position that is not settled. `positions`: the first that was not handed on. */
  settled(positions: readonly number[]): number[] {
    const shards = Math.max(positions.length, this.#reaches.length);
    return Array.from({ length: shards }, (_, shard) => {
      const reach = this.#reaches[shard];
      const position = positions[shard] ?? 0;
      if (reach === undefined) return position;
      // In the middle of a batch the outbox still says where that began.
      return reach.unsettled[0] ?? Math.max(reach.settled, position);
    });
  }

  /** Per shard, the first position that was not sent, as far as any was. */
  get sentTo(): number[] {
    return Array.from(this.#reaches, (reach) => reach?.sent ?? 0);
  }

  #reach(shard: number): Reach {
    const reach = this.#reaches[shard] ?? { settled: 0, earlier: 0, sent: 0, unsettled: [] };
    this.#reaches[shard] = reach;
    return reach;
  }
}

function readPosition(text: string): Position {
  const position = parsePosition(text);
  if (position !== undefined) return position;
  const detail = `position is ${shown(text)}; the position of a message is expected, as it stands there`;
  throw new RequestError('fieldInvalid', 'position', detail);
}
