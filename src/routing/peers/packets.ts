import { Packer, Unpacker } from '../../core/pack.ts';
import type { Cluster } from '../../ports/backbone.ts';
import type { Clock } from '../../ports/clock.ts';

/**
 * What nodes send each other, as packets:
 *
 *     kind | session | number | answered | frames (codec.ts)
 *
 * all integers as `core/pack.ts` writes them. Between two nodes there are two links, one for each of them that asks the
 * other, as owner, for something. The one that asks begins a session, and a new one when something may have been lost: the
 * numbers of packets begin at 0 again, and whoever misses one knows that the session is broken.
 */

export const KIND = {
  /** To an owner. */
  ask: 0,
  /** Back from it. */
  tell: 1,
  /** From an owner: what it sent in this session may be lost, so a new one is to begin. Nothing else is in it. */
  restart: 2,
} as const;

export type Kind = (typeof KIND)[keyof typeof KIND];

/** Bytes of frames after which a packet is sent within the turn. */
const PACKET = 256 * 1024;
/** Memory of a packet that is kept for the next one, bytes: a large message's is not. */
const KEPT = 2 * PACKET;

export interface Packet {
  readonly kind: Kind;
  readonly session: number;
  readonly number: number;
  /** In those to an owner: pushes with lower numbers need not be remembered, their answers have come. */
  readonly answered: number;
  readonly frames: Uint8Array;
}

/** Throws a RangeError on what is no packet. */
export function readPacket(bytes: Uint8Array): Packet {
  const reader = new Unpacker(bytes);
  const first = reader.integer();
  const kind = Object.values(KIND).find((each) => each === first);
  if (kind === undefined) throw new RangeError(`a packet of an unknown kind ${first}`);
  const [session, number, answered] = [reader.integer(), reader.integer(), reader.integer()];
  return { kind, session, number, answered, frames: reader.rest() };
}

export function restartPacket(session: number): Uint8Array {
  return new Packer().integer(KIND.restart).integer(session).integer(0).integer(0).done();
}

/** Collects the frames of a turn of the event loop to one node, and sends them as one packet. */
export class Outbound {
  readonly #node: string;
  readonly #kind: Kind;
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #answered: () => number;
  readonly #packet = new Packer();
  #session = 0;
  #number = 0;
  #scheduled = false;
  #closed = false;
  readonly #run = (): void => {
    this.#scheduled = false;
    if (this.#packet.size > 0) this.#send();
  };

  constructor(node: string, kind: Kind, cluster: Cluster, clock: Clock, answered: () => number) {
    this.#node = node;
    this.#kind = kind;
    this.#cluster = cluster;
    this.#clock = clock;
    this.#answered = answered;
  }

  /** Forgets what was not sent, and sends a packet in any case, so that the other one hears of the session. */
  begin(session: number): void {
    this.#session = session;
    this.#number = 0;
    this.#packet.clear(KEPT);
    this.frame();
  }

  /** To write a frame to, at once and wholly. */
  frame(): Packer {
    if (this.#packet.size >= PACKET) this.#send();
    if (this.#packet.size === 0) {
      this.#packet
        .integer(this.#kind)
        .integer(this.#session)
        .integer(this.#number++)
        .integer(this.#answered());
    }
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#clock.defer(this.#run);
    }
    return this.#packet;
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#closed = true;
  }

  #send(): void {
    if (!this.#closed) this.#cluster.send(this.#node, this.#packet.view());
    this.#packet.clear(KEPT);
  }
}
