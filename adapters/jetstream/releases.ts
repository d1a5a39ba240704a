import type { Clock } from '../../src/ports/clock.ts';
import type { LaneBuffer } from './held.ts';

/** A message that was released to the server, which gives it again. */
export interface Release {
  readonly id: number;
  readonly dueAt: number;
  /** undefined: what the server says. */
  readonly deliveries: number | undefined;
  readonly buffer: LaneBuffer;
  readonly consumed: number;
  /** Of its payload, bytes. */
  readonly size: number;
}

/** What was released and has not come back. Those of a turn are told to the server in order, which it keeps. */
export class Releases {
  readonly #clock: Clock;
  readonly #all = new Map<number, Release & { readonly returning: boolean }>();
  #unsent: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(id: number): Release | undefined {
    return this.#all.get(id);
  }

  add(release: Release): void {
    const now = this.#clock.now();
    const returning = release.dueAt <= now;
    if (returning) release.buffer.awaitReturn(now);
    this.#all.set(release.id, { ...release, returning });
    this.#unsent.push(release.id);
  }

  /** It came before its time. */
  postpone(release: Release): void {
    this.returned(release.id);
    this.add(release);
    this.send();
  }

  returned(id: number): void {
    const release = this.#all.get(id);
    if (release === undefined) return;
    this.#all.delete(id);
    if (release.returning) release.buffer.returning--;
  }

  send(): void {
    if (this.#unsent.length === 0) return;
    const ids = this.#unsent.sort((a, b) => a - b);
    this.#unsent = [];
    const now = this.#clock.now();
    for (const id of ids) {
      const release = this.#all.get(id);
      if (release !== undefined) release.buffer.lane.release(id, release.consumed, Math.max(0, release.dueAt - now));
    }
  }

  /** The server may not have heard of any. */
  repeat(): void {
    this.#unsent = [...this.#all.keys()];
    this.send();
  }

  /** Takes away those up to this one. */
  clear(last: number): Release[] {
    const gone = [...this.#all.values()].filter(({ id }) => id <= last);
    for (const { id } of gone) this.returned(id);
    return gone;
  }
}
