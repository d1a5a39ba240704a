import { BrokerError } from '../../../../src/core/errors.ts';
import { Message, type Properties } from '../../../../src/core/message.ts';
import { DEFAULT_SETTINGS, type PartialSettings } from '../../../../src/core/queue-settings.ts';
import type {
  BrowsedPortion,
  Consumer,
  ConsumerOptions,
  Consumption,
  GroupMember,
  GroupOptions,
  Groups,
  Membership,
  QueueStatus,
  Queues,
} from '../../../../src/ports/queues.ts';

/** Queues and groups that do what the test says, and remember what was asked of them. */

/** One consumer, or member of a group. */
export class FakeConsumption implements Membership {
  readonly consumer: Consumer;
  /** `NUMBER OUTCOME DELAY`, in order. */
  readonly settlements: string[] = [];
  /** How it went; undefined while it is there. */
  left: string | undefined;
  open: () => void = () => {};
  refuse: (error: BrokerError) => void = () => {};
  readonly opened = new Promise<void>((resolve, reject) => {
    this.open = resolve;
    this.refuse = reject;
  });
  /** Makes durable what is settled. */
  keep: () => void = () => {};
  pumps = 0;
  #last = 0;

  constructor(consumer: Consumer) {
    this.consumer = consumer;
  }

  /** Gives it a message, if it is ready. */
  give(topic: string, body: string, properties?: Properties, count = 1, redelivered = count > 1): boolean {
    if (!this.consumer.ready()) return false;
    this.consumer.take(messageOf(topic, body, properties), { number: ++this.#last, count, redelivered });
    return true;
  }

  settle(delivery: number, outcome: string, delay?: number): void {
    this.settlements.push(`${delivery} ${outcome}${delay === undefined ? '' : ` ${delay}`}`);
  }

  holds(): boolean {
    return true;
  }

  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.keep = resolve;
    });
  }

  pump(): void {
    this.pumps++;
  }

  cancel(): void {
    this.left = 'cancel';
  }

  leave(forget: boolean): void {
    this.left = forget ? 'forget' : 'leave';
  }
}

export class FakeQueues implements Queues {
  readonly consumptions: FakeConsumption[] = [];
  readonly asked: { queue: string; options: ConsumerOptions; settings: PartialSettings | undefined }[] = [];
  readonly declared: { queue: string; settings: PartialSettings; done: () => void; fail: (error: Error) => void }[] =
    [];
  portions: BrowsedPortion[] = [];
  readonly browsed: string[] = [];

  get last(): FakeConsumption {
    const last = this.consumptions.at(-1);
    if (last === undefined) throw new Error('nobody consumes');
    return last;
  }

  consume(queue: string, consumer: Consumer, options: ConsumerOptions, settings?: PartialSettings): Consumption {
    this.asked.push({ queue, options, settings });
    const consumption = new FakeConsumption(consumer);
    this.consumptions.push(consumption);
    return consumption;
  }

  declare(queue: string, settings: PartialSettings): Promise<QueueStatus> {
    const nothing = { messages: 0, bytes: 0, unsettled: 0, consumers: 0, node: 'a' };
    const status = { name: queue, settings: DEFAULT_SETTINGS, ...nothing };
    return new Promise((resolve, fail) => {
      this.declared.push({ queue, settings, done: () => resolve(status), fail });
    });
  }

  async browse(queue: string, after: number, count: number): Promise<BrowsedPortion> {
    this.browsed.push(`${queue} ${after}`);
    const portion = this.portions.shift();
    if (portion === undefined) throw new BrokerError('notFound', `there is no queue "${queue}"`);
    if (portion.messages.length > count) throw new Error(`${count} were asked for`);
    return portion;
  }

  async status(): Promise<undefined> {}

  has(): boolean {
    return false;
  }

  list(): readonly string[] {
    return [];
  }

  purge(): Promise<never> {
    throw new Error('not asked for here');
  }

  delete(): Promise<never> {
    throw new Error('not asked for here');
  }
}

export class FakeGroups implements Groups {
  readonly joined: { name: string; filter: string; options: GroupOptions }[] = [];
  readonly members: GroupMember[] = [];
  readonly memberships: FakeConsumption[] = [];

  join(name: string, filter: string, member: GroupMember, options: GroupOptions): Membership {
    this.joined.push({ name, filter, options });
    this.members.push(member);
    const membership = new FakeConsumption(member);
    this.memberships.push(membership);
    membership.open();
    return membership;
  }

  async status(): Promise<undefined> {}

  async move(): Promise<void> {}

  async delete(): Promise<void> {}
}

export function messageOf(topic: string, body: string, properties?: Properties, position = 0): Message {
  const data = Buffer.from(body);
  const publisher = { clientId: 'other', protocol: 'mqtt' } as const;
  const message = new Message(topic, data, 0, data.length, position > 0 ? 1 : 0, false, properties, publisher, 0, true);
  message.sequence = position;
  return message;
}
