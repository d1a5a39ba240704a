import type { Counters } from '../../core/counters.ts';
import { matches } from '../../core/filter.ts';
import { Message, type Publisher } from '../../core/message.ts';
import { isSystem } from '../../core/topic.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Retained } from '../../ports/routing.ts';
import { type SysReadings, SysTable, type SysTopic, textOf } from './topics.ts';

export interface SysOptions {
  /** Milliseconds between two updates. */
  readonly interval: number;
  readonly version: string;
  /** Bytes of heap in use. */
  heapBytes(): number;
}

/** The rest of routing, as far as it is told of. */
export interface SysContext {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly router: { readonly subscriptions: number; heard(topic: string): boolean; announce(message: Message): void };
  readonly groups: { readonly members: number };
  readonly sessions: { readonly away: number };
  readonly retained: Retained & { readonly count: number; readonly shared: boolean };
}

const BROKER: Publisher = { clientId: '', protocol: 'native' };

/**
 * What this node tells of itself under `$SYS/`: read once per interval, what has changed goes to its own subscribers, and
 * new ones get the values of the last update, as if those were retained. Nothing of it is stored, or goes to other
 * nodes; nothing is encoded unless someone gets it.
 */
export class SysTopics implements Retained {
  readonly #options: SysOptions;
  readonly #context: SysContext;
  readonly #table = new SysTable();
  /** By topic: what was read at the last update. */
  readonly #values = new Map<SysTopic, number | string>();
  #heapMaximumBytes = 0;
  /** Milliseconds since 1970. */
  #startedAt = 0;
  #updatedAt = 0;
  #timer: Timer | undefined;

  constructor(options: SysOptions, context: SysContext) {
    this.#options = options;
    this.#context = context;
  }

  start(): void {
    this.#startedAt = this.#context.clock.now();
    this.#updatedAt = this.#startedAt;
    this.#update();
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Of `$SYS/` its own, of all others what is retained: no filter matches both [MQTT-4.7.2-1]. */
  match(filter: string, visit: (message: Message) => void): void {
    if (!isSystem(filter)) {
      this.#context.retained.match(filter, visit);
      return;
    }
    for (const [topic, value] of this.#values) {
      if (matches(filter, topic.topic)) visit(this.#message(topic, value));
    }
  }

  #schedule(): void {
    this.#timer = this.#context.clock.schedule(this.#options.interval, () => {
      this.#update();
      this.#schedule();
    });
  }

  #update(): void {
    const { clock, counters, router } = this.#context;
    const now = clock.now();
    // The time of day may be set back.
    if (now > this.#updatedAt) this.#table.average(counters, (now - this.#updatedAt) / 1000);
    this.#updatedAt = now;
    const readings = this.#read(now);
    const changed: SysTopic[] = [];
    for (const topic of this.#table.topics) {
      const value = topic.read(readings);
      if (value === undefined || value === this.#values.get(topic)) continue;
      this.#values.set(topic, value);
      changed.push(topic);
    }
    // All are read first: telling of them is counted, too.
    for (const topic of changed) {
      if (router.heard(topic.topic)) router.announce(this.#message(topic, this.#values.get(topic) ?? ''));
    }
  }

  #read(now: number): SysReadings {
    const { counters, groups, retained, router, sessions } = this.#context;
    const { heapBytes, version } = this.#options;
    const used = heapBytes();
    this.#heapMaximumBytes = Math.max(this.#heapMaximumBytes, used);
    return {
      counters,
      version,
      heapBytes: used,
      heapMaximumBytes: this.#heapMaximumBytes,
      seconds: Math.max(0, now - this.#startedAt) / 1000,
      subscriptions: router.subscriptions,
      sharedSubscriptions: groups.members,
      retained: retained.count,
      away: retained.shared ? undefined : sessions.away,
    };
  }

  /** A new one for each use: what it is encoded to must not be kept from one to the next. */
  #message({ topic, unit }: SysTopic, value: number | string): Message {
    const bytes = Buffer.from(textOf(value, unit));
    return new Message(topic, bytes, 0, bytes.length, 0, true, undefined, BROKER, this.#updatedAt, true);
  }
}
