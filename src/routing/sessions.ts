import type { Counters } from '../core/counters.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import type { Session, Sessions } from '../ports/routing.ts';

/** Sessions by client id, in memory: those with a connection, and the detached until their time is over. */
export class SessionTable<T extends Session> implements Sessions<T> {
  readonly #sessions = new Map<string, T>();
  readonly #detached = new Map<T, Timer>();
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #counters: Counters;

  constructor(limits: Limits, clock: Clock, counters: Counters) {
    this.#limits = limits;
    this.#clock = clock;
    this.#counters = counters;
  }

  find(clientId: string): T | undefined {
    return this.#sessions.get(clientId);
  }

  add(session: T): void {
    this.#sessions.set(session.clientId, session);
  }

  detach(session: T, seconds: number): void {
    if (this.#detached.size >= this.#limits.detachedSessions) {
      this.#counters.droppedSessions++;
      this.#expire(session);
      return;
    }
    this.#detached.set(
      session,
      this.#clock.schedule(seconds * 1000, () => this.#expire(session)),
    );
  }

  attach(session: T): void {
    this.#detached.get(session)?.cancel();
    this.#detached.delete(session);
  }

  remove(session: T): void {
    this.attach(session);
    if (this.#sessions.get(session.clientId) === session) this.#sessions.delete(session.clientId);
  }

  stop(): void {
    for (const timer of this.#detached.values()) timer.cancel();
    this.#detached.clear();
  }

  #expire(session: T): void {
    this.remove(session);
    session.end();
  }
}
