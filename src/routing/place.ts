import type { State } from '../ports/backbone.ts';
import { type Clock, pause, type Timer } from '../ports/clock.ts';
import type { Claim, Logger, Place, SessionOwner } from '../ports/routing.ts';
import { encodeSession } from './session-record.ts';

/** Milliseconds until a write that the store did not take is tried again. */
const RETRY = 1000;

export interface PlaceContext {
  readonly state: State;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly node: string;
  readonly checkpointMilliseconds: number;
  /** The place has been left; resolves what is to be kept, in seconds (0 where there is no room). */
  left(place: SessionPlace, seconds: number): number;
}

/** Writes of one session, one at a time; what changes meanwhile is in the next. */
export class SessionPlace implements Place {
  readonly claim: Claim;
  readonly owner: SessionOwner;
  kept: Uint8Array | undefined;
  readonly #context: PlaceContext;
  /** Who waits for the last write. */
  #watchers: (() => void)[] | undefined;
  #ended = false;
  /** Something of it is in the store. */
  #stored: boolean;
  #checkpoint: Timer | undefined;
  #writing = false;
  #scheduled = false;
  #waiting: (() => void)[] | undefined;
  #left = false;

  constructor(claim: Claim, owner: SessionOwner, kept: Uint8Array | undefined, stored: boolean, context: PlaceContext) {
    this.claim = claim;
    this.owner = owner;
    this.kept = kept;
    this.#stored = stored;
    this.#context = context;
  }

  /** Resolves when the last write after `leave` is durable. */
  get gone(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended) {
        resolve();
        return;
      }
      this.#watchers ??= [];
      this.#watchers.push(resolve);
    });
  }

  get atomic(): boolean {
    return this.#context.state.atomic;
  }

  get #durable(): boolean {
    return this.claim.keptFor > 0;
  }

  changed(): void {
    if (!this.#durable || this.#left || this.#checkpoint !== undefined) return;
    const { clock, checkpointMilliseconds } = this.#context;
    this.#checkpoint = clock.schedule(checkpointMilliseconds, () => {
      this.#checkpoint = undefined;
      if (!this.#left) void this.save();
    });
  }

  save(): Promise<void> {
    if (!this.#durable || this.#left) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
      if (this.#writing || this.#scheduled) return;
      this.#scheduled = true;
      this.#context.clock.defer(() => {
        this.#scheduled = false;
        if (!this.#writing && !this.#left) void this.#write();
      });
    });
  }

  async put(): Promise<void> {
    if (!this.#durable || this.#left) return;
    try {
      await this.#store(this.#record(0));
    } catch {
      await this.save();
    }
  }

  leave(seconds: number): void {
    if (this.#left) return;
    this.#left = true;
    this.#checkpoint?.cancel();
    const keptFor = this.#context.left(this, seconds);
    if (keptFor > 0) void this.#finish(this.#record(keptFor));
    else if (this.#stored) void this.#finish(undefined);
    else this.#end();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    this.#checkpoint?.cancel();
    this.#checkpoint = undefined;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    try {
      await this.#store(this.#record(0));
      for (const resolve of waiting) resolve();
    } catch (error) {
      this.#waiting = [...waiting, ...(this.#waiting ?? [])];
      await this.#pause(error);
    }
    this.#writing = false;
    if (this.#waiting !== undefined && !this.#left) void this.#write();
  }

  /** The last write: kept at it until the store takes it. */
  async #finish(record: Uint8Array | undefined): Promise<void> {
    for (;;) {
      try {
        if (record === undefined) await this.#context.state.remove('sessions', this.claim.key);
        else await this.#store(record);
        break;
      } catch (error) {
        await this.#pause(error);
      }
    }
    this.#end();
  }

  #end(): void {
    // Whoever waits for a write of a session that has ended waits for nothing.
    this.#waiting = undefined;
    this.#ended = true;
    for (const resolve of this.#watchers ?? []) resolve();
  }

  async #store(record: Uint8Array): Promise<void> {
    this.#stored = true;
    await this.#context.state.put('sessions', this.claim.key, record);
  }

  #record(keptFor: number): Uint8Array {
    const { node, clock } = this.#context;
    const { principal } = this.claim;
    return encodeSession({
      principal,
      node,
      keptFor: keptFor > 0 ? keptFor : this.claim.keptFor,
      expiresAt: keptFor > 0 ? clock.now() + keptFor * 1000 : 0,
      state: this.owner.encode(),
    });
  }

  #pause(error: unknown): Promise<void> {
    const { logger, clock } = this.#context;
    logger.warn({ err: error, session: this.claim.key }, 'a session could not be stored; trying again');
    return pause(clock, RETRY);
  }
}
