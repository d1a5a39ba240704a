import { resolveConfig } from '../../../src/config/load.ts';
import { queuesOf } from '../../../src/config/queues.ts';
import { Counters } from '../../../src/core/counters.ts';
import { Message, type Properties } from '../../../src/core/message.ts';
import { Messaging } from '../../../src/messaging.ts';
import type { Backbone } from '../../../src/ports/backbone.ts';
import type { GroupOptions, GroupStatus, Membership } from '../../../src/ports/queues.ts';
import { LoopbackAuthorizer } from '../../../src/security/loopback-authorizer.ts';
import { SystemClock } from '../../../src/system-clock.ts';
import { startAt, TestMember } from '../../spec/routing/support/groups.ts';
import { eventually } from '../../support/eventually.ts';
import { SILENT } from '../../support/jetstream.ts';

export interface GroupsFactory {
  readonly name: string;
  /** On an empty store, not started. */
  create(): Backbone;
  /** On the store of the one created last, which has been stopped. */
  reopen(): Backbone;
}

const publisher = { clientId: 'p', protocol: 'mqtt' } as const;
/** Milliseconds after which a group's place is written though nobody asked. */
const CHECKPOINT = 50;

/** All of routing on one backbone, of which tests use the groups. */
export class GroupsNode {
  readonly backbone: Backbone;
  readonly counters = new Counters();
  readonly #messaging: Messaging;
  readonly #members: Membership[] = [];

  private constructor(backbone: Backbone) {
    const config = resolveConfig({});
    const { defaults, declared } = queuesOf(config);
    const options = { limits: config.limits, checkpointMilliseconds: CHECKPOINT };
    const queues = { queueDefaults: defaults, declaredQueues: declared, sys: undefined };
    const authorizer = new LoopbackAuthorizer();
    this.backbone = backbone;
    this.#messaging = new Messaging(
      { ...options, ...queues },
      backbone,
      authorizer,
      new SystemClock(),
      this.counters,
      SILENT,
    );
  }

  static async start(backbone: Backbone): Promise<GroupsNode> {
    const node = new GroupsNode(backbone);
    await backbone.start(node.#messaging.receiver);
    await node.#messaging.start();
    return node;
  }

  /** As when a broker stops: clients go first. */
  async stop(): Promise<void> {
    for (const member of this.#members) member.leave(false);
    await this.#messaging.stop();
    await this.backbone.stop();
  }

  /** Resolves when it is in the log. */
  publish(topic: string, text: string, properties?: Properties): Promise<void> {
    const bytes = Buffer.from(text);
    const message = new Message(topic, bytes, 0, bytes.length, 1, false, properties, publisher, Date.now());
    return new Promise((resolve, reject) => {
      const receiver = { appended: () => resolve(), refused: (_: number, error: Error) => reject(error) };
      this.#messaging.services.router.publish(message, receiver, 0);
    });
  }

  async publishAll(topic: string, texts: readonly string[]): Promise<void> {
    await Promise.all(texts.map((text) => this.publish(topic, text)));
  }

  /** Resolves when it is a member; rejects when it is refused. */
  async join(options: Partial<GroupOptions> = {}, member = new TestMember(), group = 'g'): Promise<TestMember> {
    const usual = { clientId: 'c', prefetch: 10, keptFor: 0, ordered: false, start: { from: 'new' } } as const;
    member.membership = this.#messaging.services.groups.join(group, 't/#', member, { ...usual, ...options });
    this.#members.push(member.membership);
    member.membership.pump();
    await member.membership.opened;
    return member;
  }

  status(group = 'g'): Promise<GroupStatus | undefined> {
    return this.#messaging.services.groups.status(group, 't/#');
  }

  move(to: string, group = 'g'): Promise<void> {
    return this.#messaging.services.groups.move(group, 't/#', startAt(to));
  }
}

/** Resolves with what the members have once they have so many, each in the order in which it came. */
export async function came(count: number, ...members: readonly TestMember[]): Promise<string[]> {
  const all = (): string[] => members.flatMap(({ texts }) => texts);
  await eventually(`${count} messages`, () => all().length >= count, 10_000).catch((error: unknown) => {
    throw new Error(`${String(error)}; there are ${all().length}: ${all()}`);
  });
  return all();
}
