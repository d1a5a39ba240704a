import type { Counters } from '../core/counters.ts';
import { BrokerError } from '../core/errors.ts';
import type { Backbone } from '../ports/backbone.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Claim, Logger, SessionOwner, Sessions } from '../ports/routing.ts';
import { DurableTopics } from './durable-topics.ts';
import { type PlaceContext, SessionPlace } from './place.ts';
import { Serial } from './serial.ts';
import { decodeSession, encodeSession, isGroupKey, type SessionRecord } from './session-record.ts';

/** How often the store is looked through for sessions whose time is over, milliseconds. Returning finds out by itself. */
const SWEEP = 300_000;

export interface SessionOptions {
  /** Sessions kept without a connection. */
  readonly detachedSessions: number;
  readonly checkpointMilliseconds: number;
}

/** Sessions by key: the places taken on this node, and what the store keeps of all others. */
export class SessionRegistry implements Sessions {
  readonly #places = new Map<string, SessionPlace>();
  /** Left, with a last write under way. */
  readonly #leaving = new Map<string, SessionPlace>();
  readonly #serial = new Serial();
  readonly #backbone: Backbone;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #logger: Logger;
  readonly #options: SessionOptions;
  readonly #ended: (key: string) => void;
  readonly #context: PlaceContext;
  readonly #durables: DurableTopics;
  /** Kept without a connection, as far as this node knows. */
  #detached = 0;
  /** How many have been left so since the start. */
  #leftSoFar = 0;
  /** Places whose subscriptions the router does not have, or not any more. */
  #unheard = 0;
  /** What the store keeps has been counted. */
  #counted = false;
  /** Those of them that are groups. */
  #detachedGroups = 0;
  #timer: Timer | undefined;

  /** `ended`: a session is over, and with it what depends on it (its will). */
  constructor(
    backbone: Backbone,
    clock: Clock,
    counters: Counters,
    logger: Logger,
    options: SessionOptions,
    ended: (key: string) => void,
  ) {
    this.#backbone = backbone;
    this.#clock = clock;
    this.#counters = counters;
    this.#logger = logger;
    this.#options = options;
    this.#ended = ended;
    this.#durables = new DurableTopics(backbone.state, logger);
    this.#context = {
      state: backbone.state,
      clock,
      logger,
      node: backbone.cluster.node,
      checkpointMilliseconds: options.checkpointMilliseconds,
      left: (place, seconds) => this.#left(place, seconds),
      unheard: (change) => {
        this.#unheard += change;
      },
    };
  }

  /** Clients' sessions that are kept without a connection, as far as this node knows. */
  get away(): number {
    return this.#detached - this.#detachedGroups;
  }

  /** The router has the subscriptions of every session there is on this node and in the store. */
  get allHeard(): boolean {
    return this.#counted && this.#detached === 0 && this.#unheard === 0;
  }

  /** Whether a session that is kept, or will be, is for all messages of the topic (`Claim.filter`). */
  logs(topic: string): boolean {
    return this.#durables.has(topic);
  }

  async start(): Promise<void> {
    await this.#durables.start();
    await this.#sweep();
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  open(claim: Claim, owner: SessionOwner): Promise<SessionPlace> {
    return this.#serial.run(claim.key, () => this.#open(claim, owner));
  }

  async #open(claim: Claim, owner: SessionOwner): Promise<SessionPlace> {
    const { key } = claim;
    const { cluster, state } = this.#backbone;
    const here = this.#places.get(key);
    if (here !== undefined) {
      if (here.claim.principal !== claim.principal) throw foreign();
      this.#places.delete(key);
      here.owner.takenOver();
      await here.gone;
    }
    // Else its last write, tried again, could follow ours.
    await this.#leaving.get(key)?.gone;
    await cluster.claim(key);
    try {
      const entry = await state.get('sessions', key);
      const record = entry && this.#read(key, entry.value);
      if (record !== undefined && record.principal !== claim.principal) throw foreign();
      const over = record !== undefined && (claim.clean || expired(record, this.#clock.now()));
      if (record !== undefined && record.expiresAt > 0) this.#count(key, -1);
      if (entry !== undefined && (record === undefined || over)) {
        await state.remove('sessions', key);
        this.#over(key);
        if (record !== undefined && !claim.clean) this.#expired(key);
      }
      const stored = record !== undefined && !over;
      if (claim.filter !== undefined && claim.keptFor > 0) await this.#durables.add(key, claim.filter);
      const place = new SessionPlace(claim, owner, stored ? record.state : undefined, stored, this.#context);
      this.#places.set(key, place);
      return place;
    } catch (error) {
      cluster.release(key);
      throw error;
    }
  }

  /** Another node claims a key of this one's. */
  async yield(key: string): Promise<void> {
    await this.#serial.run(key, async () => {
      const place = this.#places.get(key);
      // Else the other node would read what was before its last write.
      if (place === undefined) return this.#leaving.get(key)?.gone;
      this.#places.delete(key);
      place.owner.takenOver();
      await place.gone;
    });
  }

  /** What was connected to lost nodes is kept from now on for as long as it was to be. */
  async nodeLost(): Promise<void> {
    await this.#sweep();
  }

  #left(place: SessionPlace, seconds: number): number {
    const { key } = place.claim;
    if (this.#places.get(key) === place) {
      this.#places.delete(key);
      this.#leaving.set(key, place);
      void place.gone.then(() => {
        if (this.#leaving.get(key) === place) this.#leaving.delete(key);
        this.#backbone.cluster.release(key);
      });
    }
    if (seconds === 0) {
      this.#over(key);
      return 0;
    }
    if (this.#detached >= this.#options.detachedSessions) {
      this.#counters.droppedSessions++;
      this.#over(key);
      return 0;
    }
    this.#count(key, 1);
    this.#leftSoFar++;
    return seconds;
  }

  #count(key: string, change: 1 | -1): void {
    this.#detached += change;
    if (isGroupKey(key)) this.#detachedGroups += change;
  }

  /** There is nothing of the session any more. */
  #over(key: string): void {
    this.#durables.remove(key);
    this.#ended(key);
  }

  #expired(key: string): void {
    if (!isGroupKey(key)) this.#counters.sessionsExpired++;
  }

  async #sweep(): Promise<void> {
    const { state, cluster } = this.#backbone;
    const now = this.#clock.now();
    let detached = 0;
    const before = this.#leftSoFar;
    let groups = 0;
    const changes: (() => Promise<unknown>)[] = [];
    const keys = new Set<string>();
    try {
      await state.scan('sessions', (key, { value, revision }) => {
        if (this.#durables.knows(key)) keys.add(key);
        const record = this.#read(key, value);
        if (this.#places.has(key)) return;
        if (record === undefined) {
          changes.push(() => state.remove('sessions', key, revision));
        } else if (expired(record, now)) {
          changes.push(async () => {
            if ((await state.remove('sessions', key, revision)) === undefined) return;
            this.#over(key);
            this.#expired(key);
          });
        } else {
          const connected = record.expiresAt === 0 && cluster.alive(record.node);
          if (!connected) detached++;
          if (!connected && isGroupKey(key)) groups++;
          if (record.expiresAt > 0 || connected) return;
          // Its node is still named: it may go on with the session, should it be there after all.
          const left = encodeSession({ ...record, expiresAt: now + record.keptFor * 1000 });
          changes.push(() => state.put('sessions', key, left, revision));
        }
      });
      for (const change of changes) await change();
      this.#durables.retain((key) => keys.has(key) || this.#places.has(key));
      // Those left meanwhile may be counted twice, until the next time; they are not forgotten.
      this.#detached = detached + this.#leftSoFar - before;
      this.#counted = true;
      this.#detachedGroups = groups;
    } catch (error) {
      this.#logger.warn({ err: error }, 'the sessions in the store could not be looked through; trying again later');
    }
  }

  #schedule(): void {
    this.#timer = this.#clock.schedule(SWEEP, () => {
      void this.#sweep();
      this.#schedule();
    });
  }

  #read(key: string, value: Uint8Array): SessionRecord | undefined {
    try {
      return decodeSession(value);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#logger.error({ err: error, session: key }, 'a stored session cannot be read; it is thrown away');
      return undefined;
    }
  }
}

function expired({ expiresAt }: SessionRecord, now: number): boolean {
  return expiresAt > 0 && expiresAt <= now;
}

function foreign(): BrokerError {
  return new BrokerError('identifierInvalid', 'this client identifier has a session of another user');
}
