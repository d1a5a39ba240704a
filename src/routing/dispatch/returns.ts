import type { Clock } from '../../ports/clock.ts';
import type { QueueEntry, QueueSource } from '../../ports/queue-store.ts';
import type { Alarm } from './alarm.ts';
import type { Demand } from './demand.ts';
import { Returned } from './entries.ts';
import type { Unsettled } from './member.ts';
import { type DispatcherHandlers, type DispatcherOptions, expiryOf, isExhausted } from './rules.ts';
import type { Selection } from './selection.ts';
import type { Waiting } from './waiting.ts';

interface ReturnsHost {
  readonly source: QueueSource;
  readonly options: DispatcherOptions;
  readonly clock: Clock;
  readonly handlers: DispatcherHandlers;
  readonly waiting: Waiting;
  readonly demand: Demand;
  /** Rings when what waits for its retry is due. */
  readonly alarm: Alarm;
  readonly selection: Selection | undefined;
}

/** Where messages go that a consumer had and did not take, and those that nobody gets for now. */
export class Returns {
  readonly #host: ReturnsHost;

  constructor(host: ReturnsHost) {
    this.#host = host;
  }

  /** A consumer had it, and it is to be tried again after `delay` milliseconds. `dispatching`: others are being given out. */
  giveBack({ entry: { id, message }, count, key }: Unsettled, delay: number, dispatching: boolean): void {
    const { source, options, clock, handlers, waiting, demand, alarm } = this.#host;
    const entry = new Returned({ id, message }, count);
    if (isExhausted(count, options)) {
      handlers.dead(entry, 'deliveries', count);
      return;
    }
    const now = clock.now();
    // What expires meanwhile is given up then, and holds nobody back any longer.
    const dueAt = Math.min(now + delay, expiryOf(entry, options));
    const later = dueAt > now;
    if (key !== undefined && (later || dispatching)) {
      // Those behind it wait, too.
      demand.holds(entry);
      waiting.keys.delay(key, entry, dueAt);
      alarm.set(dueAt);
    } else if (later || (key === undefined && demand.prioritised)) {
      // Where there are priorities, something of a higher one may be there by now.
      source.release(id, later ? dueAt : 0, count);
    } else {
      demand.holds(entry);
      if (dispatching) waiting.addLater(entry);
      else waiting.window.add(entry);
    }
  }

  /** To the source, but for what waits for its retry, which holds back others. Says what that was, the first one first. */
  putBackReady(): readonly QueueEntry[] {
    const { waiting, demand } = this.#host;
    const entries = waiting.takeReady();
    for (const entry of entries) {
      demand.went(entry);
      this.putBack(entry);
    }
    return entries;
  }

  putBack(entry: QueueEntry): void {
    const { selection, source } = this.#host;
    if (selection?.used) selection.putBack(entry);
    else source.release(entry.id, 0, entry.deliveries);
  }
}
