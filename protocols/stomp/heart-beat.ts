import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Connection } from '../../src/ports/transport.ts';
import { writeHeartBeat } from './encoder.ts';
import { Refusal, shown } from './refusal.ts';

/** What a client announces: milliseconds between what it can send, and between what it would like to get; 0: none. */
export interface HeartBeatOffer {
  readonly sends: number;
  readonly wants: number;
}

const NONE: HeartBeatOffer = { sends: 0, wants: 0 };

/** Timers take no more than 31 bits; twelve days between heart-beats is as good as any longer time. */
const LONGEST = 0x3fffffff;

/** Part of an interval after which a heart-beat is sent, so that it arrives within it. */
const SEND_AFTER = 0.8;
/** Intervals of silence after which the peer is taken for dead: the margin for the way (STOMP 1.2, Heart-beating). */
const SILENCE = 2;

/** Reads `heart-beat:<sends>,<wants>`; missing is `0,0`. */
export function readHeartBeat(text: string | undefined): HeartBeatOffer {
  if (text === undefined) return NONE;
  const match = /^\s*([0-9]+)\s*,\s*([0-9]+)\s*$/.exec(text);
  if (match === null) {
    const detail = `the header heart-beat ${shown(text)} is not two numbers`;
    throw new Refusal(
      'malformed',
      detail,
      'Two whole numbers of milliseconds with a comma between are expected, as in 10000,10000.',
    );
  }
  return { sends: Math.min(Number(match[1]), LONGEST), wants: Math.min(Number(match[2]), LONGEST) };
}

/** The interval one way: none unless both sides agree, else what the slower of them can (STOMP 1.2, Heart-beating). */
export function agreed(sends: number, wants: number): number {
  return sends === 0 || wants === 0 ? 0 : Math.max(sends, wants);
}

export interface HeartBeatOwner {
  /** Nothing came for too long. */
  silent(milliseconds: number): void;
  /** Whether the peer is not being read from, so that it cannot be heard. */
  deaf(): boolean;
}

/** The heart-beats of a connection, both ways. Made only where some were agreed. */
export class HeartBeat {
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #owner: HeartBeatOwner;
  /** When something last came, milliseconds since 1970, and how many bytes had come by then. */
  #heardAt: number;
  #received: number;
  #sending: Timer | undefined;
  #listening: Timer | undefined;

  /** `send`, `expect`: the intervals agreed, in milliseconds; 0: none this way. */
  constructor(clock: Clock, connection: Connection, owner: HeartBeatOwner, send: number, expect: number) {
    this.#clock = clock;
    this.#connection = connection;
    this.#owner = owner;
    this.#heardAt = clock.now();
    this.#received = connection.received;
    if (send > 0) this.#send(Math.max(1, Math.floor(send * SEND_AFTER)));
    if (expect > 0) this.#listen(expect * SILENCE, expect * SILENCE);
  }

  /** Something has come. */
  hear(now: number): void {
    this.#heardAt = now;
    this.#received = this.#connection.received;
  }

  stop(): void {
    this.#sending?.cancel();
    this.#listening?.cancel();
  }

  /** Also on a busy connection: a byte each interval costs less than knowing what was written when. */
  #send(interval: number): void {
    this.#sending = this.#clock.schedule(interval, () => {
      if (!this.#connection.full()) writeHeartBeat(this.#connection);
      this.#send(interval);
    });
  }

  #listen(delay: number, silence: number): void {
    this.#listening = this.#clock.schedule(delay, () => {
      const now = this.#clock.now();
      const { received } = this.#connection;
      // "Any new data received over the network connection" counts, and a WebSocket message shows only when all of it is there.
      if (received !== this.#received || this.#owner.deaf()) this.hear(now);
      const left = this.#heardAt + silence - now;
      if (left > 0) this.#listen(left, silence);
      else this.#owner.silent(now - this.#heardAt);
    });
  }
}
