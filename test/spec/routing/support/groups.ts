import { setImmediate } from 'node:timers/promises';
import { MemoryBackbone } from '../../../../adapters/memory/index.ts';
import { resolveConfig } from '../../../../src/config/load.ts';
import { Counters } from '../../../../src/core/counters.ts';
import type { BrokerError } from '../../../../src/core/errors.ts';
import { Message, type Properties, type Qos } from '../../../../src/core/message.ts';
import { parseStart, type Start } from '../../../../src/core/start.ts';
import type {
  Delivery,
  GroupMember,
  GroupOptions,
  GroupStatus,
  Membership,
  Outcome,
} from '../../../../src/ports/queues.ts';
import type { OutboxSink } from '../../../../src/ports/routing.ts';
import { LocalGroups } from '../../../../src/routing/groups/local-groups.ts';
import { GroupTable } from '../../../../src/routing/groups/table.ts';
import { LogOutbox } from '../../../../src/routing/outbox.ts';
import { RetainedStore } from '../../../../src/routing/retained.ts';
import { TopicRouter } from '../../../../src/routing/router.ts';
import { SessionRegistry } from '../../../../src/routing/sessions.ts';
import { FakeClock } from '../../stomp/support/harness.ts';

const { limits } = resolveConfig({ limits: { outboxMessages: 20 } });
const publisher = { clientId: 'p', protocol: 'mqtt' } as const;
const noQueues = { push() {}, ready: () => undefined, full: () => undefined, request() {}, bound: () => [] };
const nobody = { appended() {}, refused() {} };

interface Taken {
  readonly text: string;
  readonly message: Message;
  readonly delivery: Delivery;
}

/** A member that keeps what it gets until it is told to settle it. */
export class TestMember implements GroupMember {
  readonly taken: Taken[] = [];
  readonly live: string[] = [];
  unsettled: Taken[] = [];
  isReady = true;
  takesLive = true;
  endedWith: BrokerError | undefined;
  /** Settles at once. */
  eager = false;
  membership: Membership | undefined;

  ready(): boolean {
    return this.isReady;
  }

  take(message: Message, delivery: Delivery): void {
    const taken = { text: textOf(message), message, delivery };
    this.taken.push(taken);
    if (this.eager) this.joined.settle(delivery.number, 'accept');
    else this.unsettled.push(taken);
  }

  takeLive(message: Message): boolean {
    if (this.takesLive) this.live.push(textOf(message));
    return this.takesLive;
  }

  ended(error: BrokerError): void {
    this.endedWith = error;
  }

  get joined(): Membership {
    if (this.membership === undefined) throw new Error('it has not joined');
    return this.membership;
  }

  get texts(): string[] {
    return this.taken.map(({ text }) => text);
  }

  /** Settles the first `count` of what it has. */
  settle(count = this.unsettled.length, outcome: Outcome = 'accept', delay?: number): string[] {
    const settled = this.unsettled.splice(0, count);
    for (const { delivery } of settled) this.joined.settle(delivery.number, outcome, delay);
    return settled.map(({ text }) => text);
  }

  leave(forget = false): void {
    this.joined.leave(forget);
    this.unsettled = [];
  }
}

/** One node with groups, on a backbone in memory that outlives it. */
export class GroupsNode {
  readonly clock: FakeClock;
  readonly backbone: MemoryBackbone;
  readonly counters = new Counters();
  readonly router: TopicRouter;
  readonly sessions: SessionRegistry;
  readonly groups: LocalGroups;
  readonly table: GroupTable;
  /** Reads of the log. */
  reads = 0;

  private constructor(clock: FakeClock, backbone: MemoryBackbone) {
    this.clock = clock;
    this.backbone = backbone;
    const { counters } = this;
    const { state, log, cluster } = backbone;
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const retained = new RetainedStore(state, limits, counters, clock, logger);
    const router = new TopicRouter(backbone, retained, noQueues, counters, clock, logger);
    const options = { detachedSessions: 100, checkpointMilliseconds: 100 };
    const sessions = new SessionRegistry(backbone, clock, counters, logger, options, () => {});
    const outbox = (sink: OutboxSink, from?: readonly number[]): LogOutbox =>
      new LogOutbox(sink, log, clock, counters, logger, limits, from);
    const { node } = cluster;
    this.groups = new LocalGroups({ log, clock, limits, logger, counters, router, outbox, sessions, state, node });
    this.router = router;
    this.sessions = sessions;
    this.table = new GroupTable(router, counters, this.groups);
    const read = log.read.bind(log);
    log.read = (...of) => {
      this.reads++;
      read(...of);
    };
  }

  /** A new one, or one that follows another that has crashed. */
  static async start(before?: GroupsNode): Promise<GroupsNode> {
    const clock = before?.clock ?? new FakeClock();
    // The other one does nothing any more.
    clock.settle();
    clock.timers.clear();
    const dedup = { seconds: 120, messages: 1000 };
    const backbone = before?.backbone ?? new MemoryBackbone({ logBytes: 64 * 1024 * 1024, dedup }, clock);
    const node = new GroupsNode(clock, backbone);
    await backbone.start(node.router);
    return node;
  }

  async turn(rounds = 5): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      this.clock.settle();
      await setImmediate();
    }
  }

  /** What becomes of what takes some turns. */
  async result<T>(asked: Promise<T>): Promise<T> {
    let done = false;
    const over = (): void => {
      done = true;
    };
    asked.then(over, over);
    while (!done) await this.turn(1);
    return asked;
  }

  status(name = 'g', filter = 't/#'): Promise<GroupStatus | undefined> {
    return this.result(this.table.status(name, filter));
  }

  move(to: string, name = 'g', filter = 't/#'): Promise<void> {
    return this.result(this.table.move(name, filter, startAt(to)));
  }

  async advance(milliseconds: number): Promise<void> {
    this.clock.advance(milliseconds);
    await this.turn();
  }

  publish(topic: string, text: string, properties?: Properties, qos: Qos = 1): void {
    const bytes = Buffer.from(text);
    const message = new Message(topic, bytes, 0, bytes.length, qos, false, properties, publisher, this.clock.now());
    this.router.publish(message, nobody, 0);
  }

  async publishAll(topic: string, from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) this.publish(topic, `${i}`);
    await this.turn();
  }

  join(options: Partial<GroupOptions> = {}, member = new TestMember(), name = 'g', filter = 't/#'): TestMember {
    member.membership = this.table.join(name, filter, member, {
      clientId: 'c',
      prefetch: 10,
      keptFor: 0,
      ordered: false,
      start: { from: 'new' },
      ...options,
    });
    return member;
  }

  async joined(options: Partial<GroupOptions> = {}, member = new TestMember()): Promise<TestMember> {
    this.join(options, member);
    await this.turn();
    return member;
  }
}

export function textOf(message: Message): string {
  return Buffer.from(message.payload()).toString();
}

export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `${from + i}`);
}

export function startAt(text: string): Start {
  const start = parseStart(text);
  if (start === undefined) throw new Error(`${text} is no start`);
  return start;
}
