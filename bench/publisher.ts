import { type Dialect, PAYLOAD, payloadOf, SEQUENCE_AT } from './dialect.ts';
import type { Peer } from './peer.ts';

/** A window is sent in so many pieces: a broker gets the next while it works on one. */
const PIECES = 4;

export interface Plan {
  readonly dialect: Dialect;
  readonly topic: string;
  readonly qos: 0 | 1;
  readonly window: number;
  readonly index: number;
}

/**
 * Keeps a window of messages under way to its subscribers. The window is one buffer of packets, built once; a piece is
 * sent again, with new sequence numbers, when all that it held before has arrived everywhere.
 */
export class Publisher {
  readonly peer: Peer;
  /** Sent so far; the next sequence number. */
  sent = 0;
  readonly #plan: Plan;
  readonly #audience: readonly Peer[];
  readonly #packets: Buffer;
  readonly #sequences: DataView;
  readonly #stride: number;
  readonly #sequenceAt: number;
  readonly #piece: number;
  #stopped = false;

  constructor(peer: Peer, audience: readonly Peer[], plan: Plan) {
    const { dialect, topic, qos, window, index } = plan;
    this.peer = peer;
    this.#plan = plan;
    this.#audience = audience;
    // A slot keeps its packet id: it is used again only when its message is settled. All packets have the same length.
    const packets = Array.from({ length: window }, (_, slot) =>
      dialect.publication(topic, payloadOf(index), qos, slot + 1),
    );
    this.#stride = (packets[0] ?? Buffer.of()).length;
    this.#packets = Buffer.concat(packets);
    this.#sequences = new DataView(this.#packets.buffer, this.#packets.byteOffset, this.#packets.length);
    this.#sequenceAt = this.#stride - dialect.tail - PAYLOAD + SEQUENCE_AT;
    this.#piece = window / PIECES;
    for (const subscriber of audience) subscriber.expected[index] = 0;
  }

  /** Messages that have arrived everywhere (and at QoS 1 are acknowledged to us). */
  get settled(): number {
    let settled = this.#plan.qos === 1 ? this.peer.acknowledged : this.sent;
    for (const { expected } of this.#audience) settled = Math.min(settled, expected[this.#plan.index] ?? 0);
    return settled;
  }

  /** Sends as many pieces as the window has room for. */
  pump(): void {
    if (this.#stopped || !this.peer.drained) return;
    const { window } = this.#plan;
    const free = window - (this.sent - this.settled);
    const slot = this.sent % window;
    const count = Math.min(free - (free % this.#piece), window - slot);
    if (count <= 0) return;
    const stride = this.#stride;
    for (let i = 0, at = slot * stride + this.#sequenceAt; i < count; i++, at += stride) {
      this.#sequences.setUint32(at, this.sent++);
    }
    this.peer.send(this.#packets.subarray(slot * stride, (slot + count) * stride));
  }

  stop(): void {
    this.#stopped = true;
  }

  /** What is under way is taken for lost, so that the loop goes on. Returns how much that is. */
  forgive(): number {
    if (!this.peer.drained) return 0;
    let missing = 0;
    for (const subscriber of this.#audience) {
      const arrived = subscriber.expected[this.#plan.index] ?? 0;
      missing += this.sent - arrived;
      subscriber.lost += this.sent - arrived;
      subscriber.expected[this.#plan.index] = this.sent;
    }
    if (this.#plan.qos === 1) {
      missing += this.sent - this.peer.acknowledged;
      this.peer.acknowledged = this.sent;
    }
    return missing;
  }
}
