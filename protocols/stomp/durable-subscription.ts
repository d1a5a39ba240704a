import type { Start } from '../../src/core/start.ts';
import type { Place, Position, Services, SessionOwner } from '../../src/ports/routing.ts';
import type { DurableName } from './durable.ts';
import type { Link } from './feed.ts';
import { Progress } from './progress.ts';
import { Refusal } from './refusal.ts';
import type { TopicRequest } from './subscribe.ts';
import type { StompSubscription } from './subscription.ts';
import { TopicSubscription } from './topic-subscription.ts';

/**
 * A subscription to topics that outlives its connection. What is kept of it is its place in the log; another connection
 * that subscribes under the same name takes it over.
 */
export class DurableSubscription implements StompSubscription, SessionOwner {
  readonly name: string | undefined;
  readonly destination: string;
  readonly durable: DurableName;
  readonly competes = false;
  readonly #link: Link;
  readonly #filter: string;
  /** Where a new one begins. */
  readonly #start: Start;
  readonly #progress: Progress;
  readonly #topic: TopicSubscription;
  readonly #takenOver: (error: Refusal) => void;
  #place: Place | undefined;
  #opened: Promise<void> = Promise.resolve();
  /** Those who wait until something is durable: with the end of this connection's hold they wait for nothing. */
  readonly #waiting = new Set<() => void>();
  /** This connection is done with it; it may still be on its way from the store, or back. */
  #closed = false;
  #deleted = false;
  /** What was settled with messages that are not known to be durable. */
  readonly #joined: (readonly Position[])[] = [];

  /** `takenOver`: another connection has it now. */
  constructor(
    link: Link,
    number: number,
    request: TopicRequest,
    durable: DurableName,
    takenOver: (error: Refusal) => void,
  ) {
    this.name = request.id;
    this.destination = request.destination;
    this.durable = durable;
    this.#link = link;
    this.#filter = request.filter;
    this.#start = request.start ?? { from: 'new' };
    this.#takenOver = takenOver;
    // What is published from now on is for a new one, though it is not open before the store has answered.
    const from = link.services.router.positions();
    this.#progress = new Progress(request, from, () => this.#place?.changed());
    this.#topic = new TopicSubscription(link, number, request, this.#progress);
  }

  // --- the store ----------------------------------------------------------------------------------------------------

  start(): Promise<void> {
    this.#topic.start();
    const { sessions, limits } = this.#link.services;
    const { key } = this.durable;
    const principal = this.#link.principal.name;
    const claim = { key, principal, clean: false, keptFor: limits.sessionExpirySeconds, filter: this.#filter };
    this.#opened = sessions.open(claim, this).then((place) => this.#open(place));
    return this.#opened;
  }

  answered(): void {
    this.#topic.answered();
  }

  async #open(place: Place): Promise<void> {
    const returns = this.#restore(place);
    const replays = !returns && this.#start.from !== 'new';
    if (replays) await this.#goBack(place);
    this.#place = place;
    if (!this.#closed) {
      this.#topic.begin(!returns && !replays, this.#progress.from());
      place.listens(true);
    }
    const saved = this.#save();
    // The connection has gone meanwhile, or its client unsubscribed: that it had subscribed is kept all the same.
    if (this.#closed) void saved.then(() => this.#leave());
    return saved;
  }

  async #goBack(place: Place): Promise<void> {
    try {
      this.#progress.begin(await this.#link.services.startOf(this.#start, this.#filter));
    } catch (error) {
      // It has not begun: the next SUBSCRIBE says anew where it does.
      place.leave(0);
      throw error;
    }
  }

  /** Whether it is the same subscription as before. */
  #restore(place: Place): boolean {
    const { kept } = place;
    place.kept = undefined;
    if (kept === undefined) return false;
    const { logger } = this.#link.services;
    const which = { subscription: this.durable.key, destination: this.destination };
    try {
      if (this.#progress.restore(kept)) return true;
      logger.info(
        which,
        'a durable subscription begins anew: its destination, no-local or selector is another one than before',
      );
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      logger.error({ ...which, err: error }, 'a stored subscription cannot be read; it begins anew');
    }
    return false;
  }

  encode(): Uint8Array {
    return this.#progress.encode(this.#topic.positions());
  }

  takenOver(): void {
    if (this.#closed) this.#leave();
    else {
      const detail = `another connection has subscribed to the durable subscription ${this.durable.title}`;
      this.#takenOver(new Refusal('takenOver', detail, 'One connection at a time may have it.'));
    }
  }

  stored(): Promise<void> {
    return this.#opened.then(() => this.#save());
  }

  #save(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
      void this.#place?.save().then(() => {
        this.#waiting.delete(resolve);
        resolve();
      });
    });
  }

  #leave(): void {
    this.#place?.leave(this.#deleted ? 0 : this.#link.services.limits.sessionExpirySeconds);
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  // --- the client ---------------------------------------------------------------------------------------------------

  issued(number: number): boolean {
    return this.#topic.issued(number);
  }

  unsettled(number: number): boolean {
    return this.#topic.unsettled(number);
  }

  holds(): boolean {
    return true;
  }

  settle(number: number): void {
    this.#topic.settle(number);
  }

  get joins(): boolean {
    return this.#place?.atomic ?? false;
  }

  join(numbers: readonly number[]): void {
    this.#joined.push(numbers.flatMap((number) => this.#topic.settle(number)));
    void this.#place?.put();
  }

  joined(durable: boolean): void {
    if (durable) this.#joined.shift();
    else for (const positions of this.#joined.splice(0)) this.#progress.unsettled(positions);
  }

  pump(): void {
    this.#topic.pump();
  }

  async unsubscribe(forever: boolean): Promise<void> {
    this.#closed = true;
    this.#place?.listens(false);
    this.#topic.close();
    if (!forever) {
      await this.stored();
      this.#leave();
      return;
    }
    this.#deleted = true;
    try {
      // Takes it over from this connection, which lets go of it then.
      await deleteStored(this.#link.services, this.durable.key, this.#link.principal.name);
    } catch (error) {
      this.#deleted = false;
      this.#leave();
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    this.#topic.close();
    // One that is still being opened is left then.
    if (this.#place !== undefined) this.#leave();
  }
}

const NOTHING = new Uint8Array();

/** Deletes a durable subscription, whoever has it; resolves when that is durable. */
export async function deleteStored({ sessions }: Services, key: string, principal: string): Promise<void> {
  // Whoever wants the key next gets it at once: it is let go of below.
  const owner: SessionOwner = { takenOver() {}, encode: () => NOTHING };
  const place = await sessions.open({ key, principal, clean: true, keptFor: 0 }, owner);
  place.leave(0);
}
