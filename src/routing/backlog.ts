import type { Backlog, Router } from '../ports/routing.ts';
import type { Connection } from '../ports/transport.ts';

/** Counts what one connection has under way; past its limit, or while the log is behind, it is not read from. */
export class ConnectionBacklog implements Backlog {
  readonly #router: Router;
  readonly #connection: Connection;
  /** Messages. */
  readonly #limit: number;
  #size = 0;
  #paused = false;

  constructor(router: Router, connection: Connection, limit: number) {
    this.#router = router;
    this.#connection = connection;
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  get paused(): boolean {
    return this.#paused;
  }

  add(): void {
    this.#size++;
    if (this.#paused || (this.#size < this.#limit && !this.#router.congested())) return;
    this.#paused = true;
    this.#connection.pause();
  }

  /** Reads on when half of it is gone; while the log is behind, when all of it is. */
  remove(): void {
    this.#size--;
    if (!this.#paused) return;
    if (this.#router.congested() ? this.#size > 0 : this.#size * 2 > this.#limit) return;
    this.#paused = false;
    this.#connection.resume();
  }
}
