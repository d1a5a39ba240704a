import { asBrokerError, type BrokerError } from '../../core/errors.ts';
import { Fifo } from '../../core/fifo.ts';
import type { Clock } from '../../ports/clock.ts';
import type { OwnerLink, Push } from './owner-link.ts';
import { Moved, type Ownership } from './ownership.ts';

/** How often a message may be given back before it is refused, and milliseconds until the next try, doubled each time. */
const BOUNCES = 8;
const RETRY = 10;

/** Messages for one queue whose owner is not known at the moment. */
interface Lane {
  /** Given back by an owner that was none, in their order: before all that wait. */
  readonly bounced: Push[];
  readonly waiting: Fifo<Push>;
  /** An owner that was none, and how many it has not given back or stored yet: until then nothing may overtake them. */
  before: { readonly link: OwnerLink; left: number } | undefined;
  /** The owner is being looked for. */
  seeking: boolean;
  /** How many were sent before them that say how the queue is to be, and are not at the owner yet. */
  ahead: number;
}

/** Where messages wait, in their order, until it is known who has their queue. What waits is the publishers' backlog. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #ownership: Ownership;
  readonly #clock: Clock;
  readonly #go: (push: Push, node: string) => void;
  readonly #refuse: (push: Push, error: BrokerError) => void;

  constructor(
    ownership: Ownership,
    clock: Clock,
    go: (push: Push, node: string) => void,
    refuse: (push: Push, error: BrokerError) => void,
  ) {
    this.#ownership = ownership;
    this.#clock = clock;
    this.#go = go;
    this.#refuse = refuse;
  }

  /** Whether messages for this queue wait, so that others have to wait behind them. */
  has(queue: string): boolean {
    return this.#lanes.size > 0 && this.#lanes.has(queue);
  }

  wait(push: Push): void {
    const lane = this.#lane(push.queue);
    lane.waiting.push(push);
    this.#seek(push.queue, lane);
  }

  /** What says how the queue is to be is on its way to the owner: nothing overtakes it until the function is called. */
  hold(queue: string): () => void {
    const lane = this.#lane(queue);
    lane.ahead++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      lane.ahead--;
      // Refused meanwhile, with all that waited.
      if (this.#lanes.get(queue) !== lane) return;
      if (lane.bounced.length + lane.waiting.size > 0 || isHeld(lane)) this.#seek(queue, lane);
      else this.#lanes.delete(queue);
    };
  }

  /** An owner was none. */
  bounce(push: Push, link: OwnerLink): void {
    const { queue } = push;
    if (++push.bounces > BOUNCES) {
      this.answered(push, link);
      this.#refuse(push, new Moved());
      return;
    }
    const before = this.#lanes.get(queue)?.before;
    if (before?.link === link) before.left--;
    else this.moved(queue, link);
    const lane = this.#lane(queue);
    lane.bounced.push(push);
    this.#seek(queue, lane);
  }

  /** An owner is none: what it has not answered comes back, or is there already, and nothing overtakes it. */
  moved(queue: string, link: OwnerLink): void {
    this.#ownership.forget(queue, link.node);
    if (this.#lanes.get(queue)?.before !== undefined) return;
    const { left, unsent } = link.withdraw(queue);
    if (left === 0 && unsent.length === 0) return;
    const lane = this.#lane(queue);
    lane.waiting.unshift(unsent);
    lane.before = { link, left };
    this.#seek(queue, lane);
  }

  /** One that was sent is answered, otherwise than by being given back. */
  answered({ queue }: Push, link: OwnerLink): void {
    const lane = this.#lanes.size > 0 ? this.#lanes.get(queue) : undefined;
    if (lane?.before?.link !== link) return;
    lane.before.left--;
    this.#seek(queue, lane);
  }

  /** An owner is gone: these were not answered. */
  returned(pushes: readonly Push[], link: OwnerLink): void {
    for (const push of pushes) this.#lane(push.queue).bounced.push(push);
    for (const [queue, lane] of this.#lanes) {
      if (lane.before?.link === link) lane.before = undefined;
      this.#seek(queue, lane);
    }
  }

  /** Refuses all. */
  stop(error: BrokerError): void {
    for (const queue of [...this.#lanes.keys()]) this.#refused(queue, error);
  }

  #lane(queue: string): Lane {
    let lane = this.#lanes.get(queue);
    if (lane === undefined) {
      lane = { bounced: [], waiting: new Fifo(), before: undefined, seeking: false, ahead: 0 };
      this.#lanes.set(queue, lane);
    }
    return lane;
  }

  #seek(queue: string, lane: Lane): void {
    if (lane.seeking || isHeld(lane)) return;
    lane.before = undefined;
    lane.seeking = true;
    const bounces = lane.bounced[0]?.bounces ?? 0;
    if (bounces < 2) this.#find(queue, lane);
    else this.#clock.schedule(RETRY * 2 ** bounces, () => this.#find(queue, lane));
  }

  #find(queue: string, lane: Lane): void {
    this.#ownership.find(queue).then(
      (node) => this.#found(queue, lane, node),
      (error: unknown) => this.#refused(queue, asBrokerError(error)),
    );
  }

  #found(queue: string, lane: Lane, node: string): void {
    if (this.#lanes.get(queue) !== lane) return;
    lane.seeking = false;
    if (isHeld(lane)) return;
    this.#lanes.delete(queue);
    for (const push of lane.bounced) this.#go(push, node);
    for (const push of lane.waiting) this.#go(push, node);
  }

  #refused(queue: string, error: BrokerError): void {
    const lane = this.#lanes.get(queue);
    if (lane === undefined) return;
    this.#lanes.delete(queue);
    for (const push of lane.bounced) this.#refuse(push, error);
    for (const push of lane.waiting) this.#refuse(push, error);
  }
}

function isHeld({ before, ahead }: Lane): boolean {
  return ahead > 0 || (before !== undefined && before.left > 0);
}
