import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Logger } from '../../src/ports/routing.ts';
import { type Connection, explain } from './connection.ts';
import type { JetStreamState } from './state.ts';

/** A lease is renewed so many times within its duration. */
const RENEWALS = 3;
const BUCKET = 'nodes';

/**
 * Which nodes run. Each has an entry in the state that it renews; one that is not renewed in time is removed by whoever
 * sees it first, by compare-and-set, and the removal is what all hear: so all agree. Times are this node's own, since it
 * last heard of the other. A node judges others only as long as its own renewals come back to it: while NATS is away, has
 * no leader, or this process stands still, it hears of no one, which says nothing about them; then all times begin anew.
 */
export class Leases {
  readonly #node: string;
  readonly #state: JetStreamState;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #duration: number;
  readonly #interval: number;
  readonly #lost: (node: string) => void;
  readonly #others = new Map<string, { revision: number; heard: number }>();
  #timer: Timer | undefined;
  #running = false;
  /** When a renewal of this node's own came back. */
  #ownHeard = 0;
  #renewing = false;

  constructor(
    node: string,
    seconds: number,
    state: JetStreamState,
    connection: Connection,
    clock: Clock,
    logger: Logger,
    lost: (node: string) => void,
  ) {
    this.#node = node;
    this.#duration = seconds * 1000;
    this.#interval = this.#duration / RENEWALS;
    this.#state = state;
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger;
    this.#lost = lost;
    state.watch(BUCKET, (name, entry, revision) => {
      if (entry !== undefined) this.#heard(name, revision);
      else this.#gone(name);
    });
    connection.listen({
      up: () => {
        this.#beginAnew();
        void this.#renew();
      },
      down: () => {},
    });
  }

  async start(): Promise<void> {
    this.#running = true;
    await this.#state.put(BUCKET, this.#node, new Uint8Array(0));
    await this.#state.scan(BUCKET, (name, { revision }) => this.#heard(name, revision));
    this.#ownHeard = this.#clock.now();
    this.#tick();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#timer?.cancel();
    if (this.#connection.up) await this.#state.remove(BUCKET, this.#node);
  }

  has(node: string): boolean {
    return node === this.#node || this.#others.has(node);
  }

  /** The same, but it asks for the node's entry before it says no: the node may have begun just now. */
  async find(node: string): Promise<boolean> {
    if (this.has(node)) return true;
    const entry = await this.#state.get(BUCKET, node);
    if (entry !== undefined) this.#heard(node, entry.revision);
    return entry !== undefined;
  }

  #heard(name: string, revision: number): void {
    const now = this.#clock.now();
    if (name === this.#node) {
      if (now - this.#ownHeard > this.#interval * 2) this.#beginAnew();
      this.#ownHeard = now;
    } else {
      this.#others.set(name, { revision, heard: now });
    }
  }

  #gone(name: string): void {
    if (name === this.#node) {
      if (!this.#running) return;
      this.#logger.warn({ node: name }, 'The other brokers took this one for lost; it goes on');
      void this.#renew();
    } else if (this.#others.delete(name)) {
      this.#logger.info({ node: name }, 'Another broker has ended');
      this.#lost(name);
    }
  }

  #tick(): void {
    this.#timer = this.#clock.schedule(this.#interval, () => {
      const now = this.#clock.now();
      const hears = now - this.#ownHeard < this.#interval * 1.8;
      if (this.#connection.up) void this.#renew();
      for (const [name, { heard, revision }] of this.#others) {
        if (hears && this.#connection.up && now - heard > this.#duration) void this.#end(name, revision);
      }
      this.#tick();
    });
  }

  #beginAnew(): void {
    const now = this.#clock.now();
    for (const other of this.#others.values()) other.heard = now;
  }

  async #renew(): Promise<void> {
    if (this.#renewing || !this.#running) return;
    this.#renewing = true;
    try {
      await this.#state.put(BUCKET, this.#node, new Uint8Array(0));
    } catch (error) {
      this.#logger.warn({ error: explain(error) }, 'The lease of this broker could not be renewed');
    }
    this.#renewing = false;
  }

  /** Its removal, when it has not been renewed meanwhile, comes back by the watch. */
  async #end(name: string, revision: number): Promise<void> {
    try {
      if ((await this.#state.remove(BUCKET, name, revision)) !== undefined) return;
      const entry = await this.#state.get(BUCKET, name);
      if (entry === undefined) this.#gone(name);
      else this.#heard(name, entry.revision);
    } catch {
      // NATS is away, or at work: at the next tick.
    }
  }
}
