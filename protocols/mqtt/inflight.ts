import type { Message, Qos } from '../../src/core/message.ts';
import type { Position } from '../../src/ports/routing.ts';
import type { Holding } from './holding.ts';

/** A message sent at QoS 1 or 2 and not settled. */
export interface Sent extends Position {
  readonly qos: Qos;
  /** A retained message, or one of a queue, which the log does not have: kept to be sent again. Then `sequence` is 0. */
  readonly message: Message | undefined;
  readonly retain: boolean;
  /** QoS 2: PUBREC has come; the message is no longer needed, PUBREL is (MQTT 5.0, 4.3.3). */
  readonly released: boolean;
  /** The filter of the subscription it came by, where that has a way of its own: a replay, a group, a queue; else empty. */
  readonly source: string;
  /** Of a group or queue, which is to be told what becomes of it, by this number. */
  readonly holding: Holding | undefined;
  readonly delivery: number;
}

/** Packet identifiers there are. */
const IDENTIFIERS = 0xffff;

/** What a client has not acknowledged, by packet identifier, in the order to send it again, over all of its connections. */
export class Inflight {
  readonly #sent = new Map<number, Sent>();
  #lastId = 0;
  /** Sent on this connection: what counts against the Receive Maximum (4.9), which begins anew with each connection. */
  #outstanding = 0;
  /** From an earlier connection, and not sent on this one: of these, nothing is given back to the window. */
  #carried: Set<number> | undefined;

  get size(): number {
    return this.#sent.size;
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  /**
   * Whether one more may be sent in a window of so many. What is left of earlier connections when all was sent again waits
   * for PUBCOMP only: it takes no place, as far as it is not more than `bound`; else it would have none.
   */
  hasRoom(window: number, bound: number): boolean {
    const excess = this.#carried === undefined ? 0 : Math.max(0, this.#carried.size - bound);
    return this.#outstanding + excess < window && this.#sent.size < IDENTIFIERS;
  }

  entries(): Iterable<[packetId: number, Sent]> {
    return this.#sent;
  }

  values(): Iterable<Sent> {
    return this.#sent.values();
  }

  get(packetId: number): Sent | undefined {
    return this.#sent.get(packetId);
  }

  /** Takes an identifier that is not in flight [MQTT-2.2.1-4]: as long as there is room, there is one. */
  add(sent: Sent): number {
    do {
      this.#lastId = this.#lastId === IDENTIFIERS ? 1 : this.#lastId + 1;
    } while (this.#sent.has(this.#lastId));
    this.#sent.set(this.#lastId, sent);
    this.#outstanding++;
    return this.#lastId;
  }

  /** From an earlier connection. */
  restore(packetId: number, sent: Sent): void {
    this.#sent.set(packetId, sent);
    this.#lastId = packetId;
    this.#carried ??= new Set();
    this.#carried.add(packetId);
  }

  /** Sent again, on this connection. */
  repeated(packetId: number): void {
    if (this.#carried?.delete(packetId)) this.#outstanding++;
  }

  /** Those released are in the order of that, for their PUBRELs [MQTT-4.6.0-4]; the others stay in the order sent. */
  release(packetId: number): void {
    const sent = this.#sent.get(packetId);
    if (sent === undefined || sent.released) return;
    this.#sent.delete(packetId);
    this.#sent.set(packetId, { ...sent, message: undefined, released: true, holding: undefined });
  }

  /** The session answers for it now, not the group or queue it came from. */
  own(packetId: number): void {
    const sent = this.#sent.get(packetId);
    if (sent !== undefined) this.#sent.set(packetId, { ...sent, holding: undefined });
  }

  /** What was never sent on this connection. */
  forget(packetId: number): void {
    this.#sent.delete(packetId);
    this.#carried?.delete(packetId);
  }

  settle(packetId: number): void {
    if (this.#sent.delete(packetId) && !this.#carried?.delete(packetId)) this.#outstanding--;
  }
}
