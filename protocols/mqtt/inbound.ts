/**
 * What may be between PUBLISH at QoS 2 and its PUBREL: being made durable, or that has been said (PUBREC). After a return
 * it may be unknown whether the message was still taken in.
 */
export type InboundState = 'storing' | 'stored' | 'unsure';

interface Received {
  state: InboundState;
  /** Names the message among all of the session's, so that it is taken in once. */
  readonly number: number;
  /** It goes to a queue, which is not written together with the session, whatever the store. */
  readonly apart: boolean;
}

/** Packet identifiers of QoS 2 messages from the client that it has not released. */
export class Inbound {
  readonly #received = new Map<number, Received>();
  /** From an earlier connection, and not sent again on this one. */
  #carried: Set<number> | undefined;
  #lastNumber = 0;
  #storing = 0;

  get size(): number {
    return this.#received.size;
  }

  /** How many of them came on an earlier connection only: a window begins anew with each connection (4.9). */
  get carried(): number {
    return this.#carried?.size ?? 0;
  }

  /** How many of them are being made durable. */
  get storing(): number {
    return this.#storing;
  }

  get lastNumber(): number {
    return this.#lastNumber;
  }

  entries(): Iterable<[packetId: number, Received]> {
    return this.#received;
  }

  state(packetId: number): InboundState | undefined {
    return this.#received.get(packetId)?.state;
  }

  number(packetId: number): number {
    return this.#received.get(packetId)?.number ?? 0;
  }

  add(packetId: number, state: InboundState, apart = false): void {
    if (state === 'storing') this.#storing++;
    this.#received.set(packetId, { state, number: ++this.#lastNumber, apart });
  }

  set(packetId: number, state: InboundState): void {
    const received = this.#received.get(packetId);
    if (received === undefined) return;
    this.#storing += (state === 'storing' ? 1 : 0) - (received.state === 'storing' ? 1 : 0);
    received.state = state;
    if (state === 'storing') this.#carried?.delete(packetId);
  }

  delete(packetId: number): boolean {
    if (this.state(packetId) === 'storing') this.#storing--;
    this.#carried?.delete(packetId);
    return this.#received.delete(packetId);
  }

  restore(lastNumber: number, received: Iterable<readonly [number, InboundState, number]>): void {
    this.#lastNumber = lastNumber;
    for (const [packetId, state, number] of received) {
      this.#received.set(packetId, { state, number, apart: true });
      this.#carried ??= new Set();
      this.#carried.add(packetId);
    }
  }
}
