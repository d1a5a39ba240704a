import { pause } from '../core/pause.ts';
import type { Fence, State } from '../ports/backbone.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Claim, Logger, Place, SessionOwner } from '../ports/routing.ts';
import { decodeSession, encodeSession } from './session-record.ts';

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
  /** A place more, or less, of a session whose subscriptions the router has not. */
  unheard(change: 1 | -1): void;
}

/**
 * Writes of one session, one at a time; what changes meanwhile is in the next. A node that stood still, and does not know yet
 * that another one has the session by now, writes nothing over what that one has written.
 */
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
  /** Its subscriptions, if it has any, are known to the router. */
  #listens: boolean;
  /** Another node has the session. */
  #lost = false;
  /** Of the first write on: most sessions have none. */
  #fence: Fence | undefined;

  constructor(claim: Claim, owner: SessionOwner, kept: Uint8Array | undefined, stored: boolean, context: PlaceContext) {
    this.claim = claim;
    this.owner = owner;
    this.kept = kept;
    this.#stored = stored;
    this.#context = context;
    this.#listens = !stored;
    if (stored) context.unheard(1);
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
      if (!(await this.#store(() => this.#record(0)))) await new Promise(() => {});
    } catch {
      await this.save();
    }
  }

  listens(yes: boolean): void {
    if (this.#left || yes === this.#listens) return;
    this.#listens = yes;
    this.#context.unheard(yes ? -1 : 1);
  }

  leave(seconds: number): void {
    if (this.#left) return;
    this.#checkpoint?.cancel();
    const keptFor = this.#context.left(this, seconds);
    this.listens(true);
    this.#left = true;
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
      if (await this.#store(() => this.#record(0))) for (const resolve of waiting) resolve();
      else this.#waiting = [...waiting, ...(this.#waiting ?? [])];
    } catch (error) {
      this.#waiting = [...waiting, ...(this.#waiting ?? [])];
      await this.#pause(error);
    }
    this.#writing = false;
    if (this.#waiting !== undefined && !this.#left && !this.#lost) void this.#write();
  }

  /** The last write: kept at it until the store takes it. */
  async #finish(record: Uint8Array | undefined): Promise<void> {
    for (;;) {
      try {
        if (await this.#store(() => record, true)) for (const resolve of this.#waiting ?? []) resolve();
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

  /** False when it is another node's, so that nobody has use for it, or when the last write has it as well. */
  async #store(encode: () => Uint8Array | undefined, last = false): Promise<boolean> {
    const { state } = this.#context;
    const { key } = this.claim;
    this.#stored = true;
    this.#fence ??= { revision: 0 };
    const fence = this.#fence;
    while (!this.#lost && (last || !this.#left)) {
      const record = encode();
      const revision = await (record === undefined
        ? state.remove('sessions', key, fence)
        : state.put('sessions', key, record, fence));
      if (revision !== undefined) return true;
      await this.#contest(fence);
    }
    return false;
  }

  /** Another node has written: it has the session, or it took this one for lost, and noted when the session's time is over. */
  async #contest(fence: Fence): Promise<void> {
    const { state, node, clock, logger } = this.#context;
    const entry = await state.get('sessions', this.claim.key);
    if (entry === undefined || writerOf(entry.value) === node) {
      fence.revision = entry?.revision ?? 0;
    } else if (!this.#lost) {
      this.#lost = true;
      logger.warn({ session: this.claim.key }, 'another broker has a session that was this one’s');
      clock.defer(() => {
        if (!this.#left) this.owner.takenOver();
      });
    }
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

/** Name of the node; undefined when the bytes are no session. */
function writerOf(value: Uint8Array): string | undefined {
  try {
    return decodeSession(value).node;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}
