import type { Clock, Timer } from '../../src/ports/clock.ts';

export interface HeldReceiptsOwner {
  /** Frames that wait for their COMMIT have asked for receipts. */
  readonly holdsReceipts: boolean;
  /** Gives them. */
  giveHeldReceipts(): void;
}

/**
 * Sees to clients that send no COMMIT before they have the receipts of the transaction's frames, as libraries do that were written for
 * ActiveMQ (Perl's Net::Stomp, PHP's extension). Who is silent for so long has them, though they say no more than that the frames
 * are held.
 */
export class HeldReceipts {
  readonly #clock: Clock;
  readonly #milliseconds: number;
  readonly #owner: HeldReceiptsOwner;
  /** When the last frame came, milliseconds since 1970. */
  #heardAt = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, milliseconds: number, owner: HeldReceiptsOwner) {
    this.#clock = clock;
    this.#milliseconds = milliseconds;
    this.#owner = owner;
  }

  /** A frame has been handled, and there are some. */
  heard(now: number): void {
    this.#heardAt = now;
    if (this.#timer === undefined) this.#wait(this.#milliseconds);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(milliseconds: number): void {
    this.#timer = this.#clock.schedule(milliseconds, () => {
      this.#timer = undefined;
      if (!this.#owner.holdsReceipts) return;
      const left = this.#heardAt + this.#milliseconds - this.#clock.now();
      if (left > 0) this.#wait(left);
      else this.#owner.giveHeldReceipts();
    });
  }
}
