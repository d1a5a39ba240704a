import { BrokerError } from '../../core/errors.ts';
import type { Cluster, ClusterReceiver } from '../../ports/backbone.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Logger } from '../../ports/routing.ts';
import { shareOf } from '../groups/share.ts';
import type { GroupHost, QueueHost } from '../hosts.ts';
import { ClusterGroups } from './groups.ts';
import type { Services } from './guest-link.ts';
import { Links } from './links.ts';
import { Ownership } from './ownership.ts';
import { ClusterQueues, type QueueNames } from './queues.ts';

export interface Hosts {
  readonly queues: QueueHost;
  readonly catalog: QueueNames;
  /** Asked for when it is first needed: it needs the router, which needs this. */
  readonly groups: () => GroupHost;
}

/** Milliseconds between looks at whether what this node owns is still there. */
const SWEEP = 60_000;

/** Makes the queues and groups of all nodes one thing: what is not owned here is reached where it is. */
export class Peers implements Omit<ClusterReceiver, 'yieldClient'> {
  readonly queues: ClusterQueues;
  readonly groups: ClusterGroups;
  readonly #links: Links;
  readonly #queueOwners: Ownership;
  readonly #groupOwners: Ownership;
  readonly #clock: Clock;
  #last = 0;
  #timer: Timer | undefined;

  /** `bytes` of messages may be on their way to other nodes. */
  constructor(cluster: Cluster, hosts: Hosts, clock: Clock, logger: Logger, bytes: number) {
    this.#clock = clock;
    this.#queueOwners = new Ownership(cluster, 'queue:');
    this.#groupOwners = new Ownership(cluster, 'group:');
    const context = { cluster, clock, logger, next: () => ++this.#last, lost: (node: string) => this.nodeLost(node) };
    const services: Services = {
      consume: (wanted, consumer) =>
        wanted.kind === 'queue'
          ? this.queues.consumeFor(wanted.queue, consumer, wanted.options, wanted.settings)
          : this.groups.consumeFor(wanted.group, wanted.filter, consumer, wanted.options),
      mine: (wanted) =>
        wanted.kind === 'queue'
          ? this.#queueOwners.mine(wanted.queue)
          : this.#groupOwners.mine(shareOf(wanted.group, wanted.filter)),
      mineQueue: (queue) => this.#queueOwners.mine(queue),
      push: (queue, message, receiver, token) => this.queues.pushFor(queue, message, receiver, token),
      call: (asked) =>
        asked.call === 'groupStatus' || asked.call === 'groupMove'
          ? this.groups.callFor(asked)
          : this.queues.callFor(asked),
    };
    this.#links = new Links(context, services, {
      pushed: (push, repeated, link) => this.queues.pushes.pushed(push, repeated, link),
      refused: (push, error, link) => this.queues.pushes.refused(push, error, link),
    });
    this.queues = new ClusterQueues(this.#queueOwners, hosts.queues, hosts.catalog, this.#links, clock, bytes);
    this.groups = new ClusterGroups(this.#groupOwners, hosts.groups, this.#links, clock);
  }

  start(): void {
    this.#timer = this.#clock.schedule(SWEEP, () => {
      this.queues.sweep();
      this.start();
    });
  }

  /** Whether this node has the queue, or has it from now on. */
  async own(queue: string): Promise<boolean> {
    return (await this.#queueOwners.find(queue)) === this.#queueOwners.node;
  }

  /** Whether this node still has the queue: the cluster is asked. If not, it is dropped. */
  confirm(queue: string): Promise<boolean> {
    return this.#queueOwners.confirm(queue);
  }

  nodeLost(node: string): void {
    this.#queueOwners.lost(node);
    this.#groupOwners.lost(node);
    const link = this.#links.lost(node);
    if (link !== undefined) this.queues.pushes.returned(link.close(), link);
  }

  disowned(key: string): void {
    const queue = this.#queueOwners.nameOf(key);
    if (queue !== undefined) this.queues.disowned(queue);
    const group = this.#groupOwners.nameOf(key);
    if (group !== undefined) this.groups.disowned(group);
  }

  received(node: string, bytes: Uint8Array): void {
    this.#links.received(node, bytes);
  }

  interrupted(): void {
    this.#links.interrupted();
  }

  /** Clients are gone. Other nodes' consumers end here; afterwards the hosts close their stores. */
  close(): void {
    this.#timer?.cancel();
    this.#queueOwners.stop();
    this.#groupOwners.stop();
    const pushes = this.#links.close().flatMap((link) => link.close());
    this.queues.pushes.stop(pushes, new BrokerError('unavailable', 'this node stops'));
  }

  /** Others may have what this node had: after the stores are closed. */
  async release(): Promise<void> {
    await Promise.all([this.#queueOwners.releaseAll(), this.#groupOwners.releaseAll()]);
  }
}
