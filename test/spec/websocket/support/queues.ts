import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BrokerError } from '../../../../src/core/errors.ts';
import { Message, type Properties } from '../../../../src/core/message.ts';
import { DEFAULT_SETTINGS, type PartialSettings } from '../../../../src/core/queue-settings.ts';
import type {
  BrowsedPortion,
  Consumer,
  ConsumerOptions,
  GroupMember,
  GroupOptions,
  Groups,
  Membership,
  Outcome,
  QueueStatus,
  Queues,
} from '../../../../src/ports/queues.ts';
import { DEVICE, NOW } from './fakes.ts';

/** Queues and groups that do nothing by themselves: the test gives messages, and sees what is settled. */

/** What was promised is done. */
export async function turn(): Promise<void> {
  await nextTurn();
}

export class FakeConsumption implements Membership {
  readonly opened: Promise<void>;
  open: () => void = () => {};
  refuse: (error: BrokerError) => void = () => {};
  /** What became of each delivery, in order. */
  readonly outcomes: [delivery: number, outcome: Outcome, delay?: number][] = [];
  pumps = 0;
  end: 'cancelled' | 'left' | 'forgotten' | undefined;
  /** Of those who wait for what is settled to be durable. */
  readonly #waiting: { resolve(): void; reject(error: BrokerError): void }[] = [];

  constructor() {
    this.opened = new Promise((resolve, reject) => {
      this.open = resolve;
      this.refuse = reject;
    });
  }

  settle(delivery: number, outcome: Outcome, delay?: number): void {
    this.outcomes.push(delay === undefined ? [delivery, outcome] : [delivery, outcome, delay]);
  }

  holds(): boolean {
    return true;
  }

  settled(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  /** All that was settled is durable; with an error, that cannot be said. */
  durable(error?: BrokerError): void {
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }

  pump(): void {
    this.pumps++;
  }

  cancel(): void {
    this.end = 'cancelled';
  }

  leave(forget: boolean): void {
    this.end = forget ? 'forgotten' : 'left';
  }
}

export interface Consumed {
  readonly queue: string;
  readonly consumer: Consumer;
  readonly options: ConsumerOptions;
  readonly settings: PartialSettings | undefined;
  readonly consumption: FakeConsumption;
}

export function statusOf(name: string): QueueStatus {
  return { name, settings: DEFAULT_SETTINGS, messages: 3, bytes: 9, unsettled: 1, consumers: 1, node: 'n1' };
}

export class FakeQueues implements Queues {
  readonly consumed: Consumed[] = [];
  /** What was asked for besides consuming. */
  readonly asked: unknown[][] = [];
  /** With which everything is refused. */
  error: BrokerError | undefined;
  readonly #contents: readonly Message[];

  /** `contents`: of every queue, with ids from 1 on. */
  constructor(contents: readonly Message[] = []) {
    this.#contents = contents;
  }

  consume(queue: string, consumer: Consumer, options: ConsumerOptions, settings?: PartialSettings): FakeConsumption {
    const consumption = new FakeConsumption();
    this.consumed.push({ queue, consumer, options, settings, consumption });
    return consumption;
  }

  declare(queue: string, settings: PartialSettings): Promise<QueueStatus> {
    return this.#answer(statusOf(queue), 'declare', queue, settings);
  }

  status(queue: string): Promise<QueueStatus | undefined> {
    return this.#answer(queue === 'none' ? undefined : statusOf(queue), 'status', queue);
  }

  has(): boolean {
    return false;
  }

  list(): readonly string[] {
    return [];
  }

  browse(queue: string, after: number, count: number): Promise<BrowsedPortion> {
    const messages = this.#contents
      .map((message, index) => ({ message, id: index + 1, deliveries: index % 2 }))
      .filter(({ id }) => id > after)
      .slice(0, count);
    const last = messages.at(-1)?.id ?? this.#contents.length;
    const next = last < this.#contents.length ? last : undefined;
    return this.#answer({ messages, next }, 'browse', queue, after, count);
  }

  purge(queue: string): Promise<number> {
    return this.#answer(2, 'purge', queue);
  }

  delete(queue: string, only?: object): Promise<number> {
    return this.#answer(3, 'delete', queue, only);
  }

  async #answer<T>(answer: T, ...asked: unknown[]): Promise<T> {
    this.asked.push(asked);
    if (this.error !== undefined) throw this.error;
    return answer;
  }
}

export interface Joined {
  readonly name: string;
  readonly filter: string;
  readonly member: GroupMember;
  readonly options: GroupOptions;
  readonly membership: FakeConsumption;
}

export class FakeGroups implements Groups {
  readonly joined: Joined[] = [];

  join(name: string, filter: string, member: GroupMember, options: GroupOptions): FakeConsumption {
    const membership = new FakeConsumption();
    this.joined.push({ name, filter, member, options, membership });
    return membership;
  }

  async status(): Promise<undefined> {}

  async move(): Promise<void> {}

  async delete(): Promise<void> {}
}

export function ofQueue(queue: string, payload: string, properties?: Properties): Message {
  const data = Buffer.from(payload);
  return new Message(`$queue/${queue}`, data, 0, data.length, 1, false, properties, DEVICE, NOW);
}
